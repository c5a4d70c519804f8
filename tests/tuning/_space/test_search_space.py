from __future__ import annotations

import functools
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from scipy import stats

from sklearnloss.tuning._search.sampler import suggest
from sklearnloss.tuning._space.hyperparameter import read_free
from sklearnloss.tuning._space.search_space import Branch, Space


def branch(fixed: dict[str, Any], defaults: dict[str, Any], **free: Any) -> Branch:
    return Branch(fixed, {name: read_free(name, given) for name, given in free.items()}, defaults)


@pytest.fixture
def space() -> Space:
    """A finite branch and an endless one."""
    focal = branch({"loss": "focal"}, {"gamma": 2.0}, gamma=(0.5, 5.0), depth=[1, 2])
    dice = branch({"loss": "dice"}, {"depth": 1}, depth=[1, 2])
    return Space({"focal": focal, "dice": dice})


def test_a_trial_has_only_the_parameters_of_its_branch(space: Space) -> None:
    for label, names in [("focal", {"loss", "gamma", "depth"}), ("dice", {"loss", "depth"})]:
        study = optuna.create_study()
        study.enqueue_trial({"loss": label})
        trial = study.ask()
        values = space.sample(functools.partial(suggest, trial))
        assert set(values) == set(trial.params) == names
        assert space.distributions(values) == trial.distributions


def test_unset_names_are_not_sampled(space: Space) -> None:
    study = optuna.create_study()
    study.enqueue_trial({"loss": "focal", "depth": 2})
    trial = study.ask()
    assert space.sample(functools.partial(suggest, trial), ["gamma"]) == {
        "loss": "focal",
        "depth": 2,
    }


def test_values_become_parameters_with_what_is_fixed(space: Space) -> None:
    values = {"loss": "focal", "gamma": 3.0, "depth": 1}
    assert space.params(values) == {"loss": "focal", "gamma": 3.0, "depth": 1}
    assert space.label(values) == space.loss(values) == "focal"


def test_each_branch_is_first_tried_with_its_defaults(space: Space) -> None:
    assert list(space.first()) == [
        ({"loss": "focal", "gamma": 2.0}, []),
        ({"loss": "dice", "depth": 1}, []),
    ]


def test_a_default_outside_of_an_optional_range_stays_unset() -> None:
    free = {"gamma": read_free("gamma", (1.0, 5.0), optional=True), "k": read_free("k", (1, 2))}
    (first,) = Space({"focal": Branch({}, free, {"gamma": 0.0, "k": 7})}).first()
    assert first == ({"loss": "focal"}, ["gamma"])


def test_one_branch_without_a_label_leaves_nothing_to_choose() -> None:
    space = Space({"": branch({}, {}, C=[1, 2])}, has_losses=False)
    assert space.all_values() == [{"C": 1}, {"C": 2}]
    assert space.label({"C": 1}) == space.loss({"C": 1}) == ""
    assert space.distributions({"C": 1}) == {"C": CategoricalDistribution([1, 2])}


def test_branches_without_losses_have_a_choice_of_their_own() -> None:
    grids = {"0": branch({}, {}, C=[1]), "1": branch({}, {}, loss=["hinge"])}
    space = Space(grids, "grid", has_losses=False)
    assert space.all_values() == [{"grid": "0", "C": 1}, {"grid": "1", "loss": "hinge"}]
    assert space.label({"grid": "1", "loss": "hinge"}) == "1"
    assert space.loss({"grid": "1", "loss": "hinge"}) == ""


def test_a_finite_space_is_listed_and_an_endless_one_is_not(space: Space) -> None:
    assert space.all_values() is None
    finite = Space({"dice": space.branches["dice"], "bce": branch({"loss": "bce"}, {})})
    assert finite.all_values() == [
        {"loss": "dice", "depth": 1},
        {"loss": "dice", "depth": 2},
        {"loss": "bce"},
    ]
    large = Space({"a": branch({}, {}, **dict.fromkeys("xyz", (1, 100)))})
    assert large.all_values() is None


def test_keys_tell_candidates_apart_by_type_too(space: Space) -> None:
    keys = {
        space.key({"loss": "dice", "depth": value}) for value in (1, 1.0, True, "1", None, "None")
    }
    assert len(keys) == 6
    assert space.key({"loss": "dice", "depth": 1}) == space.key({"depth": 1, "loss": "dice"})


def test_quantiles_of_one_value_are_one_candidate() -> None:
    space = Space({"": branch({}, {}, k=stats.poisson(3), x=stats.norm())})
    assert space.key({"k": 0.5, "x": 0.5}) == space.key({"k": 0.51, "x": 0.5})
    assert space.key({"k": 0.5, "x": 0.5}) != space.key({"k": 0.5, "x": 0.51})


def test_ranges_of_a_candidate_are_those_it_was_sampled_from(space: Space) -> None:
    found = space.distributions({"loss": "focal", "gamma": 1.0})
    assert found == {
        "loss": CategoricalDistribution(["focal", "dice"]),
        "gamma": FloatDistribution(0.5, 5.0),
    }
