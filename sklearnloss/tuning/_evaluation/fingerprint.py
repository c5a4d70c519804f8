"""Digests of data and settings, which identify the storage of a different search."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import time
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.sparse import issparse
from torch import nn
from torch.nn.parameter import is_lazy
from torch.utils.data import Dataset

from ..._files import MaskFiles
from ..._files.channel_files import ChannelFiles
from ..._files.formats import is_image_folder
from ..._files.pictures import is_pillow
from ...estimators._loss_parameter import module_settings, plain_settings
from .function_text import describe_function

_CHUNK = 1 << 24

# Modules with up to so many numbers, such as losses with class weights, are written out.
_FEW = 1000

#: Number of files read in parallel.
_READERS = 8

# Digests of files by attributes that change with their contents. A search and a comparison, or the
# folds of a nested cross-validation, use the same files.
_known_files: dict[tuple[int, ...], bytes] = {}
_MOST_KNOWN = 200_000

# Nanoseconds within which two writes of a file may get the same timestamp.
_TOO_RECENT = 2_000_000_000

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")

# Parameters on which an estimator's results do not depend.
SILENT = ("verbose", "device")


def digest(value: Any) -> str:
    """Return a digest of a value that is the same in every process.

    Parameters
    ----------
    value : object
        The digest covers all elements of arrays and tensors, some items of data sets, the
        code of functions, the names of classes, and the parameters of other objects,
        except for those on which results do not depend.
    """
    return _digest(value, files=False)


def digest_data(X: Any, y: Any, *others: Any, masks: bool) -> str:
    """Return a digest of data that covers the full contents of files.

    The location, name and time of files do not matter. Each file is read once, several at
    a time, without being decoded.

    Parameters
    ----------
    X, y : array-like, list of files, or Dataset
        Images with their masks or labels.
    *others : object
        Groups, weights and so on.
    masks : bool
        Whether strings in ``y`` may be file names; labels are not, even if there is a
        file with that name.
    """
    return digest([digest_contents(X), _digest(y, files=masks), *others])


def digest_contents(value: Any) -> str:
    """Return a digest like :func:`digest`, but of files instead of their names."""
    return _digest(value, files=True)


def in_order(values: Collection[Any]) -> list[Any]:
    """Return the elements of a set in an order that is the same in every process."""
    return sorted(values, key=lambda value: (as_text(value), digest(value)))


def _digest(value: Any, *, files: bool) -> str:
    state = hashlib.blake2b(digest_size=12)
    _add(state, value, files)
    return state.hexdigest()


def _add(state: Any, value: Any, files: bool = False) -> None:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        if value.dtype == torch.bfloat16:  # not supported by numpy
            value = value.float()
            state.update(b"bfloat16")
        value = value.numpy()
    if files and (items := _listed_files(value)) is not None:
        _add_files(state, items)
        return
    if hasattr(value, "to_numpy"):  # a table or one of its columns
        _add(state, [str(column) for column in getattr(value, "columns", ())])
        value = value.to_numpy()
    if isinstance(value, np.ma.MaskedArray):
        _add(state, np.ma.getmaskarray(value))
        value = value.data
    if is_pillow(value):
        value = np.asarray(value)
    if issparse(value):
        rows = value.tocsr()
        value = [rows.shape, rows.data, rows.indices, rows.indptr]
    if isinstance(value, np.ma.MaskedArray):
        value = [value.filled(0), np.ma.getmaskarray(value)]
    if isinstance(value, np.ndarray):
        _add_array(state, value, files)
    elif files and _is_file(value):
        state.update(_digest_file(value))
    elif isinstance(value, Mapping):
        items = [item for key in sorted(value, key=str) for item in (str(key), value[key])]
        _add(state, items, files)
    elif isinstance(value, list | tuple):
        state.update(f"{type(value).__name__}{len(value)}".encode())
        for item in value:
            _add(state, item, files)
            state.update(b";")
    else:
        _add_object(state, value)


def _is_file(value: Any) -> bool:
    """Return whether a value is a file, a folder that is an image, or several files."""
    if isinstance(value, MaskFiles | ChannelFiles):
        return True
    return isinstance(value, str | os.PathLike) and (
        os.path.isfile(value) or (os.path.isdir(value) and is_image_folder(value))
    )


def _listed_files(value: Any) -> list[Any] | None:
    """Return the list of files, or of pairs of files, in any container; None for other data."""
    if hasattr(value, "to_numpy"):
        value = value.to_numpy()
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "OUT":
        value = value.tolist()
    if not isinstance(value, list | tuple) or not value:
        return None
    first = value[0]
    return list(value) if _is_file(first) or _is_pair_of_files(first) else None


def _is_pair_of_files(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and _is_file(value[0])


def _add_files(state: Any, items: list[Any]) -> None:
    state.update(f"files{len(items)}".encode())
    with ThreadPoolExecutor(_READERS) as pool:
        for content in pool.map(_digest_item, items):
            state.update(content)


def _digest_item(item: Any) -> bytes:
    if _is_file(item):
        return _digest_file(item)
    parts = item if _is_pair_of_files(item) else (item,)
    return b"".join(
        _digest_file(part) if _is_file(part) else _digest(part, files=True).encode()
        for part in parts
    )


def _digest_file(path: str | os.PathLike[str] | MaskFiles | ChannelFiles) -> bytes:
    """Return a digest of a file's contents, which are read again only if the file changed."""
    if isinstance(path, MaskFiles | ChannelFiles):
        return b"".join(map(_digest_file, path.paths))
    if os.path.isdir(path):
        inside = sorted(part for part in Path(path).rglob("*") if part.is_file())
        text = [(str(part.relative_to(path)), _digest_file(part).hex()) for part in inside]
        return hashlib.blake2b(repr(text).encode(), digest_size=12).digest()
    found = os.stat(path)
    written = (found.st_mtime_ns, found.st_ctime_ns)
    key = (found.st_dev, found.st_ino, found.st_size, *written)
    known = _known_files.get(key)
    if known is None:
        now = time.time_ns()
        with open(path, "rb", buffering=0) as file:
            known = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=12)).digest()
        if max(written) < now - _TOO_RECENT:
            if len(_known_files) >= _MOST_KNOWN:
                _known_files.clear()
            _known_files[key] = known
    return known


def _add_object(state: Any, value: Any) -> None:
    """Add a value that is not a collection of elements."""
    if isinstance(value, Dataset):
        size = len(value)  # type: ignore[arg-type]
        some = [value[k] for k in sorted({0, size // 2, size - 1}) if 0 <= k < size]
        _add(state, [type(value).__qualname__, size, some])
    elif isinstance(value, set | frozenset):
        _add(state, ["set", in_order(value)])
    elif hasattr(value, "get_params") and not isinstance(value, type):
        params = value.get_params(deep=False)
        _add(state, [type(value), {k: v for k, v in params.items() if k not in SILENT}])
    elif hasattr(value, "_score_func"):  # a scorer made by make_scorer
        _add(state, [type(value), vars(value)])
    elif isinstance(value, functools.partial):
        _add(state, ["partial", value.func, value.args, value.keywords])
    elif isinstance(value, nn.Module):
        _add_module(state, value)
    elif hasattr(value, "__qualname__"):
        _add(state, describe_function(value))
    else:
        state.update(as_text(value).encode())


def _add_module(state: Any, module: nn.Module) -> None:
    tensors = [*module.parameters(), *module.buffers()]
    if not any(map(is_lazy, tensors)) and sum(t.numel() for t in tensors) <= _FEW:
        state.update(_ADDRESS.sub("", repr(module_settings(module))).encode())
        return
    state.update(_ADDRESS.sub("", repr(plain_settings(module))).encode())
    for name, value in module.state_dict().items():
        state.update(name.encode())
        _add(state, None if is_lazy(value) else value)


def _add_array(state: Any, array: np.ndarray, files: bool) -> None:
    state.update(f"{array.dtype} {array.shape}".encode())
    if array.dtype.hasobject:
        _add(state, array.tolist(), files)
        return
    if not array.ndim:
        state.update(array.tobytes())
        return
    step = max(1, _CHUNK // max(1, array[:1].nbytes))
    for start in range(0, len(array), step):
        state.update(np.ascontiguousarray(array[start : start + step]).view(np.uint8).data)


def as_text(value: Any) -> str:
    """Return the repr of an object without its address in memory."""
    if isinstance(value, np.random.RandomState):
        return digest(list(value.get_state()[1]))  # type: ignore[index]
    return _ADDRESS.sub("", repr(value))
