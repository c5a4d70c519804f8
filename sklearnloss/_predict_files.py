"""Predictions for files: from a fitted estimator, or the file of one."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from ._predict.inputs import find_inputs
from ._predict.options import Options
from ._predict.results import Predictions
from ._predict.run import OpenModel, run
from ._utils.printable import quoted

Paths = str | bytes | os.PathLike[Any] | Iterable[str | bytes | os.PathLike[Any]]


def predict_files(
    model: Any,
    files: Paths,
    output: str | os.PathLike[str] | None = None,
    *,
    probabilities: bool = False,
    overlays: bool = False,
    instances: bool = False,
    border: int | None = None,
    min_size: int = 0,
    threshold: float | list[float] | None = None,
    tta: Literal["flip", "mirror"] | None = None,
    tile: int | tuple[int, ...] | None = None,
    format: Literal["png", "tiff", "npy"] | None = None,
    n_jobs: int = 1,
    overwrite: bool = False,
    custom: Mapping[str, Any] | None = None,
    device: str | None = None,
    verbose: int = 0,
) -> Predictions:
    """Predict image files, and write masks or a table of labels.

    Images are read as in training (``model.reader``), and masks have the size of their image.
    Images larger than memory are read, predicted and written in parts. A call that was
    interrupted can be repeated: finished files are skipped. Where no channel of an image has
    data, there are no objects, and masks in TIFF files have a label of their own, mostly 255,
    which they declare to stand for missing data; other masks hold what the model predicts.

    Parameters
    ----------
    model : estimator or path
        A fitted estimator, or a .safetensors file written by its ``save``, or an .onnx file
        written by its ``export``; the latter needs neither torch nor scikit-learn.
    files : path or list of paths
        Image files, folders of them, or patterns such as ``"scans/*.tif"``.
    output : path, default=None
        The folder to write to. Masks are called like their image, in the same folders below
        it; probabilities, objects and overlays are in folders of these names. None writes
        nothing and returns the arrays.
    probabilities : bool, default=False
        Whether to write the probability of each class, as float32 of shape
        (n_classes, *spatial).
    overlays : bool, default=False
        Whether to write pictures of the images with the outlines of what was predicted; of a
        volume, of the slice with most of it.
    instances : bool, default=False
        Whether to number the objects: connected regions, also over corners, of a class other
        than the first. A model of objects with borders (``FileReader(masks="border")``)
        separates objects that touch.
    border : int, default=None
        The label of borders, which separate objects and then are added to the nearest of them.
        By default, that of a model of objects with borders.
    min_size : int, default=0
        Pixels below which objects are left out of numbers and table; the masks keep them.
    threshold : float or list of float, default=None
        Probability, from 0 to 1, above which a pixel or image belongs to the second of two
        classes, or to each label of multilabel masks; by default the model's, or .5. Of
        several classes, the most probable one is predicted.
    tta : {"flip", "mirror"}, default=None
        Average over mirrored images; by default the model's.
    tile : int or tuple of int, default=None
        Side of the tiles of large images, in pixels; by default the model's.
    format : {"png", "tiff", "npy"}, default=None
        The kind of files to write. By default masks of pictures are PNG, unless their labels
        need more than 8 bits; those of NIfTI and .npy files are the same; all others are TIFF.
    n_jobs : int, default=1
        How many processes predict; -1 is one per core. Each holds the model.
    overwrite : bool, default=False
        Replace predictions of another model or with other options, which is otherwise an
        error, and predict all files again.
    custom : dict of str to object, default=None
        Own losses and networks by name, to load a .safetensors file, as for
        :func:`sklearnloss.load`.
    device : str, default=None
        Where a model in a file is run, such as "cpu" or "cuda"; by default where the
        estimator's ``device`` says, and an .onnx file on the CPU.
    verbose : int, default=0
        With 1, show a progress bar.

    Returns
    -------
    predictions : list of dict
        A row for each predicted file, with keys

        - ``file``: its name, relative to the folder that was given;
        - ``mask``, ``probabilities``, ``objects``, ``overlays``: the paths of what was written
          or, without output, the arrays;
        - ``n_objects``: the number of objects;
        - ``label`` and ``probability_<label>``: for a classifier.

        Its attribute ``errors`` is a dict from each file that could not be predicted to the
        reason; ``objects`` has a row per object, with its file, number, class, area,
        centroid, bounding box and mean intensity per channel (numbers of pixels from 0; the
        area also in the units of the file, if it has any). With an output these are also in
        ``labels.csv`` or ``objects.csv``.

    Raises
    ------
    FileNotFoundError
        If there are no such files.
    ValueError
        If an option is not valid or does not fit the model, if output holds predictions of
        another model or with other options, or if an output would replace an image.

    See Also
    --------
    load : The estimator in a file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from sklearnloss import UNetSegmenter, predict_files
    >>> X = np.random.default_rng(0).normal(size=(4, 16, 16)).astype("float32")
    >>> model = UNetSegmenter(width=4, depth=1, max_epochs=1).fit(X, (X > 0).astype("uint8"))
    >>> folder = Path(tempfile.mkdtemp())
    >>> for k, image in enumerate(X):
    ...     np.save(folder / f"{k}.npy", image)
    >>> predictions = predict_files(model, folder, folder / "masks")
    >>> len(predictions), predictions[0]["file"], predictions.errors
    (4, '0.npy', {})
    >>> mask = np.load(predictions[0]["mask"])
    >>> mask.shape, mask.dtype
    ((16, 16), dtype('uint8'))
    """
    folder = None if output is None else Path(os.fsdecode(output))
    inputs = find_inputs(files, folder)
    options = Options(
        probabilities=probabilities,
        overlays=overlays,
        instances=instances,
        border=border,
        min_size=min_size,
        threshold=threshold,
        tta=tta,
        tile=tile,
        format=format,
    )
    opened = open_model(model, custom=custom, device=device)
    return run(opened, inputs, folder, options, n_jobs=n_jobs, overwrite=overwrite, verbose=verbose)


def open_model(
    model: Any, *, custom: Mapping[str, Any] | None = None, device: str | None = None
) -> OpenModel:
    """Return a fitted estimator, or a file of one, as what predicts files.

    Parameters
    ----------
    model : estimator or path
        The estimator, or a .safetensors or .onnx file.
    custom : dict of str to object, default=None
        Own losses and networks by name.
    device : str, default=None
        Where a model in a file is run.
    """
    if not isinstance(model, (str, bytes, os.PathLike)):
        return _open_estimator(model)
    path = Path(os.fsdecode(model))
    if not path.exists():
        raise FileNotFoundError(f"There is no file {quoted(path)}.")
    if path.suffix.lower() == ".onnx":
        from ._predict.open_onnx import open_onnx

        if custom:
            raise ValueError("custom is for .safetensors files: an .onnx file needs no objects.")
        return open_onnx(path, device)
    if path.suffix.lower() != ".safetensors":
        raise ValueError(
            f"{quoted(path)} is not a model. Expected a .safetensors file, written by "
            f"save, or an .onnx file, written by export."
        )
    from .estimators import load

    return _open_estimator(load(path, custom, device=device))


def _open_estimator(estimator: Any) -> OpenModel:
    import cloudpickle

    from .estimators._inference.file_model import FileModel, reopened

    model = FileModel(estimator)
    # Losses that a notebook defines can only be pickled by cloudpickle.
    return OpenModel(
        model,
        model.digest(),
        lambda: cloudpickle.dumps(functools.partial(reopened, estimator)),
    )
