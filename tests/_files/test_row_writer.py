"""Images that are written row by row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sklearnloss._files.read import read_image
from sklearnloss._files.write import open_writer

from .test_write import GEOREFERENCE

tifffile = pytest.importorskip("tifffile")


@pytest.mark.parametrize("name", ["a.tif", "a.npy"])
@pytest.mark.parametrize(
    ("axes", "shape"),
    [("YX", (7, 5)), ("CYX", (2, 7, 5)), ("ZYX", (7, 4, 5)), ("CZYX", (3, 7, 4, 5))],
)
def test_rows_make_the_whole(tmp_path: Path, name: str, axes: str, shape: tuple[int, ...]) -> None:
    whole = np.random.default_rng(0).random(shape)
    rows = np.moveaxis(whole, axes.index("C") + 1, 0) if "C" in axes else whole
    with open_writer(tmp_path / name, shape, "float32", axes) as writer:
        for start in (0, 3, 6):
            band = rows[start : start + 3]
            writer.write(start, np.moveaxis(band, 0, 1) if "C" in axes else band)
            assert not (tmp_path / name).exists()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    read = tifffile.imread if name == "a.tif" else np.load
    np.testing.assert_array_equal(read(tmp_path / name), whole.astype(np.float32))
    assert read_image(tmp_path / name).axes == (axes if name == "a.tif" else None)


def test_the_georeference_is_kept(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((7, 5), np.uint8), extratags=GEOREFERENCE)
    for axes, shape in (("YX", (7, 5)), ("CYX", (2, 7, 5))):
        with open_writer(tmp_path / "b.tif", shape, "u1", axes, tmp_path / "a.tif") as writer:
            writer.write(0, np.ones(shape))
        image = read_image(tmp_path / "b.tif")
        assert (image.axes, image.spacing) == (axes, (3, 2))
        assert (image.values == 1).all()
    with pytest.raises(ValueError, match="has 7 x 5 pixels"):
        open_writer(tmp_path / "b.tif", (8, 5), "u1", "YX", tmp_path / "a.tif")


def test_large_files_are_bigtiff(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    writer = open_writer(path, (2**17, 2**15), "u1", "YX")
    (temporary,) = tmp_path.iterdir()
    with tifffile.TiffFile(temporary) as file:
        assert file.is_bigtiff
        assert file.pages[0].shape == (2**17, 2**15)
    with pytest.raises(ValueError, match="a.tif' is not written: 0 of 131072 rows came"):
        writer.close()
    assert not list(tmp_path.iterdir())


def test_an_incomplete_file_never_has_the_name(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(3))
    with (
        pytest.raises(ValueError, match="a.npy' is not written: 2 of 7 rows came"),
        open_writer(tmp_path / "a.npy", (7, 5), "u1", "YX") as writer,
    ):
        writer.write(0, np.ones((2, 5)))
    writer = open_writer(tmp_path / "a.npy", (7, 5), "u1", "YX")
    writer.write(0, np.ones((7, 5)))
    writer.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.arange(3))


@pytest.mark.parametrize(
    ("start", "shape"), [(1, (2, 5)), (0, (2, 4)), (0, (8, 5)), (0, (5,)), (0, (1, 2, 5))]
)
def test_rows_must_follow(tmp_path: Path, start: int, shape: tuple[int, ...]) -> None:
    with (
        pytest.raises(ValueError, match=rf"from {start} do not follow the 0 rows written of 7"),
        open_writer(tmp_path / "a.tif", (7, 5), "u1", "YX") as writer,
    ):
        writer.write(start, np.ones(shape))
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a.png' is of a kind that is not written row by row"):
        open_writer(tmp_path / "a.png", (7, 5), "u1", "YX")
    with pytest.raises(ValueError, match=r"axes='YXC' do not fit to the shape \(7, 5, 2\)"):
        open_writer(tmp_path / "a.tif", (7, 5, 2), "u1", "YXC")
