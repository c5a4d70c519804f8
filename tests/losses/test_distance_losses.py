"""Boundary and Hausdorff losses, on masks whose distances are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt

from sklearnloss.losses import BoundaryLoss, HausdorffDTLoss, RegionLoss
from sklearnloss.losses._core.distance_maps import distances

from .cases import binary, logits, multiclass, whole_images

LINE = torch.tensor([[[0.0, 0, 1, 1, 1, 0]]], dtype=torch.float64)


def test_boundary_by_hand() -> None:
    z = logits(1, 1, 6)
    phi = torch.tensor([2.0, 1, 0, -1, 0, 1])
    torch.testing.assert_close(BoundaryLoss()(z, LINE), (z[0, 0].sigmoid() * phi).mean())


def test_hausdorff_by_hand() -> None:
    z = torch.tensor([[[-1.0, 2, 3, -1, -1, -1]]], dtype=torch.float64)
    d_t = torch.tensor([2.0, 1, 1, 2, 1, 1])
    d_p = torch.tensor([1.0, 1, 1, 1, 2, 3])
    for alpha in (1.0, 2.0):
        error = (z[0, 0].sigmoid() - LINE[0, 0]).square()
        expected = (error * (d_t**alpha + d_p**alpha)).mean()
        torch.testing.assert_close(HausdorffDTLoss(alpha)(z, LINE), expected)


def test_distances_are_scipys_and_respect_spacing() -> None:
    mask = multiclass().target[:1] == 1
    inside, outside = distances(mask.unsqueeze(1), (2.0, 0.5))
    expected = distance_transform_edt(mask[0].numpy(), sampling=(2.0, 0.5))
    np.testing.assert_allclose(inside[0, 0], expected, rtol=1e-6)
    expected = distance_transform_edt(~mask[0].numpy(), sampling=(2.0, 0.5))
    np.testing.assert_allclose(outside[0, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("full", [0.0, 1.0])
def test_masks_without_boundary_have_no_distance(full: float) -> None:
    t = torch.full((1, 1, 4, 4), full)
    z = torch.randn(1, 1, 4, 4)
    assert BoundaryLoss()(z, t) == 0
    inside, outside = distances(t > 0.5, None)
    assert not inside.any()
    assert not outside.any()


def test_boundary_is_lowest_for_a_perfect_mask() -> None:
    _, t = binary()
    perfect = BoundaryLoss()(1e3 * (2 * t - 1), t)
    for seed in range(5):
        assert perfect <= BoundaryLoss()(1e3 * logits(*t.shape, seed=seed).sign(), t)


def test_far_errors_cost_more() -> None:
    t = torch.zeros(1, 1, 9)
    t[..., :2] = 1
    near, far = (-9.0 + 18 * t.clone() for _ in range(2))
    near[..., 2], far[..., 8] = 9.0, 9.0
    for loss in (BoundaryLoss(), HausdorffDTLoss()):
        assert loss(near, t) < loss(far, t)


@pytest.mark.parametrize("loss", [BoundaryLoss(), HausdorffDTLoss()])
def test_distances_need_an_image(loss: BoundaryLoss) -> None:
    with pytest.raises(ValueError, match="Distances need spatial axes"):
        loss(*whole_images())


def test_the_target_has_no_gradient() -> None:
    t = LINE.clone().requires_grad_()
    with pytest.raises(ValueError, match="Distance maps have no gradient"):
        distances(t, None)
    HausdorffDTLoss()(logits(1, 1, 6), t)


@pytest.mark.parametrize("loss", [BoundaryLoss, HausdorffDTLoss])
def test_pixels_may_have_a_size(loss: type[BoundaryLoss] | type[HausdorffDTLoss]) -> None:
    z, t = binary()
    params = {"alpha": 1.0} if loss is HausdorffDTLoss else {}
    small, large = (loss(spacing=size, **params)(z, t) for size in (1.0, 3))  # type: ignore[arg-type]
    assert large != small
    torch.testing.assert_close(loss(spacing=(1.0, 1.0))(z, t), loss()(z, t))


@pytest.mark.parametrize(
    ("spacing", "message"),
    [
        ((1.0, 2.0, 3.0), r"has 3 sizes, but there are 2 spatial axes"),
        (-1.0, r"size=-1.0 is not a number in \(0, inf\)"),
        ((1.0, 0), r"spacing=\(1.0, 0\): size=0 is not"),
    ],
)
def test_illegal_sizes_are_refused(spacing: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BoundaryLoss(spacing)(*binary())


def test_an_alpha_of_0_is_refused() -> None:
    with pytest.raises(ValueError, match=r"alpha=0 is not a number in \(0, inf\)"):
        HausdorffDTLoss(0)(*binary())


@pytest.mark.parametrize("loss", [BoundaryLoss, HausdorffDTLoss])
def test_the_mean_is_over_the_pixels_that_are_not_ignored(loss: type[RegionLoss]) -> None:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(1, 1, 4, 6, generator=generator)
    t = (torch.rand(1, 1, 4, 6, generator=generator) > 0.5).float()
    z[..., 3:], t[..., 3:] = -100.0, 0.0  # where they cost nothing
    ignored = t.clone()
    ignored[..., 3:] = -1
    torch.testing.assert_close(loss(ignore_index=-1)(z, ignored), 2 * loss()(z, t))
