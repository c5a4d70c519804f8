"""Other libraries' losses, where they mean the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from sklearnloss.losses import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    DiceLoss,
    FocalLoss,
    GeneralizedDiceLoss,
    HausdorffDTLoss,
    JaccardLoss,
    LovaszHingeLoss,
    LovaszSoftmaxLoss,
    MCCLoss,
    SoftClDiceLoss,
    TverskyLoss,
    UnifiedFocalLoss,
)

from .cases import binary, multiclass, volume

monai = pytest.importorskip("monai.losses")
EPS = {"smooth_nr": 1e-3, "smooth_dr": 1e-3}
BINARY = {"sigmoid": True}
MULTI = {"softmax": True, "to_onehot_y": True}

MONAI: list[tuple[Any, Any, dict[str, Any]]] = [
    (DiceLoss(1e-3), monai.DiceLoss, EPS),
    (DiceLoss(1e-3, squared=True), monai.DiceLoss, {**EPS, "squared_pred": True}),
    (DiceLoss(1e-3, batch=True), monai.DiceLoss, {**EPS, "batch": True}),
    (
        DiceLoss(1e-3, include_background=False),
        monai.DiceLoss,
        {**EPS, "include_background": False},
    ),
    (JaccardLoss(1e-3), monai.DiceLoss, {**EPS, "jaccard": True}),
    (TverskyLoss(0.3, 0.7, 1e-3), monai.TverskyLoss, {**EPS, "alpha": 0.3, "beta": 0.7}),
    (MCCLoss(1e-12), monai.MCCLoss, {"smooth_dr": 0.0}),
]


@pytest.mark.parametrize(("ours", "theirs", "params"), MONAI)
def test_monai_on_binary_masks(ours: Any, theirs: Any, params: dict[str, Any]) -> None:
    if params.get("include_background") is False:
        pytest.skip("warns for one channel")
    if params.get("jaccard"):
        params = {**params, "smooth_nr": 5e-4, "smooth_dr": 1e-3}
        ours = JaccardLoss(5e-4)
        theirs_loss = theirs(**BINARY, **params)
        torch.testing.assert_close(ours(*binary()), theirs_loss(*binary()), rtol=1e-3, atol=0)
        return
    torch.testing.assert_close(ours(*binary()), theirs(**BINARY, **params)(*binary()))


@pytest.mark.parametrize(("ours", "theirs", "params"), MONAI)
@pytest.mark.parametrize("case", [multiclass, volume])
def test_monai_on_classes(ours: Any, theirs: Any, params: dict[str, Any], case: Any) -> None:
    z, t = case()
    if params.get("jaccard"):
        pytest.skip("places its smoothing elsewhere")
    torch.testing.assert_close(ours(z, t), theirs(**MULTI, **params)(z, t.unsqueeze(1)))


def test_monai_generalised_dice() -> None:
    z, t = multiclass()
    for weight_type in ("square", "simple", "uniform"):
        theirs = monai.GeneralizedDiceLoss(**MULTI, **EPS, w_type=weight_type)
        ours = GeneralizedDiceLoss(weight_type, 1e-3)
        torch.testing.assert_close(ours(z, t), theirs(z, t.unsqueeze(1)), rtol=1e-6, atol=1e-8)


def test_monai_focal() -> None:
    theirs = monai.FocalLoss(gamma=2.0, alpha=0.25)
    value = FocalLoss(2.0, 0.25)(*binary())
    torch.testing.assert_close(value.float(), theirs(*binary()))


def test_monai_hausdorff() -> None:
    theirs = monai.HausdorffDTLoss(alpha=2.0, sigmoid=True, include_background=True)
    torch.testing.assert_close(HausdorffDTLoss(2.0)(*binary()), theirs(*binary()))
    z, t = multiclass()
    theirs = monai.HausdorffDTLoss(alpha=1.0, include_background=True, **MULTI)
    torch.testing.assert_close(HausdorffDTLoss(1.0)(z, t), theirs(z, t.unsqueeze(1)))


def test_monai_centre_line_dice() -> None:
    z, t = binary()
    theirs = monai.SoftclDiceLoss(iter_=4, smooth_nr=0.1, smooth_dr=0.1, smooth=1e-12, sigmoid=True)
    torch.testing.assert_close(SoftClDiceLoss(4, 0.1)(z, t), theirs(z, t))


def test_monai_unified_focal_on_probabilities() -> None:
    z, t = binary()
    theirs = monai.AsymmetricUnifiedFocalLoss(weight=0.4, gamma=0.3, delta=0.6)
    ours = UnifiedFocalLoss(0.4, 0.6, 0.3, 1e-7, reduction="mean")
    torch.testing.assert_close(ours(z, t), theirs(z.sigmoid(), t), rtol=1e-5, atol=1e-7)


def test_monai_on_classes_pools_and_weighs_alike() -> None:
    z, t = multiclass()
    y = t.unsqueeze(1)
    weight = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    # Its weights multiply the classes before a plain mean.
    weighted = monai.DiceLoss(**MULTI, **EPS, weight=weight)(z, y) * 4 / weight.sum()
    torch.testing.assert_close(DiceLoss(1e-3, class_weight=weight)(z, t), weighted)
    pairs: list[tuple[Any, Any]] = [
        (GeneralizedDiceLoss(eps=1e-3, batch=True), monai.GeneralizedDiceLoss(**EPS, batch=True)),
        (
            TverskyLoss(0.3, 0.7, 1e-3, batch=True),
            monai.TverskyLoss(alpha=0.3, beta=0.7, **EPS, batch=True),
        ),
        (HausdorffDTLoss(batch=True), monai.HausdorffDTLoss(include_background=True, batch=True)),
    ]
    for ours, theirs in pairs:
        theirs.softmax = theirs.to_onehot_y = True
        torch.testing.assert_close(ours(z, t), theirs(z, y), rtol=1e-6, atol=1e-8)


def test_monai_sums() -> None:
    z, t = binary()
    theirs = monai.DiceCELoss(sigmoid=True, lambda_ce=0.3)
    torch.testing.assert_close((DiceLoss(1e-5) + 0.3 * BCEWithLogitsLoss())(z, t), theirs(z, t))
    theirs = monai.DiceFocalLoss(sigmoid=True, lambda_focal=0.5)
    ours = DiceLoss(1e-5) + 0.5 * FocalLoss(2.0, None)
    torch.testing.assert_close(ours(z, t).float(), theirs(z, t).float())
    z, t = multiclass()
    ours = DiceLoss(1e-5) + CrossEntropyLoss(class_weight=[1.0, 2.0, 3.0, 4.0])
    weight = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    cross_entropy = nn.functional.cross_entropy(z, t, weight)
    dice = monai.DiceLoss(**MULTI)(z, t.unsqueeze(1))
    torch.testing.assert_close(ours(z, t), dice + cross_entropy)


def test_kornia_on_classes() -> None:
    kornia = pytest.importorskip("kornia.losses")
    z, t = multiclass()
    pairs = [
        (TverskyLoss(0.3, 0.7, 0.0), kornia.tversky_loss(z, t, 0.3, 0.7, 1e-12)),
        (LovaszSoftmaxLoss(), kornia.lovasz_softmax_loss(z, t)),
        # It averages over the classes as well, of which but one is not 0.
        (FocalLoss(1.5, None), 4 * kornia.focal_loss(z, t, None, 1.5, reduction="mean")),
    ]
    for ours, expected in pairs:
        torch.testing.assert_close(ours(z, t), expected)


def test_torch_on_several_labels_at_once() -> None:
    z = multiclass().logits
    t = (z.flip(0) > 0).double()
    flat_z, flat_t = (each.movedim(1, -1).reshape(-1, 4) for each in (z, t))
    expected = nn.functional.multilabel_soft_margin_loss(flat_z, flat_t)
    torch.testing.assert_close(BCEWithLogitsLoss()(z, t), expected)


def test_kornia_where_it_means_the_same() -> None:
    kornia = pytest.importorskip("kornia.losses")
    z, t = multiclass()
    z1, t1 = binary()
    torch.testing.assert_close(
        DiceLoss(1e-8)(z, t), kornia.dice_loss(z, t, average="macro", eps=1e-8)
    )
    torch.testing.assert_close(
        FocalLoss(2.0, 0.25)(*binary()),
        kornia.binary_focal_loss_with_logits(*binary(), alpha=0.25, gamma=2.0, reduction="mean"),
    )
    torch.testing.assert_close(
        LovaszHingeLoss()(*binary()), kornia.lovasz_hinge_loss(z1, t1.squeeze(1))
    )
