"""That losses race on equal terms: the promises of a search about real networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import torch
from optuna.pruners import (
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    PatientPruner,
    SuccessiveHalvingPruner,
    ThresholdPruner,
)
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import Tensor
from torch.utils.data import TensorDataset

from sklearnloss import LossSearchCV, ResNetClassifier, UNetSegmenter
from sklearnloss.datasets import load_nuclei
from sklearnloss.losses import DiceLoss, FocalLoss, Loss
from sklearnloss.metrics import iou_scorer

from ...estimators.conftest import Data, binary_scenes, scenes, segmenter  # noqa: F401
from .test_loss_search_cv import scores_by_params

Array = np.ndarray[Any, Any]
HALVES = KFold(2)


def model_of(**params: Any) -> UNetSegmenter:
    return segmenter(**{"width": 2, "random_state": None, **params})


def race(model: Any = None, losses: Any = None, **options: Any) -> LossSearchCV:
    losses = ["dice", "bce"] if losses is None else losses
    options = {"n_trials": 3, "cv": HALVES, "random_state": 0, **options}
    return LossSearchCV(model_of() if model is None else model, losses, **options)


@pytest.mark.slow
def test_a_search_over_losses_of_a_segmenter_is_a_grid_search() -> None:
    X, y, _ = load_nuclei(tile=128)
    X, y = X[:8, ::4, ::4], y[:8, ::4, ::4]
    grid: list[dict[str, Any]] = [
        {"loss": ["dice", "focal+dice", FocalLoss(gamma=1)]},
        {"loss": ["tversky"], "loss__alpha": [0.3, 0.7]},
    ]
    model = segmenter(width=2, random_state=3)
    ours = LossSearchCV(model, None, param_distributions=grid, n_trials=None, cv=HALVES)
    ours.set_params(pruner=NopPruner()).fit(X, y)
    theirs = GridSearchCV(model, grid, cv=HALVES).fit(X, y)
    expected = scores_by_params(theirs.cv_results_, 2)
    assert scores_by_params(ours.cv_results_, 2) == expected
    assert len(expected) == 5
    assert set(ours.best_per_loss_) == {"dice", "focal+dice", "focal", "tversky"}


def test_a_search_over_losses_of_a_classifier_is_a_grid_search() -> None:
    X, y = load_digits(n_class=2, return_X_y=True)
    X, y = X[:16].reshape(-1, 8, 8), y[:16]
    model = ResNetClassifier(width=4, max_epochs=1, random_state=3)
    grid = {"loss": ["cross_entropy", "hinge"]}
    cv = StratifiedKFold(2)
    ours = LossSearchCV(model, param_distributions=grid, n_trials=None, cv=cv, pruner=NopPruner())
    theirs = GridSearchCV(model, grid, cv=cv).fit(X, y)
    expected = scores_by_params(theirs.cv_results_, 2)
    assert scores_by_params(ours.fit(X, y).cv_results_, 2) == expected
    assert ours.best_loss_ == theirs.best_params_["loss"]


class Witness(Loss):
    """Half squared error that keeps the first batch of each fit."""

    seen: list[tuple[Array, Array]]

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    def forward(self, logits: Tensor, target: Tensor, sample_weight: Any = None) -> Tensor:
        pair = (logits.detach().numpy().copy(), target.detach().numpy().copy())
        type(self).seen.append(pair)
        return self.scale * (logits - target).square().mean()


def test_all_candidates_start_from_the_same_weights_on_the_same_batches(
    binary_scenes: Data,  # noqa: F811
) -> None:
    Witness.seen = []
    losses = [Witness(), Witness(scale=2.0), Witness(scale=5.0)]
    race(losses=losses, pruner=NopPruner(), refit=False).fit(*binary_scenes)
    n_batches = 2  # of four images each, per fold and candidate
    assert len(Witness.seen) == 3 * 2 * n_batches
    fits = [Witness.seen[k : k + n_batches] for k in range(0, len(Witness.seen), n_batches)]
    for fold in range(2):
        first, *others = fits[fold::2]
        for other in others:
            assert np.array_equal(other[0][0], first[0][0])  # logits of the untrained net
            assert not np.array_equal(other[1][0], first[1][0])
            for (_, target), (_, expected) in zip(other, first, strict=True):
                assert np.array_equal(target, expected)
    assert not np.array_equal(fits[0][0][0], fits[1][0][0])


@pytest.mark.slow
def test_reruns_are_identical_and_pruning_changes_no_score_of_who_is_left(
    binary_scenes: Data,  # noqa: F811
) -> None:
    model = model_of(max_epochs=2)
    found = [
        race(model, n_trials=5, pruner=pruner).fit(*binary_scenes)
        for pruner in (MedianPruner(n_startup_trials=2), MedianPruner(n_startup_trials=2))
    ]
    for key in ("mean_test_score", "split0_test_score"):
        one, other = (search.cv_results_[key] for search in found)
        assert np.array_equal(one, other, equal_nan=True)
    assert np.array_equal(found[0].predict(binary_scenes[0]), found[1].predict(binary_scenes[0]))
    whole = race(model, n_trials=2, pruner=NopPruner()).fit(*binary_scenes)
    pruned = found[0].cv_results_
    complete = np.flatnonzero(pruned["trial_state"][:2] == "COMPLETE")
    assert len(complete) > 0
    for k in complete:
        assert pruned["params"][k] == whole.cv_results_["params"][k]
        assert pruned["mean_test_score"][k] == whole.cv_results_["mean_test_score"][k]


def worst(logits: Tensor, target: Tensor) -> Tensor:
    """Reward what is wrong."""
    return -(logits.sigmoid() - target).square().mean()


@pytest.mark.slow
@pytest.mark.parametrize(
    "pruner",
    [
        None,
        MedianPruner(n_startup_trials=1, n_warmup_steps=0),
        SuccessiveHalvingPruner(min_resource=1, reduction_factor=2),
        HyperbandPruner(min_resource=1, max_resource=8, reduction_factor=2),
        ThresholdPruner(lower=0.99),
        "patient",
        NopPruner(),
    ],
    ids=lambda pruner: type(pruner).__name__,
)
def test_every_pruner_works_and_stopped_rows_say_where(
    binary_scenes: Data,  # noqa: F811
    pruner: Any,
) -> None:
    if pruner == "patient":
        with pytest.warns(optuna.exceptions.ExperimentalWarning):
            pruner = PatientPruner(MedianPruner(n_startup_trials=1), patience=1)
    losses = ["dice", "bce", worst]
    search = race(model_of(max_epochs=4), losses, n_trials=3, pruner=pruner)
    if isinstance(pruner, ThresholdPruner):
        with pytest.raises(ValueError, match="None of the 3 candidates succeeded:\n.*stopped in"):
            search.fit(*binary_scenes)
    else:
        search.fit(*binary_scenes)
        assert search.best_loss_ != "worst"
    results = search.cv_results_
    stopped = results["trial_state"] == "PRUNED"
    assert (results["n_epochs"][stopped] < 8).all()
    assert (results["n_epochs"][~stopped] == 8).all()
    assert all(reason.startswith("stopped ") for reason in results["reason"][stopped])
    reports = [len(trial.intermediate_values) for trial in search.study_.trials]
    if isinstance(pruner, NopPruner):
        assert not stopped.any()
        assert reports == [2, 2, 2]
    elif pruner is None:  # three candidates are too few to tell how much they vary
        assert not stopped.any()
        assert reports == [8, 8, 8]
    elif isinstance(pruner, (MedianPruner, SuccessiveHalvingPruner)):
        assert stopped[2]
        assert results["n_epochs"].sum() < 24
    else:
        assert reports == results["n_epochs"].tolist()


def test_a_loss_that_becomes_nan_is_told_and_passed_over(
    binary_scenes: Data,  # noqa: F811
) -> None:
    def hopeless(logits: Tensor, target: Tensor) -> Tensor:
        return (logits * float("nan")).mean()

    search = race(losses=[hopeless, "dice"], n_trials=2).fit(*binary_scenes)
    results = search.cv_results_
    assert results["loss"].tolist() == ["hopeless", "dice"]
    assert results["trial_state"].tolist() == ["PRUNED", "COMPLETE"]
    assert results["reason"][0].startswith("diverged in fold 1:")
    assert search.best_loss_ == "dice"
    assert list(search.best_per_loss_) == ["dice"]
    assert max(search.study_.trials[0].constraints.values()) > 0


def test_a_pipeline_and_further_parameters_are_searched(
    binary_scenes: Data,  # noqa: F811
) -> None:
    pipeline = make_pipeline(FunctionTransformer(), model_of())
    space = {"unetsegmenter__lr": (1e-4, 1e-2, "log"), "unetsegmenter__width": [1, 2]}
    search = race(pipeline, param_distributions=space, n_trials=4, pruner=NopPruner())
    search.fit(*binary_scenes)
    params = search.cv_results_["params"]
    assert [p["unetsegmenter__loss"] for p in params[:2]] == ["dice", "bce"]
    assert params[0]["unetsegmenter__lr"] == model_of().lr
    assert {p["unetsegmenter__width"] for p in params} <= {1, 2}
    assert search.predict(binary_scenes[0]).shape == binary_scenes[1].shape
    fitted = search.best_estimator_.named_steps["unetsegmenter"]
    assert fitted.loss == search.best_params_["unetsegmenter__loss"]


@pytest.mark.slow
def test_every_kind_of_loss_is_trained(binary_scenes: Data) -> None:  # noqa: F811
    def own(logits: Tensor, target: Tensor, power: float = 1.0) -> Tensor:
        return (logits.sigmoid() - target).abs().pow(power).mean()

    losses = [
        "dice",
        "dice+bce",
        FocalLoss,
        (FocalLoss(alpha=0.3), {"gamma": (0.5, 5.0)}),
        0.5 * DiceLoss() + FocalLoss(),
        torch.nn.BCEWithLogitsLoss(),
        torch.nn.SmoothL1Loss,
        own,
        (own, {"power": [0.5, 2.0]}),
    ]
    search = race(losses=losses, n_trials=len(losses), pruner=NopPruner()).fit(*binary_scenes)
    results = search.cv_results_
    assert results["trial_state"].tolist() == ["COMPLETE"] * len(losses)
    assert len(set(results["loss"])) == len(losses)
    assert search.best_params_["loss"] is not None
    assert set(search.best_per_loss_) == set(results["loss"])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["memmap", "list", "files", "dataset", "tensor"])
def test_images_come_in_every_form(
    binary_scenes: Data,  # noqa: F811
    tmp_path: Path,
    kind: str,
) -> None:
    X, y = binary_scenes
    expected = race(losses=["dice"], n_trials=1).fit(X, y).cv_results_["mean_test_score"]
    given: Any = X
    targets: Any = y
    if kind == "memmap":
        np.save(tmp_path / "X.npy", X)
        given = np.load(tmp_path / "X.npy", mmap_mode="r")
    elif kind == "list":
        given, targets = list(X), list(y)
    elif kind == "files":
        for k, image in enumerate(X):
            np.save(tmp_path / f"{k}.npy", image)
        given, targets = [str(tmp_path / f"{k}.npy") for k in range(len(X))], list(y)
    elif kind == "dataset":
        given, targets = TensorDataset(torch.from_numpy(X), torch.from_numpy(y)), None
    elif kind == "tensor":
        given, targets = torch.from_numpy(X), torch.from_numpy(y)
    search = race(losses=["dice"], n_trials=1).fit(given, targets)
    # Batches that are read one by one are drawn in another order.
    exact = kind in ("memmap", "tensor")
    found = search.cv_results_["mean_test_score"]
    assert found == pytest.approx(expected, abs=1e-9 if exact else 0.2)
    assert search.cv_results_["trial_state"][0] == "COMPLETE"


def test_masks_are_scored_with_the_users_metric(binary_scenes: Data) -> None:  # noqa: F811
    search = race(scoring={"iou": iou_scorer, "pixels": pixels}, refit="iou").fit(*binary_scenes)
    assert search.best_score_ == search.cv_results_["mean_test_iou"][search.best_index_]
    assert search.score(*binary_scenes) == iou_scorer(search.best_estimator_, *binary_scenes)


def pixels(model: Any, X: Array, y: Array) -> float:
    return float((model.predict(X) == y).mean())


def test_weights_of_samples_reach_every_fit(binary_scenes: Data) -> None:  # noqa: F811
    X, y = binary_scenes
    weights = np.ones(len(X))
    weights[::2] = 5.0
    one = race(losses=["dice"], n_trials=1).fit(X, y)
    other = race(losses=["dice"], n_trials=1).fit(X, y, sample_weight=weights)
    assert not np.array_equal(one.predict_proba(X), other.predict_proba(X))
    alone = model_of(random_state=0, loss="dice").fit(X, y, sample_weight=weights)
    assert np.array_equal(other.predict_proba(X), alone.predict_proba(X))


def test_losses_that_are_never_tried_are_named(binary_scenes: Data) -> None:  # noqa: F811
    search = race(losses=["dice", "bce", "focal"], n_trials=1)
    with pytest.warns(UserWarning, match="tries the first 1 of 3 losses .*: bce, focal"):
        search.fit(*binary_scenes)
    assert search.cv_results_["loss"].tolist() == ["dice"]
