"""A search that continues with other losses, other ranges or more epochs on the same storage."""

from __future__ import annotations

import signal
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from joblib import parallel_config
from optuna.pruners import NopPruner
from optuna.samplers import RandomSampler
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import TrialState, create_trial
from scipy import stats
from sklearn.model_selection import cross_validate
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sklearnloss import LossSearchCV
from sklearnloss.losses import FocalLoss
from sklearnloss.tuning._workers.storage import open_storage

from ..processes import Stub, images, make_race, make_search, outcome, run, states, table
from ..processes import X as DATA
from ..processes import y as LABELS
from ..searches import X, search, told, y

STORAGES = ["s.journal", "s.db"]


def spaces_of(storage: Any, *steps: tuple[Any, int | None], **options: Any) -> list[LossSearchCV]:
    """Search one space after the other, each up to a number of candidates."""
    options = {"storage": storage, "refit": False, "pruner": NopPruner(), **options}
    return [search(space=space, n_trials=n, **options).fit(X, y) for space, n in steps]


def chosen(found: LossSearchCV, name: str) -> list[Any]:
    return [params.get(name) for params in found.cv_results_["params"]]


def same_rows(one: LossSearchCV, other: LossSearchCV, n: int) -> bool:
    """Return whether n candidates were kept with their scores, and not trained again."""
    keys = ["mean_test_score", "mean_fit_time", "split0_test_score", "reason"]

    def shown(found: LossSearchCV) -> list[list[str]]:
        return [[str(value) for value in found.cv_results_[key][:n]] for key in keys]

    return shown(one) == shown(other)


@pytest.mark.parametrize("name", STORAGES)
def test_a_wider_range_continues_with_what_is_there(name: str, tmp_path: Path) -> None:
    narrow, wide = {"C": (0.5, 2.0, "log")}, {"C": (0.001, 1000.0, "log")}
    one, other = spaces_of(tmp_path / name, (narrow, 3), (wide, 8))
    assert len(other.cv_results_["params"]) == 8
    assert same_rows(one, other, 3)
    assert other.cv_results_["in_space"].all()
    assert any(not 0.5 <= C <= 2.0 for C in chosen(other, "C"))
    assert len(other.study_.trials) == 8
    assert {repr(trial.distributions["C"]) for trial in other.study_.trials} == {
        "FloatDistribution(high=1000.0, log=True, low=0.001, step=None)"
    }


def test_only_candidates_of_the_current_space_are_counted(tmp_path: Path) -> None:
    one, other = spaces_of(tmp_path / "s.journal", ({"C": [0.01, 0.1, 1.0]}, 3), ({"C": (5, 9)}, 2))
    assert chosen(one, "C") == [1.0, *chosen(one, "C")[1:]]
    assert len(other.cv_results_["params"]) == 5
    assert other.cv_results_["in_space"].tolist() == [False] * 3 + [True] * 2
    assert [trial.user_attrs["candidate"] for trial in other.study_.trials] == [3, 4]


@pytest.mark.parametrize("name", STORAGES)
def test_choices_may_be_added_and_removed(name: str, tmp_path: Path) -> None:
    first, second = {"fit_intercept": [True]}, {"fit_intercept": [True, False]}
    third, path = {"fit_intercept": [False]}, tmp_path / name
    found = spaces_of(path, (first, None), (second, None), (third, None), (second, None))
    assert [chosen(each, "fit_intercept") for each in found] == [[True], *[[True, False]] * 3]
    assert found[2].cv_results_["in_space"].tolist() == [False, True]
    study = optuna.load_study(study_name="sklearnloss", storage=open_storage(path))
    names = {name for trial in study.trials for name in trial.params}
    assert names == {"fit_intercept", "fit_intercept (2)"}


def test_a_parameter_may_be_added_and_removed(tmp_path: Path) -> None:
    """The candidates before it had the estimator's value."""
    one, both = {"C": (0.1, 10.0)}, {"C": (0.1, 10.0), "fit_intercept": [True, False]}
    steps = ((one, 2), (both, 6), (one, 2), ({**one, "fit_intercept": [False]}, 1))
    found = spaces_of(tmp_path / "s.journal", *steps)
    assert chosen(found[1], "fit_intercept")[:2] == [True, True]
    n_true = chosen(found[1], "fit_intercept").count(True)
    assert 2 <= n_true < 6
    assert found[2].cv_results_["in_space"].tolist() == [
        value is not False for value in chosen(found[1], "fit_intercept")
    ]
    assert not found[3].cv_results_["in_space"][:2].any()
    assert all(same_rows(found[1], each, 6) for each in found[2:])
    assert found[3].best_score_ == np.nanmax(found[3].cv_results_["mean_test_score"])


def test_objects_are_told_apart_by_what_they_are(tmp_path: Path) -> None:
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import SVC

    model, path = make_pipeline(StandardScaler(), SVC()), tmp_path / "s.journal"
    scalers = [StandardScaler(), StandardScaler(with_mean=False)]
    one, other = spaces_of(
        path,
        ({"standardscaler": scalers}, None),
        ({"standardscaler": [MinMaxScaler(), StandardScaler(with_mean=False)]}, None),
        estimator=model,
    )
    assert len(one.cv_results_["params"]) == 2
    assert len(other.cv_results_["params"]) == 3
    shown = [str(value) for value in chosen(other, "standardscaler")]
    assert other.cv_results_["in_space"].tolist() == [False, True, True]
    assert shown == ["0: StandardScaler", "StandardScaler(with_mean=False)", "MinMaxScaler()"]
    assert other.best_index_ != 0  # nobody knows which scaler it was


def test_quantiles_are_found_in_another_distribution(tmp_path: Path) -> None:
    steps = (({"C": stats.lognorm(1.0)}, 3), ({"C": stats.lognorm(2.0)}, 5), ({"C": (0.1, 9.0)}, 3))
    one, other, third = spaces_of(tmp_path / "s.journal", *steps)
    assert same_rows(one, other, 3)
    assert chosen(other, "C")[:3] == pytest.approx(chosen(one, "C"))
    assert other.cv_results_["in_space"].all()
    inside = [0.1 <= C <= 9.0 for C in chosen(other, "C")]
    assert third.cv_results_["in_space"][:5].tolist() == inside


class Noting(RandomSampler):
    """Notes what it could learn from."""

    seen: list[dict[str, Any]]

    def sample_independent(self, study: Any, trial: Any, name: str, distribution: Any) -> Any:
        complete = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
        type(self).seen.append({each.params["C"]: each.value for each in complete})
        return super().sample_independent(study, trial, name, distribution)


def test_the_sampler_learns_from_all_that_fits(tmp_path: Path) -> None:
    Noting.seen = []
    steps = (({"C": (0.01, 10.0)}, 5), ({"C": (2.0, 20.0)}, 8))
    one, other = spaces_of(tmp_path / "s.journal", *steps, sampler=Noting(seed=0))
    scores = dict(zip(chosen(one, "C"), one.cv_results_["mean_test_score"], strict=True))
    n_inside = sum(C >= 2.0 for C in scores)
    assert 0 < n_inside < 5
    first = Noting.seen[4]  # the first is the default, which needs no sampler
    assert first == {C: score for C, score in scores.items() if C >= 2.0}
    assert other.cv_results_["in_space"].sum() == 8


def test_searches_of_different_spaces_may_run_at_once(tmp_path: Path) -> None:
    """Each keeps its own space, and takes the next number."""
    path = tmp_path / "s.journal"
    others: list[LossSearchCV] = []

    def begin_another(study: Any, trial: Any) -> None:
        if not others:
            space = {"fit_intercept": [False], "C": (20.0, 30.0)}
            others.extend(spaces_of(path, (space, 3)))

    options: dict[str, Any] = {"storage": path, "callbacks": [begin_another]}
    found = search(space={"C": (0.1, 10.0)}, n_trials=4, **options).fit(X, y)
    assert found.cv_results_["in_space"].tolist() == [True, False, False, False, True, True, True]
    assert others[0].cv_results_["in_space"].tolist() == [False, True, True, True]
    alone = search(space={"C": (0.1, 10.0)}, n_trials=1, storage=path).fit(X, y)
    assert table(alone) == table(found)


def test_interrupted_candidates_of_another_space_wait_for_it(tmp_path: Path) -> None:
    path, count = tmp_path / "s.journal", iter(range(100))

    def interrupt(model: Any, X: Any, y: Any) -> float:
        if next(count) == 3:
            raise KeyboardInterrupt
        return float(model.score(X, y))

    def begin(space: Any, **options: Any) -> LossSearchCV:
        options = {"storage": path, "scoring": interrupt, "pruner": NopPruner(), **options}
        return search(space=space, refit=False, **options)

    with pytest.raises(KeyboardInterrupt):
        begin({"C": (0.1, 10.0)}).fit(X, y)
    other = begin({"C": [77.0, 88.0]}, n_trials=None).fit(X, y)
    assert sorted(chosen(other, "C")[1:]) == [77.0, 88.0]
    whole = begin({"C": (0.1, 10.0)}, n_trials=2).fit(X, y)
    assert len(whole.cv_results_["params"]) == 4
    assert TrialState.RUNNING not in states(path)


def races(path: Any, *steps: dict[str, Any], **options: Any) -> list[LossSearchCV]:
    options = {"storage": path, "refit": False, "max_epochs": 1, "pruner": NopPruner(), **options}
    return [make_race(**{**options, **each}).fit(*images()) for each in steps]


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> list[LossSearchCV]:
    """Return searches for other losses with one storage: one is added, and one removed."""
    path = tmp_path_factory.mktemp("grown") / "s.db"
    steps = [["dice", "focal"], ["hinge", "focal", "dice"], ["hinge", "dice"]]
    return races(
        path, *({"losses": names, "n_trials": n} for names, n in zip(steps, (3, 5, 5), strict=True))
    )


def test_a_new_loss_gets_its_defaults_first(grown: list[LossSearchCV]) -> None:
    assert grown[0].cv_results_["loss"][:2].tolist() == ["dice", "focal"]
    assert same_rows(grown[0], grown[1], 3)
    assert grown[1].cv_results_["loss"][3] == "hinge"
    assert grown[1].cv_results_["params"][3] == {"loss": "hinge", "loss__margin": 1.0, "loss__p": 1}
    assert len(grown[1].cv_results_["loss"]) == 5
    assert grown[1].untried_losses_ == []


def test_a_removed_loss_stays_in_the_table_but_is_not_chosen(grown: list[LossSearchCV]) -> None:
    found = grown[2]
    results, removed = found.cv_results_, grown[2].cv_results_["loss"] == "focal"
    assert same_rows(grown[1], found, 5)
    assert removed.any()
    assert (results["in_space"] == ~removed).all()
    assert (~removed).sum() == 5
    assert set(found.best_per_loss_) == {"hinge", "dice"}
    assert found.best_loss_ != "focal"
    assert found.best_score_ == np.nanmax(results["mean_test_score"][~removed])
    assert results["rank_test_score"][found.best_index_] == 1
    assert (results["rank_test_score"][removed] > 1).all()
    assert {params["loss"] for params in np.array(results["params"])[removed]} == {"focal"}


def test_a_removed_loss_with_the_best_score_is_not_chosen() -> None:
    storage, rows = InMemoryStorage(), (np.arange(4).reshape(-1, 1) % 2, [0, 0, 1, 1])
    told([0.5, 0.9], storage=storage).fit(*rows)
    found = told([0.5, 0.25], storage=storage).fit(*rows)  # no losses: the values are known
    assert found.best_score_ == 0.9
    assert found.cv_results_["in_space"].tolist() == [True, False, True]


def square(logits: Any, target: Any, power: float = 2.0) -> Any:
    return (logits.sigmoid() - target).abs().pow(power).mean()


def test_another_function_with_the_same_label_is_refused(tmp_path: Path) -> None:
    def other(logits: Any, target: Any) -> Any:
        return square(logits, target, 3.0)

    path = tmp_path / "s.journal"
    races(path, {"losses": {"mine": square}, "n_trials": 1}, {"losses": ["dice"], "n_trials": 1})
    with pytest.raises(ValueError, match="different search: loss 'mine': .*square -> .*other"):
        races(path, {"losses": {"mine": other}})
    (found,) = races(path, {"losses": {"mine": square, "new": other}, "n_trials": 2})
    assert found.cv_results_["loss"].tolist() == ["mine", "dice", "new"]


@pytest.mark.slow
def test_names_that_depend_on_other_losses_do_not_matter(tmp_path: Path) -> None:
    """Optuna's name of lr is "lr", but "dice__lr" if another loss has another range."""
    dice = {"loss": ["dice"], "lr": (1e-3, 1e-2)}
    both = [dice, {"loss": [FocalLoss(gamma=3)], "lr": (1e-3, 1e-1)}]
    steps = [{"param_distributions": space, "losses": None} for space in ([dice], both, [dice])]
    options = [{"n_trials": 2}, {"n_trials": 4}, {"n_trials": 2}]
    joined = [step | option for step, option in zip(steps, options, strict=True)]
    one, other, third = races(tmp_path / "s.db", *joined)
    assert same_rows(one, other, 2)
    assert other.cv_results_["in_space"].all()
    assert any("dice__lr" in trial.params for trial in other.study_.trials)
    assert third.cv_results_["in_space"].tolist() == [
        loss == "dice" for loss in other.cv_results_["loss"]
    ]


@pytest.mark.filterwarnings("ignore:n_trials=1 tries the 1 most promising")
def test_a_default_of_the_menu_is_not_that_of_earlier_candidates(tmp_path: Path) -> None:
    """The menu begins with beta=0.7, but where beta was not searched, it was 0.5."""
    named = {"losses": [("tversky", {"alpha": (0.1, 0.9)})], "n_trials": 1}
    (one,) = races(tmp_path / "s.journal", named)
    assert one.cv_results_["params"] == [{"loss": "tversky", "loss__alpha": 0.5}]
    (found,) = races(tmp_path / "s.journal", {"losses": ["tversky"], "n_trials": 1})
    assert found.cv_results_["params"][0]["loss__beta"] == 0.5
    menu = races(tmp_path / "s.journal", {"losses": None, "n_trials": 1})[0].cv_results_
    assert menu["in_space"].tolist() == [True]
    assert menu["params"][0]["loss__beta"] == 0.5


def without_settings(storage: BaseStorage, name: str = "sklearnloss") -> BaseStorage:
    """Return a storage as older versions wrote it."""
    older, study = InMemoryStorage(), optuna.load_study(study_name=name, storage=storage)
    copy = optuna.create_study(study_name=name, storage=older, direction="maximize")
    for key, value in study.user_attrs.items():
        copy.set_user_attr(key, value)
    details = study.user_attrs["search_details"]
    names = [[label, list(loss["free"])] for label, loss in details["space"]["losses"].items()]
    space = {k: v for k, v in details["space"].items() if k in ("losses", "has_losses")}
    copy.set_user_attr("search_details", {**details, "space": {**space, "order": names}})
    for trial in study.trials:
        attrs = {k: v for k, v in trial.user_attrs.items() if k != "settings"}
        copy.add_trial(
            create_trial(
                state=trial.state,
                value=trial.value,
                params=trial.params,
                distributions=trial.distributions,
                user_attrs=attrs,
            )
        )
    return older


@pytest.mark.slow
def test_a_storage_of_an_older_version_grows(grown: list[LossSearchCV], tmp_path: Path) -> None:
    names = ["dice", "tversky"]
    (before,) = races(InMemoryStorage(), {"losses": names, "n_trials": 3})
    first = before.get_params()["storage"]
    older = without_settings(first)
    whole, same = (
        races(each, {"losses": names, "n_trials": 5})[0]
        for each in (first, without_settings(first))
    )
    assert table(same) == table(whole)
    (found,) = races(older, {"losses": [*names, "hinge"], "n_trials": 4})
    assert found.cv_results_["in_space"].all()
    assert found.cv_results_["loss"][3] == "hinge"
    assert same_rows(before, found, 3)
    assert [str(p) for p in found.cv_results_["params"][:3]] == [
        str(p) for p in before.cv_results_["params"]
    ]


def test_a_storage_of_an_older_version_keeps_its_objects_and_quantiles() -> None:
    space = {"C": stats.lognorm(1.0), "class_weight": [{0: 1.0, 1: 2.0}, None]}
    storage = InMemoryStorage()
    (one,) = spaces_of(storage, (space, 4))
    older = without_settings(storage)
    (same,) = spaces_of(older, (space, 4))
    assert chosen(same, "C") == chosen(one, "C")
    assert same.cv_results_["in_space"].all()
    (other,) = spaces_of(older, ({**space, "C": (0.1, 9.0)}, 1))
    assert not other.cv_results_["in_space"][:4].any()
    assert {text[:9] for text in chosen(other, "C")[:4]} == {"quantile "}  # of what is not known
    assert other.best_index_ == 4


def test_an_older_seed_that_depended_on_the_space_is_kept(tmp_path: Path) -> None:
    space, wider = {"b": (0.0, 1.0)}, {"b": (0.0, 2.0)}

    def fit(path: Path, random_state: int | None, space: Any = space) -> LossSearchCV:
        options: dict[str, Any] = {"n_trials": 2, "random_state": random_state, "refit": False}
        options |= {"storage": path, "cv": None}
        found: LossSearchCV = make_search(param_distributions=space, **options).fit(DATA, LABELS)
        return found

    fit(tmp_path / "a.journal", 0)
    study = optuna.load_study(
        study_name="sklearnloss", storage=open_storage(tmp_path / "a.journal")
    )
    subjects = sorted((k, study.user_attrs["search"][k]) for k in ("data", "estimator", "space"))
    seed = zlib.crc32(repr((None, subjects)).encode())
    before = fit(tmp_path / "b.journal", seed)
    assert table(fit(tmp_path / "b.journal", None)) == table(before)
    assert fit(tmp_path / "b.journal", None, wider).cv_results_["in_space"].all()


def test_an_unseeded_search_grows(tmp_path: Path) -> None:
    options: dict[str, Any] = {"random_state": None, "cv": None}
    steps = (({"C": (0.5, 2.0)}, 2), ({"C": (0.1, 9.0)}, 3))
    one, other = spaces_of(tmp_path / "s.journal", *steps, **options)
    assert same_rows(one, other, 2)


def test_what_changed_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    steps = (({"C": (0.5, 2.0)}, 1), ({"C": (0.1, 9.0)}, 1), ({"C": (0.1, 9.0)}, 1))
    found = []
    for step in steps:
        spaces_of(tmp_path / "s.journal", step, verbose=2)
        found.append(capsys.readouterr().err)
    assert found == ["", "The search continues with range of C (0.5, 2) -> (0.1, 9).\n", ""]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*candidates failed.*")
def test_a_grown_search_that_is_killed_ends_as_if_nothing_had_happened(tmp_path: Path) -> None:
    name = "s.db"
    first: dict[str, Any] = {
        "param_distributions": {"mode": ["fine", "error"], "b": (0.2, 0.5)},
        "n_trials": 4,
    }
    second: dict[str, Any] = {
        "param_distributions": {"mode": ["good", "fine"], "b": (0.0, 1.0)},
        "n_trials": 8,
    }
    for options in (first, second):
        whole = make_search(storage=tmp_path / f"whole.{name}", **options).fit(DATA, LABELS)
    assert not whole.cv_results_["in_space"].all()
    killed = {"storage": str(tmp_path / name), "kill_at": [7, 12, 4, 9, 6, 15, 5], "first": first}
    assert run({**second, **killed}, tmp_path) == outcome(whole, DATA)
    assert TrialState.RUNNING not in states(tmp_path / name)


@pytest.mark.slow
def test_more_epochs_begin_with_the_best_of_the_shorter_search(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.db"
    names, pruner = ["dice", "focal"], optuna.pruners.NopPruner()
    (short,) = races(path, {"n_trials": 4, "pruner": pruner, "losses": names})
    longer = {"max_epochs": 2, "n_trials": 3, "verbose": 2, "losses": names}
    capsys.readouterr()
    found, again = races(path, longer, longer)
    order = np.argsort(-short.cv_results_["mean_test_score"], kind="stable")
    best = [short.cv_results_["params"][k] for k in order[:2]]
    assert found.cv_results_["params"][:2] == best
    assert len(found.cv_results_["params"]) == 3
    assert found.study_.study_name == "sklearnloss-2-epochs"
    shown = capsys.readouterr().err
    assert "begins with the best candidates of the one with 1 epochs" in shown
    assert table(again) == table(found)
    (third,) = races(path, {"max_epochs": 3, "n_trials": 1, "losses": ["dice", "focal"]})
    best_of_second = found.cv_results_["params"][found.best_index_]
    assert third.cv_results_["params"] == [best_of_second]
    assert third.study_.study_name == "sklearnloss-3-epochs"
    (same,) = races(path, {"n_trials": 4, "pruner": pruner, "losses": names})
    assert table(same) == table(short)


def test_fewer_epochs_are_refused(tmp_path: Path) -> None:
    options: dict[str, Any] = {"n_trials": 1, "losses": ["dice"]}
    races(tmp_path / "s.journal", {"max_epochs": 2, **options})
    with pytest.raises(ValueError, match="estimator: max_epochs 2 -> 1"):
        races(tmp_path / "s.journal", {"max_epochs": 1, **options})


@pytest.mark.slow
def test_a_longer_search_that_is_killed_ends_as_if_nothing_had_happened(tmp_path: Path) -> None:
    first = {"race": True, "max_epochs": 1, "losses": ["dice", "focal"], "refit": False}
    second = {"race": True, "max_epochs": 2, "losses": ["dice", "focal"], "refit": True}
    for options in (first, second):
        given = {key: value for key, value in options.items() if key != "race"}
        whole = make_race(storage=tmp_path / "whole.journal", **given).fit(*images())
    killed = {"storage": str(tmp_path / "s.journal"), "kill_at": [3, 8, 5], "first": first}
    assert run({**second, **killed}, tmp_path) == outcome(whole, images()[0])


@pytest.mark.slow
def test_nested_cross_validation_in_two_processes_shares_a_storage(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    # The pool ends its forks by SIGTERM. A handler of some library could swallow it.
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    request.addfinalizer(lambda: signal.signal(signal.SIGTERM, before))

    def results() -> tuple[list[float], list[list[float]]]:
        inner = make_search(sound=True, n_trials=2, cv=2, storage=tmp_path / "s.journal")
        options: dict[str, Any] = {"error_score": "raise", "return_estimator": True}
        with parallel_config("multiprocessing"):  # forks, which need not import anything
            found = cross_validate(inner, DATA, LABELS, cv=4, n_jobs=2, **options)
        times = [each.cv_results_["mean_fit_time"].tolist() for each in found["estimator"]]
        return found["test_score"].tolist(), times

    first = results()
    assert np.isfinite(first[0]).all()
    names = [study.study_name for study in open_storage(tmp_path / "s.journal").get_all_studies()]
    assert len(names) == 4
    assert "sklearnloss" in names
    assert results() == first


def test_a_scorer_that_raises_leaves_what_was_found() -> None:
    count = iter(range(100))

    def scorer(model: Any, X: Any, y: Any) -> float:
        if next(count) == 5:
            raise ZeroDivisionError("a bug in a scorer")
        return float(model.score(X, y))

    found = search(
        scoring=scorer, error_score="raise", n_trials=4, pruner=optuna.pruners.NopPruner()
    )
    with pytest.raises(ZeroDivisionError, match="a bug in a scorer") as error:
        found.fit(X, y)
    assert found.cv_results_["trial_state"].tolist() == ["COMPLETE", "COMPLETE", "FAIL"]
    assert found.best_score_ == np.nanmax(found.cv_results_["mean_test_score"])
    assert not hasattr(found, "best_estimator_")
    assert "3 finished candidates are in cv_results_" in error.value.__notes__[-1]


class Unlucky(Stub):
    """Cannot be trained on all data."""

    def fit(self, X: Any, y: Any) -> Unlucky:
        if len(X) == len(DATA):
            raise RuntimeError("no memory for all data")
        return super().fit(X, y)


def test_an_error_in_the_final_fit_leaves_what_was_found() -> None:
    found = make_search(estimator=Unlucky(), sound=True, n_trials=2)
    with pytest.raises(RuntimeError, match="no memory for all data"):
        found.fit(DATA, LABELS)
    assert len(found.cv_results_["params"]) == 2
    assert found.best_params_ in found.cv_results_["params"]
    assert not hasattr(found, "best_estimator_")
