"""Searches with ``refit="pareto"``; the front itself is tested in ``test_pareto``."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.samplers import BaseSampler, CmaEsSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import TrialState
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, cross_val_score

from sklearnloss import LossSearchCV

from ..processes import X, images, make_race, make_search, outcome, run, table, y
from ..searches import GRID, RANGE, InOrder, goals, search, told

# The first value of X tells the fold.
FOLDS = (np.array([[1.0], [1.0], [0.0], [0.0]]), np.array([0, 1, 0, 1]))
HALVES = KFold(2)

#: The first, third and last are the front, and the third is the compromise.
VALUES = [(0.9, 0.1), (0.3, 0.2), (0.8, 0.7), (0.7, 0.6), (0.2, 0.9)]


def low(estimator: Any, X: Any, y: Any) -> float:
    """Score a number by its distance to .2."""
    return -float((estimator.b - 0.2) ** 2)


def high(estimator: Any, X: Any, y: Any) -> float:
    """Score a number by its distance to .4; those between .2 and .4 are the front."""
    return -float((estimator.b - 0.4) ** 2)


B: dict[str, Any] = {"scoring": {"low": low, "high": high}, "refit": "pareto", "n_trials": 14}


@pytest.fixture(scope="module")
def found() -> LossSearchCV:
    search = goals(VALUES, cv=HALVES)
    search.fit(*FOLDS)
    return search


def test_the_front_and_the_choice(found: LossSearchCV) -> None:
    values = [entry["params"]["value"] for entry in found.pareto_front_]
    assert values == [(0.9, 0.1), (0.8, 0.7), (0.2, 0.9)]
    assert found.best_params_ == {"value": (0.8, 0.7)}
    assert found.best_score_ == 0.8
    assert found.best_estimator_.value == (0.8, 0.7)
    params = found.cv_results_["params"]
    assert found.best_index_ == params.index({"value": (0.8, 0.7)})
    for entry in found.pareto_front_:
        assert params[entry["index"]] == entry["params"]
        assert tuple(entry["scores"].values()) == pytest.approx(entry["params"]["value"])
    marked = [params[k]["value"] for k in np.flatnonzero(found.cv_results_["is_pareto"])]
    assert sorted(marked) == sorted(values)


def test_the_front_has_the_spread_over_the_folds() -> None:
    values = [((0.1, 0.3), (0.5, 0.5)), ((0.0, 0.2), (0.4, 0.8))]
    front = goals(values, cv=HALVES).fit(*FOLDS).pareto_front_
    assert [entry["scores"] for entry in front] == [
        {"a": pytest.approx(0.2), "b": pytest.approx(0.5)},
        {"a": pytest.approx(0.1), "b": pytest.approx(0.6)},
    ]
    assert front[1]["std"] == {"a": pytest.approx(0.1), "b": pytest.approx(0.2)}


def test_three_metrics_one_of_them_constant() -> None:
    values = [(0.9, 0.5, 0.1), (0.7, 0.5, 0.7), (0.1, 0.5, 0.9), (0.6, 0.5, 0.6)]
    found = goals(values, 3, cv=HALVES).fit(*FOLDS)
    assert [entry["params"]["value"] for entry in found.pareto_front_] == values[:3]
    assert found.best_params_ == {"value": values[1]}
    assert list(found.pareto_front_[0]["scores"]) == ["a", "b", "c"]
    assert len(found.study_.directions) == 3


def test_a_single_candidate_is_the_front() -> None:
    found = goals([(0.5, 0.5)], cv=HALVES).fit(*FOLDS)
    assert [entry["index"] for entry in found.pareto_front_] == [0] == [found.best_index_]


def test_equal_candidates_are_all_on_the_front() -> None:
    values = [(0.5, 0.5), (0.5, 0.5, "the same"), (0.4, 0.5)]
    found = goals(values, cv=HALVES).fit(*FOLDS)
    assert [entry["params"]["value"] for entry in found.pareto_front_] == values[:2]
    assert found.best_index_ == found.pareto_front_[0]["index"]


@pytest.mark.filterwarnings("ignore:.*(non-finite|candidates failed).*")
@pytest.mark.parametrize("metric", [0, 1])
def test_a_metric_that_is_undefined_in_some_folds_ends_a_candidate(metric: int) -> None:
    undefined: list[Any] = [0.9, 0.9]
    undefined[metric] = (0.9, np.nan)  # by fold; the second half is fold 0 of X
    found = goals([tuple(undefined), (0.5, 0.4), (0.4, 0.5)], cv=HALVES).fit(*FOLDS)
    results = found.cv_results_
    row = results["outcome"].tolist().index("undefined")
    assert results["reason"][row] == f"the score is nan for '{'ab'[metric]}' in fold 1"
    assert results["trial_state"][row] == "PRUNED"
    assert not results["is_pareto"][row]
    assert len(found.pareto_front_) == 2
    trial = found.study_.trials[row]
    assert trial.state == TrialState.PRUNED
    assert sum(trial.constraints.values()) > 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_if_a_metric_is_undefined_for_all_the_error_names_it(bad: float) -> None:
    found = goals([(0.5, bad), (0.6, bad)], cv=HALVES)
    with pytest.raises(ValueError, match=rf"None of the 2 .*\s.*score is {bad} for 'b' in fold 1"):
        found.fit(*FOLDS)
    assert found.pareto_front_ == []
    assert not hasattr(found, "best_params_")
    assert found.cv_results_["is_pareto"].tolist() == [False, False]


@pytest.mark.filterwarnings("ignore:.*candidates failed.*")
def test_candidates_that_failed_are_not_on_the_front() -> None:
    values = [(0.5, 0.5), ValueError("a bug")]
    found = goals(values, cv=HALVES, error_score=9.0).fit(*FOLDS)
    assert found.cv_results_["is_pareto"].sum() == 1
    assert found.best_params_ == {"value": (0.5, 0.5)}
    assert found.study_.trials[1].state == TrialState.FAIL
    with pytest.raises(ValueError, match="None of the 1 candidates succeeded"):
        goals(values[1:], cv=HALVES).fit(*FOLDS)


SINGLE = r"refit='pareto' needs at least two metrics .* but scoring is 1 metric\. Pass a list or a"


@pytest.mark.parametrize(
    ("scoring", "message"),
    [
        (None, SINGLE),
        ("accuracy", SINGLE),
        (["accuracy"], SINGLE),
        ({"accuracy", "f1_macro"}, "is a set, which has no first metric. Pass a list"),
        (lambda *_: {"a": 1, "b": 2}, "but scoring is a function"),
        ({"pareto": "accuracy", "b": "f1_macro"}, "a metric that is called 'pareto'. Give"),
    ],
)
def test_too_few_metrics_and_one_of_that_name_are_refused(scoring: Any, message: str) -> None:
    model = Untrained()
    with pytest.raises(ValueError, match=message):
        search(model, scoring=scoring, refit="pareto").fit(X, y)


class Untrained(LogisticRegression):  # type: ignore[misc]
    """Must not be trained."""

    def fit(self, X: Any, y: Any) -> Any:
        raise AssertionError


def test_a_metric_of_that_name_can_be_optimized_by_another_name() -> None:
    scoring = {"pareto": "accuracy", "b": "f1_macro"}
    found = search(scoring=scoring, refit="b", n_trials=2).fit(X, y)
    assert not hasattr(found, "pareto_front_")
    assert "is_pareto" not in found.cv_results_


class Spy(RandomSampler):
    """Remembers what it could learn from."""

    seen: list[tuple[int, list[Any]]] = []

    def infer_relative_search_space(self, study: Any, trial: Any) -> Any:
        done = [t.values for t in study.get_trials(deepcopy=False) if t.state.is_finished()]
        self.seen.append((len(study.directions), done))
        return super().infer_relative_search_space(study, trial)


def test_the_sampler_learns_from_all_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Spy, "seen", [])
    found = make_search(sound=True, **{**B, "n_trials": 5}, sampler=Spy(seed=0)).fit(X, y)
    n_directions, done = Spy.seen[-1]
    results = found.cv_results_
    expected = [[results[f"mean_test_{m}"][k] for m in ("low", "high")] for k in range(4)]
    assert n_directions == 2
    np.testing.assert_allclose(done, expected)


def test_the_default_sampler_proposes_more_of_the_front_than_chance() -> None:
    options = {**B, "n_trials": 40, "cv": 2, "sound": True, "refit": "pareto"}
    shares = []
    for sampler in (None, RandomSampler(seed=0)):
        found = make_search(**options, sampler=sampler).fit(X, y)
        b = np.array([params["b"] for params in found.cv_results_["params"]])
        shares.append(((b >= 0.2) & (b <= 0.4))[10:].mean())
    assert shares[0] > 1.5 * shares[1]


@pytest.mark.parametrize("sampler", [TPESampler(seed=0), NSGAIISampler(seed=0), RandomSampler(0)])
def test_samplers_for_several_goals_are_taken(sampler: BaseSampler) -> None:
    found = search(scoring=["accuracy", "neg_log_loss"], refit="pareto", sampler=sampler)
    assert len(found.fit(X, y).pareto_front_) >= 1


class SingleMinded(RandomSampler):
    """Asks for the best trial, which several goals do not have."""

    def sample_independent(self, study: Any, *args: Any) -> Any:
        if study.get_trials(states=[TrialState.COMPLETE]):
            study.best_trial  # noqa: B018
        return super().sample_independent(study, *args)


@pytest.mark.parametrize("sampler", [SingleMinded(), CmaEsSampler()])
def test_samplers_for_one_goal_are_refused_before_training(sampler: BaseSampler) -> None:
    name = type(sampler).__name__
    with pytest.raises(ValueError, match=rf"sampler={name}\(...\) cannot .* goals, 'a', 'b': .*"):
        search(Untrained(), scoring={"a": low, "b": high}, refit="pareto", sampler=sampler).fit(
            X, y
        )


def test_the_users_sampler_is_not_used_up_by_the_check() -> None:
    options: dict[str, Any] = {"scoring": {"low": low, "high": high}, "n_trials": 6, "sound": True}
    one = make_search(**options, refit="low", sampler=RandomSampler(seed=3)).fit(X, y)
    other = make_search(**options, refit="pareto", sampler=RandomSampler(seed=3)).fit(X, y)
    assert one.cv_results_["params"] == other.cv_results_["params"]


def test_no_candidate_is_stopped_unless_a_pruner_is_given() -> None:
    values = [(0.9 - k / 10, 0.9 - k / 10) for k in range(6)]
    states = goals(values, cv=HALVES).fit(*FOLDS).cv_results_["trial_state"]
    assert (states == "COMPLETE").all()
    one = told([value[0] for value in values], cv=HALVES, sampler=InOrder()).fit(*FOLDS)
    assert (one.cv_results_["trial_state"] == "PRUNED").any()


@pytest.mark.parametrize("sampler", [InOrder(), TPESampler(seed=0, n_startup_trials=1)])
def test_a_pruner_compares_the_first_metric(sampler: BaseSampler) -> None:
    values = [((0.9, 0.9), (0.1, 0.1)), *(((0.2, 0.2 - k / 100), (0.9, 0.9)) for k in range(4))]
    pruner = optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=0)
    found = goals(values, cv=HALVES, pruner=pruner, sampler=sampler).fit(*FOLDS)
    states = found.cv_results_["trial_state"]
    assert (states == "PRUNED").any()
    assert not found.cv_results_["is_pareto"][states == "PRUNED"].any()
    stopped = [t for t in found.study_.trials if t.state == TrialState.PRUNED]
    assert all(trial.values is None and trial.intermediate_values for trial in stopped)


def test_study_and_callbacks_have_all_metrics() -> None:
    seen: list[list[float]] = []
    found = goals(VALUES, cv=HALVES, callbacks=[lambda study, trial: seen.append(trial.values)])
    found.fit(*FOLDS)
    np.testing.assert_allclose(sorted(seen), sorted(VALUES))
    assert found.study_.metric_names == ["a", "b"]
    front = [trial.params["value"] for trial in found.study_.best_trials]
    assert len(front) == len(found.pareto_front_)


def test_what_concerns_one_loss_is_the_first_metric() -> None:
    found = LossSearchCV(
        LogisticRegression(),
        param_distributions=[{"C": [0.01, 1.0]}, {"C": [0.02], "fit_intercept": [False]}],
        scoring=["accuracy", "neg_log_loss"],
        refit="pareto",
        n_trials=None,
        cv=2,
        random_state=0,
        verbose=2,
    ).fit(X, y)
    best = found.best_index_
    assert found.best_score_ == found.cv_results_["mean_test_accuracy"][best]
    means = found.cv_results_["mean_test_accuracy"]
    np.testing.assert_allclose(found.cv_results_["last_report"], means)
    assert found.score(X, y) == found.best_estimator_.score(X, y)
    assert np.isfinite(cross_val_score(found.set_params(verbose=0), X, y, cv=2)).all()


@pytest.mark.slow
def test_losses_are_compared_by_the_first_metric() -> None:
    data = images()
    found = make_race(scoring=["iou", "hausdorff"], refit="pareto").fit(*data)
    entries = found.best_per_loss_
    means = found.cv_results_["mean_test_iou"]
    assert max(entry["score"] for entry in entries.values()) == means.max()
    comparison = found.compare(*data, losses=["dice", "focal"], n_repeats=1, cv=2, random_state=0)
    np.testing.assert_array_equal(comparison.scores_, comparison.all_scores_["iou"])
    assert not np.array_equal(comparison.scores_, comparison.all_scores_["hausdorff"])


def test_a_pickled_search_keeps_the_front(found: LossSearchCV) -> None:
    again = pickle.loads(pickle.dumps(found))
    assert again.pareto_front_ == found.pareto_front_
    assert again.cv_results_["is_pareto"].tolist() == found.cv_results_["is_pareto"].tolist()


def test_an_interrupted_search_has_the_front_so_far() -> None:
    def interrupt(study: Any, trial: Any) -> None:
        if trial.number == 2:
            raise KeyboardInterrupt

    found = goals(VALUES, cv=HALVES, callbacks=[interrupt])
    with pytest.raises(KeyboardInterrupt):
        found.fit(*FOLDS)
    assert [entry["params"]["value"] for entry in found.pareto_front_] == [VALUES[0], VALUES[2]]
    assert found.best_estimator_.value == found.best_params_["value"]


def test_a_stored_search_goes_on_and_its_trials_have_the_first_metric(tmp_path: Path) -> None:
    options = {**B, "storage": tmp_path / "s.journal", "sound": True}
    for n_trials in (3, 12, 14):
        found = make_search(**{**options, "n_trials": n_trials}).fit(X, y)
    assert table(found) == table(make_search(**B, sound=True).fit(X, y))
    journal = optuna.storages.journal.JournalFileBackend(str(tmp_path / "s.journal"))
    study = optuna.load_study(
        study_name="sklearnloss", storage=optuna.storages.JournalStorage(journal)
    )
    assert len(study.directions) == 1
    means = found.cv_results_["mean_test_low"]
    np.testing.assert_allclose([trial.values[0] for trial in study.trials], means)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"refit": "low"}, r"by the Pareto front of 'low', 'high' -> .* by 'low'"),
        ({"scoring": {"low": low, "other": low}}, "by the Pareto front of 'low', 'other'"),
        ({"scoring": {"low": low, "high": high, "c": low}}, "'low', 'high', 'c'"),
        ({"scoring": {"high": high, "low": low}}, "by the Pareto front of 'high', 'low'"),
    ],
)
def test_a_stored_search_for_other_goals_is_refused(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    options = {**B, "storage": tmp_path / "s.journal", "sound": True, "n_trials": 1}
    make_search(**options).fit(X, y)
    with pytest.raises(ValueError, match=f"holds a different search.*{message}"):
        make_search(**{**options, **change}).fit(X, y)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*candidates failed.*")
def test_a_killed_search_ends_as_if_nothing_had_happened(tmp_path: Path) -> None:
    options = {**B, "storage": str(tmp_path / "s.journal"), "kill_at": [9, 30, 60, 25, 50]}
    assert run(options, tmp_path) == outcome(make_search(**B).fit(X, y))


@pytest.mark.slow  # starts processes
def test_two_workers_find_a_front() -> None:
    found = make_search(**B, sound=True, n_jobs=2).fit(X, y)
    assert len(found.cv_results_["params"]) == 14
    assert found.best_index_ in [entry["index"] for entry in found.pareto_front_]


@pytest.mark.parametrize("space", [RANGE, GRID])
def test_the_same_seed_gives_the_same_front(space: Any) -> None:
    options = {"scoring": ["accuracy", "neg_log_loss"], "refit": "pareto", "n_trials": 12}
    one, other = (search(space=space, **options).fit(X, y) for _ in range(2))
    assert one.pareto_front_ == other.pareto_front_
    assert one.best_params_ == other.best_params_
