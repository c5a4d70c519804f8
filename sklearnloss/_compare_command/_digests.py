"""Digests of data, by which a run recognizes data that were moved."""

from __future__ import annotations

from ..tuning._evaluation.fingerprint import digest, digest_data
from ._data import ImageData


def digest_content(data: ImageData) -> str:
    """Return a digest of the images, the targets and the names of files.

    It depends on the contents of files, not on their folder or time: data that were moved
    or copied have the same digest.
    """
    masks = data.task == "segmentation"
    return digest_data(data.X, data.y, data.names, data.channels, masks=masks)


def digest_groups(data: ImageData) -> str | None:
    """Return a digest of the groups, None if there are none."""
    return None if data.groups is None else digest(data.groups.tolist())
