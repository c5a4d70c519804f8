"""Retries of storage calls, and the error for a storage that remains unavailable."""

from __future__ import annotations

import contextlib
import errno
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage

from .address import hide_password

Result = TypeVar("Result")

#: Seconds: in total, before the first retry, and at most between two retries.
PATIENCE, FIRST_NAP, LAST_NAP = 60.0, 0.05, 5.0

#: Errors that retries cannot fix.
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_WRONG = ("DataError", "NotSupportedError", "ArgumentError")  # of SQLAlchemy's
_BROKEN = re.compile(
    r"read.?only|malformed|not a database|no such column|column .* does not exist", re.IGNORECASE
)

#: Libraries whose errors mean that a server is unavailable; two are for the user's own storages.
_CLIENTS = ("sqlalchemy", "grpc", "redis")


class StorageError(OSError):
    """The storage of a search cannot be read or written."""


class ReplacedError(OSError):
    """The file of a storage was replaced by a different one."""


def is_read_only(error: OSError) -> bool:
    """Return whether a file cannot be written, though it may be read."""
    return error.errno in _REFUSED


def is_transient(error: BaseException) -> bool:
    """Return whether a retry may succeed after a storage error."""
    if isinstance(error, StorageInternalError):  # Optuna's wrapper of an SQLAlchemy error
        return error.__cause__ is None or is_transient(error.__cause__)
    if isinstance(error, ReplacedError):
        return False
    if isinstance(error, OSError):
        return not is_read_only(error)
    wrong = type(error).__name__ in _WRONG or _BROKEN.search(str(error))
    return _is_client_error(error) and not wrong


def _is_client_error(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] in _CLIENTS


def _is_storage_error(error: Exception) -> bool:
    return isinstance(error, StorageInternalError | OSError) or _is_client_error(error)


def retry(
    action: Callable[[], Result], passes: Callable[[Exception], bool] = is_transient
) -> Result:
    """Call a function, and retry for about a minute while it fails.

    Parameters
    ----------
    action : callable
        The function, which must be safe to call twice.
    passes : callable, default=is_transient
        Takes an error and returns whether to retry.
    """
    deadline, nap = time.monotonic() + PATIENCE, FIRST_NAP
    while True:
        try:
            return action()
        except Exception as error:
            if not passes(error) or time.monotonic() + nap > deadline:
                raise
        time.sleep(nap)
        nap = min(2 * nap, LAST_NAP)


def _forward(name: str) -> Callable[..., Any]:
    def call(self: RetryingStorage, *args: Any, **kwargs: Any) -> Any:
        return self._call(lambda: getattr(self.storage, name)(*args, **kwargs))

    return call


_METHODS = {name: _forward(name) for name in BaseStorage.__abstractmethods__}
_Forwarding: Any = type("_Forwarding", (BaseStorage,), _METHODS)


class RetryingStorage(_Forwarding):  # type: ignore[misc]
    """A wrapper that retries each call of a storage while it is unavailable.

    A call that failed may still have been executed, and is then executed twice.

    Parameters
    ----------
    storage : optuna.storages.BaseStorage
        The storage.
    name : str
        Its name in errors.

    Raises
    ------
    StorageError
        If it remains unavailable, or no retry can succeed.
    """

    def __init__(self, storage: BaseStorage, name: str) -> None:
        self.storage = storage
        self.name = name
        self._once = threading.local()
        self._is_lost = False

    @contextlib.contextmanager
    def without_retries(self) -> Iterator[None]:
        """Try each call only once in this thread, for calls that may be skipped."""
        self._once.on = True
        try:
            yield
        finally:
            self._once.on = False

    def _call(self, action: Callable[[], Result]) -> Result:
        # Once the storage is lost, cleaning up should not wait a minute for each call.
        once = self._is_lost or getattr(self._once, "on", False)
        try:
            result = action() if once else retry(action)
        except Exception as error:
            if not _is_storage_error(error):
                raise
            self._is_lost = not getattr(self._once, "on", False)
            raise StorageError(_explain(self.name, error)) from error
        self._is_lost = False
        return result

    def remove_session(self) -> None:
        """Close the connection of this thread."""
        self.storage.remove_session()


def _explain(name: str, error: Exception) -> str:
    waited = f" for {PATIENCE:.0f} s" if is_transient(error) else ""
    return (
        f"storage={name} could not be used{waited}: {reason(error)}. Everything finished before "
        f"is saved in it: once it is available again, run the same call to resume."
    )


def reason(error: BaseException) -> str:
    """Return the message of a storage error, without the statement that failed."""
    if isinstance(error, StorageInternalError) and error.__cause__ is not None:
        error = error.__cause__
    text = str(getattr(error, "orig", None) or error) or type(error).__name__
    return hide_password(" ".join(text.split())).rstrip(".")
