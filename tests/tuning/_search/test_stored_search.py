"""What a search in a storage is resumed by, and what it says of a different one."""

from __future__ import annotations

import contextlib
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.pruners import NopPruner
from scipy import stats
from sklearn.model_selection import KFold, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler
from sklearn.svm import SVC

from sklearnloss import LossSearchCV, ResNetClassifier, UNetSegmenter
from sklearnloss.losses import FocalLoss

from ...estimators.conftest import Data, digits, scenes  # noqa: F401
from ..processes import Stub, X, make_search, store_of, table, y
from ..searches import told

NAME = "mine"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.journal"


@contextlib.contextmanager
def refused(match: str | None = None) -> Iterator[Any]:
    """Expect a search to be told from the one in its storage."""
    with pytest.raises(ValueError, match=match) as error:
        yield error
    assert type(error.value).__name__ == "DifferentSearchError"


def sound(path: Path, **options: Any) -> LossSearchCV:
    settings = {"n_trials": 2, "storage": path, "study_name": NAME, "refit": False, "sound": True}
    return make_search(**{**settings, **options})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "data", "difference"),
    [
        ({}, (X[:59], y[:59]), "data: 60 -> 59 samples"),
        ({}, (X + 1.0, y), "data: X has other values"),
        ({}, (X.astype("f4"), y), "data: X float64 of shape (60, 3) -> float32 of shape (60, 3)"),
        ({}, (X, 1 - y), "data: y has other values"),
        ({"estimator": Stub(random_state=3)}, (X, y), "estimator: random_state None -> 3"),
        ({"estimator": Stub(mode="good", b=0.1)}, (X, y), "estimator: b 0.5 -> 0.1; estimator: m"),
        ({"estimator": SVC()}, (X, y), "estimator Stub -> SVC"),
        ({"cv": 4}, (X, y), "cv 3 -> 4 folds"),
        (
            {"cv": KFold(3, shuffle=True)},
            (X, y),
            "cv: the same number of folds, but of other samples",
        ),
        ({"scoring": "accuracy"}, (X, y), "scoring None -> 'accuracy'"),
        ({"random_state": 1}, (X, y), "random_state 0 -> 1"),
    ],
)
def test_a_different_search_is_refused_with_what_differs(
    options: dict[str, Any], data: tuple[Any, Any], difference: str, path: Path
) -> None:
    sound(path).fit(X, y)
    other = sound(path).set_params(**options)
    if isinstance(options.get("estimator"), SVC):
        other.set_params(param_distributions={"C": [1.0, 2.0]})
    with refused() as error:
        other.fit(*data)
    text = str(error.value)
    assert f"The study 'mine' in storage='{path}' holds a different search: {difference}" in text
    assert "to begin a new one, pass another storage or another study_name" in text
    assert text.endswith("apart.") == difference.startswith("data:")
    assert "folds" not in difference or len(error.value.differences) == 1
    other.set_params(study_name="another").fit(*data)


def test_groups_and_weights_are_data(path: Path) -> None:
    groups = np.arange(60) % 6
    sound(path, cv=None).fit(X, y)
    with refused("data: groups none -> int64 of shape .60,.") as e:
        sound(path, cv=None).fit(X, y, groups=groups)
    assert pickle.loads(pickle.dumps(e.value)).differences == e.value.differences


def test_labels_groups_and_weights_may_be_in_a_list_an_array_or_a_series(path: Path) -> None:
    names, weights = np.array(["a", "b"])[y], np.linspace(1, 2, 60)
    groups = [f"slide {k % 7}" for k in range(60)]
    for make in (list, np.array, pd.Series):
        found = sound(path, cv=None, estimator=SVC(), param_distributions={"C": [1.0, 2.0]})
        found.fit(X, make(names), groups=make(groups), sample_weight=make(weights))
    assert len(found.cv_results_["params"]) == 2


def losses(path: Path, given: Any, **options: Any) -> LossSearchCV:
    model = UNetSegmenter(width=2, depth=2, max_epochs=1)
    settings = {"n_trials": 2, "cv": 2, "storage": path, "random_state": 0, "refit": False}
    return LossSearchCV(model, given, **{**settings, **options})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "difference"),
    [
        (
            {"losses": ["dice", FocalLoss(gamma=3)]},
            "loss 'focal': 'focal' -> FocalLoss(gamma=3). ",
        ),
        ({"estimator__max_epochs": 2}, "estimator: max_epochs 1 -> 2."),
    ],
)
def test_what_differs_between_searches_for_a_loss(
    options: dict[str, Any],
    difference: str,
    scenes: Data,  # noqa: F811
    path: Path,
) -> None:
    losses(path, ["dice", "focal"], study_name=NAME).fit(*scenes)
    with refused() as error:
        losses(path, ["dice", "focal"], study_name=NAME).set_params(**options).fit(*scenes)
    assert f"holds a different search: {difference}" in str(error.value)
    advice = "pass no study_name" if "epochs" in difference else "give it another label"
    assert advice in str(error.value)


def test_images_that_were_added_are_counted(scenes: Data, path: Path) -> None:  # noqa: F811
    images, masks = scenes
    losses(path, ["dice"], n_trials=1, study_name=NAME).fit(images[:-1], masks[:-1])
    with refused(rf"data: {len(images) - 1} -> {len(images)} imag"):
        losses(path, ["dice"], n_trials=1, study_name=NAME).fit(images, masks)


def test_what_differs_in_a_pipeline(path: Path) -> None:
    def search(model: Any, space: Any = None) -> LossSearchCV:
        space = {"svc__C": stats.lognorm(1.0)} if space is None else space
        options: dict[str, Any] = {"cv": 2, "random_state": 0, "refit": False, "n_trials": 1}
        return LossSearchCV(model, param_distributions=space, storage=path, **options)

    def differences(model: Any, space: Any = None) -> list[str]:
        with refused() as error:
            search(model, space).fit(X, y)
        return list(error.value.differences)

    search(make_pipeline(StandardScaler(), SVC())).fit(X, y)
    assert differences(make_pipeline(StandardScaler(with_mean=False), SVC(verbose=True))) == [
        "estimator: standardscaler__with_mean True -> False"
    ]
    assert differences(Pipeline([("standardscaler", MinMaxScaler()), ("svc", SVC())]))[0] == (
        "estimator: standardscaler StandardScaler -> MinMaxScaler"
    )
    assert differences(make_pipeline(SVC()))[0] == (
        "estimator: steps ['standardscaler', 'svc'] -> ['svc']"
    )
    many = FunctionTransformer(kw_args={"a": list(range(1000))})
    assert max(map(len, differences(make_pipeline(many, SVC())))) < 250


def test_a_long_list_of_differences_is_cut(path: Path) -> None:
    def svc(**params: Any) -> LossSearchCV:
        return sound(path, estimator=SVC(**params), param_distributions={"C": [1.0, 2.0]})

    svc().fit(X, y)
    others: dict[str, Any] = {"cache_size": 100, "class_weight": "balanced", "coef0": 1.0}
    others |= {"decision_function_shape": "ovo", "degree": 4, "gamma": "auto", "kernel": "linear"}
    others |= {"max_iter": 100, "random_state": 1, "shrinking": False, "tol": 0.01}
    with refused(
        r"kernel 'rbf' -> 'linear'; estimator: max_iter -1 -> 100; and 3 more\. Only losses"
    ) as error:
        svc(**others).fit(X, y)
    assert len(error.value.differences) == 11


def test_a_generator_as_random_state_is_named(path: Path) -> None:
    rng = np.random.RandomState(0)
    sound(path, random_state=rng).fit(X, y)
    with refused("random_state a generator, which draws a new seed"):
        sound(path, random_state=rng).fit(X, y)


@pytest.mark.slow
def test_another_order_of_losses_and_parameters_is_the_same_search(
    scenes: Data,  # noqa: F811
    path: Path,
) -> None:
    space = {"lr": [1e-3, 1e-2], "width": [1, 2]}
    swapped = dict(reversed(space.items()))
    options: dict[str, Any] = {"random_state": None, "n_trials": 4, "pruner": NopPruner()}
    names = ["dice", "bce", "focal"]
    losses(path, names, param_distributions=space, **{**options, "n_trials": 3}).fit(*scenes)
    resumed = losses(path, names[::-1], param_distributions=swapped, **options).fit(*scenes)
    other = path.with_name("other.journal")
    whole = losses(other, names, param_distributions=space, **options).fit(*scenes)
    assert resumed.cv_results_["loss"][:3].tolist() == names
    assert table(resumed) == table(whole)


def test_nested_cross_validation_shares_a_storage(path: Path) -> None:
    def scores() -> tuple[list[float], list[Any]]:
        search = make_search(sound=True, n_trials=2, storage=path)
        found = cross_validate(search, X, y, cv=3, return_estimator=True, error_score="raise")
        return found["test_score"].tolist(), found["estimator"]

    first, estimators = scores()
    assert np.isfinite(first).all()
    names = [each.study_.study_name for each in estimators]
    assert names[0] == "sklearnloss"
    assert len(set(names)) == 3
    assert all(name.startswith("sklearnloss-") for name in names[1:])
    times = [each.cv_results_["mean_fit_time"].tolist() for each in estimators]
    again, estimators = scores()
    assert again == first
    assert times == [each.cv_results_["mean_fit_time"].tolist() for each in estimators]


def test_an_outer_fold_is_told_apart_from_a_change_of_the_search(path: Path) -> None:
    def search(**options: Any) -> LossSearchCV:
        return make_search(**{"sound": True, "n_trials": 2, "storage": path, **options})

    half = slice(0, 30)
    search().fit(X, y)
    search().fit(X[half], y[half])
    for rows in (slice(None), half):
        with refused("cv 3 -> 2 folds"):
            search(cv=2).fit(X[rows], y[rows])
    assert len(store_of(path).rows()) == 2


def test_a_search_beside_one_of_other_data_says_so(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_search(sound=True, n_trials=1, storage=path).fit(X, y)
    assert capsys.readouterr().err == ""
    found = make_search(sound=True, n_trials=1, storage=path, verbose=1).fit(X + 1, y)
    shown = capsys.readouterr().err
    assert f"This search is the study {found.study_.study_name!r}" in shown


@pytest.mark.slow
@pytest.mark.parametrize("name", ["s.journal", "s.db"])
def test_searches_that_begin_at_once_keep_their_data_apart(name: str, tmp_path: Path) -> None:
    barrier = threading.Barrier(3)

    def begin(k: int) -> str:
        search = make_search(sound=True, n_trials=1, storage=tmp_path / name, refit=False)
        barrier.wait(60)
        return str(search.fit(X + k, y).study_.study_name)

    with ThreadPoolExecutor(3) as pool:
        names = list(pool.map(begin, range(3)))
    assert "sklearnloss" in names
    assert len(set(names)) == 3


def test_a_study_that_is_being_created_is_waited_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(storage=storage, study_name="sklearnloss", direction="maximize")
    asked = threading.Event()
    get_trials = optuna.Study.get_trials

    def noticed(self: Any, *args: Any, **options: Any) -> Any:
        asked.set()
        return get_trials(self, *args, **options)

    def write() -> None:
        asked.wait(60)
        study.set_user_attr("search", {"data": "of another search"})

    monkeypatch.setattr(optuna.Study, "get_trials", noticed)
    writer = threading.Thread(target=write)
    writer.start()
    found = told([0.5], storage=storage).fit(np.zeros((4, 1)), [0, 1, 0, 1])
    writer.join()
    assert found.study_.study_name.startswith("sklearnloss-")


def test_a_study_that_was_left_empty_is_taken_over(impatient: None) -> None:
    storage = optuna.storages.InMemoryStorage()
    optuna.create_study(storage=storage, study_name="sklearnloss", direction="maximize")
    found = told([0.5], storage=storage).fit(np.zeros((4, 1)), [0, 1, 0, 1])
    assert found.study_.study_name == "sklearnloss"


def test_an_explicit_name_is_that_of_the_default(path: Path) -> None:
    make_search(sound=True, n_trials=1, storage=path).fit(X, y)
    found = make_search(sound=True, n_trials=2, storage=path, study_name="sklearnloss").fit(X, y)
    assert len(found.cv_results_["params"]) == 2
    with refused("data: X has other values"):
        make_search(sound=True, n_trials=2, storage=path, study_name="sklearnloss").fit(X + 1, y)


def test_files_that_were_moved_are_the_same_data(
    digits: Data,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: Path,
) -> None:
    images, labels = digits[0][:12], digits[1][:12] % 2
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for k, image in enumerate(images):
            np.save(tmp_path / folder / f"{folder}-{k}.npy", image)
    monkeypatch.chdir(tmp_path)

    def fit(files: Any, n_trials: int) -> LossSearchCV:
        model = ResNetClassifier(width=2, depth=18, max_epochs=1, random_state=0)
        options: dict[str, Any] = {"cv": 2, "storage": path, "study_name": NAME, "refit": False}
        search = LossSearchCV(model, ["hinge"], n_trials=n_trials, random_state=0, **options)
        found: LossSearchCV = search.fit(files, labels)
        return found

    fit([f"one/one-{k}.npy" for k in range(12)], 1)
    found = fit(np.array([str(tmp_path / "two" / f"two-{k}.npy") for k in range(12)]), 2)
    assert len(found.cv_results_["params"]) == 2
    np.save(tmp_path / "one" / "one-3.npy", images[3] + 1)
    with refused("data: X has other values"):
        fit([f"one/one-{k}.npy" for k in range(12)], 2)
