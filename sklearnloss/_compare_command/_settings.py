"""The settings of a run, saved with its results so that different ones are refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._utils.printable import printable
from ._options import Options
from ._walk import SETTINGS

JOURNAL, FITS = "search.journal", "comparison.jsonl"

# How messages name these keys; all other keys are options.
_SUBJECTS = {
    "data": "data",
    "groups": "groups of images",
    "own_losses": "code of your own losses",
}


class Settings:
    """The file with the settings of a run; not written before the run begins.

    Parameters
    ----------
    folder : Path
        Folder of the results.
    options : Options
        Options of this call.

    Attributes
    ----------
    is_replaced : bool
        Whether the folder holds a run with different settings that finished nothing; it
        is then replaced.

    Raises
    ------
    ValueError
        If the folder holds a run with different options; the message lists them.
    """

    def __init__(self, folder: Path, options: Options) -> None:
        self.folder = folder
        self.path = folder / SETTINGS
        self.options = options
        self.is_replaced = False
        self._written: dict[str, Any] = {}
        if self.path.exists():
            self._written = _read(self.path)
        self._now: dict[str, Any] = {"question": {}, "data": {}}
        self._ask(options.question)

    def check_data(self, digests: Mapping[str, Any], about: Mapping[str, Any]) -> None:
        """Raise ``ValueError`` if the folder holds a run on other data.

        Parameters
        ----------
        digests : dict of str to object
            Digests of the data, of the groups and of the user's own losses.
        about : dict of str to object
            Description of the data: their "path", and the number of "images".
        """
        self._now["data"] = dict(about)
        self._ask(digests)

    @property
    def is_finished(self) -> bool:
        """Whether an earlier call did everything that this one requests."""
        done = self._written.get("finished") == self.options.amount
        return bool(self._written) and not self.is_replaced and done

    def begin(self) -> None:
        """Save the settings."""
        if self.is_replaced:
            for name in (JOURNAL, FITS):
                (self.folder / name).unlink(missing_ok=True)
        self._written = dict(self._now)
        self._write()

    def finish(self) -> None:
        """Save that the run is finished."""
        self._written["finished"] = self.options.amount
        self._write()

    def _ask(self, question: Mapping[str, Any]) -> None:
        self._now["question"] |= question
        if not self._written or self.is_replaced:
            return
        old = self._written["question"]
        changed = [key for key in question if old.get(key) != question[key]]
        if changed and has_results(self.folder):
            raise ValueError(self._explain(changed, old, question))
        self.is_replaced = bool(changed)

    def _explain(self, changed: list[str], old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
        where = f"{str(self.folder)!r} holds a run"
        options = [key for key in changed if key not in _SUBJECTS]
        if options:
            was = ", ".join(_spoken(key, old.get(key)) for key in options)
            now = ", ".join(_spoken(key, new[key]) for key in options)
            return (
                f"{where} with {was}, but now it is {now}. Use the same options to resume it, or "
                f"another --output."
            )
        others = " and other ".join(_SUBJECTS[key] for key in changed)
        then, now = _counted(self._written.get("data", {})), _counted(self._now["data"])
        counted = f": then {then}, now {now}" if "data" in changed else ""
        return (
            f"{where} on other {others}{counted}. Pass another --output for a new run, or undo "
            f"the changes to resume the old one."
        )

    def _write(self) -> None:
        draft = self.path.with_suffix(".tmp")
        draft.write_text(json.dumps(self._written, indent=2) + "\n", encoding="utf-8")
        draft.replace(self.path)  # never half a file


def has_results(folder: Path) -> bool:
    """Return whether a run has finished any folds."""
    from optuna import get_all_study_summaries, load_study

    from ..tuning._workers.storage import open_storage, quiet_optuna

    if not (folder / JOURNAL).exists():
        return False
    with quiet_optuna():
        storage = open_storage(folder / JOURNAL)
        studies = [
            load_study(study_name=each.study_name, storage=storage)
            for each in get_all_study_summaries(storage)
        ]
    trials = [trial for study in studies for trial in study.get_trials(deepcopy=False)]
    return any(trial.user_attrs.get("results", {}).get("folds") for trial in trials)


def _read(path: Path) -> dict[str, Any]:
    try:
        written: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(written["question"], dict):
            raise TypeError("no options in it")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{str(path)!r} cannot be read ({error!r}). Pass another --output, or delete it."
        ) from error
    return written


def _counted(data: Mapping[str, Any]) -> str:
    if "images" not in data:
        return "others"
    return f"{data['images']} images in {printable(str(data.get('path')))!r}"


def _spoken(key: str, value: Any) -> str:
    name = f"--{key.replace('_', '-')}"
    if value is None:
        return f"no {name}"
    return f"{name} {','.join(value) if isinstance(value, list) else value}"
