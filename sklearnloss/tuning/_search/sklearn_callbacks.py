"""Calls of scikit-learn's own callbacks, with a task per search, candidate and fold."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..._utils.rows import take_rows
from .._evaluation.sklearn_private import method_params
from .._workers.engine import active_engine


class SearchTasks:
    """Calls scikit-learn's callbacks for a search that runs in this process.

    Parameters
    ----------
    search : LossSearchCV
        The search with its callbacks.
    X, y : array-like
        The data.
    sample_weight : array-like or None
        The weights passed to ``fit``.
    n_candidates : int or None
        Maximum number of candidates.
    n_splits : int
        Number of folds.
    """

    def __init__(
        self,
        search: Any,
        X: Any,
        y: Any,
        sample_weight: Any,
        n_candidates: int | None,
        n_splits: int,
    ) -> None:
        self.search = search
        self.sample_weight = sample_weight
        self.data = {"estimator": search, "X": X, "y": y, "metadata": _metadata(sample_weight)}
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
        """Return a context in which a candidate is evaluated."""
        self.n_begun += 1
        if self.root is None or self.n_begun > self.n_candidates:
            self.candidate_task = None  # beyond the announced number, replacing a failed one
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

    def fold(self, estimator: Any, train: np.ndarray) -> contextlib.AbstractContextManager[None]:
        """Return a context for the fit of a fold; callbacks get its training part."""
        return self._fit(self.candidate_task, "fold", estimator, self._part(train))

    def refit(self, estimator: Any) -> contextlib.AbstractContextManager[None]:
        """Return a context for the fit of the best estimator on all data."""
        return self._fit(self.root, "refit-with-best-params", estimator, self.data)

    def _part(self, rows: np.ndarray) -> dict[str, Any]:
        """Return the arguments of callbacks for some samples, which are copied only if used."""
        X, y, weight = self.data["X"], self.data["y"], self.sample_weight
        part = method_params(X, {"sample_weight": weight}, rows)["sample_weight"]
        return {
            "estimator": self.search,
            "X": lambda: take_rows(X, rows),
            "y": lambda: take_rows(y, rows),
            "metadata": _metadata(part),
        }

    @contextlib.contextmanager
    def _fit(
        self, parent: Any, name: str, estimator: Any, data: Mapping[str, Any]
    ) -> Iterator[None]:
        if parent is None:
            yield
            return
        task = parent.subcontext(task_name=name)
        with task.propagate_callback_context(estimator):
            task.call_on_fit_task_begin(**data)
            try:
                yield
            finally:
                task.call_on_fit_task_end(**data)

    def end(self) -> None:
        """End the search."""
        if self.root is not None:
            self.root.call_on_fit_task_end(**self.data)


def _metadata(sample_weight: Any) -> dict[str, Any] | None:
    """Return metadata in the form used by scikit-learn's searches; None without weights."""
    return None if sample_weight is None else {"sample_weight": sample_weight}


def warn_of_workers(search: Any, n_workers: int) -> None:
    """Warn that scikit-learn's callbacks are not called in worker processes, or on a cluster."""
    on_cluster = active_engine() is not None
    parts = [search, search.estimator, *search.estimator.get_params().values()]
    callbacks = [each for part in parts for each in getattr(part, "_skl_callbacks", ())]
    where = "on the cluster" if on_cluster else f"in the {n_workers} worker processes"
    instead = "Search in this process" if on_cluster else "Set n_jobs=1"
    if (n_workers > 1 or on_cluster) and callbacks:
        names = ", ".join(dict.fromkeys(type(each).__name__ for each in callbacks))
        warnings.warn(
            f"scikit-learn's callbacks ({names}) are called only for the search and its final fit, "
            f"not for the candidates and folds {where}. {instead} to "
            f"follow them, or set verbose=2 for a line per candidate.",
            UserWarning,
            stacklevel=4,
        )
