"""Gray levels, red, green and blue, and colors that are labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sklearnloss import FileReader
from sklearnloss._files.colors import convert_colors
from sklearnloss._files.read import FileError

Image = pytest.importorskip("PIL.Image")
RNG = np.random.default_rng(0)
COLORS = RNG.integers(0, 256, (6, 7, 3)).astype(np.uint8)
MODES = ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"]


def saved(path: Path, mode: str) -> Any:
    """Save a picture in a mode, and return it."""
    picture = Image.fromarray(COLORS).convert(mode)
    picture.save(path.with_suffix(".tif" if mode == "CMYK" else ".png"))
    return picture


@pytest.mark.parametrize("mode", MODES)
def test_every_kind_of_picture_becomes_gray_as_with_pillow(tmp_path: Path, mode: str) -> None:
    picture = saved(tmp_path / "a.png", mode)
    pixels = FileReader(color="gray").image(next(tmp_path.iterdir()))
    assert pixels.axes == "YX"
    assert pixels.values.dtype == np.uint8
    by_colors = picture.convert("RGB").convert("L")
    np.testing.assert_array_equal(pixels.values, np.asarray(by_colors))


@pytest.mark.parametrize("mode", MODES)
def test_every_kind_of_picture_becomes_rgb_as_with_pillow(tmp_path: Path, mode: str) -> None:
    picture = saved(tmp_path / "a.png", mode)
    pixels = FileReader(color="rgb").image(next(tmp_path.iterdir()))
    assert pixels.axes == "SYX"
    assert pixels.values.dtype == np.uint8
    np.testing.assert_array_equal(
        pixels.values, np.moveaxis(np.asarray(picture.convert("RGB")), -1, 0)
    )


def test_deep_colors_get_the_same_weights(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    deep = RNG.integers(0, 65536, (5, 4, 3)).astype(np.uint16)
    kinds: list[np.ndarray] = [deep, deep.astype(np.float32), deep / 65535]
    for number, values in enumerate(kinds):
        path = tmp_path / f"{number}.tif"
        tifffile.imwrite(path, values, photometric="rgb")
        gray = FileReader(color="gray").image(path).values
        assert gray.dtype == values.dtype
        expected = values.astype(float) @ np.array([19595, 38470, 7471]) / 65536
        np.testing.assert_allclose(gray, expected, rtol=1e-6, atol=0.5 * (values.dtype == "u2"))
        assert (FileReader(color="rgb").image(path).values == np.moveaxis(values, -1, 0)).all()
    white = np.full((3, 2, 2), 65535, np.uint16)
    assert (convert_colors(white, 0, "gray") == 65535).all()


@pytest.mark.parametrize("color", ["gray", "rgb"])
def test_other_numbers_of_channels_are_refused(tmp_path: Path, color: Any) -> None:
    tifffile = pytest.importorskip("tifffile")
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((5, 6, 7), np.uint8), metadata={"axes": "CYX"})
    with pytest.raises(FileError, match=r"a.tif' cannot be read: it has 5 channels. Expected gray"):
        FileReader(color=color).image(path)
    np.save(tmp_path / "a.npy", np.zeros((6, 7, 4)))
    with pytest.raises(FileError, match=r"a.npy' cannot be read: it has 4 channels"):
        FileReader(color=color).image(tmp_path / "a.npy", channels="last")


def test_pages_may_be_slices(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, RNG.integers(0, 9, (5, 6, 7)).astype(np.uint8), photometric="minisblack")
    with pytest.raises(FileError, match="does not say whether they are channels or slices"):
        FileReader(color="rgb").image(path)
    pixels = FileReader(color="rgb").image(path, n_axes=3)
    assert (pixels.axes, pixels.values.shape) == ("SZYX", (3, 5, 6, 7))
    assert FileReader(color="gray").image(path, n_axes=3).axes == "ZYX"
    assert FileReader(resize=4).image(path, n_axes=3).values.shape == (4, 4, 4)
    with pytest.raises(FileError, match="it has 5 channels"):
        FileReader(color="gray").image(path, n_axes=2)
    assert FileReader(resize=4).image(path, n_axes=2).values.shape == (5, 4, 4)


def test_arrays_keep_the_place_of_their_channels(tmp_path: Path) -> None:
    reader = FileReader(color="rgb")
    for shape, channels, expected in [
        ((6, 7), "first", (3, 6, 7)),
        ((6, 7), "last", (6, 7, 3)),
        ((6, 7, 1), "last", (6, 7, 3)),
        ((1, 6, 7), "first", (3, 6, 7)),
        ((3, 6, 7), "first", (3, 6, 7)),
    ]:
        np.save(tmp_path / "a.npy", np.zeros(shape))
        given: Any = channels
        pixels = reader.image(tmp_path / "a.npy", channels=given)
        assert (pixels.axes, pixels.values.shape) == (None, expected)
    assert FileReader(color="gray").image(tmp_path / "a.npy", channels="first").values.ndim == 2
    with pytest.raises(FileError, match="Pass channels='first' or 'last', or save it as TIFF"):
        reader.image(tmp_path / "a.npy")


TABLE = {(255, 0, 0): 2, (0, 0, 0): 0, (10, 20, 30): 7}
LABELS = RNG.choice([0, 2, 7], (8, 9))


def colored(labels: np.ndarray) -> np.ndarray:
    """Return labels in their colors."""
    picture = np.zeros((*labels.shape, 3), np.uint8)
    for color, label in TABLE.items():
        picture[labels == label] = color
    return picture


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_colors_become_labels(tmp_path: Path, mode: str) -> None:
    picture = Image.fromarray(colored(LABELS))
    picture = picture.convert(mode, palette=Image.Palette.ADAPTIVE)
    picture.save(tmp_path / "a.png")
    mask = FileReader(colors=TABLE).mask(tmp_path / "a.png")
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, LABELS)


def test_gray_pictures_and_arrays_have_colors_too(tmp_path: Path) -> None:
    gray = np.where(LABELS > 0, 255, 0).astype(np.uint8)
    Image.fromarray(gray).save(tmp_path / "a.png")
    Image.fromarray(gray).convert("1").save(tmp_path / "b.png")
    reader = FileReader(colors={(0, 0, 0): -1, (255, 255, 255): 300})
    for name in ("a.png", "b.png"):
        mask = reader.mask(tmp_path / name)
        assert mask.dtype == np.int16
        np.testing.assert_array_equal(mask, np.where(gray > 0, 300, -1))
    np.save(tmp_path / "a.npy", colored(LABELS))
    np.testing.assert_array_equal(FileReader(colors=TABLE).mask(tmp_path / "a.npy"), LABELS)


def test_colors_are_resized_as_labels(tmp_path: Path) -> None:
    Image.fromarray(colored(LABELS)).save(tmp_path / "a.png")
    mask: Any = FileReader(colors=TABLE, resize=27).mask(tmp_path / "a.png")
    assert set(mask.compressed().tolist()) == {0, 2, 7}
    np.testing.assert_array_equal(mask[1:25][1::3, 1::3], LABELS)
    assert mask.mask[[0, 25, 26]].all()


def test_a_color_without_a_label_is_an_error(tmp_path: Path) -> None:
    picture = colored(LABELS)
    picture[0, :3] = 1, 2, 3
    picture[1, 0] = 1, 2, 4
    Image.fromarray(picture).save(tmp_path / "a.png")
    with pytest.raises(
        FileError,
        match=r"a.png'.*color \(1, 2, 3\) of 3 pixels is not in colors, which has \(0, 0, 0\), \(10"
        r".*1 other colors are missing, too. Add it to colors",
    ):
        FileReader(colors=TABLE).mask(tmp_path / "a.png")
    Image.fromarray(colored(LABELS)).save(tmp_path / "a.jpg")
    with pytest.raises(FileError, match=r"a.jpg'.*JPEG compression blurs colors: save masks as"):
        FileReader(colors=TABLE).mask(tmp_path / "a.jpg")
