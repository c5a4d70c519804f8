"""The reader's parameters, pixels without data, sizes, and the way back to a file's size."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

import sklearnloss
from sklearnloss import FileReader
from sklearnloss._files.pixels import Pixels
from sklearnloss._files.read import FileError
from sklearnloss._files.resize import fitted_size, resize_linear

GIVEN: list[dict[str, Any]] = [
    {},
    {"color": "rgb", "resize": 64},
    {"nodata": float("nan"), "masks": "border"},
    {"colors": {(255, 0, 0): 1, (0, 0, 0): 0}},
]


@pytest.mark.parametrize("params", GIVEN)
def test_a_reader_is_its_parameters(params: dict[str, Any]) -> None:
    reader = FileReader(**params)
    names = ["color", "resize", "nodata", "masks", "colors"]
    assert list(reader.get_params()) == names
    nan = float("nan")
    for copy in (
        clone(reader),
        pickle.loads(pickle.dumps(reader)),
        FileReader().set_params(**params),
        eval(repr(reader), {"FileReader": FileReader, "nan": nan}),
    ):
        assert copy == reader
        assert hash(copy) == hash(reader)
        assert repr(copy) == repr(reader)
    assert reader != FileReader(resize=65)
    assert reader != "reader"
    assert sklearnloss.FileReader is FileReader


def test_a_repr_shows_what_was_given() -> None:
    assert repr(FileReader()) == "FileReader()"
    assert repr(FileReader(masks="objects", resize=8)) == "FileReader(resize=8, masks='objects')"


def test_the_order_of_colors_does_not_matter() -> None:
    one, other = {(0, 0, 0): 0, (1, 1, 1): 1}, {(1, 1, 1): 1, (0, 0, 0): 0}
    assert FileReader(colors=one) == FileReader(colors=other)
    assert FileReader(colors=one) != FileReader(colors={**one, (1, 1, 1): 2})


def test_an_unknown_parameter_is_refused() -> None:
    reader = FileReader(resize=3)
    with pytest.raises(ValueError, match=r"Invalid parameter 'colour' for.*Did you mean 'color'"):
        reader.set_params(resize=4, colour="rgb")
    assert reader.resize == 3


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"color": "grey"}, "color='grey' of FileReader: expected 'gray' or .*Did you mean 'gray'"),
        ({"color": 3}, "color=3 of FileReader: expected 'gray' or 'rgb' or None"),
        (
            {"masks": "instances"},
            "masks='instances' of FileReader: expected 'classes' or",
        ),
        ({"resize": 0}, "resize=0 of FileReader: expected a whole number"),
        ({"resize": True}, "resize=True of FileReader"),
        ({"resize": 3.5}, "resize=3.5 of FileReader"),
        ({"nodata": "0"}, "nodata='0' of FileReader: expected a number"),
        ({"nodata": False}, "nodata=False of FileReader: expected a number"),
        ({"colors": {}}, r"colors=\{\} of FileReader: expected a dict such as"),
        ({"colors": [1]}, r"colors=\[1\] of FileReader: expected a dict such as"),
        ({"colors": {"red": 1}}, "holds the color 'red'. Expected .red, green, blue., each"),
        ({"colors": {(0, 0, 256): 1}}, r"holds the color \(0, 0, 256\)"),
        ({"colors": {(0, 0, 2): 1.5}}, r"holds the label 1.5 for \(0, 0, 2\). Expected a whole"),
        ({"colors": {(0, 0, 0): 1}, "masks": "border"}, "both colors.*and masks='border'. Leave"),
    ],
)
def test_a_parameter_that_is_not_valid_is_named(
    tmp_path: Path, params: Mapping[str, Any], message: str
) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 2)))
    reader = FileReader(**params)
    for use in (reader.check, lambda: reader.image(tmp_path / "a.npy")):
        with pytest.raises(ValueError, match=message):
            use()
    with pytest.raises(ValueError, match=message):
        reader.mask(tmp_path / "a.npy")


@pytest.mark.parametrize("params", [{"masks": "objects"}, {"colors": {(0, 0, 0): 0}}])
def test_classes_that_exclude_each_other_are_not_for_a_mask_per_label(
    tmp_path: Path, params: dict[str, Any]
) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 3, 3)))
    with pytest.raises(ValueError, match="multilabel=True is for one mask per label"):
        FileReader(**params).mask(tmp_path / "a.npy", multilabel=True)


def test_pixels_without_data_are_masked_in_each_channel(tmp_path: Path) -> None:
    image = np.array([[[0, 1], [2, 3]], [[4, 0], [6, 7]]], np.uint8)
    np.save(tmp_path / "a.npy", image)
    values: Any = FileReader(nodata=0).image(tmp_path / "a.npy").values
    np.testing.assert_array_equal(np.ma.getmaskarray(values), image == 0)
    np.testing.assert_array_equal(values.data, image)
    for nodata in (9, 0.5, -9999, float("nan")):  # no such pixel, so nothing is masked
        assert type(FileReader(nodata=nodata).image(tmp_path / "a.npy").values) is np.ndarray


@pytest.mark.parametrize("nodata", [float("nan"), -3.4028234663852886e38, 0.1, float("inf")])
def test_values_without_data_may_be_fractions_and_nan(tmp_path: Path, nodata: float) -> None:
    image = np.array([[1, nodata], [nodata, 2]], np.float32)
    np.save(tmp_path / "a.npy", image)
    values: Any = FileReader(nodata=nodata).image(tmp_path / "a.npy").values
    np.testing.assert_array_equal(values.mask, [[False, True], [True, False]])


def test_what_the_file_declares_is_used_unless_a_value_is_given() -> None:
    assert FileReader().convert(Pixels(np.array([[7, 8]]), None)).values.tolist() == [[7, 8]]
    pixels = _declared(np.array([[7, 8]]), 7)
    assert FileReader().convert(pixels).values.tolist() == [[None, 8]]
    assert FileReader(nodata=8).convert(pixels).values.tolist() == [[7, None]]


def test_nan_is_masked_in_addition_to_what_the_file_declares() -> None:
    nan = float("nan")
    reader = FileReader(nodata=nan)
    pixels = _declared(np.array([[-9999, nan, 8]], np.float32), -9999)
    assert reader.convert(pixels).values.tolist() == [[None, None, 8]]
    assert reader.convert(_declared(np.array([[7, 8]]), 7)).values.tolist() == [[None, 8]]


def _declared(values: np.ndarray, nodata: float) -> Pixels:
    return Pixels(values, None, nodata=nodata)


def test_gray_has_no_value_where_a_color_has_none(tmp_path: Path) -> None:
    colors = np.full((3, 2, 2), 100, np.uint8)
    colors[1, 0, 1] = 0
    np.save(tmp_path / "a.npy", colors)
    gray = FileReader(nodata=0, color="gray").image(tmp_path / "a.npy", channels="first").values
    assert gray.tolist() == [[100, None], [100, 100]]
    np.save(tmp_path / "a.npy", colors[1])
    values: Any = (
        FileReader(nodata=0, color="rgb").image(tmp_path / "a.npy", channels="first").values
    )
    np.testing.assert_array_equal(values.mask, [[[False, True], [False, False]]] * 3)


def test_opacity_of_zero_is_not_missing_data(tmp_path: Path) -> None:
    picture = pytest.importorskip("PIL.Image")
    colors = np.full((4, 4, 4), 50, np.uint8)
    colors[..., 3] = 0
    picture.fromarray(colors, "RGBA").save(tmp_path / "a.png")
    assert (FileReader(color="rgb", nodata=0).image(tmp_path / "a.png").values == 50).all()


@pytest.mark.parametrize("size", [(9, 16), (16, 9), (16, 16), (1, 16), (15, 16), (5, 3)])
@pytest.mark.parametrize("color", [None, "rgb"])
def test_images_are_resized_in_shape_and_padded(
    tmp_path: Path, size: tuple[int, int], color: Any
) -> None:
    image = np.random.default_rng(0).integers(0, 256, size).astype(np.uint8)
    np.save(tmp_path / "a.npy", image)
    values: Any = (
        FileReader(resize=8, color=color).image(tmp_path / "a.npy", channels="first").values
    )
    assert values.shape == ((3, 8, 8) if color else (8, 8))
    assert values.dtype == np.uint8
    plane = values[0] if color else values
    inner = fitted_size(size, 8)
    known = ~np.ma.getmaskarray(plane)
    assert known.sum() == np.prod(inner)
    assert isinstance(values, np.ma.MaskedArray) == (size[0] != size[1] and min(inner) < 8)
    expected = resize_linear(image, (0, 1), inner)
    np.testing.assert_array_equal(np.ma.getdata(plane)[known].reshape(inner), expected)
    rows = np.flatnonzero(known.any(1))
    assert rows[0] in ((8 - len(rows)) // 2, (9 - len(rows)) // 2)


def test_masks_are_resized_like_their_images(tmp_path: Path) -> None:
    labels = np.random.default_rng(0).choice([0, 3, 200], (20, 30)).astype(np.uint8)
    np.save(tmp_path / "a.npy", labels)
    np.save(tmp_path / "b.npy", labels[None])
    np.save(tmp_path / "c.npy", np.stack([labels > 0, labels > 3]))
    reader: Any = FileReader(resize=12)
    image = reader.image(tmp_path / "a.npy").values
    for name in ("a.npy", "b.npy"):
        mask = reader.mask(tmp_path / name)
        assert set(mask.compressed().tolist()) == {0, 3, 200}
        np.testing.assert_array_equal(mask.mask, image.mask)
    several = reader.mask(tmp_path / "c.npy", multilabel=True)
    np.testing.assert_array_equal(several.data[0], (mask.data > 0))
    np.testing.assert_array_equal(several.mask, [image.mask] * 2)


@pytest.mark.parametrize("size", [(9, 16), (16, 9), (64, 64), (1, 50), (7, 7, 5), (30, 40)])
def test_predictions_return_to_the_size_of_the_file(tmp_path: Path, size: tuple[int, ...]) -> None:
    reader: Any = FileReader(resize=16)
    slope = np.add.outer(np.zeros(size[:-1]), np.arange(size[-1]) / size[-1])
    np.save(tmp_path / "a.npy", slope)
    small = reader.image(tmp_path / "a.npy", n_axes=len(size)).values
    back = reader.restore(np.stack([small, 1 - small]).astype(np.float32), size)
    assert (back.shape, back.dtype) == ((2, *size), np.float32)
    inside: Any = (0, *(slice(None),) * (len(size) - 1), slice(4, -4))
    np.testing.assert_allclose(back[inside], slope[inside[1:]], atol=0.1)
    labels = np.where(np.ma.filled(small, 0) > 0.5, 255, 0).astype(np.uint8)
    restored = reader.restore(labels, size)
    assert (restored.shape, restored.dtype) == (size, np.uint8)
    assert set(np.unique(restored).tolist()) <= {0, 255}
    assert (restored == 255).mean() == pytest.approx((slope > 0.5).mean(), abs=0.15)


def test_restoring_is_exact_where_nothing_was_resized(tmp_path: Path) -> None:
    image = np.random.default_rng(0).random((10, 16)).astype(np.float32)
    np.save(tmp_path / "a.npy", image)
    reader: Any = FileReader(resize=16)
    padded = reader.image(tmp_path / "a.npy").values
    assert padded.shape == (16, 16)
    np.testing.assert_array_equal(reader.restore(np.ma.getdata(padded), (10, 16)), image)
    assert FileReader().restore(image, (3, 3)) is image
    with pytest.raises(ValueError, match=r"values has shape \(10, 16\). Expected.*\(..., 16, 16\)"):
        reader.restore(image, (10, 16))


@pytest.mark.parametrize("shape", [(), (0, 4), (3, 0)])
def test_an_image_without_pixels_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "a.npy", np.zeros(shape))
    for read in (FileReader(resize=4).image, FileReader(resize=4).mask):
        with pytest.raises(FileError, match=r"a.npy' cannot be read: it has shape"):
            read(tmp_path / "a.npy")


def test_pictures_opened_with_pillow_are_read_like_files(tmp_path: Path) -> None:
    picture = pytest.importorskip("PIL.Image")
    colors = np.random.default_rng(0).integers(0, 2, (6, 9, 3)).astype(np.uint8) * 255
    picture.fromarray(colors).save(tmp_path / "a.png")
    table: Any = {tuple(255 * (k >> b & 1) for b in range(3)): k for k in range(8)}
    reader: Any = FileReader(color="gray", resize=5, colors=table)
    opened = picture.open(tmp_path / "a.png")
    for read in (reader.mask, lambda each: reader.image(each).values):
        from_file, from_picture = read(tmp_path / "a.png"), read(opened)
        np.testing.assert_array_equal(from_file, from_picture)
        np.testing.assert_array_equal(from_file.mask, from_picture.mask)
