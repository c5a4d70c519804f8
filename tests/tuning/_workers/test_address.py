from __future__ import annotations

import copy
import importlib.util
import json
import pickle
from pathlib import Path

import pytest
from sklearn.base import clone
from sklearn.svm import SVC

from sklearnloss import LossSearchCV
from sklearnloss.tuning._workers.address import Address, StorageParameter, hide_password, is_url

URL = "postgresql://me:secret@host/name"

#: Passwords as people choose them, which SQLAlchemy or a user takes as they are.
PASSWORDS = ["hun ter2", "it's mine", 'quo"te', "p@ss", "w:rd/sl@sh", "a{b}c", "new\nline", "?&#"]


class Holder:
    storage = StorageParameter()

    def __init__(self, storage: object) -> None:
        self.storage = storage


def test_only_reveal_returns_the_password_of_an_address() -> None:
    address = Address(f"  {URL}\n")
    assert address.reveal() == URL
    for shown in (str(address), f"{address}", "%s" % address, f"{address:>5}"):  # noqa: UP031
        assert shown == "postgresql://me:***@host/name"
    assert repr(address) == "'postgresql://me:***@host/name'"
    assert json.dumps({"storage": address}, default=str) == f'{{"storage": "{address}"}}'


def test_an_address_is_equal_to_its_text_and_survives_being_copied() -> None:
    address = Address(URL)
    assert address == URL
    assert address != 3
    assert {address: 1}[URL] == 1  # type: ignore[index]
    for other in (copy.deepcopy(address), pickle.loads(pickle.dumps(address))):
        assert type(other) is Address
        assert other == address


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_search_never_shows_a_password(password: str) -> None:
    search = LossSearchCV(SVC(), storage=f"postgresql://me:{password}@host/name")
    for each in (search, clone(search), clone(LossSearchCV(search))):
        texts = [repr(each), str(each), each._repr_html_(), f"{each.get_params()}"]
        for text in texts:
            assert "me:***@host/name" in text
            assert password not in text
    assert f"{search.storage}" == "postgresql://me:***@host/name"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:p@ss/w:rd@host:1/db", "postgresql://me:***@host:1/db"),
        ("postgresql://me:it's mine@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me@host/db", "postgresql://***@host/db"),  # it may be a token
        ("postgresql://to/ken@host/db", "postgresql://***@host/db"),
        ("postgresql://:secret@host/db", "postgresql://:***@host/db"),
        ("postgresql:/me:secret@host/db", "postgresql:/me:***@host/db"),
        ("postgresql://h/d?user=u&password=p q'&x=1", "postgresql://h/d?user=u&password=***&x=1"),
        ("mysql://h/d?passwd=p&sslpassword=q", "mysql://h/d?passwd=***&sslpassword=***"),
        ("mssql://h/d?odbc_connect=PWD%3Dp", "mssql://h/d?odbc_connect=***"),
        ("postgresql:///db?host=/tmp/a@b", "postgresql:///db?host=/tmp/a@b"),
        ("postgresql://host/db?user=a@b", "postgresql://host/db?user=a@b"),
        ("sqlite:///folder/s.db", "sqlite:///folder/s.db"),
        ("sqlite:///me@home/s.db", "sqlite:///me@home/s.db"),
        ("at 'mysql://u:p@h/d' and 'a+b://b:c@d'", "at 'mysql://u:***@h/d' and 'a+b://b:***@d'"),
        ("at mysql://h/d?password=p now", "at mysql://h/d?password=*** now"),
        ("C:/me:secret@home/s.journal", "C:/me:secret@home/s.journal"),
        ("postgresql//me:secret@h/d", "postgresql//me:***@h/d"),
        ("host=h user=me password=secret", "host=h user=me password=***"),
        ("Driver={x};PWD=secret", "Driver={x};PWD=***"),
        ("password = secret", "password =***"),
    ],
)
def test_passwords_are_hidden(text: str, shown: str) -> None:
    assert hide_password(text) == shown


@pytest.mark.parametrize("secret", ["hun ter2", "hun%20ter2"])
def test_a_password_is_hidden_in_errors_of_drivers(secret: str) -> None:
    address = Address(f"postgresql://me:{secret}@host/db")
    told = f"no 'hun ter2' at {address.reveal()}"
    assert address.redact(told) == "no '***' at postgresql://me:***@host/db"


@pytest.mark.parametrize("password", ["p@ss", "sl/a@sh"])
def test_an_at_sign_must_be_escaped(password: str) -> None:
    with pytest.raises(ValueError, match=r"'postgresql://me:\*\*\*@host/db'.*more than one @.*%40"):
        Address(f"postgresql://me:{password}@host/db").url()
    assert Address("sqlite:///me@home/s.db").url().database == "me@home/s.db"


@pytest.mark.parametrize("text", ["postgresql://me:secret@host:port/db", "post gre://secret@host"])
def test_a_malformed_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not an address of a database\. Expected") as caught:
        Address(text).url()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("sqlite:///folder/s.db", "folder/s.db"),
        ("sqlite+pysqlite:////s.db", "/s.db"),
        ("sqlite://", ""),
        ("sqlite:///:memory:", ""),
        ("sqlite:///file:s?mode=memory&uri=true", ""),
        (URL, None),
    ],
)
def test_the_file_of_an_address_is_known(text: str, file: str | None) -> None:
    assert Address(text).file() == file


@pytest.mark.parametrize("module", ["psycopg2", "psycopg"])
@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_the_driver_that_is_installed_is_taken(
    scheme: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == module)
    assert Address(f"{scheme}://me@host/db").url().drivername == f"postgresql+{module}"
    assert Address(f"{scheme}://me@host/db").system == "postgresql"
    assert Address("postgresql+asyncpg://me@h/db").url().drivername == "postgresql+asyncpg"


def test_addresses_are_hidden_and_all_else_stays_as_it_is() -> None:
    assert type(Holder(URL).storage) is Address
    assert Holder(URL).storage == URL
    for given in (Path("a.journal"), "a.journal", None, Address(URL)):
        assert Holder(given).storage is given


def test_before_it_is_set_there_is_none() -> None:
    with pytest.raises(AttributeError, match="Holder has no attribute 'storage' yet"):
        Holder.__new__(Holder).storage  # noqa: B018
    assert isinstance(Holder.storage, StorageParameter)


def test_addresses_are_told_from_paths(tmp_path: Path) -> None:
    assert is_url("sqlite:///s.db")
    assert is_url(Address("sqlite:///s.db"))
    for given in ("s.db", tmp_path, "C:/s.journal", "sqlite", b"a://b", None, 3):
        assert not is_url(given)
