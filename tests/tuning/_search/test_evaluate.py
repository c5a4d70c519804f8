from __future__ import annotations

import gc
import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from optuna.trial import TrialState
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.metrics import check_scoring
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import Tensor

from sklearnloss import UNetSegmenter
from sklearnloss.tuning._evaluation.outcome import Outcome
from sklearnloss.tuning._search.candidate import CandidateState
from sklearnloss.tuning._search.evaluate import Evaluation, Task

from ...estimators.conftest import Data, binary_scenes, scenes, segmenter  # noqa: F401

Array = np.ndarray[Any, Any]
PARAMS = {"loss": "dice", "max_epochs": 2}


def task_of(estimator: Any, X: Any, y: Any, *, scorer: Any = None, **changes: Any) -> Task:
    splits = list(KFold(2).split(np.arange(len(X))))
    scorer = check_scoring(estimator) if scorer is None else scorer
    options = {"metric": None, "fit_params": {}, "score_params": {}, "seed": 3, **changes}
    return Task(estimator, X, y, scorer, splits=splits, **options)


def evaluate(
    task: Task,
    params: Mapping[str, Any],
    *,
    stop_at: int | None = None,
    results: CandidateState | None = None,
    **options: Any,
) -> Evaluation:
    """Return an evaluation that is over."""

    def report(step: int, score: float) -> bool:
        return stop_at is not None and step >= stop_at

    state = CandidateState() if results is None else results
    evaluation = Evaluation(task, params, state, report, lambda: None, **options)
    evaluation.run()
    return evaluation


def outcome(evaluation: Evaluation) -> tuple[TrialState, float | None]:
    return evaluation.results.trial_state, evaluation.results.value


def by_hand(task: Task, params: Mapping[str, Any], n_epochs: int) -> list[list[float]]:
    """Return the score per fold and epoch, from fits that are scored by skorch's callbacks."""
    table = []
    for fold, (train, test) in enumerate(task.splits):
        model = clone(task.estimator).set_params(**params)
        model.set_params(random_state=task.fold_seed(fold))
        scores: list[float] = []
        X, y = task.X[test], task.y[test]
        model._epoch_hook = lambda part, _, X=X, y=y, s=scores: s.append(part.score(X, y))
        model.fit(task.X[train], task.y[train])
        assert len(scores) == n_epochs
        table.append(scores)
    return table


def unseeded(**params: Any) -> UNetSegmenter:
    return segmenter(**{"width": 2, "max_epochs": 3, "random_state": None, **params})


def test_reports_are_running_means_over_folds(binary_scenes: Data) -> None:  # noqa: F811
    task = task_of(unseeded(), *binary_scenes)
    done = evaluate(task, {"loss": "dice"})
    first, second = by_hand(task, {"loss": "dice"}, 3)
    expected = [*first, *[(first[-1] + score) / 2 for score in second]]
    assert [step for step, _ in done.results.reports] == [1, 2, 3, 4, 5, 6]
    assert [score for _, score in done.results.reports] == expected
    assert [fold["scores"] for fold in done.results.folds] == [first[-1], second[-1]]
    assert outcome(done) == (TrialState.COMPLETE, (first[-1] + second[-1]) / 2)
    assert done.results.epochs == 6


def test_watching_changes_neither_scores_nor_weights(binary_scenes: Data) -> None:  # noqa: F811
    weights: list[list[float]] = []

    def keep(model: Any, X: Array, y: Array) -> float:
        weights.append(torch.cat([p.flatten() for p in model.module_.parameters()]).tolist())
        return float(model.score(X, y))

    task = task_of(unseeded(norm="batch"), *binary_scenes, scorer=keep)
    watched = evaluate(task, {"loss": "dice"})
    ends = weights[2::3]
    weights.clear()
    unwatched = evaluate(task, {"loss": "dice"}, watch=False)
    assert len(weights) == len(ends) == 2
    assert ends == weights
    scores = [[fold["scores"] for fold in e.results.folds] for e in (watched, unwatched)]
    assert scores[0] == scores[1]
    assert [step for step, _ in unwatched.results.reports] == [3, 6]


@pytest.mark.parametrize(
    ("stop_at", "n_epochs", "n_folds", "reason"),
    [
        (1, 1, 0, "stopped in fold 1 after epoch 1"),
        (3, 3, 1, "stopped after fold 1"),
        (4, 4, 1, "stopped in fold 2 after epoch 1"),
    ],
)
def test_a_candidate_is_stopped_at_once_and_says_where(
    binary_scenes: Data,  # noqa: F811
    stop_at: int,
    n_epochs: int,
    n_folds: int,
    reason: str,
) -> None:
    done = evaluate(task_of(unseeded(), *binary_scenes), {"loss": "dice"}, stop_at=stop_at)
    assert outcome(done) == (TrialState.PRUNED, done.results.reports[-1][1])
    assert done.results.epochs == n_epochs
    assert len(done.results.folds) == n_folds
    assert done.results.reason == reason


def test_a_candidate_is_not_stopped_when_it_is_done(binary_scenes: Data) -> None:  # noqa: F811
    task = task_of(unseeded(max_epochs=1), *binary_scenes)
    assert outcome(evaluate(task, {}, stop_at=2))[0] == TrialState.COMPLETE


@pytest.mark.slow
def test_candidates_of_unlike_lengths_report_shares_of_a_fold(
    binary_scenes: Data,  # noqa: F811
) -> None:
    task = task_of(unseeded(max_epochs=4), *binary_scenes)
    steps = {}
    for n in (1, 2, 4, 8):
        done = evaluate(task, {"max_epochs": n})
        steps[n] = [step for step, _ in done.results.reports]
        assert done.results.epochs == 2 * n
    assert steps == {
        1: [4, 8],
        2: [2, 4, 6, 8],
        4: [1, 2, 3, 4, 5, 6, 7, 8],
        8: [1, 2, 3, 4, 5, 6, 7, 8],
    }


def test_steps_are_whole_shares_of_a_fold(binary_scenes: Data) -> None:  # noqa: F811
    task = task_of(unseeded(max_epochs=22), *binary_scenes, scorer=lambda model, X, y: 0.5)
    task.splits = task.splits[:1]
    done = evaluate(task, {"max_epochs": 11, "width": 1})  # 15 / 22 * 22 is less than 15 in floats
    assert [step for step, _ in done.results.reports] == [*range(2, 23, 2)]
    done = evaluate(task, {"max_epochs": 22, "width": 1})
    assert [step for step, _ in done.results.reports] == [*range(1, 23)]


def test_an_epoch_without_a_score_is_passed_over(binary_scenes: Data) -> None:  # noqa: F811
    def undefined_at_first(model: Any, X: Array, y: Array) -> float:
        return 0.5 if len(model.history_) > 1 else float("nan")

    task = task_of(unseeded(), *binary_scenes, scorer=undefined_at_first)
    done = evaluate(task, {"loss": "dice"})
    assert outcome(done) == (TrialState.COMPLETE, 0.5)
    assert [step for step, _ in done.results.reports] == [2, 3, 5, 6]


@pytest.mark.slow
@pytest.mark.parametrize("params", [{"loss": "dice"}, {"loss": "dice", "batch_size": "none"}])
def test_networks_are_gone_with_their_folds(
    binary_scenes: Data,  # noqa: F811
    params: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[weakref.ref[Any]] = []
    fit = UNetSegmenter.fit

    def seen(self: UNetSegmenter, *args: Any, **kwargs: Any) -> Any:
        made.append(weakref.ref(self))
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(UNetSegmenter, "fit", seen)
    task = task_of(unseeded(max_epochs=2), *binary_scenes)
    evaluate(task, params)  # the first fit of a process imports modules, which may keep a frame
    made.clear()
    gc.collect()
    gc.disable()
    try:
        evaluate(task, params)
        alive = [ref() is not None for ref in made]
    finally:
        gc.enable()
    assert alive
    assert not any(alive)


def test_finished_folds_are_not_trained_again(binary_scenes: Data) -> None:  # noqa: F811
    task = task_of(unseeded(max_epochs=1), *binary_scenes)
    whole = evaluate(task, {"loss": "dice"}).results
    half = CandidateState(whole.folds[:1], whole.reports[:1], epochs=1)
    resumed = evaluate(task, {"loss": "dice"}, results=half)
    assert resumed.results.epochs == 2
    assert resumed.results.folds[0] is whole.folds[0]
    assert resumed.results.folds[1]["scores"] == whole.folds[1]["scores"]


class Recorder(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Scores what it is told to; raises the exceptions among that."""

    outcomes: tuple[Any, ...]

    def __init__(self, outcomes: Any = (), random_state: Any = None) -> None:
        self.outcomes = outcomes
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Recorder:
        self.outcome_ = self.outcomes[int(X[0][0])]
        if isinstance(self.outcome_, BaseException):
            raise self.outcome_
        self.weights_ = sample_weight
        return self

    def predict(self, X: Any) -> Any:
        return np.zeros(len(X))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        return float(self.outcome_)


#: The first value of a fold's training set is the fold: KFold(2) trains on the other half.
FOLDS = (np.array([[1.0], [1.0], [0.0], [0.0]]), np.array([0, 1, 0, 1]))


def score_folds(*outcomes: Any, **changes: Any) -> Evaluation:
    return evaluate(task_of(Recorder(), *FOLDS, **changes), {"outcomes": outcomes})


def test_an_estimator_without_epochs_reports_after_each_fold() -> None:
    done = score_folds(0.5, 1.0)
    assert done.results.reports == [[1, 0.5], [2, 0.75]]
    assert outcome(done) == (TrialState.COMPLETE, 0.75)
    assert done.results.epochs == 2


@pytest.mark.parametrize("fold", [0, 1])
@pytest.mark.parametrize("value", [np.nan, np.inf, FloatingPointError("the loss is nan")])
def test_divergence_stops_a_candidate_with_its_reason(fold: int, value: Any) -> None:
    outcomes: list[Any] = [0.5, 0.5]
    outcomes[fold] = value
    done = score_folds(*outcomes)
    assert outcome(done) == (TrialState.PRUNED, 0.5 if fold else None)
    diverged = isinstance(value, Exception)
    assert done.results.outcome == (Outcome.DIVERGED if diverged else Outcome.UNDEFINED)
    reason = f"the score is {value} in fold {fold + 1}"
    if diverged:
        reason = f"diverged in fold {fold + 1}: {value}"
    assert done.results.reason == reason


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("no such thing"), "invalid"),
        (TypeError("no such type"), "invalid"),
        (UnicodeError("no text"), "error"),
        (MemoryError("too large"), "error"),
        (torch.OutOfMemoryError("CUDA out of memory"), "out of memory"),
        (AssertionError("a bug"), "error"),
    ],
)
def test_errors_make_a_candidate_fail_with_its_reason(error: Exception, expected: str) -> None:
    done = score_folds(0.5, error)
    assert outcome(done) == (TrialState.FAIL, None)
    assert done.results.reason == f"{type(error).__name__} in fold 2: {error}"
    assert "self.outcome_" in done.results.traceback
    assert done.results.outcome == expected


def test_errors_are_raised_on_request() -> None:
    with pytest.raises(ValueError, match="no such thing"):
        score_folds(0.5, ValueError("no such thing"), raises=True)


def test_an_interruption_is_no_error() -> None:
    with pytest.raises(KeyboardInterrupt):
        score_folds(0.5, KeyboardInterrupt())


def test_errors_in_scoring_count_too() -> None:
    def broken(estimator: Any, X: Any, y: Any) -> float:
        raise RuntimeError("cannot score")

    assert score_folds(1, 1, scorer=broken).results.reason == (
        "RuntimeError in fold 1: cannot score"
    )


def test_a_loss_that_becomes_nan_diverges(binary_scenes: Data) -> None:  # noqa: F811
    calls: list[int] = []

    def diverging(logits: Tensor, target: Tensor) -> Tensor:
        calls.append(1)
        return logits.square().mean() * (float("nan") if len(calls) > 3 else 1.0)

    task = task_of(unseeded(max_epochs=3), *binary_scenes)
    done = evaluate(task, {"loss": diverging})
    assert outcome(done)[0] == TrialState.PRUNED
    assert done.results.outcome == Outcome.DIVERGED
    assert done.results.reason.startswith("diverged in fold 1:")
    assert "nan" in done.results.reason.lower()
    assert done.results.epochs < 3


def test_several_metrics_are_kept_and_the_chosen_one_is_reported() -> None:
    def both(estimator: Any, X: Any, y: Any) -> dict[str, float]:
        return {"a": 1.0, "b": estimator.outcome_}

    done = score_folds(0.5, 0.25, scorer=both, metric="b")
    assert [fold["scores"]["b"] for fold in done.results.folds] == [0.5, 0.25]
    assert outcome(done) == (TrialState.COMPLETE, 0.375)
    assert outcome(score_folds(0.5, 0.25, scorer=both)) == (TrialState.COMPLETE, 1.0)


def test_fit_and_score_get_their_share_of_the_weights() -> None:
    seen: list[Any] = []

    def scorer(estimator: Any, X: Any, y: Any, sample_weight: Any) -> float:
        seen.append((estimator.weights_.tolist(), sample_weight.tolist()))
        return 1.0

    weights = np.array([1.0, 2.0, 3.0, 4.0])
    params = {"sample_weight": weights}
    score_folds(1, 1, scorer=scorer, fit_params=params, score_params=params)
    assert seen == [([3.0, 4.0], [1.0, 2.0]), ([1.0, 2.0], [3.0, 4.0])]


def test_each_fold_has_a_seed_of_its_own_for_all_candidates() -> None:
    seen: list[Any] = []

    def scorer(estimator: Any, X: Any, y: Any) -> float:
        seen.append(estimator.random_state)
        return 1.0

    task = task_of(Recorder(), *FOLDS, scorer=scorer)
    for outcomes in [(1, 1), (2, 2)]:
        evaluate(task, {"outcomes": outcomes})
    assert seen == [task.fold_seed(0), task.fold_seed(1)] * 2
    assert len(set(seen)) == 2
    other = task_of(Recorder(), *FOLDS, seed=4)
    assert not {other.fold_seed(0), other.fold_seed(1)} & set(seen)


def test_the_estimator_of_the_task_is_not_changed(binary_scenes: Data) -> None:  # noqa: F811
    model = unseeded(max_epochs=1)
    before = repr(model.get_params())
    evaluate(task_of(model, *binary_scenes), {"loss": "dice", "width": 3})
    assert repr(model.get_params()) == before
    assert not hasattr(model, "net_")
    assert model._epoch_hook is None


def half(X: Array) -> Array:
    return X / 2


def piped(*, nested: bool) -> Any:
    inner = make_pipeline(FunctionTransformer(half), unseeded())
    return make_pipeline(FunctionTransformer(half), inner) if nested else inner


@pytest.mark.slow
@pytest.mark.parametrize("nested", [False, True])
def test_a_pipeline_is_watched_like_its_last_step(
    binary_scenes: Data,  # noqa: F811
    nested: bool,
) -> None:
    X, y = binary_scenes
    prefix = "pipeline__unetsegmenter__" if nested else "unetsegmenter__"
    params = {f"{prefix}loss": "dice"}
    alone = evaluate(task_of(unseeded(), X / (4 if nested else 2), y), {"loss": "dice"})
    for scorer in (None, lambda model, X, y: model.score(X, y)):
        changes = {} if scorer is None else {"scorer": scorer}
        piped_task = task_of(piped(nested=nested), X, y, **changes)
        assert evaluate(piped_task, params).results.reports == alone.results.reports


def test_a_pipeline_of_one_step_is_watched(binary_scenes: Data) -> None:  # noqa: F811
    done = evaluate(
        task_of(make_pipeline(unseeded(max_epochs=2)), *binary_scenes),
        {"unetsegmenter__loss": "dice"},
    )
    assert len(done.results.reports) == 4
