"""Candidates that take longer than they may, by a clock that only fits set forward."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from optuna.pruners import NopPruner
from optuna.trial import TrialState

from sklearnloss import LossSearchCV
from sklearnloss.estimators._base import ImageEstimator
from sklearnloss.tuning._evaluation.outcome import TimedOut
from sklearnloss.tuning._search import time_limit
from sklearnloss.tuning._search.time_limit import TimeLimit

from ..processes import images, make_race
from ..searches import Told, search


class Clock:
    now = 0.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time_limit, "time", SimpleNamespace(monotonic=lambda: made.now))
    return made


class Slow(Told):
    """Takes as many seconds per fit as it is told, and scores them."""

    clock: Clock

    def fit(self, X: Any, y: Any) -> Slow:
        type(self).clock.now += float(self.value)
        super().fit(X, y)
        return self


FOLDS = np.arange(4).reshape(-1, 1) % 2, [0, 0, 1, 1]


def slow(clock: Clock, values: list[float], **options: Any) -> LossSearchCV:
    Slow.clock = clock
    options = {"n_trials": None, "refit": False, "cv": 2, **options}
    return search(Slow(), {"value": values}, **options)


def test_a_candidate_that_takes_too_long_is_stopped_after_a_fold_and_never_chosen(
    clock: Clock,
) -> None:
    found = slow(clock, [0.5, 1.0, 3.0, 9.0], candidate_timeout=4, pruner=NopPruner())
    results = found.fit(*FOLDS).cv_results_
    outcomes = {p["value"]: o for p, o in zip(results["params"], results["outcome"], strict=True)}
    # 3 s twice is too long as well, but it is known only when all is done.
    assert outcomes == {0.5: "complete", 1.0: "complete", 3.0: "complete", 9.0: "timeout"}
    late = results["outcome"].tolist().index("timeout")
    assert results["reason"][late] == "took longer than candidate_timeout=4 s"
    assert results["trial_state"][late] == "PRUNED"
    assert results["last_report"][late] == results["split0_test_score"][late] == 9.0
    assert np.isnan(results["split1_test_score"][late])
    assert found.best_params_ == {"value": 3.0}
    assert results["rank_test_score"][late] == 4
    trial = found.study_.trials[late]
    assert trial.state == TrialState.PRUNED
    assert trial.system_attrs["constraints:diverged"] > 0  # infeasible
    assert clock.now == 2 * (0.5 + 1.0 + 3.0) + 9.0


def test_it_counts_as_a_candidate(clock: Clock, tmp_path: Path) -> None:
    options: dict[str, Any] = {"candidate_timeout": 0.1, "storage": tmp_path / "s.journal"}
    for _ in range(2):
        with pytest.raises(ValueError, match="2 x took longer than candidate_timeout=0.1 s"):
            slow(clock, [0.5, 1.0, 3.0], n_trials=2, **options).fit(*FOLDS)
    longer = slow(clock, [0.5, 1.0, 3.0], n_trials=3, **{**options, "candidate_timeout": 100})
    results = longer.fit(*FOLDS).cv_results_
    assert sorted(results["outcome"].tolist()) == ["complete", "timeout", "timeout"]


def test_folds_of_earlier_attempts_count(clock: Clock) -> None:
    folds = [{"fit_time": 5.0, "score_time": 1.0}]
    limit = TimeLimit(10.0, folds)
    clock.now += 4.0
    folds.append({"fit_time": 4.0, "score_time": 0.0})  # of this attempt
    limit.check()
    clock.now += 0.5
    with pytest.raises(TimedOut, match="took longer than candidate_timeout=10 s"):
        limit.check()
    TimeLimit(None, folds).check()


@pytest.mark.parametrize("pruner", [None, NopPruner()])
def test_a_network_is_stopped_after_an_epoch(
    pruner: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    epochs: list[str] = []
    end = time_limit.TimeLimit.check

    def check(self: TimeLimit) -> None:
        clock.now += 100.0 if epochs.count("epoch") == 1 else 0.0
        epochs.append("epoch")
        end(self)

    monkeypatch.setattr(time_limit.TimeLimit, "check", check)
    options: dict[str, Any] = {"losses": ["dice", "focal"], "n_trials": 2, "max_epochs": 4}
    found = make_race(**options, candidate_timeout=50, pruner=pruner, refit=False)
    results = found.fit(*images()).cv_results_
    assert results["outcome"].tolist() == ["timeout", "complete"]
    assert results["n_epochs"].tolist() == [2, 8]
    assert found.best_loss_ == "focal"
    assert list(found.best_per_loss_) == ["focal"]
    assert issubclass(type(found.estimator), ImageEstimator)


@pytest.mark.parametrize("value", [0, -1.0, "1"])
def test_it_is_a_positive_number(value: Any) -> None:
    with pytest.raises(ValueError, match="'candidate_timeout' parameter of LossSearchCV must be"):
        search(candidate_timeout=value).fit(*FOLDS)
