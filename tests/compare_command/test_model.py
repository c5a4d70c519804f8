"""Estimators, scores and folds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier

from sklearnloss import ResNetClassifier, UNetSegmenter
from sklearnloss._compare_command._data import ImageData
from sklearnloss._compare_command._model import (
    check_folds,
    make_estimator,
    make_folds,
    make_other_folds,
    make_scoring,
)
from sklearnloss._compare_command._options import Options
from sklearnloss.metrics._scorers import NAMED

RNG = np.random.default_rng(0)


def masked(n: int = 6, groups: Any = None) -> ImageData:
    X = RNG.normal(size=(n, 8, 8))
    y = (X > 0).astype(int)
    y[0, 0, 0] = 255
    groups = None if groups is None else np.array(groups)
    return ImageData("segmentation", X, y, groups, "first", [0, 1, 255], [], "")


def classes(y: list[str], groups: Any = None) -> ImageData:
    groups = None if groups is None else np.array(groups)
    X = RNG.normal(size=(len(y), 8, 8, 1))
    return ImageData("classification", X, np.array(y), groups, "last", sorted(set(y)), [], "")


def test_the_task_makes_the_estimator() -> None:
    options = Options(data="", epochs=3, width=2, ignore_index=255, device="cpu")
    segmenter = make_estimator(masked(), options)
    assert isinstance(segmenter, UNetSegmenter)
    assert segmenter.classes == [0, 1]
    assert (segmenter.max_epochs, segmenter.width, segmenter.ignore_index) == (3, 2, 255)
    classifier = make_estimator(classes(["b", "a"]), replace(options, ignore_index=None))
    assert isinstance(classifier, ResNetClassifier)
    assert (classifier.channels, classifier.classes) == ("last", ["a", "b"])


def test_an_ignored_label_must_leave_something_to_learn() -> None:
    data = masked()
    data.labels = [0, 255]
    with pytest.raises(ValueError, match=r"--ignore-index 255 leaves only the label 0\."):
        make_estimator(data, Options(data="", ignore_index=255))
    with pytest.raises(ValueError, match=r"^There is only the label a\. Expected two or more"):
        make_estimator(classes(["a", "a"]), Options(data=""))
    with pytest.raises(ValueError, match=r"--ignore-index 1 is for masks\."):
        make_estimator(classes(["a", "b"]), Options(data="", ignore_index=1))


@pytest.mark.parametrize("name", [name for name in NAMED if name != "calibration"])
def test_scores_of_masks_leave_ignored_pixels_out(name: str) -> None:
    data = masked()
    options = Options(data="", scoring=name, ignore_index=255, epochs=1, width=2)
    model = make_estimator(data, options).set_params(depth=1).fit(data.X, data.y)
    scorer = make_scoring(data, options)
    score = scorer(model, data.X, data.y)
    changed = model.predict(data.X)
    changed[0, 0, 0] = 255
    perfect = scorer(model, data.X, changed)
    assert np.isfinite(score)
    assert perfect == (0 if name == "hausdorff" else 1)
    assert score < perfect


def test_scores_that_do_not_fit_are_refused() -> None:
    data = classes(["a", "b"])
    with pytest.raises(ValueError, match=r"'dice' is not a score for classification\. Expected"):
        make_scoring(data, Options(data="", scoring="dice"))
    assert make_scoring(data, Options(data="", scoring="balanced_accuracy")) is not None
    data = masked()
    with pytest.raises(ValueError, match=r"not a score for segmentation.* Did you mean 'dice'\?"):
        make_scoring(data, Options(data="", scoring="dise"))
    assert make_scoring(data, Options(data="")) is None


def test_a_label_that_often_marks_ignored_pixels_is_asked_about() -> None:
    with pytest.raises(ValueError, match=r"label 255 alongside \[0, 1\].*Pass --ignore-index 255"):
        make_estimator(masked(), Options(data=""))


@pytest.mark.parametrize(
    "data",
    [
        masked(),
        masked(groups=[0, 0, 1, 1, 2, 2]),
        classes(["a"] * 6 + ["b"] * 3),
        classes(["a", "b"] * 3, groups=[0, 0, 1, 1, 2, 2]),
    ],
    ids=["masks", "grouped masks", "classes", "grouped classes"],
)
def test_folds_test_each_image_once_and_keep_groups_together(data: ImageData) -> None:
    check_folds(data, 3)
    folds = make_folds(data, 3, seed=0)
    tested = np.sort(np.concatenate([test for _, test in folds]))
    np.testing.assert_array_equal(tested, np.arange(len(data.y)))
    for train, test in folds:
        if data.groups is not None:
            assert not set(data.groups[train]) & set(data.groups[test])
        if data.task == "classification":
            assert set(data.y[test]) == {"a", "b"}


def test_folds_depend_on_the_seed_alone() -> None:
    def tests(seed: int) -> list[list[int]]:
        return [test.tolist() for _, test in make_folds(masked(), 3, seed)]

    assert tests(0) == tests(0)
    assert tests(0) != tests(1)


def held_out(folds: list[Any]) -> list[frozenset[int]]:
    return [frozenset(test.tolist()) for _, test in folds]


def test_other_folds_are_unlike_the_first_and_each_other() -> None:
    for data in (masked(12), classes(["a"] * 6 + ["b"] * 6)):
        searched = make_folds(data, 2, seed=3)
        others = make_other_folds(data, 2, n_repeats=4, seed=3)
        assert len(others) == 4
        assert others[0][0][1].tolist() == make_folds(data, 2, seed=4)[0][1].tolist()
        partitions = {frozenset(held_out(folds)) for folds in [searched, *others]}
        assert len(partitions) == 5
        fewer = make_other_folds(data, 2, n_repeats=2, seed=3)
        assert [held_out(folds) for folds in fewer] == [held_out(folds) for folds in others[:2]]


def test_folds_that_there_are_not_are_not_made_up() -> None:
    data = masked(n=4)  # can be halved in three ways
    others = make_other_folds(data, 2, n_repeats=5, seed=0)
    assert len({frozenset(held_out(folds)) for folds in [make_folds(data, 2, 0), *others]}) == 3
    assert len(others) == 2
    assert make_other_folds(masked(groups=[0, 0, 1, 1, 2, 2]), 3, n_repeats=2, seed=0) == []


def test_classes_of_unlike_sizes_are_scored_by_balanced_accuracy() -> None:
    options = Options(data="")
    assert make_scoring(classes(["a", "a", "b", "b"]), options) is None
    scorer = make_scoring(classes(["a"] * 3 + ["b"]), options)
    dummy = DummyClassifier().fit([[0]] * 4, ["a"] * 3 + ["b"])
    assert scorer(dummy, [[0]] * 4, ["a"] * 3 + ["b"]) == 0.5
    asked = make_scoring(classes(["a"] * 3 + ["b"]), replace(options, scoring="accuracy"))
    assert asked(dummy, [[0]] * 4, ["a"] * 3 + ["b"]) == 0.75
    assert make_scoring(masked(), options) is None


def test_too_little_for_the_folds_is_refused() -> None:
    with pytest.raises(ValueError, match=r"--folds 7: there are only 6 images\."):
        check_folds(masked(), 7)
    with pytest.raises(ValueError, match=r"--folds 3: there are only 2 groups\."):
        check_folds(masked(groups=[0, 0, 0, 1, 1, 1]), 3)
    with pytest.raises(ValueError, match=r"fewer images than folds in the classes b \(2\)\."):
        check_folds(classes(["a"] * 6 + ["b"] * 2), 3)
