"""All imports from the private parts of scikit-learn."""

from __future__ import annotations

from typing import Any

from sklearn.base import _fit_context as fit_context
from sklearn.metrics._scorer import _BaseScorer, _PassthroughScorer
from sklearn.metrics._scorer import _MultimetricScorer as MultimetricScorer
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._split import GroupsConsumerMixin
from sklearn.model_selection._validation import _score as score
from sklearn.utils.metaestimators import _safe_split as safe_split
from sklearn.utils.validation import _check_method_params as method_params

__all__ = [
    "BaseSearchCV",
    "GroupsConsumerMixin",
    "MultimetricScorer",
    "fit_context",
    "method_params",
    "only_predicts",
    "safe_split",
    "score",
]


def only_predicts(scorer: Any) -> bool:
    """Return whether scorers are scikit-learn's, which only pass X to the estimator."""
    if isinstance(scorer, MultimetricScorer):
        return all(only_predicts(member) for member in scorer._scorers.values())
    return isinstance(scorer, _BaseScorer | _PassthroughScorer)
