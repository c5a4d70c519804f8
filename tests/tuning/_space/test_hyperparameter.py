from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from scipy import stats

from sklearnloss.losses import DiceLoss, FocalLoss
from sklearnloss.tuning._space.hyperparameter import read_free


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((1, 8), IntDistribution(1, 8)),
        ((1, 8, "log"), IntDistribution(1, 8, log=True)),
        ((0.5, 2), FloatDistribution(0.5, 2.0)),
        ((1e-4, 1e-2, "log"), FloatDistribution(1e-4, 1e-2, log=True)),
        ((np.int64(1), np.int64(3)), IntDistribution(1, 3)),
        ((np.float32(0.5), 2.0), FloatDistribution(0.5, 2.0)),
        ([1, 2, 2], CategoricalDistribution([1, 2])),
        (np.array([0.1, 0.2]), CategoricalDistribution([0.1, 0.2])),
        (range(2, 4), CategoricalDistribution([2, 3])),
        (pd.Series([8, 16], index=[5, 7]), CategoricalDistribution([8, 16])),
        (pd.Index(["a", "b"]), CategoricalDistribution(["a", "b"])),
        (IntDistribution(2, 8, step=2), IntDistribution(2, 8, step=2)),
        (stats.uniform(1, 3), FloatDistribution(1.0, 4.0)),
        (stats.loguniform(1e-3, 1.0), FloatDistribution(1e-3, 1.0, log=True)),
        (stats.randint(1, 5), IntDistribution(1, 4)),
    ],
)
def test_ranges_choices_and_distributions_become_those_of_optuna(given: Any, expected: Any) -> None:
    free = read_free("key", given)
    assert free.distribution == expected
    assert free.key == "key"


@pytest.mark.parametrize("given", [[True, 1, 1.0], [np.True_, np.int64(1), np.float64(1.0)]])
def test_choices_that_are_equal_but_of_unlike_types_stay_apart(given: list[Any]) -> None:
    values = read_free("key", given).values()
    assert values is not None
    assert [type(value) for value in values] == [bool, int, float]


@pytest.mark.parametrize(
    "given",
    [
        (2.0, 1.0),
        (1.0,),
        (1, 2, 3),
        (0.0, 1.0, "log"),
        ("adam", "sgd"),
        (True, False),
        (0.0, np.inf),
        (np.nan, 1.0),
    ],
)
def test_a_tuple_that_is_no_range_is_refused(given: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match=r"lr: .* is not a range. Expected \(low, high\)"):
        read_free("lr", given)


@pytest.mark.parametrize(
    "given", [16, 0.1, "adam", None, {"a": 1}, (k for k in range(2)), DiceLoss(), b"ab"]
)
def test_a_single_value_or_a_generator_is_refused_as_in_scikit_learn(given: Any) -> None:
    with pytest.raises(
        TypeError, match=r"lr: \S+.* is not a list of choices. Expected a list .of one"
    ):
        read_free("lr", given)


def test_a_long_value_is_cut_in_its_message() -> None:
    with pytest.raises(TypeError, match="lr: 'xxx.*xxx[.]{3}, of type str") as error:
        read_free("lr", "x" * 1000)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("given", [np.eye(2), np.array(3), pd.DataFrame({"a": [1], "b": [2]})])
def test_choices_have_one_dimension(given: Any) -> None:
    with pytest.raises(ValueError, match="lr: an array of shape .* is not a list of choices"):
        read_free("lr", given)


def test_a_loguniform_distribution_that_was_moved_keeps_its_median() -> None:
    moved = stats.loguniform(1e-3, 10, loc=5)
    assert read_free("lr", moved).decode(0.5) == pytest.approx(moved.median())
    scaled = read_free("lr", stats.loguniform(1e-3, 10, scale=5)).distribution
    assert scaled == FloatDistribution(0.005, 50.0, log=True)


def test_no_choices_are_refused() -> None:
    with pytest.raises(ValueError, match="lr: the list of choices is empty"):
        read_free("lr", [])


def test_what_can_only_be_sampled_is_refused() -> None:
    class OnlySamples:
        def rvs(self) -> float:
            return 0.5

    with pytest.raises(ValueError, match="lr: .* has no quantiles"):
        read_free("lr", OnlySamples())


def test_other_scipy_distributions_are_sampled_by_their_quantiles() -> None:
    free = read_free("key", stats.norm(5, 2))
    assert free.decode(0.5) == pytest.approx(5.0)
    assert free.decode(0.8413447) == pytest.approx(7.0, abs=1e-4)
    assert isinstance(free.decode(0.5), float)
    assert free.distribution.low > 0  # type: ignore[attr-defined]
    assert free.values() is None


@pytest.mark.parametrize(
    "given", [stats.poisson(3), stats.rv_discrete(values=([2, 3, 5], [0.2, 0.6, 0.2]))]
)
def test_discrete_scipy_distributions_give_integers(given: Any) -> None:
    value = read_free("key", given).decode(0.5)
    assert value == 3
    assert type(value) is int


def test_choices_of_any_kind_have_labels_that_do_not_change() -> None:
    def scale(x: float) -> float:
        return x

    choices = [DiceLoss(), (64, 32), np.mean, FocalLoss, [scale, 1], None]
    free = read_free("key", choices)
    labels = free.values()
    assert labels == [
        "0: DiceLoss",
        "1: (64, 32)",
        "2: mean",
        "3: FocalLoss",
        "4: (scale, 1)",
        "5: None",
    ]
    assert [free.decode(label) for label in labels] == choices
    assert free.decode(labels[0]) is choices[0]
    assert pickle.loads(pickle.dumps(read_free("key", [(1, 2)]))).decode("0: (1, 2)") == (1, 2)


@pytest.mark.parametrize(
    ("given", "value", "expected"),
    [
        ((0.1, 10.0), 1, 1.0),
        ((0.1, 10.0), np.float64(1.0), 1.0),
        ((1, 10), 2, 2),
        ((1, 10), 2.0, 2),
        ([1.0, 2.0], 1.0, 1.0),
        ([None, "a"], None, None),
        (FloatDistribution(0.1, 0.7, step=0.2), 0.3, 0.1 + 0.2),
        ([(1, 2), (3, 4)], (3, 4), "1: (3, 4)"),
    ],
)
def test_a_default_becomes_what_optuna_would_have_sampled(
    given: Any, value: Any, expected: Any
) -> None:
    found = read_free("key", given).encode(value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ((0.1, 10.0), 0.0),
        ((0.1, 10.0), "auto"),
        ((0, 10), True),
        ((0, 10), 0.5),
        ((0.1, 10.0), None),
        ([1, 2], 1.0),
        ([0, 1], False),
        (stats.norm(), 0.0),
        (IntDistribution(0, 10, step=5), 3),
    ],
)
def test_a_default_outside_of_the_distribution_is_a_lookup_error(given: Any, value: Any) -> None:
    with pytest.raises(LookupError, match="is not in"):
        read_free("key", given).encode(value)


def test_arrays_among_the_choices_are_found_by_their_elements() -> None:
    free = read_free("key", [np.array([1, 2]), np.array([3, 4])])
    assert free.encode(np.array([3, 4])) == "1: ndarray"


@pytest.mark.parametrize("high", [0.3, 0.7, 1.0])
def test_all_values_of_steps_are_those_that_optuna_samples(high: float) -> None:
    distribution = FloatDistribution(0.1, high, step=0.1)
    values = read_free("key", distribution).values()
    assert values is not None
    assert all(distribution._contains(value) for value in values)
    assert max(values) <= distribution.high
    assert np.allclose(values, np.arange(0.1, high + 0.05, 0.1))


def test_integers_are_counted_and_floats_are_endless() -> None:
    assert read_free("key", IntDistribution(1, 9, step=4)).values() == [1, 5, 9]
    assert read_free("key", (0.0, 1.0)).values() is None


@pytest.mark.parametrize("make", [set, frozenset])
def test_choices_in_a_set_have_one_order(make: Any) -> None:
    found = read_free("k", make(["c", "a", "d", "b"]))
    assert found.distribution == CategoricalDistribution(["a", "b", "c", "d"])
    losses = [DiceLoss(), FocalLoss(gamma=1), FocalLoss(gamma=2), FocalLoss(gamma=3)]
    assert read_free("k", make(losses[::-1])).choices == tuple(losses)
