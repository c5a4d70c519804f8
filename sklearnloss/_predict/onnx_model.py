"""An exported model, run by ONNX Runtime without torch or scikit-learn."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np

from .._files import FileReader
from .mirroring import mirrored_axes
from .onnx_file import read_onnx
from .onnx_images import Windows
from .tiles import NumpyArrays, blended_bands, tile_shape

Array = np.ndarray
_PROVIDERS = {
    "cpu": ["CPUExecutionProvider"],
    "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"],
}


class OnnxModel:
    """A model in a file that was written by the ``export`` method of an estimator.

    It is a :class:`~sklearnloss._predict.model.Model`, and predicts what the estimator
    predicts, up to rounding.

    Parameters
    ----------
    path : str or path-like
        The file.
    device : {"cpu", "cuda"}, default="cpu"
        Where the network runs; "cuda" needs the package onnxruntime-gpu.
    n_threads : int, default=None
        Number of threads; None means one for each core that this process may use.

    Attributes
    ----------
    metadata : dict
        Everything that the file says about the model.
    mask_values : list of int or None
        The values in multilabel masks: 0, and 1 or 255.

    Raises
    ------
    ImportError
        If ONNX Runtime is not installed.
    ValueError
        If the file is damaged, of another kind, or refers to other files.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearnloss import UNetSegmenter
    >>> from sklearnloss.datasets import load_nuclei
    >>> from sklearnloss._predict.onnx_model import OnnxModel
    >>> path = Path(tempfile.mkdtemp()) / "model.onnx"
    >>> X, y, _ = load_nuclei(border=False)
    >>> UNetSegmenter(width=4, depth=2, max_epochs=1).fit(X, y).export(path)  # doctest: +SKIP
    >>> [(start, p.shape) for start, p in OnnxModel(path).probabilities(X[:1])]  # doctest: +SKIP
    [(0, (2, 64, 64))]
    """

    task: Literal["segmentation", "classification"]
    channels: Literal["first", "last"]

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        device: Literal["cpu", "cuda"] = "cpu",
        n_threads: int | None = None,
    ) -> None:
        data, self.metadata = read_onnx(path)
        try:
            self._read(self.metadata)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(
                f"The metadata of {str(path)!r} are damaged: {type(error).__name__}: {error}. "
                f"Write it again with export."
            ) from error
        self._digest = hashlib.sha256(data).hexdigest()
        self._session, self._options = _session(path, data, device, n_threads)

    def _read(self, metadata: Mapping[str, Any]) -> None:
        self.task = _one_of(metadata["task"], ("segmentation", "classification"))
        self.channels = _one_of(metadata["channels"], ("first", "last"))
        self.classes: list[Any] = list(metadata["classes"])
        self.multilabel = bool(metadata["multilabel"])
        self.mask_values = metadata["mask_values"]
        self.n_axes, self.n_channels = int(metadata["n_axes"]), int(metadata["n_channels"])
        self.threshold: float | list[float] | None = metadata["threshold"]
        self.reader = FileReader(**_reader_params(metadata["reader"]))
        self._activation = _one_of(metadata["activation"], tuple(_ACTIVATIONS))
        self._temperature = np.float32(metadata["temperature"] or 1)
        self._tta = metadata["tta"]
        tile = metadata["tile"]
        sides = tile["tile"] or metadata["padding"]["only_size"]
        self._tile = tuple(sides) if isinstance(sides, list) else sides
        self._multiple = max(1, int(tile["multiple"]))

    def probabilities(
        self, image: Any, *, tile: Any = None, tta: Any = None
    ) -> Iterator[tuple[int, Array]]:
        """Yield the probabilities of one image in bands; see :class:`Model`."""
        if tta not in (None, "flip", "mirror"):
            raise ValueError(f"tta={tta!r}: expected 'flip', 'mirror' or None.")
        tta = tta or self._tta
        windows = Windows(image, self.metadata)
        shape = None
        if self.task == "segmentation":
            sides = self._tile if tile is None else tile
            shape = tile_shape(sides, windows.shape[1:], self._multiple)
        if shape is None:
            yield 0, self._finished(self._scores(windows[(slice(None),)][None], tta)[0])
            return
        bands = blended_bands(
            lambda part: self._scores(part, tta), windows, shape, self._multiple, NumpyArrays()
        )
        for start, band in bands:
            yield start, self._finished(band)

    def digest(self) -> str:
        """Return a digest of everything that predictions depend on."""
        return self._digest

    def _scores(self, images: Array, tta: Any) -> Array:
        """Return the scores of images (n, C, *spatial), averaged over mirrored ones."""
        total: Array | None = None
        variants = mirrored_axes(tta, images.ndim)
        for axes in variants:
            view = np.ascontiguousarray(np.flip(images, axes))
            (scores,) = self._session.run(["scores"], {"images": view}, self._options)
            if axes and scores.ndim == images.ndim:  # mirror scores per pixel back
                scores = np.flip(scores, axes)
            total = scores if total is None else total + scores
        assert total is not None
        return total / np.float32(len(variants)) if len(variants) > 1 else total

    def _finished(self, scores: Array) -> Array:
        """Return the probabilities of scores (n_scores, ...)."""
        if self.task == "classification":
            scores = scores.astype(np.float64)
        probabilities = _ACTIVATIONS[self._activation](scores, self._temperature)
        if len(probabilities) == 1 and not self.multilabel:
            return np.concatenate([1 - probabilities, probabilities])
        return probabilities


def _session(path: Any, data: bytes, device: str, n_threads: int | None) -> tuple[Any, Any]:
    """Return a session of ONNX Runtime, and the options of its runs."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError(
            f"Running {str(path)!r} needs ONNX Runtime: pip install 'sklearnloss[onnx]', or pip "
            f"install onnxruntime."
        ) from error
    if device not in _PROVIDERS:
        raise ValueError(f"device={device!r}: expected 'cpu' or 'cuda'.")
    provider = _PROVIDERS[device][0]
    if provider not in onnxruntime.get_available_providers():
        raise ValueError(
            f"device={device!r}: the installed ONNX Runtime has no {provider}. Install "
            f"onnxruntime-gpu in place of onnxruntime, or set device='cpu'."
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads or _n_cores()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only
    # Threads that wait do not keep a core busy, and memory that one image needed is free for the
    # next one, which may have another size.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_mem_pattern = False
    try:
        session = onnxruntime.InferenceSession(data, options, providers=_PROVIDERS[device])
    except Exception as error:  # ONNX Runtime has many, which are not public
        raise ValueError(
            f"ONNX Runtime {onnxruntime.__version__} cannot load {str(path)!r}: {error}"
        ) from error
    run_options = onnxruntime.RunOptions()
    run_options.only_execute_path_to_fetches = True  # labels are not needed
    return session, run_options


def _n_cores() -> int:
    """Return how many cores this process may use."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isdigit() and int(given) > 0:
        return int(given)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _sigmoid(x: Array, temperature: np.float32) -> Array:
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-x / temperature)))


def _softmax(x: Array, temperature: np.float32) -> Array:
    e = np.exp((x - x.max(0)) / temperature)
    return np.asarray(e / e.sum(0))


def _normalized_sigmoid(x: Array, temperature: np.float32) -> Array:
    log_p = np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))
    return _softmax(log_p, temperature)  # p / sum p, also if all underflow


_ACTIVATIONS = {
    "sigmoid": _sigmoid,
    "softmax": _softmax,
    "normalized_sigmoid": _normalized_sigmoid,
}


def _reader_params(described: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a reader; JSON has neither dicts by color nor NaN."""
    params = dict(described)
    if isinstance(params.get("nodata"), str):
        params["nodata"] = float(params["nodata"])
    if params.get("colors") is not None:
        params["colors"] = {tuple(color): label for color, label in params["colors"]}
    return params


def _one_of(value: Any, choices: tuple[str, ...]) -> Any:
    if value not in choices:
        raise ValueError(f"{value!r} is not one of {choices}")
    return value
