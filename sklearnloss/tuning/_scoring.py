"""Our metrics by name, beside scikit-learn's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.metrics import get_scorer_names

from .. import metrics
from ..losses._base import did_you_mean

#: What ``scoring=`` knows beside scikit-learn's names.
SCORERS: dict[str, Any] = {
    "dice": metrics.dice_scorer,
    "iou": metrics.iou_scorer,
    "boundary_iou": metrics.boundary_iou_scorer,
    "surface_dice": metrics.surface_dice_scorer,
    "hausdorff": metrics.hausdorff_scorer,
    "calibration": metrics.calibration_scorer,
}


def named_scorers(scoring: Any) -> Any:
    """Replace the names of our metrics by their scorers.

    Parameters
    ----------
    scoring : object
        As in scikit-learn; strings may be names of ours, too.

    Returns
    -------
    scoring : object
        As in scikit-learn.

    Raises
    ------
    ValueError
        If a name is unknown; says the nearest one.
    """
    if isinstance(scoring, str):
        return _named(scoring)
    if isinstance(scoring, Mapping):
        return {name: named_scorers(each) for name, each in scoring.items()}
    if isinstance(scoring, list | tuple) and any(each in SCORERS for each in _strings(scoring)):
        return {each: named_scorers(each) for each in scoring}
    for each in _strings(scoring):
        _named(each)
    return scoring


def _strings(scoring: Any) -> list[str]:
    several = scoring if isinstance(scoring, list | tuple) else []
    return [each for each in several if isinstance(each, str)]


def _named(name: str) -> Any:
    if name in SCORERS:
        return SCORERS[name]
    known = get_scorer_names()
    if name not in known:
        raise ValueError(
            f"scoring={name!r} is unknown. For masks there are {', '.join(map(repr, SCORERS))}, "
            f"for labels scikit-learn's names, see sklearn.metrics.get_scorer_names()."
            f"{did_you_mean(name, [*SCORERS, *known])}"
        )
    return name
