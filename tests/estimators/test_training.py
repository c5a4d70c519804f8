from __future__ import annotations

import copy
import functools
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from skorch.callbacks import Callback, EpochScoring, LRScheduler
from skorch.callbacks import EarlyStopping as SkorchEarlyStopping
from skorch.exceptions import SkorchTrainingImpossibleError
from torch import Tensor
from torch.nn import functional as F

from sklearnloss import load

from .conftest import Data, classifier, segmenter


def weights(model: Any) -> Tensor:
    return torch.cat([p.detach().ravel() for p in model.module_.parameters()])


class Stepwise(Callback):  # type: ignore[misc]
    """Notes the learning rate and the norm of the gradient at each step."""

    lrs: list[float]
    norms: list[float]

    def on_grad_computed(self, net: Any, named_parameters: Any, **kwargs: Any) -> None:
        grads = [p.grad.ravel() for _, p in named_parameters if p.grad is not None]
        self.norms.append(float(torch.cat(grads).norm()))

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self.lrs, self.norms = [], []

    def on_batch_end(self, net: Any, training: bool, **kwargs: Any) -> None:
        if training:
            self.lrs.append(net.optimizer_.param_groups[0]["lr"])


def recorded(model: Any, kind: type = Stepwise) -> Any:
    return next(c for _, c in model.net_.callbacks_ if isinstance(c, kind))


@pytest.mark.slow
def test_early_stopping_goes_back_to_the_best_epoch(digits: Data) -> None:
    X, y = digits
    model = classifier(
        early_stopping=True, n_iter_no_change=2, validation_fraction=0.3, max_epochs=60, lr=0.1
    ).fit(X, y)
    losses = model.history_[:, "valid_loss"]
    assert len(losses) < 60
    assert len(losses) - 1 - int(np.argmin(losses)) == 2
    # The weights are those of the best epoch: the held-out loss can be had again.
    _, held_out = model._split(model._read_training(X, y, None, again=True), _seed(model))
    logits = torch.from_numpy(model.decision_function(X[held_out]))
    again = F.cross_entropy(logits, torch.from_numpy(y[held_out]))
    assert float(again) == pytest.approx(min(losses), rel=1e-4)


def _seed(model: Any) -> int:
    return int(np.random.RandomState(model.random_state).randint(2**31 - 1))


@pytest.mark.parametrize("fraction", [0.1, 0.5])
def test_early_stopping_of_masks_holds_images_out(fraction: float, scenes: Data) -> None:
    model = segmenter(early_stopping=True, validation_fraction=fraction, max_epochs=2).fit(*scenes)
    row = model.history_[0]
    held_out = sum(batch.get("valid_batch_size", 0) for batch in row["batches"])
    assert held_out == -(-12 * fraction // 1)


def test_ctrl_c_is_passed_on_and_keeps_a_usable_model(digits: Data) -> None:
    X, y = digits
    steps = iter(range(1000))

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        if next(steps) == 9:  # four steps per epoch
            raise KeyboardInterrupt
        return F.cross_entropy(logits, target)

    model = classifier(loss, max_epochs=5)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.predict(X).shape == y.shape
    assert model.n_iter_ == 2
    assert model.history_[-1, "train_loss"] > 0
    model.set_params(loss="cross_entropy", max_epochs=1).partial_fit(X, y)
    assert model.n_iter_ == 3


def test_a_search_stops_at_ctrl_c(digits: Data) -> None:
    def loss(logits: Tensor, target: Tensor) -> Tensor:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cross_val_score(classifier(loss), *digits, cv=2)


def test_skorch_callbacks_may_end_a_training(digits: Data) -> None:
    stop = SkorchEarlyStopping("train_loss", patience=1, threshold=10.0, threshold_mode="abs")
    model = classifier(callbacks=[stop], max_epochs=9).fit(*digits)
    assert model.n_iter_ == 2
    assert not hasattr(stop, "misses_") or stop.misses_ == 0


def test_callbacks_are_copied_also_where_they_cannot_be_cloned(digits: Data) -> None:
    class Counter(Callback):  # type: ignore[misc]
        def __init__(self, first: int) -> None:
            self._count = first

        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            self._count += 1

    counter = Counter(3)
    model = classifier(callbacks=[counter], max_epochs=2).fit(*digits)
    assert counter._count == 3
    assert recorded(model, Counter)._count == 5


def test_skorch_s_scoring_callbacks_work(digits: Data) -> None:
    scoring = EpochScoring("accuracy", name="valid_acc", lower_is_better=False)
    model = classifier(callbacks=[scoring], early_stopping=True, max_epochs=3, lr=0.05)
    model.fit(*digits)
    assert all(0 <= value <= 1 for value in model.history_[:, "valid_acc"])


@pytest.mark.slow
def test_one_cycle_rises_and_falls_to_nothing(digits: Data) -> None:
    model = classifier(callbacks=[Stepwise()], max_epochs=10, lr=0.01).fit(*digits)
    lrs = recorded(model).lrs
    assert len(lrs) == 10 * 4
    peak = int(np.argmax(lrs))
    assert max(lrs) == pytest.approx(0.01)
    assert lrs[: peak + 1] == sorted(lrs[: peak + 1])
    assert lrs[peak:] == sorted(lrs[peak:], reverse=True)
    assert lrs[-1] < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scheduler", "first", "last"),
    [(None, 0.01, 0.01), ("cosine", 0.01, 0.0), (lambda progress: 1 - progress, 0.01, 0.00025)],
)
def test_other_schedules(scheduler: Any, first: float, last: float, digits: Data) -> None:
    model = classifier(callbacks=[Stepwise()], max_epochs=10, lr=0.01, scheduler=scheduler)
    lrs = recorded(model.fit(*digits)).lrs
    assert lrs[0] == pytest.approx(first)
    assert lrs[-1] == pytest.approx(last, abs=2e-5)
    assert model.net_.optimizer_.param_groups[0]["lr"] == pytest.approx(0.01)  # for next time


@pytest.mark.parametrize("optimizer", ["sgd", "RMSprop", torch.optim.NAdam])
def test_any_torch_optimizer(optimizer: Any, digits: Data) -> None:
    model = classifier(optimizer=optimizer, weight_decay=0.0).fit(*digits)
    name = optimizer if isinstance(optimizer, str) else optimizer.__name__
    assert type(model.net_.optimizer_).__name__.lower() == name.lower()


@pytest.mark.slow
def test_lbfgs_trains_and_goes_on(digits: Data) -> None:
    X, y = digits
    settings: dict[str, Any] = {"optimizer": "lbfgs", "weight_decay": 0, "scheduler": None}
    model = classifier(**settings, lr=0.5, batch_size=60, max_epochs=3).fit(X, y)
    losses = model.history_[:, "train_loss"]
    assert losses[-1] < losses[0] - 0.1
    twin = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(
        twin.partial_fit(X, y).predict_proba(X), model.partial_fit(X, y).predict_proba(X)
    )


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        ("sparseadam", "optimizer='sparseadam' cannot train this network: SparseAdam needs sparse"),
        (torch.optim.SparseAdam, "cannot train this network: SparseAdam needs sparse gradients"),
        (
            "adamm",
            r"optimizer='adamm' is unknown. Expected one of 'adadelta', 'adafactor', 'adagrad', "
            r"'adam', 'adamax', 'adamw', 'asgd', 'lbfgs', 'nadam', 'radam', 'rmsprop', 'rprop', "
            r"'sgd' or a torch.optim.Optimizer class. Did you mean 'adam",
        ),
        ("optimizer", "optimizer='optimizer' is unknown"),
        (torch.optim.Optimizer, "is unknown. Expected one of"),
        (torch.nn.Linear, "is unknown. Expected one of"),
        (functools.partial(torch.optim.SGD, lr=0.1), "sets lr. Bind only other arguments"),
        (
            functools.partial(torch.optim.SGD, []),
            r"sets \[\]. Bind only other arguments",
        ),
        (functools.partial(torch.nn.Linear, bias=True), "is unknown. Expected one of"),
    ],
)
def test_an_optimizer_that_cannot_train_is_refused(
    optimizer: Any, message: str, digits: Data
) -> None:
    with pytest.raises(ValueError, match=message):
        classifier(optimizer=optimizer).fit(*digits)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="of later versions of torch")
@pytest.mark.parametrize("name", ["muon", "Muon"])
def test_an_optimizer_of_matrices_is_refused(name: str, digits: Data) -> None:
    with pytest.raises(ValueError, match="Muon takes only matrices, but convolutions have"):
        classifier(optimizer=name).fit(*digits)


def test_arguments_may_be_bound_to_an_optimizer(digits: Data) -> None:
    bound = functools.partial(torch.optim.SGD, momentum=0.5, foreach=True)
    group = classifier(optimizer=bound).fit(*digits).net_.optimizer_.param_groups[0]
    assert (group["momentum"], group["nesterov"], group["foreach"]) == (0.5, False, True)
    assert group["weight_decay"] == 0.1
    model = classifier(optimizer=bound, net_params={"optimizer__momentum": 0.7}).fit(*digits)
    assert model.net_.optimizer_.param_groups[0]["momentum"] == 0.7


@pytest.mark.parametrize("momentum", [0, 0.5])
def test_sgd_may_have_another_momentum(momentum: float, digits: Data) -> None:
    settings = {"optimizer__momentum": momentum}
    group = classifier(optimizer="sgd", net_params=settings).fit(*digits).net_.optimizer_
    assert group.param_groups[0]["nesterov"] == bool(momentum)


def test_optimizer_arguments_through_net_params(digits: Data) -> None:
    model = classifier(net_params={"optimizer__betas": (0.5, 0.6)}).fit(*digits)
    assert model.net_.optimizer_.param_groups[0]["betas"] == (0.5, 0.6)


def test_changed_net_params_reach_a_training_that_continues(digits: Data) -> None:
    lines: list[str] = []
    model = classifier(max_epochs=1).fit(*digits)
    before = model.net_.optimizer_
    model.partial_fit(*digits)
    assert model.net_.optimizer_ is before
    params = {"optimizer__betas": (0.5, 0.6), "callbacks__print_log__sink": lines.append}
    model.set_params(net_params=params).partial_fit(*digits)
    assert model.net_.optimizer_.param_groups[0]["betas"] == (0.5, 0.6)
    assert len(lines) == 3
    model.set_params(net_params=None).partial_fit(*digits)
    assert model.net_.optimizer_.param_groups[0]["betas"] == (0.9, 0.999)
    assert len(lines) == 3


def test_the_net_is_not_trained_without_its_estimator(digits: Data) -> None:
    model = classifier().fit(*digits)
    before = weights(model)
    for train in (model.net_.fit, model.net_.partial_fit):
        with pytest.raises(RuntimeError, match="trained by its estimator"):
            train(*digits)
    assert torch.equal(weights(model), before)


def test_gradients_are_clipped(digits: Data) -> None:
    model = classifier(callbacks=[Stepwise()], clip_norm=1e-3).fit(*digits)
    assert max(recorded(model).norms) > 1e-3
    loose = classifier(clip_norm=1e9).fit(*digits)
    assert torch.equal(weights(loose), weights(classifier().fit(*digits)))
    assert not torch.equal(weights(loose), weights(model))


@pytest.mark.slow
def test_warm_start_goes_on_and_fit_begins_anew(digits: Data) -> None:
    cold = classifier(max_epochs=2).fit(*digits)
    assert cold.fit(*digits).n_iter_ == 2
    warm = classifier(max_epochs=2, warm_start=True).fit(*digits)
    before = weights(warm)
    assert warm.fit(*digits).n_iter_ == 4
    assert not torch.equal(weights(warm), before)


def test_partial_fit_honours_what_was_changed(digits: Data) -> None:
    X, y = digits
    model = classifier(max_epochs=2).partial_fit(X, y)
    model.set_params(lr=0.5, max_epochs=3, batch_size=60, loss="focal", loss__gamma=1.0)
    model.set_params(optimizer="sgd", weight_decay=0.25).partial_fit(X, y)
    assert model.n_iter_ == 5
    assert type(model.net_.optimizer_).__name__ == "SGD"
    assert model.net_.optimizer_.param_groups[0]["lr"] == 0.5
    assert model.net_.optimizer_.param_groups[0]["weight_decay"] == 0.25
    assert model.loss_.gamma == 1.0
    assert len(model.history_[-1]["batches"]) == 1
    assert model.history_[-1, "lr"] == 0.5


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_schedule_of_a_callback_continues_with_the_training(method: str, digits: Data) -> None:
    decay = LRScheduler("StepLR", step_size=1, gamma=0.1)
    model = classifier(
        lr=1.0, scheduler=None, weight_decay=0.0, warm_start=True, callbacks=[decay], max_epochs=2
    )
    getattr(model, method)(*digits)
    getattr(model, method)(*digits)
    assert model.history_[:, "lr"] == pytest.approx([1.0, 0.1, 0.001, 0.0001])  # as in skorch
    getattr(model.set_params(lr=5.0, callbacks=None), method)(*digits)
    assert model.history_[-1, "lr"] == 5.0
    model.set_params(scheduler="onecycle").fit(*digits)
    assert model.net_.optimizer_.param_groups[0]["lr"] == 5.0


def test_a_schedule_of_a_callback_may_be_added_later(digits: Data) -> None:
    decay = LRScheduler("StepLR", step_size=1, gamma=0.1)
    model = classifier(lr=0.01).fit(*digits)
    model.set_params(callbacks=[decay], max_epochs=2).partial_fit(*digits)
    assert model.history_[1:, "lr"] == pytest.approx([0.001, 0.0001])


def test_a_schedule_of_a_callback_is_pickled_without_its_optimizer(digits: Data) -> None:
    decay = LRScheduler("StepLR", step_size=1)
    plain, model = (
        classifier(scheduler=None, callbacks=callbacks).fit(*digits)
        for callbacks in (None, [decay])
    )
    size = len(pickle.dumps(plain))
    assert len(pickle.dumps(model)) < 1.01 * size
    assert recorded(model, LRScheduler).lr_scheduler_ is not None


def test_losses_of_batches_are_known_to_callbacks(digits: Data) -> None:
    class Watches(Callback):  # type: ignore[misc]
        def on_batch_end(self, net: Any, loss: Tensor, **kwargs: Any) -> None:
            assert net.history[-1, "batches", -1, "train_loss"] == loss.item()

    plateau = LRScheduler("ReduceLROnPlateau", step_every="batch", patience=0, threshold=9.0)
    model = classifier(scheduler=None, callbacks=[Watches(), plateau]).fit(*digits)
    assert model.net_.optimizer_.param_groups[0]["lr"] < model.lr


def test_a_net_trimmed_for_prediction_is_kept_and_no_longer_trained(
    digits: Data, tmp_path: Path
) -> None:
    X, y = digits
    model = classifier("dice+1e-4*l2", warm_start=True).fit(X, y)
    expected = model.predict_proba(X)
    model.net_.trim_for_prediction()
    model.save(tmp_path / "model.safetensors")
    copies = [pickle.loads(pickle.dumps(model)), copy.deepcopy(model)]
    for copied in [model, load(tmp_path / "model.safetensors"), *copies]:
        np.testing.assert_array_equal(copied.predict_proba(X), expected)
    for train in (model.partial_fit, model.fit, copies[0].partial_fit):
        with pytest.raises(SkorchTrainingImpossibleError, match="trimmed for prediction"):
            train(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), expected)
    assert model.set_params(warm_start=False).fit(X, y).n_iter_ == 1


def test_partial_fit_in_parts_knows_all_classes(digits: Data) -> None:
    X, y = digits
    model = classifier().partial_fit(X[y < 2], y[y < 2], classes=[0, 1, 2])
    model.partial_fit(X[y > 0], y[y > 0])
    assert model.predict_proba(X).shape == (60, 3)
    with pytest.raises(ValueError, match="differs from the classes of the first"):
        model.partial_fit(X, y, classes=[0, 1])


@pytest.mark.parametrize(
    ("n", "batch_size", "sizes"),
    [(5, 2, {2, 3}), (7, 3, {2, 3}), (7, 2, {2, 3}), (3, 2, {3}), (2, 1, {1}), (4, 8, {4})],
)
def test_no_batch_is_a_lone_image(n: int, batch_size: int, sizes: set[int], digits: Data) -> None:
    X, y = digits
    seen: list[int] = []

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        seen.append(len(target))
        return F.cross_entropy(logits, target)

    classifier(loss, batch_size=batch_size, classes=[0, 1, 2]).fit(X[:n], y[:n])
    assert set(seen) == sizes
    assert sum(seen) == n


def test_a_size_that_occurs_once_is_trained_on_or_explained(binary_scenes: Data) -> None:
    X, y = binary_scenes
    images = [X[0], *(np.tile(image, (2, 1)) for image in X[1:5])]
    masks = [y[0], *(np.tile(mask, (2, 1)) for mask in y[1:5])]
    model = segmenter(norm="batch", batch_size=2).fit(images, masks)
    sizes = [batch["train_batch_size"] for batch in model.history_[0]["batches"]]
    assert sorted(sizes) == [1, 2, 2]
    model.set_params(depth=4)
    message = r"reduces images of 16 x 16 pixels .* in a batch of 1: .*Use norm='group' .* depth"
    with pytest.raises(ValueError, match=message):
        model.fit(images, masks)
    assert model.set_params(norm="group").fit(images, masks).n_iter_ == 1


def test_the_history_holds_a_row_per_epoch(digits: Data) -> None:
    model = classifier(max_epochs=3, early_stopping=True).fit(*digits)
    for key in ("train_loss", "valid_loss", "lr", "dur"):
        assert np.isfinite(model.history_[:, key]).all()
    assert model.n_iter_ == len(model.history_) == 3


@pytest.mark.slow
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_the_fit_and_says_where(bad: float, digits: Data) -> None:
    def explode(logits: Tensor, target: Tensor) -> Tensor:
        return logits.sum() * bad

    with pytest.raises(FloatingPointError, match=r"epoch 1 \(lr=.*explode.*smaller lr"):
        classifier(explode).fit(*digits)
    search = GridSearchCV(classifier(max_epochs=3), {"loss": [explode, "hinge"]}, cv=2)
    with (
        pytest.warns(FitFailedWarning, match="FloatingPointError"),
        pytest.warns(UserWarning, match="scores are non-finite"),
    ):
        search.fit(*digits)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [True, False]
    assert search.best_params_ == {"loss": "hinge"}


def test_a_progress_bar_counts_the_epochs(digits: Data, capsys: pytest.CaptureFixture[str]) -> None:
    classifier(max_epochs=3, verbose=1).fit(*digits)
    shown = capsys.readouterr().err
    assert "ResNetClassifier" in shown
    assert "3/3" in shown
    classifier(max_epochs=2, verbose=2).fit(*digits)
    assert "train_loss" in capsys.readouterr().out


def test_nothing_is_printed_by_default(digits: Data, capsys: pytest.CaptureFixture[str]) -> None:
    classifier().fit(*digits)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == ""


@pytest.mark.slow
def test_scikit_learn_s_callbacks_see_each_epoch(digits: Data) -> None:
    callback = pytest.importorskip("sklearn.callback")
    X, y = digits

    class Watcher:
        def __init__(self) -> None:
            self.seen: list[tuple[str, float]] = []

        def setup(self, estimator: Any, context: Any) -> None:
            self.seen.append(("setup", 0.0))

        def teardown(self, estimator: Any, context: Any) -> None:
            self.seen.append(("teardown", 0.0))

        def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
            pass

        def on_fit_task_end(
            self, estimator: Any, context: Any, *, fitted_estimator: Any = None
        ) -> bool:
            self.seen.append((context.task_name, fitted_estimator.score(X, y)))
            return bool(context.task_name == "epoch" and context.task_id == 1)

    assert isinstance(Watcher(), callback.FitCallback)
    watcher = Watcher()
    model = classifier(max_epochs=5).set_callbacks(watcher).fit(X, y)
    assert [name for name, _ in watcher.seen] == ["setup", "epoch", "epoch", "fit", "teardown"]
    assert model.n_iter_ == 2  # stopped by the watcher
    assert watcher.seen[-2][1] == model.score(X, y)
    plain = classifier(max_epochs=5).fit(X, y)
    assert plain.n_iter_ == 5


def test_weights_equal_repetition_with_full_batches_and_group_norm(scenes: Data) -> None:
    X, y = scenes
    repeats = np.arange(len(X)) % 3
    settings: dict[str, Any] = {"batch_size": 100, "max_epochs": 3, "normalize": None}
    weighted = segmenter(**settings).fit(X, y, sample_weight=repeats)
    repeated = segmenter(**settings).fit(np.repeat(X, repeats, 0), np.repeat(y, repeats, 0))
    np.testing.assert_allclose(
        weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-3, atol=1e-4
    )


def test_bfloat16_trains(scenes: Data) -> None:
    model = segmenter(precision="bfloat16", max_epochs=2).fit(*scenes)
    assert model.predict_proba(scenes[0]).dtype == np.float32
    assert all(p.dtype == torch.float32 for p in model.module_.parameters())


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
@pytest.mark.parametrize("loss", ["dice+bce", "cross_entropy", "lovasz_softmax"])
def test_deterministic_training_gives_the_same_bits_twice(
    loss: str, device: str, binary_scenes: Data
) -> None:
    settings: dict[str, Any] = {"deterministic": True, "device": device, "max_epochs": 2}
    first, second = (segmenter(loss, **settings).fit(*binary_scenes) for _ in range(2))
    assert torch.equal(weights(first), weights(second))
    assert not torch.are_deterministic_algorithms_enabled()


def test_the_global_random_state_is_left_alone(digits: Data) -> None:
    before = np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    classifier(augment=["flip", "noise"]).fit(*digits)
    assert torch.equal(torch.rand(1), expected)
    after = np.random.get_state()[1]  # type: ignore[index]  # noqa: NPY002
    np.testing.assert_array_equal(after, before)


@pytest.mark.slow
def test_workers_train_the_same_model(digits: Data) -> None:
    X, y = digits
    alone = cross_val_score(classifier(max_epochs=3), X, y, cv=3)
    np.testing.assert_array_equal(
        alone, cross_val_score(classifier(max_epochs=3), X, y, cv=3, n_jobs=2)
    )


def test_a_fitted_model_goes_on_after_pickling(digits: Data) -> None:
    X, y = digits
    model = classifier(callbacks=[Stepwise()], early_stopping=True).fit(X, y)
    twin = pickle.loads(pickle.dumps(model))
    assert twin.partial_fit(X, y).n_iter_ == 2
    assert not hasattr(clone(twin), "net_")
