"""The ``loss`` parameter in its five forms."""

from __future__ import annotations

import functools
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import Tensor, nn
from torch.nn import functional as F

from sklearnloss import ResNetClassifier, UNetSegmenter
from sklearnloss.losses import (
    BCEWithLogitsLoss,
    CompoundLoss,
    CrossEntropyLoss,
    DiceLoss,
    FocalLoss,
    L2Penalty,
    Loss,
    TverskyLoss,
)

from .conftest import Data, classifier, segmenter


def power_loss(z: Tensor, t: Tensor, power: float = 1.0) -> Tensor:
    return F.cross_entropy(z, t, reduction="none").pow(power).mean()


class OwnLoss(nn.Module):
    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, z: Tensor, t: Tensor) -> Tensor:
        return self.scale * F.cross_entropy(z, t)


CLASSIFIER_LOSSES: dict[str, dict[str, Any]] = {
    "name": {"loss": "focal", "loss__gamma": 1.0},
    "compound name": {"loss": "focal+1e-4*l2", "loss__focal__gamma": 1.0},
    "class": {"loss": FocalLoss, "loss__gamma": 1.0},
    "instance": {"loss": FocalLoss(1.0)},
    "instance and parameter": {"loss": FocalLoss(), "loss__gamma": 1.0},
    "compound": {"loss": FocalLoss(1.0) + 0.5 * CrossEntropyLoss()},
    "torch class": {"loss": nn.CrossEntropyLoss, "loss__label_smoothing": 0.1},
    "torch instance": {"loss": nn.CrossEntropyLoss(label_smoothing=0.1)},
    "own class": {"loss": OwnLoss, "loss__scale": 2.0},
    "function": {"loss": power_loss, "loss__power": 2.0},
    "torch function": {"loss": F.cross_entropy},
    "partial": {"loss": functools.partial(power_loss, power=2.0)},
}
on_forms = pytest.mark.parametrize("form", CLASSIFIER_LOSSES)


@pytest.mark.slow
@on_forms
def test_every_form_fits_clones_and_pickles(form: str, digits: Data) -> None:
    X, y = digits
    model = classifier(**CLASSIFIER_LOSSES[form])
    twin = clone(model)
    expected = model.fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(twin.fit(X, y).predict_proba(X), expected)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), expected)
    np.testing.assert_array_equal(again.set_params(**model.get_params()).predict_proba(X), expected)


@on_forms
def test_what_was_given_is_what_get_params_holds(form: str) -> None:
    given = CLASSIFIER_LOSSES[form]
    shallow = classifier(**given).get_params(deep=False)
    assert {key: shallow[key] for key in given} == given
    assert {key for key in shallow if key.startswith("loss__")} == given.keys() - {"loss"}


def test_four_spellings_of_one_loss_train_the_same_model(digits: Data) -> None:
    X, y = digits
    spellings: list[dict[str, Any]] = [
        {"loss": "focal", "loss__gamma": 3.0},
        {"loss": FocalLoss, "loss__gamma": 3.0},
        {"loss": FocalLoss(3.0)},
        {"loss": FocalLoss(), "loss__gamma": 3.0},
    ]
    models = [classifier(**spelling).fit(X, y) for spelling in spellings]
    for model in models:
        np.testing.assert_array_equal(model.predict_proba(X), models[0].predict_proba(X))
        assert repr(model.loss_) == "FocalLoss(gamma=3.0)"


def test_deep_parameters_list_the_defaults() -> None:
    params = ResNetClassifier("focal").get_params()
    assert params["loss__gamma"] == 2.0
    assert params["loss__alpha"] == "auto"
    assert "loss__gamma" not in ResNetClassifier("focal").get_params(deep=False)
    params = UNetSegmenter("dice+focal").get_params()
    assert params["loss__focal__gamma"] == 2.0
    assert params["loss__weights__dice"] == 1.0
    assert ResNetClassifier(nn.CrossEntropyLoss).get_params()["loss__label_smoothing"] == 0.0
    assert ResNetClassifier(power_loss).get_params()["loss__power"] == 1.0


def test_a_new_loss_drops_the_parameters_of_the_old_one() -> None:
    model = ResNetClassifier("focal", loss__gamma=3.0)
    model.set_params(loss="label_smoothing")
    assert not [key for key in model.get_params(deep=False) if key.startswith("loss__")]
    model.set_params(loss="focal", loss__gamma=1.0)
    assert model.get_params()["loss__gamma"] == 1.0


def test_setting_a_parameter_of_a_loss_object_copies_it() -> None:
    loss = DiceLoss() + FocalLoss()
    model = UNetSegmenter(loss)
    assert model.loss is loss
    model.set_params(loss__focal__gamma=5.0, loss__weights__dice=0.1)
    assert loss.get_params()["focal__gamma"] == 2.0
    assert loss.weights is None
    assert model.get_params()["loss__focal__gamma"] == 5.0
    assert model.get_params()["loss__weights__dice"] == 0.1


def test_training_leaves_the_user_s_loss_alone(digits: Data) -> None:
    X, y = digits
    for loss in (FocalLoss() + L2Penalty(), nn.CrossEntropyLoss(torch.ones(3)), OwnLoss()):
        before = pickle.dumps(loss)
        model = classifier(loss, class_weight=None).fit(X, y)
        assert model.loss is loss
        assert model.loss_ is not loss
        assert pickle.dumps(loss) == before


def test_repr_shows_the_loss_and_its_parameters() -> None:
    assert repr(ResNetClassifier("focal", loss__gamma=3)) == (
        "ResNetClassifier(loss='focal', loss__gamma=3)"
    )
    assert "FocalLoss(gamma=3)" in repr(UNetSegmenter(DiceLoss() + FocalLoss(3)))
    assert "loss__gamma" in UNetSegmenter("focal", loss__gamma=3)._repr_html_()
    assert "DiceLoss" in UNetSegmenter(DiceLoss() + FocalLoss())._repr_html_()


@pytest.mark.parametrize("cls", [ResNetClassifier, UNetSegmenter])
def test_a_misspelt_constructor_keyword_is_a_type_error(cls: Any) -> None:
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'max_epoch'.*'max_epochs'"):
        cls(max_epoch=3)


@pytest.mark.parametrize("cls", [ResNetClassifier, UNetSegmenter])
@pytest.mark.parametrize("loss", ["focal", FocalLoss, FocalLoss(), power_loss, "focal+l2"])
def test_an_unknown_loss_parameter_is_refused_by_set_params(cls: Any, loss: Any) -> None:
    with pytest.raises(ValueError, match=r"Invalid parameter '.*gamm'.*alid"):
        cls(loss).set_params(loss__gamm=3)


def test_an_unknown_loss_parameter_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"'loss__gamm' .* Did you mean 'loss__gamma'\?"):
        ResNetClassifier("focal").set_params(loss__gamm=3)
    with pytest.raises(ValueError, match=r"use a list of grids, one per loss"):
        UNetSegmenter("dice").set_params(loss__gamma=3)


def test_a_torch_module_has_no_parameters_to_set() -> None:
    with pytest.raises(ValueError, match=r"Pass the class: loss=CrossEntropyLoss, loss__label"):
        ResNetClassifier(nn.CrossEntropyLoss()).set_params(loss__label_smoothing=0.1)


BAD_AT_FIT: list[tuple[dict[str, Any], str]] = [
    ({"loss": "focl"}, r"Unknown loss 'focl'.*Did you mean 'focal'"),
    ({"loss": "focl", "loss__gamma": 1}, r"Unknown loss 'focl'"),
    ({"loss": "focal", "loss__gama": 1}, r"'gama' .*Did you mean 'gamma'"),
    ({"loss": "focal", "loss__gamma": -1}, r"gamma=-1 is not a number in \[0, inf\)"),
    ({"loss": FocalLoss(-1)}, r"gamma=-1 is not a number in \[0, inf\)"),
    ({"loss": FocalLoss().set_params(reduction="avg")}, r"reduction='avg' is unknown"),
    ({"loss": 3}, r"loss=3 is not a loss"),
    ({"loss": None}, r"loss=None is not a loss"),
    ({"loss": "l2"}, r"has only penalties"),
    ({"loss": L2Penalty()}, r"has only penalties"),
    ({"loss": nn.NLLLoss()}, r"NLLLoss expects probabilities.*nn.CrossEntropyLoss"),
    ({"loss": nn.NLLLoss}, r"NLLLoss expects probabilities"),
    ({"loss": F.nll_loss}, r"nll_loss expects probabilities"),
    ({"loss": nn.BCELoss()}, r"BCELoss expects probabilities.*nn.BCEWithLogitsLoss"),
    ({"loss": CompoundLoss([nn.BCELoss(), DiceLoss()])}, r"BCELoss expects probabilities"),
    ({"loss": nn.CrossEntropyLoss, "loss__smoothing": 1}, r"Invalid parameter 'smoothing'"),
    ({"loss": nn.CrossEntropyLoss(), "loss__weight": 1}, r"is already a torch module"),
]


@pytest.mark.parametrize(("params", "message"), BAD_AT_FIT)
def test_a_bad_loss_is_refused_before_training(
    params: dict[str, Any], message: str, digits: Data, binary_scenes: Data
) -> None:
    for model, data in ((classifier(**params), digits), (segmenter(**params), binary_scenes)):
        with pytest.raises(ValueError, match=message):
            model.fit(*data)
        assert not hasattr(model, "net_")


def test_a_class_that_cannot_be_built_says_why(digits: Data) -> None:
    class Needs(nn.Module):
        def __init__(self, scale: float) -> None:
            super().__init__()

    with pytest.raises(ValueError, match=r"cannot be built with \{\}: .*scale"):
        classifier(Needs).fit(*digits)


def test_losses_without_a_sample_axis_train(binary_scenes: Data) -> None:
    for loss in (DiceLoss(reduction="none"), BCEWithLogitsLoss("none"), BCEWithLogitsLoss("sum")):
        model = segmenter(loss).fit(*binary_scenes)
        assert np.isfinite(model.history_[-1]["train_loss"])


def test_what_foreign_losses_receive(binary_scenes: Data, scenes: Data, digits: Data) -> None:
    seen: list[Any] = []

    class Spy(nn.Module):
        def forward(self, z: Tensor, t: Tensor) -> Tensor:
            seen.append((tuple(z.shape), tuple(t.shape), t.dtype))
            return z.square().mean()

    segmenter(Spy, batch_size=6).fit(*binary_scenes)
    assert seen[0] == ((6, 1, 16, 16), (6, 1, 16, 16), torch.float32)
    segmenter(Spy, batch_size=6).fit(*scenes)
    assert seen[-1] == ((6, 3, 16, 16), (6, 16, 16), torch.int64)
    classifier(Spy, batch_size=30).fit(*digits)
    assert seen[-1] == ((30, 3), (30,), torch.int64)


@pytest.mark.slow
def test_softmax_losses_get_two_channels_for_two_classes(binary_scenes: Data) -> None:
    loss: Any
    for loss in ("cross_entropy", nn.CrossEntropyLoss(), F.cross_entropy, "dice+cross_entropy"):
        model = segmenter(loss).fit(*binary_scenes)
        assert model.decision_function(binary_scenes[0]).shape[1] == 2
    for loss in ("bce", "dice", nn.BCEWithLogitsLoss(), "dice+bce", TverskyLoss):
        model = segmenter(loss).fit(*binary_scenes)
        assert model.decision_function(binary_scenes[0]).shape[1] == 1


def test_penalties_know_the_network(digits: Data) -> None:
    X, y = digits
    plain = classifier("cross_entropy", lr=0.01).fit(X, y)
    shrunk = classifier("cross_entropy+1.0*l2", lr=0.01).fit(X, y)

    def size(model: ResNetClassifier) -> float:
        return sum(p.square().sum().item() for p in model.module_.parameters() if p.ndim > 1)

    assert size(shrunk) < size(plain)
    assert isinstance(shrunk.loss_, Loss)
    assert shrunk.loss_.state_dict() == {}
