"""NIfTI: the order of voxels of the file, its spacing, labels stored as real numbers."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sklearnloss._files.read import FileError, read_image, read_mask

nibabel = pytest.importorskip("nibabel")

VOLUME = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
# Voxels from right to left, with the second axis of the file along the body.
AFFINE = np.array([[-0.5, 0, 0, 9], [0, 0, 3, 8], [0, 2, 0, 7], [0, 0, 0, 1.0]])


def save(path: Path, values: np.ndarray, kind: Any = nibabel.Nifti1Image) -> Path:
    kind(values, AFFINE, dtype=values.dtype).to_filename(path)
    return path


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_volumes_keep_the_order_of_the_file(tmp_path: Path, name: str, kind: Any) -> None:
    path = save(tmp_path / name, VOLUME, kind)
    image = read_image(path)
    assert (image.axes, image.spacing) == ("ZYX", (0.5, 2.0, 3.0))
    np.testing.assert_array_equal(image.values, nibabel.load(path).dataobj)
    assert image.values.dtype == np.int16


@pytest.mark.parametrize(
    ("shape", "axes", "read"),
    [
        ((3, 4), "YX", (3, 4)),
        ((3, 4, 1), "YX", (3, 4)),
        ((3, 4, 5, 1), "ZYX", (3, 4, 5)),
        ((3, 4, 5, 2), "CZYX", (2, 3, 4, 5)),
        ((3, 4, 1, 2), "CYX", (2, 3, 4)),
        ((3, 4, 5, 1, 2), "CZYX", (2, 3, 4, 5)),
        ((1, 4, 5), "ZYX", (1, 4, 5)),
    ],
)
def test_the_fourth_axis_are_channels(
    tmp_path: Path, shape: tuple[int, ...], axes: str, read: tuple[int, ...]
) -> None:
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    image = read_image(save(tmp_path / "a.nii", values))
    assert (image.axes, image.values.shape) == (axes, read)
    expected = np.moveaxis(values, -1, 0) if axes[0] == "C" else values
    np.testing.assert_array_equal(image.values, expected.reshape(read))
    assert image.spacing == (0.5, 2.0, 3.0)[: len(axes.strip("C"))]


def test_points_in_time_and_channels_do_not_mix(tmp_path: Path) -> None:
    save(tmp_path / "a.nii", np.zeros((3, 4, 5, 2, 2), np.float32))
    with pytest.raises(FileError, match=r"it is of shape \(3, 4, 5, 2, 2\). Expected"):
        read_image(tmp_path / "a.nii")


def test_the_scale_is_applied(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(VOLUME / 3 + 7, AFFINE)
    image.set_data_dtype(np.int16)
    image.to_filename(tmp_path / "a.nii.gz")
    expected = nibabel.load(tmp_path / "a.nii.gz").get_fdata()
    read = read_image(tmp_path / "a.nii.gz").values
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, expected, rtol=1e-6)


def test_byte_order_and_colors(tmp_path: Path) -> None:
    big = nibabel.Nifti1Image(VOLUME, AFFINE, nibabel.Nifti1Header(endianness=">"))
    big.to_filename(tmp_path / "big.nii")
    read = read_image(tmp_path / "big.nii").values
    np.testing.assert_array_equal(read, VOLUME)
    assert read.dtype.isnative
    colors = np.zeros((3, 4, 5), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    colors["G"] = 9
    image = read_image(save(tmp_path / "rgb.nii", colors))
    assert image.axes == "SZYX"
    np.testing.assert_array_equal(image.values[:, 0, 0, 0], [0, 9, 0])
    with pytest.raises(FileError, match="mask in color"):
        read_mask(tmp_path / "rgb.nii")


@pytest.mark.parametrize(
    ("labels", "dtype"),
    [
        ([0, 3, 255], "uint8"),
        ([0, 256, 1], "uint16"),
        ([-1, 0, 1], "int8"),
        ([0, 0, 7e4], "uint32"),
    ],
)
def test_labels_stored_as_real_numbers_become_integers(
    tmp_path: Path, labels: list[float], dtype: str
) -> None:
    values = np.reshape(labels, (3, 1, 1)).astype(np.float64) * np.ones((3, 4, 5))
    mask = read_mask(save(tmp_path / "a.nii.gz", values))
    np.testing.assert_array_equal(mask, values)
    assert mask.dtype == dtype


@pytest.mark.parametrize("value", [0.5, np.nan, np.inf])
def test_labels_must_be_whole_numbers(tmp_path: Path, value: float) -> None:
    save(tmp_path / "a.nii.gz", np.full((3, 4, 5), value))
    with pytest.raises(
        FileError, match=rf"a.nii.gz' cannot be read: it is a mask that holds {value}"
    ):
        read_mask(tmp_path / "a.nii.gz")


def test_complex_numbers_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "a.nii", np.zeros((3, 4, 5), np.complex64))
    with pytest.raises(FileError, match="complex numbers"):
        read_image(tmp_path / "a.nii")


def test_a_missing_spacing_is_none(tmp_path: Path) -> None:
    header = nibabel.Nifti1Header()
    header.set_data_shape((3, 4, 5))
    header.set_data_dtype(np.uint8)
    header["pixdim"][1:4] = 0
    header["vox_offset"] = 352
    header["magic"] = b"n+1"
    content = header.binaryblock + bytes(4 + 60)
    (tmp_path / "a.nii").write_bytes(content)
    assert read_image(tmp_path / "a.nii").spacing is None


def change(content: bytes, place: int, new: bytes) -> bytes:
    return content[:place] + new + content[place + len(new) :]


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_damaged_files_are_named(tmp_path: Path, name: str) -> None:
    path = save(tmp_path / name, VOLUME)
    pack: Any = gzip.compress if name.endswith("gz") else bytes
    whole = path.read_bytes()
    plain = gzip.decompress(whole) if name.endswith("gz") else whole
    huge = change(plain, 42, np.array([30000, 30000, 30000], "<i2").tobytes())
    for content, message in [
        (whole[:-20], ""),
        (whole[:100], ""),
        (b"text" * 200, "does not start like a NIfTI file"),
        (pack(huge), r"announces 49.11 TiB \(30000 x 30000 x 30000 numbers of 2 bytes\), but the"),
        (pack(change(plain, 42, b"\xff\xff")), "has the dimensions"),
        (pack(change(plain, 40, b"\x09\x00")), "has the dimensions"),
        (pack(change(plain, 70, b"\x77\x77")), ""),
        (pack(change(plain, 108, np.float32(1e30).tobytes())), "start at 1"),
        (pack(change(plain, 108, np.float32(np.nan).tobytes())), "start at nan"),
    ]:
        path.write_bytes(content)
        with pytest.raises(FileError, match=rf"{name}' cannot be read: .*{message}"):
            read_image(path)


def test_compressed_files_cannot_announce_more_than_memory(tmp_path: Path) -> None:
    plain = save(tmp_path / "a.nii", VOLUME).read_bytes()
    huge = change(plain, 42, np.array([30000, 30000, 30000], "<i2").tobytes())
    (tmp_path / "a.nii").write_bytes(gzip.compress(huge) + bytes(10))
    with pytest.raises(FileError, match="announces 49.11 TiB"):
        read_image(tmp_path / "a.nii")


def test_extensions_are_skipped_unread(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(VOLUME, AFFINE)
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"x" * 40))
    image.to_filename(tmp_path / "a.nii")
    content = (tmp_path / "a.nii").read_bytes()
    # An extension that claims two billion bytes, which nibabel would read.
    (tmp_path / "a.nii").write_bytes(change(content, 352, (2**31 - 16).to_bytes(4, "little")))
    np.testing.assert_array_equal(read_image(tmp_path / "a.nii").values, VOLUME)
