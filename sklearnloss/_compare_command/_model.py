"""Estimator, score and folds of a run."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import get_scorer, get_scorer_names

from .._utils.text import did_you_mean
from ..estimators import ResNetClassifier, UNetSegmenter
from ..estimators._data.axes import looks_like
from ..estimators._data.mask_classes import COMMAND_LINE, check_void
from ..metrics import hausdorff_distance, make_mask_scorer
from ..metrics._mask_scorer import MaskScorer
from ..metrics._scorers import NAMED
from ..tuning._evaluation.folds import default_splits
from ._data import ImageData
from ._file_names import first_few
from ._options import Options

Array = NDArray[Any]
Split = tuple[Array, Array]
Estimator = UNetSegmenter | ResNetClassifier

# How often new folds may equal earlier ones, as happens with very few images.
_ATTEMPTS = 20


def make_estimator(data: ImageData, options: Options) -> Estimator:
    """Return the estimator that all losses train.

    Raises
    ------
    ValueError
        If an ignored label is given for classification, or it leaves nothing to learn, or
        a label probably marks pixels to ignore.
    """
    classes = [label for label in data.labels if label != data.ignore_index]
    ignored = f"--ignore-index {data.ignore_index}"
    if data.ignore_index is not None and data.task == "classification":
        raise ValueError(f"{ignored} is for masks. Leave images of a class out of the folder.")
    if len(classes) < 2:
        left = f"{ignored} leaves" if data.ignore_index in data.labels else "There is"
        found = f"only the label {classes[0]}" if classes else "no label"
        raise ValueError(f"{left} {found}. Expected two or more.")
    shared: dict[str, Any] = {
        "width": options.width,
        "max_epochs": options.epochs,
        "device": options.device,
        "channels": data.channels,
        # All classes, since a fold may lack a rare one.
        "classes": classes,
        "random_state": options.seed,
    }
    if data.reader is not None:
        shared["reader"] = data.reader
    if data.task == "classification":
        if isinstance(data.X, np.ndarray) and looks_like(data.X.shape[1:]) is not None:
            shared["image_shape"] = tuple(data.X.shape[1:])  # the axes have been checked
        return ResNetClassifier(**shared)
    check_void(classes, advice=COMMAND_LINE)
    return UNetSegmenter(ignore_index=data.ignore_index, **shared)


def make_scoring(data: ImageData, options: Options) -> Any:
    """Return the named scorer, or None for the estimator's own.

    Without a name, classes of different sizes are scored by balanced accuracy, since
    always predicting the largest class would give a high accuracy. Hausdorff distances are
    in the unit of the files if all have the same size of pixels, otherwise in pixels.

    Raises
    ------
    ValueError
        If there is no such score for this task and these images.
    """
    name = options.scoring
    choices = get_scorer_names() if data.task == "classification" else list(NAMED)
    if name is None:
        return get_scorer("balanced_accuracy") if _is_unbalanced(data) else None
    if name not in choices:
        raise ValueError(
            f"--scoring {name!r} is not a score for {data.task}. Expected one of "
            f"{', '.join(choices)}.{did_you_mean(name, choices)}"
        )
    if data.task == "classification":
        return get_scorer(name)
    return _in_units(data, NAMED[name]) if name == "hausdorff" else NAMED[name]


def _in_units(data: ImageData, scorer: MaskScorer) -> MaskScorer:
    """Return a scorer of distances in the unit of the files, if they share one size of pixels."""
    known = data.description
    is_resized = data.reader is not None and data.reader.resize is not None
    if len(known.spacing) != 1 or len(known.kinds) != 1 or is_resized:
        return scorer
    return make_mask_scorer(hausdorff_distance, spacing=tuple(known.spacing[0]))


def _is_unbalanced(data: ImageData) -> bool:
    return data.task == "classification" and len(set(Counter(data.y.tolist()).values())) > 1


def check_folds(data: ImageData, n_folds: int) -> None:
    """Check that there are enough images, groups and images of each class for the folds.

    Raises
    ------
    ValueError
        If there are too few; the message says of what.
    """
    units = np.arange(len(data.y)) if data.groups is None else np.unique(data.groups)
    if len(units) < n_folds:
        what = "image" if data.groups is None else "group"
        only = f"is only 1 {what}" if len(units) == 1 else f"are only {len(units)} {what}s"
        remedy = f" Pass --folds {len(units)}" if len(units) > 1 else ""
        if data.groups is not None:
            remedy += ", or --groups with" if remedy else " Pass --groups with"
            remedy += " a pattern that tells more of them apart"
        raise ValueError(f"--folds {n_folds}: there {only}.{remedy}{'.' * bool(remedy)}")
    if data.task == "classification" and data.groups is None:
        rare = [f"{label} ({n})" for label, n in Counter(data.y.tolist()).items() if n < n_folds]
        if rare:
            raise ValueError(
                f"--folds {n_folds}: fewer images than folds in the classes {first_few(rare)}."
            )


def make_folds(data: ImageData, n_folds: int, seed: int) -> list[Split]:
    """Return shuffled folds, stratified for classes, that keep groups together."""
    model = UNetSegmenter() if data.task == "segmentation" else ResNetClassifier()
    return default_splits(model, data.y, data.y, groups=data.groups, seed=seed, n_folds=n_folds)


def make_other_folds(data: ImageData, n_folds: int, n_repeats: int, seed: int) -> list[list[Split]]:
    """Return folds for each repeat, all different from each other and from the search's.

    Parameters
    ----------
    data : ImageData
        The images.
    n_folds, n_repeats : int
        Number of folds and of repeats.
    seed : int
        Seed of the search's folds. The first repeats do not depend on how many follow.

    Returns
    -------
    folds : list of list of (train, test)
        Fewer than ``n_repeats`` if there are not that many; none if the search's folds
        are the only ones.
    """
    taken = {_partition(make_folds(data, n_folds, seed))}
    found = []
    for other in range(seed + 1, seed + 1 + n_repeats + _ATTEMPTS):
        folds = make_folds(data, n_folds, other)
        if _partition(folds) not in taken:
            taken.add(_partition(folds))
            found.append(folds)
        if len(found) == n_repeats:
            break
    return found


def _partition(folds: list[Split]) -> frozenset[tuple[int, ...]]:
    return frozenset(tuple(test.tolist()) for _, test in folds)
