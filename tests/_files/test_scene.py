"""Parts of images, compared with the same parts of the whole image."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sklearnloss._files import limits
from sklearnloss._files.pixels import arrange
from sklearnloss._files.read import FileError, read_image
from sklearnloss._files.scene import open_scene

tifffile = pytest.importorskip("tifffile")

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 60_000, (70, 90), dtype=np.uint16)
RGB = RNG.integers(0, 255, (70, 90, 3), dtype=np.uint8)
STACK = RNG.integers(0, 60_000, (5, 2, 40, 30), dtype=np.uint16)
BANDS = np.stack([GRAY + k for k in range(5)])
PLANES = {"photometric": "minisblack", "planarconfig": "separate"}


def assert_same(path: Path, n_axes: int = 2, channels: Any = "first") -> None:
    """Compare random parts with those of the whole image."""
    pixels = read_image(path)
    whole = arrange(pixels, channels, n_axes=n_axes)
    if whole.ndim == n_axes:
        whole = whole[None]
    elif channels == "last":
        whole = np.moveaxis(whole, -1, 0)
    with open_scene(path, n_axes=n_axes, channels=channels) as scene:  # type: ignore[union-attr]
        assert (scene.shape, scene.dtype) == (whole.shape, whole.dtype)
        assert (scene.spacing, scene.nodata) == (pixels.spacing, pixels.nodata)
        for k in range(20):
            ends = [sorted(map(int, RNG.integers(0, n + 1, 2))) for n in whole.shape]
            window = tuple(slice(*pair) if k else slice(None) for pair in ends)
            part = scene[window]
            np.testing.assert_array_equal(part, whole[window])
            assert type(part) is np.ndarray
            assert part.flags.writeable


@pytest.mark.parametrize(
    ("pixels", "options"),
    [
        (GRAY, {}),
        (GRAY, {"rowsperstrip": 7}),
        (GRAY, {"compression": "zlib", "rowsperstrip": 16}),
        (GRAY, {"compression": "zlib", "byteorder": ">", "predictor": 2}),
        (GRAY, {"compression": "zlib", "tile": (16, 32), "bigtiff": True}),
        (GRAY.astype(np.float32), {"tile": (32, 16)}),
        (GRAY, {"tile": (64, 64), "extratags": [(42113, 2, 0, "7", True)]}),
        (RGB, {"photometric": "rgb"}),
        (RGB, {"photometric": "rgb", "compression": "zlib", "rowsperstrip": 16}),
        (RGB, {"photometric": "rgb", "compression": "zlib", "tile": (32, 16)}),
        (
            np.moveaxis(RGB, -1, 0),
            {"photometric": "rgb", "planarconfig": "separate", "tile": (16, 32)},
        ),
        (BANDS, {"compression": "zlib", "rowsperstrip": 9, **PLANES}),
        (BANDS, {"compression": "zlib", "metadata": {"axes": "CYX"}}),
        (BANDS, {"imagej": True, "metadata": {"axes": "CYX"}}),
        (
            np.moveaxis(BANDS, 0, -1),
            {"photometric": "minisblack", "planarconfig": "contig", "tile": (32, 32)},
        ),
        (BANDS, {"photometric": "minisblack"}),
    ],
)
def test_parts_of_tiff_files(tmp_path: Path, pixels: np.ndarray, options: dict[str, Any]) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels, **options)
    assert_same(tmp_path / "a.tif")


@pytest.mark.parametrize(
    "options",
    [
        {
            "metadata": {"axes": "ZCYX", "spacing": 2.0, "unit": "um"},
            "imagej": True,
            "resolution": (4, 2),
        },
        {"metadata": {"axes": "ZCYX"}, "compression": "zlib", "tile": (16, 16)},
        {"metadata": {"axes": "ZCYX"}, "compression": "zlib", "ome": True},
    ],
)
def test_parts_of_volumes(tmp_path: Path, options: dict[str, Any]) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK, **options)
    assert_same(tmp_path / "a.tif", 3)
    assert open_scene(tmp_path / "a.tif", n_axes=2) is None


def test_pages_are_what_the_model_needs(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", BANDS, compression="zlib", photometric="minisblack")
    assert_same(tmp_path / "a.tif", 3)
    tifffile.imwrite(tmp_path / "b.tif", RGB, photometric="minisblack")
    assert_same(tmp_path / "b.tif", 2, "last")


@pytest.mark.parametrize(
    ("array", "n_axes", "channels"),
    [
        (GRAY, 2, "first"),
        (GRAY.astype(">u2"), 2, "last"),
        (RGB, 2, "last"),
        (np.asfortranarray(BANDS), 2, "first"),
        (BANDS[:1], 2, "first"),
        (STACK[:, 0], 3, "first"),
        (STACK, 3, "last"),
    ],
)
def test_parts_of_arrays(tmp_path: Path, array: np.ndarray, n_axes: int, channels: str) -> None:
    np.save(tmp_path / "a.npy", array)
    assert_same(tmp_path / "a.npy", n_axes, channels)
    assert open_scene(tmp_path / "a.npy", n_axes=5 - n_axes) is None or array.ndim == 3


def test_parts_of_zarr(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    path = tmp_path / "a.zarr"
    zarr.create_array(path, shape=BANDS.shape, chunks=(1, 16, 32), dtype="u2")[...] = BANDS
    assert_same(path)
    group = zarr.open_group(tmp_path / "b.zarr", mode="w")
    shape = (1, *STACK.shape)
    group.create_array("0", shape=shape, chunks=(1, 2, 2, 16, 16), dtype="u2")[...] = STACK[None]
    scale = [{"type": "scale", "scale": [1, 2, 1, 0.5, 0.25]}]
    image = {"axes": list("tzcyx"), "datasets": [{"path": "0", "coordinateTransformations": scale}]}
    group.attrs["ome"] = {"multiscales": [image]}
    assert_same(tmp_path / "b.zarr", 3)


def test_empty_tiles_are_missing_data(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tags = [(42113, 2, 0, "9", True)]
    tifffile.imwrite(path, GRAY, tile=(32, 32), compression="zlib", extratags=tags)
    with tifffile.TiffFile(path, mode="r+") as file:
        page = file.pages[0]
        for name, values in (
            ("TileByteCounts", page.databytecounts),
            ("TileOffsets", page.dataoffsets),
        ):
            page.tags[name].overwrite([0 if k == 4 else value for k, value in enumerate(values)])
    with open_scene(path) as scene:  # type: ignore[union-attr]
        np.testing.assert_array_equal(scene[:, :, :], tifffile.imread(path)[None])
        assert (scene[:, 32:64, 32:64] == 9).all()


def test_what_has_to_be_read_whole(tmp_path: Path) -> None:
    kinds: dict[str, dict[str, Any]] = {
        "white.tif": {"photometric": "miniswhite"},
        "turned.tif": {"extratags": [(274, 3, 1, 6, True)], "metadata": None},
        "palette.tif": {"photometric": "palette", "colormap": np.zeros((3, 256), np.uint16)},
    }
    for name, options in kinds.items():
        tifffile.imwrite(tmp_path / name, RGB[..., 0], **options)
        assert open_scene(tmp_path / name) is None
    np.savez(tmp_path / "a.npz", GRAY)
    (tmp_path / "a.nii").write_bytes(bytes(400))
    for path in (tmp_path / "a.npz", tmp_path / "a.nii", tmp_path):
        assert open_scene(path) is None


def test_scenes_may_be_larger_than_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "total_memory", lambda: 1000)
    np.save(tmp_path / "a.npy", GRAY)
    tifffile.imwrite(tmp_path / "a.tif", GRAY)
    for name in ("a.npy", "a.tif"):
        with open_scene(tmp_path / name) as scene:  # type: ignore[union-attr]
            np.testing.assert_array_equal(scene[:, 3:9, 4:8], GRAY[None, 3:9, 4:8])
        with pytest.raises(FileError, match="this machine has 1000 bytes of memory"):
            read_image(tmp_path / name)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, RNG.random((64, 64)), tile=(16, 16), compression="zlib", metadata=None)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with open_scene(path) as scene:  # type: ignore[union-attr]
        np.testing.assert_equal(scene[:, :16, :16].shape, (1, 16, 16))
        with pytest.raises(FileError, match="a.tif' cannot be read: "):
            scene[:, :, :]
    np.save(tmp_path / "a.npy", GRAY)
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-1])
    with pytest.raises(FileError, match="a.npy' cannot be read: its header announces"):
        open_scene(tmp_path / "a.npy")
    with pytest.raises(FileNotFoundError, match="b.tif"):
        open_scene(tmp_path / "b.tif")


def test_windows_are_slices_of_all_axes(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", GRAY)
    scene: Any = open_scene(tmp_path / "a.npy")
    for window in [(slice(None), slice(None)), (slice(None), 3, slice(None))]:
        with pytest.raises(IndexError, match="Expected a slice for each axis"):
            scene[window]
    with pytest.raises(IndexError, match="Expected slices without steps"):
        scene[:, ::2, :]


@pytest.mark.slow
def test_memory_is_bounded(tmp_path: Path) -> None:
    size = 16_384  # 256 MiB
    row = (np.arange(size) % 7).astype(np.uint8)
    path = tmp_path / "a.tif"
    pixels = np.broadcast_to(row, (size, size))
    options: Any = {"compression": "zlib", "compressionargs": {"level": 1}, "rowsperstrip": 64}
    tifffile.imwrite(path, pixels, **options)
    total = 0
    tracemalloc.start()
    with open_scene(path) as scene:  # type: ignore[union-attr]
        for top in range(0, size, 256):
            total += int(scene[:, top : top + 256, :4096].sum())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == size * int(row[:4096].sum())
    assert peak < 180 * 2**20
