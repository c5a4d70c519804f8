from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.metrics import get_scorer, make_scorer
from sklearn.model_selection import cross_val_score, cross_validate

from sklearnloss import UNetSegmenter
from sklearnloss.datasets import make_digit_scenes
from sklearnloss.metrics import (
    boundary_iou_score,
    boundary_iou_scorer,
    calibration_scorer,
    dice_score,
    dice_scorer,
    hausdorff_distance,
    hausdorff_scorer,
    iou_score,
    iou_scorer,
    surface_dice_score,
    surface_dice_scorer,
)

from .references import pair

SCORERS = [
    (dice_scorer, dice_score, 1),
    (iou_scorer, iou_score, 1),
    (boundary_iou_scorer, boundary_iou_score, 1),
    (surface_dice_scorer, surface_dice_score, 1),
    (hausdorff_scorer, hausdorff_distance, -1),
]
TRUE, PREDICTED = pair((5, 12, 10))


class Constant(BaseEstimator):  # type: ignore[misc]
    def predict(self, X: np.ndarray) -> np.ndarray:
        return PREDICTED


@pytest.mark.parametrize(("scorer", "function", "sign"), SCORERS)
def test_a_scorer_is_its_function_on_predictions(scorer: Any, function: Any, sign: int) -> None:
    assert get_scorer(scorer) is scorer
    expected = sign * function(TRUE, PREDICTED)
    for same in (scorer, pickle.loads(pickle.dumps(scorer))):
        assert same(Constant(), np.zeros(5), TRUE) == expected
    weight = np.array([1, 0, 2, 0.5, 1])
    found = scorer(Constant(), np.zeros(5), TRUE, sample_weight=weight)
    assert found == sign * function(TRUE, PREDICTED, sample_weight=weight)
    assert 0 != expected != sign


@pytest.mark.parametrize(("_", "function", "sign"), SCORERS)
def test_settings_go_through_make_scorer(_: Any, function: Any, sign: int) -> None:
    scorer = make_scorer(function, labels=[2, 1], greater_is_better=sign > 0)
    found = scorer(Constant(), np.zeros(5), TRUE)
    assert found == sign * function(TRUE, PREDICTED, labels=[2, 1])
    assert "labels=[2, 1]" in repr(scorer)


def segmenter() -> UNetSegmenter:
    """Return one that trains in a moment."""
    return UNetSegmenter(width=4, depth=2, max_epochs=1, batch_size=4, random_state=0)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_folds_of_masks_are_scored_by_all_at_once(n_classes: int) -> None:
    X, y = make_digit_scenes(12, size=16, n_digits=3, classes=(0, 1), random_state=0)
    y = np.minimum(y, n_classes - 1)
    scoring = {function.__name__: scorer for scorer, function, _ in SCORERS}
    scoring["calibration"] = calibration_scorer
    scores = cross_validate(segmenter(), X, y, cv=2, scoring=scoring, error_score="raise")
    for name in ("dice_score", "iou_score", "boundary_iou_score", "surface_dice_score"):
        assert ((scores[f"test_{name}"] >= 0) & (scores[f"test_{name}"] < 1)).all()
    assert (scores["test_hausdorff_distance"] < 0).all()
    assert ((scores["test_calibration"] < 0) & (scores["test_calibration"] > -1)).all()
    alone = cross_val_score(segmenter(), X, y, cv=2, scoring=surface_dice_scorer)
    np.testing.assert_array_equal(alone, scores["test_surface_dice_score"])
