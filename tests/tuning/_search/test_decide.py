"""The verdict at the end of a search, and how to go on from there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.pruners import NopPruner
from sklearn.model_selection import KFold

from sklearnloss import LossSearchCV
from sklearnloss.tuning import LossComparison, compare_losses
from sklearnloss.tuning._search import decide
from sklearnloss.tuning._workers.storage import open_storage, quiet_optuna

from ..processes import images, make_race
from ..searches import X, search, y


def fast_race(**options: Any) -> LossSearchCV:
    race = make_race(**{"refit": False, "n_trials": 3, **options})
    race.estimator.set_params(max_epochs=1)
    return race


def test_a_search_of_losses_ends_in_a_verdict() -> None:
    race = fast_race().fit(*images())
    verdict = race.verdict_
    assert verdict.best == race.best_loss_
    assert verdict.score == pytest.approx(race.best_score_)
    assert {row["loss"] for row in verdict.table} == {"dice", "focal", "tversky"}
    assert str(verdict).startswith(f"{verdict.best} is the best of 3 losses so far")
    trained = race.cv_results_["n_epochs"].sum() / (3 * 2 * 1)
    assert verdict.cost == pytest.approx(trained)


def test_the_verdict_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    race = fast_race(losses=["dice"], n_trials=1, verbose=1).fit(*images())
    assert str(race.verdict_) in capsys.readouterr().err


def test_other_estimators_and_other_rules_have_no_verdict() -> None:
    assert not hasattr(search().fit(X, y), "verdict_")
    chosen = fast_race(refit=lambda table: 0, pruner=NopPruner()).fit(*images())
    assert chosen.verdict_ is None
    with pytest.raises(ValueError, match="has no verdict to decide.*Call compare"):
        chosen.resume(*images(), decide=True)


def test_what_is_open_is_decided_on_fresh_folds(tmp_path: Path) -> None:
    path = tmp_path / "search.journal"
    race = fast_race(storage=path).fit(*images())
    scores = race.cv_results_["mean_test_score"].copy()
    (rival, *_) = race.verdict_.to_decide
    race.resume(*images(), decide=True, n_repeats=2)
    assert isinstance(race.decision_, LossComparison)
    assert {race.best_loss_, rival} <= set(race.decision_.labels_)
    row = next(row for row in race.verdict_.table if row["loss"] == rival)
    assert row["is_fresh"]
    assert "On fresh folds" in str(race.verdict_)
    np.testing.assert_array_equal(race.cv_results_["mean_test_score"], scores)
    assert list(tmp_path.glob("search.journal.*.decision"))  # from which the same call resumes


def test_only_what_is_undecided_is_trained_and_looked_at_several_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    race = fast_race(cv=None, pruner=NopPruner()).fit(*images())
    first, second = race.verdict_.table[1:]
    first["status"], second["status"] = "undecided", "worse"
    looks: list[tuple[int, list[str], int]] = []

    def quick(*args: Any, **options: Any) -> Any:
        looks.append((options["n_repeats"], sorted(args[1]), options["random_state"]))
        return compare_losses(*args, **{**options, "n_repeats": 1, "storage": tmp_path / "fits"})

    monkeypatch.setattr(decide, "compare_losses", quick)
    race.resume(*images(), decide=True, n_repeats=4, rope=0.0)
    assert [n for n, *_ in looks] in ([1], [1, 2], [1, 2, 4])
    assert all(losses == sorted([race.best_loss_, first["loss"]]) for _, losses, _ in looks)
    assert len({seed for *_, seed in looks}) == 1  # later looks add to the same splits
    assert looks[0][2] != race.random_state  # of fresh folds
    assert race.verdict_.n_repeats == looks[-1][0]


def test_a_search_is_resumed_with_more_trials(tmp_path: Path) -> None:
    race = fast_race(losses=["dice", "focal"], n_trials=2, storage=tmp_path / "s.journal")
    race.fit(*images()).resume(*images(), n_trials=3)
    assert len(race.cv_results_["params"]) == race.n_trials == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "storage=None keeps no candidates to continue from"),
        ({"decide": True, "n_trials": 9}, "n_trials=9 asks for more candidates, decide=True"),
        ({"n_repeats": 3}, "n_repeats=3 needs decide=True"),
        ({"decide": True, "n_repeats": 0}, "n_repeats=0: expected an int of at least 1"),
    ],
)
def test_what_contradicts_itself_is_refused(options: dict[str, Any], message: str) -> None:
    race = fast_race(losses=["dice"], n_trials=1).fit(*images())
    with pytest.raises(ValueError, match=message):
        race.resume(*images(), **options)


def test_folds_that_cannot_be_drawn_again_are_refused() -> None:
    race = fast_race(losses=["dice"], n_trials=1, cv=KFold(2)).fit(*images())
    with pytest.raises(ValueError, match="decide=True draws fresh folds, but cv=KFold"):
        race.resume(*images(), decide=True)


def test_a_candidate_that_goes_on_at_once_has_one_trial(tmp_path: Path) -> None:
    path = tmp_path / "s.journal"
    fast_race(losses=["dice"], n_trials=1, storage=path).fit(*images())
    with quiet_optuna():
        study = optuna.load_study(study_name="sklearnloss", storage=open_storage(path))
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"]
