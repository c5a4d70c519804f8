"""The verdict of a search on its losses."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from optuna.trial import TrialState

from .._race.verdict import Candidate, SearchVerdict, judge
from .._space.search_space import Space
from .attempts import Row
from .candidate_race import CandidateRace
from .evaluate import Task


def set_verdict(search: Any, rows: Sequence[Row], task: Task, space: Space) -> None:
    """Set ``verdict_``, and print it if the search is verbose.

    Parameters
    ----------
    search : LossSearchCV
        Nothing is set if it does not search losses.
    rows : list of Row
        The finished candidates.
    task : Task
        Its folds, epochs and metric.
    space : Space
        The search space.
    """
    if not space.has_losses:
        return
    # A function or a front chooses by other rules than the mean of one metric.
    chosen_by_mean = not callable(search.refit) and not task.goals
    search.verdict_ = _judge_rows(search, rows, task, space) if chosen_by_mean else None
    if search.verbose and search.verdict_ is not None:
        print(search.verdict_, file=sys.stderr)


def _judge_rows(search: Any, rows: Sequence[Row], task: Task, space: Space) -> SearchVerdict:
    rows = [row for row in rows if row.may_be_chosen]
    race = CandidateRace(task)
    race.update(rows)
    candidates = {}
    for row in rows:
        usable = row.state != TrialState.FAIL and not row.results.is_infeasible
        folds = [task.primary(fold["scores"]) for fold in row.results.folds] if usable else []
        if search.pruner is not None and row.state != TrialState.COMPLETE:
            folds = folds[:1]  # a pruner of the user stops by rules of its own
        gain = race.race.gain(row.candidate) if folds else 0.0
        candidates[row.candidate] = Candidate(row.loss(space), folds, gain, failed=not usable)
    whole = len(task.splits) * sum(_n_epochs(row, task, space) for row in rows)
    epochs = sum(row.results.epochs for row in rows)
    return judge(
        candidates,
        float(np.mean([len(test) / len(train) for train, test in task.splits])),
        n_folds=len(task.splits),
        cost=epochs / whole if whole else float("nan"),
    )


def _n_epochs(row: Row, task: Task, space: Space) -> int:
    """Return the epochs of a fold, which may be a parameter of the search."""
    params = row.params(space)
    found = [value for key, value in params.items() if key.rpartition("__")[2] == "max_epochs"]
    return int(found[0]) if found else task.n_epochs
