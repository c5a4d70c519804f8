"""Reads TIFF files, which describe their axes better than other pictures do."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from .limits import MOST_COMPRESSED, check_memory, check_stored
from .pictures import from_pillow, open_picture
from .pixels import Pixels, in_order
from .tiff_tags import nodata_of, spacing_of

_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# Photometric interpretations by number.
_WHITE_IS_ZERO, _PALETTE = 0, 3
_NEEDS_PILLOW = {5, 6, 8}  # CMYK, YCbCr and Lab become red, green and blue
# Images that are not independent, by the bits of the tag NewSubfileType: a smaller copy, and a
# transparency mask.
_AUXILIARY = 1 | 4
# How many times smaller the numbers can be stored, by the kind of compression: none, LZW, zlib
# (two numbers) and PackBits. Others have no such limit.
_RATIOS = {1: 1, 5: 4096, 8: MOST_COMPRESSED, 32946: MOST_COMPRESSED, 32773: 64}
_WAY = "Reading it needs tifffile: pip install 'sklearnloss[images]'"


def is_tiff(path: Path) -> bool:
    """Return whether a file starts like a TIFF file, whatever its name."""
    with path.open("rb") as file:
        return file.read(4) in _MAGIC


def read_tiff(path: Path, *, mask: bool) -> Pixels:
    """Read a TIFF file with all its pages.

    Parameters
    ----------
    path : Path
        The file.
    mask : bool
        Whether its numbers are labels: then they are kept. Otherwise palettes become
        colors, and white is the highest number.

    Returns
    -------
    pixels : Pixels
        Pages of unknown meaning get the axis Q.

    Raises
    ------
    ValueError
        If it holds several images, or more than images.
    ImportError
        If tifffile is needed but not installed.
    """
    try:
        import tifffile
    except ImportError:
        return _read_without_tifffile(path, mask=mask)
    with tifffile.TiffFile(path) as file:
        check_whole(file)
        check_links(file)
        series = only_series(file)
        page = series.keyframe
        _check_size(file, series)
        if int(page.photometric) in _NEEDS_PILLOW and not mask:
            return _read_with_pillow(path, mask=mask)
        try:
            values, axes = series.asarray(), series.axes
        except ValueError as error:  # compression that requires another library
            if "imagecodecs" not in str(error):
                raise
            return _read_with_pillow(path, mask=mask, unread=str(error))
        if not mask:
            values, axes = _as_shown(values, axes, page)
        turn = orientation(page)
        values, axes = in_order(values, axes)
        spacing = spacing_of(file, page, axes)
        if spacing is not None and turn >= 5:  # rows become columns
            spacing = (*spacing[:-2], spacing[-1], spacing[-2])
        return Pixels(_turned(values, turn), axes, spacing, nodata_of(page))


def orientation(page: Any) -> int:
    """Return the number that says how to rotate an image; 1 is not at all."""
    tag = page.tags.get("Orientation")
    return 1 if tag is None else int(tag.value)


def has_plain_numbers(page: Any) -> bool:
    """Return whether the numbers in the file are those of the image, in the same place."""
    kind = int(page.photometric)
    return kind not in (_WHITE_IS_ZERO, _PALETTE, *_NEEDS_PILLOW) and orientation(page) == 1


def check_links(file: Any) -> None:
    """Raise an error if pixels of an OME-TIFF file are in other folders, or in missing files."""
    if not file.is_ome:
        return
    text = file.ome_metadata or ""
    own = re.search(r'<(?:\w+:)?OME\b[^>]*\bUUID="([^"]*)"', text)
    for name, uuid in re.findall(r'FileName="([^"]*)"[^>]*>([^<]*)', text):
        if "/" in name or "\\" in name:
            raise ValueError(f"its metadata lead out of the folder, to {name!r}.")
        is_own = name.lower() == file.filename.lower() or (own and own[1] == uuid.strip())
        if not is_own and not (Path(file.filehandle.dirname) / name).is_file():
            raise ValueError(f"a part of it is in {name!r}, which is missing in the same folder.")


def _check_size(file: Any, series: Any) -> None:
    """Raise an error if the numbers fit neither into the file nor into memory.

    Pages that are not stored at all are empty, and allowed.
    """
    page = series.keyframe
    compression = _RATIOS.get(int(page.compression))
    if not series.is_multifile and compression and all(page.dataoffsets):
        stored = file.filehandle.size
        check_stored(series.shape, series.dtype.itemsize, stored, compression=compression)
    check_segments(series)
    check_memory(series.shape, series.dtype.itemsize)


def check_segments(series: Any) -> None:
    """Raise an error unless a compressed page has as many strips or tiles as its size requires."""
    page = series.keyframe
    if 0 in series.shape:
        raise ValueError(f"its header announces the shape {tuple(series.shape)}. It is damaged.")
    expected, found = math.prod(page.chunked), len(page.dataoffsets)
    if int(page.compression) != 1 and expected != found:
        raise ValueError(
            f"its header announces the shape {page.shape}, for which it would have {expected} "
            f"strips or tiles, but it has {found}. It is damaged: fetch or write it again."
        )


def check_whole(file: Any) -> None:
    """Raise an error if the file ends before a page that it announces."""
    handle, kind = file.filehandle, file.tiff
    offset, seen = file.pages.first.offset, set()
    while offset and offset not in seen:
        seen.add(offset)
        handle.seek(offset)
        n_tags = int.from_bytes(handle.read(kind.tagnosize), _order(kind))
        handle.seek(offset + kind.tagnosize + n_tags * kind.tagsize)
        following = handle.read(kind.offsetsize)
        if len(following) < kind.offsetsize:
            raise ValueError(f"it is cut off in page {len(seen)}.")
        offset = int.from_bytes(following, _order(kind))


def _order(kind: Any) -> Any:
    return "little" if kind.byteorder == "<" else "big"


def only_series(file: Any) -> Any:
    """Return the only image, without smaller copies of it."""
    found = [s for s in file.series if not int(s.keyframe.subfiletype) & _AUXILIARY]
    shapes = [tuple(series.shape) for series in found]
    for series in found:
        shapes += [
            tuple(level.shape)
            for level in series.levels[1:]
            if not level.keyframe.is_subifd and not int(level.keyframe.subfiletype) & _AUXILIARY
        ]
    if len(shapes) != 1:
        raise ValueError(
            f"it holds {len(shapes)} images, of shapes {', '.join(map(str, shapes[:5]))}. Expected "
            f"one: save each as a separate file."
        )
    return found[0]


def _as_shown(values: np.ndarray, axes: str, page: Any) -> tuple[np.ndarray, str]:
    """Return numbers that increase with brightness, or colors."""
    kind = int(page.photometric)
    if kind == _WHITE_IS_ZERO and values.dtype.kind in "bu":
        highest = np.array(2**page.bitspersample - 1).astype(values.dtype)
        return (~values if values.dtype == bool else highest - values), axes
    if kind != _PALETTE or page.colormap is None:
        return values, axes
    colors = (np.asarray(page.colormap) >> 8).astype(np.uint8)  # (3, n)
    if (colors == colors[:1]).all():
        return colors[0][values], axes
    return colors[:, values], f"S{axes}"


def _turned(values: np.ndarray, orientation: int) -> np.ndarray:
    """Rotate an image (..., Y, X) by the orientation number in EXIF and TIFF."""
    if orientation >= 5:
        values = values.swapaxes(-1, -2)
    if orientation in (3, 4, 7, 8):
        values = values[..., ::-1, :]
    if orientation in (2, 3, 6, 7):
        values = values[..., ::-1]
    return values


def _read_without_tifffile(path: Path, *, mask: bool) -> Pixels:
    try:
        return _read_with_pillow(path, mask=mask)
    except OSError as error:
        if type(error).__name__ != "UnidentifiedImageError":
            raise
        raise ImportError(
            f"{str(path)!r} is of a kind that Pillow does not support. {_WAY}"
        ) from error


def _read_with_pillow(path: Path, *, mask: bool, unread: str | None = None) -> Pixels:
    """Read what Pillow reads in full, and refuse what it would read only in part."""
    with open_picture(path) as picture:
        n_pages = max(picture.n_frames, _described_pages(picture))
        if n_pages > 1 and unread is not None:
            raise ValueError(f"{unread}: pip install imagecodecs")
        samples, bits = picture.tag_v2.get(277, 1), max(picture.tag_v2.get(258, (1,)))
        if n_pages > 1 or (samples > 1 and bits > 8):
            many = f"{n_pages} pages" if n_pages > 1 else f"{bits} bits per color"
            raise ImportError(f"{str(path)!r} has {many}. {_WAY}")
        if mask and picture.tag_v2.get(284) == 2:  # one plane per color, or per slice
            raise ValueError(f"it has {samples} channels, but a mask has one label per pixel.")
        white_is_zero = picture.tag_v2.get(262) == _WHITE_IS_ZERO
        is_inverted = white_is_zero and picture.mode in ("1", "L")  # by Pillow
        values, axes = from_pillow(picture, mask=mask)[:2]
    if is_inverted == (white_is_zero and not mask) or values.dtype.kind not in "bu":
        return Pixels(values, axes)
    return Pixels(~values, axes)


def _described_pages(picture: Any) -> int:
    """Return how many pages ImageJ or tifffile claims to have written, perhaps as one."""
    text = str(picture.tag_v2.get(270, ""))
    if text.startswith("ImageJ="):
        found = re.search(r"^images=(\d+)", text, re.MULTILINE)
        return int(found[1]) if found else 1
    if text.startswith('{"shape":'):
        shape = json.loads(text)["shape"]
        return int(np.prod(shape)) // int(picture.width * picture.height * len(picture.getbands()))
    return 1
