from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
)
from sklearn.tree import DecisionTreeClassifier

from sklearnloss import ResNetClassifier, UNetSegmenter
from sklearnloss.tuning._evaluation.folds import Split, default_splits, make_folds

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


@pytest.mark.parametrize("grouped", [False, True])
def test_targets_of_several_columns_are_not_stratified_as_in_scikit_learn(grouped: bool) -> None:
    tree, params = DecisionTreeClassifier(), {"groups": groups} if grouped else {}
    targets = [np.stack([y % 2, y // 2], axis=1), np.stack([y, y], axis=1), y + 0.5]
    for several in [*targets, sparse.csr_matrix(targets[0])]:
        splits = make_folds(None, tree, X, several, params, 0)
        kind = (GroupKFold if grouped else KFold)(5, shuffle=True, random_state=0)
        assert same(splits, list(kind.split(X, **params)))


@pytest.mark.parametrize(
    "targets",
    [
        y.tolist(),
        y[:, None],
        y.astype(object),
        np.array(list("abc"))[y],
        pd.Series(y, dtype=object),
    ],
)
def test_labels_of_any_form_are_stratified(targets: Any) -> None:
    assert same(make_folds(None, ResNetClassifier(), X, targets, {}, 0), folds(None))


def test_there_are_no_more_folds_than_samples_of_the_largest_class() -> None:
    labels = np.repeat([0, 1], 3)
    splits = make_folds(None, ResNetClassifier(), X[:6], labels, {}, 0)
    assert [labels[test].tolist() for _, test in splits] == [[0, 1]] * 3
    each_once = make_folds(None, ResNetClassifier(), X[:4], np.arange(4), {}, 0)
    assert len(each_once) == 4


@pytest.mark.parametrize("X_few", [X[:1], X[:0]])
def test_one_sample_cannot_be_split(X_few: Any) -> None:
    with pytest.raises(ValueError, match=r"X holds [01] samples?, so none is left to train on"):
        make_folds(None, UNetSegmenter(), X_few, None, {}, 0)


def test_classes_are_in_proportion_in_folds_by_group() -> None:
    by = np.repeat(np.arange(20), 5)
    rare = np.isin(by, [0, 4, 9, 13, 17]).astype(int)
    rows = np.zeros((100, 2))
    splits = default_splits(ResNetClassifier(), rows, rare, groups=by, seed=0)
    assert [rare[test].sum() for _, test in splits] == [5, 5, 5, 5, 5]
    assert all(not set(by[train]) & set(by[test]) for train, test in splits)


def test_no_fold_by_group_is_empty() -> None:
    by = np.repeat(np.arange(5), [5, 1, 6, 3, 1])
    labels = np.array([1, 0, 1, 0, 0])[by]
    stratified = StratifiedGroupKFold(5, shuffle=True, random_state=0).split(by, labels, by)
    assert min(len(test) for _, test in stratified) == 0
    splits = default_splits(ResNetClassifier(), by, labels, groups=by, seed=0)
    assert sorted(len(test) for _, test in splits) == [1, 1, 3, 5, 6]


@pytest.mark.parametrize("value", [None, float("nan"), pd.NA, pd.NaT])
@pytest.mark.parametrize("make", [list, lambda v: np.array(v, object), pd.Series])
def test_a_missing_group_is_refused_with_its_position(value: Any, make: Any) -> None:
    given: list[Any] = ["a", "b", "c"] * 10
    given[4] = given[7] = value
    for cv in (None, GroupKFold(2)):
        with pytest.raises(
            ValueError, match=r"groups holds \S+ at position 4 and at 1 more. Expec"
        ):
            folds(cv, groups=make(given))


def test_missing_numbers_and_times_are_missing_groups() -> None:
    numbers = np.where(groups == 3, np.nan, groups)
    with pytest.raises(ValueError, match="groups holds nan at position 9 and at 2 more"):
        folds(None, groups=numbers)
    times = groups.astype("datetime64[D]")
    times[2] = np.datetime64("NaT")
    with pytest.raises(ValueError, match="groups holds NaT at position 2"):
        folds(None, groups=times)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["a"] * 30, r"groups holds only one group, \['a'\], so none is left to train on"),
        ([1, "a"] * 15, "groups holds values of the types int, str, which cannot be sorted"),
        (np.arange(29), r"groups has shape \(29,\), expected \(30,\)"),
        (np.eye(30), r"groups has shape \(30, 30\), expected \(30,\)"),
    ],
)
def test_groups_that_cannot_be_held_out_are_refused(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        folds(None, groups=given)


def test_groups_may_be_a_column_texts_or_pairs() -> None:
    expected = folds(None, groups=groups)
    for given in (
        groups.tolist(),
        groups[:, None],
        pd.DataFrame({"slide": groups}),
        [f"{group:02d}" for group in groups],
        [("patient", int(group)) for group in groups],
        groups.astype("datetime64[D]"),
    ):
        assert same(folds(None, groups=given), expected)


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


@pytest.mark.parametrize(
    "form", [lambda g: g[:, None], lambda g: [(each, 1) for each in g.tolist()]]
)
def test_a_splitter_takes_groups_of_any_form(form: Any) -> None:
    groups = np.arange(len(y)) // 4
    expected, found = (folds(GroupKFold(3), groups=each) for each in (groups, form(groups)))
    assert [test.tolist() for _, test in found] == [test.tolist() for _, test in expected]


def test_masks_of_samples_are_positions() -> None:
    ((train, test),) = folds([(np.arange(len(y)) > 5, np.arange(len(y)) <= 5)])
    assert test.tolist() == list(range(6))
    assert train.tolist() == list(range(6, len(y)))


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ([0, 1], [], "The test part of split 0 of cv is empty"),
        ([], [0, 1], "The train part of split 0 of cv is empty"),
        ([0, 10**6], [1], "holds positions from 0 to 1000000. Expected positions from 0 to"),
        ([0, 1], [-1], "holds positions from -1 to -1"),
        ([0.0, 1.0], [2], "type float64. Expected the positions"),
        ([[0, 1]], [2], r"has shape \(1, 2\)"),
        ([True, False], [2], r"has shape \(2,\) and dtype bool"),
        (slice(0, 2), [2], "type object"),
    ],
)
def test_splits_that_are_no_positions_are_refused(train: Any, test: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        folds([(train, test)])


def test_samples_that_are_trained_and_tested_on_are_announced() -> None:
    with pytest.warns(UserWarning, match="In split 1 of cv, 2 of the test samples are"):
        folds([([0, 1], [2]), ([0, 1, 2], [1, 2, 3])])


def test_a_splitter_must_split_as_often_as_it_says() -> None:
    with pytest.raises(ValueError, match="inconsistent results. Expected 3 splits, got 2"):
        folds(Lying(3))
    with pytest.raises(ValueError, match="holds no splits"):
        folds(Empty(3))
