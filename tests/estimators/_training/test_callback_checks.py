"""Callbacks and arguments of the net without effect are refused before training starts."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from sklearn.metrics import accuracy_score, make_scorer
from skorch import NeuralNet
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    Freezer,
    InputShapeSetter,
    LRScheduler,
    PassthroughScoring,
    WandbLogger,
)
from torch.utils.data import DataLoader

from sklearnloss.metrics import iou_scorer

from ..conftest import Data, classifier, segmenter


class Trained(Callback):  # type: ignore[misc]
    """Fails where training begins."""

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        raise AssertionError("training began")


SAYS_HOW = "There are no validation data. Set early_stopping=True, which holds out"


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (EarlyStopping(), f"EarlyStopping, which reads 'valid_loss'. {SAYS_HOW}.*'train_loss'"),
        (Checkpoint(), f"Checkpoint, which reads 'valid_loss_best'. {SAYS_HOW}.*monitor=None"),
        (WandbLogger(None), f"WandbLogger, which reads.*{SAYS_HOW}.*save_model=False"),
        (EpochScoring("accuracy"), f"EpochScoring with on_train=False. {SAYS_HOW}.*on_train=True"),
        (BatchScoring("accuracy"), f"BatchScoring with on_train=False. {SAYS_HOW}"),
        (PassthroughScoring("score"), f"PassthroughScoring with on_train=False. {SAYS_HOW}"),
        (
            EpochScoring("acuracy", on_train=True),
            "is not a scikit-learn scorer.*Did you mean 'accuracy'",
        ),
        (EpochScoring(["accuracy"], on_train=True), "Use one callback per score"),
        (
            EpochScoring("accuracy", on_train=True, use_caching=False),
            "use_caching=False, which passes no targets",
        ),
        (InputShapeSetter(), "the estimator sets the shape of its network itself"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_callbacks_that_cannot_work_are_refused(callback: Any, message: str, digits: Data) -> None:
    with pytest.raises(ValueError, match=message):
        classifier(callbacks=[callback]).fit(*digits)
    with pytest.raises(ValueError, match=message):  # made by a function
        classifier(callbacks=[lambda: callback]).fit(*digits)


def test_reading_scores_of_a_callback_of_ones_own_is_allowed(digits: Data) -> None:
    class Valid(Callback):  # type: ignore[misc]
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            net.history.record("valid_loss", 1.0)

    stop = EarlyStopping("valid_loss", patience=1)
    assert classifier(callbacks=[Valid(), stop], max_epochs=9).fit(*digits).n_iter_ == 2
    scoring = EpochScoring(lambda *_: 1.0, name="valid_loss", on_train=True)
    assert classifier(callbacks=[scoring, stop], max_epochs=9).fit(*digits).n_iter_ == 2


@pytest.mark.parametrize(
    "callback",
    [
        EarlyStopping(),
        Checkpoint(),
        LRScheduler("ReduceLROnPlateau", monitor="valid_loss"),
        WandbLogger(type("Run", (), {"watch": lambda *_: 0, "log": lambda *_: 0})()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_scores_that_turn_out_to_be_missing_are_explained(callback: Any, digits: Data) -> None:
    callbacks = [Callback(), type("Own", (Callback,), {})(), callback]
    with pytest.raises(ValueError, match=f"{type(callback).__name__} failed.*{SAYS_HOW}"):
        classifier(callbacks=callbacks, scheduler=None).fit(*digits)


@pytest.mark.parametrize("scheduler", ["onecycle", "cosine", lambda progress: 1.0])
def test_two_schedules_are_refused(scheduler: Any, digits: Data) -> None:
    callback = LRScheduler("StepLR", step_size=1)
    for callbacks in ([callback], [("lr", lambda: callback)]):
        model = classifier(callbacks=[Trained(), *callbacks], scheduler=scheduler)
        with pytest.raises(ValueError, match="LRScheduler, but scheduler=.*Set scheduler=None"):
            model.fit(*digits)
    rates = classifier(callbacks=[callback], lr=0.01).partial_fit(*digits).history_[:, "lr"]
    assert rates == [0.01]


def test_a_learning_rate_that_the_schedule_overwrites_is_reported(digits: Data) -> None:
    class Halve(Callback):  # type: ignore[misc]
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            net.set_params(lr=1e-9)

    with pytest.warns(UserWarning, match="changed the learning rate, which has no effect"):
        model = classifier(callbacks=[Halve()], max_epochs=2).fit(*digits)
    expected = classifier(max_epochs=2).fit(*digits)
    assert model.history_[:, "lr"] == expected.history_[:, "lr"]


@pytest.mark.parametrize(
    "scoring",
    ["accuracy", "roc_auc", accuracy_score, make_scorer(accuracy_score)],
    ids=["accuracy", "roc_auc", "function", "scorer"],
)
def test_scorers_of_labels_are_refused_for_masks(scoring: Any, scenes: Data) -> None:
    callback = EpochScoring(scoring, on_train=True)
    with pytest.raises(ValueError, match="one label per image, not masks.*iou_scorer"):
        segmenter(callbacks=[callback]).fit(*scenes)


def test_scoring_all_masks_at_once_needs_images_of_one_size(scenes: Data) -> None:
    X, y = scenes
    images = [image[: 16 - 8 * (k % 2)] for k, image in enumerate(X)]
    masks = [mask[: 16 - 8 * (k % 2)] for k, mask in enumerate(y)]
    scoring = {"scoring": iou_scorer, "on_train": True, "name": "iou", "lower_is_better": False}
    with pytest.raises(ValueError, match="images have different sizes. Use BatchScoring"):
        segmenter(callbacks=[EpochScoring(**scoring)]).fit(images, masks)
    model = segmenter(callbacks=[BatchScoring(**scoring)]).fit(images, masks)
    assert 0 < model.history_[-1, "iou"] < 1


@pytest.mark.parametrize("pattern", ["conv9.*", lambda name: False, ["conv1.*", "nope"]])
def test_patterns_that_match_nothing_are_refused(pattern: Any, digits: Data) -> None:
    with pytest.raises(ValueError, match="Freezer: the pattern .* matches no parameter.*conv1"):
        classifier(callbacks=[Freezer(pattern)]).fit(*digits)
    if isinstance(pattern, str):
        groups = {"optimizer__param_groups": [(pattern, {"lr": 1.0})]}
        with pytest.raises(ValueError, match="param_groups in net_params: the pattern"):
            classifier(net_params=groups).fit(*digits)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("iterator_train__shuffle", False, "has no effect: batches are sliced.*batch_size"),
        ("iterator_train", DataLoader, "has no effect: batches are sliced"),
        ("iterator_valid__num_workers", 2, "has no effect: batches are sliced"),
        ("dataset", torch.utils.data.Dataset, "has no effect. X may be a torch Dataset"),
        ("dataset__length", 2, "has no effect. X may be a torch Dataset"),
        ("train_split", None, "held out by early_stopping=True.*net.predict"),
        ("predict_nonlinearity", None, "has no effect: predict_proba returns probabilities"),
        ("warm_start", True, "the estimator sets itself"),
        ("compile", True, "the estimator sets itself"),
        ("compile__dynamic", True, "the estimator sets itself"),
        ("criterion__loss", None, "the estimator sets itself"),
        ("history", None, "is unknown. Expected optimizer__<argument>"),
        ("optimiser__betas", None, "is unknown.*Did you mean 'optimizer__betas'"),
        ("optimizer__beta", 0.9, "AdamW has no argument 'beta'.*Did you mean 'betas'"),
        ("optimizer__lr", 0.1, "Use lr="),
        ("optimizer__weight_decay", 0.1, "Use weight_decay="),
        ("callbacks__nope", 1, "no callback of this name. Expected one of .*'print_log'"),
        ("callbacks__nope__x", 1, "no callback of this name"),
        ("callbacks__print_lgo", None, "Did you mean 'print_log'"),
        ("callbacks__train_loss", None, "training needs this callback"),
        ("use_caching", "no", "Expected True or False"),
    ],
)
def test_arguments_of_the_net_without_effect_are_refused(
    name: str, value: Any, message: str, digits: Data
) -> None:
    model = classifier(net_params={name: value}, callbacks=[Trained()])
    with pytest.raises(ValueError, match=f"net_params holds '?{name}.*{message}"):
        model.fit(*digits)


def test_arguments_of_the_net_that_work(digits: Data) -> None:
    lines: list[str] = []
    params = {
        "optimizer__eps": 1e-3,
        "callbacks__print_log__sink": lines.append,
        "callbacks__epoch_timer": None,
        "callbacks__accuracy__name": "acc",
        "use_caching": True,
        "torch_load_kwargs": {"weights_only": True},
    }
    scoring = ("accuracy", EpochScoring("accuracy", on_train=True, use_caching=False))
    model = classifier(net_params=params, callbacks=[scoring]).fit(*digits)
    assert model.net_.optimizer_.param_groups[0]["eps"] == 1e-3
    assert len(lines) == 3  # two lines of a header
    assert "dur" not in model.history_[0]
    assert 0 < model.history_[0, "acc"] < 1


def test_every_argument_of_skorchs_net_is_known(digits: Data) -> None:
    names = set(inspect.signature(NeuralNet.__init__).parameters)
    for name in names - {"self", "kwargs", "use_caching", "torch_load_kwargs"}:
        with pytest.raises(ValueError, match=f"net_params holds '{name}'") as refused:
            classifier(net_params={name: None}).fit(*digits)
        assert "is unknown" not in str(refused.value)
