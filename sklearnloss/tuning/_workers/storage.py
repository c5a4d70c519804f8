"""Opening a search's storage."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.storages.journal import JournalStorage

from .address import Address, as_address, hide_password
from .journal import RepairingJournal
from .retries import RetryingStorage, StorageError, is_transient, reason, retry

_SQLITE = (".db", ".sqlite", ".sqlite3")

#: An arbitrary file: the real path is passed separately.
_SQLITE_ADDRESS = Address("sqlite:///storage.db")

#: Seconds to wait while another process writes to an SQLite file.
_BUSY = 60

#: Messages of databases if several processes create the same tables at the same time, or
#: if they are temporarily busy.
_PASSING = re.compile(
    r"already exists|unique constraint|duplicate|alembic_version|no such table|"
    r"relation .* does not exist|locked|starting up|shutting down|closed the connection|"
    r"terminating connection|too many (clients|connections)|deadlock",
    re.IGNORECASE,
)

_ADVICE = {
    "postgresql": "pip install 'sklearnloss[postgresql]'",
    "mysql": "pip install pymysql",
    "mariadb": "pip install pymysql",
}


def open_storage(storage: Any, *, patient: bool = False) -> BaseStorage:
    """Open a storage, or create one in memory.

    Parameters
    ----------
    storage : path, str, Address, optuna.storages.BaseStorage or None
        A path is a journal file, or an SQLite file if it ends in ``.db``, ``.sqlite`` or
        ``.sqlite3``; it is created if it does not exist. An address such as
        "postgresql://user@host/db" is a database. None is memory.
    patient : bool, default=False
        Whether to retry while a server is unavailable. By default, it is not, so that
        a mistyped address is refused immediately.

    Returns
    -------
    storage : optuna.storages.BaseStorage

    Raises
    ------
    TypeError, ValueError
        If it is none of these, or cannot be opened.
    StorageError
        If a file cannot be created, read or written.
    """
    if storage is None:
        return InMemoryStorage()
    if isinstance(storage, InMemoryStorage | RetryingStorage):
        return storage
    if isinstance(storage, BaseStorage):
        name = f"{type(storage).__name__}(...)"
        return RetryingStorage(optuna.storages.get_storage(storage), name)
    address = as_address(storage)
    if address is not None:
        return _open_database(address, repr(address), patient, _arguments_for(address))
    path = _read_path(storage)
    if not path.parent.is_dir():
        raise ValueError(
            f"storage={str(path)!r}: there is no folder {str(path.parent)!r}. Create it first."
        )
    if path.suffix in _SQLITE:
        return _open_database(_SQLITE_ADDRESS, repr(str(path)), patient, _sqlite_arguments(path))
    return _open_journal(str(path))


def check_file_storage(storage: Any) -> None:
    """Raise an error unless a storage is the path of a file, or None.

    Raises
    ------
    TypeError, ValueError
        If it is the address of a database, an Optuna storage, or a folder; no error
        shows a password.
    """
    if storage is None:
        return
    if as_address(storage) is not None:
        raise ValueError(
            f"storage={as_address(storage)!r} is the address of a database, which only "
            f"LossSearchCV accepts. Pass the path of a file, such as 'comparison.jsonl'."
        )
    if isinstance(storage, BaseStorage):
        raise TypeError(
            f"storage={type(storage).__name__}(...) is an Optuna storage, which only "
            f"LossSearchCV accepts. Pass the path of a file, such as 'comparison.jsonl'."
        )
    _read_path(storage)


def _read_path(storage: Any) -> Path:
    if not isinstance(storage, str | os.PathLike):
        raise TypeError(
            f"storage={hide_password(repr(storage))}. Expected a path, the address of a database "
            f"as a str, an Optuna storage, or None."
        )
    text = os.fsdecode(storage)
    if not text.strip() or "\0" in text:
        raise ValueError(f"storage={text!r} is not a path. Pass the path of a file, or None.")
    if os.path.isdir(text):
        raise ValueError(f"storage={text!r} is a folder. Pass the path of a file in it.")
    if os.path.exists(text) and not os.path.isfile(text):
        raise ValueError(f"storage={text!r} is a device or a pipe. Pass the path of a file.")
    return Path(text)


def storage_exists(storage: Any) -> bool:
    """Return whether a storage exists, without creating it.

    Parameters
    ----------
    storage : path, str or Address
        As in :func:`open_storage`.
    """
    address = as_address(storage)
    if address is None:
        path = _read_path(storage)
        if path.suffix not in _SQLITE or not path.exists():
            return path.exists()
        return _has_tables(_SQLITE_ADDRESS, repr(str(path)), _sqlite_arguments(path))
    file = address.file()
    if file is not None and not os.path.exists(file):
        return False
    return _has_tables(address, repr(address), {})


def _has_tables(address: Address, name: str, arguments: Mapping[str, Any]) -> bool:
    from sqlalchemy import create_engine, inspect

    with _naming_errors(address, name):
        engine = create_engine(address.url(), **arguments)
        try:
            return inspect(engine).has_table("studies")
        finally:
            engine.dispose()


@contextlib.contextmanager
def opened_storage(storage: Any, *, patient: bool = False) -> Iterator[BaseStorage]:
    """Open a storage, and close its connections at the end."""
    opened = open_storage(storage, patient=patient)
    try:
        yield opened
    finally:
        if not isinstance(storage, BaseStorage):
            close_storage(opened)


def close_storage(storage: BaseStorage) -> None:
    """Close the connections of a storage that :func:`open_storage` opened."""
    inner = getattr(storage, "storage", storage)
    database = getattr(inner, "_backend", inner)
    if isinstance(database, optuna.storages.RDBStorage):
        database.remove_session()
        database.engine.dispose()


def _open_journal(path: str) -> BaseStorage:
    try:
        journal = RepairingJournal(path)
    except OSError as error:
        raise StorageError(
            f"storage={path!r} cannot be opened: {error.strerror or error}. Pass the path of a "
            f"file that you can read and write."
        ) from error
    try:
        return RetryingStorage(JournalStorage(journal), repr(path))
    except OSError as error:
        raise StorageError(f"storage={path!r} cannot be read: {error}") from error
    except Exception as error:
        if str(error).startswith("storage="):
            raise
        raise ValueError(
            f"storage={path!r} is damaged: line {journal.line} is not a line of a search "
            f"({type(error).__name__}: {error}). Remove the lines that do not belong there, or "
            f"pass the path of a new file."
        ) from error


def _open_database(
    address: Address, name: str, patient: bool, arguments: dict[str, Any]
) -> BaseStorage:
    """Open a database; even if several processes do so at once, tables are created once."""
    with _naming_errors(address, name):
        text = address.url().render_as_string(hide_password=False)
        opened = retry(
            lambda: optuna.storages.RDBStorage(text, engine_kwargs=arguments),
            is_transient if patient else _is_busy,
        )
    return RetryingStorage(optuna.storages.get_storage(opened), name)


def _arguments_for(address: Address) -> dict[str, Any]:
    """Return further arguments for SQLAlchemy."""
    arguments: dict[str, Any] = {"pool_pre_ping": True}  # the server may have been restarted
    if address.system == "sqlite":
        arguments["connect_args"] = {"timeout": _BUSY}
    return arguments


def _sqlite_arguments(path: Path) -> dict[str, Any]:
    """Return arguments for a file whose name may hold characters that are invalid in a URL."""
    options: dict[str, Any] = {"timeout": _BUSY, "check_same_thread": False}
    return {"creator": functools.partial(sqlite3.connect, str(path), **options)}


@contextlib.contextmanager
def _naming_errors(address: Address, name: str) -> Iterator[None]:
    """Add the storage to the errors of a database, without its password."""
    try:
        yield
    except ImportError as error:
        advice = _ADVICE.get(address.system)
        raise ImportError(
            f"storage={name} needs a driver that is not installed: {address.redact(str(error))} "
            f"{'Run ' + advice if advice else 'Install it'}."
        ) from None
    except Exception as error:
        if str(error).startswith("storage="):
            raise
        if type(error).__name__ == "NoSuchModuleError":
            raise ValueError(
                f"storage={name} is not a database that SQLAlchemy knows. Expected an address that "
                f"begins with postgresql://, mysql:// or sqlite:///, or a path."
            ) from None
        raise ValueError(
            f"storage={name} cannot be opened: {address.redact(reason(error))}"
        ) from None


def _is_busy(error: BaseException) -> bool:
    """Return whether a database is only busy, or another process interfered."""
    return _PASSING.search(f"{error} {error.__cause__}") is not None


@contextlib.contextmanager
def quiet_optuna() -> Iterator[None]:
    """Limit Optuna's own log to warnings within a context."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(before, optuna.logging.WARNING))
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
