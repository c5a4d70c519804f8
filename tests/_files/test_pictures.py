"""Pictures as they are seen, and masks as they are written."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sklearnloss._files.read import FileError, read_image, read_mask

from ..estimators.conftest import classifier, segmenter

Image = pytest.importorskip("PIL.Image")

GRAY = np.arange(72, dtype=np.uint8).reshape(8, 9)
RGB = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
COLORS = np.array([[255, 0, 0], [0, 200, 0], [0, 0, 90], [9, 9, 9]], dtype=np.uint8)
# What is seen of an image by its EXIF orientation, said with other words than the code has.
SEEN: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.T,
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).T,
    8: np.rot90,
}


def palette_picture(colors: np.ndarray = COLORS) -> Any:
    picture = Image.fromarray(GRAY % 4)
    picture.putpalette(colors.ravel().tolist())
    return picture


def png(width: int, height: int, depth: int, kind: int, rows: bytes) -> bytes:
    """Return a PNG file, also one that Pillow does not write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
@pytest.mark.parametrize("orientation", SEEN)
def test_images_and_masks_are_turned_as_they_are_seen(
    tmp_path: Path, suffix: str, orientation: int
) -> None:
    picture = Image.fromarray(GRAY)
    exif = picture.getexif()
    exif[274] = orientation
    path = tmp_path / f"a{suffix}"
    picture.save(path, exif=exif, lossless=True)
    expected = SEEN[orientation](GRAY)
    image = read_image(path)
    gray = image.values if image.axes == "YX" else image.values[0]  # WebP has colors always
    np.testing.assert_array_equal(gray, expected)
    np.testing.assert_array_equal(read_mask(path), expected)


@pytest.mark.parametrize("orientation", [2, 5, 6, 8])
def test_a_tiff_is_turned_without_tifffile_too(
    tmp_path: Path, orientation: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = Image.fromarray(GRAY)
    exif = picture.getexif()
    exif[274] = orientation
    picture.save(tmp_path / "a.tif", exif=exif)
    monkeypatch.setitem(__import__("sys").modules, "tifffile", None)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").values, SEEN[orientation](GRAY))


@pytest.mark.parametrize("suffix", [".png", ".gif", ".tif", ".bmp"])
def test_palettes_are_colors_of_images_and_numbers_of_masks(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    palette_picture().save(path)
    np.testing.assert_array_equal(read_image(path).values, np.moveaxis(COLORS[GRAY % 4], -1, 0))
    np.testing.assert_array_equal(read_mask(path), GRAY % 4)


@pytest.mark.parametrize("labels", [[0], [255], [0, 2], [0, 1, 2, 255]])
def test_gray_gifs_are_masks_of_their_gray_levels(tmp_path: Path, labels: list[int]) -> None:
    # Pillow numbers the gray levels that occur in each file.
    mask = np.resize(labels, (8, 9)).astype(np.uint8)
    Image.fromarray(mask).save(tmp_path / "a.gif")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.gif"), mask)


@pytest.mark.parametrize("suffix", [".png", ".gif", ".tif"])
def test_gray_palettes_are_gray_levels(tmp_path: Path, suffix: str) -> None:
    levels = np.array([200, 100, 50, 0], dtype=np.uint8)
    palette_picture(np.stack([levels] * 3, 1)).save(tmp_path / f"a{suffix}")
    image = read_image(tmp_path / f"a{suffix}")
    assert image.axes == "YX"
    np.testing.assert_array_equal(image.values, levels[GRAY % 4])


def test_transparency_of_a_palette_is_a_channel_where_it_is_used(tmp_path: Path) -> None:
    palette_picture().save(tmp_path / "used.png", transparency=2)
    palette_picture().save(tmp_path / "unused.png", transparency=200)
    alpha = read_image(tmp_path / "used.png").values[3]
    np.testing.assert_array_equal(alpha, np.where(GRAY % 4 == 2, 0, 255))
    assert len(read_image(tmp_path / "unused.png").values) == 3


@pytest.mark.parametrize("alpha", [255, 100])
def test_alpha_is_a_channel_of_images_and_none_of_masks(tmp_path: Path, alpha: int) -> None:
    shade = np.full_like(GRAY, alpha)
    Image.fromarray(np.dstack([GRAY, shade])).save(tmp_path / "la.png")
    Image.fromarray(np.dstack([GRAY, GRAY, GRAY, shade])).save(tmp_path / "rgba.png")
    assert read_image(tmp_path / "la.png").values.shape == (2, 8, 9)
    assert read_image(tmp_path / "rgba.png").values.shape == (4, 8, 9)
    np.testing.assert_array_equal(read_mask(tmp_path / "la.png"), GRAY)
    np.testing.assert_array_equal(read_mask(tmp_path / "rgba.png"), GRAY)


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
@pytest.mark.parametrize("mode", ["CMYK", "YCbCr"])
def test_other_ways_to_write_colors_become_red_green_and_blue(
    tmp_path: Path, suffix: str, mode: str
) -> None:
    if (mode, suffix) == ("YCbCr", ".tif") and int(version("pillow").partition(".")[0]) < 13:
        pytest.skip("Pillow before 13 does not read what it writes")
    smooth = np.stack([np.full((16, 16), level, np.uint8) for level in (200, 120, 40)], -1)
    Image.fromarray(smooth).convert(mode).save(tmp_path / f"a{suffix}")
    image = read_image(tmp_path / f"a{suffix}").values
    assert image.shape == (3, 16, 16)
    np.testing.assert_allclose(image.mean((1, 2)), [200, 120, 40], atol=4)


def test_several_frames_are_refused(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.roll(GRAY, k)) for k in range(3)]
    for suffix in (".gif", ".png", ".webp"):
        frames[0].save(tmp_path / f"a{suffix}", save_all=True, append_images=frames[1:])
        with pytest.raises(FileError, match=r"a\.\w+' cannot be read: it has 3 pages or frames"):
            read_image(tmp_path / f"a{suffix}")


def test_a_phone_s_picture_is_read_without_its_previews(tmp_path: Path) -> None:
    others = [Image.fromarray(RGB[:4])]
    Image.fromarray(RGB).save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=others)
    assert read_image(tmp_path / "a.jpg").values.shape == (3, 8, 9)


def test_16_bits_per_color_are_never_cut_to_8(tmp_path: Path) -> None:
    (tmp_path / "rgb.png").write_bytes(png(2, 2, 16, 2, (b"\0" + b"\1\2" * 6) * 2))
    (tmp_path / "la.png").write_bytes(png(2, 2, 16, 4, (b"\0" + b"\1\2" * 4) * 2))
    (tmp_path / "rgb.ppm").write_bytes(b"P6\n2 2\n65535\n" + b"\1\2" * 12)
    for name in ("rgb.png", "la.png", "rgb.ppm"):
        with pytest.raises(FileError, match="16 bits per color, of which Pillow keeps 8"):
            read_image(tmp_path / name)
    (tmp_path / "gray.png").write_bytes(png(2, 2, 16, 0, (b"\0" + b"\1\2" * 2) * 2))
    gray = read_image(tmp_path / "gray.png").values
    assert gray.dtype == np.uint16
    assert gray.max() == 258


def test_a_pgm_mask_keeps_its_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.pgm").write_bytes(b"P5\n2 2\n3\n" + bytes([0, 1, 2, 3]))
    (tmp_path / "b.pgm").write_bytes(b"P5\n2 2\n300\n" + bytes([0, 1, 0, 2, 0, 3, 1, 44]))
    assert read_mask(tmp_path / "a.pgm").tolist() == [[0, 1], [2, 3]]
    assert read_mask(tmp_path / "b.pgm").tolist() == [[1, 2], [3, 300]]
    assert read_image(tmp_path / "a.pgm").values.tolist() == [[0, 85], [170, 255]]


def test_a_huge_picture_is_refused_before_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(100_000, 100_000, 8, 0, b"\0" * 99))
    with pytest.raises(FileError, match=r"a.png' .*decompression bomb.*MAX_IMAGE_PIXELS = None"):
        read_image(tmp_path / "a.png")


def test_colors_are_no_mask(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "a.png")
    with pytest.raises(FileError, match="a.png' cannot be read: it is a mask in color"):
        read_mask(tmp_path / "a.png")
    assert read_mask(tmp_path / "a.png", multilabel=True).shape == (3, 8, 9)
    Image.fromarray(RGB).convert("CMYK").save(tmp_path / "a.jpg")
    with pytest.raises(FileError, match="a mask of mode CMYK"):
        read_mask(tmp_path / "a.jpg")


def test_pictures_of_pillow_are_images_and_masks() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (4, 16, 12, 3), dtype=np.uint8)
    masks = (pixels[..., 0] > 127).astype(np.uint8)
    pictures = [Image.fromarray(image) for image in pixels]
    model = segmenter().fit(pictures, [Image.fromarray(mask) for mask in masks])
    expected = segmenter(channels="last").fit(pixels, masks)
    np.testing.assert_allclose(
        model.predict_proba(pictures), expected.predict_proba(pixels), atol=1e-4
    )
    assert classifier().fit(pictures, [0, 1, 0, 1]).input_shape_ == (3, 16, 12)
