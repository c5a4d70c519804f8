"""What answering always the same would score: less than that, and nothing was learnt."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier

from ..estimators._files import read_file
from ..estimators._labels import count_labels, read_masks
from ..metrics import iou_score
from ..tuning._words import cell
from ._data import ImageData
from ._model import MASK_SCORES, Split
from ._options import Options

Array = NDArray[Any]


class Baseline(NamedTuple):
    """The score of a constant answer on held-out images.

    Attributes
    ----------
    answer : object
        The most frequent label.
    mean, sd : float
        Of its score over the folds.
    """

    answer: Any
    mean: float
    sd: float

    @property
    def shown(self) -> str:
        """The answer as it is written in sentences."""
        return f"'{self.answer}'" if isinstance(self.answer, str) else str(self.answer)


def score_constant(
    data: ImageData, splits: Sequence[Split], options: Options, scorer: Any
) -> Baseline | None:
    """Score the answer that is most frequent in training, on the same folds as the losses.

    Parameters
    ----------
    data : ImageData
        All images.
    splits : sequence of (train, test)
        Of the comparison.
    options : Options
        With the score of masks and the label that is ignored.
    scorer : callable or None
        The score of classes, None for their accuracy.

    Returns
    -------
    baseline : Baseline or None
        None if the score is not defined for a constant answer.
    """
    try:
        if data.task == "classification":
            scores = [_score_class(data.y, split, scorer) for split in splits]
            answer = _most_frequent(Counter(data.y.tolist()))
        else:
            counts = [_count(_read(mask), options.ignore_index) for mask in data.y]
            scores = [_score_label(data.y, counts, split, options) for split in splits]
            answer = _most_frequent(_total(counts))
    except ValueError:
        return None
    if not np.isfinite(scores).all():
        return None
    return Baseline(answer, float(np.mean(scores)), float(np.std(scores, ddof=1)))


def describe_baseline(baseline: Baseline, best: float, rope: float) -> list[str]:
    """Say what a constant answer scores, and whether the losses beat it.

    Parameters
    ----------
    baseline : Baseline
        Of the same score.
    best : float
        The highest mean of a loss.
    rope : float
        A difference that does not matter.

    Examples
    --------
    >>> from sklearnloss._compare_command._baseline import Baseline, describe_baseline
    >>> describe_baseline(Baseline("ship", 0.598, 0.0), 0.81, 0.01)
    ["Baseline: always answering 'ship' scores .598 (sd .000 over folds)."]
    >>> print(describe_baseline(Baseline("ship", 0.598, 0.0), 0.6, 0.01)[1])
    No loss beats always answering 'ship': train longer (--epochs).
    """
    constant = f"always answering {baseline.shown}"
    score, spread = cell(baseline.mean), cell(baseline.sd)
    lines = [f"Baseline: {constant} scores {score} (sd {spread} over folds)."]
    if not best > baseline.mean + rope:
        lines.append(f"No loss beats {constant}: train longer (--epochs).")
    return lines


def _score_class(y: Array, split: Split, scorer: Any) -> float:
    train, test = split
    dummy = DummyClassifier(strategy="prior").fit(np.zeros((len(train), 1)), y[train])
    X = np.zeros((len(test), 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that are not answered, or not held out
        return float(dummy.score(X, y[test]) if scorer is None else scorer(dummy, X, y[test]))


def _score_label(y: Any, counts: Sequence[Counter[int]], split: Split, options: Options) -> float:
    train, test = split
    answer = _most_frequent(_total(counts[k] for k in train))
    name = options.scoring or "iou"
    if name == "iou":  # which needs no masks, only how many pixels have each label
        return _constant_iou(_total(counts[k] for k in test), answer)
    true = np.asarray(y[test])
    constant = np.full_like(true, answer)
    score = MASK_SCORES[name] or iou_score
    value = float(score(true, constant, ignore_index=options.ignore_index))
    return -value if name == "hausdorff" else value


def _constant_iou(counts: Counter[int], answer: int) -> float:
    """Return the mean IoU over the labels: 0 for all but the answer's."""
    if not counts:
        raise ValueError("All pixels are ignored.")
    return counts[answer] / counts.total() / len({*counts, answer})


def _read(mask: Any) -> Array:
    """Return a mask as a batch of one."""
    array = np.asarray(read_file(mask, "first") if isinstance(mask, Path) else mask)[None]
    return read_masks(array, array.shape)


def _count(mask: Array, ignored: int | None) -> Counter[int]:
    labels, counts = count_labels(mask)
    return Counter(
        {int(k): int(n) for k, n in zip(labels, counts, strict=True) if int(k) != ignored}
    )


def _total(counts: Iterable[Counter[int]]) -> Counter[int]:
    return sum(counts, Counter[int]())


def _most_frequent(counts: Counter[Any]) -> Any:
    """Return the most frequent label, the least of several."""
    return min(counts, key=lambda label: (-counts[label], label))
