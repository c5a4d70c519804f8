"""What remains of a difference once each loss has its best threshold.

Some losses, such as Tversky's, shift all probabilities. A score of masks at the threshold .5 then
differs although another threshold would undo the shift. Each fit counts its held-out pixels at
several thresholds. Its own threshold is the one with the best score on the other folds of the
same repeat, so no image serves to choose the threshold that it is scored with; but the networks
of those folds were trained on some of the images that are scored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    ProbabilityCounts,
    best_positions,
    confusion_above,
)
from ...metrics._confusion import Confusion, ConfusionScore, confusion_score
from ...metrics._named import named_scorers
from .._evaluation.fit_and_score import FoldFit
from .fits import FitTable
from .wording import interval, number

Array = NDArray[Any]
Row = dict[str, Any]
ScoreOf = Callable[[Sequence[Any]], ConfusionScore | None]

_TAIL = [0.001, 0.002, 0.005, 0.01, 0.02, 0.03]
GRID: Array = np.array([*_TAIL, *(np.arange(1, 20) / 20), *(1 - np.array(_TAIL[::-1]))])

# Largest difference between a score and the same from counts, from rounding at the threshold.
_ROUNDING = 1e-3


class Tuned(NamedTuple):
    """Scores with thresholds chosen on other folds.

    Attributes
    ----------
    scores : ndarray of shape (n_losses, n_splits, n_seeds)
        nan where unknown.
    thresholds : ndarray of shape (n_losses, n_splits, n_seeds, n_labels)
        The thresholds; one label for two classes.
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
    """Return the classes of a fit and a histogram of its held-out probabilities.

    None if the score cannot be computed from counts: a comparison without them is better than
    none.
    """
    try:
        final, X = reach_final(fold.model, fold.X)
        score = score_of_classes(final, fold.data.scorer._scorers)(final.classes_.tolist())
        if score is None:
            return None
        counts = ProbabilityCounts(len(score.classes) if score.multilabel else 1, GRID)
        for block in final._blocks(X, fold.y, final._as_probabilities, None):
            counts.add(block, multilabel=score.multilabel)
    except Exception:
        return None
    return {"classes": score.classes, "counts": counts.counts.astype(int).tolist()}


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
    return counts.ndim == 3 and counts.dtype.kind == "i" and bool((counts >= 0).all())


def tune(fits: FitTable, score_of: ScoreOf) -> Tuned | None:
    """Return the scores with a threshold that was chosen on other folds.

    None if the held-out images of other folds may be the same, or the counts are unknown.
    """
    known = [each for of_loss in fits.counts for row in of_loss for each in row if each]
    if fits.n_folds < 2 or not known:
        return None
    shape = (len(known[0]["counts"]), 2, len(GRID) + 1)
    counts = np.full((*fits.status.shape, *shape), np.nan)
    for at in np.ndindex(fits.status.shape):
        k, j, s = at
        each = fits.counts[k][j][s]
        if each and each["classes"] == known[0]["classes"] and np.shape(each["counts"]) == shape:
            counts[at] = each["counts"]
    score = score_of(known[0]["classes"])
    if score is None or not _reproduces(score, counts, next(iter(fits.scores.values()))):
        return None
    tuned = Tuned(
        np.full(fits.status.shape, np.nan), np.full((*fits.status.shape, shape[0]), np.nan)
    )
    for k, j, s in np.ndindex(fits.status.shape):
        first = j - j % fits.n_folds
        others = [each for each in range(first, first + fits.n_folds) if each != j]
        positions = _choose(score, counts[k, others, s])
        if positions is not None and np.isfinite(counts[k, j, s]).all():
            tuned.scores[k, j, s] = _score_at(score, counts[k, j, s], positions)
            tuned.thresholds[k, j, s] = GRID[positions]
    return tuned


def _reproduces(score: ConfusionScore, counts: Array, scores: Array) -> bool:
    """Return whether counts at the threshold .5 give the scores of the fits."""
    middle = np.full(counts.shape[3], np.abs(GRID - MIDDLE).argmin())
    known = np.isfinite(counts).all((3, 4, 5))
    return all(
        abs(_score_at(score, counts[at], middle) - scores[at]) < _ROUNDING
        for at in zip(*np.nonzero(known), strict=True)
    )


def _choose(score: ConfusionScore, others: Array) -> Array | None:
    """Return the best positions in the grid for histograms of other folds, None if unknown."""
    known = np.isfinite(others).all((1, 2, 3))
    if not known.any():
        return None
    return best_positions(score, confusion_above(others[known].sum(0)), GRID)


def _score_at(score: ConfusionScore, counts: Array, positions: Array) -> float:
    """Return the score of a fit whose labels have thresholds at these positions of the grid."""
    labels = np.arange(len(positions))
    chosen = (each[positions, labels][None] for each in confusion_above(counts))
    return float(score(Confusion(*chosen))[0])


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
        pair |= {f"tuned_{name}": row[name] for name in ("difference", "low", "high", "outcome")}
        # What a threshold from other images worsens says nothing about the loss.
        useful = min(gains[pair["a"]], gains[pair["b"]]) >= -rope
        note = threshold_note(pair, rope) if useful else ""
        pair["verdict"] += f". {note}" if note else ""


_OUTCOMES = {
    "better": "a real difference",
    "equivalent": "the two are equivalent",
    "undecided": "no evidence of a difference",
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
    ...         "tuned_outcome": "better"}
    >>> print(threshold_note(pair, 0.01))
    Of tversky's .120 over bce, .090 is the threshold: with the best threshold for each loss,
    chosen on other folds, tversky is ahead by .030 [.010, .050], a real difference
    """
    before, after = pair["difference"], pair["tuned_difference"]
    known = {pair["outcome"], pair["tuned_outcome"]} <= set(_OUTCOMES)
    moved = before - after
    if not known or (abs(moved) <= rope and pair["outcome"] == pair["tuned_outcome"]):
        return ""
    a, b, low, high = pair["a"], pair["b"], pair["tuned_low"], pair["tuned_high"]
    tuned = "with the best threshold for each loss, chosen on other folds,"
    ahead = f"{a} is ahead by {number(after)} {interval(low, high)}"
    if after < 0:
        ahead = f"{b} is ahead by {number(-after)} {interval(-high, -low)}"
    ahead += f", {_OUTCOMES[pair['tuned_outcome']]}"
    if moved > rope and before > 0:
        part = "all" if after <= 0 else number(moved)
        return f"Of {a}'s {number(before)} over {b}, {part} is the threshold: {tuned} {ahead}"
    return f"{tuned.capitalize()} {ahead}"
