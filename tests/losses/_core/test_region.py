"""Region losses of one's own, on each of the methods that they may override."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sklearnloss.losses import Inputs, RegionLoss, SoftCounts


class Recall(RegionLoss):
    """Of the classes as they come."""

    def per_class(self, counts: SoftCounts) -> Tensor:
        return 1 - counts.tp / counts.t


class WorstRecall(Recall):
    """Of the worst class: a value per sample."""

    def per_class(self, counts: SoftCounts) -> Tensor:
        return super().per_class(counts).amax(1)


class LargestLogit(RegionLoss):
    """Of anything but soft counts."""

    def per_sample(self, inputs: Inputs, pool: Tensor | None = None) -> Tensor:
        values = inputs.logits.flatten(1).amax(1)
        return values if pool is None else (pool * values).sum(0, keepdim=True)


def batch() -> tuple[Tensor, Tensor]:
    """Of two samples and two channels: recalls of 1/2 and 3/4, and of 1/4 and 1/2."""
    p = torch.tensor([[0.5, 0.75], [0.25, 0.5]]).reshape(2, 2, 1, 1).expand(2, 2, 4, 4)
    return p.logit(), torch.ones(2, 2, 4, 4)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (Recall(reduction="none"), [0.375, 0.625]),
        (Recall(include_background=False, reduction="none"), [0.25, 0.5]),
        (WorstRecall(reduction="none"), [0.5, 0.75]),
        (WorstRecall(include_background=False, reduction="none"), [0.5, 0.75]),
        (WorstRecall(class_weight=[1.0, 3.0], reduction="none"), [0.5, 0.75]),
        (WorstRecall(), 0.625),
        (WorstRecall(batch=True), 0.625),
    ],
    ids=repr,
)
def test_a_formula_on_soft_counts_is_per_class_or_per_sample(
    loss: RegionLoss, expected: float | list[float]
) -> None:
    torch.testing.assert_close(loss(*batch()), torch.tensor(expected))


def test_weights_of_samples_pool_their_counts() -> None:
    z, t = batch()
    value = WorstRecall(batch=True)(z, t, torch.tensor([3.0, 1.0]))
    torch.testing.assert_close(value, torch.tensor(1 - (3 * 0.5 + 0.25) / 4))


def test_a_formula_on_the_inputs_is_reduced_as_others_are() -> None:
    z = torch.tensor([[1.0, 3.0], [-2.0, 5.0]]).reshape(2, 1, 2)
    t, weight = torch.ones(2, 1, 2), torch.tensor([1.0, 3.0])
    assert LargestLogit()(z, t).item() == 4
    assert LargestLogit()(z, t, weight).item() == (3 + 3 * 5) / 4
    assert LargestLogit(batch=True)(z, t, weight).item() == 3 + 3 * 5
    assert LargestLogit(reduction="sample")(z, t, weight).tolist() == [3, 5]


def test_infinite_scores_do_not_reach_a_formula_on_the_inputs() -> None:
    z = torch.full((1, 1, 2), torch.inf)
    assert LargestLogit()(z, torch.ones_like(z)).isfinite()
