from __future__ import annotations

import importlib.util
import time
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from optuna.storages import InMemoryStorage, JournalStorage, RDBStorage

from sklearnloss.tuning._storage import (
    hide_password,
    is_url,
    open_storage,
    opened_storage,
    patiently,
    quiet_optuna,
    retry,
)


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Do not sleep, but note for how long."""
    seconds: list[float] = []
    monkeypatch.setattr(time, "sleep", seconds.append)
    return seconds


@pytest.mark.parametrize(
    ("name", "kind"),
    [("s.journal", JournalStorage), ("s", JournalStorage), ("s.db", RDBStorage)],
)
def test_the_ending_of_a_path_says_what_it_is(name: str, kind: type, tmp_path: Path) -> None:
    assert isinstance(open_storage(tmp_path / name), kind)
    assert isinstance(open_storage(str(tmp_path / name)), kind)
    assert (tmp_path / name).is_file()


def test_no_storage_is_memory_and_one_of_optunas_is_taken() -> None:
    storage = open_storage(None)
    assert isinstance(storage, InMemoryStorage)
    assert open_storage(storage) is storage


@pytest.mark.parametrize("name", ["missing/s.journal", "missing/s.db"])
def test_a_path_in_no_folder_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"s\.(journal|db)': there is no folder '.*missing'"):
        open_storage(tmp_path / name)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is a folder\. Pass the path of a file in it"):
        open_storage(tmp_path)


def test_other_types_are_refused() -> None:
    with pytest.raises(TypeError, match=r"storage=3\. Expected a path, the address"):
        open_storage(3)


def test_a_damaged_journal_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.journal"
    path.write_bytes(b'{"op_code":0,"x\n{"op_code":1}\n')
    with pytest.raises(ValueError, match=r"s\.journal' is damaged, and cannot be read"):
        open_storage(path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path, naps: list[float]) -> None:
    (tmp_path / "s.db").write_text(
        "no database, but a text that is long enough for its header\n" * 9
    )
    with pytest.raises(ValueError, match=r"s\.db' cannot be opened: .*not a database"):
        open_storage(tmp_path / "s.db")
    assert naps == []


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("nosuch://me:secret@host/db", "storage='nosuch://me:***@host/db' cannot be opened"),
        ("sqlite:////no/such/folder/s.db", "unable to open database file"),
        ("sqlite://me:secret@host:port/x", "storage='sqlite://me:***@host:port/x' cannot be"),
    ],
)
def test_a_bad_address_is_refused_at_once(url: str, shown: str, naps: list[float]) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        open_storage(url)
    assert shown in str(caught.value)
    assert "secret" not in str(caught.value)
    assert naps == []


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*args: Any, **kwargs: Any) -> None:
        raise ImportError("no driver for postgresql://me:secret@host/db")

    monkeypatch.setattr(optuna.storages, "RDBStorage", missing)
    with pytest.raises(ImportError, match=r"pip install 'sklearnloss\[postgresql\]'") as caught:
        open_storage("postgresql://me:secret@host/db")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("module", ["psycopg2", "psycopg"])
@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_the_driver_that_is_installed_is_taken(
    scheme: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == module)
    monkeypatch.setattr(optuna.storages, "RDBStorage", lambda url, **kwargs: seen.append(url))
    open_storage(f"{scheme}://me@host/db")
    open_storage("postgresql+asyncpg://me@host/db")
    assert seen == [f"postgresql+{module}://me@host/db", "postgresql+asyncpg://me@host/db"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:p@ss/w:rd@host:1/db", "postgresql://me:***@host:1/db"),
        ("at 'mysql://u:p@h/d' and 'a://b:c@d'", "at 'mysql://u:***@h/d' and 'a://b:***@d'"),
        ("postgresql://h/d?user=u&password=p&x=1", "postgresql://h/d?user=u&password=***&x=1"),
        ("postgresql://me:it's mine@host/db", "postgresql://me:***@host/db"),
        ("mysql://h/d?passwd=p&sslpassword=q", "mysql://h/d?passwd=***&sslpassword=***"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("sqlite:///folder/s.db", "sqlite:///folder/s.db"),
    ],
)
def test_passwords_are_hidden(text: str, shown: str) -> None:
    assert hide_password(text) == shown


def test_addresses_are_told_from_paths(tmp_path: Path) -> None:
    assert is_url("sqlite:///s.db")
    assert not is_url("s.db")
    assert not is_url(tmp_path)


@pytest.mark.parametrize(
    "message",
    [
        "(sqlite3.OperationalError) table studies already exists",
        "UNIQUE constraint failed: alembic_version.version_num",
        "duplicate key value violates unique constraint pg_type_typname_nsp_index",
        "database is locked",
    ],
)
def test_what_passes_is_tried_again(message: str, naps: list[float]) -> None:
    errors = [RuntimeError(message), RuntimeError(message)]

    def action() -> str:
        if errors:
            raise errors.pop()
        return "done"

    assert retry(action) == "done"
    assert naps == [0.05, 0.1]


def test_what_does_not_pass_is_raised(naps: list[float]) -> None:
    def action() -> None:
        raise RuntimeError("table studies already exists")

    with pytest.raises(RuntimeError, match="already exists"):
        retry(action)
    assert len(naps) == 8
    naps.clear()
    with pytest.raises(ZeroDivisionError, match="division"):
        retry(lambda: 1 / 0)
    assert naps == []


def test_a_database_that_is_away_is_waited_for(naps: list[float]) -> None:
    errors = [StorageInternalError("server closed the connection")] * 3

    def action() -> str:
        if errors:
            raise errors.pop()
        return "done"

    assert patiently(action) == "done"
    assert len(naps) == 3


def test_optunas_log_is_quiet_for_a_while() -> None:
    before = optuna.logging.get_verbosity()
    with quiet_optuna():
        assert optuna.logging.get_verbosity() == optuna.logging.WARNING
    assert optuna.logging.get_verbosity() == before


def test_connections_are_closed_after_a_fit(tmp_path: Path) -> None:
    with opened_storage(tmp_path / "s.db") as storage:
        assert isinstance(storage, optuna.storages.RDBStorage)
        storage.create_new_study([optuna.study.StudyDirection.MAXIMIZE], "a")
        assert storage.engine.pool.checkedin() + storage.engine.pool.checkedout() > 0  # type: ignore[attr-defined]
    assert storage.engine.pool.checkedin() + storage.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    with opened_storage(storage) as same:  # the user's own stays open
        assert same is storage
