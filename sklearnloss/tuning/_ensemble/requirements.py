"""What a search must be like so that its models can become an ensemble."""

from __future__ import annotations

from typing import Any

from ...estimators._base import ImageEstimator
from ...estimators._loss_ensemble import READING
from .._evaluation.sklearn_private import only_predicts
from .._space.search_space import Space

#: The value of ``refit``.
ENSEMBLE = "ensemble"


def wants_ensemble(refit: Any) -> bool:
    """Return whether a search is to end with an ensemble."""
    return isinstance(refit, str) and refit == ENSEMBLE


def check_ensemble(estimator: Any, scorer: Any, space: Space) -> None:
    """Raise an error unless the models of a search can be kept, averaged and scored.

    Parameters
    ----------
    estimator : estimator
        That of the search.
    scorer : callable
        One of scikit-learn's scorers.
    space : Space
        The search space.

    Raises
    ------
    TypeError
        If the estimator is not one of this package.
    ValueError
        If there are several metrics, or one that needs more than predictions, or if candidates
        differ in how they read images.
    """
    if not isinstance(estimator, ImageEstimator):
        raise TypeError(
            f"refit='ensemble' keeps the models of all folds in files without pickle, which is not "
            f"possible for a {type(estimator).__name__}. Expected one of sklearnloss's own "
            f"estimators, such as UNetSegmenter, not in a Pipeline. Use refit=True for others."
        )
    if hasattr(scorer, "_scorers"):
        raise ValueError(
            f"refit='ensemble' maximizes a single metric, but scoring holds "
            f"{', '.join(map(repr, scorer._scorers))}. Pass one of them."
        )
    if not only_predicts(scorer):
        raise ValueError(
            f"refit='ensemble' scores averaged predictions, but scoring={scorer!r} may ask the "
            f"estimator for anything. Pass a name, or a scorer made by make_mask_scorer or "
            f"make_scorer."
        )
    for branch in space.branches.values():
        keys = {*branch.fixed, *(free.key for free in branch.free.values())}
        wrong = sorted(key for key in keys if key.partition("__")[0] in (*READING, "classes"))
        if wrong:
            raise ValueError(
                f"refit='ensemble' reads each image once for all models, so candidates cannot "
                f"differ in {wrong[0]!r}. Set it in the estimator, or use refit=True."
            )
