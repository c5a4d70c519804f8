"""Scorers with default settings, for scikit-learn's ``scoring=``."""

from __future__ import annotations

from ._boundary_iou import boundary_iou_score
from ._calibration_scorer import CalibrationScorer
from ._hausdorff import hausdorff_distance
from ._mask_scorer import MaskScorer, make_mask_scorer
from ._overlap import dice_score, iou_score
from ._surface_dice import surface_dice_score

#: Mean Dice over the labels. For one label: ``make_mask_scorer(dice_score, labels=[1])``.
dice_scorer = make_mask_scorer(dice_score)

#: Mean intersection over union over the labels.
iou_scorer = make_mask_scorer(iou_score)

#: Mean boundary intersection over union over the labels; rims of 2 % of the diagonal.
boundary_iou_scorer = make_mask_scorer(boundary_iou_score)

#: Mean surface Dice over images and labels, within a pixel.
surface_dice_scorer = make_mask_scorer(surface_dice_score)

#: Minus the mean HD95 over images and labels, in pixels.
hausdorff_scorer = make_mask_scorer(hausdorff_distance)

#: Minus the expected calibration error, of labels or pixels.
calibration_scorer = CalibrationScorer()

#: Their names in searches, in comparisons and on the command line.
NAMED: dict[str, MaskScorer] = {
    "dice": dice_scorer,
    "iou": iou_scorer,
    "boundary_iou": boundary_iou_scorer,
    "surface_dice": surface_dice_scorer,
    "hausdorff": hausdorff_scorer,
    "calibration": calibration_scorer,
}
