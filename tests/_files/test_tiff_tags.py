"""Spacing and missing data of TIFF files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sklearnloss._files.pixels import Pixels
from sklearnloss._files.read import FileError, read_image

tifffile = pytest.importorskip("tifffile")

IMAGE = np.arange(20, dtype=np.uint16).reshape(4, 5)
SCALE, NODATA = (33550, 12, 3, (0.5, 0.25, 0.0), True), 42113


@pytest.mark.parametrize(("text", "value"), [("255", 255), ("-9999.5 ", -9999.5), ("nan", np.nan)])
def test_geotiff_declares_missing_data(tmp_path: Path, text: str, value: float) -> None:
    tags = [SCALE, (NODATA, 2, 0, text, True)]
    tifffile.imwrite(tmp_path / "a.tif", IMAGE.astype(np.float32), extratags=tags)
    image = read_image(tmp_path / "a.tif")
    np.testing.assert_equal(image.nodata, value)
    assert image.spacing == (0.25, 0.5)


def test_nodata_that_is_no_number_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", IMAGE, extratags=[(NODATA, 2, 0, "none", True)])
    with pytest.raises(FileError, match="GDAL_NODATA holds 'none'. Expected a number"):
        read_image(tmp_path / "a.tif")


def test_a_rotated_geotiff_has_the_length_of_its_steps(tmp_path: Path) -> None:
    matrix = [3.0, -8, 0, 100, 4, 6, 0, 200, 0, 0, 0, 0, 0, 0, 0, 1]
    tifffile.imwrite(tmp_path / "a.tif", IMAGE, extratags=[(34264, 12, 16, matrix, True)])
    assert read_image(tmp_path / "a.tif").spacing == (10, 5)


def test_an_orientation_swaps_the_spacing(tmp_path: Path) -> None:
    tags = [SCALE, (274, 3, 1, 6, True)]
    tifffile.imwrite(tmp_path / "a.tif", IMAGE, extratags=tags, metadata=None)
    image = read_image(tmp_path / "a.tif")
    assert image.values.shape == (5, 4)
    assert image.spacing == (0.5, 0.25)


IMAGEJ = {"imagej": True, "resolution": (4.0, 2.0)}


@pytest.mark.parametrize(
    ("options", "metadata", "spacing"),
    [
        (IMAGEJ, {"unit": "um", "spacing": 3.0}, (3, 0.5, 0.25)),
        (IMAGEJ, {"unit": "um"}, None),  # slices at unknown distances
        (IMAGEJ, {"spacing": 3.0}, None),
        (IMAGEJ, {"unit": "pixel", "spacing": 3.0}, None),
        ({"resolution": (72, 72), "resolutionunit": 2, "ome": False}, {}, None),  # as for printers
        (
            {"ome": True},
            {f"PhysicalSize{k}": v for k, v in zip("XYZ", (1, 2, 3), strict=True)},
            (3, 2, 1),
        ),
        ({"ome": True}, {"PhysicalSizeX": 1, "PhysicalSizeY": 2}, None),
        (
            {"ome": True},
            {"PhysicalSizeX": 1, "PhysicalSizeY": 2, "PhysicalSizeZ": 3, "PhysicalSizeZUnit": "mm"},
            None,
        ),
    ],
)
def test_spacing_of_volumes(
    tmp_path: Path, options: Any, metadata: dict[str, Any], spacing: tuple[float, ...] | None
) -> None:
    volume = np.stack([IMAGE] * 3)
    options = {"photometric": "minisblack", **options}
    tifffile.imwrite(tmp_path / "a.tif", volume, metadata={"axes": "ZYX", **metadata}, **options)
    image = read_image(tmp_path / "a.tif")
    assert (image.axes, image.spacing) == ("ZYX", spacing)


def test_an_image_with_channels_needs_no_distance_of_slices(tmp_path: Path) -> None:
    metadata = {"axes": "CYX", "unit": "um"}
    tifffile.imwrite(tmp_path / "a.tif", np.stack([IMAGE] * 2), metadata=metadata, **IMAGEJ)
    assert read_image(tmp_path / "a.tif").spacing == (0.5, 0.25)


def test_parts_in_other_files_are_neither_zeros_nor_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, np.stack([IMAGE] * 2), metadata={"axes": "CYX"})
    content = path.read_bytes()
    for name, message in [
        ("../../etc/secret.tif", "lead out of the folder, to '../../etc/secret.tif'"),
        ("b.ome.tif", "a part of it is in 'b.ome.tif', which is missing"),
    ]:
        text = f'<UUID FileName="{name}">urn:uuid:9</UUID></TiffData>'
        with tifffile.TiffFile(path) as file:
            old = file.ome_metadata.encode()
        start, end = old.index(b"<TiffData"), old.index(b"</Pixels>")
        block = f'<TiffData IFD="0" PlaneCount="2">{text}'.encode()
        new = old[:start] + block + old[end:]
        changed = tmp_path / "changed.ome.tif"
        tifffile.imwrite(changed, np.stack([IMAGE] * 2), description=new, metadata=None)
        with pytest.raises(FileError, match=message):
            read_image(changed)
    assert path.read_bytes() == content


def test_pixels_keep_what_is_known() -> None:
    pixels = Pixels(IMAGE.astype(">u2"), "YX", (1.0, 2.0), 7.0).native()
    assert pixels[1:4] == ("YX", (1.0, 2.0), 7.0)
    assert pixels.values.dtype.isnative
    assert Pixels(IMAGE, "YX")[1:4] == ("YX", None, None)
