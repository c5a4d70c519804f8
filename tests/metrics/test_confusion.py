"""Scores from counts are those from the labels themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import get_scorer, make_scorer, precision_score

from sklearnloss.metrics import boundary_iou_scorer, dice_score, iou_score, make_mask_scorer
from sklearnloss.metrics._confusion import Confusion, confusion_score

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(0)
TRUE, PREDICTED = (RNG.random((2, 6, 2, 5, 4)) > 0.6).astype(int)


def count(true: Array, pred: Array) -> Confusion:
    """Return the counts of each label, in one row."""
    cells = [true & pred, (1 - true) & pred, true & (1 - pred), (1 - true) & (1 - pred)]
    return Confusion(*(each.sum((0, 2, 3))[None] for each in cells))


@pytest.mark.parametrize("metric", [dice_score, iou_score])
@pytest.mark.parametrize("settings", [{}, {"average": "micro"}, {"labels": [1]}])
def test_overlap_of_overlapping_labels(metric: Any, settings: dict[str, Any]) -> None:
    scorer = make_mask_scorer(metric, **settings)
    score = confusion_score(scorer, ["a", "b"], multilabel=True, masks=True)
    assert score is not None
    expected = metric(TRUE, PREDICTED, multilabel=True, **settings)
    assert score(count(TRUE, PREDICTED)) == pytest.approx(expected)
    alone = metric(TRUE, PREDICTED, multilabel=True, average=None)
    assert score.of_label(count(TRUE, PREDICTED), 1) == pytest.approx(alone[1])


@pytest.mark.parametrize("metric", [dice_score, iou_score])
@pytest.mark.parametrize(
    "settings",
    [{}, {"average": "micro"}, {"labels": [7]}, {"labels": [3, 9]}, {"zero_division": 0.0}],
)
@pytest.mark.parametrize("empty", [False, True])
def test_overlap_of_two_classes(metric: Any, settings: dict[str, Any], empty: bool) -> None:
    true, pred = TRUE[:, :1] * (not empty), PREDICTED[:, :1] * (not empty)
    scorer = make_mask_scorer(metric, **settings)
    score = confusion_score(scorer, [3, 7], multilabel=False, masks=True)
    assert score is not None
    expected = metric(3 + 4 * true[:, 0], 3 + 4 * pred[:, 0], **settings)
    assert score(count(true, pred)) == pytest.approx(expected)


@pytest.mark.parametrize(
    "name",
    [
        "accuracy",
        "balanced_accuracy",
        "f1",
        "f1_macro",
        "jaccard_weighted",
        "matthews_corrcoef",
        "precision",
        "recall",
    ],
)
def test_scores_of_labels(name: str) -> None:
    true, pred = TRUE[:, :1], PREDICTED[:, :1]
    scorer = get_scorer(name)
    score = confusion_score(scorer, [0, 1], multilabel=False, masks=False)
    assert score is not None
    expected = scorer._score_func(true.ravel(), pred.ravel(), **scorer._kwargs)
    nobody = np.zeros_like(pred)
    both = Confusion(
        *(np.concatenate(each) for each in zip(count(true, pred), count(true, nobody), strict=True))
    )
    assert score(both)[0] == pytest.approx(expected)
    one = confusion_score(
        make_scorer(precision_score, pos_label="b"), ["a", "b"], multilabel=False, masks=False
    )
    assert one is not None
    assert one(both)[1] == 0


def test_scores_that_need_more_than_counts_have_none() -> None:
    for masks, scorer in [
        (True, boundary_iou_scorer),
        (True, make_mask_scorer(iou_score, average=None)),
        (True, make_mask_scorer(iou_score, per_image=True)),
        (True, get_scorer("accuracy")),
        (False, get_scorer("roc_auc")),
        (False, get_scorer("neg_log_loss")),
        (False, len),
    ]:
        assert confusion_score(scorer, [0, 1], multilabel=False, masks=masks) is None
