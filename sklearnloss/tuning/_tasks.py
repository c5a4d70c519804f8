"""scikit-learn's own callbacks: a task per search, candidate and fold."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any


class SearchTasks:
    """Tells scikit-learn's callbacks of a search that runs in this process.

    Parameters
    ----------
    search : LossSearchCV
        Whose callbacks.
    X, y : array-like
        What it is fitted on.
    n_candidates : int or None
        How many candidates there may be at most.
    n_splits : int
        Number of folds.
    """

    def __init__(
        self, search: Any, X: Any, y: Any, n_candidates: int | None, n_splits: int
    ) -> None:
        self.search = search
        self.data = {"estimator": search, "X": X, "y": y}
        self.n_splits = n_splits
        self.n_begun = 0
        self.n_candidates = math.inf if n_candidates is None else n_candidates
        self.root: Any = None
        self.candidate_task: Any = None
        if hasattr(search, "_init_callback_context"):  # scikit-learn 1.9
            n_tasks = None if n_candidates is None else n_candidates + bool(search.refit)
            self.root = search._init_callback_context(max_subtasks=n_tasks)
            self.root.call_on_fit_task_begin(**self.data)

    @contextlib.contextmanager
    def candidate(self) -> Iterator[None]:
        """Work on a candidate."""
        self.n_begun += 1
        if self.root is None or self.n_begun > self.n_candidates:
            self.candidate_task = None  # one more than announced, in place of one that failed
            yield
            return
        self.candidate_task = self.root.subcontext(
            task_name="candidate", max_subtasks=self.n_splits
        )
        self.candidate_task.call_on_fit_task_begin(**self.data)
        try:
            yield
        finally:
            self.candidate_task.call_on_fit_task_end(**self.data)

    def fold(self, estimator: Any) -> contextlib.AbstractContextManager[None]:
        """Fit an estimator to a fold."""
        return self._fit(self.candidate_task, "fold", estimator)

    def refit(self, estimator: Any) -> contextlib.AbstractContextManager[None]:
        """Fit the best estimator to all data."""
        return self._fit(self.root, "refit-with-best-params", estimator)

    @contextlib.contextmanager
    def _fit(self, parent: Any, name: str, estimator: Any) -> Iterator[None]:
        if parent is None:
            yield
            return
        task = parent.subcontext(task_name=name)
        with task.propagate_callback_context(estimator):
            task.call_on_fit_task_begin(**self.data)
            try:
                yield
            finally:
                task.call_on_fit_task_end(**self.data)

    def end(self) -> None:
        """End the search."""
        if self.root is not None:
            self.root.call_on_fit_task_end(**self.data)
