"""The file format: safetensors with tensors and JSON, and a checksum of both."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..._utils.temporary_file import check_target, write_whole

#: The version of the format that is written; older versions can be read.
FORMAT = 1
#: The key of the JSON in the metadata of safetensors.
KEY = "sklearnloss"
#: Prefix of the names of the network's tensors.
NETWORK = "network."
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"')  # without backtracking


def write(
    path: str | os.PathLike[str],
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    check: Callable[[Path], object],
) -> None:
    """Write a complete file, or none at all.

    Parameters
    ----------
    path : str or path-like
        Replaced atomically, once everything is on the disk.
    config : dict
        Values that JSON can represent.
    tensors : dict of str to Tensor
        On any device.
    check : callable
        Called with the path of the finished file before it replaces the target;
        raises an error if the file is invalid.
    """
    check_target(path)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps({"format": FORMAT, **config}, allow_nan=False)
    metadata = {KEY: text, "sha256": checksum(text, tensors)}
    write_whole(path, save(dict(tensors), metadata), check)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return a file's JSON and tensors.

    Raises
    ------
    ValueError
        If it was not written by :func:`write`, was written by a newer version, or
        was changed since.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        raise ValueError("it is a folder, a device or a pipe")
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if KEY not in metadata:
                raise ValueError("it was not written by an estimator's save")
            config = _parse(metadata[KEY])
            names = file.keys()
            tensors = {name: file.get_tensor(name).clone() for name in names}
    except SafetensorError as error:
        raise ValueError(
            f"it was not written by an estimator's save, or is incomplete ({error})"
        ) from error
    if metadata.get("sha256") != checksum(metadata[KEY], tensors):
        raise ValueError("its checksum is wrong: it is damaged, or was changed after it was saved")
    return config, tensors


def checksum(text: str, tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of the JSON and of the tensors' names, types, shapes and bytes."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(as_bytes(tensor))
    return digest.hexdigest()


def as_bytes(tensor: Tensor) -> memoryview:
    """Return the bytes of a contiguous tensor on the CPU."""
    return tensor.reshape(-1).view(torch.uint8).numpy().data


def to_json(value: Any) -> Tensor:
    """Return JSON as a tensor of bytes, for values too long for the metadata."""
    text = json.dumps(value, allow_nan=False)
    return torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)


def from_json(tensor: Tensor) -> Any:
    """Return the value that was passed to :func:`to_json`."""
    return _loads(bytes(as_bytes(tensor)).decode())


def _parse(text: str) -> dict[str, Any]:
    config: dict[str, Any] = _loads(text)
    version = config["format"]
    if not isinstance(version, int) or version < 1:
        raise ValueError("it has no format version")
    if version > FORMAT:
        raise ValueError(
            f"it has version {version} of the format, but this sklearnloss reads only up to "
            f"{FORMAT}. Install the sklearnloss that wrote it, or a newer one"
        )
    return config


def _loads(text: str) -> Any:
    """Parse JSON, unless it would be many times larger in memory.

    An empty list of two characters takes 56 bytes, a small dict of seven takes 184.
    """
    if _is_dense(text) and _is_dense(_STRING.sub("", text)):
        raise ValueError("it holds more lists and tables than its length allows")
    return json.loads(text, parse_constant=_refuse)


def _is_dense(text: str) -> bool:
    return 6 * text.count("[") + 24 * text.count("{") > len(text) + 4096


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"it holds {constant}, which is not JSON")
