"""Database addresses, which are shown without passwords."""

from __future__ import annotations

import importlib.util
import os
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

#: The beginning of an address: at least two letters, as "C:/" is a Windows drive.
_SCHEME = r"[A-Za-z][\w+.-]+:/"
_MISTYPED = re.compile(
    rf"(?s){_SCHEME}|(?:postgres(?:ql)?|mysql|mariadb|sqlite)(?:\+\w+)?(?::|//)"
    r"|(?:[\w ]+=.*[;\s])?(?i:password|passwd|pwd)\s*="  # options of a driver, not an address
)
_EMBEDDED = re.compile(rf"(?s){_SCHEME}/(?:(?!{_SCHEME}/).)*")
_PARTS = re.compile(r"(?s)([\w+.-]+(?::/{0,2}|//)|)(.*)")

#: Names of secret options.
_SECRET = r"[^=&\s]*(?:pass|pwd|secret|token|credential|auth|key|odbc_connect)[^=&\s]*"

#: Shorter passwords are not searched for in error messages, since they may occur in any word.
_LONG_ENOUGH = 3

_EXAMPLE = "postgresql://user:password@host/name"

#: Modules of the database drivers. If an address names no driver, SQLAlchemy tries only one, which
#: depends on its version.
_POSTGRESQL = {"postgresql+psycopg2": "psycopg2", "postgresql+psycopg": "psycopg"}
_MYSQL = {"mysql+mysqldb": "MySQLdb", "mysql+pymysql": "pymysql"}
_MARIADB = {"mariadb+mysqldb": "MySQLdb", "mariadb+pymysql": "pymysql"}
_DRIVERS = {
    "postgresql": _POSTGRESQL,
    "postgres": _POSTGRESQL,
    "mysql": _MYSQL,
    "mariadb": _MARIADB,
}


class Address:
    """The address of a database, which is shown without its password.

    Parameters
    ----------
    text : str
        The address in SQLAlchemy's format.

    Examples
    --------
    >>> from sklearnloss.tuning._workers.address import Address
    >>> Address("postgresql://me:secret@host/name")
    'postgresql://me:***@host/name'
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text.strip()

    def reveal(self) -> str:
        """Return the address with its password."""
        return self._text

    def __str__(self) -> str:
        return hide_password(self._text)

    def __repr__(self) -> str:
        return repr(str(self))

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Address):
            return self._text == other._text
        return self._text == other if isinstance(other, str) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._text)

    @property
    def system(self) -> str:
        """The kind of database, such as "postgresql"."""
        system = self._text.partition("://")[0].partition("+")[0].lower()
        return "postgresql" if system == "postgres" else system

    def url(self) -> URL:
        """Return the address as SQLAlchemy reads it, with a driver that is installed.

        Raises
        ------
        ValueError
            If it cannot be parsed, or would be parsed incorrectly.
        """
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError

        try:
            url = make_url(self._text)
        except (ArgumentError, ValueError):
            raise ValueError(
                f"storage={self!r} is not an address of a database. Expected a str such as "
                f"{_EXAMPLE!r}."
            ) from None
        if "@" in (url.host or "") or (self.system != "sqlite" and "@" in (url.database or "")):
            raise ValueError(
                f"storage={self!r} has more than one @ before the host. In the password, write an "
                f"@ as %40, and a / as %2F."
            )
        for driver, module in _DRIVERS.get(url.drivername, {}).items():
            if importlib.util.find_spec(module):
                return url.set(drivername=driver)
        return url

    def file(self) -> str | None:
        """Return the path of an SQLite database, "" if it is in memory; None for others."""
        if self.system != "sqlite":
            return None
        url = self.url()
        path = (url.database or "").removeprefix("file:")
        in_memory = path in ("", ":memory:") or url.query.get("mode") == "memory"
        return "" if in_memory else path

    def redact(self, text: str) -> str:
        """Hide this address's password in an error message."""
        text = text.replace(self._text, str(self))
        login = self._text.partition("://")[2].rpartition("@")[0]
        given = login.partition(":")[2]
        for secret in (given, unquote(given)):
            if len(secret) >= _LONG_ENOUGH:
                text = text.replace(secret, "***")
        return hide_password(text)


class StorageParameter:
    """A parameter that stores an address as an :class:`Address`, and other values unchanged.

    scikit-learn shows the ``repr`` of parameters, for nested estimators as well.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        if self.name not in vars(instance):
            raise AttributeError(f"{owner.__name__} has no attribute {self.name!r} yet.")
        return vars(instance)[self.name]

    def __set__(self, instance: Any, value: Any) -> None:
        address = as_address(value)
        vars(instance)[self.name] = value if address is None else address


def is_url(storage: Any) -> bool:
    """Return whether a storage is given as the address of a database."""
    return as_address(storage) is not None


def as_address(storage: Any) -> Address | None:
    """Return a storage as an address, even a mistyped one; None if it is something else."""
    if isinstance(storage, Address):
        return storage
    text = os.fspath(storage) if isinstance(storage, str | os.PathLike) else b""
    if isinstance(text, str) and ("://" in text or _MISTYPED.match(text.strip())):
        return Address(text)
    return None


def hide_password(text: str) -> str:
    """Replace passwords and tokens in all addresses in a text by ***."""
    if _MISTYPED.match(text.strip()):  # the text is an address
        return _hide(text, "[^&]*")
    return _EMBEDDED.sub(lambda found: _hide(found[0], r"[^&\s'\"]*"), text)


def _hide(address: str, value: str) -> str:
    """Hide the login of an address, except for the user's name, and secret options."""
    found = _PARTS.match(address)
    if found is None:
        return address
    scheme, rest = found.groups()
    has_login = re.match(r"(?s)[^:/]*(:[^@]*)?@", rest) or "@" in rest.partition("?")[0]
    if has_login and not rest.startswith("/"):
        login, _, rest = rest.rpartition("@")
        user, colon, _ = login.partition(":")
        # A user without a password may be a token.
        rest = f"{user}:***@{rest}" if colon else f"***@{rest}"
    return scheme + re.sub(rf"(?i)((?:^|[?&;\s]){_SECRET}\s*=){value}", r"\1***", rest)
