"""The models of all folds of a search, in files, without pickle."""

from __future__ import annotations

import contextlib
import re
import tempfile
import warnings
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.storages import BaseStorage, InMemoryStorage

from ...estimators._persistence.half_precision import round_weights
from ...estimators._persistence.restore import load_models
from ...estimators._persistence.several_models import own_objects, save_models
from .._evaluation.fingerprint import digest
from .._workers.address import as_address

#: Bytes of all models above which there is a warning.
_MANY = 5e9


@dataclass(frozen=True)
class FoldModels:
    """A folder with the model of each finished fold of each candidate.

    Parameters
    ----------
    folder : str
        Only this user can read it. The files in it are called ``<candidate>-<fold>``.
    n_expected : int
        How many models the search will keep, at most.
    """

    folder: str
    n_expected: int

    def path(self, candidate: int, fold: int) -> Path:
        """Return the file of a model."""
        return Path(self.folder, f"{candidate}-{fold}.safetensors")

    def save(
        self, candidate: int, values: Mapping[str, Any], fold: int, model: Any, score: Any
    ) -> None:
        """Write the model of a finished fold, before its score is saved.

        If the file cannot be written, the search warns and continues.

        Parameters
        ----------
        candidate, fold : int
            Their numbers.
        values : dict
            The candidate's values.
        model : estimator
            Fitted. Its weights are rounded to half precision.
        score : float
            The fold's score.
        """
        path = self.path(candidate, fold)
        try:
            round_weights(model.net_.module_)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # of what only training needs
                save_models(path, [model], {"origin": _origin(values, fold, score)})
        except (OSError, ValueError) as error:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            warnings.warn(
                f"The model of fold {fold + 1} of candidate {candidate} could not be kept, so this "
                f"candidate will not be in the ensemble: {error}",
                UserWarning,
                stacklevel=2,
            )
            return
        size = path.stat().st_size * self.n_expected
        if candidate == fold == 0 and size > _MANY:
            warnings.warn(
                f"The models of this search will take up to {size / 1e9:.0f} GB in "
                f"{self.folder!r}. Use refit=True, fewer n_trials, or a storage on another disk.",
                UserWarning,
                stacklevel=2,
            )

    def load(
        self, candidate: int, values: Mapping[str, Any], fold: int, model: Any, score: Any
    ) -> Any:
        """Return the model of a finished fold.

        Parameters
        ----------
        candidate, values, fold, score : object
            As for :meth:`save`.
        model : estimator
            With the parameters of the candidate, not fitted.

        Raises
        ------
        ValueError, OSError
            If the file is missing or damaged, or belongs to another result.
        """
        path = self.path(candidate, fold)
        if not path.exists():
            raise ValueError(f"the file {str(path)!r} is missing")
        (fitted,), about = load_models(
            path, {type(model).__name__: type(model)}, own_objects(model)
        )
        if about.get("origin") != _origin(values, fold, score):
            raise ValueError(f"{str(path)!r} is of another search")
        return fitted


def _origin(values: Mapping[str, Any], fold: int, score: Any) -> str:
    """Return a digest of what a model is of, to notice files of other searches."""
    return digest([sorted(values.items()), fold, float(score)])


@contextlib.contextmanager
def fold_models(storage: Any, study_name: str, n_expected: int) -> Iterator[FoldModels]:
    """Yield the folder for the models of a search: next to its storage, or a temporary one.

    Parameters
    ----------
    storage : object
        That of the search, see :func:`check_models_storage`.
    study_name : str
        The name of the study.
    n_expected : int
        How many models the search will keep, at most.
    """
    parent = _parent(storage)
    if parent is None:
        with tempfile.TemporaryDirectory(prefix="sklearnloss-models-") as folder:
            yield FoldModels(folder, n_expected)
        return
    name = re.sub(r"[^\w.-]", "_", study_name)
    if name != study_name or name.startswith("."):
        name = f"{name}-{zlib.crc32(study_name.encode()):08x}".lstrip(".")
    folder_path = parent / name
    for each in (parent, folder_path):
        each.mkdir(mode=0o700, exist_ok=True)
    yield FoldModels(str(folder_path.absolute()), n_expected)


def check_models_storage(storage: Any) -> None:
    """Refuse a storage beside which no folder can be made.

    Parameters
    ----------
    storage : path, str, Address, optuna.storages.BaseStorage or None
        That of a search.
    """
    address = as_address(storage)
    if address is not None and address.file() is None:
        shown = repr(address)
    elif isinstance(storage, BaseStorage) and not isinstance(storage, InMemoryStorage):
        shown = f"{type(storage).__name__}(...)"
    else:
        return
    raise ValueError(
        f"refit='ensemble' keeps the models of all folds in a folder next to the storage, but "
        f"storage={shown} is not a file. Pass the path of a file, or None, or use refit=True."
    )


def _parent(storage: Any) -> Path | None:
    """Return the folder next to a storage for the models of all its searches."""
    if storage is None or isinstance(storage, BaseStorage):
        return None
    address = as_address(storage)
    file = address.file() if address is not None else storage
    if not file:
        return None  # SQLite in memory
    path = Path(file)
    return path.with_name(f"{path.name}.models")
