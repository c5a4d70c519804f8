"""A search on a PostgreSQL server of the tests' own."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from optuna.trial import TrialState

from sklearnloss.tuning import join_search

from ..processes import (
    GRACE,
    Fits,
    Process,
    X,
    join,
    kill_in_second_fold,
    make_search,
    new_study,
    outcome,
    start,
    states,
    store_of,
    wait_until,
    y,
)

pytestmark = pytest.mark.slow  # starts processes

pytest.importorskip("psycopg2")

PASSWORD = "s3cret-word"


def _find(name: str) -> str | None:
    """Return where a program of the server's is; Debian keeps it out of the path."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(installed[-1]) if installed else None)


def _as_server(command: list[str]) -> None:
    """Run a program, as its own user if this one is root, whom it refuses."""
    if os.geteuid() == 0:
        command = ["runuser", "-u", "postgres", "--", *command]
    subprocess.run(command, check=True, capture_output=True, cwd="/")


class Server:
    """A server in a folder of its own, reached by a socket.

    Parameters
    ----------
    folder : path
        Short, as a socket's path must be.
    control : str
        The program that starts and stops it.
    """

    def __init__(self, folder: Path, control: str) -> None:
        self.folder = folder
        self.control = [control, "-D", str(folder / "data")]

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c fsync=off"
        log = f"{self.folder}/log"
        _as_server([*self.control, "-t", "600", "-o", options, "-w", "-l", log, "start"])

    def stop(self) -> None:
        """Stop it as if it had crashed."""
        _as_server([*self.control, "-m", "immediate", "stop"])

    def make(self, name: str) -> str:
        """Make a database, and return its address."""
        import psycopg2

        login = {"host": str(self.folder), "user": "me", "password": PASSWORD}
        connection = psycopg2.connect(dbname="postgres", **login)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        connection.close()
        return f"postgresql://me:{PASSWORD}@/{name}?host={self.folder}"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Yield a server that runs."""
    initdb, control = _find("initdb"), _find("pg_ctl")
    if initdb is None or control is None:
        pytest.skip("no PostgreSQL server: there is no initdb, as apt's postgresql has it")
    if os.geteuid() == 0 and not shutil.which("runuser"):
        pytest.skip("PostgreSQL's server does not run as root, and there is no runuser")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # a socket's path must be short
    (folder / "password").write_text(PASSWORD)
    if os.geteuid() == 0:
        for path in (folder, folder / "password"):
            shutil.chown(path, "postgres")
    made = Server(folder, control)
    options = ["-U", "me", "-A", "scram-sha-256", "-N", f"--pwfile={folder}/password"]
    try:
        _as_server([initdb, "-D", str(folder / "data"), *options])
        made.start()
        try:
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SKLEARNLOSS_JOBS", str(tmp_path / "jobs"))
    return tmp_path / "jobs"


@pytest.mark.slow
def test_four_workers_one_of_them_killed_in_a_fold(
    server: Server, tmp_path: Path, jobs: Path
) -> None:
    url, fits = server.make("killed"), Fits(tmp_path)
    fits.hold(0)
    options = {"storage": url, "n_jobs": 4, "sound": True, "n_trials": 6, "refit": False}
    process = start(options, tmp_path, fits.env)
    wait_until(lambda: len(fits.workers()) == 4)
    fits.hold(4)
    store = store_of(url)
    kill_in_second_fold(store, fits)
    for path in jobs.glob("*/job.pkl"):
        assert PASSWORD.encode() not in path.read_bytes()
    fits.release()
    process.finish()
    rows = store.rows()
    assert [row.candidate for row in rows] == list(range(6))
    assert all(row.is_finished for row in rows)
    assert len({repr(row.values) for row in rows}) == 6
    assert len(fits.done()) == len(set(fits.done()))
    assert states(url).count(TrialState.FAIL) >= 1
    assert TrialState.RUNNING not in states(url)
    assert not list(jobs.glob("sklearnloss-job-*"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*candidates failed.*")
def test_a_server_changes_nothing(server: Server, tmp_path: Path) -> None:
    found = []
    for storage in (server.make("same"), tmp_path / "s.journal"):
        for n_trials in (4, 10, 10):
            search = make_search(storage=storage, n_trials=n_trials).fit(X, y)
        found.append(outcome(search))
        assert PASSWORD not in repr(search)
    assert found[0] == found[1]


def test_restarts_of_the_server_change_nothing(server: Server, tmp_path: Path) -> None:
    url, fits = server.make("restarted"), Fits(tmp_path)
    options: dict[str, Any] = {"sound": True, "n_trials": 5}
    fits.hold(0)
    process = start({"storage": url, **options}, tmp_path, fits.env)
    for n_fits in (2, 3, 5):  # within a candidate, at its end, and within another one
        wait_until(lambda: len(fits.begun()) == len(fits.done()) + 1)
        server.stop()
        fits.hold(n_fits)
        wait_until(functools.partial(_has_done, fits, n_fits))
        server.start()
    fits.release()
    assert process.returned() == outcome(make_search(**options).fit(X, y))
    assert TrialState.RUNNING not in states(url)


def _has_done(fits: Fits, n: int) -> bool:
    return len(fits.done()) == n


def _begin(url: str, name: str, ready: Path) -> None:
    wait_until(ready.exists)
    study = new_study(url, "s")
    study.set_user_attr(name, study._study_id)


@pytest.mark.slow
def test_processes_that_begin_at_once_on_a_new_database_are_all_there(
    server: Server, tmp_path: Path
) -> None:
    url, ready = server.make("fresh"), tmp_path / "ready"
    begun = [Process(_begin, url, str(k), ready, folder=tmp_path) for k in range(5)]
    ready.touch()
    for process in begun:
        process.finish()
    store = store_of(url, "s")
    assert len(store.study.user_attrs) == 5
    assert len(set(store.study.user_attrs.values())) == 1


@pytest.mark.slow
def test_a_worker_joins_from_the_command_line_and_its_death_costs_one_fold(
    server: Server, tmp_path: Path
) -> None:
    # Told that it is another machine, its end is noticed by its silence alone.
    url, fits, clock = server.make("joined"), Fits(tmp_path), tmp_path / "clock"
    clock.write_text("0")
    options = {"storage": url, "sound": True, "n_trials": 4, "refit": False}
    fits.hold(0)
    worker = join(
        ["--wait", "600"], tmp_path, {**fits.env, "SKLEARNLOSS_STORAGE": url}, host="elsewhere"
    )
    process = start({**options, "patches": {"clock": clock}}, tmp_path, fits.env)
    wait_until(lambda: len(fits.workers()) == 2)
    fits.hold(2)
    store = store_of(url)
    candidate = kill_in_second_fold(store, fits, worker.pid)
    fits.release()
    wait_until(lambda: sum(row.is_finished for row in store.rows()) == 3)
    assert not store.rows()[candidate].is_finished
    wait_until(lambda: later(clock) and not process.is_alive)
    process.finish()
    rows = store.rows()
    assert [row.candidate for row in rows] == list(range(4))
    assert all(row.is_finished for row in rows)
    assert rows[candidate].trial.user_attrs["owner"]["pid"] == process.pid
    assert len(fits.done()) == len(set(fits.done()))


def later(clock: Path) -> bool:
    """Let time pass."""
    part = clock.with_suffix(".part")
    part.write_text(str(float(clock.read_text()) + GRACE))
    part.replace(clock)
    return True


def test_a_wrong_password_is_not_repeated(server: Server) -> None:
    url = server.make("locked").replace(PASSWORD, "wr0ng-word")
    with pytest.raises(ValueError, match=r"storage='postgresql://me:\*\*\*@/locked") as caught:
        make_search(storage=url).fit(X, y)
    assert "wr0ng" not in str(caught.value)
    assert caught.value.__cause__ is None


def tables(url: str) -> list[str]:
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg2:"))
    names = sqlalchemy.inspect(engine).get_table_names()
    engine.dispose()
    return names


def test_a_worker_creates_no_tables(server: Server) -> None:
    url = server.make("other")
    assert tables(url) == []
    with pytest.raises(ValueError, match=r"accepts workers in 'postgresql://me:\*\*\*@/other"):
        join_search(url, patience=0)
    assert tables(url) == []
