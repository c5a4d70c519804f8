"""Masks with one file per object."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sklearnloss import FileReader, MaskFiles
from sklearnloss._files.mask_files import join

NUMBERS = np.zeros((9, 12), np.uint8)
NUMBERS[1:4, 1:5], NUMBERS[4:8, 2:6], NUMBERS[:, 9:] = 1, 2, 3


def files_of(folder: Path, numbers: np.ndarray) -> MaskFiles:
    """Write a file per object."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{'abcdef'[k]}.npy" for k in range(numbers.max())]
    for number, path in enumerate(paths, 1):
        np.save(path, np.where(numbers == number, 255, 0).astype(np.uint8))
    return MaskFiles(paths[::-1])


@pytest.mark.filterwarnings("error")
def test_objects_are_numbered_in_the_order_of_their_files(tmp_path: Path) -> None:
    files = files_of(tmp_path, NUMBERS)
    numbers, overlap = join(files, lambda path: np.load(path) > 0)
    np.testing.assert_array_equal(numbers, NUMBERS)
    assert numbers.dtype == np.uint8
    assert overlap is None
    choices: list[Any] = ["classes", "objects"]
    for masks in choices:
        reader = FileReader(masks=masks)
        np.testing.assert_array_equal(reader.mask(files), NUMBERS > 0)
    expected = tmp_path / "numbers.npy"
    np.save(expected, NUMBERS)
    for resize in (None, 24):
        reader = FileReader(masks="border", resize=resize)
        np.testing.assert_array_equal(reader.mask(files), reader.mask(expected))


def test_they_are_equal_by_their_paths_and_survive_pickling() -> None:
    files = MaskFiles([Path("b.png"), "a.png", b"c.png", "d.png"])
    assert files.paths == ("a.png", "b.png", "c.png", "d.png")
    assert files == MaskFiles(["d.png", "c.png", "b.png", "a.png"])
    assert len({files, MaskFiles(files.paths), MaskFiles(["a.png"])}) == 2
    assert pickle.loads(pickle.dumps(files)) == files
    assert repr(files) == "MaskFiles(['a.png', 'b.png', 'c.png', ... 4 files])"


@pytest.mark.parametrize(("paths", "message"), [([], "needs one file"), ("a.png", "is one path")])
def test_a_list_of_files_is_needed(paths: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MaskFiles(paths)


def test_files_of_unlike_size_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((3, 4)))
    np.save(tmp_path / "b.npy", np.ones((4, 4)))
    with pytest.raises(ValueError, match=r"b.npy' has the shape \(4, 4\), but '.*a.npy', a mask"):
        FileReader().mask(MaskFiles(tmp_path.glob("*.npy")))


def test_overlapping_objects_keep_the_first_and_are_told_of_once(tmp_path: Path) -> None:
    first, second = np.zeros((10, 10)), np.zeros((10, 10))
    first[:5], second[4:] = 1, 1
    np.save(tmp_path / "a.npy", first)
    np.save(tmp_path / "b.npy", second)
    files = MaskFiles(tmp_path.glob("*.npy"))
    reader = FileReader(masks="border")
    with pytest.warns(UserWarning, match=r"b.npy': more than 1 % of the object's pixels belong to"):
        found = reader.mask(files)
    np.testing.assert_array_equal(found[:, 0], [1, 1, 1, 1, 2, 2, 1, 1, 1, 1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reader.mask(files)
    assert reader == FileReader(masks="border")


@pytest.mark.filterwarnings("error")
def test_a_shared_pixel_is_no_overlap(tmp_path: Path) -> None:
    first, second = np.zeros((20, 20)), np.zeros((20, 20))
    first[:10, :10] = second[10:, :] = second[9, 9] = 1
    np.save(tmp_path / "a.npy", first)
    np.save(tmp_path / "b.npy", second)
    found, _ = join(MaskFiles(tmp_path.glob("*.npy")), lambda path: np.load(path) > 0)
    assert found[9, 9] == 1


def test_a_mask_per_label_cannot_be_joined(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one file per object, but multilabel=True"):
        FileReader().mask(files_of(tmp_path, NUMBERS), multilabel=True)


def test_a_file_of_an_object_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    files = files_of(tmp_path, NUMBERS)
    (tmp_path / "b.npy").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"b.npy' cannot be read"):
        FileReader().mask(files)
