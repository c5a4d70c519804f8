"""The learning rate over the steps of a fit."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch


class LearningRatePlan:
    """Sets the learning rate before each step, from a schedule over a whole fit.

    Parameters
    ----------
    schedule : callable
        Maps progress in [0, 1) to the factor of the learning rate.
    peaks : list of float
        The learning rates that it multiplies, one per group of parameters.
    n_steps : int
        Number of steps of the whole fit.
    step : int, default=0
        Number of steps done before.
    """

    def __init__(
        self, schedule: Callable[[float], float], peaks: list[float], n_steps: int, step: int = 0
    ) -> None:
        self.schedule = schedule
        self.peaks = peaks
        self.n_steps = n_steps
        self.step = step
        self.current: list[float] | None = None

    def advance(self, optimizer: torch.optim.Optimizer) -> None:
        """Set the learning rate of the next step."""
        groups = optimizer.param_groups
        if self.current is not None and [group["lr"] for group in groups] != self.current:
            warnings.warn(
                "A callback changed the learning rate, which has no effect: the estimator's "
                "scheduler sets it before each step. Set scheduler=None.",
                UserWarning,
                stacklevel=2,
            )
        factor = self.schedule(self.step / self.n_steps)
        self.current = [peak * factor for peak in self.peaks]
        for group, lr in zip(groups, self.current, strict=True):
            group["lr"] = lr
        self.step += 1
