"""The tables of a comparison: one row per loss, and one row per pair."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .fits import FitTable
from .statistics import (
    best_probabilities,
    corrected_t_test,
    correlated_t_probabilities,
    holm,
    repeats_needed,
)
from .wording import FAILURES, failures, verdict

Array = NDArray[Any]
Row = dict[str, Any]

ALPHA = 0.05
CERTAIN = 0.95
# Nobody will run more fits than this.
MANY_REPEATS, MANY_SPLITS = 30, 150


def fill_failures(scores: Array, error_score: float) -> Array:
    """Return the scores, with ``error_score`` or the worst score of all for fits that failed.

    The worse of the two, so that failing never helps.
    """
    missing = np.isnan(scores)
    if np.isnan(error_score) or not missing.any() or missing.all():
        return scores
    return np.where(missing, min(error_score, float(np.nanmin(scores))), scores)


def loss_rows(fits: FitTable, scores: dict[str, Array]) -> list[Row]:
    """Return a row per loss, the best first; losses with failures but no score come last.

    Parameters
    ----------
    fits : FitTable
        The results of the fits.
    scores : dict of str to ndarray of shape (n_losses, n_splits, n_seeds)
        With failures filled in.
    """
    decisive, *others = scores
    best = _best(scores[decisive].mean(2), fits.ratio)
    rows = []
    for k, label in enumerate(fits.labels):
        row = {"loss": label, **_moments(scores[decisive][k]), "p_best": float(best[k])}
        row |= {kind: int((fits.status[k] == kind).sum()) for kind in FAILURES}
        row["fits"] = int(fits.status[k].size)
        finished = fits.status[k] == "ok"
        raw = fits.scores[decisive][k][finished]
        row["mean_finished"] = float(raw.mean()) if len(raw) else np.nan
        row["fit_seconds"] = float(fits.seconds[k][finished].mean()) if len(raw) else np.nan
        row["reasons"] = sorted({reason for reason in fits.reasons[k].flat if reason})
        for name in others:
            moments = _moments(scores[name][k])
            row |= {f"mean_{name}": moments["mean"], f"sd_folds_{name}": moments["sd_folds"]}
        rows.append(row)
    return sorted(rows, key=_rank)


def _best(scores: Array, ratio: float) -> Array:
    """Return P(best) among the losses without nan, nan for the others."""
    best = np.full(len(scores), np.nan)
    whole = np.isfinite(scores).all(1)
    if whole.any():
        best[whole] = best_probabilities(scores[whole], ratio)
    return best


def _moments(scores: Array) -> Row:
    """Return the mean, and the spread over splits and over seeds, of (n_splits, n_seeds)."""
    n_splits, n_seeds = scores.shape
    return {
        "mean": float(scores.mean()),
        "sd_folds": float(scores.mean(1).std(ddof=1)) if n_splits > 1 else np.nan,
        "sd_seeds": float(np.sqrt(scores.var(1, ddof=1).mean())) if n_seeds > 1 else np.nan,
    }


def _rank(row: Row) -> tuple[bool, float]:
    score = row["mean_finished"] if np.isnan(row["mean"]) else row["mean"]
    return bool(np.isnan(row["mean"])), -np.nan_to_num(score, nan=-np.inf)


def pair_rows(fits: FitTable, scores: Array, ranked: list[Row], rope: float) -> list[Row]:
    """Return a row per pair of losses, the better one as "a".

    Parameters
    ----------
    fits : FitTable
        The results of the fits.
    scores : ndarray of shape (n_losses, n_splits, n_seeds)
        With failures filled in.
    ranked : list of dict
        From :func:`loss_rows`.
    rope : float
        Largest difference that does not matter.
    """
    by_split = dict(zip(fits.labels, scores.mean(2), strict=True))
    pairs = list(combinations(ranked, 2))
    if not pairs:
        return []
    differences = np.array([by_split[a["loss"]] - by_split[b["loss"]] for a, b in pairs])
    tested = pair_statistics(differences, fits.ratio, rope)
    n_pairs = sum(np.isfinite(row["p"]) for row in tested)
    rows = []
    for (a, b), row, each in zip(pairs, tested, differences, strict=True):
        row = {"a": a["loss"], "b": b["loss"], **row}
        row["more_repeats"] = _repeats_needed(row, each, fits, rope, n_pairs)
        row["verdict"] = _verdict(row, a, b, fits, rope)
        rows.append(row)
    return rows


def pair_statistics(differences: Array, ratio: float, rope: float) -> list[Row]:
    """Return intervals, p-values, probabilities and outcomes of differences, a row per pair.

    Parameters
    ----------
    differences : ndarray of shape (n_pairs, n_splits)
        Differences of scores.
    ratio : float
        ``n_test / n_train``.
    rope : float
        Largest difference that does not matter.
    """
    test = corrected_t_test(differences, ratio)
    adjusted = holm(test.p)
    probabilities = correlated_t_probabilities(differences, ratio, rope)
    rows = []
    for k in range(len(differences)):
        row: Row = {
            "difference": float(test.mean[k]),
            "low": float(test.low[k]),
            "high": float(test.high[k]),
            "p": float(test.p[k]),
            "p_holm": float(adjusted[k]),
        }
        row |= zip(("p_worse", "p_equivalent", "p_better"), probabilities[k].tolist(), strict=True)
        row["outcome"] = _outcome(row, differences.shape[1])
        rows.append(row)
    return rows


def _outcome(row: Row, n_splits: int) -> str:
    if np.isnan(row["difference"]):
        return "failed"
    if np.isnan(row["p"]):
        return "unknown" if n_splits < 2 else "undecided"
    if row["p_equivalent"] >= CERTAIN:
        return "equivalent"
    return "better" if row["p_holm"] < ALPHA else "undecided"


def _repeats_needed(
    row: Row, differences: Array, fits: FitTable, rope: float, n_pairs: int
) -> int | None:
    """Return how many more repeats would decide about a pair, None if they would not help."""
    if row["outcome"] != "undecided" or np.isnan(row["p"]) or not fits.repeatable:
        return None
    n_folds = fits.n_folds
    return repeats_needed(
        row["difference"],
        float(differences.std(ddof=1)),
        fits.ratio,
        n_folds,
        len(differences) // n_folds,
        level=ALPHA / n_pairs,
        rope=rope,
        certainty=CERTAIN,
        at_most=MANY_SPLITS if n_folds == 1 else MANY_REPEATS,
    )


def _verdict(row: Row, a: Row, b: Row, fits: FitTable, rope: float) -> str:
    failed = [f"{loss['loss']} {failures(loss)}" for loss in (a, b) if failures(loss)]
    if row["outcome"] == "failed":
        return f"no verdict on {a['loss']} and {b['loss']}: {', '.join(failed)}"
    text = verdict(row, rope=rope, n_folds=fits.n_folds, more=row["more_repeats"])
    return f"{text} (counted with a bad score: {', '.join(failed)})" if failed else text
