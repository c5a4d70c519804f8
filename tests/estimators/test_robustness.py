"""What is left after mistakes, and what a change of settings changes."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from torch import Tensor, nn

from sklearnloss import UNetSegmenter
from sklearnloss.losses import BCEWithLogitsLoss, CrossEntropyLoss, FocalLoss

from .conftest import Data, classifier, segmenter


def fails(*arguments: Any) -> Any:
    raise ZeroDivisionError


@pytest.mark.parametrize("mistake", [{"augment": fails}, {"loss": "nope"}, {"weights": "no.pt"}])
def test_a_fit_that_fails_leaves_the_model_of_the_one_before(
    mistake: dict[str, Any], digits: Data
) -> None:
    X, y = digits
    model = classifier().fit(X, y)
    expected = model.predict_proba(X)
    model.set_params(**mistake)
    with pytest.raises((ZeroDivisionError, ValueError, OSError)):
        model.fit(X[:, :6], np.array(["ant", "bee", "cat"])[y])
    assert model.classes_.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(model.predict_proba(X), expected)


def test_a_first_fit_that_fails_leaves_no_model(digits: Data) -> None:
    model = classifier(augment=fails)
    with pytest.raises(ZeroDivisionError):
        model.fit(*digits)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        model.predict(digits[0])


def test_a_training_in_place_that_diverges_leaves_no_model(digits: Data) -> None:
    model = classifier().fit(*digits)
    model.set_params(loss=lambda logits, target: logits.sum() * float("nan"))
    with pytest.raises(FloatingPointError, match="became nan"):
        model.partial_fit(*digits)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        model.predict(digits[0])


def test_parameters_of_a_loss_object_add_up(digits: Data) -> None:
    model = classifier(FocalLoss(), loss__gamma=5.0).set_params(loss__alpha=0.5)
    loss = model.fit(*digits).loss_
    assert (loss.gamma, loss.alpha) == (5.0, 0.5)


def test_a_changed_torch_module_is_trained_next(digits: Data) -> None:
    model = classifier(nn.CrossEntropyLoss()).fit(*digits)
    model.set_params(loss=nn.CrossEntropyLoss(label_smoothing=0.5)).partial_fit(*digits)
    assert model.loss_.label_smoothing == 0.5


def test_a_loss_that_learns_goes_on_learning(digits: Data) -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, logits: Tensor, target: Tensor) -> Tensor:
            return nn.functional.cross_entropy(self.scale * logits, target)

    model = classifier().fit(*digits)
    model.set_params(loss=Scaled()).partial_fit(*digits)
    assert float(model.loss_.scale.detach()) != 1.0


def test_an_ignored_label_may_come_later(binary_scenes: Data) -> None:
    X, y = binary_scenes
    masked = np.where(np.arange(16) < 4, 9, y)
    model = segmenter("bce").fit(X, y)
    model.set_params(ignore_index=9).partial_fit(X, masked)
    assert set(np.unique(model.predict(X))) <= {0, 1}
    with pytest.raises(ValueError, match="needs masks of at least 2 classes"):
        model.set_params(ignore_index=1).partial_fit(X, y)
    assert model.classes_.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("first", "second"),
    [("sgd", "adamw"), ("adamw", "rprop"), ("adamw", "sgd"), ("adam", "RMSprop")],
)
def test_another_optimizer_has_its_own_settings(first: str, second: str, digits: Data) -> None:
    decay = 0.0 if second == "rprop" else 0.1
    model = classifier(optimizer=first, weight_decay=0.1).fit(*digits)
    model.set_params(optimizer=second, weight_decay=decay).partial_fit(*digits)
    group = model.net_.optimizer_.param_groups[0]
    assert type(model.net_.optimizer_).__name__.lower() == second.lower()
    assert group.get("momentum") == (0.9 if second == "sgd" else group.get("momentum"))


def test_settings_of_the_optimizer_s_groups_stay(digits: Data) -> None:
    groups = {"optimizer__param_groups": [("fc*", {"lr": 1e-4})]}
    model = classifier(net_params=groups, scheduler=None).fit(*digits)
    model.set_params(lr=0.5).partial_fit(*digits)
    assert sorted(group["lr"] for group in model.net_.optimizer_.param_groups) == [1e-4, 0.5]


def test_balanced_weights_and_class_counts_when_training_goes_on(digits: Data) -> None:
    model = classifier(class_weight="balanced", warm_start=True).fit(*digits).fit(*digits)
    assert model.n_iter_ == 2
    with pytest.raises(ValueError, match="cannot be computed from part"):
        model.set_params(loss="focal").partial_fit(*digits)
    model = classifier(nn.CrossEntropyLoss()).fit(*digits)
    model.set_params(loss="ldam").partial_fit(*digits)
    assert model.n_iter_ == 2


def test_one_image_is_not_taken_for_rows(binary_scenes: Data) -> None:
    X, y = binary_scenes
    model = segmenter().fit(X, y)
    with pytest.raises(ValueError, match=r"read as 16 images of one row.*pass X\[None\]"):
        model.predict(X[0])


def test_a_part_without_foreground_keeps_the_user_s_values(scenes: Data) -> None:
    X, y = scenes
    masks = np.stack([y > 0, y > 1], 1).astype(np.uint8) * 255
    model = segmenter(multilabel=True).fit(X, masks).partial_fit(X, 0 * masks)
    assert model.mask_values_.tolist() == [0, 255]


def test_probabilities_where_every_sigmoid_vanishes(scenes: Data) -> None:
    model = segmenter("bce").fit(*scenes)
    p = model._as_probabilities(torch.full((1, 3, 1, 1), -120.0))
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("loss", "class_weight", "message"),
    [
        ("dice", {0: 1, 1: 100}, "not every term of the loss"),
        ("bce", {0: 0, 1: 1}, "the weight 0.*Use a small weight"),
        (BCEWithLogitsLoss(pos_weight=2.0), "balanced", "Set only one"),
        (nn.BCEWithLogitsLoss(pos_weight=torch.tensor(2.0)), "balanced", "Set only one"),
    ],
)
def test_class_weights_without_effect_are_refused(
    loss: Any, class_weight: Any, message: str, binary_scenes: Data
) -> None:
    with pytest.raises(ValueError, match=message):
        segmenter(loss, class_weight=class_weight).fit(*binary_scenes)


def test_weights_of_a_loss_may_be_an_array(digits: Data) -> None:
    loss = CrossEntropyLoss(class_weight=np.array([1.0, 2.0, 3.0]))
    with pytest.raises(ValueError, match="Set only one"):
        classifier(loss, class_weight="balanced").fit(*digits)


def test_a_loss_that_ignores_the_code_of_another_label_is_refused(digits: Data) -> None:
    X, y = digits
    with pytest.raises(ValueError, match="ignores 0, the code of the label 1"):
        classifier(CrossEntropyLoss(ignore_index=0)).fit(X, y + 1)
    with pytest.raises(ValueError, match="ignores 0, the code of the label 1"):
        classifier(functools.partial(nn.functional.cross_entropy, ignore_index=0)).fit(X, y + 1)


def test_early_stopping_with_few_images_of_each_class(digits: Data) -> None:
    X, y = digits
    rows = np.concatenate([np.flatnonzero(y == c)[:4] for c in range(3)])
    assert classifier(early_stopping=True).fit(X[rows], y[rows]).n_iter_ == 1


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"net_params": {"lr": 0.1}}, "net_params holds 'lr', which the estimator sets itself"),
        ({"net_params": {"module__width": 3}}, "net_params holds 'module__width'"),
        ({"callbacks": [3]}, "callbacks holds 3. Expected skorch callbacks"),
        ({"callbacks": 3}, "'callbacks' parameter of UNetSegmenter must be"),
        ({"augment": 3}, "augment=3 is unknown"),
        ({"depth": "a"}, "'depth' parameter of UNetSegmenter must be an int"),
        ({"ignore_index": 1.5}, "'ignore_index' parameter of UNetSegmenter must be"),
        ({"width": True}, "'width' parameter of UNetSegmenter must be an int .* Got True instead"),
        ({"batch_size": True}, "'batch_size' parameter of UNetSegmenter must be an int"),
        ({"lr": True}, "'lr' parameter of UNetSegmenter must be a float"),
        ({"classes": [0, 1, float("nan")]}, r"holds nan, which is not a label: \[0, 1, nan\]"),
        ({"net_params": {"compile": True}}, "net_params holds 'compile', which the estimator sets"),
        ({"net_params": {"compile__mode": "x"}}, "net_params holds 'compile__mode'"),
    ],
)
def test_settings_of_a_wrong_kind_are_named(
    params: dict[str, Any], message: str, scenes: Data
) -> None:
    with pytest.raises(ValueError, match=message):
        segmenter(**params).fit(*scenes)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"tta": "nonsense"}, "The 'tta' parameter of UNetSegmenter must be .*'nonsense'"),
        ({"tile": "large"}, "The 'tile' parameter of UNetSegmenter must be"),
        ({"tile": (8, 8, 8)}, r"tile=\(8, 8, 8\): expected a positive number of pixels"),
        ({"tile": (8.5, 8)}, r"tile=\(8.5, 8\): expected a positive number of pixels"),
        ({"channels": "lst"}, "The 'channels' parameter of UNetSegmenter must be"),
    ],
)
def test_settings_of_predictions_are_checked_after_fit_too(
    changed: dict[str, Any], message: str, scenes: Data
) -> None:
    X, y = scenes
    model = segmenter().fit(X, y).set_params(**changed)
    for call in (model.predict, model.predict_proba, model.decision_function):
        with pytest.raises(ValueError, match=message):
            call(X)
    with pytest.raises(ValueError, match=message):
        model.score(X, y)


def test_a_network_of_a_sub_class_predicts(scenes: Data, tmp_path: Path) -> None:
    class Plain(nn.Module):
        def __init__(self, n_in: int, n_out: int) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Conv2d(n_in, 6, 3, padding=1), nn.Conv2d(6, n_out, 1))

        def forward(self, x: Tensor) -> Any:
            return self.layers(x)

    class PlainSegmenter(UNetSegmenter):
        def _network(self, n_channels: int) -> Any:
            return Plain, {"n_in": self.input_shape_[0], "n_out": n_channels}

    X, y = scenes
    model = PlainSegmenter(max_epochs=1, random_state=0).fit(X, y)
    whole = model.predict_proba(X)
    assert whole.shape == (12, 3, 16, 16)
    np.testing.assert_array_equal(model.set_params(tile=8).predict_proba(X), whole)
    large = np.tile(X[:1], (1, 6, 6))
    assert model.set_params(tile=32).predict(large).shape == (1, 96, 96)
    model.save(tmp_path / "model.safetensors")
    again = PlainSegmenter.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict(large), model.predict(large))


def test_a_series_of_class_weights_has_labels_in_its_index(digits: Data) -> None:
    pandas = pytest.importorskip("pandas")
    X, y = digits
    weights = pandas.Series([3.0, 1.0, 2.0], index=["two", "zero", "one"])
    y = np.array(["zero", "one", "two"])[y % 3]
    for classes in (None, ["two", "zero", "one"]):
        model = classifier(class_weight=weights, classes=classes).fit(X, y)
        assert model.classes_.tolist() == ["one", "two", "zero"]
        assert model.loss_.class_weight.tolist() == [2.0, 3.0, 1.0]
    with pytest.raises(ValueError, match="names the label 0, which is not among"):
        classifier(class_weight=weights.reset_index(drop=True)).fit(X, y)


def test_parts_of_an_early_stopping_without_weight_are_refused(digits: Data) -> None:
    X, y = digits
    model = classifier(early_stopping=True, validation_fraction=0.5)
    parts = set()
    for first, second in zip(np.flatnonzero(y == 0), np.flatnonzero(y == 1), strict=False):
        weight = np.zeros(len(X))
        weight[[first, second]] = 1
        try:
            model.fit(X, y, sample_weight=weight)
        except ValueError as error:
            parts |= {*re.findall("that early_stopping (.*) weigh 0, so their loss", str(error))}
        if len(parts) == 2:
            break
    assert parts == {"trains on", "holds out"}


def test_a_sequence_of_class_weights_needs_sorted_classes(digits: Data, scenes: Data) -> None:
    for make, (X, y) in ((classifier, digits), (segmenter, scenes)):
        model = make("cross_entropy", class_weight=[3.0, 2.0, 1.0], classes=[2, 1, 0])
        with pytest.raises(ValueError, match=r"classes=\[2, 1, 0\] is not sorted.*\{2: 3.0, 1: 2"):
            model.fit(X, y)
        assert not hasattr(model, "classes_")
        model.set_params(class_weight={2: 3.0, 1: 2.0, 0: 1.0}).fit(X, y)
        assert model.loss_.class_weight.tolist() == [1.0, 2.0, 3.0]
        model.set_params(class_weight=[1.0, 2.0, 3.0], classes=None).fit(X, y)
        assert model.loss_.class_weight.tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(ValueError, match=r"classes=\[2, 0, 1\] is not sorted"):
        classifier(class_weight=[1, 1, 1]).partial_fit(*digits, classes=[2, 0, 1])
    labels = ["b", "a"]  # of channels, in their order
    masks = np.stack([scenes[1] == 1, scenes[1] == 2], 1)
    model = segmenter("bce", multilabel=True, classes=labels, class_weight=[5.0, 1.0])
    assert model.fit(scenes[0], masks).loss_.pos_weight.tolist() == [5.0, 1.0]
    model = segmenter("cross_entropy", class_weight=[1, 2], classes=[0, 1, 2], ignore_index=2)
    assert model.fit(*scenes).loss_.class_weight.tolist() == [1.0, 2.0]


def test_another_kind_of_masks_needs_another_fit(scenes: Data) -> None:
    X, y = scenes
    masks = np.stack([y == 1, y == 2], 1)
    model = segmenter().fit(X, y).set_params(multilabel=True)
    message = "fitted with multilabel=False, but multilabel is now True. Set it back, or refit"
    calls = [lambda: model.predict(X), lambda: model.score(X, masks)]
    for call in [*calls, lambda: model.partial_fit(X, masks)]:
        with pytest.raises(ValueError, match=message):
            call()
    assert model.fit(X, 255 * masks.astype(int)).mask_values_.tolist() == [0, 255]
    assert model.fit(X, masks).predict(X).shape == masks.shape
    assert model.fit(X, masks.astype(int)).fit(X, masks).mask_values_.dtype == bool
    model.set_params(multilabel=False)
    with pytest.raises(
        ValueError, match="fitted with multilabel=True, but multilabel is now False"
    ):
        model.predict_proba(X)
    assert model.fit(X, y).predict(X).shape == y.shape


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("meta", "device='meta' computes nothing. Use device='auto' or 'cpu'"),
        ("mps", "device='mps' cannot be used here: .*Use device='auto' or 'cpu'"),
        ("xpu", "device='xpu' cannot be used here: .*Use device='auto' or 'cpu'"),
    ],
)
def test_a_device_that_is_not_there_is_named(device: str, message: str, digits: Data) -> None:
    if device != "meta" and getattr(torch, device).is_available():
        pytest.skip("it is there")
    with pytest.raises(ValueError, match=message):
        classifier(device=device).fit(*digits)


@pytest.mark.cuda
def test_training_goes_on_on_another_device(digits: Data) -> None:
    model = classifier(device="cpu", precision="float32", class_weight="balanced").fit(*digits)
    model.set_params(device="cuda", class_weight=None).partial_fit(*digits)
    assert next(model.module_.parameters()).device.type == "cuda"
    model.set_params(device="cpu").partial_fit(*digits)
    assert next(model.module_.parameters()).device.type == "cpu"
    assert model.n_iter_ == 3


def test_a_mistake_among_parameters_changes_none(digits: Data) -> None:
    model = classifier("focal", loss__gamma=3.0)
    before = model.get_params()
    for wrong in ({"loss": "dice", "loss__gamm": 1}, {"lr": 1.0, "loss": "bce", "nope": 1}):
        with pytest.raises(ValueError, match="Invalid parameter"):
            model.set_params(**wrong)
        assert model.get_params() == before
    model = classifier(FocalLoss())
    with pytest.raises(ValueError, match="Invalid parameter"):
        model.set_params(loss=CrossEntropyLoss(), loss__gamma=1.0)
    assert isinstance(model.loss, FocalLoss)


def test_a_score_needs_labels(digits: Data, scenes: Data) -> None:
    for make, (X, y) in ((classifier, digits), (segmenter, scenes)):
        with pytest.raises(ValueError, match="requires y to be passed, but the target y is None"):
            make().fit(X, y).score(X)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda z, t: None, r"<lambda> returns None for logits of shape \(15, 3\). Expected a"),
        (lambda z, t: z.sum(0), r"<lambda> returns a tensor of shape \(3,\) for logits"),
        (lambda z, t: float(z.detach().sum()), r"<lambda> returns a float, .*Expected a tensor"),
        (lambda z, t: (z.argmax(1) != t).float().mean(), r"has no gradient. Compute it from the"),
    ],
)
def test_a_function_that_is_no_loss_is_named(loss: Any, message: str, digits: Data) -> None:
    model = classifier(loss)
    with pytest.raises(ValueError, match=message):
        model.fit(*digits)
    assert not hasattr(model, "net_")


def test_a_torch_loss_that_sums_sums_weighted_samples(digits: Data) -> None:
    X, y = digits
    settings: dict[str, Any] = {"batch_size": 100, "optimizer": "sgd", "weight_decay": 0.0}
    for loss in (nn.CrossEntropyLoss(reduction="sum"), nn.CrossEntropyLoss):
        model = classifier(loss, lr=1e-4, **settings)
        if isinstance(loss, type):
            model.set_params(loss__reduction="sum")
        plain = model.fit(X, y).history_[0, "train_loss"]
        double = model.fit(X, y, sample_weight=np.full(60, 2.0)).history_[0, "train_loss"]
        assert double == pytest.approx(2 * plain, rel=1e-5)
