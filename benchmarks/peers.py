"""What other libraries have in the place of our losses, where they can be imported."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

Call = Callable[[Tensor, Tensor], Tensor]
# Region losses that exacta has in both forms.
EXACTA = {
    "dice": "DiceLoss",
    "tversky": "TverskyLoss",
    "focal_tversky": "FocalTverskyLoss",
    "generalized_dice": "GeneralizedDiceLoss",
}


def peers_of(name: str, n_channels: int) -> dict[str, Call]:
    """Return the contenders of a loss for masks (one channel) or class indices."""
    table = binary_peers() if n_channels == 1 else multiclass_peers()
    return table.get(name, {})


@functools.cache
def binary_peers() -> dict[str, dict[str, Call]]:
    """Return losses of masks (n, 1, H, W) by our name and theirs."""
    table: dict[str, dict[str, Call]] = {"bce": {"torch": F.binary_cross_entropy_with_logits}}
    if monai := load("monai.losses"):
        sigmoid = {"sigmoid": True}
        add(table, "monai", "focal", monai.FocalLoss(gamma=2.0, alpha=0.25))
        add(table, "monai", "dice", monai.DiceLoss(**sigmoid))
        add(table, "monai", "jaccard", monai.DiceLoss(jaccard=True, **sigmoid))
        add(table, "monai", "tversky", monai.TverskyLoss(**sigmoid))
        add(table, "monai", "generalized_dice", monai.GeneralizedDiceLoss(**sigmoid))
        add(table, "monai", "mcc", monai.MCCLoss(**sigmoid))
        add(table, "monai", "hausdorff", monai.HausdorffDTLoss(**sigmoid))
        skeletons = monai.SoftclDiceLoss()
        add(table, "monai", "cl_dice", lambda z, t: skeletons(t, z.sigmoid()))
    if exacta := load("exacta.losses"):
        for ours, theirs in EXACTA.items():
            loss = getattr(exacta, theirs)(activation="sigmoid", target_format="one-hot")
            add(table, "exacta", ours, loss)
        focal = exacta.FocalLoss(activation="sigmoid", target_format="one-hot", alpha=0.25)
        add(table, "exacta", "focal", focal)
    if kornia := load("kornia.losses"):
        focal = kornia.BinaryFocalLossWithLogits(alpha=0.25, gamma=2.0, reduction="mean")
        add(table, "kornia", "focal", focal)
    if torchvision := load("torchvision.ops"):
        focal = functools.partial(torchvision.sigmoid_focal_loss, reduction="mean")
        add(table, "torchvision", "focal", focal)
    if smp := load("segmentation_models_pytorch.losses"):
        add(table, "smp", "bce", smp.SoftBCEWithLogitsLoss())
        add(table, "smp", "focal", smp.FocalLoss("binary", alpha=0.25))
        add(table, "smp", "dice", smp.DiceLoss("binary"))
        add(table, "smp", "jaccard", smp.JaccardLoss("binary"))
        add(table, "smp", "tversky", smp.TverskyLoss("binary"))
        add(table, "smp", "focal_tversky", smp.TverskyLoss("binary", gamma=0.75))
        add(table, "smp", "lovasz_hinge", smp.LovaszLoss("binary"))
    if timm := load("timm.loss"):
        add(table, "timm", "bce", timm.BinaryCrossEntropy(smoothing=0.0))
        add(table, "timm", "asymmetric", timm.AsymmetricLossMultiLabel())
    return table


@functools.cache
def multiclass_peers() -> dict[str, dict[str, Call]]:
    """Return losses of class indices (n, H, W) by our name and theirs."""
    table: dict[str, dict[str, Call]] = {
        "cross_entropy": {"torch": F.cross_entropy},
        "label_smoothing": {"torch": functools.partial(F.cross_entropy, label_smoothing=0.1)},
        "weston_watkins": {"torch": multi_margin},
        "brier": {"torch": squared_error},
    }
    if monai := load("monai.losses"):
        softmax = {"softmax": True, "to_onehot_y": True}
        focal = monai.FocalLoss(gamma=2.0, use_softmax=True, to_onehot_y=True)
        add(table, "monai", "focal", with_channel(focal))
        add(table, "monai", "dice", with_channel(monai.DiceLoss(**softmax)))
        add(table, "monai", "jaccard", with_channel(monai.DiceLoss(jaccard=True, **softmax)))
        add(table, "monai", "tversky", with_channel(monai.TverskyLoss(**softmax)))
        generalized = monai.GeneralizedDiceLoss(**softmax)
        add(table, "monai", "generalized_dice", with_channel(generalized))
        add(table, "monai", "mcc", with_channel(monai.MCCLoss(**softmax)))
    if exacta := load("exacta.losses"):
        for ours, theirs in EXACTA.items():
            add(table, "exacta", ours, getattr(exacta, theirs)())
        add(table, "exacta", "focal", exacta.FocalLoss())
        add(table, "exacta", "lovasz_softmax", exacta.LovaszSoftmaxLoss())
    if kornia := load("kornia.losses"):
        add(table, "kornia", "focal", kornia.FocalLoss(alpha=None, gamma=2.0, reduction="mean"))
        add(table, "kornia", "dice", kornia.DiceLoss(average="macro"))
        add(table, "kornia pooled", "dice", kornia.DiceLoss(average="micro"))
        add(table, "kornia", "tversky", kornia.TverskyLoss(alpha=0.5, beta=0.5))
        add(table, "kornia", "lovasz_softmax", kornia.LovaszSoftmaxLoss())
    if smp := load("segmentation_models_pytorch.losses"):
        add(table, "smp", "cross_entropy", smp.SoftCrossEntropyLoss(smooth_factor=0.0))
        add(table, "smp", "label_smoothing", smp.SoftCrossEntropyLoss(smooth_factor=0.1))
        add(table, "smp", "focal", smp.FocalLoss("multiclass"))
        add(table, "smp", "dice", smp.DiceLoss("multiclass"))
        add(table, "smp", "jaccard", smp.JaccardLoss("multiclass"))
        add(table, "smp", "tversky", smp.TverskyLoss("multiclass"))
        add(table, "smp", "focal_tversky", smp.TverskyLoss("multiclass", gamma=0.75))
        add(table, "smp", "lovasz_softmax", smp.LovaszLoss("multiclass"))
    return table


def add(table: dict[str, dict[str, Call]], library: str, name: str, call: Call) -> None:
    """Enter a contender."""
    table.setdefault(name, {})[library] = call


def with_channel(call: Call) -> Call:
    """Give class indices the channel axis that MONAI wants."""
    return lambda logits, target: call(logits, target.unsqueeze(1))


def multi_margin(logits: Tensor, target: Tensor) -> Tensor:
    """Return torch's hinge, which takes a table of scores."""
    scores = logits.movedim(1, -1).flatten(0, -2)
    return F.multi_margin_loss(scores, target.flatten())


def squared_error(logits: Tensor, target: Tensor) -> Tensor:
    """Return the Brier score as one would write it by hand."""
    one_hot = F.one_hot(target, logits.shape[1]).movedim(-1, 1)
    return (logits.softmax(1) - one_hot).square().sum(1).mean()


@functools.cache
def load(module: str) -> Any:
    """Return a module, None if it cannot be imported for whatever reason."""
    define_missing_operators()
    try:
        return importlib.import_module(module)
    except Exception as error:
        print(f"{module} is left out: {error}")
        return None


@functools.cache
def define_missing_operators() -> torch.library.Library | None:
    """Declare what torchvision registers fakes for, where its binary does not load."""
    try:
        importlib.import_module("torchvision")
        return None
    except Exception:  # its operators are missing
        pass
    library = torch.library.Library("torchvision", "FRAGMENT")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library
