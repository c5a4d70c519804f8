"""Opens an exported model, here and in worker processes."""

from __future__ import annotations

import functools
import pickle
from pathlib import Path
from typing import Any

from .onnx_model import OnnxModel
from .run import OpenModel


def open_onnx(path: Path, device: str | None = None) -> OpenModel:
    """Return an ONNX file as a model.

    Parameters
    ----------
    path : Path
        A file that an estimator's ``export`` wrote.
    device : str, default=None
        Where it runs: "cuda", or the CPU.

    Raises
    ------
    ValueError
        If the file is damaged, or of another kind.
    """
    where: Any = "cpu" if device in (None, "auto") else device
    if where not in ("cpu", "cuda"):
        raise ValueError(f"device={device!r}: for an .onnx file, expected 'cpu' or 'cuda'.")
    model = OnnxModel(path, device=where)
    opener = functools.partial(_reopen, str(path), where)
    return OpenModel(model, model.digest(), lambda: pickle.dumps(opener))


def _reopen(path: str, device: Any, n_threads: int) -> OnnxModel:
    return OnnxModel(path, device=device, n_threads=n_threads)
