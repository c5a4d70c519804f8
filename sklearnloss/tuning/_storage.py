"""Opening a search's storage, and repairing what a killed process left of it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock, JournalStorage
from optuna.storages.journal._file import get_lock_file

#: Seconds after which a lock's holder, who needs it for milliseconds, must be dead.
_LOCK_GRACE = 10


class RepairingJournal(JournalFileBackend):
    """A journal file that survives being killed or losing power at any moment.

    A line whose end is missing never came to count; it is cut off before the next
    one is written, and a lock that nobody holds any more is taken away.
    """

    def __init__(self, path: str) -> None:
        _drop_stale_lock(path)
        super().__init__(path, JournalFileSymlinkLock(path, grace_period=_LOCK_GRACE))
        with get_lock_file(self._lock):
            _cut_torn_tail(path)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with get_lock_file(self._lock):
            _cut_torn_tail(self._file_path)
            with open(self._file_path, "ab") as file:
                file.write(lines.encode())
                file.flush()
                os.fsync(file.fileno())


def _drop_stale_lock(path: str) -> None:
    lock = f"{path}.lock"
    with contextlib.suppress(FileNotFoundError):
        if time.time() - os.lstat(lock).st_mtime > _LOCK_GRACE:
            os.unlink(lock)


def _cut_torn_tail(path: str) -> None:
    with open(path, "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        if size == 0:
            return
        file.seek(size - 1)
        if file.read(1) == b"\n":
            return
        file.seek(max(0, size - (1 << 24)))
        tail = file.read()
        file.truncate(size - len(tail) + tail.rfind(b"\n") + 1)


def is_url(storage: Any) -> bool:
    """Tell whether a storage is given by the address of a database."""
    return isinstance(storage, str) and "://" in storage


def hide_password(text: str) -> str:
    """Replace the passwords of addresses in a text."""
    return re.sub(r"(://[^:/@\s'\"]*:)[^@\s'\"]+@", r"\1***@", text)


def open_storage(storage: Any) -> BaseStorage:
    """Open a storage, or make one in memory.

    Parameters
    ----------
    storage : path, str, optuna.storages.BaseStorage or None
        A path is a journal file, made if it is not there, unless it ends in
        ``.db`` or ``.sqlite``; an address such as "postgresql://user@host/db" is
        a database. None is memory.

    Returns
    -------
    storage : optuna.storages.BaseStorage

    Raises
    ------
    TypeError, ValueError
        If it is none of these, or cannot be opened.
    """
    if storage is None:
        return InMemoryStorage()
    if isinstance(storage, BaseStorage):
        return storage
    if is_url(storage):
        return _open_database(storage)
    if not isinstance(storage, str | os.PathLike):
        raise TypeError(
            f"storage={storage!r}. Expected a path, the address of a database, one of Optuna's "
            f"storages, or None."
        )
    path = Path(storage)
    if path.suffix in (".db", ".sqlite", ".sqlite3"):
        return _open_database(f"sqlite:///{path}")
    if not path.parent.is_dir():
        raise ValueError(f"storage={str(path)!r}: there is no folder {str(path.parent)!r}.")
    return JournalStorage(RepairingJournal(str(path)))


def _open_database(url: str) -> BaseStorage:
    """Open a database; several processes that do so at once make its tables only once."""
    arguments: dict[str, Any] = {}
    if url.startswith("sqlite"):
        arguments["connect_args"] = {"timeout": 60}
    for attempt in range(8):
        try:
            return optuna.storages.RDBStorage(url, engine_kwargs=arguments)
        except ImportError as error:
            raise ImportError(
                f"{hide_password(str(error))}\nA database needs its driver, such as psycopg2 for "
                f"PostgreSQL: pip install 'sklearnloss[postgresql]'."
            ) from None
        except Exception as error:
            if attempt == 7:
                raise ValueError(
                    f"storage={hide_password(url)!r} cannot be opened: {hide_password(str(error))}"
                ) from None
            time.sleep(0.1 * 2**attempt)
    raise AssertionError


@contextlib.contextmanager
def quiet_optuna() -> Iterator[None]:
    """Keep Optuna's own log to warnings for a while."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(before, optuna.logging.WARNING))
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
