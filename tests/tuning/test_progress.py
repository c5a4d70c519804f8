from __future__ import annotations

from typing import Any

import optuna
from optuna.storages import InMemoryStorage
from sklearn.svm import SVC

from sklearnloss.tuning._mirror import Mirror
from sklearnloss.tuning._owner import Owner
from sklearnloss.tuning._progress import Progress
from sklearnloss.tuning._read_space import read_space
from sklearnloss.tuning._record import Claim, Record, create_study

FOLD: dict[str, Any] = {"scores": 0.5, "fit_time": 1.0, "score_time": 1.0, "epochs": 3}


def progress_of(**results: Any) -> Progress:
    """Return the progress of a candidate of three epochs per fold."""
    storage, space = InMemoryStorage(), read_space(SVC(), None, {"C": (0.1, 1.0)})
    create_study(storage, "mine")
    claim = Claim(0, {"C": 0.5})
    claim.results |= results
    mirror = Mirror("mine", space, pruner=optuna.pruners.ThresholdPruner(lower=0.4))
    return Progress(Record(storage, "mine", space, Owner()), mirror, claim, n_epochs=3)


def test_a_candidate_that_is_resumed_has_the_reports_of_its_finished_folds() -> None:
    reports = [[1, 0.5], [2, 0.6], [3, 0.7], [4, 0.1], [5, 0.2]]
    progress = progress_of(folds=[FOLD], reports=reports, epochs=5)
    assert progress.claim.results["reports"] == reports[:3]
    known = progress.mirror.study.trials[0].intermediate_values
    assert known == {1: 0.5, 2: 0.6, 3: 0.7}


def test_a_report_tells_whether_to_stop() -> None:
    progress = progress_of()
    assert [progress.report(1, 0.5), progress.report(2, 0.3)] == [False, True]
