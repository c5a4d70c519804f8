"""Closed forms of large inputs: the same loss, faster, and only where nobody could tell."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.func import functional_call, grad, jvp, vmap

from sklearnloss.losses import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    DiceLoss,
    FocalLoss,
    FocalTverskyLoss,
    JaccardLoss,
    LabelSmoothingCrossEntropy,
    Loss,
    Poly1CrossEntropyLoss,
    TverskyLoss,
    UnifiedFocalLoss,
)
from sklearnloss.losses._core import closed_form as _fused
from sklearnloss.losses._core import inputs as _inputs
from sklearnloss.losses._core.closed_form_pixel import BinaryCrossEntropy
from sklearnloss.losses._core.inputs import Inputs, read_inputs
from sklearnloss.losses._core.soft_counts import SoftCounts

from ..cases import labels, logits

SIGMOID: list[Loss] = [
    BCEWithLogitsLoss(),
    BCEWithLogitsLoss(pos_weight=3.0),
    BCEWithLogitsLoss(pos_weight=0.5, label_smoothing=0.2),
    FocalLoss(),
    FocalLoss(0.5, None),
    FocalLoss(0, 0.7),
    FocalLoss(3.3, 0.1),
]
SOFTMAX: list[Loss] = [
    CrossEntropyLoss(),
    CrossEntropyLoss(class_weight=[1.0, 0.0, 3.0, 0.5]),
    CrossEntropyLoss(label_smoothing=0.2, class_weight={1: 2.0}),
    LabelSmoothingCrossEntropy(0.3),
    FocalLoss(),
    FocalLoss(0.5, 2.0),
    FocalLoss(0.0),
    FocalLoss(alpha=[1.0, 2.0, 0.0, 0.5]),
]
REGION: list[Loss] = [
    DiceLoss(),
    DiceLoss(squared=True),
    DiceLoss(batch=True, include_background=False),
    TverskyLoss(0.3, 0.7),
    JaccardLoss(class_weight={0: 2.0}),
    FocalTverskyLoss(),
    UnifiedFocalLoss(),
]
SHAPE = (3, 4, 11, 13)


def masks(soft: bool = False) -> tuple[Tensor, Tensor]:
    """Return logits and masks, one sigmoid per channel."""
    t = logits(*SHAPE, seed=1).sigmoid()
    return logits(*SHAPE).float(), (t if soft else t.round()).float()


def indices() -> tuple[Tensor, Tensor]:
    """Return logits and class indices."""
    return logits(*SHAPE).float(), labels(3, 11, 13, n_classes=4)


def probabilities() -> tuple[Tensor, Tensor]:
    """Return logits and class probabilities."""
    return logits(*SHAPE).float(), logits(*SHAPE, seed=1).softmax(1).float()


CASES = [
    *((loss, masks) for loss in SIGMOID + REGION),
    *((loss, lambda: masks(soft=True)) for loss in SIGMOID + REGION),
    *((loss, indices) for loss in SOFTMAX + REGION),
    *((loss, probabilities) for loss in SOFTMAX if not isinstance(loss, FocalLoss)),
]
on_cases = pytest.mark.parametrize(("loss", "case"), CASES)


@pytest.fixture(params=[200, 10**6], ids=lambda size: f"blocks of {size}")
def small_blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take closed forms for every size, in more than one block."""
    monkeypatch.setattr(_fused, "SMALLEST", 1)
    monkeypatch.setattr(_inputs, "LARGE", 1)
    monkeypatch.setattr(_fused, "BLOCK", {"cpu": request.param})


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take closed forms for every size."""
    monkeypatch.setattr(_fused, "SMALLEST", 1)
    monkeypatch.setattr(_inputs, "LARGE", 1)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """Count the blocks of closed forms."""
    seen: list[Tensor] = []
    blocks = _fused.blocks

    def count(z: Tensor) -> Iterator[Any]:
        seen.append(z)
        return blocks(z)

    monkeypatch.setattr("sklearnloss.losses._core.closed_form_pixel.blocks", count)
    monkeypatch.setattr("sklearnloss.losses._core.closed_form_region.blocks", count)
    return seen


def value_and_gradient(loss: Loss, z: Tensor, t: Tensor, *args: Tensor) -> tuple[Tensor, Tensor]:
    z = z.clone().requires_grad_()
    value = loss(z, t, *args)
    pattern = torch.linspace(0.5, 1.5, value.numel(), dtype=value.dtype).reshape(value.shape)
    (gradient,) = torch.autograd.grad((pattern * value).sum(), z)
    return value.detach(), gradient


def in_float64(loss: Loss, z: Tensor, t: Tensor, *args: Tensor) -> tuple[Tensor, Tensor]:
    """Return what the formula says, which float64 always takes."""
    t = t.double() if t.is_floating_point() else t
    value, gradient = value_and_gradient(loss, z.double(), t, *args)
    return value.float(), gradient.float()


def assert_same(actual: tuple[Tensor, Tensor], expected: tuple[Tensor, Tensor]) -> None:
    """Compare values and, against the largest of them, gradients."""
    torch.testing.assert_close(actual[0], expected[0], rtol=2e-5, atol=1e-7)
    scale = float(expected[1].abs().max())
    torch.testing.assert_close(actual[1], expected[1], rtol=1e-4, atol=1e-5 * scale)


@on_cases
@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("reduction", ["mean", "sum", "none", "sample"])
def test_value_and_gradient_are_the_formula_s(loss: Loss, case: Any, reduction: str) -> None:
    z, t = case()
    pooled = getattr(loss, "batch", False) and reduction in ("none", "sample")
    loss = copy.deepcopy(loss).set_params(reduction="mean" if pooled else reduction)
    assert_same(value_and_gradient(loss, z, t), in_float64(loss, z, t))
    weight = torch.tensor([1.0, 0.0, 2.0])
    assert_same(value_and_gradient(loss, z, t, weight), in_float64(loss, z, t, weight))


@on_cases
@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("scale", [1e2, 1e4, torch.inf])
def test_saturated_scores_cost_what_the_formula_says(loss: Loss, case: Any, scale: float) -> None:
    z, t = case()
    z = z.sign() * scale if scale == torch.inf else z * scale
    value, gradient = value_and_gradient(loss, z, t)
    assert not value.isnan()
    assert gradient.isfinite().all()
    # In float32 the unified loss, but for its counts a formula, is rounded there.
    if scale != torch.inf and not isinstance(loss, UnifiedFocalLoss):
        assert_same((value, gradient), in_float64(loss, z, t))


@on_cases
@pytest.mark.usefixtures("always")
def test_ignored_elements_do_not_count(loss: Loss, case: Any) -> None:
    z, t = case()
    loss = copy.deepcopy(loss).set_params(ignore_index=255)
    ignored = torch.rand(t.shape, generator=torch.Generator().manual_seed(0)) > 0.7
    ignored[0] = True
    t = t.masked_fill(ignored, 255)
    assert_same(value_and_gradient(loss, z, t), in_float64(loss, z, t))
    where = ignored if t.ndim == z.ndim else ignored.unsqueeze(1).expand_as(z)
    value, gradient = value_and_gradient(loss, z.masked_fill(where, torch.nan), t)
    assert value.isfinite()
    assert (gradient[where] == 0).all()


@on_cases
@pytest.mark.usefixtures("always")
def test_scores_may_be_volumes_and_lie_oddly_in_memory(loss: Loss, case: Any) -> None:
    z, t = case()
    expected = value_and_gradient(loss, z, t)
    channels_last = z.contiguous(memory_format=torch.channels_last)
    assert_same(value_and_gradient(loss, channels_last, t), expected)
    assert_same(value_and_gradient(loss, z.mT.contiguous().mT, t), expected)
    strided = torch.stack([z, z + 1], -1)[..., 0]
    assert_same(value_and_gradient(loss, strided, t.transpose(-1, -2).contiguous().mT), expected)
    volume = value_and_gradient(loss, z.unsqueeze(2), t.unsqueeze(t.ndim - 2))
    assert_same((volume[0], volume[1].squeeze(2)), expected)


@on_cases
@pytest.mark.usefixtures("always")
def test_second_derivatives_are_the_formula_s(loss: Loss, case: Any) -> None:
    z, t = case()

    def curvature(z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        z = z.clone().requires_grad_()
        (first,) = torch.autograd.grad(loss(z, t).sum(), z, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), z)
        return first.detach(), second

    assert_same(curvature(z, t), _floats(curvature(z.double(), t)))


def _floats(tensors: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return tensors[0].float(), tensors[1].float()


def test_second_derivatives_of_a_large_image(calls: list[Tensor]) -> None:
    """At the size that takes a closed form by itself."""
    z = logits(1, 1, 400, 400).float().requires_grad_()
    t = (logits(1, 1, 400, 400, seed=1) > 0).float()
    (first,) = torch.autograd.grad(BCEWithLogitsLoss("sum")(z, t), z, create_graph=True)
    assert calls
    (second,) = torch.autograd.grad(first.sum(), z)
    p = z.detach().sigmoid()
    torch.testing.assert_close(first.detach(), p - t, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(second, p * (1 - p), rtol=1e-4, atol=1e-6)


@on_cases
def test_inputs_stay_as_they_are_and_a_graph_can_be_walked_twice(
    always: None, calls: list[Tensor], loss: Loss, case: Any
) -> None:
    z, t = case()
    before = z.clone(), t.clone()
    leaf = z.clone().requires_grad_()
    value = loss(leaf, t).sum()
    (first,) = torch.autograd.grad(value, leaf, retain_graph=True)
    (second,) = torch.autograd.grad(2 * value, leaf)
    torch.testing.assert_close(second, 2 * first)
    assert torch.equal(leaf, before[0])
    assert torch.equal(t, before[1])


def test_easy_examples_are_exact(always: None, calls: list[Tensor]) -> None:
    """Where torch's own binary cross entropy rounds to 0."""
    z = torch.full((1, 1, 2, 2), -15.0)
    exact = torch.log1p(torch.exp(torch.tensor(-15.0, dtype=torch.float64))).float()
    for t in (z * 0, z * 0 + 1):
        sign = 1 - 2 * t
        value = BCEWithLogitsLoss()(z * sign, t)
        torch.testing.assert_close(value, exact, rtol=1e-6, atol=0)
        both = torch.cat([-z, z], 1)
        focal = FocalLoss()(both, torch.zeros(1, 2, 2).long())
        margin = torch.tensor(30.0, dtype=torch.float64)
        precise = (-margin).sigmoid() ** 2 * (-margin).exp()
        torch.testing.assert_close(focal, precise.float(), rtol=1e-5, atol=0)
    assert calls


@on_cases
def test_where_values_cannot_be_looked_at_the_result_is_the_same(
    always: None, monkeypatch: pytest.MonkeyPatch, calls: list[Tensor], loss: Loss, case: Any
) -> None:
    """As on a GPU, for which one would have to wait."""
    z, t = case()
    expected = value_and_gradient(loss, z, t)
    n_calls = len(calls)
    monkeypatch.setattr("sklearnloss.losses._core.inputs.can_look_at", lambda tensor: False)
    assert_same(value_and_gradient(loss, z, t), expected)
    assert len(calls) == 2 * n_calls
    t[0, 1, 2] = 7
    assert loss(z, t).isnan()


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
@on_cases
def test_a_gpu_gives_the_same_result(always: None, loss: Loss, case: Any) -> None:
    z, t = case()
    value, gradient = value_and_gradient(loss, z.cuda(), t.cuda())
    assert_same((value.cpu(), gradient.cpu()), value_and_gradient(loss, z, t))


TAKEN = [(BCEWithLogitsLoss(), masks), (FocalLoss(), indices), (DiceLoss(), masks)]


@pytest.mark.parametrize(("loss", "case"), TAKEN)
def test_gradients_lie_in_memory_as_the_scores_do(always: None, loss: Loss, case: Any) -> None:
    z, t = case()
    z = z.contiguous(memory_format=torch.channels_last)
    _, gradient = value_and_gradient(loss, z, t)
    assert gradient.stride() == z.stride()


@pytest.mark.parametrize(("loss", "case"), TAKEN)
def test_small_inputs_are_not_cut(calls: list[Tensor], loss: Loss, case: Any) -> None:
    loss(*case())
    assert not calls


SMALL = [*SIGMOID, DiceLoss(), JaccardLoss(eps=0.5), TverskyLoss(0.3, 0.7)]


@pytest.mark.parametrize("loss", SMALL)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_small_masks_cost_what_the_formula_says(loss: Loss, reduction: str) -> None:
    loss = copy.deepcopy(loss).set_params(reduction=reduction)
    for z, t in (masks(), (masks()[0][:, :1], masks()[1][:, :1])):
        value, gradient = value_and_gradient(loss, z, t)
        expected = in_float64(loss, z, t)
        torch.testing.assert_close(value, expected[0], rtol=3e-7, atol=0)
        error = (gradient - expected[1]).norm() / expected[1].norm()
        assert error < 3e-7
        z = 20 * z  # certain, and often wrong
        assert_same(value_and_gradient(loss, z, t), in_float64(loss, z, t))
        value, gradient = value_and_gradient(loss, z * torch.inf, t)
        assert not value.isnan()
        assert gradient.isfinite().all()


@pytest.mark.parametrize("loss", SMALL)
def test_small_masks_take_one_step_back(loss: Loss) -> None:
    z, t = masks()
    z.requires_grad_()
    value = loss(z, t)
    assert type(value.grad_fn).__name__ in ("_SmallTotalBackward", "_MeanRatioBackward")
    (first,) = torch.autograd.grad(value, z, retain_graph=True)
    (again,) = torch.autograd.grad(2 * value, z, create_graph=True)  # by the formula
    torch.testing.assert_close(again, 2 * first, rtol=1e-4, atol=1e-8)
    (second,) = torch.autograd.grad(again.square().sum(), z)
    z64 = z.detach().double().requires_grad_()
    (again,) = torch.autograd.grad(2 * loss(z64, t), z64, create_graph=True)
    (exact,) = torch.autograd.grad(again.square().sum(), z64)
    torch.testing.assert_close(second, exact.float(), rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("loss", [DiceLoss(), JaccardLoss(eps=0.5)])
def test_small_ratios_are_the_formula_to_the_last_bit(
    monkeypatch: pytest.MonkeyPatch, loss: Loss
) -> None:
    z, t = masks()
    fast = value_and_gradient(loss, z, t)
    monkeypatch.setattr("sklearnloss.losses._core.region.is_plain", lambda inputs: False)
    plain = value_and_gradient(loss, z, t)
    assert torch.equal(fast[0], plain[0])
    assert torch.equal(fast[1], plain[1])


@pytest.mark.parametrize("size", [1, 10**6])
def test_a_formula_of_ones_own_replaces_the_closed_form(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(_fused, "SMALLEST", size)

    class Doubled(BCEWithLogitsLoss):
        def values(self, inputs: Inputs) -> Tensor:
            return 2 * super().values(inputs)

    class Halved(DiceLoss):
        def per_class(self, counts: SoftCounts) -> Tensor:
            return super().per_class(counts) / 2

    z, t = masks()
    torch.testing.assert_close(Doubled()(z, t), 2 * BCEWithLogitsLoss()(z, t))
    torch.testing.assert_close(Halved()(z, t), DiceLoss()(z, t) / 2)


def test_a_tensor_as_weight_of_a_ratio_has_a_gradient() -> None:
    z, t = masks()
    alpha = torch.tensor(0.3, requires_grad=True)
    value = TverskyLoss(alpha, 0.7)(z, t)  # type: ignore[arg-type]
    torch.testing.assert_close(value, TverskyLoss(0.3, 0.7)(z, t))
    (gradient,) = torch.autograd.grad(value, alpha)
    assert gradient > 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is")  # by torch.export
@pytest.mark.parametrize(("loss", "case"), TAKEN)
def test_all_but_plain_training_takes_the_formula(
    always: None, calls: list[Tensor], loss: Loss, case: Any
) -> None:
    z, t = case()
    loss(z.half(), t)
    assert calls
    calls.clear()
    loss(z.double(), t)
    vmap(lambda z, t: loss(z.unsqueeze(0), t.unsqueeze(0)))(z, t)
    grad(lambda z: loss(z, t))(z)
    jvp(lambda z: loss(z, t), (z,), (z,))
    with forward_ad.dual_level():
        loss(forward_ad.make_dual(z, torch.ones_like(z)), t)
    torch._dynamo.reset()
    torch.compile(lambda z, t: loss(z, t), backend="eager", fullgraph=True)(z, t)
    torch.export.export(loss, (z, t))
    functional_call(loss, {}, (z.to("meta"), t.to("meta")))
    assert not calls


@pytest.mark.parametrize(
    ("loss", "case"),
    [
        (BCEWithLogitsLoss(pos_weight=[1.0, 2.0, 3.0, 4.0]), masks),
        (BCEWithLogitsLoss(label_smoothing=torch.tensor(0.1)), masks),  # type: ignore[arg-type]
        (FocalLoss(torch.tensor(2.0)), masks),  # type: ignore[arg-type]
        (FocalLoss(alpha=[0.1, 0.2, 0.3, 0.4]), masks),
        (CrossEntropyLoss(label_smoothing=torch.tensor(0.1)), indices),  # type: ignore[arg-type]
        (CrossEntropyLoss(class_weight=torch.ones(4, requires_grad=True)), indices),
        (CrossEntropyLoss(class_weight=[1.0, 2.0, 3.0, 4.0]), probabilities),
    ],
)
def test_tensors_as_hyperparameters_take_the_formula(
    always: None, calls: list[Tensor], loss: Loss, case: Any
) -> None:
    z, t = case()
    assert_same(value_and_gradient(loss, z, t), in_float64(loss, z, t))
    assert not calls


def test_a_loss_without_a_closed_form_takes_its_formula(always: None, calls: list[Tensor]) -> None:
    z, t = indices()
    loss = Poly1CrossEntropyLoss(epsilon=0.0)
    assert_same(value_and_gradient(loss, z, t), value_and_gradient(CrossEntropyLoss(), z, t))
    assert len(calls) == 2  # of cross entropy, forward and backward


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("size", [1, 7, 60, 100, 1000])
def test_blocks_cover_every_pixel_once(
    monkeypatch: pytest.MonkeyPatch, n_threads: int, size: int
) -> None:
    monkeypatch.setattr(_fused, "BLOCK", {"cpu": size})
    monkeypatch.setattr(torch, "get_num_threads", lambda: n_threads)
    count = torch.zeros(5, 3, 13)
    largest = max(size * (1 if n_threads == 1 else 6), 3)
    for block in _fused.blocks(count):
        count[block] += 1
        assert count[block].numel() <= largest
    assert (count == 1).all()


def test_targets_of_0_and_1_are_told_from_soft_ones_where_looking_is_cheap() -> None:
    t = torch.tensor([0.0, 1.0, 1.0] * 50_000).reshape(1, 1, -1)

    def is_hard(t: Tensor, **settings: Any) -> bool:
        return read_inputs(torch.zeros_like(t), t, **settings).hard

    assert is_hard(t)
    assert is_hard(t, ignore_index=-100)
    assert is_hard(t, ignore_index=0)  # beside what is ignored
    assert not is_hard(t * 0.999)
    assert is_hard(t[..., :1000])
    assert not is_hard(t.to("meta"))
    assert not is_hard(t.index_fill(2, torch.tensor(7), 1e-30))
    for illegal in (-1.0, -1e-30, 2.0, torch.nan, torch.inf):
        with pytest.raises(ValueError, match=r"target\[0, 0, 7\] is"):
            is_hard(t.index_fill(2, torch.tensor(7), illegal))


@pytest.mark.parametrize("hard", [True, False])
def test_the_loss_of_an_easy_element_is_not_rounded_away(hard: bool) -> None:
    form, out = BinaryCrossEntropy(1.0, 0.0, hard), torch.empty(1, 1, 2)
    form.values(torch.tensor([[[15.0, -15.0]]]), torch.tensor([[[1.0, 0.0]]]), out)
    torch.testing.assert_close(out, torch.full_like(out, math.exp(-15)), rtol=1e-5, atol=0)


def test_a_target_with_a_gradient_gets_it(always: None) -> None:
    z, t = masks(soft=True)
    t.requires_grad_()
    (gradient,) = torch.autograd.grad(BCEWithLogitsLoss("sum")(z, t), t)
    torch.testing.assert_close(gradient, -z, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("loss", "case", "message"),
    [
        (BCEWithLogitsLoss(pos_weight=-1.0), masks, "pos_weight must lie between 0 and inf"),
        (FocalLoss(alpha=1.5), masks, "alpha must lie between 0 and 1"),
        (FocalLoss(alpha=-1.0), indices, "alpha must lie between 0 and inf"),
        (CrossEntropyLoss(class_weight=[1.0]), indices, "class_weight has shape"),
        (FocalLoss(gamma=-1), masks, "gamma=-1 is not a number in"),
    ],
)
def test_illegal_weights_are_refused_at_any_size(
    always: None, loss: Loss, case: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        loss(*case())


@on_cases
def test_autocast_changes_nothing(always: None, calls: list[Tensor], loss: Loss, case: Any) -> None:
    z, t = case()
    expected = value_and_gradient(loss, z, t)
    with torch.autocast("cpu", torch.bfloat16):
        value, gradient = value_and_gradient(loss, z, t)
    assert torch.equal(value, expected[0])
    assert torch.equal(gradient, expected[1])


@on_cases
def test_closed_forms_keep_no_more_than_the_inputs(
    always: None, monkeypatch: pytest.MonkeyPatch, loss: Loss, case: Any
) -> None:
    """Which is what they are for: nothing of the logits' size waits for the backward pass."""
    monkeypatch.setattr(_fused, "BLOCK", {"cpu": 60})
    z, t = case()
    if _fused.is_plain(read_inputs(z, t, form=loss.form)) and not _takes_closed_form(loss, t):
        pytest.skip("has no closed form")
    z.requires_grad_()
    kept: list[int] = []
    inputs = {z.data_ptr(), t.data_ptr()}

    def pack(saved: Tensor) -> Tensor:
        if saved.data_ptr() not in inputs and saved.untyped_storage().nbytes() > 256:
            kept.append(saved.untyped_storage().nbytes())
        return saved

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved):
        loss(z, t)
    assert sum(kept) == 0


def _takes_closed_form(loss: Loss, t: Tensor) -> bool:
    if isinstance(loss, UnifiedFocalLoss):
        return False
    if isinstance(loss, FocalLoss):
        return not isinstance(loss.alpha, list)
    if isinstance(loss, CrossEntropyLoss):
        hard = not t.is_floating_point()
        return loss.class_weight is None or (hard and getattr(loss, "label_smoothing", 0) == 0)
    return True
