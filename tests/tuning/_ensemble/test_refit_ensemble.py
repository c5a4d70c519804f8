from __future__ import annotations

import stat
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from optuna.pruners import NopPruner
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearnloss import LossSearchCV, load
from sklearnloss.estimators import LossEnsemble
from sklearnloss.metrics import expected_calibration_error
from sklearnloss.tuning._ensemble.fold_models import FoldModels
from sklearnloss.tuning._evaluation.fit_and_score import FoldFit
from sklearnloss.tuning._search.evaluate import Task
from sklearnloss.tuning._search.job import Job
from sklearnloss.tuning._search.worker import Budget
from sklearnloss.tuning._space.parse import read_space

from ...estimators.conftest import Data, classifier, segmenter

FOLDS = KFold(2)


def make(storage: Any = None, estimator: Any = None, losses: Any = None, **options: Any) -> Any:
    settings = {"n_trials": 2, "cv": FOLDS, "random_state": 0, "pruner": NopPruner(), **options}
    return LossSearchCV(
        segmenter(width=2, depth=1, random_state=None) if estimator is None else estimator,
        ["dice", "cross_entropy"] if losses is None else losses,
        **{"refit": "ensemble", "storage": storage, **settings},
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ensemble")


@pytest.fixture(scope="module")
def searched(home: Path, scenes: Data) -> LossSearchCV:
    search: LossSearchCV = resumable(home).fit(*scenes)
    return search


def resumable(home: Path) -> Any:
    """Return a search whose metric tells models apart even after an epoch."""
    return make(home / "search.journal", scoring="calibration")


def files(home: Path) -> dict[str, Path]:
    return {path.name: path for path in (home / "search.journal.models").rglob("*.safetensors")}


def test_the_model_of_each_fold_is_kept_in_a_private_folder(
    home: Path, searched: LossSearchCV
) -> None:
    found = files(home)
    assert sorted(found) == [f"{k}-{fold}.safetensors" for k in range(2) for fold in range(2)]
    assert stat.S_IMODE((home / "search.journal.models").stat().st_mode) == 0o700
    assert isinstance(load(found["0-0.safetensors"]), LossEnsemble)


def test_scores_are_those_of_models_on_images_that_they_did_not_see(
    home: Path, searched: LossSearchCV, scenes: Data
) -> None:
    X, y = scenes
    tests = [test for _, test in FOLDS.split(X)]
    proba = [
        [load(files(home)[f"{k}-{fold}.safetensors"]).predict_proba(X[test]) for fold, test in each]
        for k, each in ((k, list(enumerate(tests))) for k in range(2))
    ]

    def score(weights: Any) -> float:
        averages = [np.tensordot(weights, [p[fold] for p in proba], 1) for fold in range(2)]
        pairs = zip(tests, averages, strict=True)
        errors = [float(expected_calibration_error(y[test], p)) for test, p in pairs]
        return -float(np.mean(errors))

    # Half precision changes probabilities a little.
    known = searched.cv_results_["mean_test_score"]
    assert [score([1, 0]), score([0, 1])] == pytest.approx(known.tolist(), abs=2e-3)
    ensemble = searched.best_estimator_
    weights = np.zeros(2)
    for member in ensemble.members_:
        weights[member["candidate"]] = member["weight"]
    assert len(set(weights.tolist()) - {0, 1, 0.5}) == 2
    assert ensemble.scores_["selected"] == pytest.approx(score(weights), abs=2e-3)
    assert ensemble.scores_["single"] == pytest.approx(known.max(), abs=2e-3)
    assert ensemble.scores_["selected"] > ensemble.scores_["single"]
    assert searched.ensemble_score_ == ensemble.scores_["cross_validated"]


def test_the_search_predicts_with_the_ensemble(searched: LossSearchCV, scenes: Data) -> None:
    X, y = scenes
    ensemble = searched.best_estimator_
    assert isinstance(ensemble, LossEnsemble)
    assert (searched.predict(X) == ensemble.predict(X)).all()
    assert searched.score(X, y) == pytest.approx(
        -float(expected_calibration_error(y, ensemble.predict_proba(X)))
    )
    assert searched.best_loss_ in [member["label"] for member in ensemble.members_]
    if not ensemble.is_soup_:
        models = ensemble.models
        expected = sum(
            weight * model.predict_proba(X)
            for weight, model in zip(ensemble.weights_, models, strict=True)
        )
        np.testing.assert_allclose(searched.predict_proba(X), expected, atol=1e-6)


def test_the_same_call_makes_the_same_ensemble_without_training(
    home: Path, searched: LossSearchCV, scenes: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FoldFit, "fit", None)
    again = resumable(home).fit(*scenes)
    expected = searched.predict_proba(scenes[0])
    assert (again.predict_proba(scenes[0]) == expected).all()
    assert again.best_estimator_.scores_ == searched.best_estimator_.scores_


@pytest.mark.parametrize("harm", ["damaged", "missing", "other"])
def test_a_candidate_without_its_models_is_left_out(
    harm: str, home: Path, searched: LossSearchCV, scenes: Data
) -> None:
    best = searched.best_index_
    path = files(home)[f"{best}-1.safetensors"]
    content = path.read_bytes()
    if harm == "damaged":
        path.write_bytes(content[:-7])
    elif harm == "missing":
        path.unlink()
    else:  # of another fold
        path.write_bytes(files(home)[f"{best}-0.safetensors"].read_bytes())
    try:
        with pytest.warns(UserWarning, match=f"1 of 2 candidates .* is candidate {best}: "):
            again = resumable(home).fit(*scenes)
    finally:
        path.write_bytes(content)
    (member,) = again.best_estimator_.members_
    assert member["candidate"] == 1 - best
    assert again.best_index_ == best


def test_without_any_models_the_best_candidate_is_trained(tmp_path: Path, scenes: Data) -> None:
    options = {"n_trials": 1, "losses": ["dice"]}
    make(tmp_path / "search.journal", refit=False, **options).fit(*scenes)
    with (
        pytest.warns(UserWarning, match="cannot be in the ensemble"),
        pytest.warns(UserWarning, match="no models for an ensemble"),
    ):
        search = make(tmp_path / "search.journal", **options).fit(*scenes)
    assert type(search.best_estimator_) is type(segmenter())
    assert not hasattr(search, "ensemble_score_")


def test_a_full_disk_costs_the_models_but_not_the_search(
    scenes: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sklearnloss.tuning._ensemble import fold_models

    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fold_models, "save_models", full)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search = make(n_trials=1, losses=["dice"]).fit(*scenes)
    assert any("could not be kept" in str(each.message) for each in caught)
    assert search.cv_results_["trial_state"].tolist() == ["COMPLETE"]
    assert search.predict(scenes[0]).shape == scenes[1].shape


def test_many_bytes_are_announced(tmp_path: Path, scenes: Data) -> None:
    model = segmenter(width=2, depth=1).fit(*scenes)
    FoldModels(str(tmp_path), 100).save(0, {}, 0, model, 0.5)
    with pytest.warns(UserWarning, match=r"will take up to \d+ GB in '"):
        FoldModels(str(tmp_path), 10**7).save(0, {}, 0, model, 0.5)


@pytest.mark.parametrize("kind", ["multilabel", "classifier", "files"])
def test_other_data_and_estimators(kind: str, scenes: Data, digits: Data, tmp_path: Path) -> None:
    X: Any
    X, y = scenes
    estimator, losses = segmenter(width=2, depth=1), ["dice", "bce"]
    if kind == "multilabel":
        y = np.stack([y == 1, y > 0], 1).astype(np.uint8)
        estimator.set_params(multilabel=True)
    elif kind == "classifier":
        (X, y), estimator = digits, classifier(width=2)
        losses = ["focal", "bce"]
    else:
        for k, image in enumerate(X):
            np.save(tmp_path / f"{k}.npy", image)
        X = [tmp_path / f"{k}.npy" for k in range(len(X))]
    search = make(estimator=estimator, losses=losses).fit(X, y)
    ensemble = search.best_estimator_
    assert isinstance(ensemble, LossEnsemble)
    assert ensemble.scores_["single"] == pytest.approx(search.best_score_, abs=0.02)
    assert len(search.predict(X)) == len(y)


def test_workers_know_where_to_keep_models(scenes: Data, tmp_path: Path) -> None:
    models = FoldModels(str(tmp_path / "models"), 4)
    task = Task(segmenter(), *scenes, None, {}, {}, [], None, 0, models=models)
    space = read_space(segmenter(), ["dice"], None)
    Job(task, space, "name", None, None, Budget(1, None), "call").write(tmp_path)
    assert Job.read(tmp_path).task.models == models


def squared_error(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return (logits.softmax(1)[:, 1] - (target == 1).float()).square().mean()


def test_losses_of_ones_own_are_in_the_ensemble(scenes: Data, tmp_path: Path) -> None:
    search = make(losses=[squared_error], n_trials=1).fit(*scenes)
    search.best_estimator_.save(tmp_path / "own.safetensors")
    with pytest.raises(ValueError, match="'squared_error'"):
        load(tmp_path / "own.safetensors")
    again = load(tmp_path / "own.safetensors", custom={"squared_error": squared_error})
    assert (again.predict(scenes[0]) == search.predict(scenes[0])).all()


def test_what_cannot_become_an_ensemble_is_refused_before_training(
    scenes: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FoldFit, "fit", None)
    X, y = scenes
    pipeline = make_pipeline(FunctionTransformer(), segmenter())
    for options, error, match in [
        ({"estimator": pipeline}, TypeError, "not possible for a Pipeline"),
        ({"scoring": {"ensemble": "dice", "iou": "iou"}}, ValueError, "holds 'ensemble', 'iou'"),
        ({"scoring": lambda model, X, y: 0.5}, ValueError, "may ask the estimator for anything"),
        ({"param_distributions": {"tile": [8, 16]}}, ValueError, "cannot differ in 'tile'"),
        (
            {"storage": "postgresql://u:secret@host/n"},
            ValueError,
            r"u:\*\*\*@host/n. is not a file",
        ),
    ]:
        with pytest.raises(error, match=match):
            make(**options).fit(X, y)
    with pytest.raises(TypeError, match="not possible for a LogisticRegression"):
        LossSearchCV(LogisticRegression(), param_distributions={"C": [1.0]}, refit="ensemble").fit(
            X.reshape(len(X), -1), y[:, 8, 8]
        )
