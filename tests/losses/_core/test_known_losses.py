"""Losses of known libraries: the targets that they are given, and which are refused."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklearnloss.losses import BCEWithLogitsLoss, CrossEntropyLoss, DiceLoss, FocalLoss

from ...optional import import_or_skip
from ..cases import binary, multiclass, two_classes, whole_images
from ..foreign import accept, form_of, value_of

REPEATS = torch.tensor([0, 1, 3])


@pytest.mark.parametrize(
    "loss",
    [
        nn.BCEWithLogitsLoss(),
        nn.MultiLabelSoftMarginLoss(),
        F.binary_cross_entropy_with_logits,
        functools.partial(F.multilabel_soft_margin_loss, reduction="mean"),
    ],
)
@pytest.mark.parametrize("case", [binary, multiclass, whole_images, two_classes])
def test_torch_s_losses_of_masks_read_a_mask_per_class(loss: Any, case: Any) -> None:
    z, t = case()
    torch.testing.assert_close(value_of(loss, z, t), BCEWithLogitsLoss()(z, t))


@pytest.mark.parametrize("case", [multiclass, whole_images])
def test_regressions_read_a_mask_per_class(case: Any) -> None:
    z, t = case()
    masks = F.one_hot(t, 4).movedim(-1, 1).double()
    for loss in (nn.MSELoss(), F.mse_loss):
        assert form_of(loss) == "softmax"  # the largest score wins
        torch.testing.assert_close(value_of(loss, z, t), (z - masks).square().mean())


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (nn.NLLLoss(), "probabilities.*Use nn.CrossEntropyLoss or 'cross_entropy'"),
        (nn.BCELoss, "probabilities.*Use nn.BCEWithLogitsLoss or 'bce'"),
        (F.binary_cross_entropy, "probabilities.*Use F.binary_cross_entropy_with_logits or 'bce'"),
        (functools.partial(F.nll_loss, ignore_index=255), "Use F.cross_entropy or 'cross_entropy'"),
        (nn.KLDivLoss(), "probabilities.*Use 'cross_entropy'"),
        (nn.CosineSimilarity(), "is a similarity.*Use 'dice'"),
        (nn.PairwiseDistance(), "is a distance along the last axis"),
        (nn.SoftMarginLoss(), "targets of -1 and 1.*Use 'bce'"),
        (F.hinge_embedding_loss, "targets of -1 and 1.*Use 'hinge'"),
        (nn.PoissonNLLLoss(), "counts, not for classes.*Use 'cross_entropy'"),
        (nn.MultiLabelMarginLoss(), "expects lists of labels.*Use 'hinge'"),
    ],
)
def test_losses_that_read_something_else_are_refused(loss: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        accept(loss)


def compiled(loss: nn.Module) -> Any:
    return torch.compile(loss, backend="eager")


@pytest.mark.parametrize("wrap", [functools.partial, lambda loss: loss.forward, compiled])
def test_a_wrapped_module_is_recognized(wrap: Any) -> None:
    z, t = multiclass()
    cross_entropy = wrap(nn.CrossEntropyLoss())
    assert form_of(cross_entropy) == "softmax"
    torch.testing.assert_close(value_of(cross_entropy, z, t), CrossEntropyLoss()(z, t))
    ignored = torch.full_like(t, -100)
    assert value_of(cross_entropy, z, ignored) == 0
    bce = wrap(nn.BCEWithLogitsLoss())
    torch.testing.assert_close(value_of(bce, z, t), BCEWithLogitsLoss()(z, t))
    with pytest.raises(ValueError, match="NLLLoss expects probabilities"):
        accept(wrap(nn.NLLLoss()))


def test_another_method_of_a_module_is_a_loss_of_its_own() -> None:
    class Own(nn.CrossEntropyLoss):
        def doubled(self, z: Tensor, t: Tensor) -> Tensor:
            return 2 * F.cross_entropy(z, t)

    z, t = multiclass()
    torch.testing.assert_close(value_of(Own().doubled, z, t), 2 * CrossEntropyLoss()(z, t))


def test_a_sub_class_with_a_formula_of_its_own_is_not_refused() -> None:
    class OfScores(nn.NLLLoss):
        def forward(self, z: Tensor, t: Tensor) -> Tensor:
            return super().forward(z.log_softmax(1), t)

    accept(OfScores())
    accept(nn.BCEWithLogitsLoss())
    z, t = whole_images()
    torch.testing.assert_close(value_of(OfScores(), z, t), CrossEntropyLoss()(z, t))

    class OneHot(nn.BCEWithLogitsLoss):
        def forward(self, z: Tensor, t: Tensor) -> Tensor:
            return super().forward(z, F.one_hot(t, 4).double())

    torch.testing.assert_close(value_of(OneHot(), z, t), BCEWithLogitsLoss()(z, t))


class TestMonai:
    monai = pytest.importorskip("monai.losses")

    @pytest.mark.parametrize(
        "name",
        [
            "BoundaryLoss",
            "DiceCELoss",
            "DiceFocalLoss",
            "DiceLoss",
            "GeneralizedDiceFocalLoss",
            "GeneralizedDiceLoss",
            "HausdorffDTLoss",
            "LogHausdorffDTLoss",
            "MCCLoss",
            "MaskedDiceLoss",
            "SoftDiceclDiceLoss",
            "SoftclDiceLoss",
            "TverskyLoss",
        ],
    )
    def test_an_activation_is_required(self, name: str) -> None:
        cls = getattr(self.monai, name)
        message = rf"{name} expects probabilities.* are off. Use {name}\(sigmoid=True\) for masks"
        with pytest.raises(ValueError, match=message):
            accept(cls())
        for switch in ({"sigmoid": True}, {"softmax": True}, {"other_act": torch.sigmoid}):
            accept(cls(**switch))
        assert form_of(cls(sigmoid=True)) == "sigmoid"
        assert form_of(cls(softmax=True)) == "softmax"

    def test_a_part_without_an_activation_is_named(self) -> None:
        loss = self.monai.DeepSupervisionLoss(self.monai.DiceLoss())
        with pytest.raises(ValueError, match=r"Use DiceLoss\(sigmoid=True\)"):
            accept(loss)
        with pytest.raises(ValueError, match="AsymmetricUnifiedFocalLoss expects probabilities"):
            accept(self.monai.AsymmetricUnifiedFocalLoss())

    def test_a_module_that_gives_it_probabilities_is_not_refused(self) -> None:
        dice = self.monai.DiceLoss()

        class OfScores(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.dice = dice

            def forward(self, z: Tensor, t: Tensor) -> Tensor:
                value: Tensor = self.dice(z.sigmoid(), t)
                return value

        accept(OfScores())

    @pytest.mark.parametrize("to_onehot_y", [True, False])
    @pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
    def test_it_is_given_the_format_it_asks_for(self, activation: str, to_onehot_y: bool) -> None:
        z, t = multiclass()
        settings = {activation: True, "to_onehot_y": to_onehot_y}
        p = z.sigmoid() if activation == "sigmoid" else z.softmax(1)
        masks = F.one_hot(t, 4).movedim(-1, 1)
        tp, total = (p * masks).sum((2, 3)), (p + masks).sum((2, 3))
        loss = self.monai.DiceLoss(**settings, smooth_nr=0, smooth_dr=0)
        torch.testing.assert_close(value_of(loss, z, t), (1 - 2 * tp / total).mean())
        together = value_of(self.monai.DiceCELoss(**settings, lambda_dice=0), z, t)
        torch.testing.assert_close(together, CrossEntropyLoss()(z, t))

    def test_focal_losses_have_the_form_of_their_switch(self) -> None:
        focal = self.monai.FocalLoss
        z, t = multiclass()
        assert form_of(focal(use_softmax=True)) == "softmax"
        assert form_of(focal()) == "sigmoid"
        masks = F.one_hot(t, 4).movedim(-1, 1).double()
        for switch in (True, False):
            value = value_of(focal(to_onehot_y=switch), z, t)
            expected = FocalLoss(alpha=None)(z, masks)
            torch.testing.assert_close(value, expected, check_dtype=False)

    def test_binary_masks_stay_as_they_are(self) -> None:
        z, t = binary()
        loss = self.monai.DiceLoss(sigmoid=True, smooth_nr=1e-6, smooth_dr=1e-6)
        torch.testing.assert_close(value_of(loss, z, t), DiceLoss()(z, t))


def test_kornia_reads_masks_and_binary_masks_without_a_channel() -> None:
    kornia = pytest.importorskip("kornia.losses")
    z, t = multiclass()
    masks = F.one_hot(t, 4).movedim(-1, 1).double()
    loss = kornia.BinaryFocalLossWithLogits(alpha=0.25, reduction="mean")
    torch.testing.assert_close(value_of(loss, z, t), FocalLoss()(z, masks))
    z, t = binary()
    expected = kornia.lovasz_hinge_loss(z, t.squeeze(1))
    torch.testing.assert_close(value_of(kornia.LovaszHingeLoss(), z, t), expected)
    with pytest.raises(ValueError, match=r"SSIMLoss expects probabilities.*logits.sigmoid\(\)"):
        accept(kornia.SSIMLoss(5))


class TestTimm:
    """Its losses look for the classes on the last axis."""

    @pytest.fixture
    def timm(self) -> Any:
        return import_or_skip("timm.loss")

    @pytest.mark.parametrize("case", [multiclass, whole_images])
    def test_pixels_are_samples(self, timm: Any, case: Any) -> None:
        z, t = case()
        for loss in (timm.LabelSmoothingCrossEntropy(0.0), timm.SoftTargetCrossEntropy()):
            assert form_of(loss) == "softmax"
            torch.testing.assert_close(value_of(loss, z, t), CrossEntropyLoss()(z, t))

    def test_values_of_pixels_are_weighted_by_their_sample(self, timm: Any) -> None:
        z, t = multiclass()
        loss = timm.PolyBinaryCrossEntropy(epsilon=0.0)
        expected = BCEWithLogitsLoss()(z, t, REPEATS)
        value = value_of(loss, z, t, REPEATS)
        torch.testing.assert_close(value.double(), expected, rtol=1e-5, atol=1e-6)


class TestSegmentationModels:
    @pytest.fixture
    def smp(self) -> Any:
        return import_or_skip("segmentation_models_pytorch.losses")

    @pytest.mark.parametrize(
        ("mode", "form"),
        [("binary", "sigmoid"), ("multilabel", "sigmoid"), ("multiclass", "softmax")],
    )
    def test_the_form_is_that_of_its_mode(self, smp: Any, mode: str, form: str) -> None:
        assert form_of(smp.DiceLoss(mode)) == form
        with pytest.raises(ValueError, match="because its from_logits is False"):
            accept(smp.DiceLoss(mode, from_logits=False))

    def test_modes_read_what_they_need(self, smp: Any) -> None:
        z, t = multiclass()
        values = [value_of(smp.DiceLoss(mode), z, t) for mode in ("multilabel", "multiclass")]
        masks = F.one_hot(t, 4).movedim(-1, 1).double()
        expected = [DiceLoss(batch=True)(z, masks), DiceLoss(batch=True)(z, t)]
        torch.testing.assert_close(values, expected)


def test_the_focal_loss_of_torchvision_reads_a_mask_per_class() -> None:
    sigmoid_focal_loss = import_or_skip("torchvision.ops").sigmoid_focal_loss
    z, t = multiclass()
    assert form_of(sigmoid_focal_loss) == "sigmoid"
    masks = F.one_hot(t, 4).movedim(-1, 1).double()
    value = value_of(sigmoid_focal_loss, z, t, torch.ones(3))
    torch.testing.assert_close(value, FocalLoss()(z, masks))
