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
    """Ends training before its last epoch; the cause, if any, is raised afterwards."""


@dataclass
class Training:
    """The state that a net needs during training only.

    Attributes
    ----------
    data : TrainingData
        The training data.
    forward : callable
        Maps images, codes and weights to logits and the loss.
    interrupts : Interrupts
        Whether Ctrl-C was pressed.
    n_before : int
        Number of epochs in earlier fits.
    tasks : FitTasks or None
        Notified of each epoch.
    estimator : ImageEstimator or None
        The estimator of the net.
    plan : LearningRatePlan or None
        Sets the learning rate.
    inputs : object
        The images of the current batch.
    fetches : bool
        Whether a callback uses the loss of each batch.
    may_draw : bool
        Whether the loss may draw random numbers.
    n_calls : int
        Number of calls of the loss in this epoch.
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
