"""Where images are in space."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sklearnloss._files.place import check_same_place

nibabel = pytest.importorskip("nibabel")
tifffile = pytest.importorskip("tifffile")

AFFINE = np.array([[0, -2.0, 0, 5], [0.8, 0, 0, -7], [0, 0, 3, 1], [0, 0, 0, 1]])


def nifti(path: Path, affine: Any, shape: tuple[int, ...] = (4, 5, 6)) -> Path:
    nibabel.Nifti1Image(np.zeros(shape, np.uint8), affine).to_filename(path)
    return path


def geotiff(path: Path, x: float, *, matrix: bool = False, shape: Any = (8, 9)) -> Path:
    if matrix:
        values = (10.0, 0.0, 0.0, x, 0.0, -10.0, 0.0, 70.0, *[0.0] * 7, 1.0)
        tags = [(34264, 12, 16, values, True)]
    else:
        tie = (2.0, 1.0, 0.0, x + 20, 60.0, 0.0)
        tags = [(33550, 12, 3, (10.0, 10.0, 0.0), True), (33922, 12, 6, tie, True)]
    tifffile.imwrite(path, np.zeros(shape, np.uint8), photometric="minisblack", extratags=tags)
    return path


def test_a_mask_in_another_order_of_voxels_is_refused(tmp_path: Path) -> None:
    image = nifti(tmp_path / "a.nii.gz", AFFINE)
    flipped = AFFINE @ np.array([[-1, 0, 0, 3], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    with pytest.raises(ValueError, match=r"header, '.*/b.nii' is up to 3 pixels away"):
        check_same_place([image, nifti(tmp_path / "b.nii", flipped)])


def test_shifts_below_half_a_voxel_are_allowed(tmp_path: Path) -> None:
    image = nifti(tmp_path / "a.nii", AFFINE)
    for shift, fits in ((0.3, True), (0.5, False)):  # in mm; the smallest voxel has 0.8
        moved = AFFINE.copy()
        moved[1, 3] += shift
        mask = nifti(tmp_path / "b.nii", moved)
        if fits:
            check_same_place([image, mask])
        else:
            with pytest.raises(ValueError, match=r"0\.625 pixels away"):
                check_same_place([image, mask])


def test_files_that_do_not_say_where_they_are_fit(tmp_path: Path) -> None:
    image = nifti(tmp_path / "a.nii", AFFINE)
    channels = nifti(tmp_path / "c.nii", AFFINE, (4, 5, 6, 2))
    without = nibabel.Nifti1Image(np.zeros((4, 5, 6), np.uint8), None)
    without.to_filename(tmp_path / "n.nii")
    np.save(tmp_path / "m.npy", np.zeros((4, 5, 6)))
    geo = geotiff(tmp_path / "g.tif", 0)
    check_same_place([image, channels, tmp_path / "n.nii", tmp_path / "m.npy", geo])
    check_same_place([tmp_path / "n.nii", image])
    check_same_place([image, nifti(tmp_path / "lost.nii", np.eye(4))])


@pytest.mark.parametrize("matrix", [False, True])
def test_tiles_of_another_part_of_the_map_are_refused(tmp_path: Path, matrix: bool) -> None:
    image = geotiff(tmp_path / "a.tif", 500, shape=(8, 9, 5))
    check_same_place([image, geotiff(tmp_path / "b.tif", 504, matrix=matrix)])
    with pytest.raises(ValueError, match=r"up to 9 pixels away .*resample"):
        check_same_place([image, geotiff(tmp_path / "b.tif", 590, matrix=matrix)])
    tifffile.imwrite(tmp_path / "plain.tif", np.zeros((8, 9), np.uint8))
    check_same_place([image, tmp_path / "plain.tif"])
