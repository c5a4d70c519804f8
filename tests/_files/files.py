"""Writes files for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def write_slice(
    path: Path,
    pixels: np.ndarray,
    *,
    series: str = "1.2.3",
    position: float = 0,
    spacing: Sequence[float] | None = (0.5, 0.25),
    normal: str = "1\\0\\0\\0\\1\\0",
    tags: dict[str, str] | None = None,
) -> None:
    """Write a DICOM file, with several frames if pixels (frames, rows, columns) are given."""
    itk: Any = pytest.importorskip("SimpleITK")
    path.parent.mkdir(exist_ok=True)
    pixels = np.asarray(pixels)
    kind = pixels.dtype if pixels.dtype.itemsize < 4 else np.int16
    image = itk.GetImageFromArray(pixels.astype(kind))
    values = {
        "0008|0060": "CT",
        "0020|000e": series,
        "0020|0032": f"0\\0\\{position}",
        "0020|0037": normal,
        "0008|0008": "DERIVED\\SECONDARY",
        **(tags or {}),
    }
    if spacing is not None:
        image.SetSpacing([*spacing[::-1], 1.0][: image.GetDimension()])
    if pixels.ndim == 2:
        image = itk.JoinSeries([image], position, 1.0)
    for key, value in values.items():
        image.SetMetaData(key, value)
    writer = itk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    writer.SetImageIO("GDCMImageIO")
    writer.SetFileName(str(path))
    writer.Execute(image)
