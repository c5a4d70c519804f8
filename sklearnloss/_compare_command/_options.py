"""Options of ``sklearnloss compare``."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..estimators._training.optimizers import resolve_device
from ._losses import find_losses
from ._reading_options import ReadingOptions, read_colors

# These may change when a run is resumed: they affect how much is done when and where, not what.
_WHERE = ("jobs", "device", "budget")
_HOW_MUCH = ("trials", "timeout", "top", "repeats")
# The contents of these are compared instead, since the data may have been moved.
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
class Options(ReadingOptions):
    """The options of ``sklearnloss compare``, besides those for reading files.

    Attributes
    ----------
    data : str
        Folder or file of images.
    task : {"auto", "classification", "segmentation"}
        The task.
    losses : tuple of str or None
        Names, module:attribute, or "all"; None is the default menu.
    folds : int
        Number of folds in every cross-validation; >= 2.
    groups : str or None
        Which images belong together.
    trials : int
        Total number of settings to try.
    timeout : float or None
        Time limit of the search in seconds.
    budget : float or None
        Time limit of the whole call in seconds.
    top : int
        Number of best losses to compare.
    repeats : int
        Number of cross-validations that compare the best settings, each on different folds.
    epochs, width : int
        Epochs per fit, and channels of the network's first stage.
    scoring : str or None
        The name of the score.
    jobs : int
        Number of parallel fits.
    seed : int
        Seed of all random numbers.
    device : str
        Where networks are trained.
    """

    data: str
    task: str = "auto"
    losses: tuple[str, ...] | None = None
    folds: int = 5
    groups: str | None = None
    trials: int = 45
    timeout: float | None = None
    budget: float | None = None
    top: int = 5
    repeats: int = 2
    epochs: int = 20
    width: int = 16
    scoring: str | None = None
    jobs: int = 1
    seed: int = 0
    device: str = "auto"

    def check(self) -> None:
        """Raise ``ValueError`` for an invalid option, before any work."""
        for name, least in _LOWEST.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"--{name} {value}: expected at least {least}.")
        if self.timeout is not None and not 0 < self.timeout < math.inf:
            raise ValueError(f"--timeout {self.timeout:g}: expected a number of seconds above 0.")
        if not 0 <= self.seed <= _MAX_SEED:
            raise ValueError(f"--seed {self.seed}: expected 0 to {_MAX_SEED}.")
        self.check_reading()
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
        """The options that say how much to do."""
        return {key: self._as_json()[key] for key in _HOW_MUCH}

    def _as_json(self) -> dict[str, Any]:
        losses = None if self.losses is None else list(self.losses)
        colors = None
        if self.colors is not None:  # its contents, not where they are
            table, _ = read_colors(Path(self.colors))
            colors = [[*color, label] for color, label in sorted(table.items())]
        return asdict(self) | {"losses": losses, "colors": colors}
