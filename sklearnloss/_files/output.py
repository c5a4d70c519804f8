"""What all files that are written have in common: they appear when they are complete."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from .._utils.printable import printable
from .._utils.temporary_file import remove_leftovers, temporary_file
from .tiff import is_tiff, orientation
from .tiff_tags import NODATA, georeference

FilePath = str | bytes | os.PathLike[str]


@contextlib.contextmanager
def replacing(path: FilePath) -> Iterator[tuple[Path, IO[bytes]]]:
    """Open a file that replaces the one of a path once everything is on the disk.

    Yields
    ------
    temporary : Path
        The path of the file until then.
    file : file
        The open file.
    """
    target = Path(os.path.realpath(os.fsdecode(path)))
    if target.is_dir():
        raise IsADirectoryError(f"{quoted(path)} is a folder. Pass the path of a file in it.")
    if target.exists() and not target.is_file():
        raise ValueError(f"{quoted(path)} is a device or a pipe. Pass the path of a file.")
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"There is no folder {quoted(target.parent)} for {quoted(path)}. Create it first."
        )
    remove_leftovers(target)
    with temporary_file(target) as (temporary, file):
        yield temporary, file
        file.flush()
        os.fsync(file.fileno())
        os.replace(temporary, target)


def quoted(path: FilePath) -> str:
    """Return a path in quotation marks, for errors."""
    return f"'{printable(os.fsdecode(path))}'"


def import_tifffile(path: FilePath) -> Any:
    """Return tifffile."""
    try:
        import tifffile
    except ImportError as error:
        raise ImportError(
            f"Writing {quoted(path)} needs tifffile: pip install 'sklearnloss[images]'"
        ) from error
    return tifffile


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
