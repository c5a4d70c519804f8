"""Opening a search's storage."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.storages.journal import JournalStorage

from ._journal import RepairingJournal

Result = TypeVar("Result")

_SQLITE = (".db", ".sqlite", ".sqlite3")

#: Modules of the drivers by which the databases are reached. SQLAlchemy has only one in mind
#: where an address names none, and not the same one in all its versions.
_POSTGRESQL = {"postgresql+psycopg2": "psycopg2", "postgresql+psycopg": "psycopg"}
_DRIVERS = {
    "postgresql": _POSTGRESQL,
    "postgres": _POSTGRESQL,
    "mysql": {"mysql+mysqldb": "MySQLdb", "mysql+pymysql": "pymysql"},
}

#: What databases say when several processes make the same tables at the same time, or
#: when they are busy for a moment.
_PASSING = re.compile(
    r"already exists|unique constraint|duplicate|alembic_version|no such table|"
    r"relation .* does not exist|locked|starting up|too many (clients|connections)|deadlock",
    re.IGNORECASE,
)


def is_url(storage: Any) -> bool:
    """Tell whether a storage is given by the address of a database."""
    return isinstance(storage, str) and "://" in storage


def hide_password(text: str) -> str:
    """Replace the passwords of addresses in a text."""
    if re.match(r"[\w+]+://", text):  # an address and nothing else: whatever is before the last @
        text = re.sub(r"(?s)^([\w+]+://[^:/@]*:).*@", r"\1***@", text)
    text = re.sub(r"(://[^:/@\s'\"]*:)[^\s'\"]+@", r"\1***@", text)
    return re.sub(r"(?i)([?&]\w*pass(?:word|wd)?=)[^&\s'\"]+", r"\1***", text)


def open_storage(storage: Any) -> BaseStorage:
    """Open a storage, or make one in memory.

    Parameters
    ----------
    storage : path, str, optuna.storages.BaseStorage or None
        A path is a journal file, made if it is not there, unless it ends in
        ``.db``, ``.sqlite`` or ``.sqlite3``; an address such as
        "postgresql://user@host/db" is a database. None is memory.

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
    if not path.parent.is_dir():
        raise ValueError(
            f"storage={str(path)!r}: there is no folder {str(path.parent)!r}. Make it first."
        )
    if path.is_dir():
        raise ValueError(f"storage={str(path)!r} is a folder. Pass the path of a file in it.")
    if path.suffix in _SQLITE:
        return _open_database(f"sqlite:///{path}")
    return _open_journal(str(path))


@contextlib.contextmanager
def opened_storage(storage: Any) -> Iterator[BaseStorage]:
    """Open a storage for a while, and close the connections that were made for it."""
    opened = open_storage(storage)
    try:
        yield opened
    finally:
        if opened is not storage and isinstance(opened, optuna.storages.RDBStorage):
            opened.remove_session()
            opened.engine.dispose()


def _open_journal(path: str) -> BaseStorage:
    try:
        return JournalStorage(RepairingJournal(path))
    except (ValueError, KeyError, AssertionError) as error:
        if str(error).startswith("storage="):
            raise
        raise ValueError(
            f"storage={path!r} is damaged, and cannot be read: {type(error).__name__}: {error}"
        ) from error


def _open_database(url: str) -> BaseStorage:
    """Open a database; several processes that do so at once make its tables only once."""
    arguments: dict[str, Any] = {"pool_pre_ping": True}  # it may have been restarted
    if url.startswith("sqlite"):
        arguments["connect_args"] = {"timeout": 60}
    try:
        address = _with_driver(url)
        return retry(lambda: optuna.storages.RDBStorage(address, engine_kwargs=arguments))
    except ImportError as error:
        raise ImportError(
            f"{hide_password(str(error))}\nA database needs its driver, such as psycopg2 for "
            f"PostgreSQL: pip install 'sklearnloss[postgresql]'."
        ) from None
    except Exception as error:
        raise ValueError(
            f"storage={hide_password(url)!r} cannot be opened: {hide_password(str(error))}"
        ) from None


def _with_driver(url: str) -> str:
    """Name the driver that is installed, where an address leaves that open."""
    scheme, rest = url.split("://", 1)
    for driver, module in _DRIVERS.get(scheme, {}).items():
        if importlib.util.find_spec(module):
            return f"{driver}://{rest}"
    return url


def retry(action: Callable[[], Result]) -> Result:
    """Do something with a database, again if another process was in the way."""
    for attempt in range(8):
        try:
            return action()
        except Exception as error:
            if not _PASSING.search(f"{error} {error.__cause__}"):
                raise
            time.sleep(0.05 * 2**attempt)
    return action()


def patiently(action: Callable[[], Result]) -> Result:
    """Do something that may be done twice, again while a database is away: about a minute."""
    for attempt in range(10):
        try:
            return action()
        except StorageInternalError:
            time.sleep(0.05 * 2**attempt)
    return action()


@contextlib.contextmanager
def quiet_optuna() -> Iterator[None]:
    """Keep Optuna's own log to warnings for a while."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(before, optuna.logging.WARNING))
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
