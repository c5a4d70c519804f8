"""The loss function as a scikit-learn parameter, for images."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from . import datasets, estimators, losses, metrics, networks, tuning
    from ._files import FileReader, MaskFiles
    from ._predict_files import predict_files
    from ._show_versions import show_versions
    from .estimators import (
        ImageClassifier,
        ImageSegmenter,
        ResNetClassifier,
        UNetSegmenter,
        load,
    )
    from .tuning import LossSearchCV, compare_losses

# By default threads wait for each other so long and so busily that small networks come
# to a halt as soon as anything else runs on the machine: a fit of one second took twenty.
# With this they sleep earlier, and lose nothing on idle cores (benchmarks/README.md).
# Torch reads it when it is imported; whoever says otherwise is heeded.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")

# Loaded on first use, so that importing one part does not import all.
_PARTS = ("datasets", "estimators", "losses", "metrics", "networks", "tuning")
_HOMES = {
    "FileReader": "._files",
    "ImageClassifier": ".estimators",
    "ImageSegmenter": ".estimators",
    "LossSearchCV": ".tuning",
    "MaskFiles": "._files",
    "ResNetClassifier": ".estimators",
    "UNetSegmenter": ".estimators",
    "compare_losses": ".tuning",
    "load": ".estimators",
    "predict_files": "._predict_files",
    "show_versions": "._show_versions",
}

__all__ = [
    "FileReader",
    "ImageClassifier",
    "ImageSegmenter",
    "LossSearchCV",
    "MaskFiles",
    "ResNetClassifier",
    "UNetSegmenter",
    "__version__",
    "compare_losses",
    "datasets",
    "estimators",
    "load",
    "losses",
    "metrics",
    "networks",
    "predict_files",
    "show_versions",
    "tuning",
]


def __getattr__(name: str) -> Any:
    if name in _PARTS:
        return importlib.import_module(f".{name}", __name__)
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
