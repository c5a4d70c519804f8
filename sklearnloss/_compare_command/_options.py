"""What was asked for, kept beside the results so that another question is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from ..estimators._training import resolve_device
from ..losses import get_search_space

# These may change when a run goes on: they say how much is done and where, not what.
_WHERE = ("jobs", "device")
_HOW_MUCH = ("trials", "timeout", "top", "repeats", *_WHERE)


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of ``sklearnloss compare``.

    Attributes
    ----------
    data : str
        Folder or file of images.
    task : {"auto", "classification", "segmentation"}
        What is learnt.
    losses : tuple of str or None
        Names; None is all that suit.
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
        lowest = {
            "folds": 2,
            "trials": 1,
            "top": 1,
            "repeats": 1,
            "epochs": 1,
            "width": 1,
            "resize": 1,
        }
        for name, least in lowest.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"--{name} {value}: expected at least {least}.")
        if self.timeout is not None and self.timeout <= 0:
            raise ValueError(f"--timeout {self.timeout:g}: expected seconds above 0.")
        resolve_device(self.device)
        if self.jobs == 0:
            raise ValueError("--jobs 0: expected a number of processes, or -1 for all cores.")
        if self.losses is not None and len(self.losses) > self.trials:
            raise ValueError(
                f"--trials {self.trials}: expected at least one for each of the "
                f"{len(self.losses)} losses."
            )
        for name in self.losses or ():
            get_search_space(name)  # raises for an unknown name, with the nearest one

    @property
    def question(self) -> dict[str, Any]:
        """What has to be the same for a run to go on."""
        return {key: value for key, value in self._as_json().items() if key not in _HOW_MUCH}

    @property
    def amount(self) -> dict[str, Any]:
        """How much of it is asked for."""
        return {key: self._as_json()[key] for key in _HOW_MUCH if key not in _WHERE}

    def _as_json(self) -> dict[str, Any]:
        losses = None if self.losses is None else list(self.losses)
        return asdict(self) | {"data": str(Path(self.data).resolve()), "losses": losses}


class Settings:
    """The file with the options of a run; not written before the run begins.

    Parameters
    ----------
    path : Path
        Where it is, or will be.
    options : Options
        Of this call.

    Raises
    ------
    ValueError
        If the file holds other options than these; says which.
    """

    def __init__(self, path: Path, options: Options) -> None:
        self.path = path
        self.options = options
        self._written: dict[str, Any] = {"question": options.question}
        if path.exists():
            self._written = _read(path)
            _refuse_others(path.parent, self._written["question"], options.question)

    @property
    def is_finished(self) -> bool:
        """Whether an earlier call did all that is asked for."""
        return bool(self._written.get("finished") == self.options.amount)

    def begin(self) -> None:
        """Write down what is asked."""
        self._write()

    def finish(self) -> None:
        """Write down that all was done."""
        self._written["finished"] = self.options.amount
        self._write()

    def _write(self) -> None:
        draft = self.path.with_suffix(".tmp")
        draft.write_text(json.dumps(self._written, indent=2) + "\n", encoding="utf-8")
        draft.replace(self.path)  # never half a file


def _read(path: Path) -> dict[str, Any]:
    try:
        written: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(written["question"], dict):
            raise TypeError("no options in it")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{str(path)!r} cannot be read ({error!r}). Say another --output, or delete it."
        ) from error
    return written


def _refuse_others(folder: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    changed = [key for key in new if old.get(key) != new[key]]
    if changed:
        was = ", ".join(_spoken(key, old.get(key)) for key in changed)
        now = ", ".join(_spoken(key, new[key]) for key in changed)
        raise ValueError(
            f"{str(folder)!r} holds a run with {was}, but now it is {now}. Use the same options to "
            f"go on, or another --output."
        )


def _spoken(key: str, value: Any) -> str:
    name = "DATA" if key == "data" else f"--{key.replace('_', '-')}"
    if value is None:
        return f"no {name}"
    return f"{name} {','.join(value) if isinstance(value, list) else value}"
