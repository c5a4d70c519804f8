"""Scores of masks, as functions and as scorers for ``scoring=``."""

from ._overlap import dice_score, iou_score
from ._scorers import dice_scorer, iou_scorer

__all__ = ["dice_score", "dice_scorer", "iou_score", "iou_scorer"]
