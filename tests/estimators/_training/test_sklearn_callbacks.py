"""Who is told of each epoch may look at the model, and changes nothing."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sklearnloss import load

from ..conftest import Data, classifier, segmenter


class Stop(Exception):
    pass


@pytest.mark.slow
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"early_stopping": True, "n_iter_no_change": 2},
        {"augment": ["flip", "noise"]},
        {"precision": "bfloat16", "tta": "flip"},
    ],
)
def test_scores_after_each_epoch_leave_the_training_as_it_is(
    params: dict[str, Any], digits: Data, scenes: Data
) -> None:
    check_watching(classifier(max_epochs=3, **params), *digits)
    check_watching(segmenter(max_epochs=3, norm="batch", **params), *scenes)


def check_watching(alone: Any, X: np.ndarray, y: np.ndarray) -> None:
    """Compare a training with one that is scored after each epoch."""
    watched, seen = clone(alone), []
    watched._epoch_hook = lambda model, epoch: seen.append(
        (epoch, model.score(X, y), model.history_[-1, "train_loss"])
    )
    torch.manual_seed(0)
    alone.fit(X, y)
    after = torch.rand(3)
    torch.manual_seed(0)
    watched.fit(X, y)
    assert torch.equal(torch.rand(3), after)
    epochs, scores, losses = zip(*seen, strict=True)
    assert list(epochs) == list(range(1, watched.n_iter_ + 1))
    if not alone.early_stopping:  # which goes back to the best epoch
        assert scores[-1] == watched.score(X, y)
    expected = alone.module_.state_dict()
    for name, tensor in watched.module_.state_dict().items():
        assert torch.equal(tensor, expected[name])
    assert list(losses) == alone.history_[:, "train_loss"]


def test_scores_are_those_of_a_training_of_so_many_epochs(digits: Data) -> None:
    seen = []
    model = classifier(scheduler=None, max_epochs=2)
    model._epoch_hook = lambda model, epoch: seen.append(model.predict_proba(digits[0]))
    model.fit(*digits)
    first = classifier(scheduler=None, max_epochs=1).fit(*digits)
    np.testing.assert_array_equal(seen[0], first.predict_proba(digits[0]))


@pytest.mark.slow
@pytest.mark.parametrize("error", [Stop("enough"), KeyboardInterrupt(), FloatingPointError("nan")])
def test_what_is_raised_after_an_epoch_ends_the_fit(error: BaseException, digits: Data) -> None:
    def hook(model: Any, epoch: int) -> None:
        if epoch == 2:
            raise error

    model = classifier(max_epochs=5)
    model._epoch_hook = hook
    with pytest.raises(type(error)) as raised:
        model.fit(*digits)
    assert raised.value is error
    if isinstance(error, KeyboardInterrupt):  # what was trained until then is of use
        assert model.n_iter_ == 2
        return
    with pytest.raises(NotFittedError, match="not fitted yet"):
        model.predict(digits[0])
    model._epoch_hook = None
    before = model.fit(*digits).predict_proba(digits[0])
    model._epoch_hook = hook
    with pytest.raises(type(error)):
        model.fit(*digits)
    np.testing.assert_array_equal(model.predict_proba(digits[0]), before)


def test_who_is_told_is_not_kept(digits: Data, tmp_path: Path) -> None:
    model = classifier(max_epochs=2, warm_start=True)
    seen: list[int] = []
    model._epoch_hook = lambda _, epoch: seen.append(epoch)
    model.fit(*digits).partial_fit(*digits).fit(*digits)
    assert seen == [1, 2, 1, 2]
    model.save(tmp_path / "model.safetensors")
    copies = [clone(model), pickle.loads(pickle.dumps(model)), copy.deepcopy(model)]
    for other in [*copies, load(tmp_path / "model.safetensors")]:
        assert other._epoch_hook is None
    assert "_epoch_hook" not in model.get_params()
    assert model._epoch_hook is not None


def test_a_search_is_told_where_scikit_learn_has_no_callbacks(
    digits: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = classifier()
    cls = next(c for c in type(model).__mro__ if "_init_callback_context" in vars(c))
    monkeypatch.delattr(cls, "_init_callback_context")
    seen: list[int] = []
    model._epoch_hook = lambda _, epoch: seen.append(epoch)
    fit = type(model).fit
    getattr(fit, "__wrapped__", fit)(model, *digits)
    assert seen == [1]


class Keeper:
    """A callback of scikit-learn's that keeps what it is given."""

    def __init__(self) -> None:
        self.kept: list[Any] = []
        self.metadata: list[Any] = []

    def setup(self, estimator: Any, context: Any) -> None:
        pass

    def teardown(self, estimator: Any, context: Any) -> None:
        pass

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        pass

    def on_fit_task_end(
        self, estimator: Any, context: Any, *, fitted_estimator: Any, metadata: Any
    ) -> None:
        self.kept.append(fitted_estimator)
        self.metadata.append(metadata)


@pytest.mark.slow
def test_a_fitted_estimator_that_is_kept_does_not_change(digits: Data) -> None:
    pytest.importorskip("sklearn.callback")
    X, y = digits
    keeper = Keeper()
    settings: dict[str, Any] = {"scheduler": None, "loss": "ldam+1e-4*l2"}
    model = classifier(**settings, max_epochs=2, warm_start=True).set_callbacks(keeper).fit(X, y)
    first, second, whole = keeper.kept
    assert keeper.metadata == [{}] * 3
    after = model.predict_proba(X)
    model.set_params(max_epochs=1).fit(X, y)
    for kept, n_epochs in ((first, 1), (second, 2), (whole, 2)):
        alone = classifier(**settings, max_epochs=n_epochs).fit(X, y)
        assert kept.n_iter_ == n_epochs
        np.testing.assert_array_equal(kept.predict_proba(X), alone.predict_proba(X))
        for each in (kept, alone):  # may go on by itself
            each.set_params(max_epochs=1).partial_fit(X, y)
        np.testing.assert_array_equal(kept.predict_proba(X), alone.predict_proba(X))
    assert np.abs(after - model.predict_proba(X)).max() > 0
    assert model.loss_.members[1].loss._network is not None  # still that of the model


@pytest.mark.parametrize("weighted", [False, True])
def test_scikit_learns_monitor_scores_each_epoch(weighted: bool, digits: Data) -> None:
    callback = pytest.importorskip("sklearn.callback")
    X, y = digits

    def scoring(model: Any, X: Any, y: Any, **params: Any) -> dict[str, float]:
        assert set(params) == ({"sample_weight"} if weighted else set())
        return {"accuracy": model.score(X, y)}

    monitor = callback.ScoringMonitor(scoring=scoring)
    model = classifier(max_epochs=2).set_callbacks(monitor)
    model.fit(X, y, sample_weight=np.ones(len(X)) if weighted else None)
    *_, last = monitor.get_logs().data
    assert last["accuracy"] == model.score(X, y)
