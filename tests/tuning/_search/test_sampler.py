from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.samplers import (
    BaseSampler,
    BruteForceSampler,
    GPSampler,
    GridSampler,
    NSGAIISampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)
from optuna.trial import create_trial
from sklearn.svm import SVC

from sklearnloss import UNetSegmenter
from sklearnloss.tuning._evaluation.outcome import Outcome
from sklearnloss.tuning._search.attempts import Row
from sklearnloss.tuning._search.cached_study import CachedStudy
from sklearnloss.tuning._search.candidate import CandidateState
from sklearnloss.tuning._search.sampler import CandidateSampler, check_sampler
from sklearnloss.tuning._space.parse import read_space
from sklearnloss.tuning._space.search_space import Space

SMALL = {"C": [0.1, 1.0, 10.0], "degree": (2, 3)}


def row(space: Space, candidate: int, values: dict[str, Any], score: float | None) -> Row:
    """Return a finished candidate; one without a score diverged."""
    results = CandidateState(reports=[[1, 0.0]], epochs=1, outcome=Outcome.COMPLETE)
    if score is None:
        results.end(Outcome.DIVERGED, reason="diverged in fold 1: the loss is nan")
    trial = create_trial(
        state=results.trial_state,
        value=score,
        params=values,
        distributions=space.distributions(values),
        user_attrs={"candidate": candidate, "results": results.to_json()},
    )
    return Row(candidate, trial)


def sampler_of(space: Space, sampler: BaseSampler | None = None, seed: int = 0) -> CandidateSampler:
    """Return the sampler of a search that begins."""
    return CandidateSampler(CachedStudy("study", space), sampler, seed)


def propose(
    space: Space,
    n: int,
    *,
    sampler: BaseSampler | None = None,
    seed: int = 0,
    objective: Any = None,
) -> list[dict[str, Any]]:
    """Return the values of the first candidates."""
    candidates = sampler_of(space, sampler, seed)
    rows: list[Row] = []
    for candidate in range(n):
        values = candidates.propose(candidate, rows)
        if values is None:
            break
        score = 0.5 if objective is None else objective(values)
        rows.append(row(space, candidate, values, score))
    return [r.values for r in rows]


def test_the_defaults_of_each_loss_come_first() -> None:
    model = UNetSegmenter()
    space = read_space(model, ["focal", "dice", "tversky"], {"lr": (1e-4, 1e-1, "log")})
    values = propose(space, 5)
    assert [v["loss"] for v in values[:3]] == ["focal", "dice", "tversky"]
    assert values[0]["focal__gamma"] == 2.0
    assert values[2]["tversky__alpha"] == values[2]["tversky__beta"] == 0.5
    assert all(v["lr"] == model.lr for v in values[:3])
    assert all(v["lr"] != model.lr for v in values[3:])


def test_a_default_that_is_not_in_its_range_is_left_to_the_loss() -> None:
    space = read_space(UNetSegmenter(), ["bce", "focal"], None)
    first = propose(space, 1)[0]
    assert space.params(first).get("loss__pos_weight") is None


SAMPLERS: dict[str, Any] = {
    "default": lambda: None,
    "random": lambda: RandomSampler(seed=0),
    "tpe": lambda: TPESampler(seed=0, n_startup_trials=2),
    "qmc": lambda: QMCSampler(seed=0),
    "gp": lambda: GPSampler(seed=0, n_startup_trials=8, deterministic_objective=True),
    "nsgaii": lambda: NSGAIISampler(seed=0, population_size=4),
    "brute force": lambda: BruteForceSampler(seed=0),
}


def make(name: str) -> BaseSampler | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler: BaseSampler | None = SAMPLERS[name]()
    return sampler


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_finite_space_is_tried_once_whole_whatever_the_sampler(sampler: str) -> None:
    space = read_space(SVC(), None, SMALL)
    values = propose(space, 20, sampler=make(sampler))
    everything = space.all_values()
    assert everything is not None
    assert len(values) == 6
    assert {space.key(v) for v in values} == {space.key(v) for v in everything}


@pytest.mark.parametrize("sampler", ["default", "random", "tpe", "qmc", "gp"])
def test_no_candidate_is_proposed_twice(sampler: str) -> None:
    space = read_space(SVC(), None, {"C": (0.1, 10.0), "kernel": ["rbf", "poly"]})
    keys = [space.key(v) for v in propose(space, 12, sampler=make(sampler))]
    assert len(set(keys)) == 12


def test_a_sampler_that_repeats_itself_is_overruled() -> None:
    class Stubborn(RandomSampler):
        def sample_independent(self, *args: Any) -> Any:
            return 0.5

    space = read_space(SVC(), None, {"C": (0.1, 10.0)})
    keys = [space.key(v) for v in propose(space, 5, sampler=Stubborn())]
    assert len(set(keys)) == 5


def test_the_users_sampler_is_not_used_up() -> None:
    sampler = RandomSampler(seed=0)
    before = pickle.dumps(sampler)
    space = read_space(SVC(), None, {"C": (0.1, 10.0)})
    assert propose(space, 4, sampler=sampler) == propose(space, 4, sampler=sampler)
    assert pickle.dumps(sampler) == before


def test_a_search_that_is_resumed_goes_the_same_way() -> None:
    space = read_space(SVC(), None, {"C": (0.1, 10.0), "degree": (2, 9)})
    whole = propose(space, 14, objective=lambda v: -v["C"])
    rows = [row(space, k, values, -values["C"]) for k, values in enumerate(whole[:12])]
    assert sampler_of(space).propose(12, rows) == whole[12]
    assert propose(space, 14, seed=1, objective=lambda v: -v["C"]) != whole


def test_workers_that_ask_at_the_same_time_get_different_candidates() -> None:
    space = read_space(SVC(), None, {"C": (0.1, 10.0)})
    rows = [row(space, 0, {"C": 1.0}, 0.5)]
    found = [sampler_of(space).propose(candidate, rows) for candidate in (1, 2, 3)]
    assert len({repr(values) for values in found}) == 3


def test_a_proposal_that_is_known_takes_no_number() -> None:
    """Hyperband chooses by numbers, which have to be the same for all workers."""
    space = read_space(SVC(), None, SMALL)
    candidates = sampler_of(space, RandomSampler(seed=0))
    rows: list[Row] = []
    for candidate in range(6):
        values = candidates.propose(candidate, rows)
        assert values is not None
        assert candidates.cache.trial(candidate).number == candidate
        rows.append(row(space, candidate, values, 0.5))
    assert candidates.propose(6, rows) is None
    assert len(candidates.cache.study.trials) == 6


def test_the_sampler_learns_from_scores() -> None:
    space = read_space(SVC(), None, {"C": (0.0, 1.0), "tol": (0.0, 1.0)})

    def near(values: dict[str, Any]) -> float:
        return -float(abs(values["C"] - 0.8) + abs(values["tol"] - 0.8))

    def late(sampler: Any) -> float:
        values = propose(space, 40, sampler=sampler, objective=near)
        return float(np.mean([near(v) for v in values[20:]]))

    assert late(None) > late(RandomSampler(seed=0)) + 0.2


def test_the_sampler_keeps_away_from_what_diverges() -> None:
    space = read_space(SVC(), None, {"C": (0.0, 1.0)})
    values = propose(space, 40, objective=lambda v: None if v["C"] > 0.5 else 0.5)
    diverged = [v["C"] > 0.5 for v in values]
    assert sum(diverged[20:]) <= 6


def test_a_loss_that_is_better_is_tried_more_often() -> None:
    space = read_space(UNetSegmenter(), ["focal", "dice", "tversky"], None)
    values = propose(space, 40, objective=lambda v: float(v["loss"] == "tversky"))
    assert sum(v["loss"] == "tversky" for v in values[20:]) > 10


def test_a_grid_sampler_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match="Pass lists of choices as param_distributions"):
        check_sampler(GridSampler({"C": [1.0]}))
    check_sampler(RandomSampler())
