from __future__ import annotations

import pytest
import torch

from sklearnloss.losses import DiceLoss, SoftClDiceLoss

from .cases import CASES, binary, whole_images


def test_the_skeleton_of_a_bar_is_its_middle() -> None:
    mask = torch.zeros(1, 1, 7, 12)
    mask[..., 2:5, 1:11] = 1
    skeleton = SoftClDiceLoss(iterations=3)._skeleton(mask)
    assert skeleton[0, 0, 3, 3:9].tolist() == [1.0] * 6
    assert skeleton[0, 0, [0, 1, 5, 6]].sum() == 0


def test_a_broken_line_costs_more_than_a_thinner_one() -> None:
    t = torch.zeros(1, 1, 9, 16)
    t[..., 3:6, :] = 1
    thin, broken = t.clone(), t.clone()
    thin[..., 5, :] = 0  # 16 pixels
    broken[..., 3:6, 6:10] = 0  # 12 pixels
    loss = SoftClDiceLoss()
    assert loss(20 * (thin - 0.5), t) < loss(20 * (broken - 0.5), t)


@pytest.mark.parametrize("case", ["binary", "signal", "volume"])
def test_one_to_three_axes(case: str) -> None:
    z, t = CASES[case]()
    assert 0 <= SoftClDiceLoss()(z, t) <= 1


def test_a_perfect_mask_costs_nothing() -> None:
    _, t = binary()
    assert SoftClDiceLoss()(1e4 * (2 * t - 1), t) == 0


def test_whole_images_have_no_skeleton() -> None:
    with pytest.raises(
        ValueError, match=r"one to three spatial axes, got logits of shape \(6, 4\)"
    ):
        SoftClDiceLoss()(*whole_images())


def test_iterations_are_counted() -> None:
    for wrong in (-1, 1001, 10**30):
        with pytest.raises(ValueError, match=rf"iterations={wrong} is not a number in \[0, 1000\]"):
            SoftClDiceLoss(wrong)(*binary())
    with pytest.raises(ValueError, match=r"iterations=2.5 is not a whole number"):
        SoftClDiceLoss(2.5)(*binary())  # type: ignore[arg-type]


def test_erosions_beyond_the_image_change_nothing() -> None:
    monai = pytest.importorskip("monai.losses")
    theirs = monai.SoftclDiceLoss(iter_=40, smooth_nr=1, smooth_dr=1, smooth=1e-12, sigmoid=True)
    z, t = binary()
    torch.testing.assert_close(SoftClDiceLoss(1000, eps=1.0)(z, t), theirs(z, t))


def test_alone_it_is_fooled_by_a_full_mask() -> None:
    t = torch.zeros(1, 1, 9, 16)
    t[..., 4, :] = 1
    full = torch.full_like(t, 20.0)
    assert SoftClDiceLoss()(full, t) < 1e-3
    assert (DiceLoss() + SoftClDiceLoss())(full, t) > 0.5
