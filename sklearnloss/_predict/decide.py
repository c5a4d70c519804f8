"""From probabilities to labels: which class, or which labels, a pixel or image belongs to."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Threshold = float | list[float] | None


def decide(
    proba: Array, threshold: Threshold = None, *, multilabel: bool = False, axis: int = 0
) -> Array:
    """Return the positions of the labels that probabilities stand for.

    Parameters
    ----------
    proba : ndarray
        Probabilities, with an axis for the classes.
    threshold : float, list of float of shape (n_classes,), or None, default=None
        Probability above which a pixel or image belongs to the second of two classes or,
        multilabel, to each label. It is rounded to the dtype of the probabilities. None is
        .5, or the most probable of several classes.
    multilabel : bool, default=False
        Whether labels may overlap.
    axis : int, default=0
        The axis of the classes.

    Returns
    -------
    codes : ndarray
        Positions in the list of classes, without the axis of the classes; or multilabel, 1
        where a label is and 0 where it is not, in the shape of ``proba``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnloss._predict.decide import decide
    >>> proba = np.array([[0.9, 0.6, 0.2], [0.1, 0.4, 0.8]])
    >>> decide(proba), decide(proba, 0.3)
    (array([0, 0, 1]), array([0, 1, 1], dtype=uint8))
    >>> decide(proba, [0.5, 0.3], multilabel=True)
    array([[1, 1, 0], [0, 1, 1]], dtype=uint8)
    """
    if multilabel:
        limits = np.asarray(0.5 if threshold is None else threshold, proba.dtype)
        shape = [1] * proba.ndim
        shape[axis] = limits.size
        return (proba > limits.reshape(shape)).astype(np.uint8)
    if threshold is None:
        return np.asarray(proba.argmax(axis))
    above = np.take(proba, 1, axis) > np.asarray(threshold, proba.dtype)
    return np.asarray(above, np.uint8)


def check_threshold(threshold: Any, classes: Sequence[Any], *, multilabel: bool) -> Threshold:
    """Return a threshold as floats.

    Parameters
    ----------
    threshold : float, sequence, dict or None
        One for all labels; multilabel also one for each, in order or by label.
    classes : sequence
        The labels.
    multilabel : bool
        Whether labels may overlap.

    Returns
    -------
    threshold : float, list of float, or None
        Multilabel a list, one for each label.

    Raises
    ------
    TypeError, ValueError
        If it is not a probability, or there are several classes that exclude each other.
    """
    if threshold is None:
        return None
    labels = list(classes)
    if not multilabel and len(labels) != 2:
        raise ValueError(
            f"threshold={threshold!r}: a threshold decides between two classes, or about each "
            f"label of multilabel masks, but there are {len(labels)} classes that exclude each "
            f"other. The most probable one is predicted: leave threshold out, or compare what "
            f"predict_proba returns."
        )
    if isinstance(threshold, Mapping):
        threshold = _by_label(threshold, labels, multilabel=multilabel)
    if np.ndim(threshold) == 0:
        limit = _probability(threshold)
        return [limit] * len(labels) if multilabel else limit
    limits = [_probability(each) for each in np.asarray(threshold, dtype=object).ravel()]
    if not multilabel or len(limits) != len(labels):
        expected = f"one number, or one for each of {labels}" if multilabel else "one number"
        raise ValueError(
            f"threshold={threshold!r} holds {len(limits)} numbers. Expected {expected}."
        )
    return limits


def check_temperature(temperature: Any) -> float | None:
    """Return a temperature as a float, None if there is none.

    Raises
    ------
    ValueError
        If it is not a positive number.
    """
    if temperature is None:
        return None
    number = isinstance(temperature, numbers.Real) and not isinstance(temperature, bool)
    if not number or not 0 < float(temperature) < math.inf:
        raise ValueError(f"temperature_={temperature!r}: expected a positive number, or None.")
    return float(temperature)


def _by_label(threshold: Mapping[Any, Any], labels: list[Any], *, multilabel: bool) -> list[Any]:
    """Return the thresholds of a dict in the order of the labels."""
    if not multilabel:
        raise ValueError(
            f"threshold={threshold!r}: thresholds by label are for multilabel masks. Expected one "
            f"number, the probability above which the label is {labels[1]!r}."
        )
    if set(threshold) != set(labels):
        raise ValueError(
            f"threshold has the labels {list(threshold)}. Expected one number for each of {labels}."
        )
    return [threshold[label] for label in labels]


def _probability(value: Any) -> float:
    if not isinstance(value, numbers.Real) or isinstance(value, bool | np.bool_):
        raise TypeError(f"threshold={value!r}: expected a number from 0 to 1.")
    if not 0 <= float(value) <= 1:
        raise ValueError(f"threshold={value!r}: expected a probability, from 0 to 1.")
    return float(value)
