"""The position of the loss among an estimator's parameters."""

from __future__ import annotations

from typing import Any

from ..._utils.pipeline import last_step
from ...estimators._base import ImageEstimator


def has_loss(estimator: Any) -> bool:
    """Return whether an estimator is, or ends in, an image estimator, which has a ``loss``."""
    return isinstance(last_step(estimator)[1], ImageEstimator)


def loss_prefix(estimator: Any) -> str:
    """Return the prefix of an image estimator's ``loss`` among the parameters.

    Raises
    ------
    TypeError
        If the estimator has no loss.
    """
    prefix, part = last_step(estimator)
    if not isinstance(part, ImageEstimator):
        raise TypeError(no_loss(estimator))
    return prefix


def no_loss(estimator: Any) -> str:
    """Return the error message for an estimator without a loss to choose."""
    part = last_step(estimator)[1]
    if isinstance(part, type):
        return f"{part.__name__} is a class. Pass an object, such as {part.__name__}()."
    name = type(part).__name__
    if part is not estimator:
        name = f"A {type(estimator).__name__} that ends in {name}"
    criterion = (
        f" The loss of {type(part).__name__} is its criterion, which LossSearchCV can search with "
        f"param_distributions={{'criterion': [...]}}."
        if hasattr(part, "criterion") and hasattr(part, "module")
        else ""
    )
    return (
        f"{name} has no loss to choose. Expected a UNetSegmenter, a ResNetClassifier, or a "
        f"Pipeline that ends in one.{criterion}"
    )
