"""Whether a candidate is what ends the processes that work on it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from optuna.trial import TrialState

if TYPE_CHECKING:
    from ._record import Row

#: How many processes of one call of ``fit`` a candidate may end at the same point.
MAX_DEATHS = 3

#: Calls of ``fit`` that ended over one fold of a candidate until that is told.
_MANY_CALLS = 3

Deaths = tuple[list[int], int]


def count_deaths(row: Row, call: str) -> Deaths:
    """Return what happened to those who worked on a candidate's present fold.

    Parameters
    ----------
    row : Row
        The candidate. If it is running, its owner is dead.
    call : str
        This call of ``fit``.

    Returns
    -------
    here : list of int
        Of processes that ended in this call, while the call went on: how many signs
        of life they gave.
    calls : int
        How many whole calls ended. Of those nothing can be said: the machine may have
        been switched off.
    """
    attrs = row.trial.user_attrs
    here, calls = attrs.get("deaths", ([], 0))
    if len(row.results.get("folds", [])) > attrs.get("n_before", 0):
        here, calls = [], 0
    died = row.state == TrialState.RUNNING
    if row.call != call:
        return [], calls + died
    return [*here, *([attrs.get("beat") or 0] if died else [])], calls


def is_deadly(beats: Sequence[int]) -> bool:
    """Tell whether processes ended at the same point, as they do for lack of memory.

    Machines that are taken away end them at unlike ones.
    """
    ordered = sorted(beats)
    pairs = zip(ordered, ordered[MAX_DEATHS - 1 :], strict=False)
    return any(last - first <= 1 for first, last in pairs)


def warn_of_calls(row: Row, calls: int) -> None:
    """Say so if calls of ``fit`` end over a candidate again and again."""
    if calls >= _MANY_CALLS:
        settings = ", ".join(f"{name}={value!r}" for name, value in row.values.items())
        warnings.warn(
            f"Candidate {row.candidate} ({settings}) was being trained when the process ended, "
            f"{calls} times by now. If it is the cause, for lack of memory for example, pass "
            f"n_jobs=2: a candidate that ends {MAX_DEATHS} worker processes is given up.",
            RuntimeWarning,
            stacklevel=2,
        )
