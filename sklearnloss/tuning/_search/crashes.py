"""Crashes of worker processes per candidate, and the limit at which it is given up."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from optuna.trial import TrialState

from .._workers.pool import MAX_DEATHS
from .attempts import Row

#: Calls of ``fit`` that ended within one fold of a candidate at which a warning is given.
_MANY_CALLS = 3

Deaths = tuple[list[int], int]


def count_crashes(row: Row, call: str) -> Deaths:
    """Count the processes that ended while they trained a candidate's present fold.

    Parameters
    ----------
    row : Row
        The candidate. If it is running, its owner is dead.
    call : str
        This call of ``fit``.

    Returns
    -------
    here : list of int
        For each process that crashed while this call went on: the number of its
        heartbeats.
    calls : int
        The number of calls that ended as a whole, for which the candidate need not be
        the reason: the machine may have been switched off.
    """
    attrs = row.trial.user_attrs
    here, calls = attrs.get("deaths", ([], 0))
    if len(row.results.folds) > attrs.get("n_before", 0):
        here, calls = [], 0
    died = row.state == TrialState.RUNNING
    if row.call != call:
        return [], calls + died
    return [*here, *([attrs.get("beat") or 0] if died else [])], calls


def is_at_fault(beats: Sequence[int]) -> bool:
    """Return whether processes crashed at the same point, as they do for lack of memory.

    Preempted machines end them at random points.
    """
    ordered = sorted(beats)
    pairs = zip(ordered, ordered[MAX_DEATHS - 1 :], strict=False)
    return any(last - first <= 1 for first, last in pairs)


def warn_of_crashes(row: Row, calls: int) -> None:
    """Warn if several calls of ``fit`` in a row ended while they trained a candidate."""
    if calls >= _MANY_CALLS:
        settings = ", ".join(f"{name}={value!r}" for name, value in row.values.items())
        warnings.warn(
            f"Candidate {row.candidate} ({settings}) was being trained when the process ended, "
            f"{calls} times by now. If it is the cause, for lack of memory for example, pass "
            f"n_jobs=2: a candidate that ends {MAX_DEATHS} worker processes is given up.",
            RuntimeWarning,
            stacklevel=2,
        )
