"""Our metrics by name, in addition to scikit-learn's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.metrics import get_scorer_names

from .._utils.pipeline import reach_final
from .._utils.text import did_you_mean
from ._mask_scorer import as_mask_scorer
from ._scorers import NAMED


def named_scorers(scoring: Any, estimator: Any = None) -> Any:
    """Replace names of our metrics by their scorers, which let a segmenter read masks.

    Scorers made from our metrics by scikit-learn's ``make_scorer`` are replaced, too.

    Parameters
    ----------
    scoring : object
        As in scikit-learn; strings may also be names of our metrics.
    estimator : object, default=None
        The estimator to score.

    Returns
    -------
    scoring : object
        As in scikit-learn.

    Raises
    ------
    ValueError
        If a name is unknown, or if it is one of scikit-learn's and the estimator predicts
        masks.
    """
    if isinstance(scoring, str):
        return _named(scoring, estimator)
    if isinstance(scoring, Mapping):
        return {name: named_scorers(each, estimator) for name, each in scoring.items()}
    if isinstance(scoring, list | tuple) and any(each in NAMED for each in _strings(scoring)):
        return {each: named_scorers(each, estimator) for each in scoring}
    for each in _strings(scoring):
        _named(each, estimator)
    return as_mask_scorer(scoring)


def _strings(scoring: Any) -> list[str]:
    several = scoring if isinstance(scoring, list | tuple) else []
    return [each for each in several if isinstance(each, str)]


def _named(name: str, estimator: Any) -> Any:
    if name in NAMED:
        return NAMED[name]
    known = get_scorer_names()
    if name not in known:
        raise ValueError(
            f"scoring={name!r} is unknown. For masks, use {', '.join(map(repr, NAMED))}; "
            f"for labels, use a name from sklearn.metrics.get_scorer_names()."
            f"{did_you_mean(name, [*NAMED, *known])}"
        )
    final, _ = reach_final(estimator, None)
    if hasattr(final, "_pair_masks"):
        raise ValueError(
            f"scoring={name!r} scores one label per image, but {type(final).__name__} predicts "
            f"masks. Expected one of {', '.join(map(repr, NAMED))}, or make_mask_scorer(...)."
        )
    return name
