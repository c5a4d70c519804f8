"""Numbers and measurements of objects, compared with scipy alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from sklearnloss._predict.instances import Measurements, number_channels, number_instances


def disks(
    *centers: tuple[int, int], radius: int = 9, shape: tuple[int, int] = (60, 60)
) -> list[Any]:
    rows, columns = np.indices((60, 60))
    return [(rows - y) ** 2 + (columns - x) ** 2 <= radius**2 for y, x in centers]


def same_regions(one: np.ndarray, other: np.ndarray) -> bool:
    """Return whether two arrays have the same regions, whatever their numbers."""
    pairs = set(zip(one.ravel().tolist(), other.ravel().tolist(), strict=True))
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


@pytest.mark.parametrize("shape", [(30, 40), (9, 10, 11)])
def test_regions_are_those_of_scipy_with_all_neighbors(shape: tuple[int, ...]) -> None:
    mask = (np.random.default_rng(0).random(shape) < 0.15).astype(np.uint8)
    numbers, kinds = number_instances(mask, [1])
    expected, n = ndimage.label(mask, ndimage.generate_binary_structure(mask.ndim, mask.ndim))
    assert same_regions(numbers, expected)
    assert kinds == [1] * n
    assert set(np.unique(numbers)) == set(range(n + 1))


def test_classes_that_touch_are_different_objects() -> None:
    mask = np.array([[1, 1, 2, 2], [0, 0, 0, 0], [2, 0, 0, 1]])
    numbers, kinds = number_instances(mask, [1, 2])
    assert numbers.tolist() == [[1, 1, 3, 3], [0, 0, 0, 0], [4, 0, 0, 2]]
    assert kinds == [1, 1, 2, 2]


def test_small_objects_are_left_out_and_the_others_renumbered() -> None:
    mask = np.array([[1, 0, 1, 1, 0, 1, 1, 1]])
    numbers, kinds = number_instances(mask, [1], min_size=2)
    assert numbers.tolist() == [[0, 0, 1, 1, 0, 2, 2, 2]]
    assert kinds == [1, 1]
    assert number_instances(mask, [1], min_size=4)[1] == []


def with_border(*objects: np.ndarray) -> np.ndarray:
    """Return 1 inside of objects, and 2 where an object touches another or the background."""
    mask = np.zeros(objects[0].shape, np.uint8)
    for each in objects:
        inside = ndimage.binary_erosion(each, np.ones((3,) * each.ndim), iterations=2)
        mask[each & ~inside] = 2
        mask[inside] = 1
    return mask


def test_touching_disks_are_separated_by_their_border_and_get_it_back() -> None:
    left, right = disks((30, 20), (30, 39))
    assert ndimage.label(left | right, np.ones((3, 3)))[1] == 1
    numbers, kinds = number_instances(with_border(left, right), [1, 2], border=2)
    assert kinds == [1, 1]
    assert (numbers == 1).tolist() == left.tolist()
    assert (numbers == 2).tolist() == right.tolist()


def test_touching_balls_are_separated_in_three_dimensions() -> None:
    z, y, x = np.indices((20, 20, 34))
    balls = [(z - 10) ** 2 + (y - 10) ** 2 + (x - c) ** 2 <= 64 for c in (8, 25)]
    numbers, kinds = number_instances(with_border(*balls), [1, 2], border=2)
    assert kinds == [1, 1]
    for number, ball in enumerate(balls, start=1):
        assert (numbers == number).tolist() == ball.tolist()


def test_border_pixels_go_to_the_nearest_object_they_are_connected_to() -> None:
    # The object at the right is nearest to column 3, but the background lies between.
    mask = np.array([[1, 2, 2, 2, 0, 1]])
    numbers, _ = number_instances(mask, [1, 2], border=2)
    assert numbers.tolist() == [[1, 1, 1, 1, 0, 2]]
    # The single pixel is nearest to the end of the border, which belongs to the first object.
    mask = np.array([[2, 2, 2, 2, 2], [1, 0, 0, 0, 2], [0, 0, 1, 0, 2], [0, 0, 0, 0, 2]])
    numbers, _ = number_instances(mask, [1, 2], border=2)
    assert (numbers[mask == 2] == 1).all()
    spacing = (5.0, 1.0)  # rows are far apart
    mask = np.array([[1, 0, 0, 0], [2, 2, 2, 1]])
    numbers, _ = number_instances(mask, [1, 2], border=2, spacing=spacing)
    assert numbers.tolist() == [[1, 0, 0, 0], [2, 2, 2, 2]]


def test_a_border_without_an_object_is_background() -> None:
    numbers, kinds = number_instances(np.array([[2, 2, 0, 1, 2]]), [1, 2], border=2)
    assert numbers.tolist() == [[0, 0, 0, 1, 1]]
    assert kinds == [1]


def test_labels_that_overlap_are_numbered_one_after_another() -> None:
    masks = np.array([[[255, 0, 255]], [[255, 255, 0]]])
    numbers, kinds = number_channels(masks, ["a", "b"])
    assert numbers.tolist() == [[[1, 0, 2]], [[3, 3, 0]]]
    assert kinds == ["a", "a", "b"]


@pytest.mark.parametrize("step", [100, 7])
def test_measurements_are_those_of_scipy_also_band_by_band(step: int) -> None:
    rng = np.random.default_rng(1)
    mask = ndimage.binary_opening(rng.random((40, 50)) < 0.7, iterations=2).astype(np.uint8)
    image = rng.integers(0, 60000, (2, 40, 50)).astype(np.uint16)
    numbers, kinds = number_instances(mask, [1])
    found = Measurements(kinds, 2, (0.5, 2.0))
    for start in range(0, 40, step):
        found.add(start, numbers[start : start + step], image[:, start : start + step])
    rows = found.rows()
    which = range(1, len(kinds) + 1)
    assert len(kinds) > 3
    centers = ndimage.center_of_mass(mask, numbers, which)
    for number, center, box, row in zip(
        which, centers, ndimage.find_objects(numbers), rows, strict=True
    ):
        assert row["number"] == number
        assert row["area_pixels"] == row["area"] == (numbers == number).sum()
        assert (row["centroid_y"], row["centroid_x"]) == pytest.approx(center)
        assert (row["min_y"], row["max_y"]) == (box[0].start, box[0].stop)
        assert (row["min_x"], row["max_x"]) == (box[1].start, box[1].stop)
        for channel in (0, 1):
            assert row[f"mean_{channel}"] == pytest.approx(image[channel][numbers == number].mean())


def test_masked_pixels_have_no_intensity() -> None:
    image = np.ma.masked_equal(np.array([[[5, 9, 9, 9]]]), 9)
    found = Measurements([1, 1], 2)
    found.add(0, np.array([[1, 1, 2, 0]]), image)
    first, second = found.rows()
    assert (first["mean_0"], first["area"], second["mean_0"]) == (5.0, None, None)
