"""The versions that a bug report needs."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

_LIBRARIES = [
    "torch",
    "skorch",
    "scikit-learn",
    "numpy",
    "scipy",
    "optuna",
    "safetensors",
    "matplotlib",
    "monai",
    "kornia",
]


def show_versions() -> None:
    """Print the versions of Python, of the libraries and of CUDA.

    Examples
    --------
    >>> from sklearnloss import show_versions
    >>> show_versions()
    sklearnloss: ...
    """
    import torch

    from ._version import __version__

    rows = {"sklearnloss": __version__, "python": sys.version.split()[0]}
    rows["platform"] = platform.platform()
    for library in _LIBRARIES:
        try:
            rows[library] = version(library)
        except PackageNotFoundError:
            rows[library] = "not installed"
    rows["CUDA"] = torch.version.cuda or "none"
    if torch.cuda.is_available():
        rows["GPU"] = torch.cuda.get_device_name()
    rows["torch threads"] = str(torch.get_num_threads())
    for name, value in rows.items():
        print(f"{name}: {value}")
