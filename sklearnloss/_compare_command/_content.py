"""Digests of data, by which a run recognizes the same data elsewhere."""

from __future__ import annotations

from ..tuning._evaluation.fingerprint import digest, digest_data
from ._data import ImageData


def digest_content(data: ImageData) -> str:
    """Return a short text that differs for other images, targets or names of files.

    Files count with their bytes, not with their folder or time: data that were moved or
    copied are the same.
    """
    masks = data.task == "segmentation"
    return digest_data(data.X, data.y, data.names, data.channels, masks=masks)


def digest_groups(data: ImageData) -> str | None:
    """Return a short text that differs for other groups, None if there are none."""
    return None if data.groups is None else digest(data.groups.tolist())
