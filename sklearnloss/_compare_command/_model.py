"""What is trained, how it is scored, and on which folds."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from ..estimators import ResNetClassifier, UNetSegmenter
from ..estimators._axes import looks_like
from ..estimators._mask_classes import COMMAND_LINE, check_void
from ..losses._base import did_you_mean
from ..metrics._scorers import NAMED
from ._culprits import first_few
from ._data import ImageData
from ._options import Options

Array = NDArray[Any]
Split = tuple[Array, Array]

#: Scores of masks; they ask the estimator how to read them.
MASK_SCORES = dict(NAMED)


def make_estimator(data: ImageData, options: Options) -> UNetSegmenter | ResNetClassifier:
    """Return the estimator that all losses train.

    Raises
    ------
    ValueError
        If there is an ignored label for classes, or it leaves none to learn, or a label
        seems to be one to ignore.
    """
    classes = [label for label in data.labels if label != options.ignore_index]
    ignored = f"--ignore-index {options.ignore_index}"
    if options.ignore_index is not None and data.task == "classification":
        raise ValueError(f"{ignored} is for masks. Leave images of a class out of the folder.")
    if len(classes) < 2:
        left = f"{ignored} leaves" if options.ignore_index in data.labels else "There is"
        found = f"only the label {classes[0]}" if classes else "no label"
        raise ValueError(f"{left} {found}. Expected two or more.")
    shared: dict[str, Any] = {
        "width": options.width,
        "max_epochs": options.epochs,
        "device": options.device,
        "channels": data.channels,
        # All that there are: a fold may lack a rare one.
        "classes": classes,
        "random_state": options.seed,
    }
    if data.task == "classification":
        if isinstance(data.X, np.ndarray) and looks_like(data.X.shape[1:]) is not None:
            shared["image_shape"] = tuple(data.X.shape[1:])  # the axes are as they should be
        return ResNetClassifier(**shared)
    check_void(classes, advice=COMMAND_LINE)
    return UNetSegmenter(ignore_index=options.ignore_index, **shared)


def make_scoring(data: ImageData, options: Options) -> Any:
    """Return the scorer of a name, None for the estimator's own.

    Raises
    ------
    ValueError
        If there is no such score for this task and these images.
    """
    name = options.scoring
    choices = get_scorer_names() if data.task == "classification" else list(MASK_SCORES)
    if name is None:
        return None
    if name not in choices:
        raise ValueError(
            f"--scoring {name!r} is no score for {data.task}. Expected one of "
            f"{', '.join(choices)}.{did_you_mean(name, choices)}"
        )
    if data.task == "classification":
        return get_scorer(name)
    return MASK_SCORES[name]


def check_folds(data: ImageData, n_folds: int) -> None:
    """Raise unless there are enough images, groups and images of each class for the folds.

    Raises
    ------
    ValueError
        Says what there is too little of.
    """
    units = np.arange(len(data.y)) if data.groups is None else np.unique(data.groups)
    if len(units) < n_folds:
        what = "images" if data.groups is None else "groups"
        raise ValueError(f"--folds {n_folds}: there are only {len(units)} {what}.")
    if data.task == "classification" and data.groups is None:
        rare = [f"{label} ({n})" for label, n in Counter(data.y.tolist()).items() if n < n_folds]
        if rare:
            raise ValueError(
                f"--folds {n_folds}: fewer images than folds in the classes {first_few(rare)}."
            )


def make_folds(data: ImageData, n_folds: int, seed: int) -> list[Split]:
    """Return shuffled folds, stratified for classes, that keep groups together."""
    options: dict[str, Any] = {"n_splits": n_folds, "shuffle": True, "random_state": seed}
    rows = np.zeros(len(data.y))
    if data.task == "classification":
        kind = StratifiedKFold if data.groups is None else StratifiedGroupKFold
        return list(kind(**options).split(rows, data.y, data.groups))
    kind = KFold if data.groups is None else GroupKFold
    return list(kind(**options).split(rows, groups=data.groups))
