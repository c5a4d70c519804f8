"""Where in an estimator the loss is."""

from __future__ import annotations

from typing import Any

from sklearn.pipeline import Pipeline

from ...estimators._base import ImageEstimator


def trained_part(estimator: Any) -> tuple[str, Any]:
    """Return the prefix and the estimator of what trains: a pipeline's last step, or itself.

    Parameters
    ----------
    estimator : estimator
        An image estimator, a ``Pipeline`` that ends in one, or any other.

    Returns
    -------
    prefix : str
        Such as "unetsegmenter__", or "".
    estimator : estimator
    """
    prefix = ""
    while isinstance(estimator, Pipeline) and estimator.steps:
        name, estimator = estimator.steps[-1]
        prefix += f"{name}__"
    return prefix, estimator


def has_loss(estimator: Any) -> bool:
    """Tell whether an estimator's last part is one of ours, with a ``loss`` to choose."""
    return isinstance(trained_part(estimator)[1], ImageEstimator)


def loss_prefix(estimator: Any) -> str:
    """Return where the ``loss`` of an image estimator is among its parameters.

    Raises
    ------
    TypeError
        If there is none.
    """
    prefix, part = trained_part(estimator)
    if not isinstance(part, ImageEstimator):
        raise TypeError(no_loss(estimator))
    return prefix


def no_loss(estimator: Any) -> str:
    """Return the error message for an estimator without a loss to choose."""
    part = trained_part(estimator)[1]
    if isinstance(part, type):
        return f"{part.__name__} is a class. Pass an object, such as {part.__name__}()."
    name = type(part).__name__
    if part is not estimator:
        name = f"A {type(estimator).__name__} that ends in {name}"
    criterion = (
        f" The loss of {type(part).__name__} is its criterion, which LossSearchCV searches with "
        f"param_distributions={{'criterion': [...]}}."
        if hasattr(part, "criterion") and hasattr(part, "module")
        else ""
    )
    return (
        f"{name} has no loss to choose. Expected a UNetSegmenter, a ResNetClassifier, or a "
        f"Pipeline that ends in one.{criterion}"
    )
