from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sklearnloss.metrics import boundary_iou_score, hausdorff_distance, surface_dice_score

from .references import pair

ALL: Any = [hausdorff_distance, surface_dice_score, boundary_iou_score]


@pytest.mark.parametrize("score", ALL)
def test_where_objects_lie_does_not_matter(score: Any) -> None:
    true, pred = (
        np.pad(masks[:, 4:12, 4:12], ((0, 0), (9, 9), (9, 9))) for masks in pair((2, 20, 20))
    )
    found = score(true, pred, labels=[1, 2], average=None, per_image=True)
    moved = [np.roll(masks, (5, -7), (1, 2)) for masks in (true, pred)]
    np.testing.assert_allclose(score(*moved, labels=[1, 2], average=None, per_image=True), found)
    swapped = [np.swapaxes(masks, 1, 2) for masks in (true, pred)]
    np.testing.assert_allclose(score(*swapped, labels=[1, 2], average=None, per_image=True), found)


@pytest.mark.parametrize("score", ALL)
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, float, "U5"])
def test_labels_are_of_any_kind(score: Any, dtype: Any) -> None:
    true, pred = pair((2, 20, 24), n_classes=2)
    found = score(true.astype(dtype), pred.astype(dtype), average=None)
    np.testing.assert_array_equal(found, score(true, pred, average=None))


@pytest.mark.parametrize("score", ALL)
def test_labels_choose_and_order(score: Any) -> None:
    true, pred = pair((2, 20, 24))
    by_label = score(true, pred, average=None)
    np.testing.assert_array_equal(score(true, pred, labels=[2, 0], average=None), by_label[[2, 0]])


@pytest.mark.parametrize("score", ALL)
def test_a_channel_axis_is_no_axis_of_space(score: Any) -> None:
    true, pred = pair((2, 20, 24))
    assert score(true[:, None], pred[:, None]) == score(true[:, None], pred) == score(true, pred)


@pytest.mark.parametrize("score", ALL)
def test_masks_are_not_changed(score: Any) -> None:
    masks = pair((2, 20, 24))
    before = [m.copy() for m in masks]
    score(*masks, ignore_index=1)
    np.testing.assert_array_equal(masks, before)


@pytest.mark.parametrize("score", ALL)
def test_two_axes_may_be_one_mask(score: Any) -> None:
    (true,), (pred,) = pair((1, 9, 8), 2)
    with pytest.warns(
        UserWarning, match=r"read as signals.*pass y_true\[None\] and y_pred\[None\]"
    ):
        signals = score(true, pred)
    assert score(true[:, None], pred[:, None]) == signals == score(list(true), list(pred))
    assert score(true[None], pred[None]) != signals
