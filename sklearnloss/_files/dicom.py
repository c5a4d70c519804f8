"""Reads DICOM files, and folders that hold the slices of one series, with SimpleITK."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .._utils.optional import import_optional
from .._utils.printable import quoted
from .dtypes import as_integers
from .limits import check_memory, check_stored
from .pixels import Pixels, in_order, spacing_along

DICOM = (".dcm", ".dicom", ".ima")
# Transfer syntaxes that do not compress.
_RAW = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"}
# Kinds of objects that are not images (SOP classes), and what they are.
_OTHERS = {
    "1.2.840.10008.5.1.4.1.1.66.4": "a segmentation object, whose segments may overlap",
    "1.2.840.10008.5.1.4.1.1.481.3": "a set of contours (RT structure set)",
}
_SERIES, _CLASS = "0020|000e", "0008|0016"
_PHOTOMETRIC, _SLOPE, _INTERCEPT = "0028|0004", "0028|1053", "0028|1052"
_FRAME_TIMES = ("0018|1063", "0018|1065")
_SPACINGS, _BETWEEN_SLICES = ("0028|0030", "0018|1164"), "0018|0088"


def read_dicom(path: Path, *, mask: bool) -> Pixels:
    """Read a file, with several frames or one, or a folder that holds one series.

    The rescale slope and intercept are applied to images. Slices are sorted by their position.

    Parameters
    ----------
    path : Path
        A file or folder.
    mask : bool
        Whether the numbers are labels: then rescaling that changes them is refused.

    Returns
    -------
    pixels : Pixels
        With the axes "YX", "ZYX", "SYX" or "SZYX", and the spacing in mm.

    Raises
    ------
    ValueError
        If a folder holds several series, or a file no image.
    ImportError
        If SimpleITK is not installed.
    """
    itk = import_optional("SimpleITK", f"Reading {quoted(path)}", "medical")
    with _quiet(itk):
        files = _series(itk, path) if path.is_dir() else [path]
        slices = [_read_file(itk, file, mask=mask) for file in files]
    if len(slices) > 1:
        return _stacked(slices, files, mask=mask)
    values, axes, sizes, _ = slices[0]
    values, axes = in_order(values, axes)
    return Pixels(as_integers(values) if mask else values, axes, spacing_along(axes, sizes))


def is_dicom(path: Path) -> bool:
    """Return whether a file is a DICOM file with an image, by its name or its first bytes."""
    suffix = path.suffix.lower()
    if suffix in DICOM:
        return True
    if path.name.upper() == "DICOMDIR" or not (suffix == "" or suffix[1:].isdigit()):
        return False
    with contextlib.suppress(OSError), path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"
    return False


def dicom_files(folder: Path) -> list[Path]:
    """Return the DICOM files directly in a folder, by name."""
    return sorted(path for path in folder.iterdir() if path.is_file() and is_dicom(path))


def is_series(folder: Path) -> bool:
    """Return whether a folder directly holds slices of a series, rather than separate images.

    Files are separate images if each is a series of its own, as radiographs are. Without
    SimpleITK, which tells the series, all files are taken for slices.
    """
    if not any(is_dicom(path) and path.is_file() for path in folder.iterdir()):
        return False
    files = dicom_files(folder)
    try:
        import SimpleITK as itk
    except ImportError:
        return True
    with _quiet(itk):
        return len(files) == 1 or len(_series_by_id(itk, files)) < len(files)


def _series(itk: Any, folder: Path) -> list[Path]:
    """Return the files of the only series."""
    files = dicom_files(folder)
    if not files:
        raise ValueError("it is a folder without DICOM files.")
    found = _series_by_id(itk, files)
    if len(found) > 1:
        names = [f"{key} ({len(part)} files)" for key, part in list(found.items())[:5]]
        more = ", ..." if len(found) > 5 else ""
        raise ValueError(
            f"it is a folder with {len(found)} series: {', '.join(names)}{more}. Expected one: "
            f"move each series to a folder of its own, or pass the files if each is an image."
        )
    return files


def _series_by_id(itk: Any, files: list[Path]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for file in files:
        try:
            reader = _opened(itk, file)
        except ValueError as error:
            raise ValueError(f"in it, {file.name!r}: {error}") from error
        found.setdefault(_text(reader, _SERIES), []).append(file)
    return found


def _read_file(
    itk: Any, path: Path, *, mask: bool
) -> tuple[np.ndarray, str, dict[str, float], Any]:
    """Return the numbers of a file, their axes, the sizes of a pixel, and where it is."""
    reader = _opened(itk, path)
    _check(reader, path, mask=mask)
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise ValueError(_reason(error)) from error
    values = np.asarray(itk.GetArrayFromImage(image))
    is_color = image.GetNumberOfComponentsPerPixel() > 1
    axes = "ZYX"[3 - image.GetDimension() :] + ("S" if is_color else "")
    sizes: dict[str, float] = {}
    if any(reader.HasMetaDataKey(key) for key in _SPACINGS) or set(image.GetSpacing()) != {1.0}:
        sizes = dict(zip("XYZ", image.GetSpacing(), strict=False))
    if not reader.HasMetaDataKey(_BETWEEN_SLICES) and sizes.get("Z") == 1:  # ITK's default
        sizes.pop("Z")
    direction = np.reshape(image.GetDirection(), (image.GetDimension(), -1))
    position = float(direction[:, -1] @ np.asarray(image.GetOrigin()))
    return values, axes, sizes, (position, tuple(np.round(direction.ravel(), 3)))


def _stacked(slices: list[Any], files: list[Path], *, mask: bool) -> Pixels:
    """Return a volume of slices, sorted by their position along the normal."""
    shapes = {(values.shape, each[1]) for values, *_, each in slices}
    if len(shapes) > 1 or slices[0][0].shape[0] != 1:
        raise ValueError(
            f"its {len(slices)} files do not fit together: their sizes or directions differ, or "
            f"they have several frames. Expected the parallel slices of one volume."
        )
    order = sorted(range(len(slices)), key=lambda k: slices[k][3][0])
    positions = np.array([slices[k][3][0] for k in order])
    steps = np.diff(positions)
    if (steps <= 1e-6 * max(1.0, float(np.ptp(positions)))).any():
        first = int(np.argmin(steps))
        pair = [files[order[first + k]].name for k in (0, 1)]
        raise ValueError(
            f"its files {pair[0]!r} and {pair[1]!r} are at the same position. Expected one slice "
            f"each: move each volume to a folder of its own."
        )
    values = np.concatenate([slices[k][0] for k in order])
    sizes = {**slices[0][2], "Z": float(np.median(steps))}
    if np.abs(steps - sizes["Z"]).max() > 0.05 * sizes["Z"]:  # then there is no single distance
        sizes = {}
    values, axes = in_order(values, slices[0][1])
    return Pixels(as_integers(values) if mask else values, axes, spacing_along(axes, sizes))


def _opened(itk: Any, path: Path) -> Any:
    """Return a reader that has read the header; it takes no other kind of file."""
    reader = itk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise ValueError(_reason(error)) from error
    return reader


def _check(reader: Any, path: Path, *, mask: bool) -> None:
    """Raise an error for what is not an image, or is larger than its file."""
    kind = _OTHERS.get(_text(reader, _CLASS))
    if kind is not None:
        raise ValueError(f"it is {kind}. Convert it to a NIfTI file with one label per voxel.")
    n_frames = reader.GetSize()[2] if reader.GetDimension() > 2 else 1
    if n_frames > 1 and any(reader.HasMetaDataKey(key) for key in _FRAME_TIMES):
        raise ValueError(
            f"it holds {n_frames} points in time. Expected one: save each as a separate file."
        )
    if mask:
        slope, intercept = _text(reader, _SLOPE) or "1", _text(reader, _INTERCEPT) or "0"
        if (float(slope), float(intercept)) != (1, 0):
            raise ValueError(
                f"it is a mask with the rescale slope {slope} and intercept {intercept}. Save the "
                f"number of the class in each pixel, without rescaling."
            )
        if _text(reader, _PHOTOMETRIC) == "MONOCHROME1":
            raise ValueError("it is a mask in which white is 0 (MONOCHROME1). Save it otherwise.")
    itemsize = -(-int(_text(reader, "0028|0100") or 8) // 8)
    shape = (*reader.GetSize(), reader.GetNumberOfComponents())
    if _transfer_syntax(path) in _RAW:
        check_stored(shape, itemsize, path.stat().st_size)
    check_memory(shape, itemsize)


def _transfer_syntax(path: Path) -> str:
    """Return how the pixels are stored; files that do not say it use the default."""
    with path.open("rb") as file:
        start = file.read(4096)
    found = re.search(rb"\x02\x00\x10\x00UI..([0-9.]+)", start, re.DOTALL)
    return found[1].decode("ascii") if found else "1.2.840.10008.1.2"


def _text(reader: Any, key: str) -> str:
    return reader.GetMetaData(key).strip(" \0") if reader.HasMetaDataKey(key) else ""


def _reason(error: RuntimeError) -> str:
    if "Cannot read requested file" in str(error) or "Unable to determine" in str(error):
        return "it is not a DICOM file with an image, or it is cut off or damaged."
    return str(error).rpartition("ERROR: ")[2] or str(error)


@contextlib.contextmanager
def _quiet(itk: Any) -> Iterator[None]:
    """Keep ITK from writing to the terminal: what matters is checked here."""
    before = itk.ProcessObject.GetGlobalWarningDisplay()
    itk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        itk.ProcessObject.SetGlobalWarningDisplay(before)
