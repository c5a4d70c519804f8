"""What a constant answer scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, get_scorer

from sklearnloss._compare_command._baseline import Baseline, describe_baseline, score_constant
from sklearnloss._compare_command._data import ImageData
from sklearnloss._compare_command._model import MASK_SCORES, make_folds, make_scoring
from sklearnloss._compare_command._options import Options
from sklearnloss.metrics import dice_score, iou_score

RNG = np.random.default_rng(0)


def classes(y: list[str]) -> ImageData:
    names = [str(k) for k in range(len(y))]
    X = np.zeros((len(y), 8, 8))
    return ImageData("classification", X, np.array(y), None, "first", sorted(set(y)), names, "")


def masked(y: Any) -> ImageData:
    names = [str(k) for k in range(len(y))]
    labels = sorted({int(label) for mask in y for label in np.unique(mask)})
    return ImageData("segmentation", None, y, None, "first", labels, names, "")


def blobs(n: int = 6) -> Any:
    """Return masks that are mostly 1, with some 0, 2 and 255."""
    return RNG.choice(np.array([0, 1, 2, 255], np.uint8), (n, 8, 8), p=[0.2, 0.5, 0.1, 0.2])


def scored(data: ImageData, options: Options) -> Baseline:
    found = score_constant(data, make_folds(data, 3, seed=0), options, make_scoring(data, options))
    assert found is not None
    return found


def test_the_most_frequent_class_is_answered() -> None:
    data = classes(["ship"] * 9 + ["plane"] * 3)
    found = scored(data, Options(data="", scoring="accuracy"))
    assert (found.answer, found.mean, found.sd) == ("ship", 0.75, 0)
    assert accuracy_score(data.y, ["ship"] * 12) == found.mean
    found = scored(data, Options(data=""))  # balanced, as the classes are not
    assert (found.answer, found.mean) == ("ship", 0.5)
    probabilities = score_constant(
        data, make_folds(data, 3, seed=0), Options(data=""), get_scorer("neg_log_loss")
    )
    assert probabilities is not None
    assert probabilities.mean == pytest.approx(0.75 * np.log(0.75) + 0.25 * np.log(0.25))


@pytest.mark.parametrize("name", MASK_SCORES)
def test_the_most_frequent_label_is_painted(name: str) -> None:
    data = masked(blobs())
    options = Options(data="", scoring=name, ignore_index=255)
    score: Any = MASK_SCORES[name] or iou_score
    tests = [test for _, test in make_folds(data, 3, seed=0)]
    expected = [
        score(data.y[test], np.ones((len(test), 8, 8), int), ignore_index=255) for test in tests
    ]
    sign = -1 if name == "hausdorff" else 1
    found = scored(data, options)
    assert found.answer == 1
    assert found.mean == pytest.approx(sign * np.mean(expected))
    assert found.sd == pytest.approx(np.std(expected, ddof=1))


def test_masks_in_files_of_unlike_sizes_are_read(tmp_path: Path) -> None:
    y: list[Any] = []
    for k, mask in enumerate(blobs()):
        np.save(tmp_path / f"{k}.npy", mask[: 4 + k])
        y.append(tmp_path / f"{k}.npy" if k else mask[:4])
    tests = [test for _, test in make_folds(masked(blobs()), 3, seed=0)]
    read = [np.load(mask) if isinstance(mask, Path) else mask for mask in y]
    pooled = [np.concatenate([read[k].ravel() for k in test]) for test in tests]
    expected = np.array(
        [iou_score(true[None], np.ones_like(true)[None], ignore_index=255) for true in pooled]
    )
    data = masked(read)
    data.y = y
    assert scored(data, Options(data="", ignore_index=255)).mean == pytest.approx(expected.mean())


def test_the_answer_is_learnt_from_the_training_part() -> None:
    y = np.zeros((4, 2, 2), np.uint8)
    y[:1] = 1
    splits = [(np.array([0]), np.array([1])), (np.array([1, 2]), np.array([0]))]
    found = score_constant(masked(y), splits, Options(data="", scoring="dice"), None)
    assert found is not None
    assert found.mean == dice_score(y[1:2], y[:1]) == 0
    found = score_constant(classes(["a", "b", "b", "b"]), splits, Options(data=""), None)
    assert found is not None
    assert (found.answer, found.mean) == ("b", 0)


def test_without_a_defined_score_there_is_none() -> None:
    data = classes(["a"] * 3 + ["b"] * 3)
    splits = [(np.array([0, 1, 2]), np.array([3, 4, 5]))] * 2
    assert score_constant(data, splits, Options(data=""), get_scorer("roc_auc")) is None
    y = np.full((4, 2, 2), 255, np.uint8)
    options = Options(data="", ignore_index=255)
    assert score_constant(masked(y), make_folds(masked(y), 2, 0), options, None) is None


@pytest.mark.parametrize(("best", "is_beaten"), [(0.5, False), (0.509, False), (0.52, True)])
def test_losses_that_beat_no_constant_answer_are_told(best: float, is_beaten: bool) -> None:
    lines = describe_baseline(Baseline(0, 0.5, 0.01), best, rope=0.01)
    assert lines[0] == "Baseline: always answering 0 scores .500 (sd .010 over folds)."
    assert len(lines) == 1 + (not is_beaten)
    assert is_beaten or "train longer (--epochs)" in lines[1]
