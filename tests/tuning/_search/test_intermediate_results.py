from __future__ import annotations

import contextlib
import errno
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import TrialState
from sklearn.svm import SVC

from sklearnloss.tuning._search import intermediate_results as _intermediate_results
from sklearnloss.tuning._search.cached_study import CachedStudy
from sklearnloss.tuning._search.intermediate_results import IntermediateResults
from sklearnloss.tuning._search.store import CandidateStore, LostCandidate, create_study
from sklearnloss.tuning._space.parse import read_space
from sklearnloss.tuning._workers.liveness import Owner
from sklearnloss.tuning._workers.storage import open_storage

from ..searches import X, search, y

FOLD: dict[str, Any] = {"scores": 0.5, "fit_time": 1.0, "score_time": 1.0, "epochs": 3}


def results_of(storage: BaseStorage | None = None, **results: Any) -> IntermediateResults:
    """Return the results of a candidate of three epochs per fold."""
    storage, space = storage or InMemoryStorage(), read_space(SVC(), None, {"C": (0.1, 1.0)})
    create_study(storage, "mine")
    store = CandidateStore(storage, "mine", space, Owner())
    candidate = store.claim(lambda number, rows: {"C": 0.5}, lambda rows: False)
    assert candidate is not None
    vars(candidate.results).update(results)
    cache = CachedStudy("mine", space, optuna.pruners.ThresholdPruner(lower=0.4))
    return IntermediateResults(
        store, cache, candidate, 3, lambda number, step, value: cache.should_prune(number)
    )


def test_a_candidate_that_is_resumed_has_the_reports_of_its_finished_folds() -> None:
    reports = [[1, 0.5], [2, 0.6], [3, 0.7], [4, 0.1], [5, 0.2]]
    results = results_of(folds=[FOLD], reports=reports, epochs=5)
    assert results.candidate.results.reports == reports[:3]
    known = results.cache.study.trials[0].intermediate_values
    assert known == {1: 0.5, 2: 0.6, 3: 0.7}


def test_a_candidate_that_is_resumed_keeps_what_the_pruner_noted() -> None:
    rungs = {"completed_rung_0": 0.5}
    results = results_of(folds=[FOLD], reports=[[3, 0.7]], rungs=rungs)
    assert results.cache.rungs(0) == rungs


def test_what_others_began_meanwhile_is_known_without_another_read(tmp_path: Path) -> None:
    results = results_of(open_storage(tmp_path / "s.journal"))
    assert [row.candidate for row in results.store.known_rows] == [0]


def test_a_report_tells_whether_to_stop() -> None:
    results = results_of()
    assert [results.report(1, 0.5), results.report(2, 0.3)] == [False, True]


def test_a_fold_that_could_not_be_saved_is_saved_with_the_next_report(
    tmp_path: Path, naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_intermediate_results, "_SECONDS_BETWEEN_SAVES", -1.0)
    storage = open_storage(tmp_path / "s.journal")
    results = results_of(storage)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _fail)
        results.candidate.results.folds.append(FOLD)
        results.save()  # training goes on
        results.report(4, 0.5)
    assert naps == []
    for step in (5, 6):
        results.report(step, 0.5)
        (row,) = results.store.rows()
        assert row.results.folds == [FOLD]


def _fail(descriptor: int) -> None:
    os.ftruncate(descriptor, os.fstat(descriptor).st_size - 9)
    raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize("name", ["s.journal", "s.db"])
def test_learning_curves_are_in_the_storage_while_a_search_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_intermediate_results, "_SECONDS_BETWEEN_SAVES", -1.0)
    seen: list[dict[int, float]] = []

    def look(estimator: Any, X: Any, y: Any) -> float:
        study = optuna.load_study(study_name="mine", storage=open_storage(tmp_path / name))
        trial = study.trials[-1]
        assert trial.state == TrialState.RUNNING
        seen.append(trial.intermediate_values)
        return 0.25 * len(seen)

    search(
        scoring=look, cv=3, n_trials=1, refit=False, storage=tmp_path / name, study_name="mine"
    ).fit(X, y)
    assert seen == [{}, {1: 0.25}, {1: 0.25, 2: 0.375}]
    study = optuna.load_study(study_name="mine", storage=open_storage(tmp_path / name))
    assert study.trials[0].intermediate_values == {1: 0.25, 2: 0.375, 3: 0.5}


def test_of_fast_epochs_some_are_in_the_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    results = results_of()
    for step in range(1, 10):
        now += 0.1
        results.report(step, 0.5)
    assert curve_of(results) == {3: 0.5, 6: 0.5, 9: 0.5}


@pytest.mark.parametrize("scores", [[0.6, 0.7, 0.8], [0.6, 0.1]], ids=["complete", "stopped"])
def test_the_curve_of_a_fast_candidate_has_its_end(scores: list[float]) -> None:
    seen = iter(scores)
    found = search(scoring=lambda *args: next(seen), cv=3, n_trials=1, refit=False)
    storage = InMemoryStorage()
    stop = optuna.pruners.ThresholdPruner(lower=0.5)
    found.set_params(storage=storage, study_name="mine", pruner=stop)
    with contextlib.suppress(ValueError):  # none that is complete
        found.fit(X, y)
    (trial,) = optuna.load_study(study_name="mine", storage=storage).trials
    assert trial.intermediate_values == {len(scores): pytest.approx(np.mean(scores))}
    assert trial.value == pytest.approx(np.mean(scores))


def test_the_curve_of_a_candidate_that_is_resumed_begins_with_its_finished_folds() -> None:
    reports = [[step, step / 10] for step in range(5, 9)]
    assert curve_of(results_of(folds=[FOLD, FOLD], reports=reports)) == {6: 0.6}


def test_a_report_of_a_candidate_that_was_taken_over_ends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_intermediate_results, "_SECONDS_BETWEEN_SAVES", -1.0)
    results = results_of()
    results.store.release(results.candidate)
    with pytest.raises(LostCandidate):
        results.report(1, 0.5)


def curve_of(results: IntermediateResults) -> dict[int, float]:
    """Return the learning curve in the storage."""
    return results.store.study.trials[0].intermediate_values
