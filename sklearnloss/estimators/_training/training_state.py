"""The state of a net that exists during training only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from .._data.dataset import TrainingData
from .interrupts import Interrupts
from .schedule import LearningRatePlan
from .sklearn_callbacks import FitTasks


class StopTraining(Exception):
    """Training ends before its last epoch; the cause, if any, is raised afterwards."""


@dataclass
class Training:
    """What a net needs during training only.

    Attributes
    ----------
    data : TrainingData
        What it is trained on.
    forward : callable
        From images, codes and weights to logits and the loss.
    interrupts : Interrupts
        Whether Ctrl-C was pressed.
    n_before : int
        Epochs of earlier fits.
    tasks : FitTasks or None
        Is told of each epoch.
    estimator : ImageEstimator or None
        Whose net it is.
    plan : LearningRatePlan or None
        Sets the learning rate.
    inputs : object
        The images of the present batch.
    fetches : bool
        Whether a callback looks at the loss of each batch.
    may_draw : bool
        Whether the loss may draw random numbers.
    n_calls : int
        How often the loss was called in this epoch.
    """

    data: TrainingData
    forward: Callable[..., tuple[Tensor, Tensor]]
    interrupts: Interrupts
    n_before: int
    tasks: FitTasks | None = None
    estimator: Any = None
    plan: LearningRatePlan | None = None
    inputs: Any = None
    fetches: bool = False
    may_draw: bool = False
    n_calls: int = 0
