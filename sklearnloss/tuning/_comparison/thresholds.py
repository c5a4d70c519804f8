"""What remains of a difference once each loss has its best threshold.

Some losses, such as Tversky's, shift all probabilities. A score of masks at the threshold .5 then
differs although another threshold would undo the shift. Each fit counts its held-out pixels at
several thresholds, in up to five parts. A part is scored at the threshold with the best score on
the fit's other parts: no image serves to choose the threshold that it is scored with, and none of
them was trained on. Thresholds are not taken from other folds, since their networks may be much
more or less sure of themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import check_scoring
from sklearn.metrics._scorer import _PassthroughScorer

from ..._utils.pipeline import last_step, reach_final
from ...estimators._base import ImageEstimator
from ...estimators._inference.probability_counts import (
    MIDDLE,
    Block,
    ProbabilityCounts,
    best_positions,
    confusion_above,
)
from ...metrics._confusion import Confusion, ConfusionScore, confusion_score
from ...metrics._named import named_scorers
from .._evaluation.fit_and_score import FoldFit
from .fits import FitTable
from .wording import interval, number, probability

Array = NDArray[Any]
Row = dict[str, Any]
ScoreOf = Callable[[Sequence[Any]], ConfusionScore | None]

_TAIL = [0.001, 0.002, 0.005, 0.01, 0.02, 0.03]
GRID: Array = np.array([*_TAIL, *(np.arange(1, 20) / 20), *(1 - np.array(_TAIL[::-1]))])

# Parts of a fit's held-out images.
_N_PARTS = 5

# Largest difference between a score and the same from counts, from rounding at the threshold.
_ROUNDING = 1e-3


class Tuned(NamedTuple):
    """Scores with thresholds chosen on other held-out images.

    Attributes
    ----------
    scores : ndarray of shape (n_losses, n_splits, n_seeds)
        nan where unknown.
    thresholds : ndarray of shape (n_losses, n_splits, n_seeds, n_labels)
        The means of the thresholds of the parts; one label for two classes.
    """

    scores: Array
    thresholds: Array


def score_of_classes(estimator: Any, scorers: Mapping[str, Any]) -> ScoreOf:
    """Return a function from classes to the score that is compared, computed from counts.

    It returns None if there are more than two classes that exclude each other, or if the score
    needs more than counts.
    """
    final = last_step(estimator)[1]
    scorer = next(iter(scorers.values()))
    if isinstance(scorer, _PassthroughScorer) and isinstance(final, ImageEstimator):
        scorer = check_scoring(final, named_scorers(final._own_scoring, final))
    return partial(_score_of, final, scorer)


def _score_of(final: Any, scorer: Any, classes: Sequence[Any]) -> ConfusionScore | None:
    multilabel = bool(getattr(final, "multilabel", False))
    if not isinstance(final, ImageEstimator) or not (multilabel or len(classes) == 2):
        return None
    score = confusion_score(scorer, classes, multilabel=multilabel, masks=final._reads_masks)
    return None if score is None or (multilabel and not score.of_each_label) else score


def count_held_out(fold: FoldFit) -> Row | None:
    """Return the classes of a fit, and a histogram of its probabilities for each part.

    None if the score cannot be computed from counts, or there are fewer than two parts: a
    comparison without them is better than none.
    """
    try:
        final, X = reach_final(fold.model, fold.X)
        score = score_of_classes(final, fold.data.scorer._scorers)(final.classes_.tolist())
        if score is None:
            return None
        n_labels = len(score.classes) if score.multilabel else 1
        parts = [ProbabilityCounts(n_labels, GRID) for _ in range(_N_PARTS)]
        blocks = final._blocks(X, fold.y, final._as_probabilities, None)
        for part, block in _in_parts(blocks, by_image=final._reads_masks):
            parts[part].add(block, multilabel=score.multilabel)
    except Exception:
        return None
    counts = [part.counts.astype(int).tolist() for part in parts if part.counts.any()]
    return {"classes": score.classes, "counts": counts} if len(counts) > 1 else None


def _in_parts(blocks: Iterable[Block], *, by_image: bool) -> Iterator[tuple[int, Block]]:
    """Yield the number of a part and images in it; a block is an image, or all images."""
    for k, block in enumerate(blocks):
        if by_image:
            yield k % _N_PARTS, block
            continue
        for part in range(_N_PARTS):
            chosen = slice(part, None, _N_PARTS)
            yield part, Block(block.codes[chosen], block.values[:, chosen], 1.0)


def are_counts(value: Any) -> bool:
    """Return whether a value from a log may be the result of ``count_held_out``."""
    if value is None:
        return True
    if not isinstance(value, dict) or not isinstance(value.get("classes"), list):
        return False
    try:
        counts = np.array(value.get("counts"))
    except ValueError:
        return False
    return counts.ndim == 4 and counts.dtype.kind == "i" and bool((counts >= 0).all())


def tune(fits: FitTable, score_of: ScoreOf) -> Tuned | None:
    """Return the scores with thresholds that were chosen on other held-out images.

    None if no fit has counts, or if they do not give the fit's score at the threshold .5.
    """
    scores = np.full(fits.status.shape, np.nan)
    limits: dict[tuple[int, ...], Array] = {}
    decisive = next(iter(fits.scores.values()))
    for k, j, s in np.ndindex(fits.status.shape) if fits.counts else ():
        each = fits.counts[k][j][s]
        score = score_of(each["classes"]) if each else None
        if score is None:
            continue
        parts = np.array(each["counts"])
        n_labels = len(score.classes) if score.multilabel else 1
        if parts.shape[1:] != (n_labels, 2, len(GRID) + 1):
            continue
        middle = np.full((len(parts), n_labels), np.abs(GRID - MIDDLE).argmin())
        if abs(_score_at(score, parts, middle) - decisive[k, j, s]) > _ROUNDING:
            return None
        others = parts.sum(0) - parts
        chosen = np.array([best_positions(score, confusion_above(o), GRID) for o in others])
        scores[k, j, s] = _score_at(score, parts, chosen)
        limits[k, j, s] = GRID[chosen].mean(0)
    if not limits:
        return None
    thresholds = np.full((*scores.shape, len(next(iter(limits.values())))), np.nan)
    for at, limit in limits.items():
        thresholds[at] = limit
    return Tuned(scores, thresholds)


def _score_at(score: ConfusionScore, parts: Array, positions: Array) -> float:
    """Return the score of a fit, each part of which has thresholds at positions of the grid."""
    labels = np.arange(positions.shape[1])
    chosen = [
        [each[here, labels] for each in confusion_above(part)]
        for part, here in zip(parts, positions, strict=True)
    ]
    return float(score(Confusion(*np.sum(chosen, axis=0)[:, None]))[0])


def add_tuned_columns(
    table: list[Row],
    pairs: list[Row],
    tuned: Tuned,
    labels: Sequence[str],
    tested: Any,
    rope: float,
) -> None:
    """Add what is known with tuned thresholds to the rows of losses and pairs.

    Parameters
    ----------
    table, pairs : list of dict
        Rows of ``LossComparison.table_`` and ``pairs_``, changed in place.
    tuned : Tuned
        Scores with tuned thresholds.
    labels : sequence of str
        The losses in the order of these.
    tested : callable
        Returns rows of statistics for differences of shape (n_pairs, n_splits).
    rope : float
        Largest difference that does not matter.
    """
    by_split = dict(zip(labels, tuned.scores.mean(2), strict=True))
    limits = dict(zip(labels, tuned.thresholds, strict=True))
    for row in table:
        row["tuned_mean"] = float(by_split[row["loss"]].mean())
        median = np.median(limits[row["loss"]], axis=(0, 1)).tolist()
        row["threshold"] = median[0] if len(median) == 1 else median
    if not pairs:
        return
    gains = {row["loss"]: row["tuned_mean"] - row["mean"] for row in table}
    rows = tested(np.array([by_split[pair["a"]] - by_split[pair["b"]] for pair in pairs]))
    for pair, row in zip(pairs, rows, strict=True):
        pair |= {f"tuned_{name}": row[name] for name in _COLUMNS}
        # What a threshold from other images worsens says nothing about the loss.
        useful = min(gains[pair["a"]], gains[pair["b"]]) >= -rope
        note = threshold_note(pair, rope) if useful else ""
        pair["verdict"] += f". {note}" if note else ""


_COLUMNS = ("difference", "low", "high", "p_holm", "outcome")
_OUTCOMES = {
    "better": "a real difference",
    "equivalent": "the two are equivalent",
    "undecided": "no evidence yet",
}


def threshold_note(pair: Mapping[str, Any], rope: float) -> str:
    """Say what remains of a difference with tuned thresholds, "" if that changes nothing.

    Parameters
    ----------
    pair : dict
        A row of ``LossComparison.pairs_``.
    rope : float
        Largest difference that does not matter.

    Examples
    --------
    >>> from sklearnloss.tuning._comparison.thresholds import threshold_note
    >>> pair = {"a": "tversky", "b": "bce", "difference": 0.12, "outcome": "better",
    ...         "tuned_difference": 0.03, "tuned_low": 0.01, "tuned_high": 0.05,
    ...         "tuned_p_holm": 0.01, "tuned_outcome": "better"}
    >>> print(threshold_note(pair, 0.01))
    Of tversky's .120 over bce, .090 is the threshold: with the best threshold for each loss,
    chosen on other held-out images, tversky is ahead by .030 [.010, .050], a real difference
    """
    before, after = pair["difference"], pair["tuned_difference"]
    known = {pair["outcome"], pair["tuned_outcome"]} <= set(_OUTCOMES)
    moved = before - after
    same = pair["outcome"] == pair["tuned_outcome"]
    # The threshold cannot explain a difference that may well be 0.
    unclear = pair["outcome"] == "undecided" and pair["low"] <= 0 <= pair["high"]
    if not known or (same and (abs(moved) <= rope or unclear)):
        return ""
    a, b, low, high = pair["a"], pair["b"], pair["tuned_low"], pair["tuned_high"]
    tuned = "with the best threshold for each loss, chosen on other held-out images,"
    ahead = f"{a} is ahead by {number(after)} {interval(low, high)}"
    if after < 0:
        ahead = f"{b} is ahead by {number(-after)} {interval(-high, -low)}"
    ahead += f", {_OUTCOMES[pair['tuned_outcome']]}"
    if pair["tuned_outcome"] == "undecided":
        ahead += f" (adjusted p {probability(pair['tuned_p_holm'])})"
    if moved > rope and before > 0:
        part = "all" if after <= 0 else number(moved)
        return f"Of {a}'s {number(before)} over {b}, {part} is the threshold: {tuned} {ahead}"
    return f"{tuned.capitalize()} {ahead}"
