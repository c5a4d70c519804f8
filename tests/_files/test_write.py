"""Masks and probabilities in files, which other libraries read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sklearnloss._files.dtypes import as_integers
from sklearnloss._files.read import read_image, read_mask
from sklearnloss._files.write import smallest_dtype, write_labels, write_probabilities

Image = pytest.importorskip("PIL.Image")
nibabel = pytest.importorskip("nibabel")
tifffile = pytest.importorskip("tifffile")

LABELS = np.arange(20).reshape(4, 5)
VOLUME = np.arange(60).reshape(3, 4, 5)
P = np.random.default_rng(0).random((2, 4, 5))
AFFINE = np.array([[0, -2, 0, 5], [1, 0, 0, 6], [0, 0, 3, 7], [0, 0, 0, 1.0]])
GEOREFERENCE: list[tuple[int, int, int, Any, bool]] = [
    (33550, 12, 3, (2.0, 3.0, 0.0), True),
    (33922, 12, 6, (0.0, 0.0, 0.0, 100.0, 200.0, 0.0), True),
    (34735, 3, 8, (1, 1, 0, 1, 1024, 0, 1, 1), True),
    (34736, 12, 1, 6378137.0, True),
    (34737, 2, 0, "WGS 84|", True),
]


@pytest.mark.parametrize(
    ("largest", "smallest", "dtype"),
    [
        (0, 0, "uint8"),
        (255, 0, "uint8"),
        (256, 0, "uint16"),
        (2**16, 0, "uint32"),
        (2**32, 0, "uint64"),
        (127, -1, "int8"),
        (128, -1, "int16"),
        (0, -129, "int16"),
    ],
)
def test_the_smallest_dtype_holds_the_labels(largest: int, smallest: int, dtype: str) -> None:
    assert smallest_dtype(largest, smallest) == dtype


def test_labels_may_be_too_large() -> None:
    with pytest.raises(ValueError, match="labels from -1 to 18446744073709551615 do not fit"):
        smallest_dtype(2**64 - 1, -1)
    assert as_integers(np.zeros((0, 3))).shape == (0, 3)


@pytest.mark.parametrize("largest", [19, 300, 70_000])
@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.ome.tiff", "a.npy", "a.nii", "a.nii.gz"])
def test_other_libraries_read_the_labels(tmp_path: Path, name: str, largest: int) -> None:
    labels = np.where(LABELS == 19, largest, LABELS)
    if name == "a.png" and largest > 65535:
        with pytest.raises(ValueError, match="'a.png' cannot hold values of uint32.*Write .tif"):
            write_labels("a.png", labels)
        return
    write_labels(tmp_path / name, labels)
    read: Any = {
        ".png": lambda path: np.asarray(Image.open(path)),
        ".npy": np.load,
        ".nii": lambda path: np.asanyarray(nibabel.load(path).dataobj),
    }.get(name[1:5], tifffile.imread)
    values = read(tmp_path / name)
    np.testing.assert_array_equal(values, labels)
    assert values.dtype == smallest_dtype(largest)
    np.testing.assert_array_equal(read_mask(tmp_path / name), labels)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["a.tif", "a.npy", "a.nii.gz"])
def test_volumes_and_overlapping_labels(tmp_path: Path, name: str) -> None:
    write_labels(tmp_path / name, VOLUME)
    np.testing.assert_array_equal(read_mask(tmp_path / name), VOLUME)
    write_labels(tmp_path / name, VOLUME > 30, multilabel=True)
    read = read_mask(tmp_path / name, multilabel=True)
    np.testing.assert_array_equal(
        np.moveaxis(read, -1, 0) if read.shape[-1] == 3 else read, VOLUME > 30
    )
    if name == "a.tif":
        with tifffile.TiffFile(tmp_path / name) as file:
            assert file.series[0].axes == "CYX"
            assert file.pages[0].compression == tifffile.COMPRESSION.ADOBE_DEFLATE


def test_negative_labels_are_kept(tmp_path: Path) -> None:
    for name in ("a.tif", "a.npy", "a.nii"):
        write_labels(tmp_path / name, LABELS - 1)
        np.testing.assert_array_equal(read_mask(tmp_path / name), LABELS - 1)
    with pytest.raises(ValueError, match="labels from 0 to 65535"):
        write_labels(tmp_path / "a.png", LABELS - 1)


@pytest.mark.parametrize(
    ("shape", "axes"), [((2, 4, 5), "CYX"), ((2, 3, 4, 5), "CZYX"), ((1, 4, 5), "YX")]
)
def test_probabilities_are_channels(tmp_path: Path, shape: tuple[int, ...], axes: str) -> None:
    p = np.random.default_rng(0).random(shape)
    for name in ("a.tif", "a.nii.gz"):
        write_probabilities(tmp_path / name, p)
        image = read_image(tmp_path / name)
        assert (image.axes, image.values.dtype.name) == (axes, "float32")
        np.testing.assert_array_equal(
            image.values, p.astype(np.float32).reshape(image.values.shape)
        )
    write_probabilities(tmp_path / "a.npy", p)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), p.astype(np.float32))
    with pytest.raises(ValueError, match="'.*a.png' cannot hold values of shape"):
        write_probabilities(tmp_path / "a.png", p)


@pytest.mark.parametrize("name", ["mask.tif", "p.tif"])
def test_the_georeference_is_kept(tmp_path: Path, name: str) -> None:
    tags = [*GEOREFERENCE, (42112, 2, 0, "<GDALMetadata/>", True), (42113, 2, 0, "0", True)]
    bands = np.zeros((4, 5, 3), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", bands, photometric="rgb", extratags=tags)
    path = tmp_path / name
    if name == "p.tif":
        write_probabilities(path, P, tmp_path / "a.tif")
        np.testing.assert_array_equal(read_image(path).values, P.astype(np.float32))
    else:
        write_labels(path, LABELS, tmp_path / "a.tif")
    with tifffile.TiffFile(path) as file, tifffile.TiffFile(tmp_path / "a.tif") as source:
        for code, *_ in GEOREFERENCE:
            assert file.pages[0].tags[code].value == source.pages[0].tags[code].value
        assert file.geotiff_metadata == source.geotiff_metadata
        assert 42112 not in file.pages[0].tags  # describes the bands of the image
        assert 42113 not in file.pages[0].tags  # 0 is a class now
    write_labels(path, LABELS, tmp_path / "a.tif", nodata=255)
    assert read_image(path)[2:4] == ((3, 2), 255)


@pytest.mark.parametrize("spacing", [{}, {"spacing": 2.0}])
def test_the_scale_of_imagej_is_kept(tmp_path: Path, spacing: dict[str, float]) -> None:
    image, metadata = np.zeros((2, 4, 5), np.uint16), {"axes": "CYX", "unit": "micron", **spacing}
    tifffile.imwrite(
        tmp_path / "a.tif", image, imagej=True, metadata=metadata, resolution=(3.1, 1.55)
    )
    labels = np.arange(20).reshape(4, 5)
    write_labels(tmp_path / "mask.tif", labels, tmp_path / "a.tif")
    write_labels(tmp_path / "many.tif", labels + 300, tmp_path / "a.tif")
    write_probabilities(tmp_path / "p.tif", np.ones((3, 4, 5)), tmp_path / "a.tif")
    for name, axes in (("mask", "YX"), ("many", "YX"), ("p", "CYX")):
        with tifffile.TiffFile(tmp_path / f"{name}.tif") as file:
            assert file.is_imagej
            assert file.imagej_metadata["unit"] == "micron"
            assert file.imagej_metadata.get("spacing") == spacing.get("spacing")
            assert file.series[0].axes == axes
        assert read_image(tmp_path / f"{name}.tif").spacing == pytest.approx((1 / 1.55, 1 / 3.1))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "mask.tif"), labels)
    for other in (-labels, labels[:3]):  # what ImageJ does not read, and another size
        write_labels(tmp_path / "mask.tif", other, tmp_path / "a.tif")
        np.testing.assert_array_equal(read_mask(tmp_path / "mask.tif"), other)
        assert read_image(tmp_path / "mask.tif").spacing is None
    write_labels(tmp_path / "mask.ome.tif", labels, tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "mask.ome.tif") as file:
        assert file.is_ome


def test_a_georeference_must_fit(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 5), np.uint8), extratags=GEOREFERENCE)
    with pytest.raises(
        ValueError, match=r"a.tif' has 8 x 5 pixels, but the values are of shape \(4"
    ):
        write_labels(tmp_path / "b.tif", LABELS, tmp_path / "a.tif")
    assert not (tmp_path / "b.tif").exists()
    turned = [*GEOREFERENCE, (274, 3, 1, 6, True)]
    tifffile.imwrite(tmp_path / "a.tif", LABELS.T.astype("u1"), extratags=turned, metadata=None)
    write_labels(tmp_path / "b.tif", LABELS, tmp_path / "a.tif")
    assert read_image(tmp_path / "b.tif").spacing is None


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("shape", [(3, 4, 5), (4, 5, 1), (4, 5), (3, 4, 5, 2)])
def test_the_position_in_space_is_kept(tmp_path: Path, shape: tuple[int, ...], kind: Any) -> None:
    image = kind(np.random.default_rng(0).random(shape), AFFINE)
    image.set_qform(AFFINE + np.diag([0, 0, 1, 0]), 2)
    image.header.set_xyzt_units("mm", "sec")
    image.header["cal_max"], image.header["descrip"] = 900, b"name of a patient"
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"also a name"))
    image.to_filename(tmp_path / "a.nii.gz")
    labels = VOLUME if shape[0] == 3 else LABELS
    write_labels(tmp_path / "mask.nii.gz", labels, tmp_path / "a.nii.gz")
    mask, source = nibabel.load(tmp_path / "mask.nii.gz"), nibabel.load(tmp_path / "a.nii.gz")
    assert mask.header.sizeof_hdr == source.header.sizeof_hdr
    np.testing.assert_array_equal(mask.affine, source.affine)
    for form in ("get_qform", "get_sform"):
        (found, code), (expected, wanted) = (getattr(i, form)(coded=True) for i in (mask, source))
        assert code == wanted
        np.testing.assert_array_equal(found, expected)
    n = min(len(shape), 3)
    assert mask.header.get_zooms()[:n] == source.header.get_zooms()[:n]
    assert mask.header.get_xyzt_units()[0] == "mm"
    np.testing.assert_array_equal(np.squeeze(np.asanyarray(mask.dataobj)), labels)
    assert mask.get_data_dtype() == np.uint8
    assert (mask.header["cal_max"], bytes(mask.header["descrip"].item())) == (0, b"")
    assert not mask.header.extensions


def test_a_position_in_space_must_fit(tmp_path: Path) -> None:
    nibabel.Nifti1Image(np.zeros((5, 4, 3)), AFFINE).to_filename(tmp_path / "a.nii")
    with pytest.raises(
        ValueError, match=r"a.nii' has 5 x 4 x 3 voxels, but the values are of shape"
    ):
        write_labels(tmp_path / "b.nii", VOLUME, tmp_path / "a.nii")


def test_the_same_labels_make_the_same_file(tmp_path: Path) -> None:
    for name in ("a.nii.gz", "b.nii.gz"):
        write_labels(tmp_path / name, VOLUME)
    content = (tmp_path / "a.nii.gz").read_bytes()
    assert content == (tmp_path / "b.nii.gz").read_bytes()
    assert content[3:8] == bytes(5)  # neither a name nor a time


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.nii.gz", "a.npy"])
def test_a_file_appears_whole_or_not_at_all(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_labels(tmp_path / name, LABELS)
    before = (tmp_path / name).read_bytes()

    def fail(*_: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        write_labels(tmp_path / name, LABELS + 1)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == before


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.zarr", "a", "a.tar.gz"):
        with pytest.raises(
            ValueError, match=rf"{name}' is of a kind that masks are not written in"
        ):
            write_labels(tmp_path / name, LABELS)
    with pytest.raises(ValueError, match="dtype float64. Expected integers"):
        write_labels(tmp_path / "a.tif", LABELS / 2)
    with pytest.raises(ValueError, match=r"shape \(3, 4, 5\), but|shape \(5,\) are no mask"):
        write_labels(tmp_path / "a.tif", LABELS[0])
    with pytest.raises(FileNotFoundError, match="There is no folder '.*missing' for .*a.tif"):
        write_labels(tmp_path / "missing" / "a.tif", LABELS)
    (tmp_path / "a.tif").mkdir()
    with pytest.raises(IsADirectoryError, match="a.tif' is a folder"):
        write_labels(tmp_path / "a.tif", LABELS)


@pytest.mark.parametrize(
    ("name", "library", "extra"),
    [("a.png", "PIL", "images"), ("a.tif", "tifffile", "images"), ("a.nii", "nibabel", "medical")],
)
def test_a_missing_library_is_named(
    tmp_path: Path, name: str, library: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=rf"pip install 'sklearnloss\[{extra}\]'"):
        write_labels(tmp_path / name, LABELS)
    assert not list(tmp_path.iterdir())
