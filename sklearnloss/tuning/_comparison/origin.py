"""Where a comparison comes from: what a report says beyond its scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .advice import Options


@dataclass(frozen=True)
class Origin:
    """The run that a comparison is part of.

    Parameters
    ----------
    options : Options
        How to name settings in advice.
    data, description : str, default=""
        Name of the data, and what they are.
    command : str, default=""
        The command line.
    candidates : sequence of dict of str to str, default=()
        What a search tried, the best first: "loss", "settings", "score", "epochs" and
        "outcome".
    score_curves : dict of str to sequence of (epoch, score)
        By loss.
    not_tried, not_compared : sequence of str
        Losses.
    usage : sequence of str
        Lines that say how to use the model.
    predict : str, default=""
        The command that predicts other images.
    """

    options: Options = field(default_factory=Options)
    data: str = ""
    description: str = ""
    command: str = ""
    candidates: Sequence[Mapping[str, str]] = ()
    score_curves: Mapping[str, Sequence[Sequence[float]]] = field(default_factory=dict)
    not_tried: Sequence[str] = ()
    not_compared: Sequence[str] = ()
    usage: Sequence[str] = ()
    predict: str = ""
