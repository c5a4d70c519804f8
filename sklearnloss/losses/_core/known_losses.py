"""The targets and activations that losses of torch, kornia, MONAI, timm and others expect."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeVar

from torch import nn

from .base import Form

T = TypeVar("T")
TargetFormat = Literal["indices", "masks", "channel", "no channel"]


class Reading(NamedTuple):
    """The input that a loss expects.

    Attributes
    ----------
    form : {"any", "sigmoid", "softmax"}
        Its form, see :class:`Loss`.
    target : {"indices", "masks", "channel", "no channel"}
        The format of the target: class indices as they are, (n, *spatial), as a mask
        per class (n, C, *spatial) or with a channel axis (n, 1, *spatial); or binary
        masks without a channel axis.
    channels_last : bool
        Whether it expects the classes on the last axis, with pixels as samples.
    """

    form: Form = "any"
    target: TargetFormat = "indices"
    channels_last: bool = False


def _all(names: str, value: T) -> dict[str, T]:
    """Map every one of these names to the same value."""
    return dict.fromkeys(names.split(), value)


_INDICES = Reading("softmax")
_ONE_HOT = Reading("softmax", "masks")
_MASKS = Reading("sigmoid", "masks")
# A regression on masks predicts the class of the largest score, so it needs one per class.
_READINGS: dict[str, dict[str, Reading]] = {
    "torch": {
        **_all("CrossEntropyLoss MultiMarginLoss cross_entropy multi_margin_loss", _INDICES),
        **_all("BCEWithLogitsLoss MultiLabelSoftMarginLoss", _MASKS),
        **_all("binary_cross_entropy_with_logits multilabel_soft_margin_loss", _MASKS),
        **_all("MSELoss L1Loss SmoothL1Loss HuberLoss", _ONE_HOT),
        **_all("mse_loss l1_loss smooth_l1_loss huber_loss", _ONE_HOT),
    },
    "kornia": {
        **_all("DiceLoss FocalLoss LovaszSoftmaxLoss TverskyLoss", _INDICES),
        **_all("dice_loss focal_loss lovasz_softmax_loss tversky_loss", _INDICES),
        **_all("BinaryFocalLossWithLogits binary_focal_loss_with_logits", _MASKS),
        **_all("LovaszHingeLoss lovasz_hinge_loss", Reading("sigmoid", "no channel")),
        **_all("CauchyLoss CharbonnierLoss GemanMcclureLoss WelschLoss", _ONE_HOT),
        **_all("cauchy_loss charbonnier_loss geman_mcclure_loss welsch_loss", _ONE_HOT),
    },
    "timm": {
        **_all(
            "AsymmetricLossSingleLabel JsdCrossEntropy LabelSmoothingCrossEntropy PolyCrossEntropy",
            Reading("softmax", channels_last=True),
        ),
        "SoftTargetCrossEntropy": Reading("softmax", "masks", channels_last=True),
        "BinaryCrossEntropy": Reading("sigmoid", channels_last=True),
        **_all(
            "AsymmetricLossMultiLabel DistributionBalancedLoss PolyBinaryCrossEntropy TwoWayLoss "
            "ZlprLoss",
            Reading("sigmoid", "masks", channels_last=True),
        ),
    },
    "torchvision": {"sigmoid_focal_loss": _MASKS},
    "monai": _all("GeneralizedWassersteinDiceLoss NACLLoss", _INDICES),
    "segmentation_models_pytorch": {
        "SoftBCEWithLogitsLoss": _MASKS,
        "SoftCrossEntropyLoss": _INDICES,
    },
}
# By the attribute ``mode`` of segmentation_models_pytorch.
_MODES = {"binary": _MASKS, "multilabel": _MASKS, "multiclass": _INDICES}
_WITH_MODES = ("segmentation_models_pytorch", "pytorch_toolbelt")

_PROBABILITIES = "expects probabilities, but losses receive raw scores (logits)"
_WRAPPED = (_PROBABILITIES, "a function that calls it with logits.sigmoid()")
_SIGNS = "expects targets of -1 and 1, but losses receive 0 and 1, or class indices"
_COUNTS = "is for counts, not for classes"
_REFUSED: dict[str, dict[str, tuple[str, str]]] = {
    "torch": {
        "NLLLoss": (_PROBABILITIES, "nn.CrossEntropyLoss or 'cross_entropy'"),
        "nll_loss": (_PROBABILITIES, "F.cross_entropy or 'cross_entropy'"),
        "BCELoss": (_PROBABILITIES, "nn.BCEWithLogitsLoss or 'bce'"),
        "binary_cross_entropy": (_PROBABILITIES, "F.binary_cross_entropy_with_logits or 'bce'"),
        "CosineSimilarity": ("is a similarity, which grows with better scores", "'dice'"),
        "PairwiseDistance": ("is a distance along the last axis of images", "nn.MSELoss"),
        **_all(
            "KLDivLoss kl_div", (_PROBABILITIES, "'cross_entropy', which is equal to it for labels")
        ),
        **_all(
            "SoftMarginLoss soft_margin_loss",
            (_SIGNS, "'bce', the same loss for targets of 0 and 1"),
        ),
        **_all("HingeEmbeddingLoss hinge_embedding_loss", (_SIGNS, "'hinge' or 'lovasz_hinge'")),
        **_all(
            "MultiLabelMarginLoss multilabel_margin_loss",
            ("expects lists of labels", "'hinge' or 'weston_watkins'"),
        ),
        **_all("PoissonNLLLoss poisson_nll_loss", (_COUNTS, "'cross_entropy' or 'bce'")),
    },
    "kornia": {
        **_all("HausdorffERLoss HausdorffERLoss3D", (_PROBABILITIES, "'hausdorff'")),
        **_all("js_div_loss_2d kl_div_loss_2d", (_PROBABILITIES, "'cross_entropy' or 'bce'")),
        **_all("MS_SSIMLoss PSNRLoss SSIM3DLoss SSIMLoss", _WRAPPED),
        **_all("psnr_loss ssim3d_loss ssim_loss", _WRAPPED),
    },
    "monai": {
        **_all(
            "AsymmetricFocalLoss AsymmetricFocalTverskyLoss AsymmetricUnifiedFocalLoss",
            (_PROBABILITIES, "'unified_focal'"),
        ),
        "AUCMLoss": ("is a min-max problem, which needs an optimizer of its own", "'focal'"),
        **_all(
            "GlobalMutualInformationLoss LocalNormalizedCrossCorrelationLoss SSIMLoss", _WRAPPED
        ),
    },
    "segmentation_models_pytorch": {"MCCLoss": (_PROBABILITIES, "'mcc'")},
}


def bare(loss: Any) -> Any:
    """Unwrap a partial, a compiled module or function, or a module's forward."""
    while True:
        if isinstance(loss, functools.partial):
            loss = loss.func
        elif isinstance(getattr(loss, "_orig_mod", None), nn.Module):
            loss = loss._orig_mod
        elif hasattr(loss, "_torchdynamo_orig_callable"):
            loss = loss._torchdynamo_orig_callable
        elif isinstance(getattr(loss, "__self__", None), nn.Module) and loss.__name__ == "forward":
            loss = loss.__self__
        else:
            return loss


def known_reading(loss: Any) -> Reading | None:
    """Return the input that a loss of a known library expects, None for any other.

    A subclass with its own formula is a different loss, but if classes compete in its
    base class, they do so in the subclass.
    """
    loss = bare(loss)
    package, name = _formula_origin(loss)
    if name in _READINGS.get(package, {}):
        return _READINGS[package][name]
    if package in _WITH_MODES and getattr(loss, "mode", None) in _MODES:
        return _MODES[loss.mode]
    if package == "monai" and isinstance(loss, nn.Module):
        return _monai_reading(loss)
    bases = loss.__mro__ if isinstance(loss, type) else type(loss).__mro__
    readings = [_READINGS.get(package, {}).get(name) for package, name in map(_origin, bases)]
    return _INDICES if _INDICES in readings else None


def _monai_reading(loss: nn.Module) -> Reading | None:
    """Return the input that a MONAI loss expects, from the switches of its parts."""

    def any_part(*switches: str) -> bool:
        return any(getattr(part, name, False) is True for part in parts for name in switches)

    parts = [part for part in loss.modules() if _formula_origin(part)[0] == "monai"]
    if not any(hasattr(part, "to_onehot_y") for part in parts):
        return None
    form: Form = "any"
    if any_part("softmax", "pre_softmax", "use_softmax"):
        form = "softmax"
    elif any_part("sigmoid", "pre_sigmoid") or any(hasattr(part, "use_softmax") for part in parts):
        form = "sigmoid"  # MONAI's focal loss has a sigmoid by default
    return Reading(form, "channel" if any_part("to_onehot_y") else "masks")


def refuse_probability_loss(loss: Any) -> None:
    """Raise a ValueError for a known loss that does not work with raw scores and masks."""
    loss = bare(loss)
    package, name = _formula_origin(loss)
    if name in _REFUSED.get(package, {}):
        what, instead = _REFUSED[package][name]
        raise ValueError(f"{name} {what}. Use {instead}.")
    if package in _WITH_MODES and getattr(loss, "from_logits", True) is False:
        raise ValueError(
            f"{name} {_PROBABILITIES}, because its from_logits is False. Set it to True."
        )
    if package != "monai" or not isinstance(loss, nn.Module):
        return
    for part in loss.modules():
        if _formula_origin(part)[0] == "monai" and _lacks_activation(part):
            if "sigmoid" not in inspect.signature(type(loss)).parameters:  # it only wraps the part
                name = type(part).__name__
            raise ValueError(
                f"{name} {_PROBABILITIES}, as sigmoid, softmax and other_act are off. Use "
                f"{name}(sigmoid=True) for masks, or {name}(softmax=True) where classes compete."
            )


def _lacks_activation(part: nn.Module) -> bool:
    names = ("sigmoid", "softmax", "other_act")
    switches = [getattr(part, prefix + name, None) for prefix in ("", "pre_") for name in names]
    return isinstance(switches[0], bool) and not any(switches)


def _formula_origin(loss: Any) -> tuple[str, str]:
    """Return (package, name) of a function, or of the class that defines a module's forward."""
    if inspect.isroutine(loss):
        return _origin(loss)
    cls = loss if isinstance(loss, type) else type(loss)
    return _origin(next((base for base in cls.__mro__ if "forward" in vars(base)), cls))


def _origin(item: Callable[..., Any] | type) -> tuple[str, str]:
    return (item.__module__ or "").partition(".")[0], item.__name__
