"""The masks of single labels, cut out, and distances between their edges."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import binary_erosion, distance_transform_edt

from sklearnloss.metrics._pairs import CheckedPairs
from sklearnloss.metrics._regions import cut_regions
from sklearnloss.metrics._surface import edge_distances, edges

from .references import pair

SHAPES = [(40,), (1, 9), (12, 15), (6, 7, 9)]


@pytest.mark.parametrize("shape", SHAPES)
def test_edges_are_what_erosion_takes(shape: tuple[int, ...]) -> None:
    mask = np.random.default_rng(0).random(shape) < 0.8
    before = mask.copy()
    np.testing.assert_array_equal(edges(mask), mask & ~binary_erosion(mask))
    np.testing.assert_array_equal(mask, before)


@pytest.mark.parametrize("shape", SHAPES)
def test_distances_are_those_of_a_distance_map(shape: tuple[int, ...]) -> None:
    true, pred = (masks[0] > 0 for masks in pair((1, *shape)))
    spacing = np.array([0.5, 2.0, 1.5])[: len(shape)]
    from_true, from_pred = edge_distances(true, pred, spacing)
    for start, end, found in ((true, pred, from_true), (pred, true, from_pred)):
        expected = distance_transform_edt(~edges(end), sampling=spacing)[edges(start)]
        np.testing.assert_allclose(found, expected)


def test_an_empty_mask_is_infinitely_far() -> None:
    from_true, from_pred = edge_distances(np.ones(3, bool), np.zeros(3, bool), np.ones(1))
    assert from_true.tolist() == [np.inf, np.inf]
    assert from_pred.tolist() == []


def test_regions_are_masks_cut_to_their_box() -> None:
    true, pred = np.zeros((2, 2, 6, 7), int)
    true[0, 1, 2], pred[0, 3, 4] = 5, 5
    true[1, 2:4, 3] = 9
    pairs = CheckedPairs(true, pred, ignore_index=None, multilabel=False)
    first, second = cut_regions(pairs, labels=[9, 5], spacing=None)
    ((label, t, p),) = first.regions
    assert (label, first.shape) == (5, (6, 7))
    np.testing.assert_array_equal(t, [[1, 0, 0], [0, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(p, [[0, 0, 0], [0, 0, 0], [0, 0, 1]])
    ((label, t, p),) = second.regions
    assert label == 9
    np.testing.assert_array_equal(t, [[1], [1]])
    assert not p.any()
