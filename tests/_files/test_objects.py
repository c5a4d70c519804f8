"""Object numbers as classes, and borders between objects."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sklearnloss import FileReader
from sklearnloss._files.objects import as_objects, with_border
from sklearnloss._files.read import FileError
from sklearnloss.datasets import load_nuclei


def slow_border(numbers: np.ndarray) -> np.ndarray:
    """Find the border one pixel at a time, by the distances to the two nearest objects."""
    labels = np.zeros(numbers.shape, int)
    for place in np.ndindex(numbers.shape):
        nearest: dict[int, int] = {}
        for step in itertools.product(range(-2, 3), repeat=numbers.ndim):
            other = tuple(np.add(place, step))
            inside = all(0 <= k < n for k, n in zip(other, numbers.shape, strict=True))
            if inside and numbers[other] > 0:
                distance = max(map(abs, step))
                number = int(numbers[other])
                nearest[number] = min(distance, nearest.get(number, 9))
        own = int(numbers[place])
        if own > 0:
            touches = any(d == 1 for number, d in nearest.items() if number != own)
            labels[place] = 2 if touches else 1
        elif len(nearest) > 1:  # a gap of two pixels has the distances 1 and 2 to its sides
            labels[place] = 2 * (sum(sorted(nearest.values())[:2]) <= 3)
    return labels


@pytest.mark.parametrize("dtype", ["uint8", "int32", "uint64", "float64"])
def test_a_border_is_what_a_slow_search_finds(dtype: str) -> None:
    rng = np.random.default_rng(1)
    flat = np.zeros((40, 43), dtype)
    for number in (3, 200, 7, 11, 12, 5, 90, 31):  # not contiguous
        row, column = rng.integers(0, 34, 2)
        flat[row : row + rng.integers(3, 12), column : column + rng.integers(3, 12)] = number
    found = with_border(flat)
    assert found.dtype == np.uint8
    assert set(np.unique(found)) == {0, 1, 2}
    np.testing.assert_array_equal(found, slow_border(flat))


def test_a_border_in_a_volume_is_what_a_slow_search_finds() -> None:
    volume = np.zeros((7, 8, 9), np.uint16)
    volume[:3, :4, :4], volume[4:, 2:6, 3:], volume[:3, 4:7, :5] = 1, 2, 5
    np.testing.assert_array_equal(with_border(volume), slow_border(volume))


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("1116666", "1122111"),
        ("11106666", "11121111"),
        ("111006666", "111221111"),
        ("1110006666", "1110001111"),
        ("1110001111", "1110001111"),  # one object in two parts
        ("11101111", "11101111"),
    ],
)
def test_gaps_of_up_to_two_pixels_are_border(row: str, expected: str) -> None:
    found = with_border(np.array([[int(each) for each in row]]))
    assert "".join(map(str, found[0].tolist())) == expected


def test_objects_at_the_edge_and_alone_have_no_border() -> None:
    mask = np.zeros((6, 6), int)
    mask[:3, :3] = 4
    assert set(np.unique(with_border(mask))) == {0, 1}
    np.testing.assert_array_equal(with_border(mask), as_objects(mask))
    assert (with_border(np.zeros((3, 3), int)) == 0).all()
    assert (with_border(np.full((3, 3), 9)) == 1).all()


def test_touching_nuclei_have_the_border_of_the_data_set() -> None:
    _, numbers = load_nuclei(instances=True)
    found = with_border(numbers)
    touching = (numbers > 0) & (found == 2)
    assert touching.sum() > 50
    # The data set's border is the rim of nuclei; ours lies on it, where nuclei touch.
    rows, columns = np.nonzero(touching)
    for row, column in zip(rows, columns, strict=True):
        around = numbers[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        assert len({*around[around > 0].tolist()}) > 1


def test_the_border_is_found_after_resizing(tmp_path: Path) -> None:
    numbers = np.zeros((64, 64), np.uint16)
    numbers[:, :30], numbers[:, 34:] = 1, 2
    np.save(tmp_path / "a.npy", numbers)
    assert 2 not in FileReader(masks="border").mask(tmp_path / "a.npy")
    small = FileReader(masks="border", resize=16).mask(tmp_path / "a.npy")
    row = "".join(map(str, small[0].tolist()))  # the gap is one pixel wide now, or closed
    assert row in ("1111111211111111", "1111111121111111", "1111111221111111")


def test_padding_is_no_object(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((8, 4), np.uint8))
    mask: Any = FileReader(masks="border", resize=8).mask(tmp_path / "a.npy")
    np.testing.assert_array_equal(mask.mask[0], [1, 1, 0, 0, 0, 0, 1, 1])
    assert (mask.compressed() == 1).all()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([[-1, 0]]), "it holds the number -1. Expected 0 for the background"),
        (np.array([[0.5, 0]]), "it holds fractions or NaN"),
        (np.array([[np.nan, 0]]), "it holds fractions or NaN"),
        (np.array([["a", "b"]]), "it has dtype <U1"),
    ],
)
def test_what_is_no_object_number_is_refused(
    tmp_path: Path, values: np.ndarray, message: str
) -> None:
    np.save(tmp_path / "a.npy", values)
    choices: list[Any] = ["objects", "border"]
    for masks in choices:
        with pytest.raises(FileError, match=f"a.npy' cannot be read: {message}"):
            FileReader(masks=masks).mask(tmp_path / "a.npy")


def test_numbers_that_jpeg_has_changed_are_refused(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    numbers = np.zeros((32, 32), np.uint8)
    numbers[5:20, 5:20], numbers[22:30, 3:9] = 100, 200
    image.fromarray(numbers).save(tmp_path / "a.jpg")
    with pytest.raises(FileError, match=r"a.jpg'.*JPEG compression has changed. Save masks as PNG"):
        FileReader(masks="objects").mask(tmp_path / "a.jpg")
