"""What was saved predicts the same when it is loaded, and needs nothing but the file."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback, EpochScoring, Freezer
from torch import nn
from torch.nn import functional

from sklearnloss import ResNetClassifier, UNetSegmenter, load
from sklearnloss.estimators._training.parameters import MAY_BE_CODE
from sklearnloss.losses import (
    CompoundLoss,
    CrossEntropyLoss,
    DiceLoss,
    FocalLoss,
    L2Penalty,
    Loss,
    register_loss,
)

from ..conftest import Data, classifier, segmenter

FILE = "model.safetensors"


class ScaledLoss(Loss):
    """A loss of the user's own, with a setting."""

    form = "softmax"

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    def forward(self, logits: Any, target: Any, sample_weight: Any = None) -> Any:
        return self.scale * functional.cross_entropy(logits, target)


class Temperature(nn.Module):
    """A module of the user's own, with something to learn."""

    def __init__(self) -> None:
        super().__init__()
        self.log_t = nn.Parameter(torch.zeros(()))

    def forward(self, logits: Any, target: Any) -> Any:
        return functional.cross_entropy(logits / self.log_t.exp(), target)


def sharp_loss(logits: Any, target: Any, power: float = 1.0) -> Any:
    return functional.cross_entropy(logits, target) ** power


class MyClassifier(ResNetClassifier):
    pass


class Recorder(Callback):  # type: ignore[misc]
    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        net.history.record("shape", torch.Size([1]))
        net.history.record("best", np.float32(0.5))
        net.history.record("note", {"kept": np.nan})


def reloaded(model: Any, folder: Path, **custom: Any) -> Any:
    """Save a model and load it."""
    model.save(folder / FILE)
    return load(folder / FILE, custom=custom)


def assert_same(again: Any, model: Any, X: Any) -> None:
    """Check that two fitted estimators cannot be told apart."""
    assert type(again) is type(model)
    assert vars(again).keys() == vars(model).keys()
    assert repr(again.get_params(deep=False)) == repr(model.get_params(deep=False))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X), strict=True)
    np.testing.assert_array_equal(again.predict(X), model.predict(X), strict=True)
    np.testing.assert_array_equal(again.classes_, model.classes_, strict=True)
    assert again.input_shape_ == model.input_shape_
    assert again.n_features_in_ == model.n_features_in_
    assert again.n_iter_ == model.n_iter_
    assert repr(again.loss_) == repr(model.loss_)


CLASSIFIERS: list[dict[str, Any]] = [
    {},
    {"loss": "focal", "loss__gamma": np.float32(1), "normalize": None},
    {"loss": "0.5*dice+ldam+1e-4*l2", "loss__dice__eps": 1.0},
    {"loss": FocalLoss(gamma=1) + 0.5 * CrossEntropyLoss() + 1e-4 * L2Penalty()},
    {"loss": CompoundLoss([("a", DiceLoss()), nn.CrossEntropyLoss()], weights=(1, 2))},
    {"loss": "asymmetric"},
    {"loss": nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 3.0]))},
    {"loss": nn.CrossEntropyLoss, "loss__label_smoothing": 0.1},
    {"loss": functional.cross_entropy},
    {"class_weight": {0: 1.0, 1: np.float64(2), 2: 3}, "optimizer": torch.optim.SGD},
    {"class_weight": "balanced", "early_stopping": True, "validation_fraction": 0.3},
    {"classes": np.array([0, 1, 2, 7]), "device": torch.device("cpu"), "tta": "flip"},
    {"augment": ["flip", "noise"], "net_params": {"optimizer__betas": (0.9, 0.95)}},
    {"random_state": None, "image_shape": (8, 8), "scheduler": None, "clip_norm": 1.0},
]


@pytest.mark.slow
@pytest.mark.parametrize("params", CLASSIFIERS, ids=lambda params: ",".join(map(str, params)))
def test_a_classifier_comes_back(params: dict[str, Any], digits: Data, tmp_path: Path) -> None:
    X, y = digits
    model = classifier(**params).fit(X, y)
    assert_same(reloaded(model, tmp_path), model, X)


SEGMENTERS: list[dict[str, Any]] = [
    {},
    {"loss": "boundary+dice", "norm": "batch"},
    {"ignore_index": 2, "tile": (16, 16), "loss": "cross_entropy"},
    {"class_weight": [1.0, 2.0, 3.0], "norm": "instance"},
]


@pytest.mark.slow
@pytest.mark.parametrize("params", SEGMENTERS, ids=lambda params: ",".join(map(str, params)))
def test_a_segmenter_comes_back(params: dict[str, Any], scenes: Data, tmp_path: Path) -> None:
    X, y = scenes
    model = segmenter(**params).fit(X, y)
    assert_same(reloaded(model, tmp_path), model, X)


def test_a_binary_segmenter_comes_back(binary_scenes: Data, tmp_path: Path) -> None:
    X, y = binary_scenes
    model = segmenter().fit(X, y * 255)
    assert_same(reloaded(model, tmp_path), model, X)


def test_a_multilabel_segmenter_comes_back(binary_scenes: Data, tmp_path: Path) -> None:
    X, y = binary_scenes
    model = segmenter(multilabel=True, classes=["cell", "other"])
    model.fit(X, 255 * np.stack([y, 1 - y], 1))
    again = reloaded(model, tmp_path)
    assert_same(again, model, X)
    np.testing.assert_array_equal(again.mask_values_, model.mask_values_, strict=True)


LABELS: list[Any] = [
    np.array(["one", "three", "two"]),
    np.array(["one", "three", "two"], dtype=object),
    np.array([-5, 0, 70], dtype=np.int16),
    np.array([0.0, 1.0, 3.0]),
]


@pytest.mark.slow
@pytest.mark.parametrize("labels", LABELS, ids=lambda labels: labels.dtype.str)
def test_labels_keep_their_type(labels: np.ndarray, digits: Data, tmp_path: Path) -> None:
    X, y = digits
    model = classifier().fit(X, labels[y])
    assert_same(reloaded(model, tmp_path), model, X)


def test_boolean_labels_keep_their_type(digits: Data, tmp_path: Path) -> None:
    X, y = digits
    model = classifier().fit(X, y > 0)
    assert reloaded(model, tmp_path).classes_.dtype == bool


def test_names_of_features_come_back(digits: Data, tmp_path: Path) -> None:
    X, y = digits
    frame = pd.DataFrame(X.reshape(len(X), -1)).rename(columns="pixel {}".format)
    model = classifier(image_shape=(8, 8)).fit(frame, y)
    again = reloaded(model, tmp_path)
    assert_same(again, model, frame)
    assert list(again.feature_names_in_) == list(frame.columns)


def test_volumes_and_channels_come_back(tmp_path: Path) -> None:
    X = np.random.default_rng(0).random((6, 8, 8, 2)).astype(np.float32)
    model = classifier(channels="last").fit(X, [0, 1, 0, 1, 0, 1])
    assert_same(reloaded(model, tmp_path), model, X)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "params", "custom"),
    [
        (ScaledLoss(scale=2.0), {}, {"ScaledLoss": ScaledLoss}),
        (ScaledLoss, {"loss__scale": 2.0}, {"ScaledLoss": ScaledLoss}),
        (sharp_loss, {"loss__power": 2.0}, {"sharp_loss": sharp_loss}),
        (functools.partial(sharp_loss, power=2.0), {}, {"sharp_loss": sharp_loss}),
        (Temperature(), {}, {"Temperature": Temperature()}),
        (
            CompoundLoss([sharp_loss, ScaledLoss(2.0)]),
            {},
            {"ScaledLoss": ScaledLoss, "sharp_loss": sharp_loss},
        ),
    ],
    ids=["object", "class", "function", "partial", "module", "sum"],
)
def test_a_loss_of_ones_own_is_named_and_passed_in(
    loss: Any, params: dict[str, Any], custom: dict[str, Any], digits: Data, tmp_path: Path
) -> None:
    X, y = digits
    model = classifier(loss, **params).fit(X, y)
    again = reloaded(model, tmp_path, **custom)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert type(again.loss_) is type(model.loss_)
    again.partial_fit(X, y)
    names = ", ".join(map(repr, sorted(custom)))
    with pytest.raises(
        ValueError, match=f"it needs objects of your own: {names}. Pass them by name"
    ):
        load(tmp_path / FILE)


def test_what_a_loss_learnt_comes_back(digits: Data, tmp_path: Path) -> None:
    model = classifier(Temperature(), lr=0.1, max_epochs=2).fit(*digits)
    learnt = model.loss_.log_t.item()
    assert learnt != 0
    given = Temperature()
    again = reloaded(model, tmp_path, Temperature=given)
    assert again.loss_.log_t.item() == learnt
    assert given.log_t.item() == 0  # the user's own object stays as it is


def test_a_registered_loss_need_not_be_passed_in(digits: Data, tmp_path: Path) -> None:
    register_loss("sharp", sharp_loss)
    again = reloaded(classifier("sharp", loss__power=2.0).fit(*digits), tmp_path)
    assert again.loss_.func is sharp_loss


def test_the_history_comes_back(digits: Data, tmp_path: Path) -> None:
    X, y = digits
    scoring = EpochScoring("accuracy", name="accuracy", lower_is_better=False)
    model = classifier(max_epochs=2, early_stopping=True, callbacks=[scoring]).fit(X, y)
    with pytest.warns(UserWarning, match="callbacks"):
        again = reloaded(model, tmp_path)
    assert list(again.history_) == list(model.history_)
    assert again.history_[:, "train_loss"] == model.history_[:, "train_loss"]
    assert again.history_[-1, "batches", 0] == model.history_[-1, "batches", 0]


def test_what_callbacks_wrote_into_the_history_is_kept_where_it_is_data(
    digits: Data, tmp_path: Path
) -> None:
    model = classifier(callbacks=[Recorder()]).fit(*digits)
    with pytest.warns(UserWarning, match="callbacks"):
        (row,) = reloaded(model, tmp_path).history_
    assert row["best"] == 0.5
    assert np.isnan(row["note"]["kept"])
    assert "shape" not in row


def test_training_goes_on_after_loading(digits: Data, tmp_path: Path) -> None:
    X, y = digits
    model = classifier("ldam+1e-4*l2", max_epochs=3).fit(X, y)
    again = reloaded(model, tmp_path)
    before = again.predict_proba(X)
    loss = again.loss_
    again.partial_fit(X, y)
    assert again.n_iter_ == 6
    assert again.loss_ is loss  # not made anew: nothing was changed
    assert np.abs(again.predict_proba(X) - before).max() > 0
    again.set_params(warm_start=True).fit(X, y)
    assert again.n_iter_ == 9


def test_a_loaded_estimator_is_saved_and_cloned_like_any_other(
    digits: Data, tmp_path: Path
) -> None:
    X, y = digits
    model = classifier("dice+focal", loss__focal__gamma=1.0).fit(X, y)
    again = reloaded(reloaded(model, tmp_path), tmp_path)
    assert_same(again, model, X)
    copied = clone(again)
    assert copied.get_params().keys() == model.get_params().keys()
    np.testing.assert_array_equal(copied.fit(X, y).predict_proba(X), model.predict_proba(X))


def test_frozen_weights_stay_frozen(digits: Data, tmp_path: Path) -> None:
    X, y = digits
    model = classifier(callbacks=[Freezer("conv1.*")]).fit(X, y)
    with pytest.warns(UserWarning, match="callbacks"):
        again = reloaded(model, tmp_path)
    before = again.module_.conv1.weight.clone()
    again.partial_fit(X, y)
    assert torch.equal(again.module_.conv1.weight, before)


def test_neither_saving_nor_loading_draws_random_numbers(digits: Data, tmp_path: Path) -> None:
    model = classifier(random_state=None).fit(*digits)
    states = torch.get_rng_state(), repr(np.random.get_state())  # noqa: NPY002
    reloaded(model, tmp_path)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert repr(np.random.get_state()) == states[1]  # noqa: NPY002


def test_saving_changes_nothing(digits: Data, tmp_path: Path) -> None:
    X, y = digits
    model = classifier("dice+1e-4*l2").fit(X, y)
    twin = classifier("dice+1e-4*l2").fit(X, y)
    model.save(tmp_path / FILE)
    expected = twin.partial_fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(model.partial_fit(X, y).predict_proba(X), expected)


def test_code_that_only_training_needs_is_left_out_with_a_warning(
    digits: Data, tmp_path: Path
) -> None:
    X, y = digits

    class OwnOptimizer(torch.optim.SGD):
        pass

    code: dict[str, Any] = {
        "augment": ["flip", lambda images: images],
        "callbacks": [("recorder", Recorder())],
        "net_params": {"torch_load_kwargs": {"map_location": sharp_loss}},
        "optimizer": OwnOptimizer,
        "random_state": np.random.RandomState(0),
        "scheduler": lambda progress: 1 - progress,
        "weights": classifier().fit(X, y).module_.state_dict(),
    }
    assert set(code) == MAY_BE_CODE
    model = classifier(**code).fit(X, y)
    with pytest.warns(UserWarning, match="Left out of the file") as record:
        model.save(tmp_path / FILE)
    (warning,) = record
    assert warning.filename == __file__
    message = str(warning.message)
    assert "Left out of the file, since only training needs them: augment (" in message
    assert "Before training the loaded estimator, set them again with set_params." in message
    again = load(tmp_path / FILE)
    for name in code:
        assert f"{name} (" in message
        assert getattr(again, name) == getattr(ResNetClassifier(), name)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_other_code_is_an_error_that_names_the_parameter(digits: Data, tmp_path: Path) -> None:
    model = classifier().fit(*digits).set_params(classes=range(3))
    with pytest.raises(
        ValueError, match=r"Cannot save ResNetClassifier: classes holds range\(0, 3\)"
    ):
        model.save(tmp_path / FILE)
    model = classifier(ScaledLoss(scale=2)).fit(*digits)
    model.loss_.scale = 1j
    with pytest.raises(
        ValueError, match=r"Cannot save the loss ScaledLoss\(scale=1j\): it holds 1j"
    ):
        model.save(tmp_path / FILE)
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_its_parameters_do_not_describe_is_not_saved(
    digits: Data, tmp_path: Path
) -> None:
    model = classifier().fit(*digits).set_params(width=8)
    with pytest.raises(ValueError, match="Were parameters changed, or the network replaced, since"):
        model.save(tmp_path / FILE)
    assert list(tmp_path.iterdir()) == []


def test_unlike_losses_of_one_name_are_not_saved(digits: Data, tmp_path: Path) -> None:
    model = classifier(lambda logits, target: functional.cross_entropy(logits, target))
    model.fit(*digits).set_params(loss=lambda logits, target: logits.mean())
    with pytest.raises(ValueError, match="loss and loss_ differ, both called '<lambda>'"):
        model.save(tmp_path / FILE)


def test_parameters_changed_after_fit_are_kept(digits: Data, tmp_path: Path) -> None:
    X, y = digits
    model = classifier("focal").fit(X, y).set_params(lr=0.5, loss__gamma=0.0)
    again = reloaded(model, tmp_path)
    assert again.lr == 0.5
    assert again.get_params()["loss__gamma"] == 0.0
    assert again.loss_.gamma == 2.0  # what it was trained with
    assert again.partial_fit(X, y).loss_.gamma == 0.0


def test_an_unfitted_estimator_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(NotFittedError, match="not fitted yet"):
        classifier().save(tmp_path / FILE)


def test_an_interrupted_save_keeps_the_older_file(
    digits: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = digits
    model = classifier().fit(X, y)
    model.save(tmp_path / FILE)
    older = (tmp_path / FILE).read_bytes()

    def interrupted(*args: Any) -> None:
        raise KeyboardInterrupt

    model.partial_fit(X, y)
    for step in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, step, interrupted)
            with pytest.raises(KeyboardInterrupt):
                model.save(tmp_path / FILE)
        assert [path.name for path in tmp_path.iterdir()] == [FILE]
        assert (tmp_path / FILE).read_bytes() == older
    model.save(tmp_path / FILE)
    assert (tmp_path / FILE).read_bytes() != older


def test_a_link_is_written_through(digits: Data, tmp_path: Path) -> None:
    model = classifier().fit(*digits)
    (tmp_path / "link").symlink_to(tmp_path / FILE)
    model.save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert not (tmp_path / FILE).is_symlink()


def test_a_file_may_have_any_name_and_the_usual_permissions(digits: Data, tmp_path: Path) -> None:
    path = tmp_path / "my model.bin"
    classifier().fit(*digits).save(str(path))
    (tmp_path / "other").touch()
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode
    load(str(path))


def test_other_tools_read_the_weights(digits: Data, tmp_path: Path) -> None:
    model = classifier().fit(*digits)
    model.save(tmp_path / FILE)
    tensors = load_file(tmp_path / FILE)
    for name, tensor in model.module_.state_dict().items():
        assert torch.equal(tensors[f"network.{name}"], tensor)


def test_the_file_holds_no_training_data(digits: Data, tmp_path: Path) -> None:
    X, y = digits
    sizes = []
    for repeats in (1, 4):
        model = classifier(batch_size=1000).fit(np.tile(X, (repeats, 1, 1)), np.tile(y, repeats))
        model.save(tmp_path / FILE)
        sizes.append((tmp_path / FILE).stat().st_size)
    assert abs(sizes[1] - sizes[0]) < 200


def test_each_class_loads_only_its_own(digits: Data, tmp_path: Path) -> None:
    X, y = digits
    model = classifier().fit(X, y)
    model.save(tmp_path / FILE)
    assert_same(ResNetClassifier.load(tmp_path / FILE), model, X)
    with pytest.raises(ValueError, match="it holds a 'ResNetClassifier'; expected 'UNetSeg"):
        UNetSegmenter.load(tmp_path / FILE)


def test_a_sub_class_is_passed_in_or_loads_itself(digits: Data, tmp_path: Path) -> None:
    X, y = digits
    model = MyClassifier(width=4, max_epochs=1).fit(X, y)
    model.save(tmp_path / FILE)
    assert_same(MyClassifier.load(tmp_path / FILE), model, X)
    assert_same(load(tmp_path / FILE, custom={"MyClassifier": MyClassifier}), model, X)
    with pytest.raises(ValueError, match="it holds a 'MyClassifier'; expected"):
        load(tmp_path / FILE)


def test_a_missing_file_is_no_damaged_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nothing"):
        load(tmp_path / "nothing")


def test_a_file_of_a_gpu_that_is_not_there_loads_on_the_cpu(
    digits: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = digits
    model = classifier().fit(X, y).set_params(device="cuda")
    model.save(tmp_path / FILE)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    again = load(tmp_path / FILE)
    assert again.device == "cuda"
    assert again.net_.device == "cpu"
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("device", ["mps", "xpu", "meta"])
def test_a_file_of_a_device_that_is_not_there_loads_on_the_cpu(
    device: str, digits: Data, tmp_path: Path
) -> None:
    if device != "meta" and getattr(torch, device).is_available():
        pytest.skip("it is there")
    X, y = digits
    model = classifier().fit(X, y)
    expected = model.predict_proba(X)
    again = reloaded(model.set_params(device=device), tmp_path)
    assert again.device == device
    assert again.net_.device == "cpu"
    np.testing.assert_array_equal(again.predict_proba(X), expected)


@pytest.mark.cuda
@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(torch.ones(3)), "dice+ldam+1e-4*l2"])
def test_a_file_from_a_gpu_loads_anywhere(loss: Any, digits: Data, tmp_path: Path) -> None:
    X, y = digits
    model = classifier(loss, device="cuda", precision="float32").fit(X, y)
    model.save(tmp_path / FILE)
    again = load(tmp_path / FILE)
    assert next(again.module_.parameters()).is_cuda
    np.testing.assert_allclose(again.predict_proba(X), model.predict_proba(X), atol=1e-3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        on_cpu = load(tmp_path / FILE)
        assert not next(on_cpu.module_.parameters()).is_cuda
        np.testing.assert_allclose(on_cpu.predict_proba(X), model.predict_proba(X), atol=1e-2)
        on_cpu.set_params(device="cpu").partial_fit(X, y)
