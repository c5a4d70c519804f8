"""Estimators, scores and folds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier

from sklearnloss import ResNetClassifier, UNetSegmenter
from sklearnloss.metrics import hausdorff_scorer

from .helpers import Prepared, Refused, prepare, save_classes, save_masks

VOID = ("--ignore-index", "255")


def test_the_task_makes_the_estimator(tmp_path: Path) -> None:
    small = ("--epochs", "3", "--width", "2")
    segmenter = prepare(save_masks(tmp_path), *small, *VOID).search.estimator
    assert isinstance(segmenter, UNetSegmenter)
    assert segmenter.classes == [0, 1]
    assert (segmenter.max_epochs, segmenter.width, segmenter.ignore_index) == (3, 2, 255)
    classifier = prepare(save_classes(tmp_path, ["b", "a"] * 2), *small).search.estimator
    assert isinstance(classifier, ResNetClassifier)
    assert (classifier.channels, classifier.classes) == ("last", ["a", "b"])
    assert (classifier.max_epochs, classifier.width) == (3, 2)


def test_an_ignored_label_must_leave_something_to_learn(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"--ignore-index 255 leaves only the label 0\."):
        prepare(save_masks(tmp_path, labels=(0, 0)), *VOID)
    with pytest.raises(Refused, match=r"^There is only the label a\. Expected two or more"):
        prepare(save_classes(tmp_path, ["a", "a"]))
    with pytest.raises(Refused, match=r"--ignore-index 1 is for masks\."):
        prepare(save_classes(tmp_path, ["a", "b"] * 2), "--ignore-index", "1")


@pytest.mark.parametrize("name", ["iou", "dice", "boundary_iou", "hausdorff", "surface_dice"])
def test_scores_of_masks_leave_ignored_pixels_out(tmp_path: Path, name: str) -> None:
    small = ("--epochs", "1", "--width", "2")
    prepared = prepare(save_masks(tmp_path), "--scoring", name, *small, *VOID)
    X, y, scorer = prepared.X, prepared.y, prepared.search.scoring
    model = prepared.search.estimator.set_params(depth=1).fit(X, y)
    score = scorer(model, X, y)
    changed = model.predict(X)
    changed[0, 0, 0] = 255
    perfect = scorer(model, X, changed)
    assert np.isfinite(score)
    assert perfect == (0 if name == "hausdorff" else 1)
    assert score < perfect


def test_distances_are_in_the_unit_of_the_files(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
        for k in range(4):
            voxels = rng.integers(0, 2, (8, 9, 6)).astype(np.uint8)
            affine = np.diag([0.5, 0.5, 3.0, 1.0])
            nibabel.save(nibabel.Nifti1Image(voxels, affine), tmp_path / name / f"{k}.nii")
    scorer = prepare(tmp_path, "--scoring", "hausdorff", "--folds", "2").search.scoring
    assert "spacing=(0.5, 0.5, 3.0)" in repr(scorer)
    resized = prepare(tmp_path, "--scoring", "hausdorff", "--folds", "2", "--resize", "8")
    assert resized.search.scoring is hausdorff_scorer


def test_scores_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    data = save_classes(tmp_path, ["a", "b"] * 2)
    with pytest.raises(Refused, match=r"'dice' is not a score for classification\. Expected"):
        prepare(data, "--scoring", "dice")
    assert prepare(data, "--scoring", "balanced_accuracy").search.scoring is not None
    data = save_masks(tmp_path)
    with pytest.raises(Refused, match=r"not a score for segmentation.* Did you mean 'dice'\?"):
        prepare(data, "--scoring", "dise", *VOID)
    assert prepare(data, *VOID).search.scoring is None


def test_a_label_that_often_marks_ignored_pixels_is_asked_about(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"label 255 alongside \[0, 1\].*Pass --ignore-index 255"):
        prepare(save_masks(tmp_path))


@pytest.mark.parametrize("groups", [None, [0, 0, 1, 1, 2, 2]], ids=["", "grouped"])
@pytest.mark.parametrize("kind", ["masks", "classes"])
def test_folds_test_each_image_once_and_keep_groups_together(
    tmp_path: Path, kind: str, groups: Any
) -> None:
    if kind == "masks":
        prepared = prepare(save_masks(tmp_path, groups=groups), "--folds", "3", *VOID)
    else:
        y = ["a"] * 6 + ["b"] * 3 if groups is None else ["a", "b"] * 3
        prepared = prepare(save_classes(tmp_path, y, groups), "--folds", "3")
    folds = prepared.search.cv
    tested = np.sort(np.concatenate([test for _, test in folds]))
    np.testing.assert_array_equal(tested, np.arange(len(prepared.y)))
    for train, test in folds:
        if groups is not None:
            assert not set(np.array(groups)[train]) & set(np.array(groups)[test])
        if kind == "classes":
            assert set(prepared.y[test]) == {"a", "b"}


def test_folds_depend_on_the_seed_alone(tmp_path: Path) -> None:
    def tests(seed: str) -> list[list[int]]:
        prepared = prepare(save_masks(tmp_path), "--folds", "3", "--seed", seed, *VOID)
        return [test.tolist() for _, test in prepared.search.cv]

    assert tests("0") == tests("0")
    assert tests("0") != tests("1")


def held_out(folds: list[Any]) -> list[frozenset[int]]:
    return [frozenset(test.tolist()) for _, test in folds]


def repeats(prepared: Prepared, n_folds: int = 2) -> list[list[frozenset[int]]]:
    """Return what is held out in each repeat of the comparison."""
    tested = held_out(prepared.other_folds)
    return [tested[k : k + n_folds] for k in range(0, len(tested), n_folds)]


@pytest.mark.parametrize("kind", ["masks", "classes"])
def test_other_folds_are_unlike_the_first_and_each_other(tmp_path: Path, kind: str) -> None:
    more = VOID if kind == "masks" else ()
    y = ["a"] * 6 + ["b"] * 6
    data = save_masks(tmp_path, 12) if kind == "masks" else save_classes(tmp_path, y)
    four = prepare(data, "--seed", "3", "--repeats", "4", *more)
    searched, others = held_out(four.search.cv), repeats(four)
    assert len(others) == 4
    assert others[0] == held_out(prepare(data, "--seed", "4", *more).search.cv)
    partitions = {frozenset(folds) for folds in [searched, *others]}
    assert len(partitions) == 5
    fewer = prepare(data, "--seed", "3", "--repeats", "2", *more)
    assert repeats(fewer) == others[:2]


def test_folds_that_there_are_not_are_not_made_up(tmp_path: Path) -> None:
    data = save_masks(tmp_path, n=4)  # can be halved in three ways
    prepared = prepare(data, "--repeats", "5", *VOID)
    others = repeats(prepared)
    assert len({frozenset(folds) for folds in [held_out(prepared.search.cv), *others]}) == 3
    assert len(others) == 2
    grouped = save_masks(tmp_path, groups=[0, 0, 1, 1, 2, 2])
    prepared = prepare(grouped, "--folds", "3", "--repeats", "2", *VOID)
    ((again,), searched) = repeats(prepared, 3), held_out(prepared.search.cv)
    assert frozenset(again) == frozenset(searched)


def test_classes_of_unlike_sizes_are_scored_by_balanced_accuracy(tmp_path: Path) -> None:
    assert prepare(save_classes(tmp_path, ["a", "a", "b", "b"])).search.scoring is None
    y = ["a"] * 6 + ["b"] * 2
    data = save_classes(tmp_path, y)
    scorer = prepare(data).search.scoring
    dummy = DummyClassifier().fit([[0]] * 8, y)
    assert scorer(dummy, [[0]] * 8, y) == 0.5
    asked = prepare(data, "--scoring", "accuracy").search.scoring
    assert asked(dummy, [[0]] * 8, y) == 0.75
    assert prepare(save_masks(tmp_path), *VOID).search.scoring is None


def test_too_little_for_the_folds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"--folds 7: there are only 6 images\. Pass --folds 6\."):
        prepare(save_masks(tmp_path), "--folds", "7", *VOID)
    with pytest.raises(
        Refused, match=r"--folds 3: there are only 2 groups\. Pass --folds 2, or --groups"
    ):
        prepare(save_masks(tmp_path, groups=[0, 0, 0, 1, 1, 1]), "--folds", "3", *VOID)
    with pytest.raises(Refused, match=r"fewer images than folds in the classes b \(2\)\."):
        prepare(save_classes(tmp_path, ["a"] * 6 + ["b"] * 2), "--folds", "3")
