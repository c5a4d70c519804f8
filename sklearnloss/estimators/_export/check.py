"""Runs an exported file, and compares it with the estimator."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..._predict.onnx_model import OnnxModel
from .._data.arrays import to_network
from .network import Exported

_MOST = 1e-4  # the largest difference between probabilities


def check_file(model: Any, exported: Exported, path: Path) -> None:
    """Raise a ValueError unless a file gives the estimator's probabilities for random images.

    Parameters
    ----------
    model : estimator
        A fitted estimator.
    exported : Exported
        Its network.
    path : Path
        The file.
    """
    session = OnnxModel(path)._session
    for images in _images(model, exported):
        with torch.inference_mode():
            filled = model._fill(images) if model.scaling_ is not None else images
            scores = exported.module(to_network(filled, model.scaling_, "cpu"))
            expected = model._as_probabilities(scores)
        (found,) = session.run(["probabilities"], {"images": images.numpy()})
        differ = found.shape != expected.shape or not np.isfinite(found).all()
        worst = math.inf if differ else float(np.abs(found - expected).max())
        if not worst <= _MOST:
            raise ValueError(
                f"The network cannot be exported faithfully: for random images of shape "
                f"{tuple(images.shape)}, the probabilities of the file differ from the "
                f"estimator's by up to {worst:.2g}, more than {_MOST:g}. No file was written. Use "
                f"save, or another network."
            )


def _images(model: Any, exported: Exported) -> Iterator[torch.Tensor]:
    """Yield random images of several sizes, with missing pixels if they can be filled."""
    n_channels, *spatial = model.input_shape_
    generator = torch.Generator().manual_seed(0)
    for n, shape in enumerate(_shapes(model, exported, len(spatial)), start=1):
        images = torch.randn(n, n_channels, *(shape or spatial), generator=generator)
        if model.scaling_ is not None:
            images = model.scaling_.to("cpu").undo(images)
            images[torch.rand(images.shape, generator=generator) < 0.05] = torch.nan
        yield images


def _shapes(model: Any, exported: Exported, n_axes: int) -> list[tuple[int, ...]]:
    if not model._reads_masks:
        return [(), ()]
    if exported.only_size is not None:
        return [exported.only_size, tuple(side - 1 for side in exported.only_size)]
    m, least = exported.multiple, max(exported.least, 8)
    small = m * -(-least // m)
    return [tuple(small + m * axis + 1 for axis in range(n_axes)), (small,) * n_axes]
