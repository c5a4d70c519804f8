"""Laws on inputs that hypothesis makes up."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import HealthCheck, given, settings

from sklearnloss.losses import CompoundLoss, DiceLoss, FocalLoss, get_loss

from .cases import DATA_LOSSES, MAY_BE_NEGATIVE, NOT_COMPILABLE, build

quick = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
on_losses = pytest.mark.parametrize("name", [n for n in DATA_LOSSES if n not in NOT_COMPILABLE])


@st.composite
def problems(draw: Any, needs_axes: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw logits of any size and number of axes, and a target that fits."""
    n = draw(st.integers(1, 4))
    n_channels = draw(st.integers(1, 4))
    spatial = draw(st.lists(st.integers(1, 5), min_size=1 if needs_axes else 0, max_size=3))
    scale = draw(st.sampled_from([0.0, 1.0, 30.0, 1e4]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    z = scale * torch.randn(n, n_channels, *spatial, generator=generator, dtype=torch.float64)
    if n_channels > 1 and draw(st.booleans()):
        return z, torch.randint(0, n_channels, (n, *spatial), generator=generator)
    t = torch.rand(n, 1, *spatial, generator=generator, dtype=torch.float64)
    return z[:, :1], t if draw(st.booleans()) else t.round()


@pytest.mark.slow
@on_losses
@given(data=st.data())
@quick
def test_values_and_gradients_are_finite(name: str, data: st.DataObject) -> None:
    z, t = data.draw(problems(needs_axes=name == "cl_dice"))
    z.requires_grad_()
    value = build(name)(z, t)
    (gradient,) = torch.autograd.grad(value, z)
    assert value.isfinite()
    assert value > -1e-9 or name in MAY_BE_NEGATIVE
    assert gradient.isfinite().all()


@pytest.mark.slow
@on_losses
@given(data=st.data())
@quick
def test_a_weight_of_two_is_the_sample_twice(name: str, data: st.DataObject) -> None:
    z, t = data.draw(problems(needs_axes=name == "cl_dice"))
    w = torch.tensor(data.draw(st.lists(st.integers(0, 3), min_size=len(z), max_size=len(z))))
    loss = build(name)
    copies = loss(z.repeat_interleave(w, 0), t.repeat_interleave(w, 0))
    torch.testing.assert_close(loss(z, t, w), copies, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", sorted({*DATA_LOSSES} - {*NOT_COMPILABLE, "cl_dice"}))
@given(data=st.data())
@quick
def test_ignoring_some_pixels_is_leaving_them_out(name: str, data: st.DataObject) -> None:
    """On one row of pixels, where they can simply be cut away."""
    n_kept, n_ignored = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 6))
    n_channels = data.draw(st.integers(1, 3))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 2**31)))
    size = n_kept + n_ignored
    z = torch.randn(1, n_channels, size, generator=generator, dtype=torch.float64)
    t = torch.randint(0, max(n_channels, 2), (1, size), generator=generator)
    t[:, n_kept:] = 255
    loss = build(name, ignore_index=255)
    torch.testing.assert_close(loss(z, t), loss(z[..., :n_kept], t[:, :n_kept]))


@given(
    weights=st.lists(st.floats(0.001, 1e6), min_size=1, max_size=4),
    names=st.lists(st.sampled_from(DATA_LOSSES), min_size=4, max_size=4),
)
@quick
def test_a_name_says_what_it_builds(weights: list[float], names: list[str]) -> None:
    terms = list(zip(weights, names, strict=False))
    name = " + ".join(f"{weight!r} * {term}" for weight, term in terms)
    loss = get_loss(name)
    assert isinstance(loss, CompoundLoss)
    found = [(member.weight, type(member.loss)) for member in loss.members]
    assert found == [(weight, type(get_loss(term))) for weight, term in terms]


@given(a=st.floats(-10, 10), b=st.floats(-10, 10), c=st.floats(-10, 10))
@quick
def test_sums_obey_the_laws_of_numbers(a: float, b: float, c: float) -> None:
    z = torch.randn(2, 1, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    t = torch.ones(2, 1, 5)
    dice, focal = DiceLoss(), FocalLoss()
    left = c * (a * dice + b * focal)
    right = c * a * dice + focal * (b * c)
    torch.testing.assert_close(left(z, t), right(z, t))
    torch.testing.assert_close(left(z, t), c * (a * dice(z, t) + b * focal(z, t)))
