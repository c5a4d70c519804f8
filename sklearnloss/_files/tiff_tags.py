"""What TIFF files say about an image besides its numbers: spacing, missing data, georeference."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np

from .pixels import spacing_along

# Tags of GeoTIFF: pixel scale, tie points, transformation, and the keys of the coordinate system.
GEOREFERENCE = (33550, 33922, 34264, 34735, 34736, 34737)
NODATA = 42113
_PIXEL_SCALE, _TRANSFORMATION = 33550, 34264
_X_RESOLUTION, _Y_RESOLUTION = 282, 283


def nodata_of(page: Any) -> float | None:
    """Return the number that GDAL declares to stand for missing data."""
    tag = page.tags.get(NODATA)
    if tag is None:
        return None
    try:
        return float(str(tag.value).strip(" \0"))
    except ValueError as error:
        raise ValueError(f"its tag GDAL_NODATA holds {tag.value!r}. Expected a number.") from error


def spacing_of(file: Any, page: Any, axes: str) -> tuple[float, ...] | None:
    """Return the size of a pixel along each spatial axis, if the file says it.

    GeoTIFF, OME-TIFF and ImageJ do. The resolution of other files is that of printers.

    Parameters
    ----------
    file : tifffile.TiffFile
        The open file.
    page : tifffile.TiffPage
        The first page of the image.
    axes : str
        The axes of the image.
    """
    if "Q" in axes:
        return None
    if _PIXEL_SCALE in page.tags or _TRANSFORMATION in page.tags:
        return spacing_along(axes, _georeferenced(page)) if "Z" not in axes else None
    if file.is_ome:
        return spacing_along(axes, _ome(file.ome_metadata or ""))
    if file.is_imagej:
        return spacing_along(axes, _imagej(file.imagej_metadata or {}, page))
    return None


def georeference(page: Any) -> list[tuple[int, int, int, Any, bool]]:
    """Return the tags that say where on Earth an image is, as tifffile writes them."""
    found = [page.tags.get(code) for code in GEOREFERENCE]
    return [(tag.code, int(tag.dtype), tag.count, tag.value, True) for tag in found if tag]


class Scale(NamedTuple):
    """How large the pixels of a file of ImageJ are.

    Attributes
    ----------
    resolution : tuple of tuple of int
        Pixels per unit along columns and rows, as fractions.
    metadata : dict
        The "unit", and the "spacing" of slices if it is known.
    """

    resolution: tuple[tuple[int, int], tuple[int, int]]
    metadata: dict[str, Any]


def imagej_scale(file: Any, page: Any) -> Scale | None:
    """Return the scale of a file, or None if it is not of ImageJ or has no unit."""
    metadata = file.imagej_metadata or {} if file.is_imagej else {}
    sizes = _imagej(metadata, page)
    if not {"X", "Y"} <= sizes.keys():
        return None
    known = {key: metadata[key] for key in ("unit", "spacing") if key in metadata}
    return Scale((page.tags[_X_RESOLUTION].value, page.tags[_Y_RESOLUTION].value), known)


def _georeferenced(page: Any) -> dict[str, float]:
    scale, matrix = page.tags.get(_PIXEL_SCALE), page.tags.get(_TRANSFORMATION)
    if scale is not None:
        return {"X": abs(scale.value[0]), "Y": abs(scale.value[1])}
    steps = np.linalg.norm(np.reshape(matrix.value, (4, 4))[:3, :2], axis=0)
    return {"X": float(steps[0]), "Y": float(steps[1])}


def _ome(text: str) -> dict[str, float]:
    """Return the physical sizes of the only image, if all have the same unit."""
    sizes, units = {}, set()
    pixels = re.findall(r"<(?:\w+:)?Pixels\b[^>]*>", text)
    if len(pixels) != 1:
        return {}
    for letter in "XYZ":
        size = re.search(rf'\bPhysicalSize{letter}="([^"]*)"', pixels[0])
        unit = re.search(rf'\bPhysicalSize{letter}Unit="([^"]*)"', pixels[0])
        if size is not None:
            sizes[letter] = float(size[1])
            units.add(unit[1] if unit else "µm")
    return sizes if len(units) == 1 else {}


def _imagej(metadata: dict[str, Any], page: Any) -> dict[str, float]:
    """Return the sizes, unless the unit is missing or pixels."""
    if str(metadata.get("unit", "")).lower() in ("", "pixel", "pixels"):
        return {}
    sizes = {"Z": float(metadata.get("spacing", 0))}
    for letter, code in (("X", _X_RESOLUTION), ("Y", _Y_RESOLUTION)):
        tag = page.tags.get(code)
        if tag is not None and tag.value[0]:
            sizes[letter] = tag.value[1] / tag.value[0]
    return sizes
