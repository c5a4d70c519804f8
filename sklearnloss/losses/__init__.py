"""Losses for images, on raw scores, for any number of classes and axes."""

from ._asymmetric import AsymmetricLoss
from ._bce import BCEWithLogitsLoss
from ._bi_tempered import BiTemperedLoss
from ._boundary import BoundaryLoss
from ._brier import BrierLoss
from ._checks.check_loss import LossCheckError, LossReport, check_loss
from ._cl_dice import SoftClDiceLoss
from ._core.base import Loss
from ._core.compound import CompoundLoss
from ._core.inputs import Inputs, LossInputError
from ._core.label import LabelLoss
from ._core.penalty import L1Penalty, L2Penalty, Penalty
from ._core.pixel import PixelLoss
from ._core.region import RegionLoss
from ._core.soft_counts import SoftCounts
from ._cross_entropy import CrossEntropyLoss, LabelSmoothingCrossEntropy
from ._dice import DiceLoss
from ._display import LossDisplay
from ._focal import FocalLoss
from ._focal_tversky import FocalTverskyLoss
from ._generalized_ce import GeneralizedCrossEntropyLoss
from ._generalized_dice import GeneralizedDiceLoss
from ._hausdorff import HausdorffDTLoss
from ._hinge import MultiClassHingeLoss
from ._jaccard import JaccardLoss
from ._ldam import LDAMLoss
from ._log_cosh_dice import LogCoshDiceLoss
from ._logit_adjusted import LogitAdjustedLoss
from ._lovasz import LovaszHingeLoss, LovaszSoftmaxLoss
from ._mcc import MCCLoss
from ._poly1 import Poly1CrossEntropyLoss
from ._registry import get_loss, get_search_space, list_losses, register_loss
from ._symmetric_ce import SymmetricCrossEntropyLoss
from ._topk import TopKCrossEntropyLoss
from ._tversky import TverskyLoss
from ._unified_focal import UnifiedFocalLoss
from ._weston_watkins import WestonWatkinsHingeLoss

# Common names of these losses in the literature.
CustomBCEWithLogitsLoss = BCEWithLogitsLoss
CustomCrossEntropyLoss = CrossEntropyLoss
FocalLossMC = FocalLoss

__all__ = [
    "AsymmetricLoss",
    "BCEWithLogitsLoss",
    "BiTemperedLoss",
    "BoundaryLoss",
    "BrierLoss",
    "CompoundLoss",
    "CrossEntropyLoss",
    "CustomBCEWithLogitsLoss",
    "CustomCrossEntropyLoss",
    "DiceLoss",
    "FocalLoss",
    "FocalLossMC",
    "FocalTverskyLoss",
    "GeneralizedCrossEntropyLoss",
    "GeneralizedDiceLoss",
    "HausdorffDTLoss",
    "Inputs",
    "JaccardLoss",
    "L1Penalty",
    "L2Penalty",
    "LDAMLoss",
    "LabelLoss",
    "LabelSmoothingCrossEntropy",
    "LogCoshDiceLoss",
    "LogitAdjustedLoss",
    "Loss",
    "LossCheckError",
    "LossDisplay",
    "LossInputError",
    "LossReport",
    "LovaszHingeLoss",
    "LovaszSoftmaxLoss",
    "MCCLoss",
    "MultiClassHingeLoss",
    "Penalty",
    "PixelLoss",
    "Poly1CrossEntropyLoss",
    "RegionLoss",
    "SoftClDiceLoss",
    "SoftCounts",
    "SymmetricCrossEntropyLoss",
    "TopKCrossEntropyLoss",
    "TverskyLoss",
    "UnifiedFocalLoss",
    "WestonWatkinsHingeLoss",
    "check_loss",
    "get_loss",
    "get_search_space",
    "list_losses",
    "register_loss",
]
