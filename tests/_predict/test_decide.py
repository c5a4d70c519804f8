from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sklearnloss._predict.decide import check_temperature, check_threshold, decide


def test_the_second_of_two_classes_is_chosen_above_the_threshold() -> None:
    proba = np.array([[0.75, 0.5, 0.25], [0.25, 0.5, 0.75]], np.float32)
    assert decide(proba).tolist() == [0, 0, 1]
    assert decide(proba, 0.5).tolist() == [0, 0, 1]
    assert decide(proba, 0.25).tolist() == [0, 1, 1]
    assert decide(proba.T, 0.2, axis=1).tolist() == [1, 1, 1]
    assert decide(proba, 1.0).tolist() == [0, 0, 0]


def test_several_classes_take_the_most_probable() -> None:
    proba = np.array([[[0.2, 0.5]], [[0.5, 0.1]], [[0.3, 0.4]]])
    assert decide(proba).tolist() == [[1, 0]]


def test_each_overlapping_label_has_its_own_threshold() -> None:
    proba = np.array([[0.3, 0.6], [0.3, 0.6]])
    assert decide(proba, multilabel=True).tolist() == [[0, 1], [0, 1]]
    assert decide(proba, [0.5, 0.2], multilabel=True).tolist() == [[0, 1], [1, 1]]
    assert decide(proba, [0.5, 0.2], multilabel=True, axis=1).tolist() == [[0, 1], [0, 1]]


def test_a_threshold_is_rounded_like_the_probabilities() -> None:
    proba = np.array([[0.7], [0.3]], np.float32)  # float32(.3) is above .3
    assert decide(proba, 0.3).tolist() == [0]
    assert decide(proba.astype(float), 0.3).tolist() == [1]


def test_thresholds_by_label_are_put_in_order() -> None:
    assert check_threshold({"b": 0.2, "a": 0.7}, ["a", "b"], multilabel=True) == [0.7, 0.2]
    assert check_threshold(0.4, ["a", "b", "c"], multilabel=True) == [0.4, 0.4, 0.4]
    assert check_threshold(np.array([0.4, 1]), [0, 1], multilabel=True) == [0.4, 1.0]
    assert check_threshold(np.float32(0.25), [0, 1], multilabel=False) == 0.25
    assert check_threshold(None, [0, 1, 2], multilabel=False) is None


@pytest.mark.parametrize(
    ("threshold", "classes", "multilabel", "message"),
    [
        (0.5, [0, 1, 2], False, "3 classes that exclude each other"),
        (1.5, [0, 1], False, "threshold=1.5: expected a probability"),
        (float("nan"), [0, 1], False, "threshold=nan: expected a probability"),
        ([0.1, 0.2], [0, 1], False, "holds 2 numbers. Expected one number"),
        ([0.1, 0.2], ["a", "b", "c"], True, "one for each of"),
        ({"a": 0.1}, ["a", "b"], True, r"labels \['a'\]. Expected one number for each of"),
        ({"b": 0.1}, ["a", "b"], False, "the probability above which the label is 'b'"),
    ],
)
def test_thresholds_that_decide_nothing_are_refused(
    threshold: Any, classes: list[Any], multilabel: bool, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check_threshold(threshold, classes, multilabel=multilabel)


@pytest.mark.parametrize("threshold", ["high", True, [0.5, "high"]])
def test_thresholds_are_numbers(threshold: Any) -> None:
    with pytest.raises(TypeError, match="expected a number from 0 to 1"):
        check_threshold(threshold, [0, 1], multilabel=True)


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan"), float("inf"), "hot", True])
def test_temperatures_are_positive_numbers(temperature: Any) -> None:
    with pytest.raises(ValueError, match="expected a positive number"):
        check_temperature(temperature)
