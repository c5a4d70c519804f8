"""Rows of data of each kind."""

from __future__ import annotations

import numpy as np
import torch
from torch.utils.data import TensorDataset

from sklearnloss._utils.rows import take_rows

ROWS = np.array([3, 1])


def test_rows_stay_in_the_kind_of_container_that_they_came_in() -> None:
    values = np.arange(10).reshape(5, 2)
    assert take_rows(None, ROWS) is None
    assert take_rows(values, ROWS).tolist() == [[6, 7], [2, 3]]
    assert take_rows(list("abcde"), ROWS) == ["d", "b"]
    part = take_rows(torch.from_numpy(values), ROWS)
    assert isinstance(part, torch.Tensor)
    assert part.tolist() == [[6, 7], [2, 3]]
    pairs = take_rows(TensorDataset(torch.from_numpy(values)), ROWS)
    assert [row.tolist() for (row,) in pairs] == [[6, 7], [2, 3]]
