"""Laws that every loss obeys, on every kind of input."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from sklearn.base import clone
from torch import Tensor

from sklearnloss.losses import Loss

from .cases import (
    CASES,
    DATA_LOSSES,
    MAY_BE_NEGATIVE,
    REGION_LOSSES,
    SEES_BATCH,
    SEES_NEIGHBOURS,
    WANTS_FINITE_LOGITS,
    build,
    on_cases,
)

on_losses = pytest.mark.parametrize("name", DATA_LOSSES)


def perfect(case: str, scale: float) -> tuple[Tensor, Tensor]:
    """Return logits of a given size that are all right, and the target."""
    z, t = CASES[case]()
    if z.shape[1] == 1:
        sign = 2.0 * t.reshape(z.shape).to(z.dtype) - 1
    else:
        sign = 2.0 * torch.nn.functional.one_hot(t, z.shape[1]).movedim(-1, 1).to(z.dtype) - 1
    return scale * sign, t


@on_cases
def test_value_is_a_finite_non_negative_scalar(name: str, case: str) -> None:
    value = build(name)(*CASES[case]())
    assert value.shape == ()
    assert torch.isfinite(value)
    assert value >= 0 or name in MAY_BE_NEGATIVE


@pytest.mark.slow
@on_cases
def test_gradient_agrees_with_finite_differences(name: str, case: str) -> None:
    z, t = CASES[case](2)
    loss = build(name)
    assert torch.autograd.gradcheck(lambda x: loss(x, t), z.requires_grad_(), atol=1e-6)


@on_cases
def test_perfect_scores_cost_less_than_wrong_ones(name: str, case: str) -> None:
    z, t = perfect(case, 5.0)
    loss = build(name)
    assert loss(z, t) < loss(torch.zeros_like(z), t) < loss(-z, t)


@on_cases
def test_order_of_samples_does_not_matter(name: str, case: str) -> None:
    z, t = CASES[case]()
    torch.testing.assert_close(build(name)(z.flip(0), t.flip(0)), build(name)(z, t))


@on_cases
def test_order_of_pixels_does_not_matter(name: str, case: str) -> None:
    if name in SEES_NEIGHBOURS:
        pytest.skip("compares neighboring pixels by definition")
    z, t = CASES[case]()
    if z.ndim == 2:
        return
    torch.testing.assert_close(build(name)(z.flip(-1), t.flip(-1)), build(name)(z, t))


@on_cases
def test_float32_gives_float32_close_to_float64(name: str, case: str) -> None:
    z, t = CASES[case]()
    value = build(name)(z.float(), t.float() if t.is_floating_point() else t)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value.double(), build(name)(z, t), rtol=1e-5, atol=1e-6)


@on_cases
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_and_returned_in_float32(
    name: str, case: str, dtype: torch.dtype
) -> None:
    z, t = CASES[case]()
    half = z.to(dtype)
    value = build(name)(half, t)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, build(name)(half.float(), t))


@on_cases
@pytest.mark.parametrize("size", [50.0, 1e3, 1e4])
@pytest.mark.parametrize("side", ["right", "wrong"])
def test_huge_logits_give_finite_values_and_gradients(
    name: str, case: str, size: float, side: str
) -> None:
    z, t = perfect(case, size if side == "right" else -size)
    z = z.float().requires_grad_()
    value = build(name)(z, t)
    value.backward()
    assert torch.isfinite(value)
    assert z.grad is not None
    assert torch.isfinite(z.grad).all()


@on_cases
def test_infinite_logits_on_the_right_side_cost_what_huge_ones_do(name: str, case: str) -> None:
    z, t = perfect(case, torch.inf)
    z = z.float().requires_grad_()
    value = build(name)(z, t)
    value.backward()
    expected = build(name)(*perfect(case, 1e4))
    if name in WANTS_FINITE_LOGITS:
        expected = value  # has no limit
    torch.testing.assert_close(value.double(), expected.double(), rtol=1e-4, atol=1e-5)
    assert z.grad is not None
    assert torch.isfinite(z.grad).all()


@on_cases
def test_reduction_none_sums_to_sum(name: str, case: str) -> None:
    z, t = CASES[case]()
    none, total = build(name, reduction="none")(z, t), build(name, reduction="sum")(z, t)
    torch.testing.assert_close(none.sum(), total)


@on_cases
def test_reduction_sample_is_each_sample_alone(name: str, case: str) -> None:
    if name in SEES_BATCH:
        pytest.skip("chooses among the whole batch by definition")
    z, t = CASES[case]()
    together = build(name, reduction="sample")(z, t)
    alone = [build(name)(z[i : i + 1], t[i : i + 1]) for i in range(len(z))]
    assert together.shape == (len(z),)
    torch.testing.assert_close(together, torch.stack(alone))


@on_cases
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_integer_sample_weight_is_repetition(name: str, case: str, reduction: str) -> None:
    z, t = CASES[case]()
    repeats = torch.arange(len(z)) % 3  # 0, 1, 2, ...
    loss = build(name, reduction=reduction)
    weighted = loss(z, t, repeats)
    repeated = loss(z.repeat_interleave(repeats, 0), t.repeat_interleave(repeats, 0))
    torch.testing.assert_close(weighted, repeated, rtol=1e-12, atol=1e-12)


@pytest.mark.slow
@on_cases
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_scores_of_a_sample_without_weight_do_not_matter(
    name: str, case: str, reduction: str
) -> None:
    z, t = CASES[case]()
    weight = torch.arange(len(z)) % 3
    spoilt = z.clone().masked_fill_((weight == 0).reshape(-1, *[1] * (z.ndim - 1)), torch.nan)
    loss, (z, spoilt) = (
        build(name, reduction=reduction),
        (z.requires_grad_(), spoilt.requires_grad_()),
    )
    value, expected = loss(spoilt, t, weight), loss(z, t, weight)
    torch.testing.assert_close(value, expected)
    gradients = torch.autograd.grad(value.sum(), spoilt), torch.autograd.grad(expected.sum(), z)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("name", REGION_LOSSES)
@pytest.mark.parametrize("case", ["binary", "multiclass"])
def test_integer_sample_weight_is_repetition_when_pooled(name: str, case: str) -> None:
    z, t = CASES[case]()
    repeats = torch.arange(len(z)) % 3
    loss = build(name, batch=True)
    repeated = loss(z.repeat_interleave(repeats, 0), t.repeat_interleave(repeats, 0))
    torch.testing.assert_close(loss(z, t, repeats), repeated, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", REGION_LOSSES)
@pytest.mark.parametrize("case", ["binary", "multiclass", "volume"])
def test_pooling_equal_images_is_one_of_them(name: str, case: str) -> None:
    z, t = CASES[case](1)
    three, masks = z.expand(3, *z.shape[1:]), t.expand(3, *t.shape[1:])
    small = {"eps": 1e-12} if "eps" in build(name).get_params() else {}
    pooled = build(name, batch=True, **small)(three, masks)
    torch.testing.assert_close(pooled, build(name, **small)(z, t))


@pytest.mark.parametrize("name", REGION_LOSSES)
def test_a_pooled_loss_has_no_value_per_sample(name: str) -> None:
    z, t = CASES["binary"]()
    with pytest.raises(ValueError, match=r"batch=True gives one value for the whole batch"):
        build(name, batch=True, reduction="sample")(z, t)


def ignoring(name: str, case: str) -> tuple[Loss, Tensor, Tensor, Tensor]:
    """Return a loss, inputs with ignored elements, and which are kept."""
    z, t = CASES[case]()
    keep = torch.rand(t.shape, generator=torch.Generator().manual_seed(1)) > 0.3
    return build(name, ignore_index=255), z, t.masked_fill(~keep, 255), keep


@on_cases
def test_what_lies_under_ignored_elements_does_not_matter(name: str, case: str) -> None:
    loss, z, t, keep = ignoring(name, case)
    if loss.form == "any" or z.shape[1] == 1 or t.shape == z.shape:
        hidden = ~keep.reshape(z.shape) if z.shape[1] == 1 else ~keep.unsqueeze(1)
    else:
        hidden = ~keep.unsqueeze(1)
    value = loss(z, t)
    dirty = z.masked_fill(hidden, torch.nan).requires_grad_()
    loss(dirty, t).backward()
    torch.testing.assert_close(loss(dirty, t), value)
    assert dirty.grad is not None
    assert torch.isfinite(dirty.grad).all()
    assert (dirty.grad.masked_select(hidden.expand_as(dirty)) == 0).all()


@on_cases
def test_passing_an_ignore_index_that_does_not_occur_changes_nothing(name: str, case: str) -> None:
    z, t = CASES[case]()
    torch.testing.assert_close(build(name, ignore_index=255)(z, t), build(name)(z, t))


@on_cases
@pytest.mark.parametrize("reduction", ["mean", "sum", "none", "sample"])
def test_nothing_valid_gives_zero_with_a_zero_gradient(
    name: str, case: str, reduction: str
) -> None:
    z, t = CASES[case]()
    loss = build(name, ignore_index=255, reduction=reduction)
    for scores in (z, torch.full_like(z, torch.nan), torch.full_like(z, torch.inf)):
        for weight in (None, torch.ones(len(z))):
            scores = scores.detach().requires_grad_()
            value = loss(scores, torch.full_like(t, 255), weight)
            (gradient,) = torch.autograd.grad(value.sum(), scores)
            assert (value == 0).all()
            assert (gradient == 0).all()


@on_cases
def test_an_empty_batch_gives_zero(name: str, case: str) -> None:
    z, t = CASES[case]()
    z = z[:0].requires_grad_()
    value = build(name)(z, t[:0])
    value.backward()
    assert value == 0
    assert build(name, reduction="sample")(z, t[:0]).shape == (0,)


@on_cases
def test_inputs_are_never_changed(name: str, case: str) -> None:
    z, t = CASES[case]()
    z_before, t_before = z.clone(), t.clone()
    build(name)(z, t, torch.ones(len(z)))
    assert torch.equal(z, z_before)
    assert torch.equal(t, t_before)


@on_cases
def test_any_integer_dtype_of_indices_is_read_alike(name: str, case: str) -> None:
    z, t = CASES[case]()
    if t.is_floating_point():
        t = t.long()
    for dtype in (torch.uint8, torch.int8, torch.int16, torch.int32):
        torch.testing.assert_close(build(name)(z, t.to(dtype)), build(name)(z, t))


@on_losses
def test_pickle_deepcopy_and_clone_keep_the_parameters(name: str) -> None:
    loss = build(name)
    for twin in (pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss), clone(loss)):
        assert type(twin) is type(loss)
        assert twin.get_params() == loss.get_params()


@on_losses
def test_state_dict_is_empty_and_repr_is_short(name: str) -> None:
    assert build(name).state_dict() == {}
    assert repr(build(name)) == f"{type(build(name)).__name__}()"


@on_losses
def test_an_unknown_reduction_names_the_valid_ones(name: str) -> None:
    z, t = CASES["multiclass"]()
    with pytest.raises(ValueError, match=r"reduction='avg' is unknown.*'mean', 'sum', 'none'"):
        build(name, reduction="avg")(z, t)


@on_losses
def test_search_space_names_parameters(name: str) -> None:
    loss = build(name)
    assert set(loss.search_space) <= set(loss.get_params())
