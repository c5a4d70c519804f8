"""Reads Zarr arrays and OME-Zarr images, which are folders."""

from __future__ import annotations

import json
import math
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from .._utils.optional import import_optional
from .._utils.printable import quoted
from .dtypes import as_integers
from .limits import check_memory
from .pixels import Pixels, in_order, spacing_along

MARKERS = ("zarr.json", ".zarray", ".zgroup")
# Names of codecs and data types that only compute numbers. Others, such as the codec pickle,
# could run code.
_CODECS = {
    *("adler32", "astype", "bitround", "blosc", "bytes", "bz2", "crc32", "crc32c", "delta"),
    *("fixedscaleoffset", "fletcher32", "gzip", "jenkins_lookup3", "lz4", "lzma", "packbits"),
    *("quantize", "sharding_indexed", "shuffle", "transpose", "zlib", "zstd"),
}
_NUMBERS = {"bool", *(f"{k}int{b}" for k in ("", "u") for b in (8, 16, 32, 64))}
_NUMBERS |= {f"float{bits}" for bits in (16, 32, 64)}
_MOST_METADATA = 2**24
# The axes of the oldest versions of OME-Zarr, which do not name them.
_OLDEST_AXES = "TCZYX"


class ZarrArray(NamedTuple):
    """An array in a folder.

    Attributes
    ----------
    folder : Path
        The folder of the array.
    axes : str or None
        A letter for each axis, if OME-Zarr names them.
    sizes : dict of str to float
        The size of a pixel along each axis, as far as it is known.
    """

    folder: Path
    axes: str | None
    sizes: dict[str, float]


def is_zarr(path: Path) -> bool:
    """Return whether a folder is a Zarr array or group."""
    return path.suffix.lower() == ".zarr" or any((path / name).is_file() for name in MARKERS)


def read_zarr(path: Path, *, mask: bool) -> Pixels:
    """Read a folder with one array, or the full resolution of an OME-Zarr image.

    Parameters
    ----------
    path : Path
        The folder.
    mask : bool
        Whether its numbers are labels, which become integers.

    Returns
    -------
    pixels : Pixels
        Without axes, unless OME-Zarr names them.

    Raises
    ------
    ValueError
        If there are several arrays, or they are not numbers.
    ImportError
        If zarr is not installed.
    """
    found = find_array(path)
    values = np.asarray(open_array(found.folder, path, whole=True)[...])
    if mask:
        values = as_integers(values)
    if found.axes is None:
        return Pixels(values, None)
    values, axes = in_order(values, found.axes)
    return Pixels(values, axes, spacing_along(axes, found.sizes))


def find_array(path: Path) -> ZarrArray:
    """Return the only array of a folder, from its metadata."""
    if not path.is_dir():
        raise ValueError("it is not a folder. Expected a folder with a Zarr array.")
    kind, attributes = _metadata(path)
    attributes = attributes.get("ome", attributes)
    if kind == "array":
        return ZarrArray(path, None, {})
    if "plate" in attributes or "well" in attributes:
        raise ValueError("it is a plate or well with many images. Pass the folders of the images.")
    if "multiscales" in attributes:
        return _full_resolution(path, attributes["multiscales"])
    children = sorted(child for child in path.iterdir() if child.is_dir() and child.name != "OME")
    inside = [child for child in children if any((child / name).is_file() for name in MARKERS)]
    if len(inside) != 1:
        names = ", ".join(repr(child.name) for child in inside[:5])
        raise ValueError(f"it holds {len(inside)} arrays or groups ({names}). Expected one.")
    return find_array(_inner(path, inside[0].name))


def open_array(folder: Path, path: Path, *, whole: bool) -> Any:
    """Open an array that holds numbers, after a check of its metadata.

    Parameters
    ----------
    folder : Path
        The folder of the array.
    path : Path
        The path that the user gave, for errors.
    whole : bool
        Whether it is going to be read at once.
    """
    zarr = import_optional("zarr", f"Reading {quoted(path)}", "zarr")
    _check_array(folder, whole=whole)
    return zarr.open_array(zarr.storage.LocalStore(folder, read_only=True), mode="r")


def _full_resolution(path: Path, multiscales: Any) -> ZarrArray:
    if len(multiscales) != 1:
        raise ValueError(f"it holds {len(multiscales)} images. Expected one.")
    image = multiscales[0]
    level = image["datasets"][0]
    names = [each if isinstance(each, str) else each["name"] for each in image.get("axes", ())]
    kinds = [each.get("type") if isinstance(each, dict) else None for each in image.get("axes", ())]
    axes = _OLDEST_AXES
    if names:
        axes = "".join(map(_letter, names, kinds))
    factors = [
        each["scale"]
        for part in (level, image)
        for each in part.get("coordinateTransformations", ())
        if each.get("type") == "scale"
    ]
    sizes: dict[str, float] = {}
    if factors and all(len(scale) == len(axes) for scale in factors):
        sizes = dict(zip(axes, map(math.prod, zip(*factors, strict=True)), strict=True))
    return ZarrArray(_inner(path, level["path"]), axes, sizes)


def _letter(name: str, kind: str | None) -> str:
    """Return the letter of an axis, or a lower-case one, which is refused unless of length 1."""
    if kind == "channel" or name.lower() in ("c", "channel"):
        return "C"
    return name.upper() if name.upper() in ("T", "Z", "Y", "X") else "o"


def _inner(path: Path, name: str) -> Path:
    """Return a folder in a folder."""
    parts = PurePosixPath(str(name).replace("\\", "/"))
    inner = path / parts
    inside = path.resolve() in (inner.resolve(), *inner.resolve().parents)
    if parts.is_absolute() or ".." in parts.parts or not inside:
        raise ValueError(f"its metadata lead out of the folder, to {str(name)!r}.")
    return inner


def _metadata(path: Path) -> tuple[str, dict[str, Any]]:
    """Return "array" or "group", and the attributes."""
    if (path / "zarr.json").is_file():
        content = _json(path / "zarr.json")
        return content["node_type"], content.get("attributes", {})
    if (path / ".zarray").is_file() or (path / ".zgroup").is_file():
        attributes = _json(path / ".zattrs") if (path / ".zattrs").is_file() else {}
        return ("array" if (path / ".zarray").is_file() else "group"), attributes
    raise ValueError(f"it is a folder without {', '.join(MARKERS)}. Expected a Zarr array.")


def _json(path: Path) -> dict[str, Any]:
    if path.stat().st_size > _MOST_METADATA:
        raise ValueError(f"its {path.name} has {path.stat().st_size} bytes, which are too many.")
    content = json.loads(path.read_bytes())
    if not isinstance(content, dict):
        raise ValueError(f"its {path.name} is not a JSON object.")
    return content


def _check_array(folder: Path, *, whole: bool) -> None:
    """Raise an error unless an array holds numbers, and its chunks or all fit into memory."""
    if (folder / "zarr.json").is_file():
        content = _json(folder / "zarr.json")
        if content.get("node_type") != "array":
            raise ValueError("it holds a group where an array was expected.")
        kind, codecs = content["data_type"], _all_codecs(content["codecs"])
        known = kind in _NUMBERS
        chunk = content["chunk_grid"]["configuration"]["chunk_shape"]
        if content.get("storage_transformers"):
            raise ValueError("it has storage transformers, which are not supported.")
    else:
        content = _json(folder / ".zarray")
        kind = content["dtype"]
        known = isinstance(kind, str) and kind[1:2] in set("biuf") and kind[:1] in set("<>|")
        used = [content.get("compressor"), *(content.get("filters") or ())]
        codecs = [each["id"] for each in used if each]
        chunk = content["chunks"]
    if not known:
        raise ValueError(f"it holds values of the type {kind!r}. Expected numbers.")
    unknown = [name for name in codecs if str(name).removeprefix("numcodecs.") not in _CODECS]
    if unknown:
        raise ValueError(
            f"it needs the codec {str(unknown[0])!r}, which is not supported. Save it "
            f"with another one: zarr.codecs.ZstdCodec()."
        )
    for shape in (chunk, content["shape"]) if whole else (chunk,):
        check_memory(shape, np.dtype(kind).itemsize)


def _all_codecs(codecs: Any) -> list[str]:
    """Return the names of codecs, also of those inside others."""
    names = []
    for codec in codecs:
        names.append(codec["name"] if isinstance(codec, dict) else codec)
        inner = codec.get("configuration", {}) if isinstance(codec, dict) else {}
        for key in ("codecs", "index_codecs"):
            names += _all_codecs(inner.get(key, ()))
    return names
