"""What a search was made with, so that a storage of another one is not mixed in."""

from __future__ import annotations

import functools
import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from torch import nn
from torch.utils.data import Dataset

from ..estimators._loss_param import module_settings
from ..losses import Loss
from ._branches import Space
from ._values import Free

_CHUNK = 1 << 24


def digest(value: Any) -> str:
    """Return a short text that differs for unlike values.

    Parameters
    ----------
    value : object
        Arrays and tensors count with all their elements, files with name, size and
        time, data sets with some of their items, functions and classes by name, other
        objects by their parameters.
    """
    state = hashlib.blake2b(digest_size=12)
    _add(state, value)
    return state.hexdigest()


def _add(state: Any, value: Any) -> None:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if hasattr(value, "to_numpy"):  # a table or a column of one
        _add(state, [str(column) for column in getattr(value, "columns", ())])
        value = value.to_numpy()
    if issparse(value):
        rows = value.tocsr()
        value = [rows.shape, rows.data, rows.indices, rows.indptr]
    if isinstance(value, np.ndarray):
        _add_array(state, value)
    elif isinstance(value, str | os.PathLike) and os.path.isfile(value):
        found = os.stat(value)
        state.update(f"{os.fspath(value)} {found.st_size} {found.st_mtime_ns}".encode())
    elif isinstance(value, Mapping):
        _add(state, [item for key in sorted(value, key=str) for item in (str(key), value[key])])
    elif isinstance(value, Dataset):
        size = len(value)  # type: ignore[arg-type]
        some = [value[k] for k in sorted({0, size // 2, size - 1}) if 0 <= k < size]
        _add(state, [type(value).__qualname__, size, some])
    elif isinstance(value, BaseEstimator | Loss):
        _add(state, [type(value).__qualname__, value.get_params()])
    elif isinstance(value, functools.partial):
        _add(state, ["partial", value.func, value.args, value.keywords])
    elif isinstance(value, nn.Module):
        _add(state, [repr(module_settings(value))])
    elif isinstance(value, list | tuple | set | frozenset):
        items: Iterable[Any] = value
        state.update(f"{type(value).__name__}{len(value)}".encode())
        for item in items if isinstance(value, list | tuple) else sorted(items, key=str):
            _add(state, item)
            state.update(b";")
    else:
        state.update(_text(value).encode())


def _add_array(state: Any, array: np.ndarray) -> None:
    state.update(f"{array.dtype} {array.shape}".encode())
    if array.dtype == object:
        _add(state, array.tolist())
        return
    if not array.ndim:
        state.update(array.tobytes())
        return
    step = max(1, _CHUNK // max(1, array[:1].nbytes))
    for start in range(0, len(array), step):
        state.update(np.ascontiguousarray(array[start : start + step]).view(np.uint8).data)


def _text(value: Any) -> str:
    if isinstance(value, np.random.RandomState):
        return digest(list(value.get_state()[1]))  # type: ignore[index]
    name = getattr(value, "__qualname__", None)
    if name is not None:
        return f"{getattr(value, '__module__', '')}.{name}"
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


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
