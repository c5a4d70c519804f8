"""Options of ``sklearnloss compare``."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..estimators._training.optimizers import resolve_device
from ._losses import find_losses

# These may change when a run is resumed: they say how much is done and where, not what.
_WHERE = ("jobs", "device")
_HOW_MUCH = ("trials", "timeout", "top", "repeats")
# What these lead to is compared instead: the data may lie elsewhere by now.
_LEAD_TO_DATA = ("data", "groups")

_LOWEST = {
    "folds": 2,
    "trials": 1,
    "top": 1,
    "repeats": 1,
    "epochs": 1,
    "width": 1,
    "resize": 1,
}
_MAX_SEED = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of ``sklearnloss compare``.

    Attributes
    ----------
    data : str
        Folder or file of images.
    task : {"auto", "classification", "segmentation"}
        What is learned.
    losses : tuple of str or None
        Names, or module:attribute; None is all that suit.
    folds : int
        Folds of every cross-validation; >= 2.
    groups : str or None
        Which images belong together.
    trials : int
        Settings of losses that are tried in all.
    timeout : float or None
        Seconds for trying.
    top : int
        Losses that are compared, the best of those tried.
    repeats : int
        Cross-validations that compare the best settings, each on other folds.
    epochs, width : int
        Of the networks.
    scoring : str or None
        The score, by name.
    ignore_index : int or None
        Label of pixels that do not count.
    resize : int or None
        Side of images in pixels.
    channels : {"first", "last"} or None
        Where images have their channels, if it is not clear.
    jobs : int
        Fits side by side.
    seed : int
        Of everything.
    device : str
        Where networks are trained.
    """

    data: str
    task: str = "auto"
    losses: tuple[str, ...] | None = None
    folds: int = 5
    groups: str | None = None
    trials: int = 60
    timeout: float | None = None
    top: int = 5
    repeats: int = 2
    epochs: int = 20
    width: int = 16
    scoring: str | None = None
    ignore_index: int | None = None
    resize: int | None = None
    channels: Literal["first", "last"] | None = None
    jobs: int = 1
    seed: int = 0
    device: str = "auto"

    def check(self) -> None:
        """Raise ``ValueError`` for an option that cannot be, before any work."""
        for name, least in _LOWEST.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"--{name} {value}: expected at least {least}.")
        if self.timeout is not None and not 0 < self.timeout < math.inf:
            raise ValueError(f"--timeout {self.timeout:g}: expected seconds above 0.")
        if not 0 <= self.seed <= _MAX_SEED:
            raise ValueError(f"--seed {self.seed}: expected 0 to {_MAX_SEED}.")
        resolve_device(self.device)
        if self.jobs == 0:
            raise ValueError("--jobs 0: expected a number of processes, or -1 for all cores.")
        if self.groups == "":
            raise ValueError("--groups is empty. Leave it out if all images are independent.")
        losses = find_losses(self.losses)
        if losses is not None and len(losses) > self.trials:
            raise ValueError(
                f"--trials {self.trials}: expected at least one for each of the "
                f"{len(losses)} losses."
            )

    @property
    def question(self) -> dict[str, Any]:
        """The options that a resumed run must share, besides the data."""
        left_out = (*_HOW_MUCH, *_WHERE, *_LEAD_TO_DATA)
        return {key: value for key, value in self._as_json().items() if key not in left_out}

    @property
    def amount(self) -> dict[str, Any]:
        """How much of it is asked for."""
        return {key: self._as_json()[key] for key in _HOW_MUCH}

    def _as_json(self) -> dict[str, Any]:
        losses = None if self.losses is None else list(self.losses)
        return asdict(self) | {"losses": losses}
