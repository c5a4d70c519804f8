"""Parameters survive as JSON; what is code does not."""

from __future__ import annotations

import functools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from sklearnloss.estimators._persistence.codec import CannotDescribe, Names, build, describe
from sklearnloss.losses import (
    CompoundLoss,
    CrossEntropyLoss,
    DiceLoss,
    FocalLoss,
    L1Penalty,
    L2Penalty,
    Loss,
    Penalty,
    list_losses,
    register_loss,
)
from sklearnloss.losses._core.names import LOSSES


class OwnLoss(Loss):
    def __init__(self, scale: Any = 1.0) -> None:
        self.scale = scale


def own_function(logits: Any, target: Any, power: float = 1.0) -> Any:
    return logits.mean() ** power


def own_penalty(network: nn.Module) -> torch.Tensor:
    return sum((p.sum() for p in network.parameters()), torch.zeros(()))


def through_json(value: Any, **custom: Any) -> Any:
    """Return what comes back of a value."""
    text = json.dumps(describe(value, Names()), allow_nan=False)
    return build(json.loads(text), custom)


VALUES: list[Any] = [
    None,
    True,
    -3,
    2**80,
    0.1,
    -0.0,
    math.inf,
    -math.inf,
    "name",
    "",
    [1, [2.5, None]],
    (1, (2, [3])),
    {"a": 1, 2: "b", (3, 4): {}},
    np.float32(0.1),
    np.float64(math.inf),
    np.int8(-3),
    np.uint64(2**64 - 1),
    np.bool_(True),
    np.str_("label"),
    Path("some/file.pt"),
    torch.device("cuda:1"),
    torch.optim.SGD,
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_keeps_its_type(value: Any) -> None:
    again = through_json(value)
    assert type(again) is type(value)
    assert again == value
    assert repr(again) == repr(value)


def test_nan_stays_nan() -> None:
    assert math.isnan(through_json(math.nan))


ARRAYS = [
    np.array([[1.5, np.nan], [np.inf, -0.0]]),
    np.array([1, 2, 3], dtype=np.uint8),
    np.array([True, False]),
    np.array(["a", "longer"]),
    np.array([0.1, 0.2], dtype=">f4"),
    np.zeros((0, 3), dtype=np.float16),
    np.array(7),
    np.array(["text", 3, None, 2.5, (1, 2)], dtype=object),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: array.dtype.str)
def test_an_array_keeps_its_dtype_and_shape(array: np.ndarray) -> None:
    again = through_json(array)
    assert again.dtype == array.dtype
    assert again.shape == array.shape
    np.testing.assert_array_equal(again, array)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor([[1.1, math.inf]]),
        torch.tensor([1.1], dtype=torch.bfloat16),
        torch.tensor(3, dtype=torch.uint8),
        torch.tensor([True]),
        torch.zeros(0, 2, dtype=torch.float64),
    ],
    ids=lambda tensor: str(tensor.dtype),
)
def test_a_tensor_keeps_its_dtype_and_shape(tensor: torch.Tensor) -> None:
    again = through_json(tensor)
    assert again.dtype == tensor.dtype
    assert torch.equal(again, tensor)


@pytest.mark.parametrize(
    "value",
    [
        object(),
        1j,
        slice(3),
        np.longdouble(1),
        np.datetime64("2020"),
        np.array([b"a"]),
        {1, 2},
        torch.ones(1) * 1j,
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_objects_are_refused_and_named(value: Any) -> None:
    with pytest.raises(CannotDescribe, match=f"of type {type(value).__name__}"):
        describe([value], Names())


def test_a_long_description_is_cut_short() -> None:
    network = nn.Sequential(*[nn.Linear(1, 1)] * 50)
    with pytest.raises(CannotDescribe, match=r"Sequential\(.*\.\.\. of type Sequential") as caught:
        describe(network)
    assert len(str(caught.value)) < 90


def test_losses_are_refused_where_none_belongs() -> None:
    with pytest.raises(CannotDescribe, match=r"DiceLoss\(\) of type DiceLoss"):
        describe(DiceLoss())
    with pytest.raises(CannotDescribe, match="own_function of type function"):
        describe(own_function)


@pytest.mark.parametrize("name", list_losses())
def test_every_registered_loss_comes_back(name: str) -> None:
    cls = LOSSES[name]
    assert repr(through_json(cls())) == repr(cls())
    assert type(through_json(cls())) is cls
    assert through_json(cls) is cls


@pytest.mark.parametrize(
    "loss",
    [
        FocalLoss(gamma=np.float64(1.5), alpha=[0.2, 0.8]),
        CrossEntropyLoss(class_weight=torch.tensor([1.0, 2.0])),
        0.7 * DiceLoss(eps=1.0) + 0.3 * FocalLoss() + 1e-4 * L2Penalty(),
        CompoundLoss([("one", DiceLoss()), FocalLoss()], weights=(1, 0.5)),
        CompoundLoss([DiceLoss() + L1Penalty(include="all"), nn.MultiMarginLoss(p=2)]),
    ],
    ids=repr,
)
def test_a_loss_keeps_its_parameters(loss: Loss) -> None:
    again = through_json(loss)
    assert type(again) is type(loss)
    assert repr(again.get_params()) == repr(loss.get_params())


def test_the_losses_of_torch_come_back() -> None:
    loss = nn.CrossEntropyLoss(torch.tensor([1.0, 3.0]), label_smoothing=0.1, reduction="sum")
    again = through_json(loss)
    logits, target = torch.randn(4, 2), torch.tensor([0, 1, 1, 0])
    assert torch.equal(again(logits, target), loss(logits, target))
    assert through_json(nn.BCEWithLogitsLoss) is nn.BCEWithLogitsLoss
    assert through_json(functional.cross_entropy) is functional.cross_entropy


def test_a_loss_of_ones_own_is_named_and_comes_from_the_reader() -> None:
    names = Names()
    node = describe([OwnLoss(scale=(2, 3)), own_function, OwnLoss], names)
    assert names.objects == {"OwnLoss": OwnLoss, "own_function": own_function}
    loss, function, cls = build(json.loads(json.dumps(node)), names.objects)
    assert loss.get_params() == {"scale": (2, 3)}
    assert function is own_function
    assert cls is OwnLoss


def test_a_bound_function_keeps_its_arguments() -> None:
    bound = functools.partial(own_function, power=np.float64(2))
    again = through_json(bound, own_function=own_function)
    assert again.func is own_function
    assert again.keywords == {"power": 2.0}
    assert type(again.keywords["power"]) is np.float64


def test_a_registered_loss_goes_by_its_registered_name() -> None:
    register_loss("mine", own_function)
    names = Names()
    describe(own_function, names)
    assert list(names.objects) == ["mine"]


def test_unlike_losses_of_one_name_get_unlike_names() -> None:
    first, second = nn.Linear(1, 1), nn.Linear(1, 1)
    names = Names()
    node = describe([first, second, first], names)
    assert list(names.objects) == ["Linear", "Linear_2"]
    assert build(node, names.objects) == [first, second, first]


@pytest.mark.parametrize(
    ("value", "given", "message"),
    [
        (
            own_function,
            3,
            r"custom\['own_function'\] is 3, but the file needs a function or an object",
        ),
        (
            own_function,
            OwnLoss,
            r"but the file needs a function or an object: pass OwnLoss\(\.\.\.\), as it was",
        ),
        (nn.Linear, nn.Linear(1, 1), "but the file needs a class"),
        (OwnLoss(), own_function, "is own_function, but the file needs a loss class"),
        (OwnLoss(), nn.Linear, "is Linear, but the file needs a loss class"),
    ],
)
def test_a_wrong_custom_object_is_named(value: Any, given: Any, message: str) -> None:
    names = Names()
    node = describe(value, names)
    with pytest.raises(ValueError, match=message):
        build(node, dict.fromkeys(names.objects, given))


def test_a_penalty_needs_its_function() -> None:
    penalty = Penalty(own_penalty)
    assert through_json(penalty, own_penalty=own_penalty).function is own_penalty


@pytest.mark.parametrize(
    ("node", "error", "message"),
    [
        ({"is": "os.system"}, ValueError, "it holds a 'os.system', which is unknown"),
        ({"is": ["tuple"]}, TypeError, "unhashable"),
        ({"value": 1}, KeyError, "is"),
        ({"is": "loss", "name": "Linear", "params": {}}, KeyError, "Linear"),
        ({"is": "loss", "name": "dice", "params": {"x": 1}}, TypeError, "unexpected keyword"),
        ({"is": "torch function", "name": "relu"}, KeyError, "relu"),
        ({"is": "torch loss class", "name": "Module"}, KeyError, "Module"),
        ({"is": "optimizer", "name": "os"}, ValueError, "optimizer='os' is unknown"),
        ({"is": "own", "name": "os.system", "class": False}, KeyError, "os.system"),
        ({"is": "tensor", "dtype": "load", "shape": [], "values": [1]}, KeyError, "load"),
        ({"is": "array", "dtype": "V8", "shape": [1], "values": [1]}, ValueError, "dtype 'V8'"),
        ({"is": "number", "dtype": "M8[D]", "value": 1}, ValueError, r"dtype 'M8\[D\]'"),
        ({"is": "array", "dtype": "<f8", "shape": [9], "values": [1]}, ValueError, "reshape"),
    ],
    ids=str,
)
def test_what_was_never_described_is_refused(
    node: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        build(node, {})
