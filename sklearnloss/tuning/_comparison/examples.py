"""The worst, the median and the best image of each loss, with truth and prediction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._utils.pipeline import last_step
from ...estimators._data.labels import as_masks, read_masks
from ...estimators._displays.chosen_images import take
from ...estimators._displays.planes import plane
from ...estimators._mask_estimator import MaskEstimator
from .fits import FitTable
from .held_out import shrink, spread, unpack, worst_median_best
from .thumbnails import as_thumbnail

Array = NDArray[Any]
Row = dict[str, Any]

#: Code of ignored pixels.
IGNORED = -1
#: Number of mistakes of a classifier to show.
MOST_MISTAKES = 6
KINDS = ("worst", "median", "best")


def examples(fits: FitTable, estimator: Any, X: Any, y: Any) -> list[Row]:
    """Return examples of each loss, with their pictures.

    Parameters
    ----------
    fits : FitTable
        The results of the fits.
    estimator : image estimator, or pipeline that ends in one
        Knows how to read images.
    X, y : array-like, list of files or arrays, or torch Dataset and None
        All images and their truth.

    Returns
    -------
    rows : list of dict
        See ``examples_`` of :class:`LossComparison`. Empty if fits kept no predictions.
    """
    part = last_step(estimator)[1]
    masks = isinstance(part, MaskEstimator)
    rows = []
    for k, label in enumerate(fits.labels):
        kept = fits.kept_of(k)
        chosen = _chosen_masks(kept) if masks else _chosen_labels(kept)
        rows += [{"loss": label, **row} for row in chosen]
    positions = sorted({row["image"] for row in rows})
    seen = _read(part, X, y, positions, masks)
    shown = [_with_picture(row, *seen.get(row["image"], (None, None))) for row in rows]
    if masks:
        return [row for row in shown if row["truth"] is not None]
    return [row for row in shown if row["picture"] is not None]


def _chosen_masks(kept: Iterable[Row]) -> list[Row]:
    """Return the worst, the median and the best of the images that fits kept."""
    found = [
        (each["confusion"]["labels"], example)
        for each in kept
        for example in each.get("examples", [])
        if isinstance(example["prediction"], str)
    ]
    chosen: dict[int, Row] = {}  # by image, since several fits may have kept it
    for k in worst_median_best([example["score"] for _, example in found]):
        names, example = found[k]
        codes = unpack(example, len(names))
        if codes is not None and example["image"] not in chosen:
            chosen[example["image"]] = {
                "image": example["image"],
                "score": example["score"],
                "names": names,
                "prediction": codes.astype(int),
            }
    rows = sorted(chosen.values(), key=lambda row: float(row["score"]))
    kinds = KINDS if len(rows) == 3 else (KINDS[0], KINDS[2])[: len(rows)]
    return [{"kind": kind, **row} for kind, row in zip(kinds, rows, strict=True)]


def _chosen_labels(kept: Iterable[Row]) -> list[Row]:
    """Return images that fits classify wrongly: different mistakes, the most frequent first."""
    counts: Counter[tuple[int, str, str]] = Counter()
    for each in kept:
        for example in each.get("examples", []):
            if isinstance(example["prediction"], int):
                names = each["confusion"]["labels"]
                kind = names[example["truth"]], names[example["prediction"]]
                counts[(example["image"], *kind)] += 1
    found = sorted(counts, key=lambda key: (-counts[key], key))
    first = {key[0]: key for key in reversed(found)}  # of each image the most frequent mistake
    keys = [key for key in found if first[key[0]] == key]
    chosen = [keys[k] for k in spread([key[1:] for key in keys])[:MOST_MISTAKES]]
    return [
        {
            "kind": "mistake",
            "image": image,
            "score": 0.0,
            "names": [],
            "truth": true,
            "prediction": predicted,
        }
        for image, true, predicted in chosen
    ]


def _read(part: Any, X: Any, y: Any, positions: Sequence[int], masks: bool) -> dict[int, Any]:
    """Return image and true mask by position; none if X holds no images for the last step."""
    try:
        truth = take(y, positions) if masks and y is not None else None
        pairs = list(part._samples(take(X, positions), truth))
    except (TypeError, ValueError, AttributeError, IndexError, OSError):
        return {}  # a report without examples is better than none
    return {
        position: (image, _mask(part, target, tuple(image.shape)) if masks else None)
        for position, (image, target) in zip(positions, pairs, strict=True)
    }


def _mask(part: Any, target: Any, shape: tuple[int, ...]) -> Array | None:
    """Return the true mask (*spatial) or (K, *spatial), masked where pixels are ignored."""
    try:
        mask = read_masks(
            as_masks(target)[None], (1, *shape[1:]), multilabel=bool(part.multilabel)
        )[0]
    except (TypeError, ValueError):
        return None
    hidden = np.ma.getmaskarray(mask)
    if part.ignore_index is not None:
        hidden = hidden | (np.ma.getdata(mask) == part.ignore_index)
    masked: Array = np.ma.masked_array(np.ma.getdata(mask), hidden)
    return masked


def _with_picture(row: Row, image: Any, truth: Any) -> Row:
    """Add the picture, and the truth at the size of the prediction."""
    if isinstance(row["prediction"], str):
        return {**row, "picture": None if image is None else as_thumbnail(image)}
    row = {**row, "picture": None, "truth": None}
    if image is None or truth is None:
        return row
    multilabel = row["prediction"].ndim == 3
    small = shrink(plane(truth, truth.ndim - multilabel, None))
    if small.shape != row["prediction"].shape:
        return row  # of a pipeline that changes sizes
    codes = (np.ma.getdata(small) != 0).astype(int) if multilabel else _codes(small, row["names"])
    row["truth"] = np.where(np.ma.getmaskarray(small), IGNORED, codes)
    picture = as_thumbnail(image)
    if picture.shape[:2] == row["prediction"].shape[-2:]:
        row["picture"] = picture
    return row


def _codes(mask: Array, names: Sequence[str]) -> Array:
    """Return the position of each label's name, ``IGNORED`` for other labels."""
    labels, inverse = np.unique(np.ma.getdata(mask), return_inverse=True)
    known = {name: k for k, name in enumerate(names)}
    texts = [_text(label) for label in labels.tolist()]
    table = np.array([known.get(text, IGNORED) for text in texts])
    codes: Array = table[inverse].reshape(mask.shape)
    return codes


def _text(label: Any) -> str:
    """Return a label's name: whole numbers and booleans as integers, as classes are."""
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)
