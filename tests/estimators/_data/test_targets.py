"""Codes in memory, and codes that are made of masks as these are read, say the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sklearnloss.estimators._data.targets import ArrayCodes, MaskCodes

# Two classes and ignored pixels, 255, of three masks of 2 x 2 pixels.
CODES = torch.tensor([[[0, 1], [1, 1]], [[0, 0], [0, 255]], [[1, 255], [255, 255]]]).byte()
COUNTS = np.array([[1, 3], [3, 0], [0, 1]])
# The same three as masks of two labels each, (n, K, H, W).
LABELS = torch.stack([CODES, torch.where(CODES == 255, 1, CODES)], 1)
LABEL_COUNTS = np.array([[[1, 1], [3, 3]], [[3, 3], [0, 1]], [[0, 0], [1, 4]]])

CHOSEN = torch.tensor([2, 0])


def both(*, multilabel: bool) -> list[Any]:
    """The same codes as the two kinds of targets."""
    counts = LABEL_COUNTS if multilabel else COUNTS
    values = LABELS if multilabel else CODES
    read = MaskCodes(lambda mask, shape: mask, torch.uint8, counts)
    return [ArrayCodes(values, 2, multilabel), read]


@pytest.mark.parametrize("multilabel", [False, True])
def test_classes_are_counted_alike(multilabel: bool) -> None:
    counts = LABEL_COUNTS if multilabel else COUNTS
    for targets in both(multilabel=multilabel):
        np.testing.assert_array_equal(targets.class_counts(None), counts.sum(0))
        np.testing.assert_array_equal(targets.class_counts(CHOSEN), counts[[2, 0]].sum(0))
        assert targets.dtype == torch.uint8


@pytest.mark.parametrize("rows", [slice(1, 3), CHOSEN, torch.tensor([1])])
def test_batches_are_alike(rows: Any) -> None:
    in_memory, read = (each.batch(rows, CODES[rows], (1, 2, 2)) for each in both(multilabel=False))
    assert torch.equal(in_memory, CODES[rows])
    assert torch.equal(read, CODES[rows])


def test_what_is_in_memory_is_told() -> None:
    in_memory, read = both(multilabel=False)
    assert in_memory.in_memory(None) is in_memory
    assert torch.equal(in_memory.in_memory(CHOSEN).values, CODES[CHOSEN])
    assert read.in_memory(None) is read.in_memory(CHOSEN) is None
    moved = in_memory.to(torch.device("meta"))
    assert (moved.values.device.type, moved.n_classes) == ("meta", 2)


def test_pixels_that_one_mask_keeps_count() -> None:
    assert torch.equal(ArrayCodes(CODES, 2).kept(), CODES < 255)
    assert ArrayCodes(LABELS, 2, multilabel=True).kept().all()
    both_ignored = ArrayCodes(torch.stack([CODES, CODES], 1), 2, multilabel=True)
    assert torch.equal(both_ignored.kept(), CODES < 255)
    wide = torch.tensor([[0, -100, 255]], dtype=torch.int32)  # the code of many classes
    assert ArrayCodes(wide, 300).kept().tolist() == [[True, False, True]]


def test_large_masks_are_counted_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sklearnloss.estimators._data.targets._CHUNK", 5)
    for multilabel, counts in ((False, COUNTS), (True, LABEL_COUNTS)):
        found = both(multilabel=multilabel)[0].class_counts(None)
        np.testing.assert_array_equal(found, counts.sum(0))


def test_an_error_names_the_mask_that_became_another() -> None:
    def refuse(mask: Any, shape: tuple[int, ...]) -> Tensor:
        raise ValueError(f"it is of shape {tuple(mask.shape)}, its image of {shape}.")

    targets = MaskCodes(refuse, torch.uint8, COUNTS)
    with pytest.raises(ValueError, match=r"y\[2\]: it is of shape \(2, 2\), its image of \(3, 4"):
        targets.batch(CHOSEN, list(CODES[CHOSEN]), (3, 4, 4))
