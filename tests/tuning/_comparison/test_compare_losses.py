from __future__ import annotations

import contextlib
import gc
import json
import math
import os
import pickle
import signal
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, f1_score, log_loss, make_scorer
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch import NeuralNet
from torch import Tensor
from torch.utils.data import Dataset

from sklearnloss import ResNetClassifier, UNetSegmenter, compare_losses
from sklearnloss.datasets import load_nuclei
from sklearnloss.losses import CrossEntropyLoss, DiceLoss, FocalLoss
from sklearnloss.metrics import dice_scorer, iou_score
from sklearnloss.tuning import LossComparison
from sklearnloss.tuning._comparison.fit import device_of
from sklearnloss.tuning._comparison.settings import read_losses
from sklearnloss.tuning._comparison.splits import OnlySplits, make_splits

from ...estimators.conftest import Data, segmenter
from ...estimators.conftest import classifier as resnet

NAN = math.nan


def classifier(*args: Any, **params: Any) -> ResNetClassifier:
    """Return a classifier that trains a single step."""
    return resnet(*args, **{"batch_size": 64, **params})


def nan_loss(logits: Tensor, target: Tensor) -> Tensor:
    return logits.sum() * NAN


def broken_loss(logits: Tensor, target: Tensor) -> Tensor:
    raise RuntimeError("out of order")


class Counted:
    """A scorer that counts how many trained models it scores, and interrupts one call."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.calls = 0
        self.stop_at = stop_at

    def __call__(self, estimator: Any, X: Any, y: Any) -> float:
        if not isinstance(estimator.net_, NeuralNet):  # the constant answer
            return 0.0
        self.calls += 1
        if self.calls == self.stop_at:
            raise KeyboardInterrupt
        return float(estimator.score(X, y))

    def __repr__(self) -> str:
        return "Counted"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.slow
def test_losses_of_nuclei_are_compared() -> None:
    X, y, groups = (part[::2] for part in load_nuclei(border=False))
    model = UNetSegmenter(width=4, depth=1, max_epochs=1, batch_size=4, lr=1e-2)
    found = compare_losses(model, ["dice", "bce"], X, y, groups=groups, random_state=0, n_repeats=2)
    # Four groups can be held out in one way only, so the repeats are seeds.
    assert found.scores_.shape == (2, 4, 2)
    assert found.image_scores_ is not None
    assert found.image_scores_.shape == (2, len(X))
    assert np.isfinite(found.image_scores_).all()
    assert found.table_[0]["loss"] == found.best_
    (pair,) = found.pairs_
    assert pair["image_wins"] + pair["image_losses"] + pair["image_ties"] == len(X)
    assert len(found.worst_images_) == 10
    assert {picture.shape for picture in found.pictures_.values()} == {(64, 64)}


def test_each_score_is_that_of_a_fit_made_by_hand(digits: Data, tmp_path: Path) -> None:
    X, y = digits
    path = tmp_path / "fits.jsonl"
    settings = {"a": "brier", "b": {"loss": "focal", "loss__gamma": 3, "lr": 0.01}}
    cv = ShuffleSplit(2, test_size=0.3, random_state=1)
    found = compare_losses(classifier(), settings, X, y, cv=cv, random_state=0, storage=path)
    train, test = list(cv.split(X))[1]
    (line,) = [
        line
        for line in lines(path)[1:]
        if line["loss"] == "b" and line["scores"]["score"] == found.scores_[1, 1, 0]
    ]
    model = classifier("focal", loss__gamma=3, lr=0.01, random_state=line["random_state"])
    predicted = model.fit(X[train], y[train]).predict(X[test])
    assert found.scores_[1, 1, 0] == accuracy_score(y[test], predicted)
    assert line["images"] == (predicted == y[test]).tolist()


@pytest.mark.slow
def test_all_losses_get_the_same_splits_weights_and_batches(digits: Data) -> None:
    X, y = digits
    losses = {"name": "cross_entropy", "object": CrossEntropyLoss(), "class": CrossEntropyLoss}
    found = compare_losses(classifier(), losses, X, y, cv=2, n_seeds=2, random_state=0)
    np.testing.assert_array_equal(found.scores_[0], found.scores_[1])
    np.testing.assert_array_equal(found.scores_[0], found.scores_[2])
    assert {pair["outcome"] for pair in found.pairs_} == {"undecided"}
    assert "have the same score in every split" in found.pairs_[0]["verdict"]
    assert len(np.unique(found.scores_[0])) > 1  # while splits and seeds differ


def test_losses_are_labelled_by_what_they_are(digits: Data) -> None:
    X, y = digits
    losses = ["brier", FocalLoss(gamma=3), FocalLoss(gamma=3), torch.nn.CrossEntropyLoss]
    found = compare_losses(classifier(), losses, X, y, cv=2)
    assert found.labels_ == [
        "brier",
        "FocalLoss(gamma=3)",
        "FocalLoss(gamma=3)_2",
        "CrossEntropyLoss",
    ]


def test_names_in_a_pipeline_are_full_or_those_of_its_last_step(digits: Data) -> None:
    X, y = digits
    pipeline = make_pipeline(FunctionTransformer(), classifier())
    losses = {
        "short": {"loss": "focal", "loss__gamma": 3, "lr": 0.01},
        "full": {
            "resnetclassifier__loss": "focal",
            "resnetclassifier__loss__gamma": 3,
            "resnetclassifier__lr": 0.01,
            "functiontransformer__validate": False,
        },
    }
    weight = np.ones(len(X))
    found = compare_losses(pipeline, losses, X, y, cv=2, random_state=0, sample_weight=weight)
    assert found.settings_["short"]["resnetclassifier__lr"] == 0.01
    np.testing.assert_array_equal(found.scores_[0], found.scores_[1])
    bare = compare_losses(classifier(), {"it": losses["short"]}, X, y, cv=2, random_state=0)
    np.testing.assert_array_equal(found.scores_[0], bare.scores_[0])


def test_what_is_given_is_left_alone(digits: Data) -> None:
    X, y = digits
    model, loss = classifier("hinge"), FocalLoss(gamma=3)
    before, X_before = repr(model), X.copy()
    settings = {"focal": {"loss": loss, "loss__gamma": 1}}
    compare_losses(model, settings, X, y, cv=2)
    assert repr(model) == before
    assert loss.gamma == 3
    assert settings == {"focal": {"loss": loss, "loss__gamma": 1}}
    assert not hasattr(model, "net_")
    np.testing.assert_array_equal(X, X_before)


def test_sample_weights_reach_the_fit(digits: Data, tmp_path: Path) -> None:
    X, y = digits
    path, weight = tmp_path / "fits.jsonl", np.where(y == 0, 5.0, 0.5)
    settings: dict[str, Any] = {"cv": KFold(2), "random_state": 0, "scoring": "neg_log_loss"}
    found = compare_losses(
        classifier(), ["brier"], X, y, sample_weight=weight, storage=path, **settings
    )
    train, test = next(KFold(2).split(X))
    model = classifier("brier", random_state=lines(path)[1]["random_state"])
    model.fit(X[train], y[train], sample_weight=weight[train])
    assert found.scores_[0, 0, 0] == -log_loss(y[test], model.predict_proba(X[test]))


def splits_of(groups: Any = None, cv: Any = None, y: Any = None, **settings: Any) -> Any:
    defaults = {"n_repeats": None, "n_seeds": 1, "seed": 0}
    X = np.zeros((40, 8, 8))
    model = segmenter() if y is None else classifier()
    y = X if y is None else y
    return make_splits(model, X, y, groups=groups, cv=cv, **{**defaults, **settings})


def test_default_splits_are_repeated_folds_that_differ() -> None:
    plan = splits_of()
    assert len(plan.splits) == 15
    for repeat in range(3):
        tests = [test for _, test in plan.splits[5 * repeat : 5 * repeat + 5]]
        np.testing.assert_array_equal(np.sort(np.concatenate(tests)), np.arange(40))
    assert not np.array_equal(plan.splits[0][1], plan.splits[5][1])
    assert len(np.unique(plan.seeds)) == 15


def test_default_splits_of_labels_are_stratified() -> None:
    y = np.repeat([0, 1], [30, 10])
    for _, test in splits_of(y=y).splits:
        assert y[test].sum() == 2


def test_default_splits_keep_groups_together() -> None:
    groups = np.arange(40) // 4
    plan = splits_of(groups=groups)
    assert len(plan.splits) == 15
    assert plan.repeatable
    for train, test in plan.splits:
        assert not set(groups[train]) & set(groups[test])
    assert not np.array_equal(plan.splits[0][1], plan.splits[5][1])


def test_few_groups_are_held_out_once_each_with_several_seeds() -> None:
    plan = splits_of(groups=np.arange(40) % 4, n_seeds=2)
    assert len(plan.splits) == 4
    assert plan.seeds.shape == (4, 6)
    assert not plan.repeatable


def test_more_repeats_and_seeds_leave_the_first_as_they_were() -> None:
    few, many = splits_of(n_repeats=1), splits_of(n_repeats=4, n_seeds=3)
    for (_, test), (_, same) in zip(few.splits, many.splits, strict=False):
        np.testing.assert_array_equal(test, same)
    np.testing.assert_array_equal(few.seeds, many.seeds[:5, :1])


@pytest.mark.parametrize(
    ("cv", "groups", "n"),
    [(3, None, 3), (GroupKFold(4), np.arange(40) % 4, 4), ([(range(20), range(20, 40))], None, 1)],
)
def test_splits_that_are_given_are_taken(cv: Any, groups: Any, n: int) -> None:
    assert len(splits_of(cv=cv, groups=groups).splits) == n


def test_splits_may_be_the_only_ones() -> None:
    halves = [(np.arange(20), np.arange(20, 40)), (np.arange(20, 40), np.arange(20))]
    assert splits_of(cv=halves).repeatable
    assert not splits_of(cv=OnlySplits(halves)).repeatable


def test_splits_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="groups holds only one group"):
        splits_of(groups=np.zeros(40))
    with pytest.raises(ValueError, match="n_repeats=0: expected an int of at least 1"):
        splits_of(n_repeats=0)
    with pytest.raises(ValueError, match="n_repeats=2 repeats the default folds, but cv=3 was"):
        splits_of(cv=3, n_repeats=2)
    with pytest.raises(ValueError, match="holds no splits"):
        splits_of(cv=[])


@pytest.mark.slow
def test_of_several_scorers_the_first_decides(scenes: Data) -> None:
    X, y = scenes
    scoring = {"dice": dice_scorer, "iou": make_scorer(iou_score)}
    found = compare_losses(
        segmenter(max_epochs=2), ["dice", "bce"], X, y, cv=3, scoring=scoring, random_state=0
    )
    alone = compare_losses(
        segmenter(max_epochs=2), ["dice", "bce"], X, y, cv=3, scoring=dice_scorer, random_state=0
    )
    np.testing.assert_array_equal(found.scores_, alone.scores_)
    assert list(found.all_scores_) == ["dice", "iou"]
    assert list(alone.all_scores_) == ["dice_score"]
    for row in found.table_:
        k = found.labels_.index(row["loss"])
        assert row["mean"] == pytest.approx(found.all_scores_["dice"][k].mean())
        assert row["mean_iou"] == pytest.approx(found.all_scores_["iou"][k].mean())
    assert found.table_[0]["mean"] >= found.table_[1]["mean"]


def test_a_scorer_may_return_several_scores(digits: Data, tmp_path: Path) -> None:
    def both(estimator: Any, X: Any, y: Any) -> dict[str, float]:
        return {"second": len(X), "accuracy": estimator.score(X, y)}

    path = tmp_path / "fits.jsonl"
    found = compare(digits, path, both, {"nan": nan_loss, "fine": "brier"})
    assert list(found.all_scores_) == ["second", "accuracy"]
    assert (found.scores_[1] == 30).all()
    alone = compare(digits, None, "accuracy", ["brier"])
    np.testing.assert_array_equal(found.all_scores_["accuracy"][1], alone.scores_[0])
    assert "second" in found.summary()
    assert_same(compare(digits, path, both, {"nan": nan_loss, "fine": "brier"}), found)


def test_a_scorer_without_any_score_is_a_failure(digits: Data) -> None:
    with pytest.raises(ValueError, match=r"dict returned no scores\. Expected a number"):
        compare(digits, None, {"dict": lambda *args: {}}, error_score="raise")


def test_scorers_of_one_function_are_numbered(digits: Data) -> None:
    scoring = [make_scorer(f1_score, average=each) for each in ("macro", "micro")]
    found = compare(digits, None, scoring, ["brier"])
    assert list(found.all_scores_) == ["f1_score", "f1_score_2"]
    alone = compare(digits, None, "accuracy", ["brier"])  # the same as micro
    np.testing.assert_allclose(found.all_scores_["f1_score_2"], alone.scores_)


@pytest.mark.slow
def test_memory_is_given_back_when_a_fit_that_had_too_little_is_gone(
    digits: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: weakref.WeakSet[Any] = weakref.WeakSet()
    alive = []

    def too_little(estimator: Any, X: Any, y: Any) -> float:
        fitted.add(estimator)
        raise torch.OutOfMemoryError("CUDA out of memory")

    def empty_cache() -> None:
        gc.collect()
        alive.append(len(fitted))

    monkeypatch.setattr(torch.cuda, "empty_cache", empty_cache)
    with pytest.raises(ValueError, match="The first one: OutOfMemoryError: CUDA out of memory"):
        compare(digits, None, too_little)
    assert alive == [0, 0, 0, 0]


def test_losses_of_a_set_are_in_one_order(digits: Data) -> None:
    assert compare(digits, None, losses={"focal", "brier"}).labels_ == ["brier", "focal"]


def test_names_of_scorers_may_be_listed(digits: Data) -> None:
    X, y = digits
    scoring = ["balanced_accuracy", "neg_log_loss"]
    found = compare_losses(classifier(), ["brier"], X, y, cv=2, scoring=scoring)
    assert list(found.all_scores_) == scoring
    assert found.pairs_ == []
    assert found.table_[0]["p_best"] == 1


@pytest.mark.parametrize(
    ("scoring", "error", "message"),
    [([], ValueError, "scoring is empty"), (3, TypeError, "expected a name, a callable"),
     ("acuracy", ValueError, "acuracy")],
)  # fmt: skip
def test_unusable_scoring_is_refused(
    digits: Data, scoring: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        compare_losses(classifier(), ["brier"], *digits, scoring=scoring)


def test_a_loss_that_diverges_gets_no_score_and_no_verdict(digits: Data) -> None:
    X, y = digits
    found = compare_losses(classifier(), ["brier", nan_loss], X, y, cv=2, random_state=0)
    best, worst = found.table_
    assert (best["loss"], best["diverged"], best["failed"]) == ("brier", 0, 0)
    assert (worst["loss"], worst["diverged"], worst["failed"]) == ("nan_loss", 2, 0)
    assert math.isnan(worst["mean"])
    assert math.isnan(worst["p_best"])
    assert "became nan in epoch 1" in worst["reasons"][0]
    (pair,) = found.pairs_
    assert pair["outcome"] == "failed"
    assert pair["verdict"] == ("no verdict on brier and nan_loss: nan_loss diverged in 2 of 2 fits")
    assert found.best_ == "brier"
    assert "diverged in 2 of 2 fits" in found.summary()


def test_a_number_for_failures_never_helps(digits: Data) -> None:
    X, y = digits
    found = compare_losses(
        classifier(), ["brier", broken_loss], X, y, cv=2, error_score=1.0, random_state=0
    )
    worst = found.scores_[0].min()
    np.testing.assert_array_equal(found.scores_[1], worst)
    row = next(row for row in found.table_ if row["loss"] == "broken_loss")
    assert row["failed"] == 2
    (reason,) = row["reasons"]
    assert reason.startswith("RuntimeError: ")
    assert "out of order" in reason
    assert "broken_loss failed in 2 of 2 fits" in found.pairs_[0]["verdict"]


def test_errors_can_be_raised(digits: Data) -> None:
    with pytest.raises(RuntimeError, match="out of order"):
        compare_losses(classifier(), [broken_loss], *digits, cv=2, error_score="raise")


def test_nothing_that_finishes_is_an_error(digits: Data) -> None:
    with pytest.raises(ValueError, match="None of the 2 fits finished.*out of order"):
        compare_losses(classifier(), [broken_loss], *digits, cv=2)


def undefined_for_hinge(model: Any, X: Any, y: Any) -> float:
    return NAN if model.loss == "hinge" else 0.5


def test_a_score_of_nan_is_undefined_and_not_tried_again(digits: Data, tmp_path: Path) -> None:
    path, losses = tmp_path / "fits.jsonl", ["brier", "hinge"]
    found = compare(digits, path, undefined_for_hinge, losses)
    row = found.table_[1]
    assert (row["undefined"], row["failed"], row["diverged"]) == (2, 0, 0)
    assert row["reasons"] == ["undefined_for_hinge is nan on the held-out part."]
    assert "hinge undefined in 2 of 2 fits" in found.pairs_[0]["verdict"]
    before = path.read_bytes()
    assert_same(compare(digits, path, undefined_for_hinge, losses), found)
    assert path.read_bytes() == before


def test_default_folds_with_groups_are_stratified_as_in_a_search() -> None:
    # 20 groups of 5 images; the rare class is in 5 of the groups only.
    groups = np.repeat(np.arange(20), 5)
    y = (groups % 4 == 0).astype(int)
    plan = make_splits(classifier(), y, y, groups=groups, cv=None, n_repeats=2, n_seeds=1, seed=0)
    assert [int(y[test].sum()) for _, test in plan.splits] == [5] * 10
    for train, test in plan.splits:
        assert not set(groups[train]) & set(groups[test])
    one = sorted(plan.splits[0][1].tolist())
    assert one not in [sorted(test.tolist()) for _, test in plan.splits[5:]]  # shuffled anew


@pytest.mark.slow
@pytest.mark.parametrize("scoring", [None, "balanced_accuracy"])
def test_a_constant_answer_is_a_baseline(digits: Data, scoring: Any) -> None:
    X, y = digits
    y = np.where(y == 0, "rare", "common")
    cv = StratifiedKFold(3)
    found = compare_losses(
        classifier(), ["cross_entropy", "bce"], X, y, cv=cv, scoring=scoring, random_state=0
    )
    dummy = cross_val_score(DummyClassifier(), X.reshape(len(X), -1), y, cv=cv, scoring=scoring)
    (score,) = found.baseline_.values()
    assert score == pytest.approx(dummy.mean())


def test_masks_have_a_constant_answer_scored_as_the_estimator_scores(scenes: Data) -> None:
    X, y = scenes
    y = y.copy()
    y[:, :3] = 255  # ignored
    model = segmenter(ignore_index=255)
    cv = [(np.arange(8), np.arange(8, 12)), (np.arange(4, 12), np.arange(4))]
    found = compare_losses(model, ["dice"], X, y, cv=cv, random_state=0)
    expected: Any = [iou_score(y[test], np.zeros_like(y[test]), ignore_index=255) for _, test in cv]
    assert found.baseline_["score"] == pytest.approx(np.mean(expected))


def test_networks_that_learn_nothing_are_said_to_learn_nothing(
    digits: Data, tmp_path: Path
) -> None:
    X, y = digits
    found = compare_losses(
        classifier(lr=1e-12), ["cross_entropy", "focal"], X, y, cv=3, random_state=0, rope=0.1
    )
    assert found.learned_ is False
    assert found.summary().startswith("Nothing was learned: the best loss, cross_entropy, ")
    page = found.to_html(tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Nothing was learned" in page


def test_the_second_of_two_comparisons_on_one_file_waits_for_the_first(
    digits: Data, tmp_path: Path
) -> None:
    path = tmp_path / "fits.jsonl"
    begun, may_end = threading.Event(), threading.Event()

    def pausing(model: Any, X: Any, y: Any) -> float:
        begun.set()
        assert may_end.wait(600)
        return float(model.score(X, y))

    pausing.__qualname__ = "scorer"
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(compare, digits, path, pausing)
        assert begun.wait(600)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            second = pool.submit(compare, digits, path, pausing)
            while not caught and not second.done():
                may_end.wait(0.01)
            may_end.set()
            assert_same(second.result(), first.result())
    assert "Another comparison is running" in str(caught[0].message)
    assert len(lines(path)) == 1 + 4


LOSSES = ["brier", "focal"]


def compare(
    digits: Data, path: Path | None, scoring: Any = None, losses: Any = LOSSES, **settings: Any
) -> LossComparison:
    defaults = {"cv": KFold(2), "random_state": 0}
    found: LossComparison = compare_losses(
        classifier(), losses, *digits, storage=path, scoring=scoring, **{**defaults, **settings}
    )
    return found


def assert_same(one: LossComparison, other: LossComparison) -> None:
    """Compare all but times."""
    np.testing.assert_array_equal(one.scores_, other.scores_)
    np.testing.assert_array_equal(one.image_scores_, other.image_scores_)
    assert repr(one.pairs_) == repr(other.pairs_)  # nan is not equal to itself


@pytest.mark.slow
@pytest.mark.parametrize("stop_at", [1, 2, 4])
def test_an_interrupted_comparison_goes_on_as_if_it_had_not_been(
    digits: Data, tmp_path: Path, stop_at: int
) -> None:
    path = tmp_path / "new" / "fits.jsonl"
    with pytest.raises(KeyboardInterrupt) as stopped:
        compare(digits, path, Counted(stop_at))
    assert "the same call resumes" in stopped.value.__notes__[0]
    assert len(lines(path)) == stop_at  # the first line says what it is about
    scorer = Counted()
    resumed = compare(digits, path, scorer)
    assert scorer.calls == 4 - (stop_at - 1)
    assert_same(resumed, compare(digits, None, Counted()))
    again = Counted()
    assert_same(compare(digits, path, again), resumed)
    assert again.calls == 0


@pytest.mark.slow
@pytest.mark.usefixtures("heeded")
@pytest.mark.parametrize("breaks", [False, True])
def test_ctrl_c_that_ends_one_training_ends_the_comparison(
    digits: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, breaks: bool
) -> None:
    fit, path, count = ResNetClassifier.fit, tmp_path / "fits.jsonl", iter(range(100))

    def swallowing(self: Any, X: Any, y: Any) -> Any:
        if next(count) != 2:
            return fit(self, X, y)
        with contextlib.suppress(KeyboardInterrupt):  # as skorch's nets do
            os.kill(os.getpid(), signal.SIGINT)
        if breaks:
            raise FloatingPointError("cut short")
        return fit(self, X, y)

    with monkeypatch.context() as patch:
        patch.setattr(ResNetClassifier, "fit", swallowing)
        with pytest.raises(KeyboardInterrupt) as stopped:
            compare(digits, path)
    assert "the same call resumes" in stopped.value.__notes__[0]
    assert [line["status"] for line in lines(path)[1:]] == ["ok", "ok"]
    assert_same(compare(digits, path), compare(digits, None))


def test_a_torn_last_line_costs_one_fit(digits: Data, tmp_path: Path) -> None:
    path = tmp_path / "fits.jsonl"
    whole = compare(digits, path, Counted())
    path.write_bytes(path.read_bytes()[:-20])
    scorer = Counted()
    assert_same(compare(digits, path, scorer), whole)
    assert scorer.calls == 1
    assert len(lines(path)) == 5


@pytest.mark.slow
@pytest.mark.parametrize("left", [0, 5, 30])
def test_a_torn_first_line_costs_nothing(digits: Data, tmp_path: Path, left: int) -> None:
    path = tmp_path / "fits.jsonl"
    whole = compare(digits, path)
    path.write_bytes(path.read_bytes()[:left])
    assert_same(compare(digits, path), whole)


@pytest.mark.slow
def test_more_losses_repeats_and_seeds_build_on_what_is_there(digits: Data, tmp_path: Path) -> None:
    path = tmp_path / "fits.jsonl"
    few = compare(digits, path, Counted(), losses=["brier"], cv=None, n_repeats=1)
    scorer = Counted()
    more = compare(digits, path, scorer, cv=None, n_repeats=2, n_seeds=2)
    assert scorer.calls == 2 * 10 * 2 - 5
    np.testing.assert_array_equal(more.scores_[:1, :5, :1], few.scores_)


@pytest.mark.slow
def test_without_a_seed_a_storage_remembers_its_own(digits: Data, tmp_path: Path) -> None:
    path = tmp_path / "fits.jsonl"
    scorer = Counted()
    one = compare(digits, path, scorer, cv=None, n_repeats=1, random_state=None)
    other = compare(digits, path, scorer, cv=None, n_repeats=1, random_state=None)
    assert scorer.calls == 10
    assert_same(one, other)


def test_fits_that_failed_are_tried_again_unless_they_diverged(
    digits: Data, tmp_path: Path
) -> None:
    path = tmp_path / "fits.jsonl"
    losses = {"fine": "brier", "nan": nan_loss, "broken": broken_loss}
    compare(digits, path, losses=losses)
    before = len(lines(path))
    again = compare(digits, path, losses=losses)
    assert len(lines(path)) == before + 2
    assert {row["loss"]: row["failed"] for row in again.table_}["broken"] == 2


def make_loss(factor: float) -> Callable[[Tensor, Tensor], Tensor]:
    def loss(logits: Tensor, target: Tensor) -> Tensor:
        return factor * torch.nn.functional.cross_entropy(logits, target)

    return loss


@pytest.mark.slow
def test_a_changed_loss_is_fitted_anew(digits: Data, tmp_path: Path) -> None:
    path = tmp_path / "fits.jsonl"
    for losses, expected in [
        ({"mine": make_loss(1.0)}, 2),
        ({"mine": make_loss(1.0)}, 0),
        ({"mine": make_loss(-1.0)}, 2),
        ({"mine": FocalLoss(gamma=1)}, 2),
        ({"mine": FocalLoss(gamma=2)}, 2),
        ({"mine": {"loss": FocalLoss(gamma=2), "lr": 0.1}}, 2),
    ]:
        scorer = Counted()
        compare(digits, path, scorer, losses=losses)
        assert scorer.calls == expected


def test_losses_that_look_the_same_are_kept_apart(digits: Data) -> None:
    X, y = digits
    losses = {"up": make_loss(1.0), "down": make_loss(-1.0)}
    found = compare_losses(classifier(max_epochs=5), losses, X, y, cv=2, random_state=0)
    assert found.scores_[0].mean() > found.scores_[1].mean()


def other_data(digits: Data, path: Path) -> None:
    compare((digits[0] + 1, digits[1]), path)


def fewer_images(digits: Data, path: Path) -> None:
    compare((digits[0][:40], digits[1][:40]), path)


def other_labels(digits: Data, path: Path) -> None:
    compare((digits[0], digits[1].tolist()), path)


def other_groups(digits: Data, path: Path) -> None:
    compare(digits, path, cv=GroupKFold(3), groups=np.arange(60))


def other_estimator(digits: Data, path: Path) -> None:
    compare_losses(classifier(width=8), LOSSES, *digits, storage=path, cv=KFold(2), random_state=0)


def other_scoring(digits: Data, path: Path) -> None:
    compare(digits, path, "balanced_accuracy")


def other_image_scores(digits: Data, path: Path) -> None:
    compare(digits, path, per_image=False)


def other_data_and_seed(digits: Data, path: Path) -> None:
    compare((digits[0] + 1, digits[1]), path, random_state=1)


def other_random_state(digits: Data, path: Path) -> None:
    compare(digits, path, random_state=1)


def other_splits(digits: Data, path: Path) -> None:
    compare(digits, path, cv=KFold(2, shuffle=True, random_state=1))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("begin", "message"),
    [
        (other_data, "another comparison: data: X has other values. Pass"),
        (fewer_images, "another comparison: data: 40 -> 60 images. Pass"),
        (other_labels, r"data: y list of 60 -> int64 of shape \(60,\). Pass"),
        (other_groups, r"data: groups int64 of shape \(60,\) -> none. Pass"),
        (other_estimator, "another comparison: estimator: width 8 -> 4. Pass"),
        (other_scoring, "another comparison: scoring 'balanced_accuracy' -> None. Pass"),
        (other_image_scores, "scoring None, per_image=False -> None. Pass"),
        (other_random_state, "another comparison: random_state 1 -> 0. Pass"),
        (other_data_and_seed, "data: X has other values; random_state 1 -> 0. Pass"),
        (other_splits, "holds fits on other splits"),
    ],
)
def test_a_storage_of_something_else_is_refused(
    digits: Data, tmp_path: Path, begin: Callable[[Data, Path], None], message: str
) -> None:
    path = tmp_path / "fits.jsonl"
    begin(digits, path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=message):
        compare(digits, path)
    assert path.read_bytes() == before


class Same(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    def fit(self, X: Any, y: Any = None) -> Any:
        self.fitted_ = True
        return self

    def transform(self, X: Any) -> Any:
        return X


class Inverted(Same):
    def transform(self, X: Any) -> Any:
        return X.max() - X


def test_a_storage_of_another_pipeline_is_refused(digits: Data, tmp_path: Path) -> None:
    settings = {"losses": ["brier"], "storage": tmp_path / "fits.jsonl", "cv": KFold(2)}

    def run(*steps: Any) -> None:
        pipeline = Pipeline([*zip("ab", steps, strict=True), ("net", classifier())])
        compare_losses(pipeline, X=digits[0], y=digits[1], random_state=0, **settings)

    run(Same(), Inverted())
    run(Same(), Inverted())
    for steps, what in (
        ((Inverted(), Same()), "estimator: a Same -> Inverted; estimator: b Inverted -> Same"),
        ((Same(), Same()), "estimator: b Inverted -> Same"),
    ):
        with pytest.raises(ValueError, match=f"another comparison: {what}. Pass"):
            run(*steps)


def test_a_storage_of_an_older_version_is_resumed_or_refused(digits: Data, tmp_path: Path) -> None:
    path = tmp_path / "fits.jsonl"
    before = compare(digits, path, losses=["brier"])
    header, *fits = path.read_text().splitlines(keepends=True)
    old = {name: value for name, value in json.loads(header).items() if name != "details"}
    path.write_text("".join([json.dumps(old) + "\n", *fits]))
    content = path.read_bytes()
    assert_same(compare(digits, path, losses=["brier"]), before)
    with pytest.raises(ValueError, match="another comparison: other data, scoring. Pass"):
        compare((digits[0] + 1, digits[1]), path, "balanced_accuracy", losses=["brier"])
    assert path.read_bytes() == content


def test_a_refused_storage_is_told_by_learning_rate_data_and_scoring(
    digits: Data, tmp_path: Path
) -> None:
    path = tmp_path / "fits.jsonl"
    X, y = digits
    model, settings = classifier(), {"cv": KFold(2), "random_state": 0, "storage": path}
    compare_losses(model.set_params(lr=0.003), ["brier"], X, y, **settings)
    what = "data: 60 -> 40 images; estimator: lr 0.003 -> 0.01; scoring None -> 'accuracy'. Pass"
    with pytest.raises(ValueError, match=f"another comparison: {what}"):
        compare_losses(
            model.set_params(lr=0.01), ["brier"], X[:40], y[:40], scoring="accuracy", **settings
        )


def test_a_storage_holds_for_other_devices_seeds_and_progress(digits: Data, tmp_path: Path) -> None:
    path, settings = tmp_path / "fits.jsonl", {"cv": KFold(2), "random_state": 0}
    before = compare(digits, path, "accuracy")
    model = classifier(device="cpu", verbose=1, random_state=5)
    length = len(lines(path))
    found = compare_losses(model, LOSSES, *digits, storage=path, scoring="accuracy", **settings)
    assert_same(found, before)
    assert len(lines(path)) == length


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name,score\n", "was not written by compare_losses, or is damaged: line 1"),
        (b'{"some": "json"}\n{"a', "was not written by compare_losses."),
        (b"no lines", "was not written by compare_losses"),
        (b'{"sklearnloss comparison": 99}\n', "has version 99 of the format"),
    ],
)
def test_a_file_of_another_kind_is_refused_and_kept(
    digits: Data, tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "fits.jsonl"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        compare(digits, path)
    assert path.read_bytes() == content


def test_a_damaged_line_is_refused(digits: Data, tmp_path: Path) -> None:
    path = tmp_path / "fits.jsonl"
    compare(digits, path)
    content = path.read_bytes().split(b"\n")
    content[2] = content[2][:10]
    path.write_bytes(b"\n".join(content))
    with pytest.raises(ValueError, match="is damaged: line 3 is not a JSON object"):
        compare(digits, path)


@pytest.mark.slow
def test_several_processes_find_the_same(digits: Data, tmp_path: Path) -> None:
    path = tmp_path / "fits.jsonl"
    losses = {"brier": "brier", "nan": nan_loss}
    alone = compare(digits, None, losses=losses)
    assert_same(compare(digits, path, losses=losses, n_jobs=2), alone)
    assert len(lines(path)) == 5


def test_fits_side_by_side_take_turns_on_several_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    pipeline = make_pipeline(FunctionTransformer(), classifier())
    devices = [device_of(pipeline, number) for number in range(3)]
    assert devices == [{"resnetclassifier__device": f"cuda:{k}"} for k in (0, 1, 0)]
    assert device_of(classifier(device="cpu"), 1) == {}
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert device_of(classifier(), 1) == {}


class Pairs(Dataset[tuple[Tensor, Any]]):
    """A data set that has its targets."""

    def __init__(self, X: Any, y: Any) -> None:
        self.X, self.y = torch.as_tensor(X), y

    def __len__(self) -> int:
        return len(self.X)

    def __getitem__(self, position: int) -> tuple[Tensor, Any]:
        return self.X[position], self.y[position]


def data_sets(X: Any, y: Any) -> Iterator[tuple[Any, Any]]:
    yield torch.as_tensor(X), y
    yield list(X), list(y)
    yield Pairs(X, y), None


@pytest.mark.slow
def test_data_may_be_tensors_lists_or_datasets(scenes: Data, tmp_path: Path) -> None:
    X, y = scenes
    expected = compare_losses(segmenter(), ["dice", "bce"], X, y, cv=KFold(2), random_state=0)
    for number, (images, masks) in enumerate(data_sets(X, y)):
        path = tmp_path / f"{number}.jsonl"
        found = compare_losses(
            segmenter(), ["dice", "bce"], images, masks, cv=KFold(2), random_state=0, storage=path
        )
        np.testing.assert_allclose(found.scores_, expected.scores_, atol=1e-6)
        assert found.image_scores_ == pytest.approx(expected.image_scores_, abs=1e-6)
        assert set(found.pictures_) == set(expected.pictures_)


def test_a_dataset_of_labels_is_compared(digits: Data) -> None:
    X, y = digits
    data = Pairs(X[:, None], y.tolist())
    expected = compare_losses(classifier(), ["brier"], X, y, cv=KFold(2), random_state=0)
    found = compare_losses(classifier(), ["brier"], data, cv=KFold(2), random_state=0)
    np.testing.assert_array_equal(found.scores_, expected.scores_)
    np.testing.assert_array_equal(found.image_scores_, expected.image_scores_)


def test_images_are_scored_by_the_fits_that_did_not_see_them(scenes: Data, tmp_path: Path) -> None:
    X, y = scenes
    path = tmp_path / "fits.jsonl"
    cv = KFold(3)
    found = compare_losses(segmenter(), ["dice"], X, y, cv=cv, random_state=0, storage=path)
    (train, test), line = next(cv.split(X)), lines(path)[1]
    model = segmenter("dice", random_state=line["random_state"]).fit(X[train], y[train])
    expected = [
        # One image by itself: labels that are neither there nor predicted do not count.
        model.score(X[[k]], y[[k]])
        for k in test
    ]
    assert found.image_scores_ is not None
    np.testing.assert_allclose(found.image_scores_[0, test], expected, atol=1e-6)


def test_images_need_not_be_scored(scenes: Data) -> None:
    found = compare_losses(segmenter(), ["dice", "bce"], *scenes, cv=2, per_image=False)
    assert found.image_scores_ is None
    assert found.worst_images_ == []
    assert "image_wins" not in found.pairs_[0]


@pytest.mark.slow
def test_progress_is_shown_on_request(digits: Data, capsys: pytest.CaptureFixture[str]) -> None:
    compare(digits, None)
    assert capsys.readouterr() == ("", "")
    compare(digits, None, verbose=1)
    assert "4/4" in capsys.readouterr().err
    compare(digits, None, losses={"brier": "brier", "nan": nan_loss}, verbose=2)
    shown = "".join(capsys.readouterr())
    assert "split 0, seed 0, brier: score 0." in shown
    assert "split 1, seed 0, nan: diverged: The loss became nan" in shown


@pytest.mark.parametrize(
    ("losses", "error", "message"),
    [
        ("dice", TypeError, "expected a list of losses such as"),
        (None, TypeError, "losses=None: expected a list"),
        ([], ValueError, "losses is empty"),
        ([{"loss": "dice"}], TypeError, "without a label"),
        (["dise"], ValueError, "losses['dise']: Unknown loss 'dise'"),
        ({"a": {"loss": "dice", "loss__gama": 1}}, ValueError, "losses['a']: Invalid parameter"),
        ({"a": {"los": "dice"}}, ValueError, "losses['a']: Invalid parameter 'los'"),
        ([torch.nn.NLLLoss()], ValueError, "NLLLoss"),
    ],
)
def test_what_is_no_loss_is_refused_before_any_fit(
    digits: Data, losses: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as raised:
        compare_losses(classifier(), losses, *digits)
    assert message in str(raised.value)


def test_other_estimators_are_refused(digits: Data) -> None:
    from sklearn.linear_model import LogisticRegression

    with pytest.raises(TypeError, match="has no loss to choose"):
        compare_losses(LogisticRegression(), ["dice"], *digits)


def test_labels_that_read_alike_or_are_blank_are_refused(digits: Data) -> None:
    alike: dict[Any, str] = {1: "dice", "1": "brier"}
    with pytest.raises(ValueError, match="losses holds '1' twice, once as str"):
        compare_losses(classifier(), alike, *digits)
    with pytest.raises(ValueError, match="scoring holds '1' twice"):
        compare_losses(classifier(), ["dice"], *digits, scoring=dict.fromkeys(alike, "accuracy"))
    with pytest.raises(ValueError, match="losses holds a blank name"):
        compare_losses(classifier(), {" ": "dice"}, *digits)


def test_a_seed_for_one_of_the_losses_is_refused(digits: Data) -> None:
    losses = {"dice, again": {"loss": "dice", "random_state": 3}}
    with pytest.raises(ValueError, match="all losses are trained with the same seeds"):
        compare_losses(classifier(), losses, *digits)


def test_a_long_label_is_cut_but_not_dropped() -> None:
    loss = "dice+cross_entropy+focal_tversky+generalized_dice+label_smoothing"
    assert list(read_losses(classifier(), [loss])) == [loss[:57] + "..."]


@pytest.mark.parametrize("score", ["good", None, [0.5], np.array([0.5, 0.6]), 1j, torch.ones(2)])
def test_a_scorer_that_returns_no_number_is_named(digits: Data, score: Any) -> None:
    with pytest.raises(ValueError, match=r"The scorer accurate returned .*Expected a number"):
        compare_losses(classifier(), ["brier"], *digits, cv=2, scoring={"accurate": Fixed(score)})


@pytest.mark.parametrize("score", [0.5, True, np.float32(0.5), np.array([0.5]), torch.ones(1, 1)])
def test_a_scorer_may_return_a_number_of_any_type(digits: Data, score: Any) -> None:
    found = compare_losses(classifier(), ["brier"], *digits, cv=2, scoring=Fixed(score))
    assert found.scores_.ravel().tolist() == [np.asarray(score).item()] * 2


class Fixed:
    """A scorer that returns what it was made with."""

    def __init__(self, score: Any) -> None:
        self.score = score

    def __call__(self, model: Any, X: Any, y: Any) -> Any:
        return self.score


def test_splits_given_as_masks_are_those_of_their_positions(digits: Data) -> None:
    train = np.arange(len(digits[1])) % 4 > 0
    masks = compare_losses(classifier(), ["brier"], *digits, cv=[(train, ~train)], random_state=0)
    splits = [(np.flatnonzero(train), np.flatnonzero(~train))]
    expected = compare_losses(classifier(), ["brier"], *digits, cv=splits, random_state=0)
    assert masks.fits_.ratio == expected.fits_.ratio == pytest.approx(1 / 3, abs=0.03)
    assert_array_equal(masks.image_scores_, expected.image_scores_)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rope": -1}, "rope=-1: expected a number of at least 0"),
        ({"error_score": "rise"}, "error_score='rise': expected a finite number, nan or 'raise'"),
        ({"error_score": -np.inf}, "error_score=-inf: expected a finite number"),
        ({"n_seeds": 0}, "n_seeds=0: expected an int of at least 1"),
        ({"n_seeds": None}, "n_seeds=None: expected an int of at least 1"),
        ({"n_repeats": 1.5}, "n_repeats=1.5: expected an int of at least 1"),
        ({"n_repeats": "3"}, "n_repeats='3': expected an int of at least 1"),
        ({"n_jobs": 0}, "n_jobs=0: expected a number of processes"),
        ({"n_jobs": "2"}, "n_jobs='2': expected a number of processes"),
        ({"n_jobs": 1.5}, "n_jobs=1.5: expected a number of processes"),
    ],
)
def test_illegal_numbers_are_refused(digits: Data, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compare_losses(classifier(), ["brier"], *digits, **settings)


def test_auto_is_a_loss_to_compare(scenes: Data) -> None:
    found = compare_losses(segmenter(), ["auto", DiceLoss()], *scenes, cv=2)
    assert found.labels_ == ["auto", "DiceLoss()"]


def test_a_comparison_can_be_pickled(digits: Data) -> None:
    found = compare(digits, None)
    again = pickle.loads(pickle.dumps(found))
    assert again.summary() == found.summary()
    assert_same(again, found)


def test_a_clone_of_a_fitted_estimator_is_compared(digits: Data) -> None:
    X, y = digits
    fitted = classifier().fit(X, y)
    one = compare_losses(fitted, ["brier"], X, y, cv=2, random_state=0)
    other = compare_losses(clone(fitted), ["brier"], X, y, cv=2, random_state=0)
    np.testing.assert_array_equal(one.scores_, other.scores_)


def test_a_backend_that_cannot_give_results_as_they_finish_is_refused(digits: Data) -> None:
    with (
        joblib.parallel_config(backend="multiprocessing"),
        pytest.raises(ValueError, match="as they finish.*backend='loky'"),
    ):
        compare_losses(classifier(), LOSSES, *digits, cv=2, n_jobs=2)


@pytest.mark.parametrize(
    "storage", ["postgresql://me:secret@host/db", "sqlite:///fits.db", "postgresql:/me:secret@host"]
)
def test_the_address_of_a_database_is_refused_before_anything_is_written(
    storage: str, digits: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="address of a database") as refused:
        compare_losses(classifier(), LOSSES, *digits, cv=2, storage=storage)
    assert "secret" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_a_finished_comparison_is_read_from_a_file_that_cannot_be_written(
    digits: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "fits.jsonl"
    found = compare(digits, path)
    real = open

    def read_only(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if "a" in mode and str(file) == str(path):
            raise OSError(30, "Read-only file system")
        return real(file, mode, *args, **kwargs)

    monkeypatch.setattr("builtins.open", read_only)
    assert_same(compare(digits, path), found)
