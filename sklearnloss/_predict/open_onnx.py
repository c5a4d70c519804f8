"""Opens an exported model, here and in worker processes."""

from __future__ import annotations

import functools
import hashlib
import pickle
from pathlib import Path

from .onnx_model import OnnxModel
from .run import OpenModel


def open_onnx(path: Path) -> OpenModel:
    """Return an ONNX file as a model.

    Parameters
    ----------
    path : Path
        A file that an estimator's ``export`` wrote.
    """
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    opener = functools.partial(OnnxModel, str(path))
    return OpenModel(opener(), digest, lambda: pickle.dumps(opener))
