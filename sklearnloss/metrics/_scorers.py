"""Scorers of masks, for scikit-learn's ``scoring=``."""

from __future__ import annotations

from sklearn.metrics import make_scorer

from ._overlap import dice_score, iou_score

#: Mean Dice over the labels. For one label: ``make_scorer(dice_score, labels=[1])``.
dice_scorer = make_scorer(dice_score)

#: Mean intersection over union over the labels.
iou_scorer = make_scorer(iou_score)
