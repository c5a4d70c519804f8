from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy
from optuna.storages import InMemoryStorage, JournalStorage, RDBStorage
from optuna.study import StudyDirection

from sklearnloss.tuning._workers import journal as _journal
from sklearnloss.tuning._workers.address import Address
from sklearnloss.tuning._workers.retries import PATIENCE, RetryingStorage, StorageError
from sklearnloss.tuning._workers.storage import (
    check_file_storage,
    open_storage,
    opened_storage,
    quiet_optuna,
    storage_exists,
)

from ..processes import X as DATA
from ..processes import make_search, outcome
from ..processes import y as LABELS

pytestmark = pytest.mark.usefixtures("naps")

ADDRESS = "postgresql://me:secret@host/db"


def _kind(storage: Any) -> type:
    inner = storage.storage
    return type(getattr(inner, "_backend", inner) if hasattr(inner, "_studies") else inner)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("s.journal", JournalStorage), ("s", JournalStorage), ("s.db", RDBStorage)],
)
def test_the_ending_of_a_path_says_what_it_is(name: str, kind: type, tmp_path: Path) -> None:
    assert _kind(open_storage(tmp_path / name)) is kind
    assert _kind(open_storage(str(tmp_path / name))) is kind
    assert (tmp_path / name).is_file()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a?b.db", "a%20b.db", "a b.db", "a{b}.db", "a#b&c=d.db", "é.db"])
def test_a_database_lies_in_the_file_that_was_named(name: str, tmp_path: Path) -> None:
    with opened_storage(tmp_path / name) as storage:
        storage.create_new_study([StudyDirection.MAXIMIZE], "a")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert storage_exists(tmp_path / name)


def test_no_storage_is_memory_and_one_of_optunas_is_taken() -> None:
    storage = open_storage(None)
    assert isinstance(storage, InMemoryStorage)
    assert open_storage(storage) is storage
    own = JournalStorage(optuna.storages.journal.JournalFileBackend(os.devnull))
    opened = open_storage(own)
    assert isinstance(opened, RetryingStorage)
    assert opened.storage is own
    assert open_storage(opened) is opened


@pytest.mark.parametrize("name", ["missing/s.journal", "missing/s.db"])
def test_a_path_in_no_folder_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"s\.(journal|db)': there is no folder '.*missing'"):
        open_storage(tmp_path / name)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is a folder\. Pass the path of a file in it"):
        open_storage(tmp_path)
    for given in ("", " ", "a\0b"):
        with pytest.raises(ValueError, match=r"storage='.*' is not a path"):
            open_storage(given)


def test_other_types_are_refused() -> None:
    with pytest.raises(TypeError, match=r"storage=3\. Expected a path, the address"):
        open_storage(3)
    with pytest.raises(TypeError, match=r"postgresql://me:\*\*\*@host/db'\. Expected a path"):
        open_storage(ADDRESS.encode())


@pytest.mark.parametrize(
    "given",
    [
        ADDRESS.replace("//", "/"),
        ADDRESS.replace("//", ""),
        ADDRESS.replace("://", "//"),
        Path(ADDRESS),
        "host=h user=me password=secret",
    ],
)
def test_a_mistyped_address_is_refused_as_a_path(given: Any) -> None:
    with pytest.raises(ValueError, match=r"is not an address of a database\. Expected a") as caught:
        open_storage(given)
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(make_search(storage=given))


@pytest.mark.parametrize(
    "given", [ADDRESS, Address(ADDRESS), "sqlite:///s.db", Path(ADDRESS), ADDRESS.encode()]
)
def test_a_file_is_not_the_address_of_a_database(given: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="database") as caught:
        check_file_storage(given)
    assert "secret" not in str(caught.value)


def test_a_file_is_no_folder_or_object(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is a folder"):
        check_file_storage(tmp_path)
    with pytest.raises(TypeError, match=r"InMemoryStorage\(\.\.\.\) is an Optuna storage"):
        check_file_storage(InMemoryStorage())
    check_file_storage(None)
    check_file_storage(tmp_path / "fits.jsonl")
    check_file_storage("fits.jsonl")


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        (b'{"op_code":0,"x\n{"op_code":1}\n', 1, "not a JSON object"),
        (b"[1]\n", 2, "not a JSON object"),
        (b"\n", 2, "blank"),
        (b"[" * 100_000 + b"\n", 2, "not a JSON object"),
        (b'{"op_code":true,"worker_id":"w"}\n', 2, "not a line of a search"),
        (b'{"op_code":4}\n', 2, "not a line of a search"),
        (b'{"op_code":4,"worker_id":"w"}\n', 2, "not a line of a search"),
        (b'{"op_code":99,"worker_id":"w"}\n', 2, "not a line of a search"),
        (b'{"op_code":0,"worker_id":"w","study_name":"b","directions":3}\n', 2, "not a line"),
    ],
)
def test_a_damaged_journal_is_refused_with_the_line(
    content: bytes, line: int, what: str, tmp_path: Path
) -> None:
    path = tmp_path / "s.journal"
    if line > 1:
        open_storage(path).create_new_study([StudyDirection.MAXIMIZE], "a")
    with open(path, "ab") as file:
        file.write(content)
    with pytest.raises(ValueError, match=rf"s\.journal' is damaged: line {line} is {what}"):
        open_storage(path)


def test_a_file_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"xx' cannot be opened: File name too long"):
        open_storage(tmp_path / ("x" * 300))


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
        ("nosuch://me:secret@host/db", "'nosuch://me:***@host/db' is not a database that"),
        ("sqlite:////no/such/folder/s.db", "unable to open database file"),
        ("sqlite://me:secret@host/x", "storage='sqlite://me:***@host/x' cannot be opened"),
        ("sqlite://me:secret@host:port/x", "'sqlite://me:***@host:port/x' is not an address"),
        ("postgresql://me:se{cr}et@localhost:1/x", "me:***@localhost:1/x' cannot be opened"),
    ],
)
def test_a_bad_address_is_refused_at_once(url: str, shown: str, naps: list[float]) -> None:
    if url.startswith("postgresql"):
        pytest.importorskip("psycopg2")
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        open_storage(url)
    assert shown in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "cr" not in str(caught.value).replace("script", "")
    assert naps == []


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        (ADDRESS, r"pip install 'sklearnloss\[postgresql\]'"),
        ("mysql://me:secret@host/db", "pip install pymysql"),
        ("mariadb://me:secret@host/db", "pip install pymysql"),
        ("oracle://me:secret@host/db", "Install it"),
    ],
)
def test_a_missing_driver_is_named(url: str, advice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*args: Any, **kwargs: Any) -> None:
        raise ImportError(f"no driver for {url}")

    monkeypatch.setattr(optuna.storages, "RDBStorage", missing)
    with pytest.raises(ImportError, match=rf"storage='\w+://me:\*\*\*@.*{advice}") as caught:
        open_storage(url)
    assert "secret" not in str(caught.value)


def _failing(errors: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Make databases fail to open with these errors, one after the other."""
    make = RDBStorage.__init__

    def open_it(self: RDBStorage, *args: Any, **kwargs: Any) -> None:
        if errors:
            raise sqlalchemy.exc.OperationalError("", {}, Exception(errors.pop()))
        make(self, *args, **kwargs)

    monkeypatch.setattr(RDBStorage, "__init__", open_it)


@pytest.mark.slow
@pytest.mark.parametrize(
    "message",
    [
        "(sqlite3.OperationalError) table studies already exists",
        "UNIQUE constraint failed: alembic_version.version_num",
        "duplicate key value violates unique constraint pg_type_typname_nsp_index",
        "database is locked",
        "the database system is starting up",
    ],
)
def test_a_database_that_is_busy_is_opened_a_moment_later(
    message: str, naps: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _failing([message] * 2, monkeypatch)
    open_storage(tmp_path / "s.db")
    assert naps == [0.05, 0.1]


def test_a_server_is_retried_by_workers_only(
    naps: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _failing(["Connection refused"] * 3, monkeypatch)
    with pytest.raises(ValueError, match="cannot be opened: Connection refused"):
        open_storage(tmp_path / "s.db")
    open_storage(tmp_path / "s.db", patient=True)
    assert len(naps) == 2
    _failing(["Connection refused"] * 10**4, monkeypatch)
    with pytest.raises(ValueError, match="cannot be opened: Connection refused"):
        open_storage(tmp_path / "s.db", patient=True)
    assert 0.9 * PATIENCE <= sum(naps) <= PATIENCE


@pytest.mark.parametrize("name", ["s.journal", "s.db", "sqlite:///{}/s.db"])
def test_looking_for_a_storage_does_not_create_it(name: str, tmp_path: Path) -> None:
    given = name.format(tmp_path) if "{" in name else str(tmp_path / name)
    assert not storage_exists(given)
    assert list(tmp_path.iterdir()) == []
    open_storage(given)
    assert storage_exists(given)


def test_a_database_without_tables_is_no_storage(tmp_path: Path) -> None:
    (tmp_path / "s.db").touch()
    assert not storage_exists(tmp_path / "s.db")
    assert (tmp_path / "s.db").stat().st_size == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["s.journal", "s.db"])
@pytest.mark.filterwarnings("ignore:.*candidates failed.*")
def test_a_finished_search_on_a_read_only_disk_can_be_looked_at(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"n_trials": 3, "cv": 2}
    whole = outcome(make_search(storage=tmp_path / name, **options).fit(DATA, LABELS))
    if name == "s.db":
        given: Any = f"sqlite:///file:{tmp_path / name}?mode=ro&uri=true"
    else:
        given = tmp_path / name
        monkeypatch.setattr(_journal, "open", _read_only, raising=False)
    assert outcome(make_search(storage=given, **options).fit(DATA, LABELS)) == whole
    with pytest.raises(StorageError, match=r"could not be used: .*(Read-only|readonly)"):
        make_search(storage=given, **{**options, "n_trials": 4}).fit(DATA, LABELS)


def _read_only(path: str, mode: str = "r") -> Any:
    if "+" in mode or "a" in mode:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
    return open(path, mode)


def test_optunas_log_is_quiet_for_a_while() -> None:
    before = optuna.logging.get_verbosity()
    with quiet_optuna():
        assert optuna.logging.get_verbosity() == optuna.logging.WARNING
    assert optuna.logging.get_verbosity() == before


def test_connections_are_closed_after_a_fit(tmp_path: Path) -> None:
    own = optuna.storages.RDBStorage(f"sqlite:///{tmp_path / 's.db'}")
    for given, stays in ((tmp_path / "s.db", False), (own, True)):
        with opened_storage(given) as storage:
            storage.get_all_studies()
            pool: Any = storage.storage._backend.engine.pool  # type: ignore[attr-defined]
            assert pool.checkedin() + pool.checkedout() > 0
        assert (pool.checkedin() + pool.checkedout() > 0) == stays


def test_a_pipe_is_no_storage(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe' is a device or a pipe"):
        open_storage(tmp_path / "pipe")


def test_a_database_with_a_table_of_the_same_name_is_refused_at_once(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "s.db")) as connection:
        connection.execute("create table studies (name text)")
    storage = open_storage(tmp_path / "s.db")
    with pytest.raises(StorageError, match=r"could not be used: no such column"):
        storage.get_all_studies()
