"""A storage's address, whose password nobody gets to see by accident."""

from __future__ import annotations

from typing import Any

from ._storage import hide_password, is_url


class Address(str):
    """A text whose ``repr`` hides the passwords in it.

    Examples
    --------
    >>> from sklearnloss.tuning._address import Address
    >>> Address("postgresql://me:secret@host/name")
    'postgresql://me:***@host/name'
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return hide_password(super().__repr__())


class StorageParameter:
    """A parameter that keeps an address as an :class:`Address`, and all else as it is.

    What scikit-learn shows of an estimator, alone or inside another one, are the
    ``repr`` of its parameters.
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
        if is_url(value) and not isinstance(value, Address):
            value = Address(value)
        vars(instance)[self.name] = value
