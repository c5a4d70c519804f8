"""The search space: a branch per loss, each with its own parameters."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution

from .hyperparameter import Free

#: The name of the choice among branches in Optuna's trials.
BRANCH = "loss"

#: Spaces with more candidates than this are treated as infinite.
_COUNTABLE = 10_000

Values = dict[str, Any]

#: Values of a candidate, and the names of parameters to leave unset. Others may be sampled.
First = tuple[Values, list[str]]


@dataclass(frozen=True)
class Branch:
    """A loss, or a grid of other parameters, with fixed and free parameters.

    Parameters
    ----------
    fixed : dict of str to object
        Fixed parameters of the estimator.
    free : dict of str to Free
        Free parameters, by their names in Optuna's trials.
    defaults : dict of str to object
        The values of free parameters that are tried first.
    unsearched : dict of str to object, default=None
        The estimator's values of free parameters if they are not searched; None is ``defaults``.
    """

    fixed: Mapping[str, Any]
    free: Mapping[str, Free]
    defaults: Mapping[str, Any]
    unsearched: Mapping[str, Any] | None = None

    def default_values(self) -> First:
        """Return the defaults that can be sampled, and the names of parameters left unset."""
        return self._encode(self.defaults)

    def unsearched_values(self) -> First:
        """Return the same for the estimator's values of parameters that are not searched."""
        return self._encode(self.defaults if self.unsearched is None else self.unsearched)

    def _encode(self, given: Mapping[str, Any]) -> First:
        values: Values = {}
        unset = []
        for name, free in self.free.items():
            if free.key not in given:
                continue
            try:
                values[name] = free.encode(given[free.key])
            except LookupError:
                if free.optional:
                    unset.append(name)
        return values, unset


@dataclass(frozen=True)
class Space:
    """All branches of a search.

    Parameters
    ----------
    branches : dict of str to Branch
        By label. A single branch labeled "" leaves nothing to choose.
    choice : str, default="loss"
        The name of the choice among branches in Optuna's trials.
    has_losses : bool, default=True
        Whether the labels are labels of losses.
    is_menu : bool, default=False
        Whether the losses are those of the library, the most promising first.
    initial : tuple of (dict, list of str), default=()
        Candidates to try first: some or all of their values, and names to leave unset.
    """

    branches: Mapping[str, Branch]
    choice: str = BRANCH
    has_losses: bool = True
    is_menu: bool = False
    initial: tuple[First, ...] = ()

    @property
    def has_labels(self) -> bool:
        """Whether trials record which branch they took."""
        return list(self.branches) != [""]

    def arranged(self, order: Mapping[str, Sequence[str]]) -> Space:
        """Return the space with its branches, and their parameters, in another order.

        Parameters
        ----------
        order : dict of str to list of str
            All labels, and the names of the free parameters of each.
        """
        branches = {
            label: replace(
                self.branches[label], free={name: self.branches[label].free[name] for name in names}
            )
            for label, names in order.items()
        }
        return replace(self, branches=branches)

    def label(self, values: Values) -> str:
        """Return the label of a candidate's branch."""
        return str(values[self.choice]) if self.has_labels else ""

    def loss(self, values: Values) -> str:
        """Return the label of a candidate's loss; "" if no losses are searched."""
        return self.label(values) if self.has_losses else ""

    def sample(
        self, suggest: Callable[[str, BaseDistribution], Any], unset: Sequence[str] = ()
    ) -> Values:
        """Choose a branch, and then its parameters.

        Parameters
        ----------
        suggest : callable
            Takes a name and a distribution and returns a value.
        unset : list of str, default=()
            Names to leave at the estimator's defaults.

        Returns
        -------
        values : dict of str to object
            Chosen values, by their names in Optuna's trials.
        """
        values: Values = {}
        if self.has_labels:
            values[self.choice] = suggest(self.choice, CategoricalDistribution(list(self.branches)))
        for name, free in self.branches[self.label(values)].free.items():
            if name not in unset:
                values[name] = suggest(name, free.distribution)
        return values

    def params(self, values: Values) -> dict[str, Any]:
        """Return the estimator's parameters for a candidate."""
        branch = self.branches[self.label(values)]
        chosen = {
            free.key: free.decode(values[name])
            for name, free in branch.free.items()
            if name in values
        }
        return {**branch.fixed, **chosen}

    def distributions(self, values: Values) -> dict[str, BaseDistribution]:
        """Return the distributions that a candidate's values come from."""
        free = self.branches[self.label(values)].free
        known = {name: free[name].distribution for name in values if name in free}
        if self.has_labels:
            known[self.choice] = CategoricalDistribution(list(self.branches))
        return known

    def unset(self, values: Values) -> list[str]:
        """Return the names of parameters that a candidate leaves at the estimator's defaults."""
        return [name for name in self.branches[self.label(values)].free if name not in values]

    def first(self) -> Iterator[First]:
        """Yield the initial candidates, and each branch with its defaults."""
        yield from self.initial
        for label, branch in self.branches.items():
            values, unset = branch.default_values()
            yield ({self.choice: label, **values} if self.has_labels else values), unset

    def first_left(self, tried: Sequence[Values]) -> Iterator[First]:
        """Yield those of the first candidates that were not tried yet.

        Parameters
        ----------
        tried : list of dict
            The values of all candidates so far.
        """
        for values, unset in self.first():
            if not any(_is_like(each, values, unset) for each in tried):
                yield values, unset

    def all_values(self) -> list[Values] | None:
        """Return every candidate; None if there are infinitely many."""
        everything: list[Values] = []
        for label, branch in self.branches.items():
            columns = [free.values() for free in branch.free.values()]
            size = 1
            for column in columns:
                size *= _COUNTABLE if column is None else len(column)
            if len(everything) + size >= _COUNTABLE:
                return None
            head = {self.choice: label} if self.has_labels else {}
            rows = itertools.product(*(column or [] for column in columns))
            everything += [{**head, **dict(zip(branch.free, row, strict=True))} for row in rows]
        return everything

    def key(self, values: Values) -> str:
        """Return a text that is different for every candidate."""
        free = self.branches[self.label(values)].free
        # Many quantiles of a discrete distribution have the same value.
        quantiles = [name for name in values if name in free and free[name].quantile is not None]
        decoded = {name: free[name].decode(values[name]) for name in quantiles}
        return json.dumps({**values, **decoded}, sort_keys=True, default=str)


def _is_like(tried: Values, values: Values, unset: Sequence[str]) -> bool:
    """Return whether a candidate has certain values, and others unset."""
    same = (
        name in tried and tried[name] == value and type(tried[name]) is type(value)
        for name, value in values.items()
    )
    return all(same) and not any(name in tried for name in unset)
