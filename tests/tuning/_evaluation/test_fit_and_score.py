from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import check_scoring, get_scorer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC
from torch.utils.data import TensorDataset

from sklearnloss.estimators._data.rows import Rows
from sklearnloss.metrics import dice_scorer
from sklearnloss.tuning._evaluation.fit_and_score import FitData, FoldFit, seed_estimator, take
from sklearnloss.tuning._evaluation.interrupts import noting_interrupts

from ...estimators.conftest import Data, binary_scenes, scenes, segmenter  # noqa: F401

TRAIN, TEST = np.array([0, 1, 2, 4]), np.array([3, 5])


def data_of(estimator: Any, X: Any, y: Any, scorer: Any = None, **params: Any) -> FitData:
    scorer = check_scoring(estimator) if scorer is None else scorer
    return FitData(estimator, X, y, scorer, **{"fit_params": {}, "score_params": {}, **params})


class Recorder(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Keeps what it is fitted to."""

    def __init__(self, value: Any = 0, random_state: Any = None) -> None:
        self.value = value
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Recorder:
        if isinstance(self.value, BaseException):
            raise self.value
        self.seen_ = (X, y, sample_weight)
        return self

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        return float(np.sum(X))


NUMBERS = np.arange(6.0).reshape(6, 1)


def test_a_fold_is_fitted_on_one_part_and_scored_on_the_other() -> None:
    weights = {"sample_weight": np.arange(6) * 10}
    model = Recorder()
    data = data_of(model, NUMBERS, list("abcdef"), fit_params=weights)
    fold = FoldFit(data, {"value": 7}, TRAIN, TEST, seed=3)
    fold.fit()
    X, y, weight = fold.model.seen_
    assert (X.ravel().tolist(), y, weight.tolist()) == ([0, 1, 2, 4], list("abce"), [0, 10, 20, 40])
    assert fold.score() == 3 + 5
    assert (fold.model.value, fold.model.random_state, fold.n_epochs) == (7, 3, 1)
    assert (model.value, model.random_state) == (0, None)
    assert fold.y == ["d", "f"]


@pytest.mark.parametrize(("reseed", "expected"), [(False, 1), (True, 3)])
def test_a_seed_of_the_estimator_is_replaced_on_request(reseed: bool, expected: int) -> None:
    data = data_of(Recorder(random_state=1), NUMBERS, None)
    fold = FoldFit(data, {}, TRAIN, TEST, seed=3, reseed=reseed)
    assert fold.model.random_state == expected


def test_parameters_of_a_fit_are_copies() -> None:
    loss = torch.nn.BCEWithLogitsLoss()
    fold = FoldFit(data_of(Recorder(), NUMBERS, None), {"value": loss}, TRAIN, TEST, seed=0)
    assert type(fold.model.value) is type(loss)
    assert fold.model.value is not loss


def test_the_model_is_fitted_within_the_context() -> None:
    events: list[str] = []

    @contextlib.contextmanager
    def context() -> Iterator[None]:
        events.append("begin")
        yield
        events.append(f"end, {hasattr(fold.model, 'seen_')}")

    fold = FoldFit(data_of(Recorder(), NUMBERS, None), {}, TRAIN, TEST, seed=0)
    fold.fit(context=context())
    assert events == ["begin", "end, True"]


@pytest.mark.parametrize("value", [0, ValueError("cut short")])
@pytest.mark.usefixtures("heeded")
def test_an_interrupt_that_a_fit_has_swallowed_ends_it(value: Any) -> None:
    class Swallowing(Recorder):
        def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Recorder:
            with contextlib.suppress(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
            return super().fit(X, y)

    fold = FoldFit(data_of(Swallowing(value), NUMBERS, None), {}, TRAIN, TEST, seed=0)
    with noting_interrupts(), pytest.raises(KeyboardInterrupt):
        fold.fit()


def test_epochs_are_scored_as_they_end(binary_scenes: Data) -> None:  # noqa: F811
    X, y = binary_scenes
    half = FunctionTransformer(lambda X: X / 2)
    alone = segmenter(width=2, max_epochs=3, random_state=0)
    curves = []
    for model, images in ((alone, X / 2), (make_pipeline(half, alone), X)):
        seen: list[tuple[int, float]] = []

        def watch(fold: FoldFit, seen: list[tuple[int, float]] = seen) -> None:
            seen.append((fold.n_epochs, fold.score_epoch()))

        fold = FoldFit(data_of(model, images, y), {}, TRAIN, TEST, seed=0)
        fold.fit(watch)
        assert [epoch for epoch, _ in seen] == [1, 2]
        curves.append([*[score for _, score in seen], fold.score()])
        assert fold.n_epochs == 3
    short = alone.set_params(max_epochs=1).fit(X[TRAIN] / 2, y[TRAIN])
    assert curves[0] == curves[1]
    assert curves[0][0] == short.score(X[TEST] / 2, y[TEST])


def test_the_time_of_a_fit_is_that_of_training_alone(binary_scenes: Data) -> None:  # noqa: F811
    fold = FoldFit(data_of(segmenter(max_epochs=2), *binary_scenes), {}, TRAIN, TEST, seed=0)
    begun = time.perf_counter()
    fold.fit(lambda _: time.sleep(0.5))
    assert 0 < fold.fit_time <= time.perf_counter() - begun - 0.5


def test_seeds_that_were_given_stay() -> None:
    pipeline = make_pipeline(FunctionTransformer(), LogisticRegression())
    assert seed_estimator(pipeline, 7).get_params()["logisticregression__random_state"] == 7
    assert seed_estimator(LogisticRegression(random_state=1), 7).random_state == 1
    assert seed_estimator(LogisticRegression(random_state=1), 7, replace=True).random_state == 7


def test_data_sets_lists_and_tensors_are_split(binary_scenes: Data) -> None:  # noqa: F811
    X, y = binary_scenes
    pairs = TensorDataset(torch.from_numpy(X), torch.from_numpy(y))
    part, targets = take(data_of(segmenter(), pairs, None), segmenter(), TEST)
    assert targets is None
    assert np.array_equal(part[0][0].numpy(), X[3])
    part, targets = take(data_of(segmenter(), list(X), list(y)), segmenter(), TEST)
    assert isinstance(part, list)
    assert np.array_equal(part[1], X[5])
    assert np.array_equal(targets[0], y[3])
    tensors = [torch.from_numpy(each) for each in (X, y)]
    part, targets = take(data_of(segmenter(), *tensors), segmenter(), TEST)
    assert torch.equal(part, tensors[0][[3, 5]])
    assert torch.equal(targets, tensors[1][[3, 5]])


@pytest.mark.parametrize("kind", ["list", "array", "series"])
def test_targets_of_a_data_set_are_taken_by_position(kind: str) -> None:
    y: Any = ["a", "b", "c"]
    if kind == "array":
        y = np.array(y)
    elif kind == "series":
        y = pytest.importorskip("pandas").Series(y, index=[2, 1, 0])
    pairs = TensorDataset(torch.zeros(3, 4, 4))
    part, targets = take(data_of(Recorder(), pairs, y), Recorder(), np.array([2, 0]))
    assert part.indices == [2, 0]
    assert list(targets) == ["c", "a"]


def test_a_matrix_of_kernels_is_scored_against_the_samples_trained_on() -> None:
    kernel, y = NUMBERS @ NUMBERS.T, np.array([0, 0, 1, 0, 1, 1])
    fold = FoldFit(data_of(SVC(kernel="precomputed"), kernel, y), {}, TRAIN, TEST, seed=0)
    fold.fit()
    assert fold.X.tolist() == kernel[np.ix_(TEST, TRAIN)].tolist()
    assert fold.score() == SVC(kernel="linear").fit(NUMBERS[TRAIN], y[TRAIN]).score(
        NUMBERS[TEST], y[TEST]
    )


def test_arrays_are_not_copied_unless_a_scorer_wants_them(
    binary_scenes: Data,  # noqa: F811
) -> None:
    X, y = binary_scenes
    for scorer, plain in [
        (dice_scorer, False),
        (get_scorer("accuracy"), False),
        (lambda model, X, y: 1.0, True),
    ]:
        data = data_of(segmenter(), X, y, scorer)
        part, _ = take(data, segmenter(), TEST, TRAIN)
        assert isinstance(part, np.ndarray if plain else Rows)
        assert np.array_equal(np.asarray(part), X[TEST])
        assert isinstance(take(data, segmenter(), TRAIN)[0], Rows)
