"""The ``export`` method of estimators."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator

from ..._predict.onnx_file import KEY, MOST_BYTES, graph_digest
from ..._utils.temporary_file import check_target, write_whole
from .._training.torch_settings import check_default_dtype, usual_torch
from .check import check_file
from .graph import complete
from .metadata import describe_model
from .network import Exported, export_network


class ExportMixin(BaseEstimator):  # type: ignore[misc]
    """Export a fitted estimator to an ONNX file."""

    @usual_torch()
    def export(self, path: str | os.PathLike[str]) -> None:
        r"""Write everything from raw images to labels to one ONNX file.

        Other programs and languages can run the file with ONNX Runtime, without
        Python, torch or scikit-learn. It replaces an older file only when it is complete
        and, if ONNX Runtime is installed, has given the probabilities of this estimator.

        The input "images" is float32 of shape (n, C, \*spatial), with values as in the
        files; NaN marks pixels without a value, which become the mean of their channel.
        The outputs are "probabilities", as of ``predict_proba`` but always float32;
        "labels", int64, as of ``predict``, or positions in ``classes_`` if these are not
        integers; and "scores", the network's raw scores. A temperature and a threshold that
        were chosen for the estimator are part of the file. Segmenters take images of any
        size, classifiers those of the shape used in ``fit``.

        The metadata entry "sklearnloss" is JSON with the classes, the reader of files, the
        size of tiles and the like. Tiles and ``tta`` are not in the graph. The file cannot
        be trained further: :meth:`save` the estimator, too.

        Parameters
        ----------
        path : str or path-like
            The file to write; the extension ".onnx" is recommended.

        Raises
        ------
        ImportError
            If onnx or onnxscript is not installed.
        ValueError
            If torch cannot export the network, if the file would be larger than 2 GB, or
            if it gives other probabilities than the estimator. An older file is left
            as it is.

        See Also
        --------
        save : Write a file that can be loaded and trained further.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> from sklearnloss import UNetSegmenter
        >>> from sklearnloss.datasets import load_nuclei
        >>> X, y, _ = load_nuclei(border=False)
        >>> model = UNetSegmenter(width=4, depth=2, max_epochs=1).fit(X, y)
        >>> path = Path(tempfile.mkdtemp()) / "model.onnx"
        >>> model.export(path)  # doctest: +SKIP
        >>> import onnxruntime  # doctest: +SKIP
        >>> session = onnxruntime.InferenceSession(path)  # doctest: +SKIP
        >>> images = X[:2, None].astype("float32")
        >>> (masks,) = session.run(["labels"], {"images": images})  # doctest: +SKIP
        >>> bool((masks == model.predict(X[:2])).all())  # doctest: +SKIP
        True
        """
        self._check_fitted()
        check_default_dtype()
        check_target(path)
        exported = export_network(self)
        write_whole(path, _file(self, exported), lambda written: _verify(self, exported, written))


def _file(model: Any, exported: Exported) -> bytes:
    """Return the content of the file."""
    proto = complete(exported, model)
    if proto.ByteSize() > MOST_BYTES - 2**20:
        raise ValueError(
            f"The model has {proto.ByteSize() / 2**30:.1f} GB, but an ONNX file cannot be larger "
            f"than 2 GB. Use save, or a smaller network."
        )
    metadata = describe_model(model, exported)
    metadata["graph_sha256"] = graph_digest(proto.SerializeToString())
    entry = proto.metadata_props.add()
    entry.key, entry.value = KEY, json.dumps(metadata, allow_nan=False)
    data: bytes = proto.SerializeToString()
    return data


def _verify(model: Any, exported: Exported, written: Path) -> None:
    try:
        import onnxruntime  # noqa: F401
    except ImportError:
        warnings.warn(
            "The file was written, but not compared with the estimator, since ONNX Runtime is not "
            "installed: pip install onnxruntime.",
            UserWarning,
            stacklevel=5,
        )
        return
    check_file(model, exported, written)
