from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse, stats
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from torch import nn
from torch.utils.data import TensorDataset

from sklearnloss import UNetSegmenter
from sklearnloss.losses import DiceLoss, FocalLoss
from sklearnloss.tuning._branches import Branch, Space
from sklearnloss.tuning._fingerprint import check_same, describe_space, digest
from sklearnloss.tuning._values import read_free


def late_change(make: Any) -> tuple[Any, Any]:
    """Return a long array-like, and one that differs in the middle alone."""
    one = np.arange(400.0)
    other = one.copy()
    other[150] += 1
    return make(one), make(other)


def dataset(values: np.ndarray) -> TensorDataset:
    return TensorDataset(torch.tensor(values[150:200]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        late_change(np.asarray),
        late_change(torch.tensor),
        late_change(pd.Series),
        late_change(lambda v: pd.DataFrame({"a": v})),
        late_change(lambda v: v.tolist()),
        late_change(lambda v: v.astype(object)),
        late_change(lambda v: sparse.csr_matrix(v.reshape(20, 20))),
        late_change(lambda v: np.asfortranarray(v.reshape(20, 20))),
        late_change(dataset),
        (np.zeros(4, np.float32), np.zeros(4)),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.array(1), np.array(2)),
        (np.array(["a", "b"]), np.array(["a", "c"])),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})),
        (["ab", "c"], ["a", "bc"]),
        ([1, 2], (1, 2)),
        ([[1], 2], [1, [2]]),
        (None, "None"),
        (1, "1"),
        (1, 1.0),
        ({"a": 1}, {"a": 2}),
        (FocalLoss(gamma=2), FocalLoss(gamma=3)),
        (DiceLoss() + FocalLoss(), 2 * DiceLoss() + FocalLoss()),
        (nn.CrossEntropyLoss(), nn.CrossEntropyLoss(label_smoothing=0.1)),
        (UNetSegmenter(width=4), UNetSegmenter(width=8)),
        (make_pipeline(StandardScaler()), make_pipeline(MinMaxScaler())),
        (functools.partial(np.mean, axis=0), functools.partial(np.mean, axis=1)),
        (functools.partial(np.mean, np.arange(9)), functools.partial(np.mean, np.ones(9))),
        (np.mean, np.median),
        (np.random.RandomState(0), np.random.RandomState(1)),
        ({3, 1}, {3, 2}),
    ],
)
def test_unlike_values_have_unlike_digests(one: Any, other: Any) -> None:
    assert digest(one) != digest(other)
    assert digest(one) == digest(one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (np.arange(6).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3))),
        (np.arange(4), torch.arange(4)),
        (UNetSegmenter(loss=FocalLoss()), UNetSegmenter(loss=FocalLoss())),
        (np.zeros((0, 3)), np.zeros((0, 3))),
    ],
)
def test_equal_values_have_equal_digests(one: Any, other: Any) -> None:
    assert digest(one) == digest(other)


def test_objects_without_a_repr_of_their_own_go_by_their_class() -> None:
    class Thing:
        pass

    assert digest(Thing()) == digest(Thing())
    parts = [functools.partial(np.mean, Thing(), key=Thing()) for _ in range(2)]
    assert digest(parts[0]) == digest(parts[1])


def test_large_arrays_count_with_all_their_elements() -> None:
    one = np.zeros((3, 1 << 23), np.uint8)
    other = one.copy()
    other[2, -1] = 1
    assert digest(one) != digest(other)


def test_memory_mapped_arrays_are_the_arrays_in_the_file(tmp_path: Path) -> None:
    np.save(tmp_path / "X.npy", np.arange(10.0))
    assert digest(np.load(tmp_path / "X.npy", mmap_mode="r")) == digest(np.arange(10.0))


def test_files_count_with_size_and_time(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.arange(3))
    before = digest([str(path)])
    assert before == digest([str(path)])
    os.utime(path, (1, 1))
    assert digest([str(path)]) != before


def space(**free: Any) -> Space:
    return Space({"": Branch({}, {k: read_free(k, v) for k, v in free.items()}, {})})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (space(C=(1, 2)), space(C=(1, 3))),
        (space(C=stats.norm(0, 1)), space(C=stats.norm(5, 1))),
        (space(C=stats.norm(0, 1)), space(C=stats.norm(0, 2))),
        (space(C=[FocalLoss(gamma=1)]), space(C=[FocalLoss(gamma=2)])),
        (Space({"a": Branch({"loss": "dice"}, {}, {})}), Space({"a": Branch({}, {}, {})})),
    ],
)
def test_unlike_spaces_have_unlike_digests(one: Space, other: Space) -> None:
    assert digest(describe_space(one)) != digest(describe_space(other))
    assert digest(describe_space(one)) == digest(describe_space(one))


def test_what_differs_is_named() -> None:
    kept = {"data": "1", "folds": "2", "space": "3"}
    check_same(kept, dict(kept), "The study")
    with pytest.raises(ValueError, match=r"The study holds a search of other data and other spac"):
        check_same(kept, {**kept, "data": "9", "space": "9"}, "The study")
