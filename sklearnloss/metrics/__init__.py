"""Scores of masks and probabilities, as functions and as scorers for ``scoring=``."""

from ._boundary_iou import boundary_iou_score
from ._calibration import expected_calibration_error
from ._calibration_scorer import CalibrationScorer
from ._hausdorff import hausdorff_distance
from ._mask_scorer import make_mask_scorer
from ._overlap import dice_score, iou_score
from ._scorers import (
    boundary_iou_scorer,
    calibration_scorer,
    dice_scorer,
    hausdorff_scorer,
    iou_scorer,
    surface_dice_scorer,
)
from ._surface_dice import surface_dice_score

__all__ = [
    "CalibrationScorer",
    "boundary_iou_score",
    "boundary_iou_scorer",
    "calibration_scorer",
    "dice_score",
    "dice_scorer",
    "expected_calibration_error",
    "hausdorff_distance",
    "hausdorff_scorer",
    "iou_score",
    "iou_scorer",
    "make_mask_scorer",
    "surface_dice_score",
    "surface_dice_scorer",
]
