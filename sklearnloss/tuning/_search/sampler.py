"""The sampler, which chooses the next candidate."""

from __future__ import annotations

import copy
import functools
import warnings
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler, GridSampler, RandomSampler, TPESampler
from optuna.trial import Trial, create_trial

from .._space.search_space import Space, Values
from .attempts import Row
from .cached_study import CachedStudy

_ATTEMPTS = 8


class CandidateSampler:
    """Proposes the first candidates of the space, and then uses an Optuna sampler.

    No candidate is proposed twice. The default sampler, a multivariate and grouped
    tree-structured Parzen estimator, is reseeded for each candidate by its number, so
    that a resumed search proposes the same candidates.

    Parameters
    ----------
    cache : CachedStudy
        The candidates so far, and the space to choose from.
    sampler : optuna.samplers.BaseSampler or None
        The user's sampler, of which a copy is used.
    seed : int
        Seed of the search.
    """

    def __init__(self, cache: CachedStudy, sampler: BaseSampler | None, seed: int) -> None:
        self.cache = cache
        self.space = cache.space
        self.seed = seed
        self.is_default = sampler is None
        if sampler is not None:
            cache.study.sampler = copy.deepcopy(sampler)
        self._n_first = len(list(self.space.first()))
        self._keys: dict[int, tuple[Values, str]] = {}  # by candidate
        everything = self.space.all_values()
        self._everything = (
            None
            if everything is None
            else {self.space.key(values): values for values in everything}
        )

    def propose(self, candidate: int, rows: Sequence[Row]) -> Values | None:
        """Return the values of a new candidate.

        Parameters
        ----------
        candidate : int
            Its number.
        rows : list of Row
            All candidates so far.

        Returns
        -------
        values : dict or None
            None if every candidate has been tried.
        """
        seen = {self._key(row) for row in rows}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self.cache.update(rows)
            first = next(self.space.first_left([row.values for row in rows]), None)
            if first is not None:
                found = self._ask(candidate, 0, seen, *first)
                if found is not None:
                    return found
            if self._everything is not None:
                left = self._left(seen)
                if not left:
                    return None
                if len(left) == 1:
                    return self._ask(candidate, 0, seen, left[0], ())
            return self._sample(candidate, seen)

    def _key(self, row: Row) -> str:
        """Return the key of a candidate, the same for all its attempts."""
        known = self._keys.get(row.candidate)
        if known is None or known[0] != row.values:
            known = self._keys[row.candidate] = (row.values, self.space.key(row.values))
        return known[1]

    def _left(self, seen: set[str]) -> list[Values]:
        """Return the values in a finite space that have not been tried."""
        return [values for key, values in (self._everything or {}).items() if key not in seen]

    def _sample(self, candidate: int, seen: set[str]) -> Values | None:
        for attempt in range(1, _ATTEMPTS):
            found = self._ask(candidate, attempt, seen)
            if found is not None:
                return found
        # The sampler keeps proposing values that have already been tried.
        rng = np.random.default_rng([self.seed, candidate])
        if self._everything is not None:
            left = self._left(seen)
            return self._ask(candidate, 0, seen, left[rng.integers(len(left))], ())
        sampler = RandomSampler(seed=int(rng.integers(2**31)))
        trial = self.cache.trial(candidate)
        choose = functools.partial(sampler.sample_independent, self.cache.study, trial)
        for _ in range(1000):
            values = self.space.sample(choose)
            if self.space.key(values) not in seen:
                return self._ask(candidate, 0, seen, values)
        return None

    def _ask(
        self,
        candidate: int,
        attempt: int,
        seen: set[str],
        fixed: Values | None = None,
        unset: Sequence[str] = (),
    ) -> Values | None:
        """Let the sampler choose the values that are not fixed; None if they were tried."""
        if self.is_default:
            self.cache.study.sampler = self._default_sampler(candidate, attempt)
        trial = self.cache.ask(candidate, fixed)
        values = self.space.sample(functools.partial(suggest, trial), unset)
        return None if self.space.key(values) in seen else values

    def _default_sampler(self, candidate: int, attempt: int) -> BaseSampler:
        text = f"{self.seed}/{candidate}/{attempt}"
        return TPESampler(
            multivariate=True,
            group=True,
            constant_liar=True,
            # The first candidates take the place of the random ones with which it would start.
            n_startup_trials=max(10, self._n_first),
            seed=zlib.crc32(text.encode()),
        )


def check_sampler(sampler: BaseSampler | None) -> None:
    """Refuse a sampler that cannot handle fixed candidates, such as the defaults."""
    if isinstance(sampler, GridSampler):
        raise ValueError(
            "sampler=GridSampler(...) uses its own grid. Pass lists of choices as "
            "param_distributions and n_trials=None instead: each combination is tried once."
        )


def check_several_goals(sampler: BaseSampler | None, space: Space, goals: Sequence[str]) -> None:
    """Refuse a sampler that cannot optimize several metrics together, by trying it.

    Raises
    ------
    ValueError
        If it raises an error when it is asked for a second candidate.
    """
    if sampler is None or not goals:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            proposer = CandidateSampler(CachedStudy("check", space, goals=goals), sampler, 0)
            values = proposer._sample(0, set())
            if values is not None:
                trial = create_trial(
                    params=values,
                    distributions=space.distributions(values),
                    values=[0.0] * len(goals),
                )
                proposer.cache.study.add_trial(trial)
                proposer._sample(1, set())
    except Exception as error:
        raise ValueError(
            f"sampler={type(sampler).__name__}(...) cannot propose candidates for several goals, "
            f"{', '.join(map(repr, goals))}: {error} Pass None (the default), TPESampler() or "
            f"NSGAIISampler(), or the name of one metric as refit."
        ) from error


def suggest(trial: Trial, name: str, distribution: BaseDistribution) -> Any:
    """Let a trial choose a value from a distribution."""
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    low, high, step, log = (getattr(distribution, k) for k in ("low", "high", "step", "log"))
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(name, low, high, step=step, log=log)
    return trial.suggest_float(name, low, high, step=step, log=log)
