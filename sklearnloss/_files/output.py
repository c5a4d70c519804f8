"""What the writers of TIFF files have in common."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .._utils.optional import import_optional
from .._utils.printable import quoted
from .tiff import is_tiff, orientation
from .tiff_tags import NODATA, georeference

FilePath = str | bytes | os.PathLike[str]


def import_tifffile(path: FilePath) -> Any:
    """Return tifffile."""
    return import_optional("tifffile", f"Writing {quoted(path)}", "images")


def tiff_options(
    path: FilePath, shape: tuple[int, ...], axes: str, like: Path | None, nodata: int | None
) -> dict[str, Any]:
    """Return how tifffile writes an image: its axes, and where on Earth it is.

    Raises
    ------
    ValueError
        If ``like`` is a TIFF file of another size.
    """
    tags = []
    if like is not None and like.is_file() and is_tiff(like):
        with import_tifffile(path).TiffFile(like) as file:
            page = file.pages.first
            tags = georeference(page) if orientation(page) == 1 else []
            if tags and (page.imagelength, page.imagewidth) != shape[-2:]:
                raise ValueError(
                    f"{quoted(like)} has {page.imagelength} x {page.imagewidth} pixels, but the "
                    f"values are of shape {shape}. Its georeference does not fit to them."
                )
    if nodata is not None:
        tags.append((NODATA, 2, 0, str(nodata), True))
    is_ome = ".ome." in Path(os.fsdecode(path)).name.lower()
    planar = {"planarconfig": "separate"} if axes == "CYX" and tags else {}
    return {
        "photometric": "minisblack",
        "metadata": {"axes": axes},
        "ome": is_ome,
        "extratags": tags,
        **planar,
    }
