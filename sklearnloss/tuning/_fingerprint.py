"""What a search was made with, so that a storage of another one is not mixed in."""

from __future__ import annotations

import functools
import hashlib
import os
import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.sparse import issparse
from torch import nn
from torch.utils.data import Dataset

from ..estimators._loss_param import module_settings
from ..estimators._pictures import is_pillow
from ._function_text import describe_function

if TYPE_CHECKING:
    from ._branches import Space
    from ._values import Free

_CHUNK = 1 << 24
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")

# What an estimator's results do not depend on.
SILENT = ("verbose", "device")


def digest(value: Any) -> str:
    """Return a short text that differs for unlike values, and is the same in every process.

    Parameters
    ----------
    value : object
        Arrays and tensors count with all their elements, data sets with some of their
        items, functions with what they do, classes by name, other objects by their
        parameters, without those that results do not depend on.
    """
    return _digest(value, files=False)


def digest_data(X: Any, y: Any, *others: Any, masks: bool) -> str:
    """Return a digest of data, in which files count with name, size and time.

    Parameters
    ----------
    X, y : array-like, list of files, or Dataset
        Images with their masks or labels.
    *others : object
        Groups, weights and the like.
    masks : bool
        Whether texts in ``y`` may be files; labels are none, even where a file has
        that name.
    """
    return digest([_digest(X, files=True), _digest(y, files=masks), *others])


def in_order(values: Collection[Any]) -> list[Any]:
    """Return the elements of a set in an order that is the same in every process."""
    return sorted(values, key=lambda value: (_text(value), digest(value)))


def _digest(value: Any, *, files: bool) -> str:
    state = hashlib.blake2b(digest_size=12)
    _add(state, value, files)
    return state.hexdigest()


def _add(state: Any, value: Any, files: bool = False) -> None:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if hasattr(value, "to_numpy"):  # a table or a column of one
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
    elif files and isinstance(value, str | os.PathLike) and os.path.isfile(value):
        found = os.stat(value)
        state.update(f"{os.fspath(value)} {found.st_size} {found.st_mtime_ns}".encode())
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


def _add_object(state: Any, value: Any) -> None:
    """Add what is no collection of elements."""
    if isinstance(value, Dataset):
        size = len(value)  # type: ignore[arg-type]
        some = [value[k] for k in sorted({0, size // 2, size - 1}) if 0 <= k < size]
        _add(state, [type(value).__qualname__, size, some])
    elif isinstance(value, set | frozenset):
        _add(state, ["set", in_order(value)])
    elif hasattr(value, "get_params") and not isinstance(value, type):
        params = value.get_params(deep=False)
        _add(state, [type(value), {k: v for k, v in params.items() if k not in SILENT}])
    elif hasattr(value, "_score_func"):  # what make_scorer returns
        _add(state, [type(value), vars(value)])
    elif isinstance(value, functools.partial):
        _add(state, ["partial", value.func, value.args, value.keywords])
    elif isinstance(value, nn.Module):
        state.update(_ADDRESS.sub("", repr(module_settings(value))).encode())
    elif hasattr(value, "__qualname__"):
        _add(state, describe_function(value))
    else:
        state.update(_text(value).encode())


def _add_array(state: Any, array: np.ndarray, files: bool) -> None:
    state.update(f"{array.dtype} {array.shape}".encode())
    if array.dtype == object:
        _add(state, array.tolist(), files)
        return
    if not array.ndim:
        state.update(array.tobytes())
        return
    step = max(1, _CHUNK // max(1, array[:1].nbytes))
    for start in range(0, len(array), step):
        state.update(np.ascontiguousarray(array[start : start + step]).view(np.uint8).data)


def _text(value: Any) -> str:
    """Write out an object without its address in memory."""
    if isinstance(value, np.random.RandomState):
        return digest(list(value.get_state()[1]))  # type: ignore[index]
    return _ADDRESS.sub("", repr(value))


def describe_space(space: Space) -> list[Any]:
    """Return all of a space that matters, to be digested."""
    return [
        [
            label,
            dict(branch.fixed),
            [
                [name, free.key, repr(free.distribution), free.choices, _quantile(free)]
                for name, free in branch.free.items()
            ],
        ]
        for label, branch in space.branches.items()
    ]


def _quantile(free: Free) -> list[Any]:
    """Return what tells a scipy distribution from another one."""
    if free.quantile is None:
        return []
    kind = getattr(free.quantile, "dist", free.quantile)
    return [kind.name, *free.quantile.ppf([0.1, 0.5, 0.9]), *free.quantile.support()]


def check_same(kept: Mapping[str, str], now: Mapping[str, str], where: str) -> None:
    """Raise a ValueError that says what differs from what a storage was made with."""
    others = [name for name, value in now.items() if kept.get(name) != value]
    if others:
        raise ValueError(
            f"{where} holds a search of other {' and other '.join(others)}. Its scores cannot be "
            f"compared with yours. Pass another storage, or another study_name."
        )
