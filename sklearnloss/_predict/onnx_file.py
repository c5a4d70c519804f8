"""Exported models as files: their metadata, and a check before anything runs them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

#: The version of the metadata that is written; older versions can be read.
FORMAT = 1
#: The key of the JSON in the metadata of an ONNX file.
KEY = "sklearnloss"
#: ONNX files are protocol buffers, which cannot be larger.
MOST_BYTES = 2**31 - 1

# Fields of protocol buffers that contain tensors, by kind of message:
# https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
_PARTS = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_GRAPH, _METADATA = 7, 14
_EXTERNAL = {13, 14}  # of a tensor: where its data are, and whether they are elsewhere

Field = tuple[int, int, Any]  # its number, its kind, and its value


class OnnxFile(NamedTuple):
    """An exported model.

    Attributes
    ----------
    data : bytes
        The whole file.
    metadata : dict
        What :meth:`~sklearnloss.UNetSegmenter.export` wrote about the model.
    """

    data: bytes
    metadata: dict[str, Any]


def read_onnx(path: str | os.PathLike[str]) -> OnnxFile:
    """Read a file that was written by ``export``; nothing in it is run.

    Parameters
    ----------
    path : str or path-like
        The file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not an ONNX file, damaged, of another program, or refers to other files.
    """
    name = repr(str(path))
    if Path(path).is_dir():
        raise ValueError(f"{name} is a folder. Expected an .onnx file.")
    if Path(path).stat().st_size > MOST_BYTES:
        raise ValueError(f"{name} is larger than 2 GB, which no ONNX file can be.")
    data = Path(path).read_bytes()
    try:
        found = dict(_entries(data))
        external = _has_external(data)
    except (_NotAMessage, UnicodeDecodeError) as error:
        raise ValueError(
            f"{name} is not an ONNX file, or damaged. Write it again with export."
        ) from error
    if external:
        raise ValueError(
            f"{name} keeps weights in other files, which it names. Only files that hold "
            f"everything are read: write it again with export."
        )
    if KEY not in found:
        raise ValueError(
            f"{name} does not say how images enter the network: it was not written by "
            f"sklearnloss, or is incomplete. Write it with the export method of an estimator."
        )
    return OnnxFile(data, _metadata(name, found[KEY], data))


def graph_digest(data: bytes) -> str:
    """Return a digest of the graph, with all weights, of a serialized model."""
    digest = hashlib.sha256()
    for number, kind, value in _fields(memoryview(data)):
        if number == _GRAPH and kind == 2:
            digest.update(value)
    return digest.hexdigest()


def _metadata(name: str, text: str, data: bytes) -> dict[str, Any]:
    try:
        metadata = json.loads(text)
        version = int(metadata["format"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"The metadata of {name} are damaged. Write it again with export."
        ) from error
    if version > FORMAT:
        raise ValueError(
            f"{name} was written by a newer version of sklearnloss, "
            f"{metadata.get('versions', {}).get('sklearnloss')}. Update sklearnloss."
        )
    if metadata.get("graph_sha256") != graph_digest(data):
        raise ValueError(
            f"{name} was damaged or changed since it was exported. Write it again with export."
        )
    return dict(metadata)


def _entries(data: bytes) -> Iterator[tuple[str, str]]:
    for number, kind, value in _fields(memoryview(data)):
        if number == _METADATA and kind == 2:
            entry = {key: bytes(part) for key, of, part in _fields(value) if of == 2}
            yield entry.get(1, b"").decode(), entry.get(2, b"").decode()


def _has_external(data: bytes) -> bool:
    """Return whether any tensor refers to another file."""
    pending: list[tuple[str, memoryview]] = [("model", memoryview(data))]
    while pending:
        message, content = pending.pop()
        parts = _PARTS[message]
        for number, kind, value in _fields(content):
            if message == "tensor" and number in _EXTERNAL and value:
                return True
            if number in parts and kind == 2:
                pending.append((parts[number], value))
    return False


class _NotAMessage(ValueError):
    """Bytes are not a protocol buffer."""


def _fields(content: memoryview) -> Iterator[Field]:
    """Yield the fields of a protocol buffer."""
    position, end = 0, len(content)
    while position < end:
        key, position = _varint(content, position)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, position = _varint(content, position)
            yield number, kind, value
            continue
        if kind == 2:
            length, position = _varint(content, position)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise _NotAMessage(f"kind {kind}")
        if number == 0 or position + length > end:
            raise _NotAMessage("too short")
        yield number, kind, content[position : position + length]
        position += length


def _varint(content: memoryview, position: int) -> tuple[int, int]:
    """Return an integer of 7 bits per byte, and the position after it."""
    value = 0
    for k in range(10):
        if position >= len(content):
            raise _NotAMessage("too short")
        byte = content[position]
        position += 1
        value |= (byte & 127) << 7 * k
        if byte < 128:
            return value, position
    raise _NotAMessage("a number of more than 10 bytes")
