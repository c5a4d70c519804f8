from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from optuna.exceptions import DuplicatedStudyError, StorageInternalError
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState

from sklearnloss.tuning._workers.retries import PATIENCE, RetryingStorage, StorageError
from sklearnloss.tuning._workers.storage import open_storage

from ..processes import X, make_search, outcome, states, y

MAXIMIZE = [StudyDirection.MAXIMIZE]


def _away(message: str = "server closed the connection") -> Exception:
    return sqlalchemy.exc.OperationalError("SELECT secret", {}, Exception(message))


def _internal(cause: Exception) -> StorageInternalError:
    error = StorageInternalError("This typically happens due to invalid data in the commit")
    error.__cause__ = cause
    return error


class Failing(InMemoryStorage):
    """Raises errors in place of the next calls."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self.errors = list(errors)

    def get_all_studies(self) -> Any:
        if self.errors:
            raise self.errors.pop(0)
        return super().get_all_studies()


def _patient(*errors: Exception) -> RetryingStorage:
    return RetryingStorage(Failing(*errors), "'s.db'")


def test_every_method_of_a_storage_is_forwarded(tmp_path: Path) -> None:
    assert not RetryingStorage.__abstractmethods__
    for name in BaseStorage.__abstractmethods__:
        assert name in vars(RetryingStorage.__mro__[1])
    storage = open_storage(tmp_path / "s.journal")
    study = storage.create_new_study(MAXIMIZE, "a")
    trial = storage.create_new_trial(study)
    storage.set_trial_user_attr(trial, "b", 3)
    assert storage.get_trial(trial).user_attrs == {"b": 3}
    with pytest.raises(DuplicatedStudyError):
        storage.create_new_study(MAXIMIZE, "a")
    with pytest.raises(KeyError):
        storage.get_trial(7)


@pytest.mark.parametrize(
    "error",
    [
        _away(),
        _internal(_away()),
        StorageInternalError("the server is away"),
        sqlalchemy.exc.InterfaceError("", {}, Exception("connection already closed")),
        OSError(errno.EIO, "Input/output error"),
        FileNotFoundError(errno.ENOENT, "not mounted"),
        OSError(errno.ENOSPC, "No space left on device"),
    ],
)
def test_calls_of_an_unavailable_storage_are_retried(error: Exception, naps: list[float]) -> None:
    assert _patient(error, error).get_all_studies() == []
    assert naps == [0.05, 0.1]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (_internal(_away("attempt to write a readonly database")), "attempt to write a readonly"),
        (PermissionError(errno.EACCES, "Permission denied"), "Permission denied"),
        (OSError(errno.EROFS, "Read-only file system"), "Read-only file system"),
        (_internal(sqlalchemy.exc.DataError("", {}, Exception("too long"))), "too long"),
    ],
)
def test_permanent_errors_of_a_storage_are_raised_at_once(
    error: Exception, told: str, naps: list[float]
) -> None:
    with pytest.raises(StorageError, match=rf"storage='s\.db' could not be used: .*{told}"):
        _patient(error).get_all_studies()
    assert naps == []


def test_a_storage_that_stays_unavailable_is_named_with_what_to_do(naps: list[float]) -> None:
    storage = _patient(*[_internal(_away())] * 1000)
    with pytest.raises(StorageError) as caught:
        storage.get_all_studies()
    assert str(caught.value) == (
        "storage='s.db' could not be used for 60 s: server closed the connection. "
        "Everything finished before is saved in it: once it is available again, run the same call "
        "to resume."
    )
    assert 0.9 * PATIENCE <= sum(naps) <= PATIENCE


def test_a_lost_storage_is_not_retried_again_until_a_call_succeeds(
    naps: list[float],
) -> None:
    storage = _patient(*[_away()] * 1000)
    inner: Any = storage.storage
    for _ in range(2):
        with pytest.raises(StorageError):
            storage.get_all_studies()
        n = len(naps)
    assert len(naps) == n
    inner.errors.clear()
    storage.get_all_studies()
    inner.errors.append(_away())
    storage.get_all_studies()
    assert len(naps) == n + 1


def test_calls_without_retries_fail_at_once(naps: list[float]) -> None:
    storage = _patient(_away(), _away())
    with pytest.raises(StorageError), storage.without_retries():
        storage.get_all_studies()
    assert naps == []
    storage.get_all_studies()  # is patient
    assert len(naps) == 1


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[int]]]:
    """Yield a function that lets some writes to a journal fail, before or after they are done."""

    def fail(numbers: set[int], after: bool = False) -> list[int]:
        seen = [0]

        def fsync(descriptor: int) -> None:
            seen[0] += 1
            if seen[0] in numbers:
                if not after:
                    os.ftruncate(descriptor, max(0, os.fstat(descriptor).st_size - 9))
                raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(os, "fsync", fsync)
        return seen

    yield fail
    monkeypatch.undo()


@pytest.mark.slow
@pytest.mark.usefixtures("naps")
@pytest.mark.parametrize("after", [False, True])
def test_a_search_survives_an_error_of_the_disk_at_any_write(
    after: bool, disk: Callable[..., list[int]], tmp_path: Path
) -> None:
    # What failed after it was done is done twice.
    options: dict[str, Any] = {"n_trials": 3, "cv": 2, "sound": True}
    whole = outcome(make_search(**options).fit(X, y))
    written = disk(set())
    make_search(storage=tmp_path / "s.journal", **options).fit(X, y)
    for number in range(1, written[0] + 1):
        disk({number, number + 1}, after)
        storage = tmp_path / f"{number}.journal"
        assert outcome(make_search(storage=storage, **options).fit(X, y)) == whole
        assert TrialState.RUNNING not in states(storage)


@pytest.mark.usefixtures("naps")
def test_a_search_resumes_after_its_disk_was_lost(
    disk: Callable[..., list[int]], tmp_path: Path
) -> None:
    whole = make_search(n_trials=4, sound=True).fit(X, y)
    storage = tmp_path / "s.journal"
    disk(set(range(8, 10**4)))
    with pytest.raises(StorageError, match=r"s\.journal' could not be used for 60 s: .*Input/out"):
        make_search(storage=storage, n_trials=4, sound=True).fit(X, y)
    disk(set())
    again = make_search(storage=storage, n_trials=4, sound=True).fit(X, y)
    assert outcome(again) == outcome(whole)


@pytest.mark.usefixtures("naps")
@pytest.mark.parametrize("replaced", [False, True])
def test_a_journal_that_is_deleted_or_replaced_ends_a_search(
    replaced: bool, tmp_path: Path
) -> None:
    storage = tmp_path / "s.journal"

    def delete(study: Any, trial: Any) -> None:
        storage.unlink()
        if replaced:
            make_search(storage=storage, n_trials=1, sound=True).fit(X, y)
            contents.append(storage.read_bytes())

    contents: list[bytes] = []
    search = make_search(storage=storage, sound=True, callbacks=[delete])
    told = "was replaced by another file" if replaced else "No such file"
    with pytest.raises(StorageError, match=rf"s\.journal' could not be used.*{told}"):
        search.fit(X, y)
    if replaced:  # and is not written to
        assert storage.read_bytes() == contents[0]
