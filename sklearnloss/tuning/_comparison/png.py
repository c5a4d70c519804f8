"""Small pictures as PNG files in addresses, for reports."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GRAY, _RGB = 0, 2
_URI = "data:image/png;base64,"


def png_uri(picture: NDArray[Any]) -> str:
    """Return pixels, uint8 of shape (H, W) or (H, W, 3), as a data URI.

    A signal, of height 1, becomes a strip of height 24.
    """
    if picture.shape[0] == 1:
        picture = np.repeat(picture, 24, axis=0)
    return as_uri(encode(picture))


def as_uri(png: bytes) -> str:
    """Return a PNG file as a data URI."""
    return f"{_URI}{base64.b64encode(png).decode()}"


def encode(picture: NDArray[np.uint8]) -> bytes:
    """Return pixels as a PNG file, gray or in color, as in its specification.

    Every row is preceded by 0: its bytes are not replaced by differences.
    https://www.w3.org/TR/png-3/
    """
    height, width = picture.shape[:2]
    kind = _GRAY if picture.ndim == 2 else _RGB
    rows = picture.reshape(height, -1)
    filtered = np.concatenate([np.zeros((height, 1), dtype=np.uint8), rows], axis=1)
    head = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    data = zlib.compress(filtered.tobytes(), 9)
    return _SIGNATURE + _chunk(b"IHDR", head) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
