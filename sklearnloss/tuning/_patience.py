"""Storages that are away for a moment: waited for, and named when they do not come back."""

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

from ._address import hide_password

Result = TypeVar("Result")

#: Seconds for a storage to come back, and between the first two attempts and the last ones.
PATIENCE, FIRST_NAP, LAST_NAP = 60.0, 0.05, 5.0

#: What waiting does not mend.
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_WRONG = ("DataError", "NotSupportedError", "ArgumentError")  # of SQLAlchemy's
_BROKEN = re.compile(r"read.?only|malformed|not a database", re.IGNORECASE)

#: Libraries whose errors say that a server is away, the last two in storages of the user's own.
_CLIENTS = ("sqlalchemy", "grpc", "redis")


class StorageError(OSError):
    """The storage of a search cannot be read or written."""


class ReplacedError(OSError):
    """Another file lies where a storage was."""


def may_pass(error: BaseException) -> bool:
    """Tell whether an error of a storage may be gone in a moment."""
    if isinstance(error, StorageInternalError):  # Optuna's, about one of SQLAlchemy's
        return error.__cause__ is None or may_pass(error.__cause__)
    if isinstance(error, ReplacedError):
        return False
    if isinstance(error, OSError):
        return error.errno not in _REFUSED
    wrong = type(error).__name__ in _WRONG or _BROKEN.search(str(error))
    return _is_of_client(error) and not wrong


def _is_of_client(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] in _CLIENTS


def _is_of_storage(error: Exception) -> bool:
    return isinstance(error, StorageInternalError | OSError) or _is_of_client(error)


def patiently(
    action: Callable[[], Result], passes: Callable[[Exception], bool] = may_pass
) -> Result:
    """Do something that may be done twice, for about a minute again and again.

    Parameters
    ----------
    action : callable
        What to do.
    passes : callable, default=may_pass
        Tells from an error whether to try again.
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
    def call(self: PatientStorage, *args: Any, **kwargs: Any) -> Any:
        return self._call(lambda: getattr(self.storage, name)(*args, **kwargs))

    return call


_METHODS = {name: _forward(name) for name in BaseStorage.__abstractmethods__}
_Forwarding: Any = type("_Forwarding", (BaseStorage,), _METHODS)


class PatientStorage(_Forwarding):  # type: ignore[misc]
    """Another storage, which is waited for while it is away.

    Any call may happen twice, as it is not known whether a call that failed was done.

    Parameters
    ----------
    storage : optuna.storages.BaseStorage
        The other one.
    name : str
        How errors call it.

    Raises
    ------
    StorageError
        If it does not come back, or says that waiting is in vain.
    """

    def __init__(self, storage: BaseStorage, name: str) -> None:
        self.storage = storage
        self.name = name
        self._once = threading.local()
        self._is_lost = False

    @contextlib.contextmanager
    def trying_once(self) -> Iterator[None]:
        """Wait for nothing in this thread: what is done can be left out."""
        self._once.on = True
        try:
            yield
        finally:
            self._once.on = False

    def _call(self, action: Callable[[], Result]) -> Result:
        # Once lost, it is not waited for again by all that is still to be cleaned up.
        once = self._is_lost or getattr(self._once, "on", False)
        try:
            result = action() if once else patiently(action)
        except Exception as error:
            if not _is_of_storage(error):
                raise
            self._is_lost = not getattr(self._once, "on", False)
            raise StorageError(_explain(self.name, error)) from error
        self._is_lost = False
        return result

    def remove_session(self) -> None:
        """Let go of this thread's connection."""
        self.storage.remove_session()


def _explain(name: str, error: Exception) -> str:
    waited = f" for {PATIENCE:.0f} s" if may_pass(error) else ""
    return (
        f"storage={name} could not be used{waited}: {reason(error)}. What was finished before is "
        f"kept in it: when it is there again, the same call goes on from that."
    )


def reason(error: BaseException) -> str:
    """Return what a storage says is wrong, without the statement that failed."""
    if isinstance(error, StorageInternalError) and error.__cause__ is not None:
        error = error.__cause__
    text = str(getattr(error, "orig", None) or error) or type(error).__name__
    return hide_password(" ".join(text.split())).rstrip(".")
