"""A search's candidates as scikit-learn's ``cv_results_``."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.trial import TrialState
from sklearn.exceptions import FitFailedWarning

from .._evaluation.outcome import Outcome
from .._evaluation.sklearn_private import BaseSearchCV
from .._space.search_space import Space
from .attempts import Row


def format_results(
    search: BaseSearchCV, rows: Sequence[Row], space: Space, n_splits: int
) -> dict[str, Any]:
    """Return a table with a row per finished candidate.

    Parameters
    ----------
    search : BaseSearchCV
        Its ``error_score`` is used for folds that failed.
    rows : list of Row
        All finished candidates.
    space : Space
        The current space.
    n_splits : int
        Number of folds.

    Returns
    -------
    results : dict of str to ndarray
        scikit-learn's columns, and ``loss``, ``in_space``, ``trial_state``, ``outcome``,
        ``reason``, ``last_report`` and ``n_epochs``. Folds that were not trained are NaN, and so
        are the means of incomplete candidates. They rank last, and so do those of losses that
        are not searched any more.
    """
    params = [row.params(space) for row in rows]
    metrics = _metrics(search, rows)
    out = [_fold(row, fold, metrics, search) for row in rows for fold in range(n_splits)]
    more = {
        "loss": [row.loss(space) for row in rows],
        "in_space": [row.is_in_space for row in rows],
        "trial_state": [row.state.name for row in rows],
        "outcome": [str(row.results.outcome) for row in rows],
        "reason": [row.results.reason for row in rows],
        "last_report": [row.results.last_report for row in rows],
        "n_epochs": [row.results.epochs for row in rows],
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "One or more of the test scores are non-finite")
        results: dict[str, Any] = search._format_results(params, n_splits, out, more)
    for key in ("fit_time", "score_time"):
        times = np.array([fold[key] for fold in out]).reshape(len(rows), n_splits)
        results[f"mean_{key}"], results[f"std_{key}"] = _mean_and_std(times)
    for name in metrics or ["score"]:
        _rank_last(results, name, [_may_win(row) for row in rows])
    return results


def _metrics(search: BaseSearchCV, rows: Sequence[Row]) -> list[str]:
    """Return the names of the metrics if there are several."""
    for row in rows:
        for fold in row.results.folds:
            return list(fold["scores"]) if isinstance(fold["scores"], dict) else []
    return list(search.scoring) if isinstance(search.scoring, dict | list | tuple) else []


def _fold(row: Row, fold: int, metrics: list[str], search: BaseSearchCV) -> dict[str, Any]:
    folds = row.results.folds
    if fold < len(folds):
        done = folds[fold]
        return {
            "fit_time": done["fit_time"],
            "score_time": done["score_time"],
            "test_scores": done["scores"],
        }
    failed = row.state == TrialState.FAIL or row.results.is_infeasible
    missing = search.error_score if failed and search.error_score != "raise" else np.nan
    scores = dict.fromkeys(metrics, missing) if metrics else missing
    return {"fit_time": np.nan, "score_time": np.nan, "test_scores": scores}


def _mean_and_std(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # from candidates without any fold
        return np.nanmean(times, axis=1), np.nanstd(times, axis=1)


def _may_win(row: Row) -> bool:
    return row.state == TrialState.COMPLETE and row.may_be_chosen


def _rank_last(results: dict[str, Any], metric: str, may_win: list[bool]) -> None:
    """Rank candidates that cannot be chosen after all others, regardless of ``error_score``."""
    ok = np.array(may_win)
    means = results[f"mean_test_{metric}"]
    order = np.where(ok & ~np.isnan(means), means, -np.inf)
    rank = np.array([1 + int((order > mean).sum()) for mean in order], dtype=np.int32)
    results[f"rank_test_{metric}"] = rank


def rows_to_choose_from(
    rows: Sequence[Row], results: dict[str, Any]
) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the positions of candidates that may be the best, and a table of only those."""
    kept = np.flatnonzero([_may_win(row) for row in rows])
    table = {
        key: column[kept] if isinstance(column, np.ndarray) else [column[k] for k in kept]
        for key, column in results.items()
    }
    return kept, table


def best_per_loss(rows: Sequence[Row], space: Space) -> dict[str, dict[str, Any]]:
    """Return the best settings of each loss: by score, or by last report if none is complete."""
    return {
        label: {
            "params": row.params(space),
            "score": row.results.last_report,
            "state": row.state.name,
        }
        for label, row in best_rows(rows, space).items()
    }


def best_rows(rows: Sequence[Row], space: Space) -> dict[str, Row]:
    """Return the candidate with the best settings of each loss."""
    best: dict[str, tuple[int, float]] = {}
    found: dict[str, Row] = {}
    for row in rows:
        label, score = row.loss(space), row.results.last_report
        if not row.may_be_chosen:
            continue
        if row.state == TrialState.FAIL or row.results.is_infeasible or math.isnan(score):
            continue
        # Means over fewer folds are not comparable, and the better ones were continued.
        rank = (len(row.results.folds), score)
        if label not in best or rank > best[label]:
            best[label], found[label] = rank, row
    return found


def choose_settings(
    best: Mapping[str, Mapping[str, Any]], labels: str | Sequence[str] | None
) -> dict[str, Any]:
    """Return the best parameters of some losses, or of all.

    Parameters
    ----------
    best : dict of str to dict
        The result of :func:`best_per_loss`.
    labels : str, list of str or None
        The losses; None is all.

    Raises
    ------
    ValueError
        If a loss is missing.
    """
    labels = [labels] if isinstance(labels, str) else labels
    for label in labels or []:
        if label not in best:
            raise ValueError(
                f"{label!r} is not among the losses that have settings to compare, {list(best)}."
            )
    return {k: entry["params"] for k, entry in best.items() if labels is None or k in labels}


def has_complete(rows: Sequence[Row]) -> bool:
    """Return whether any candidate is complete and may be chosen."""
    return any(map(_may_win, rows))


def untried(rows: Sequence[Row], space: Space, n_trials: int | None = 0) -> list[str]:
    """Return the labels of losses, or of grids, without a candidate.

    Parameters
    ----------
    rows : list of Row
        All candidates of this space so far.
    space : Space
        The space that their values come from.
    n_trials : int or None, default=0
        Number of candidates at the end, the first of which try one label each; None
        means that all labels will be tried.
    """
    values = [row.values for row in rows]
    n_left = None if n_trials is None else max(0, n_trials - len(rows))
    planned = [space.label(first) for first, _ in space.first_left(values)][:n_left]
    tried = {*map(space.label, values), *planned}
    return [label for label in space.branches if label not in tried]


def warn_of_too_few_trials(labels: Sequence[str], n_trials: int | None, space: Space) -> None:
    """Say in a line which losses, or grids, a search has no trials for."""
    if not labels:
        return
    n_labels = len(space.branches)
    n_tried = n_labels - len(labels)
    if space.is_menu:
        text = (
            f"n_trials={n_trials} tries the {n_tried} most promising of {n_labels} losses; the "
            f"others, listed in untried_losses_, are never tried."
        )
    else:
        text = (
            f"n_trials={n_trials} tries the first {n_tried} of {n_labels} losses or grids. Never "
            f"tried: {', '.join(labels)}."
        )
    warnings.warn(text, UserWarning, stacklevel=5)


def warn_of_untried(labels: Sequence[str], timeout: float | None, space: Space) -> None:
    """Warn of losses, or grids, that were not tried before a search ended."""
    advice = "Pass fewer, or let the search continue."
    if timeout is not None:
        advice = f"Raise timeout={timeout:g}, or pass fewer."
    rest = "The result is only the best of the others."
    if space.is_menu:
        rest = "The most promising were tried first."
    warnings.warn(
        f"These losses or grids were never tried, as the search ended too early: "
        f"{', '.join(labels)}. {rest} {advice}",
        UserWarning,
        stacklevel=5,
    )


def warn_of_unfinished(n_done: int, n_folds: int) -> None:
    """Warn that a search ended before a candidate had finished all folds."""
    warnings.warn(
        f"The search ended before any candidate had finished all {n_folds} folds. The best one so "
        f"far, which has finished {n_done}, is used. Let the search continue to be sure of it.",
        UserWarning,
        stacklevel=5,
    )


def warn_of_failures(rows: Sequence[Row]) -> None:
    """Warn of candidates that failed, with the reasons."""
    failed = [row.results.reason for row in rows if row.state == TrialState.FAIL]
    if failed:
        warnings.warn(
            f"{len(failed)} of {len(rows)} candidates failed; they rank last in cv_results_:\n"
            f"{_counted(failed)}",
            FitFailedWarning,
            stacklevel=5,
        )


def warn_of_scores(rows: Sequence[Row], results: Mapping[str, Any]) -> None:
    """Warn of candidates whose score is nan or infinite, as scikit-learn's searches do."""
    found = [row.results.reason for row in rows if row.results.outcome == Outcome.UNDEFINED]
    complete = results["trial_state"] == "COMPLETE"
    for key, means in results.items():
        if key.startswith("mean_test_"):
            n = int((~np.isfinite(means[complete])).sum())
            found += [f"{key} is not finite"] * n
    if found:
        warnings.warn(
            f"One or more of the test scores are non-finite; such candidates rank last in "
            f"cv_results_:\n{_counted(found)}\n{_WHY_NOT_FINITE}",
            UserWarning,
            stacklevel=5,
        )


_WHY_NOT_FINITE = (
    "A metric may be undefined on a fold, such as one with a single class or a single sample."
)


def _counted(reasons: Sequence[str]) -> str:
    return "\n".join(f"  {reasons.count(r)} x {r}" for r in dict.fromkeys(reasons))


def all_failed(rows: Sequence[Row]) -> str:
    """Return a message that no candidate succeeded, with the reasons and a traceback."""
    reasons = [row.results.reason for row in rows]
    outcomes = {row.results.outcome for row in rows}
    traces = [row.results.traceback for row in rows if row.results.traceback]
    # Invalid parameters or data need no traceback.
    more = traces[0] if traces and outcomes != {Outcome.INVALID} else ""
    if outcomes == {Outcome.UNDEFINED}:
        more = _WHY_NOT_FINITE
    return f"None of the {len(rows)} candidates succeeded:\n{_counted(reasons)}\n{more}"
