"""Progress reports of a search to the user: a bar, lines, callbacks."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Self

import optuna
from optuna.trial import FrozenTrial, TrialState
from tqdm.auto import tqdm

from .attempts import Row
from .cached_study import as_study, put_trial, stoppable
from .goals import goals_of
from .store import CandidateStore
from .watch import progress
from .worker import Worker

_TITLE = "LossSearchCV"


class ProgressReporter:
    """Reports each finished candidate, no matter which process finished it.

    Parameters
    ----------
    search : LossSearchCV
        Its ``verbose``, ``callbacks`` and ``_watch`` determine what to do; its ``refit`` is
        checked against the metrics as soon as they are known.
    store : CandidateStore
        The candidates.
    """

    def __init__(self, search: Any, store: CandidateStore) -> None:
        self.search = search
        self.checked = False
        self.store = store
        self.verbose = search.verbose
        self.watch = search._watch
        self.callbacks = list(search.callbacks or [])
        self.n_trials = search.n_trials
        self.goals = goals_of(search)
        self.study: optuna.Study | None = None  # passed to callbacks
        self.seen: set[int] = set()  # trials, as a failed candidate may be tried again
        self.counted: set[int] = set()  # candidates in the bar
        self.trials: dict[int, FrozenTrial] = {}  # in that study, by candidate
        self.best: tuple[float, str] | None = None
        self.bar: Any = None

    def __enter__(self) -> Self:
        if self.verbose == 1:
            self.bar = tqdm(total=self.n_trials, unit="candidate", desc=_TITLE)
        former = [row for row in self.store.rows() if row.is_finished]
        for row in former:
            self._check(row)
            self._count(row)
        if self.watch is not None:
            self.watch.update(progress(self.store))
        if self.callbacks:
            self.study = as_study(former, self.store.space, self.store.study.study_name, self.goals)
            trials = self.study.get_trials(deepcopy=False)
            pairs = zip(former, trials, strict=True)
            self.trials = {row.candidate: t for row, t in pairs if row.state != TrialState.FAIL}
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self.bar is not None:
            self.bar.set_description_str(_TITLE)
            self.bar.close()

    def report(self, worker: Worker) -> None:
        """Report the candidates that have been finished since the last call."""
        if not self.callbacks and not self.verbose and self.checked and self.watch is None:
            return
        rows = self.store.rows()
        if self.watch is not None:
            self.watch.update(progress(self.store))
            worker.stopped |= self.watch.is_over()
        for row in rows:
            if not row.is_finished or row.trial._trial_id in self.seen:
                continue
            self._check(row)
            self._count(row)
            if self.verbose > 1:
                print(self._line(row))
            self._call_back(row, worker)

    def _check(self, row: Row) -> None:
        """Refuse a ``refit`` that is not a metric; the first score shows which there are."""
        folds = row.results.folds
        if folds and not self.checked:
            self.checked = True
            if isinstance(folds[0]["scores"], dict):
                self.search._check_refit_for_multimetric(folds[0]["scores"])

    def _count(self, row: Row) -> None:
        self.seen.add(row.trial._trial_id)
        if row.state == TrialState.COMPLETE:
            value, label = row.trial.value, self.store.space.loss(row.values)
            if value is not None and (self.best is None or value > self.best[0]):
                self.best = (value, label)
        if self.bar is not None:
            # Failures are not counted, and one that is continued is counted once.
            self.bar.update(row.state != TrialState.FAIL and row.candidate not in self.counted)
            self.counted |= {row.candidate} if row.state != TrialState.FAIL else set()
            if self.n_trials is not None and len(self.counted) >= self.n_trials:
                self.bar.set_description_str(f"{_TITLE}, further folds of the best")
            if self.best is not None:
                value, label = self.best
                self.bar.set_postfix_str(f"best {value:.4f}" + (f" with {label}" if label else ""))

    def _line(self, row: Row) -> str:
        """Describe a candidate in a line."""
        results = row.results
        value = row.trial.value
        score = "      -" if value is None else f"{value:7.4f}"
        if row.state == TrialState.PRUNED and value is not None:
            score = f"({value:.4f})"  # not a mean over all folds
        seconds = sum(fold["fit_time"] + fold["score_time"] for fold in results.folds)
        settings = ", ".join(f"{k}={_short(v)}" for k, v in row.values.items())
        end = f"  {results.reason}" if results.reason else ""
        return f"[{row.candidate}] {score}  {settings}  ({seconds:.1f} s){end}"

    def _call_back(self, row: Row, worker: Worker) -> None:
        study = self.study
        if study is None:
            return
        former = self.trials.get(row.candidate)
        trial = put_trial(study, row, self.store.space, self.goals, former)
        if row.state != TrialState.FAIL:  # a candidate that is tried again has another trial
            self.trials[row.candidate] = trial
        with stoppable(study):
            for callback in self.callbacks:
                callback(study, trial)
        if study._stop_flag:
            worker.end()


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def check_callbacks(callbacks: Sequence[Any] | None) -> None:
    """Refuse callbacks that cannot be called with a study and a trial.

    Raises
    ------
    TypeError
        Names the first such callback.
    """
    for callback in callbacks or ():
        if isinstance(callback, type):
            raise TypeError(f"callbacks holds the class {callback.__name__}. Pass an instance.")
        if not callable(callback):
            of_training = hasattr(callback, "on_epoch_end") or hasattr(callback, "on_fit_task_end")
            raise TypeError(
                f"callbacks holds {callback!r}, which cannot be called. Expected functions "
                f"(study, trial)."
                + (" Callbacks of training belong to the estimator." if of_training else "")
            )
        try:
            inspect.signature(callback).bind(None, None)
        except ValueError:  # its signature is unknown
            continue
        except TypeError as error:
            raise TypeError(
                f"callbacks holds {callback!r}, which does not take (study, trial): {error}."
            ) from None
