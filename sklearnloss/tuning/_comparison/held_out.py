"""What a fit keeps of its held-out images: confusion counts, and a few small predictions."""

from __future__ import annotations

import base64
import zlib
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...estimators._displays.planes import plane
from ...metrics._masks import label_codes

Array = NDArray[Any]
Record = dict[str, Any]

#: Largest number of classes of which each pair is counted.
MOST_CLASSES = 100
#: Longest side of a kept prediction in pixels.
SIDE = 160
#: Number of wrongly classified images that a fit keeps.
MOST_MISTAKES = 12
#: Number of epochs of which the training loss is kept.
MOST_EPOCHS = 100


class HeldOutMasks:
    """Counts pixels by true and predicted class, and keeps small copies of predictions.

    Parameters
    ----------
    final : MaskEstimator
        The fitted segmenter.
    """

    def __init__(self, final: Any) -> None:
        self.classes: Array = np.asarray(final.classes_)
        self.multilabel = bool(final.multilabel)
        self.ignore_index = final.ignore_index
        n = len(self.classes)
        shape = (n, 2, 2) if self.multilabel else (n, n)
        self._counts: Array = np.zeros(shape, dtype=np.int64)
        self._small: list[tuple[tuple[int, ...], bytes]] = []

    def watch(self, pairs: Iterable[tuple[Array, Array]]) -> Iterator[tuple[Array, Array]]:
        """Yield pairs of true and predicted masks, and count them."""
        for true, predicted in pairs:
            if len(self.classes) <= MOST_CLASSES:
                self._add(true, np.asarray(predicted))
            yield true, predicted

    def _add(self, true: Array, predicted: Array) -> None:
        known = ~np.ma.getmaskarray(true)
        truth = np.ma.getdata(true).reshape(predicted.shape)
        known = known.reshape(predicted.shape)
        if self.ignore_index is not None:
            known &= truth != self.ignore_index
        if self.multilabel:
            codes = (predicted != 0).astype(np.uint8)
            for k, counts in enumerate(self._counts):
                pairs = 2 * (truth[k] != 0) + codes[k]
                counts += np.bincount(pairs[known[k]].ravel(), minlength=4).reshape(2, 2)
        else:
            codes = label_codes(predicted, self.classes)
            self._counts += _count(label_codes(truth, self.classes), codes, known, self.classes)
        n_axes = predicted.ndim - self.multilabel
        small = shrink(plane(codes, n_axes, None))
        self._small.append((small.shape, zlib.compress(small.tobytes(), 1)))

    def record(self, scores: Sequence[float] | Array, positions: Array) -> Record | None:
        """Return the counts, and the worst, the median and the best prediction.

        Parameters
        ----------
        scores : sequence of float
            The score of each image, nan if it has none.
        positions : ndarray of int
            Positions of the images in the data.

        Returns
        -------
        record : dict or None
            "confusion" and "examples"; None for too many classes.
        """
        if len(self._small) != len(scores):
            return None
        examples = [
            {
                "image": int(positions[k]),
                "score": round(float(scores[k]), 6),
                "shape": list(self._small[k][0]),
                "prediction": base64.b64encode(self._small[k][1]).decode(),
            }
            for k in worst_median_best(scores)
        ]
        names = list(map(str, self.classes.tolist()))
        return {"confusion": _confusion(names, self._counts), "examples": examples}


def _count(truth: Array, codes: Array, known: Array, classes: Array) -> Array:
    """Return how many pixels have each true and each predicted class."""
    n = len(classes)
    pairs = truth.astype(np.intp) * (n + 1) + codes
    if not known.all():
        pairs = pairs[known]
    table = np.bincount(pairs.ravel(), minlength=(n + 1) ** 2).reshape(n + 1, n + 1)
    counted: Array = table[:n, :n]  # the last row is truth that is no class
    return counted


def shrink(values: Array) -> Array:
    """Return every n-th row and column, so that no side is longer than ``SIDE``."""
    step = max(1, -(-max(values.shape[-2:]) // SIDE))
    return values[..., ::step, ::step]


def worst_median_best(scores: Sequence[float] | Array) -> list[int]:
    """Return the positions of the lowest, the median and the highest score, without repeats."""
    values = np.asarray(scores, dtype=float)
    order = np.argsort(values, kind="stable")[: int(np.isfinite(values).sum())]
    chosen = [order[k] for k in (0, (len(order) - 1) // 2, -1)] if len(order) else []
    return list(dict.fromkeys(map(int, chosen)))


def spread(kinds: Sequence[Hashable]) -> list[int]:
    """Return positions in an order that takes one of each kind in turn, frequent kinds first.

    Examples
    --------
    >>> from sklearnloss.tuning._comparison.held_out import spread
    >>> spread(["b", "a", "a", "a", "b", "c"])
    [1, 0, 5, 2, 4, 3]
    """
    counts = Counter(kinds)
    turn: Counter[Hashable] = Counter()
    order = []
    for k, kind in enumerate(kinds):
        order.append((turn[kind], -counts[kind], k))
        turn[kind] += 1
    return [k for *_, k in sorted(order)]


def label_record(final: Any, truth: Array, predicted: Array, positions: Array) -> Record | None:
    """Return the confusion counts of labels, and some of the mistakes, as for masks.

    Parameters
    ----------
    final : LabelEstimator
        The fitted classifier.
    truth, predicted : ndarray of shape (n,)
        Labels.
    positions : ndarray of shape (n,), int
        Positions of the images in the data.
    """
    classes = np.asarray(final.classes_)
    if len(classes) > MOST_CLASSES:
        return None
    codes, found = label_codes(truth, classes), label_codes(predicted, classes)
    counts = _count(codes, found, np.ones(len(codes), dtype=bool), classes)
    wrong = np.flatnonzero((codes != found) & (codes < len(classes)))
    kinds = [(int(codes[k]), int(found[k])) for k in wrong]
    examples = [
        {
            "image": int(positions[wrong[k]]),
            "score": 0.0,
            "shape": [],
            "truth": kinds[k][0],
            "prediction": kinds[k][1],
        }
        for k in spread(kinds)[:MOST_MISTAKES]
    ]
    names = list(map(str, classes.tolist()))
    return {"confusion": _confusion(names, counts), "examples": examples}


def _confusion(names: list[str], counts: Array) -> Record:
    """Return counts as a list of the entries that are not zero, as [*position, count]."""
    entries = [[*map(int, at), int(counts[tuple(at)])] for at in np.argwhere(counts)]
    return {"labels": names, "shape": list(counts.shape), "counts": entries}


def training_curve(final: Any) -> list[list[float]]:
    """Return [epoch, training loss] of an estimator, at most 100 of them, evenly spread."""
    try:
        history = [row.get("train_loss") for row in final.history_]
    except AttributeError:  # an estimator without epochs
        return []
    n = len(history)
    kept = np.unique(np.linspace(0, n - 1, min(n, MOST_EPOCHS)).round().astype(int))
    known = [(k + 1, history[k]) for k in kept.tolist() if history[k] is not None]
    return [[epoch, float(f"{loss:.5g}")] for epoch, loss in known if np.isfinite(loss)]


def is_record(value: Any) -> bool:
    """Return whether a value from a log is what a fit keeps, or None."""
    if value is None:
        return True
    if not isinstance(value, dict):
        return False
    confusion, examples = value.get("confusion"), value.get("examples", [])
    return (
        _are_rows(value.get("curve", []), 2)
        and (confusion is None or _is_confusion(confusion))
        and isinstance(examples, list)
        and all(_is_example(each, confusion) for each in examples)
    )


def _are_rows(value: Any, length: int) -> bool:
    return isinstance(value, list) and all(
        isinstance(row, list)
        and len(row) == length
        and all(type(each) in (int, float) for each in row)
        for row in value
    )


def _is_confusion(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("labels"), list):
        return False
    n, shape, counts = len(value["labels"]), value.get("shape"), value.get("counts")
    if shape != [n, n] and shape != [n, 2, 2]:
        return False
    if not isinstance(counts, list) or not _are_rows(counts, len(shape) + 1):
        return False
    return all(
        type(k) is int and 0 <= k < size
        for *at, _ in counts
        for k, size in zip(at, shape, strict=True)
    ) and all(type(row[-1]) is int and row[-1] >= 0 for row in counts)


def _is_example(value: Any, confusion: Any) -> bool:
    if not isinstance(value, dict) or confusion is None:
        return False
    image, predicted = value.get("image"), value.get("prediction")
    if type(predicted) is int:
        n, true = len(confusion["labels"]), value.get("truth")
        if type(true) is not int or not (0 <= predicted < n and 0 <= true < n):
            return False
    return (
        type(image) is int
        and image >= 0
        and type(value.get("score")) in (int, float)
        and isinstance(value.get("shape"), list)
        and type(predicted) in (int, str)
    )


def unpack(example: Record, n_classes: int) -> Array | None:
    """Return the codes of a kept mask, None if its text is damaged."""
    try:
        data = zlib.decompress(base64.b64decode(example["prediction"], validate=True))
        codes: Array = np.frombuffer(data, dtype=np.uint8).reshape(example["shape"])
    except (ValueError, TypeError, zlib.error):
        return None
    return codes if codes.size and codes.max() < max(2, n_classes) else None
