from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest

from sklearnloss.tuning._address import Address, StorageParameter

URL = "postgresql://me:secret@host/name"


class Holder:
    storage = StorageParameter()

    def __init__(self, storage: object) -> None:
        self.storage = storage


def test_an_address_is_itself_but_for_its_repr() -> None:
    address = Address(URL)
    assert address == URL
    assert str(address) == URL
    assert f"{address}" == URL
    assert repr(address) == "'postgresql://me:***@host/name'"
    for other in (copy.deepcopy(address), pickle.loads(pickle.dumps(address))):
        assert type(other) is Address
        assert other == URL


def test_addresses_are_hidden_and_all_else_stays_as_it_is() -> None:
    assert type(Holder(URL).storage) is Address
    assert vars(Holder(URL)) == {"storage": URL}
    for given in (Path("a.journal"), "a.journal", None, Address(URL)):
        assert Holder(given).storage is given


def test_before_it_is_set_there_is_none() -> None:
    with pytest.raises(AttributeError, match="Holder has no attribute 'storage' yet"):
        Holder.__new__(Holder).storage  # noqa: B018
    assert isinstance(Holder.storage, StorageParameter)
