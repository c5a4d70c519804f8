"""The notebook that losses are taught with runs on this library unchanged."""

from __future__ import annotations

import torch
from torch import nn

SETUP = "from sklearnloss.losses import *"

CELLS = [
    """
criterion = DiceLoss()          # or FocalLoss(), TverskyLoss()
loss = criterion(outputs, masks)

# for U-Net / binary segmentation
criterion = CustomBCEWithLogitsLoss()
loss = criterion(pred_logits, target_masks)
""",
    """
criterion = LabelSmoothingCrossEntropy(eps=0.05)
loss = criterion(logits, labels)
loss.backward()

# for ResNet / multi-class classification
criterion = CustomCrossEntropyLoss()
loss = criterion(pred_logits, target_labels)
""",
    """
FocalLossMC(2.0, None, "mean")(logits, labels)
FocalLossMC(2.0, torch.ones(10), "sum")(logits, labels)
FocalLoss(2.0, 0.25, "mean")(outputs, masks)
TverskyLoss(0.3, 0.7, 1e-6)(outputs, masks)
MultiClassHingeLoss("mean")(logits, labels)
LabelSmoothingCrossEntropy(0.1, "none")(logits, labels)
""",
]


def test_example_cells_run() -> None:
    masks = (torch.rand(2, 1, 8, 8) > 0.5).float()
    scope: dict[str, object] = {
        "torch": torch,
        "nn": nn,
        "outputs": torch.randn(2, 1, 8, 8, requires_grad=True),
        "masks": masks,
    }
    exec(SETUP, scope)
    scope["pred_logits"], scope["target_masks"] = scope["outputs"], masks
    exec(CELLS[0], scope)
    assert scope["loss"].isfinite()  # type: ignore[attr-defined]
    scope["logits"] = torch.randn(4, 10, requires_grad=True)
    scope["labels"] = torch.tensor([0, 3, 9, 1])
    scope["pred_logits"], scope["target_labels"] = scope["logits"], scope["labels"]
    for cell in CELLS[1:]:
        exec(cell, scope)
    assert scope["logits"].grad.isfinite().all()  # type: ignore[attr-defined]


def test_taught_names_are_the_same_objects() -> None:
    from sklearnloss import losses

    assert losses.CustomBCEWithLogitsLoss is losses.BCEWithLogitsLoss
    assert losses.CustomCrossEntropyLoss is losses.CrossEntropyLoss
    assert losses.FocalLossMC is losses.FocalLoss
    assert losses.__all__ == sorted(losses.__all__)
    assert set(losses.__all__) <= set(dir(losses))


def test_every_wrong_answer_of_the_notebook_is_right_here() -> None:
    from sklearnloss.losses import BCEWithLogitsLoss, DiceLoss, FocalLoss, FocalLossMC

    z = torch.tensor([[-100.0]], requires_grad=True)
    FocalLoss()(z, torch.ones(1, 1)).backward()
    assert z.grad is not None
    assert z.grad.item() == -0.25  # was 0: a clamp cut it off
    z = torch.tensor([[20.0, 0.0]], requires_grad=True)
    FocalLossMC(gamma=0.5, alpha=0.3)(z, torch.tensor([0])).backward()
    assert z.grad is not None
    assert z.grad.isfinite().all()  # was nan, if an instance could be made at all
    z = torch.zeros(1, 1, requires_grad=True)
    BCEWithLogitsLoss()(z, torch.ones(1, 1)).backward()
    assert z.grad is not None
    assert z.grad.item() == -0.5  # was 0
    volume = torch.randn(2, 1, 4, 4, 4)
    target = (torch.rand(2, 1, 4, 4, 4) > 0.5).float()
    flat = DiceLoss()(volume.flatten(2), target.flatten(2))
    torch.testing.assert_close(DiceLoss()(volume, target), flat)  # was Dice per column
