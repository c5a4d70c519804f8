"""What a loss says of inputs that do not fit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.func import vmap
from torch.fx.experimental.proxy_tensor import make_fx

from sklearnloss.losses import BCEWithLogitsLoss, CrossEntropyLoss, DiceLoss, FocalLoss
from sklearnloss.losses._core.inputs import legal_target, read_inputs

from ..cases import DATA_LOSSES, NOT_COMPILABLE, binary, build, logits, multiclass

Z = torch.zeros(2, 3, 4, 5)


@pytest.mark.parametrize("name", DATA_LOSSES)
@pytest.mark.parametrize(
    ("z", "t", "message"),
    [
        (torch.zeros(4), torch.zeros(4), r"\(4,\).*use logits.unsqueeze\(1\)"),
        (torch.zeros(()), torch.zeros(()), r"logits need a channel axis"),
        (Z, torch.zeros(2, 1, 4, 5).long(), r"\(2, 3, 4, 5\).*\(2, 1, 4, 5\).*squeeze\(1\)"),
        (Z, torch.zeros(2, 4, 4).long(), r"\(2, 3, 4, 5\).*\(2, 4, 4\)"),
        (Z, torch.zeros(3, 4, 5).long(), r"\(2, 3, 4, 5\).*\(3, 4, 5\)"),
        (Z, torch.zeros(2, 4, 5), r"must be integers, got dtype torch.float32.*\(2, 4, 5\)"),
        (Z, torch.zeros(2, 4, 5).bool(), r"must be integers, got dtype torch.bool"),
        (Z.long(), torch.zeros(2, 4, 5).long(), r"floating point logits.*torch.int64"),
        (Z[:, :0], torch.zeros(2, 4, 5).long(), r"no channels"),
        (Z[:, :1], torch.zeros(2, 1, 5, 4), r"\(2, 1, 4, 5\).*\(2, 1, 5, 4\)"),
    ],
)
def test_shapes_and_dtypes_that_do_not_fit_are_named(
    name: str, z: torch.Tensor, t: torch.Tensor, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build(name)(z, t)


@pytest.mark.parametrize("name", DATA_LOSSES)
def test_a_label_outside_the_classes_is_named_with_its_position(name: str) -> None:
    t = torch.zeros(2, 4, 5).long()
    t[1, 2, 3] = 7
    with pytest.raises(ValueError, match=r"target\[1, 2, 3\] is 7 .* indices from 0 to 2"):
        build(name)(Z, t)
    with pytest.raises(ValueError, match=r"target\[1, 2, 3\] is -1"):
        build(name)(Z, t.masked_fill(t == 7, -1))


@pytest.mark.parametrize("name", DATA_LOSSES)
@pytest.mark.parametrize("value", [255.0, -0.5, 1.001, float("nan")])
def test_a_mask_value_outside_of_0_to_1_is_named(name: str, value: float) -> None:
    t = torch.zeros(2, 1, 4, 5)
    t[0, 0, 1, 4] = value
    with pytest.raises(ValueError, match=r"target\[0, 0, 1, 4\] is .*expected masks in \[0, 1\]"):
        build(name)(Z[:, :1], t)


@pytest.mark.parametrize("name", [n for n in DATA_LOSSES if n not in NOT_COMPILABLE])
def test_an_illegal_target_gives_nan_where_values_cannot_be_looked_at(name: str) -> None:
    t = torch.zeros(2, 4, 5).long()
    t[1, 2, 3] = 7
    loss = build(name)
    each = vmap(lambda z, t: loss(z.unsqueeze(0), t.unsqueeze(0)))
    assert each(Z, t).isnan().tolist() == [False, True]
    mask = torch.zeros(2, 1, 4, 5)
    mask[0, 0, 1, 4] = 255
    assert each(Z[:, :1], mask).isnan().tolist() == [True, False]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bce", "cross_entropy", "focal", "dice"])
def test_an_illegal_target_gives_nan_in_compiled_code(name: str) -> None:
    t = torch.zeros(2, 4, 5).long()
    t[1, 2, 3] = 7
    loss = build(name)
    torch._dynamo.reset()
    compiled = torch.compile(lambda z, t: loss(z, t), backend="eager", fullgraph=True)
    assert compiled(Z, t).isnan()
    assert compiled(Z, t * 0).isfinite()
    mask = torch.zeros(2, 1, 4, 5)
    mask[0, 0, 1, 4] = 255
    assert compiled(Z[:, :1], mask).isnan()


@pytest.mark.parametrize("name", ["bce", "cross_entropy", "focal", "dice"])
def test_a_loss_can_be_traced_into_a_graph(name: str) -> None:
    loss, t = build(name), torch.zeros(2, 4, 5).long()
    graph = make_fx(lambda z, t: loss(z, t))(Z, t)
    torch.testing.assert_close(graph(Z, t), loss(Z, t))


def test_tensors_are_expected() -> None:
    with pytest.raises(TypeError, match="target must be a torch.Tensor, got ndarray"):
        DiceLoss()(Z, Z.numpy())


@pytest.mark.parametrize("name", DATA_LOSSES)
@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (torch.ones(3), r"sample_weight has shape \(3,\).*\(2, 3, 4, 5\).*expected \(2,\)"),
        (torch.tensor([1.0, -1.0]), r"sample_weight\[1\] is -1.0"),
        (torch.tensor([torch.nan, 1.0]), r"sample_weight\[0\] is nan"),
    ],
)
def test_sample_weights_are_checked(name: str, weight: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(name)(Z, torch.zeros(2, 4, 5).long(), weight)


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.float16])
def test_masks_of_any_dtype_are_read_alike(dtype: torch.dtype) -> None:
    z = logits(2, 2, 4, 5)
    t = (logits(2, 2, 4, 5, seed=1) > 0).to(dtype)
    for loss in (DiceLoss(), BCEWithLogitsLoss(), FocalLoss()):
        torch.testing.assert_close(loss(z, t), loss(z, t.double()))


def test_the_target_s_shape_says_which_form_is_meant() -> None:
    assert read_inputs(Z, torch.zeros(2, 4, 5).long()).softmax
    assert not read_inputs(Z, torch.zeros(2, 3, 4, 5)).softmax
    assert not read_inputs(Z[:, :1], torch.zeros(2, 4, 5)).softmax
    assert read_inputs(Z, torch.full((2, 3, 4, 5), 1 / 3), form="softmax").softmax
    assert not read_inputs(Z, torch.zeros(2, 4, 5).long(), form="sigmoid").softmax


def test_a_pixel_is_ignored_if_one_of_its_class_probabilities_is() -> None:
    z = logits(1, 3, 4)
    t = torch.full((1, 3, 4), 1 / 3, dtype=torch.float64)
    t[0, 1, 2] = -100
    expected = CrossEntropyLoss()(z[..., [0, 1, 3]], t[..., [0, 1, 3]])
    torch.testing.assert_close(CrossEntropyLoss()(z, t), expected)


def test_class_probabilities_are_their_own_one_hot_target() -> None:
    t = logits(2, 3, 4).softmax(1)
    inputs = read_inputs(logits(2, 3, 4), t, form="softmax")
    torch.testing.assert_close(inputs.one_hot(), t)
    labels = t.argmax(1)
    onehot = read_inputs(logits(2, 3, 4), labels, form="softmax").one_hot()
    torch.testing.assert_close(onehot.argmax(1), labels)
    assert onehot.dtype == torch.float64


@pytest.mark.parametrize(("wrong", "total"), [(0.9, "1.567"), (0.36, "1.027"), (0.3, "0.9667")])
def test_class_probabilities_that_do_not_sum_to_one_give_nan_where_none_can_look(
    wrong: float, total: str
) -> None:
    z, t = logits(2, 3, 4), torch.full((2, 3, 4), 1 / 3)
    t[1, 0, 2] = wrong
    values = vmap(lambda z, t: CrossEntropyLoss()(z.unsqueeze(0), t.unsqueeze(0)))(z, t)
    assert values.isnan().tolist() == [False, True]
    with pytest.raises(ValueError, match=rf"at \[1, 2\] they sum to {total} over axis 1"):
        CrossEntropyLoss()(z, t)


@pytest.mark.parametrize("name", [n for n in DATA_LOSSES if n not in NOT_COMPILABLE])
def test_a_loss_has_a_shape_without_data(name: str) -> None:
    """On the "meta" device, where tensors have no values to look at."""
    value = build(name)(Z.to("meta"), torch.zeros(2, 4, 5, device="meta").long())
    assert value.shape == ()
    assert value.device.type == "meta"
    probabilities = torch.zeros(2, 3, 4, 5, device="meta")
    assert build(name)(Z.to("meta"), probabilities).shape == ()


def test_devices_that_differ_are_named() -> None:
    with pytest.raises(ValueError, match=r"logits are on meta but the target is on cpu.*\.to\("):
        DiceLoss()(Z.to("meta"), torch.zeros(2, 4, 5).long())


@pytest.mark.parametrize("case", [binary, multiclass])
@pytest.mark.parametrize("name", DATA_LOSSES)
def test_a_target_known_to_be_legal_has_the_same_loss_and_gradient(name: str, case: Any) -> None:
    z, t = case()
    z, t = z.float().requires_grad_(), t.float() if t.is_floating_point() else t
    expected = build(name)(z, t)
    with legal_target(t):
        loss = build(name)(z, t)
    slopes = [torch.autograd.grad(value, z)[0] for value in (loss, expected)]
    assert torch.equal(loss, expected)
    assert torch.equal(*slopes)


def test_ignored_labels_are_looked_for_in_a_target_known_to_be_legal() -> None:
    z, t = multiclass()
    t[0, :2] = 255
    loss = FocalLoss(ignore_index=255)
    mask = (z[:, :1] > 0).double()
    mask[0, 0, :2] = 255
    for scores, target in ((z, t), (z[:, :1], mask)):
        for each in (loss, DiceLoss(ignore_index=255)):
            expected = each(scores, target)
            with legal_target(target):
                assert torch.equal(each(scores, target), expected)


def test_only_the_very_target_that_is_known_to_be_legal_is_not_looked_at() -> None:
    z, t = multiclass()
    illegal = t + 1
    with legal_target(t), pytest.raises(ValueError, match="is 4 in a target"):
        DiceLoss()(z, illegal)
    mask = torch.full_like(z[:, :1], 2.0)
    with legal_target(mask):
        assert read_inputs(z[:, :1], mask).hard
    with pytest.raises(ValueError, match=r"is 2.0 in a target.*masks in \[0, 1\]"):
        DiceLoss()(z[:, :1], mask)
