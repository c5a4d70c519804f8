"""Selection of rows from data of any kind."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing
from torch import Tensor
from torch.utils.data import Dataset, Subset


def take_rows(values: Any, rows: NDArray[Any]) -> Any:
    """Return some images, masks or labels, in the same kind of container.

    Parameters
    ----------
    values : array-like, list, tensor, torch Dataset or None
        All rows; None stays None.
    rows : ndarray of int
        Their positions.
    """
    if values is None:
        return None
    if isinstance(values, Dataset):
        return Subset(values, rows.tolist())
    if isinstance(values, Tensor):
        return values[torch.from_numpy(rows)]
    return _safe_indexing(values, rows)
