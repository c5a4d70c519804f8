from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.model_selection import StratifiedKFold, train_test_split

from sklearnloss.estimators import image_level_labels


def masks(*rows: list[int]) -> np.ndarray:
    """Return masks of one row of pixels."""
    return np.array(rows, dtype=np.uint8)[:, None, :]


def test_images_with_the_same_classes_share_a_label() -> None:
    y = masks([0, 0, 0], [0, 1, 1], [1, 0, 0], [2, 1, 0], [0, 0, 0], [1, 2, 2])
    labels = image_level_labels(y)
    assert labels.tolist() == [0, 1, 1, 2, 0, 2]
    assert image_level_labels(5 * y.astype(int) - 3).tolist() == labels.tolist()
    assert image_level_labels(y[:, None]).tolist() == labels.tolist()


def test_a_rare_label_becomes_the_most_similar_one() -> None:
    y = masks(*[[0, 0, 0]] * 5, *[[0, 1, 2]] * 2, [0, 1, 1])
    # {0, 1} is as near to {0} as to {0, 1, 2}; {0} is more common.
    assert image_level_labels(y).tolist() == [0] * 5 + [1] * 2 + [0]
    assert image_level_labels(y, min_count=1).tolist() == [0] * 5 + [2] * 2 + [1]
    assert set(image_level_labels(y, min_count=100).tolist()) == {0}
    nearer = masks(*[[0, 0, 0, 0]] * 5, *[[0, 1, 2, 3]] * 2, [0, 1, 2, 2])
    assert image_level_labels(nearer).tolist() == [0] * 5 + [1] * 3


def test_bins_hold_equally_many_images_of_like_foreground() -> None:
    rng = np.random.default_rng(0)
    y = (np.arange(100) < 2 * rng.permutation(40)[:, None]).astype(int)
    labels = image_level_labels(y, n_bins=4)
    assert np.bincount(labels).tolist() == [10] * 4
    share = y.mean(1)
    for low, high in zip(range(3), range(1, 4), strict=True):
        assert share[labels == low].max() <= share[labels == high].min()
    many_classes = image_level_labels(np.where(y, rng.integers(1, 4, y.shape), 0), n_bins=4)
    assert many_classes.tolist() == labels.tolist()


def test_equal_shares_share_a_bin() -> None:
    y = masks(*[[0, 0]] * 6, *[[0, 1]] * 2, *[[1, 1]] * 2)
    assert image_level_labels(y, n_bins=5).tolist() == [0] * 6 + [1] * 2 + [2] * 2


def test_ignored_pixels_do_not_count() -> None:
    y = masks([0, 9, 9], [0, 1, 9], [0, 0, 0], [0, 1, 1])
    assert image_level_labels(y, ignore_index=9).tolist() == [0, 1, 0, 1]
    assert len(set(image_level_labels(y, min_count=1).tolist())) == 4
    # Of what counts, halves and wholes.
    y = masks([0, 1, 9, 9], [0, 0, 1, 1], [1, 1, 1, 9], [1, 1, 1, 1])
    assert image_level_labels(y, ignore_index=9, n_bins=2).tolist() == [0, 0, 1, 1]


def test_multilabel_masks_are_told_apart_by_their_channels() -> None:
    y = np.zeros((6, 2, 1, 4), dtype=np.uint8)
    y[2:, 0, 0, 0] = 255
    y[4:, 1, 0, :3] = 255
    assert image_level_labels(y, multilabel=True).tolist() == [0, 0, 1, 1, 2, 2]
    assert image_level_labels(y, multilabel=True, n_bins=3).tolist() == [0, 0, 1, 1, 2, 2]
    y[0, 1] = 9
    labels = image_level_labels(y, multilabel=True, ignore_index=9)
    assert labels.tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("kind", ["tensors", "booleans", "floats", "lists", "sizes", "files"])
def test_masks_come_in_any_form(kind: str, tmp_path: Path) -> None:
    y: Any = masks([0, 0, 1], [0, 0, 0], [1, 1, 0], [0, 0, 0])
    forms: dict[str, Any] = {
        "tensors": torch.from_numpy(y),
        "booleans": y.astype(bool),
        "floats": y.astype(float),
        "lists": y.tolist(),
        "sizes": [np.repeat(mask, k + 1, axis=0) for k, mask in enumerate(y)],
        "files": [tmp_path / f"{k}.npy" for k in range(4)],
    }
    for path, mask in zip(forms["files"], y, strict=True):
        np.save(path, mask)
    assert image_level_labels(forms[kind]).tolist() == [1, 0, 1, 0]


def test_splits_by_them_are_alike() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random((60, 4, 4)) < 0.5).astype(int)
    y[:20] = 0
    labels = image_level_labels(y)
    for _, test in StratifiedKFold(5, shuffle=True, random_state=0).split(y, labels):
        assert (y[test].max((1, 2)) == 0).sum() == 4
    _, held_out = train_test_split(y, test_size=0.25, stratify=labels, random_state=0)
    assert (held_out.max((1, 2)) == 0).sum() == 5


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="n_bins=1: expected at least 2 bins"):
        image_level_labels(masks([0, 1]), n_bins=1)
    with pytest.raises(ValueError, match="y contains no masks"):
        image_level_labels([])
