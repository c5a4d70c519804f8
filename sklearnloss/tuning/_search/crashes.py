"""Counts of crashes per candidate, and the limit at which a candidate is abandoned."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from optuna.trial import TrialState

from .._workers.pool import MAX_DEATHS
from .attempts import Row

#: Number of calls of ``fit`` that ended in the same fold of a candidate before a warning.
_MANY_CALLS = 3

Deaths = tuple[list[int], int]


def count_crashes(row: Row, call: str) -> Deaths:
    """Count the processes that ended while they trained a candidate's current fold.

    Parameters
    ----------
    row : Row
        The candidate. If it is running, its owner is dead.
    call : str
        This call of ``fit``.

    Returns
    -------
    here : list of int
        The number of heartbeats of each process that crashed during this call.
    calls : int
        The number of entire calls that ended, for which the candidate need not be the
        reason: the machine may have been switched off.
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
    """Return whether processes crashed at the same point, as when memory runs out.

    On preempted machines, they end at random points.
    """
    ordered = sorted(beats)
    pairs = zip(ordered, ordered[MAX_DEATHS - 1 :], strict=False)
    return any(last - first <= 1 for first, last in pairs)


def warn_of_crashes(row: Row, calls: int) -> None:
    """Warn if several consecutive calls of ``fit`` ended while training a candidate."""
    if calls >= _MANY_CALLS:
        settings = ", ".join(f"{name}={value!r}" for name, value in row.values.items())
        warnings.warn(
            f"Candidate {row.candidate} ({settings}) was being trained when the process ended, "
            f"{calls} times so far. If it is the cause, for example because memory runs out, pass "
            f"n_jobs=2: a candidate that crashes {MAX_DEATHS} worker processes is abandoned.",
            RuntimeWarning,
            stacklevel=2,
        )
