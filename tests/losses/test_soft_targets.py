"""Targets between 0 and 1: averages of raters, smoothed labels, a teacher's probabilities."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sklearnloss.losses import Loss

from .cases import DATA_LOSSES, REGION_LOSSES, build, logits

# What weighs the classes by definition, without those weights.
UNWEIGHTED: dict[str, dict[str, object]] = {
    "focal": {"alpha": None},
    "asymmetric": {"gamma_neg": 0.0, "clip": 0.0},
    "ldam": {"max_margin": 1e-6},
    "logit_adjusted": {"tau": 0.0},
    "unified_focal": {"delta": 0.5, "gamma": 0.0},
}
# Distances and margins are those of hard masks.
WANTS_HARD_MASKS = {"boundary", "lovasz_hinge"}
# The mean over pixels of proper scores, which are lowest at the target itself.
PROPER = ["bce", "brier", "cross_entropy"]


def soft_masks(n_channels: int = 1) -> Tensor:
    """Return targets of every grade, for images large enough to have center lines."""
    return (0.5 * logits(2, n_channels, 12, 13, seed=3)).sigmoid()


def others(z: Tensor) -> list[Tensor]:
    """Return scores unlike these: shifted, sharpened, blurred, rounded and random."""
    noise = logits(*z.shape, seed=4)
    return [z + 1, z - 1, 2 * z, 0.5 * z, 8 * z, 6 * z.sign(), z + noise, noise, -z, z * 0]


@pytest.mark.parametrize("name", DATA_LOSSES)
def test_a_target_of_one_half_is_met_by_one_half(name: str) -> None:
    loss = build(name, **UNWEIGHTED.get(name, {}))
    t = torch.full((2, 1, 8, 8), 0.5, dtype=torch.float64)
    best = loss(torch.zeros_like(t), t)
    for z in (-8, -4, -2, -1, -0.2, 0.2, 1, 2, 4, 8):
        assert best <= loss(torch.full_like(t, z), t) + 1e-6


@pytest.mark.parametrize("name", sorted({*REGION_LOSSES, *PROPER} - WANTS_HARD_MASKS))
@pytest.mark.parametrize("n_channels", [1, 3])
def test_a_soft_target_is_met_by_itself(name: str, n_channels: int) -> None:
    t = soft_masks(n_channels)
    z = t.logit()
    if name == "cross_entropy" and n_channels > 1:
        t = z.softmax(1)
    loss = build(name, **({"weight": 0.0} if name == "unified_focal" else {}))
    best = loss(z, t)
    if name not in PROPER:
        assert best == pytest.approx(0, abs=1e-6)
    flat = {"cl_dice"}  # an even mask has no center line, and so makes no mistake
    for scores in others(z)[2 if name == "cross_entropy" else 0 :]:  # a softmax sees no shift
        value = loss(scores, t)
        assert best < value or (name in flat and best == value)


def test_squares_have_their_minimum_at_a_soft_target() -> None:
    t = soft_masks()
    loss = build("dice", squared=True)
    assert loss(t.logit(), t) == pytest.approx(0, abs=1e-6)
    assert all(loss(scores, t) > 1e-4 for scores in others(t.logit()))


@pytest.mark.parametrize("params", [{"alpha": 0.1, "beta": 0.9}, {"alpha": 1.0, "beta": 1.0}])
def test_unequal_weights_of_mistakes_do_not_shift_the_best_prediction(
    params: dict[str, float],
) -> None:
    t = soft_masks()
    loss = build("tversky", **params)
    assert all(loss(t.logit(), t) < loss(scores, t) for scores in others(t.logit()))


@pytest.mark.parametrize("batch", [False, True])
def test_soft_targets_agree_with_monai(batch: bool) -> None:
    monai = pytest.importorskip("monai.losses")
    z, t = logits(3, 2, 6, 5), soft_masks(2)[:, :, :6, :5].repeat(2, 1, 1, 1)[:3]
    settings = {"sigmoid": True, "soft_label": True, "batch": batch}
    eps = {"smooth_nr": 1e-6, "smooth_dr": 1e-6}
    pairs: list[tuple[Loss, object]] = [
        (build("dice", batch=batch), monai.DiceLoss(**settings, **eps)),
        (build("jaccard", batch=batch), monai.DiceLoss(**settings, **eps, jaccard=True)),
        (
            build("tversky", alpha=0.3, beta=0.7, batch=batch),
            monai.TverskyLoss(**settings, **eps, alpha=0.3, beta=0.7),
        ),
    ]
    for ours, theirs in pairs:
        torch.testing.assert_close(ours(z, t), theirs(z, t), rtol=1e-5, atol=0)  # type: ignore[operator]
