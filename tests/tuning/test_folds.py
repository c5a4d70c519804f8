from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedKFold,
)

from sklearnloss import ResNetClassifier, UNetSegmenter
from sklearnloss.tuning._folds import Split, make_folds

X = np.arange(60.0).reshape(30, 2)
y = np.repeat([0, 1, 2], [6, 9, 15])
groups = np.repeat(np.arange(10), 3)


def same(one: list[Split], other: list[Split]) -> bool:
    pairs = zip(one, other, strict=True)
    return all(np.array_equal(p, q) for a, b in pairs for p, q in zip(a, b, strict=True))


def folds(cv: Any, estimator: Any = None, *, seed: int = 0, **params: Any) -> list[Split]:
    return make_folds(cv, estimator or ResNetClassifier(), X, y, params, seed)


def test_the_default_is_five_shuffled_folds_with_classes_in_proportion() -> None:
    splits = folds(None)
    assert len(splits) == 5
    for train, test in splits:
        assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(30))
        counts = np.bincount(y[test], minlength=3)
        assert (abs(counts - np.array([6, 9, 15]) / 5) < 1).all()
    assert not all((np.diff(test) == 1).all() for _, test in splits)


def test_folds_of_masks_are_shuffled_but_not_stratified() -> None:
    masks = np.zeros((30, 4, 4), dtype=int)
    splits = make_folds(None, UNetSegmenter(), X, masks, {}, 0)
    expected = list(KFold(5, shuffle=True, random_state=0).split(X))
    assert same(splits, expected)


def test_folds_are_those_of_the_seed() -> None:
    assert same(folds(None), folds(None))
    assert not same(folds(None), folds(None, seed=1))


def test_the_default_keeps_groups_together() -> None:
    for estimator in (ResNetClassifier(), UNetSegmenter()):
        splits = folds(None, estimator, groups=groups)
        assert len(splits) == 5
        assert all(not set(groups[train]) & set(groups[test]) for train, test in splits)


def test_there_are_no_more_folds_than_groups_or_samples() -> None:
    assert len(folds(None, UNetSegmenter(), groups=np.arange(30) % 3)) == 3
    assert len(make_folds(None, UNetSegmenter(), X[:4], None, {}, 0)) == 4


def test_labels_inside_of_the_data_cannot_be_stratified_but_split() -> None:
    splits = make_folds(None, ResNetClassifier(), list(range(10)), None, {}, 0)
    assert sorted(np.concatenate([test for _, test in splits])) == list(range(10))


@pytest.mark.parametrize(
    ("cv", "expected"),
    [
        (3, StratifiedKFold(3)),
        (KFold(4), KFold(4)),
        (ShuffleSplit(3, random_state=5), ShuffleSplit(3, random_state=5)),
    ],
)
def test_numbers_and_splitters_mean_what_they_do_in_scikit_learn(cv: Any, expected: Any) -> None:
    assert same(folds(cv, LogisticRegression()), list(expected.split(X, y)))


def test_splitters_by_group_get_the_groups() -> None:
    for splitter in (GroupKFold(3), LeaveOneGroupOut()):
        assert same(folds(splitter, groups=groups), list(splitter.split(X, y, groups)))


def test_indices_can_be_given() -> None:
    given = [(np.arange(10), np.arange(10, 30)), (np.arange(10, 30), np.arange(10))]
    assert same(folds(given), given)
    assert same(folds(iter(given)), given)


@pytest.mark.parametrize(
    "splitter",
    [KFold(3, shuffle=True), ShuffleSplit(3), RepeatedStratifiedKFold(n_splits=2, n_repeats=2)],
)
def test_a_splitter_without_a_seed_gets_that_of_the_search_and_stays_as_it_is(
    splitter: Any,
) -> None:
    assert same(folds(splitter), folds(splitter))
    assert not same(folds(splitter), folds(splitter, seed=1))
    assert splitter.random_state is None


def test_a_splitter_that_does_not_shuffle_needs_no_seed() -> None:
    assert same(folds(KFold(3)), folds(KFold(3), seed=1))


class Lying(KFold):  # type: ignore[misc]
    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Split]:
        yield from list(super().split(X))[:-1]


class Empty(KFold):  # type: ignore[misc]
    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Split]:
        yield from ()

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        return 0


def test_a_splitter_must_split_as_often_as_it_says() -> None:
    with pytest.raises(ValueError, match="inconsistent results. Expected 3 splits, got 2"):
        folds(Lying(3))
    with pytest.raises(ValueError, match="No fits were performed"):
        folds(Empty(3))
