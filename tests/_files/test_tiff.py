"""TIFF files: what their axes are, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sklearnloss._files.read import FileError, read_image, read_mask
from sklearnloss._files.scene import open_scene

from ..estimators.conftest import classifier, segmenter

tifffile = pytest.importorskip("tifffile")
Image = pytest.importorskip("PIL.Image")

PAGES = np.arange(144, dtype=np.uint16).reshape(2, 8, 9)
GRAY = np.arange(72, dtype=np.uint8).reshape(8, 9)
WITHOUT_AXES: list[dict[str, Any]] = [{}, {"metadata": None}, {"bigtiff": True, "byteorder": ">"}]


@pytest.mark.parametrize(
    "options", [{"imagej": True}, {"ome": True}, {"ome": False}], ids=["ImageJ", "OME", "tifffile"]
)
@pytest.mark.parametrize("axes", ["CYX", "ZYX"])
def test_axes_in_the_file_tell_channels_from_slices(
    tmp_path: Path, axes: str, options: dict[str, Any]
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PAGES, metadata={"axes": axes}, **options)
    image = read_image(path)
    assert image.axes == axes
    np.testing.assert_array_equal(image.values, PAGES)
    model = classifier(max_epochs=1).fit([path] * 4, [0, 1, 0, 1])
    assert model.input_shape_ == ((2, 8, 9) if axes == "CYX" else (1, 2, 8, 9))


def test_channels_and_slices_are_put_in_order(tmp_path: Path) -> None:
    stack = np.arange(4 * 3 * 72, dtype=np.uint16).reshape(4, 3, 8, 9)
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "ZCYX"})
    image = read_image(tmp_path / "a.tif")
    assert image.axes == "CZYX"
    np.testing.assert_array_equal(image.values, stack.swapaxes(0, 1))
    tifffile.imwrite(tmp_path / "t.ome.tif", stack, metadata={"axes": "TZYX"})
    with pytest.raises(FileError, match="it holds 4 points in time. Expected one"):
        read_image(tmp_path / "t.ome.tif")


@pytest.mark.parametrize("options", WITHOUT_AXES)
def test_pages_without_axes_are_refused_unless_something_tells(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PAGES, **options)
    with pytest.raises(
        ValueError, match=r"a.tif' .*2 pages.*channels, set image_shape=\(2, 8, 9\)"
    ):
        classifier().fit([path] * 4, [0, 1, 0, 1])
    for shape in ((2, 8, 9), (1, 2, 8, 9)):
        model = classifier(image_shape=shape).fit([path] * 4, [0, 1, 0, 1])
        assert model.input_shape_ == shape


@pytest.mark.parametrize("n_pages", [2, 3, 4])
def test_masks_tell_what_pages_are(tmp_path: Path, n_pages: int) -> None:
    rng = np.random.default_rng(0)
    image, stack, flat = (tmp_path / f"{name}.tif" for name in ("image", "stack", "flat"))
    pixels = rng.normal(size=(n_pages, 8, 9)).astype(np.float32)
    options = {"photometric": "minisblack"}  # otherwise three pages are written as colors
    tifffile.imwrite(image, pixels, **options)
    tifffile.imwrite(stack, (pixels > 0).astype(np.uint8), **options)
    tifffile.imwrite(flat, (pixels[0] > 0).astype(np.uint8))
    volumes = segmenter(depth=1).fit([image] * 3, [stack] * 3)
    assert volumes.input_shape_ == (1, n_pages, 8, 9)
    assert volumes.predict([image]).shape == (1, n_pages, 8, 9)  # as in fit
    channels = segmenter(depth=1).fit([image] * 3, [flat] * 3)
    assert channels.input_shape_ == (n_pages, 8, 9)
    assert channels.predict([image]).shape == (1, 8, 9)


def test_pages_of_a_mask_are_never_taken_for_colors(tmp_path: Path) -> None:
    mask = (PAGES % 3 == 0).astype(np.uint8)
    tifffile.imwrite(tmp_path / "two.tif", mask)
    np.testing.assert_array_equal(read_mask(tmp_path / "two.tif"), mask)
    colors = {"photometric": "rgb", "planarconfig": "separate"}
    tifffile.imwrite(tmp_path / "three.tif", np.stack([mask[0]] * 3), **colors)
    with pytest.raises(FileError, match="3 channels.*If they are slices.*photometric='minisblack'"):
        read_mask(tmp_path / "three.tif")
    tifffile.imwrite(tmp_path / "c.tif", mask, imagej=True, metadata={"axes": "CYX"})
    with pytest.raises(FileError, match="2 channels, but a mask has one label per pixel"):
        read_mask(tmp_path / "c.tif")
    np.testing.assert_array_equal(read_mask(tmp_path / "c.tif", multilabel=True), mask)


def test_samples_of_a_pixel_are_channels(tmp_path: Path) -> None:
    bands = np.arange(360, dtype=np.uint8).reshape(5, 8, 9)
    last = np.ascontiguousarray(np.moveaxis(bands, 0, -1))
    options = {"photometric": "minisblack"}
    tifffile.imwrite(tmp_path / "planar.tif", bands, planarconfig="separate", **options)
    tifffile.imwrite(tmp_path / "contig.tif", last, planarconfig="contig", **options)
    for name in ("planar.tif", "contig.tif"):
        np.testing.assert_array_equal(read_image(tmp_path / name).values, bands)
    deep = last[..., :3].astype(np.uint16) * 200
    tifffile.imwrite(tmp_path / "deep.tif", deep, photometric="rgb")
    np.testing.assert_array_equal(
        read_image(tmp_path / "deep.tif").values, np.moveaxis(deep, -1, 0)
    )


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.bool_])
def test_white_may_be_zero(tmp_path: Path, kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = (GRAY % 2 if kind is np.bool_ else GRAY).astype(kind)
    tifffile.imwrite(tmp_path / "a.tif", numbers, photometric="miniswhite")
    for _ in range(2):  # with tifffile, and without
        np.testing.assert_array_equal(read_image(tmp_path / "a.tif").values, ~numbers)
        np.testing.assert_array_equal(read_mask(tmp_path / "a.tif"), numbers)
        monkeypatch.setitem(sys.modules, "tifffile", None)


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "i4", ">u2", "u4"])
def test_numbers_of_every_kind_are_read(tmp_path: Path, kind: str) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", GRAY.astype(kind) / 4 if "f" in kind else GRAY.astype(kind)
    )
    read = read_image(tmp_path / "a.tif").values
    np.testing.assert_array_equal(read, GRAY / 4 if "f" in kind else GRAY)
    assert read.dtype.isnative
    assert read.dtype == np.dtype(kind).newbyteorder("=")


def test_other_images_in_the_file_are_not_dropped(tmp_path: Path) -> None:
    pages = [Image.fromarray(GRAY), Image.fromarray(GRAY[:4, :4])]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(FileError, match=r"it holds 2 images, of shapes \(8, 9\), \(4, 4\)"):
        read_image(tmp_path / "a.tif")
    with tifffile.TiffWriter(tmp_path / "pyramid.tif") as file:
        file.write(np.ones((64, 64), np.uint8), subifds=1)
        file.write(np.ones((32, 32), np.uint8), subfiletype=1)
    assert read_image(tmp_path / "pyramid.tif").values.shape == (64, 64)


@pytest.mark.parametrize("rest", [0.95, 0.55, 0.3])
@pytest.mark.parametrize("options", [{}, {"metadata": None}, {"compression": "zlib"}])
def test_a_tiff_that_was_cut_off_is_refused(
    tmp_path: Path, rest: float, options: dict[str, Any]
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.random.default_rng(0).random((2, 40, 50)), **options)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(rest * len(whole))])
    with pytest.raises(FileError, match="a.tif' cannot be read"):
        read_image(path)


@pytest.mark.parametrize(
    ("pixels", "options", "message"),
    [
        (PAGES, {"imagej": True, "metadata": {"axes": "CYX"}}, "has 2 pages"),
        (PAGES, {"metadata": None}, "has 2 pages"),
        (np.full((8, 9, 3), 999, np.uint16), {"photometric": "rgb"}, "has 16 bits per color"),
        (GRAY.astype(float), {}, "is of a kind that Pillow does not support"),
    ],
)
def test_what_pillow_reads_a_part_of_needs_tifffile(
    tmp_path: Path,
    pixels: np.ndarray,
    options: dict[str, Any],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels, **options)
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(
        ImportError, match=rf"a.tif' {message}.*pip install 'sklearnloss\[images\]'"
    ):
        segmenter().fit([path] * 4, np.zeros((4, 8, 9), int))


def test_the_suffix_does_not_matter(tmp_path: Path) -> None:
    Image.fromarray(GRAY).save(tmp_path / "a.tif", "PNG")
    tifffile.imwrite(tmp_path / "b.png", PAGES, metadata={"axes": "ZYX"})
    assert read_image(tmp_path / "a.tif").values.shape == (8, 9)
    assert read_image(tmp_path / "b.png").axes == "ZYX"


def test_flat_images_and_volumes_do_not_mix(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PAGES, metadata={"axes": "ZYX"})
    tifffile.imwrite(tmp_path / "b.tif", PAGES[0])
    with pytest.raises(
        ValueError, match=r"X\[1\] \(.*b.tif'\) .*2-D images and volumes do not mix"
    ):
        classifier().fit([tmp_path / "a.tif", tmp_path / "b.tif"], [0, 1])


@pytest.mark.parametrize(("tag", "value"), [(256, 5000), (257, 2**28), (323, 1)])
@pytest.mark.parametrize("read", [read_image, open_scene])
def test_compressed_files_have_the_tiles_that_they_announce(
    tmp_path: Path, tag: int, value: int, read: Any
) -> None:
    tifffile = pytest.importorskip("tifffile")
    path = tmp_path / "a.tif"
    image = np.ones((40, 40), np.uint8)
    tifffile.imwrite(path, image, tile=(16, 16), compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages.first.tags[tag].overwrite(value, dtype="I")
    with pytest.raises(FileError, match="damaged"):
        read(path)


def test_a_strip_cannot_be_a_thousand_times_smaller(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((40, 40), np.uint8), compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages.first.tags[256].overwrite(2**23, dtype="I")
    with pytest.raises(FileError, match="announces 320 MiB"):
        read_image(path)
