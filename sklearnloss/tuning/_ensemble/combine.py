"""The ensemble of a search: load its models, select, and average."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...estimators._loss_ensemble import LossEnsemble
from .._evaluation.fit_and_score import FitData, FoldFit
from .fold_models import FoldModels
from .out_of_fold import OutOfFold
from .selection import best_single, cross_validated, mean_score, select
from .soup import averaged_weights

Array = np.ndarray

#: Only this many of the best candidates are considered.
POOL = 10


@dataclass(frozen=True)
class Candidate:
    """A complete candidate of a search.

    Parameters
    ----------
    number : int
        Its number.
    label : str
        That of its loss.
    values, params : dict
        Its values in the storage, and the estimator's parameters.
    scores : list of float
        Its score in each fold.
    """

    number: int
    label: str
    values: Mapping[str, Any]
    params: Mapping[str, Any]
    scores: Sequence[float]

    @property
    def mean(self) -> float:
        """Its mean score."""
        return math.fsum(self.scores) / len(self.scores)


class Combination:
    """Makes the ensemble of a search.

    Parameters
    ----------
    data : FitData
        Estimator, data and scorer.
    splits : list of (train, test)
        The folds.
    models : FoldModels
        The models of all folds.
    candidates : list of Candidate
        The complete candidates.
    """

    def __init__(
        self,
        data: FitData,
        splits: Sequence[tuple[Array, Array]],
        models: FoldModels,
        candidates: Sequence[Candidate],
    ) -> None:
        self.data = data
        self.splits = splits
        self.models = models
        self.candidates = sorted(candidates, key=lambda each: (-each.mean, each.number))

    def run(self) -> LossEnsemble | None:
        """Return the ensemble, None if no candidate has all of its models."""
        folds = [FoldFit(self.data, {}, train, test, seed=0) for train, test in self.splits]
        known = OutOfFold(folds, self.models.folder)
        try:
            pool = self._predict(known)
            return self._combine(pool, known) if pool else None
        finally:
            known.close()

    def _predict(self, known: OutOfFold) -> list[Candidate]:
        """Predict with the models of the best candidates, and return these."""
        pool: list[Candidate] = []
        left_out: dict[int, str] = {}
        for candidate in self.candidates:
            if len(pool) == POOL:
                break
            try:
                known.add(self._load(candidate))
            except (OSError, ValueError) as error:
                left_out[candidate.number] = str(error)
            else:
                pool.append(candidate)
        if left_out:
            number, reason = next(iter(left_out.items()))
            warnings.warn(
                f"{len(left_out)} of {len(self.candidates)} candidates cannot be in the ensemble, "
                f"as not all of their models can be loaded. The first is candidate {number}: "
                f"{reason}",
                UserWarning,
                stacklevel=2,
            )
        return pool

    def _load(self, candidate: Candidate) -> list[Any]:
        """Return the models of all folds of a candidate."""
        model = FoldFit(self.data, candidate.params, *self.splits[0], seed=0).model
        return [
            self.models.load(candidate.number, candidate.values, fold, model, score)
            for fold, score in enumerate(candidate.scores)
        ]

    def _combine(self, pool: list[Candidate], known: OutOfFold) -> LossEnsemble:
        n, n_folds = len(pool), len(self.splits)
        score = functools.partial(mean_score, known.fold_score, range(n_folds))
        counts = select(score, n)
        scores = {
            "cross_validated": cross_validated(known.fold_score, n, n_folds),
            "selected": score(counts),
            "single_cross_validated": cross_validated(known.fold_score, n, n_folds, best_single),
            "single": score(best_single(score, n)),
        }
        members = [(pool[k], count / sum(counts)) for k, count in enumerate(counts) if count]
        by_fold = list(zip(*(self._load(candidate) for candidate, _ in members), strict=True))
        weights = [weight for _, weight in members]
        soups = self._soups(by_fold, weights, known, scores)
        is_soup = bool(soups) and scores["soup"] >= scores["selected"]
        if is_soup:
            models, own = soups, [1 / n_folds] * n_folds
        else:
            models = [model for fold in by_fold for model in fold]
            own = [weight / n_folds for _ in by_fold for weight in weights]
        ensemble = LossEnsemble(models, own).fit()
        ensemble.members_ = [
            {
                "label": candidate.label,
                "weight": weight,
                "params": dict(candidate.params),
                "n_models": n_folds,
                "candidate": candidate.number,
            }
            for candidate, weight in members
        ]
        ensemble.scores_, ensemble.is_soup_ = scores, is_soup
        return ensemble

    def _soups(
        self,
        by_fold: Sequence[Sequence[Any]],
        weights: Sequence[float],
        known: OutOfFold,
        scores: dict[str, float],
    ) -> list[Any]:
        """Return a model with averaged weights for each fold, if that is possible.

        Their mean score on held-out images is added to the scores.
        """
        if len(weights) == 1:
            return []
        soups = [averaged_weights(models, weights) for models in by_fold]
        if any(soup is None for soup in soups):
            return []
        found = [known.score_model(soup, fold) for fold, soup in enumerate(soups)]
        scores["soup"] = math.fsum(found) / len(found)
        return soups
