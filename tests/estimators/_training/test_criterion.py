"""The loss as training needs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from sklearnloss.estimators._training.criterion import Criterion
from sklearnloss.losses import DiceLoss, FocalLoss, RegionLoss, SoftCounts
from sklearnloss.losses._core import inputs

CODES = torch.tensor([0, 1, 1, 0], dtype=torch.uint8).reshape(1, 2, 2)
Z = torch.tensor([0.5, 2.0, -1.0, -3.0]).reshape(1, 1, 2, 2)


class Recall(RegionLoss):
    def per_class(self, counts: SoftCounts) -> Tensor:
        return 1 - (counts.tp + self.eps) / (counts.t + self.eps)


def looks(monkeypatch: pytest.MonkeyPatch, loss: object) -> list[int]:
    """Return the sizes of the targets whose values a loss looks at in training."""
    looked: list[int] = []

    def noticed(function: Callable[..., Any]) -> Callable[..., Any]:
        def look(target: Tensor, *args: Any) -> Any:
            looked.append(target.numel())
            return function(target, *args)

        return look

    for name in ("_is_hard", "_clean"):
        monkeypatch.setattr(inputs, name, noticed(getattr(inputs, name)))
    criterion = Criterion(loss, masks=True)  # type: ignore[arg-type]
    criterion(Z, CODES)
    return looked


@pytest.mark.parametrize("loss", [DiceLoss(), FocalLoss(), 0.5 * DiceLoss() + FocalLoss()])
def test_a_built_in_loss_does_not_look_at_codes_again(
    monkeypatch: pytest.MonkeyPatch, loss: object
) -> None:
    assert looks(monkeypatch, loss) == []


@pytest.mark.parametrize("loss", [Recall(), DiceLoss() + Recall()])
def test_an_own_loss_looks_at_its_target(monkeypatch: pytest.MonkeyPatch, loss: object) -> None:
    assert looks(monkeypatch, loss) != []


def test_a_loss_within_an_own_loss_refuses_what_it_does_not_ignore() -> None:
    def own(z: Tensor, t: Tensor) -> Tensor:
        loss: Tensor = DiceLoss()(z, t)
        return loss

    with pytest.raises(ValueError, match="is 255.0 in a target"):
        Criterion(own, masks=True)(Z, CODES * 255)


def test_a_target_that_holds_no_codes_is_looked_at() -> None:
    with pytest.raises(ValueError, match="is 2.0 in a target"):
        Criterion(DiceLoss(), masks=True)(Z, CODES * 2.0)


def test_the_loss_is_that_of_the_masks() -> None:
    expected = DiceLoss()(Z, CODES.unsqueeze(1).float())
    assert torch.equal(Criterion(DiceLoss(), masks=True)(Z, CODES), expected)
