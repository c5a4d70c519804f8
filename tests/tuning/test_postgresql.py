"""A search on a PostgreSQL server of the tests' own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from sklearnloss.tuning._job import PREFIX
from sklearnloss.tuning._run import SHARED
from sklearnloss.tuning._workers import STORAGE

from .processes import (
    FIT_LOG,
    ROOT,
    SECONDS,
    X,
    finish,
    kill_in_second_fold,
    make_search,
    n_lines,
    outcome,
    read_log,
    record_of,
    start,
    states,
    wait_until,
    y,
)

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
    subprocess.run(command, check=True, capture_output=True, cwd="/", timeout=60)


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    """Yield a function that makes a database and returns its address."""
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
    data = str(folder / "data")
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    try:
        _as_server(
            [
                initdb,
                "-D",
                data,
                "-U",
                "me",
                "-A",
                "scram-sha-256",
                "-N",
                f"--pwfile={folder}/password",
            ]
        )
        _as_server([control, "-D", data, "-o", options, "-w", "-l", f"{folder}/log", "start"])
        try:
            yield lambda name: _make_database(folder, name)
        finally:
            _as_server([control, "-D", data, "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make_database(folder: Path, name: str) -> str:
    import psycopg2

    connection = psycopg2.connect(host=str(folder), user="me", password=PASSWORD, dbname="postgres")
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    connection.close()
    return f"postgresql://me:{PASSWORD}@/{name}?host={folder}"


@pytest.fixture(autouse=True)
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(SHARED, str(tmp_path / "jobs"))
    return tmp_path / "jobs"


def test_four_workers_one_of_them_killed_in_a_fold(server: Any, tmp_path: Path, jobs: Path) -> None:
    url, log = server("killed"), tmp_path / "fits.log"
    options = {"storage": url, "n_jobs": 4, "sound": True, "n_trials": 10}
    process = start({**options, "refit": False}, {FIT_LOG: str(log), SECONDS: "0.5"})
    wait_until(lambda: n_lines(log) >= 1)
    record = record_of(url)
    kill_in_second_fold(record, log)
    for path in jobs.glob("*/job.pkl"):
        assert PASSWORD.encode() not in path.read_bytes()
    finish(process)
    rows = record.rows()
    assert [row.candidate for row in rows] == list(range(10))
    assert all(row.is_finished for row in rows)
    assert len({repr(row.values) for row in rows}) == 10
    assert len(read_log(log)) == len(set(read_log(log)))
    assert states(url).count(TrialState.FAIL) >= 1
    assert TrialState.RUNNING not in states(url)
    assert not list(jobs.glob(f"{PREFIX}*"))


@pytest.mark.filterwarnings("ignore:.*candidates failed.*")
def test_a_server_changes_nothing(server: Any, jobs: Path) -> None:
    url = server("same")
    whole = outcome(make_search().fit(X, y))
    for n_trials in (4, 10, 10):
        search = make_search(storage=url, n_trials=n_trials).fit(X, y)
    assert outcome(search) == whole
    assert PASSWORD not in repr(search)


def test_processes_that_begin_at_once_on_a_new_database_are_all_there(
    server: Any, tmp_path: Path
) -> None:
    url, ready = server("fresh"), tmp_path / "ready"
    script = (
        "import sys, time, os\n"
        "from sklearnloss.tuning._record import create_study\n"
        "from sklearnloss.tuning._storage import open_storage\n"
        "for name in range(int(sys.argv[3])):\n"
        "    if os.fork() == 0:\n"
        "        while not os.path.exists(sys.argv[2]):\n"
        "            time.sleep(0.001)\n"
        "        study = create_study(open_storage(sys.argv[1]), 's')\n"
        "        study.set_user_attr(str(name), study._study_id)\n"
        "        os._exit(0)\n"
        "open(sys.argv[2], 'w').close()\n"
        "for _ in range(int(sys.argv[3])):\n"
        "    assert os.wait()[1] == 0\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", script, url, str(ready), "6"]
    subprocess.run(command, check=True, cwd=ROOT, timeout=120)
    record = record_of(url, "s")
    assert len(record.study.user_attrs) == 6
    assert len(set(record.study.user_attrs.values())) == 1


def test_a_worker_joins_from_the_command_line_and_its_death_costs_one_fold(
    server: Any, tmp_path: Path, jobs: Path
) -> None:
    # Told that it is another machine, its end is noticed by its silence alone.
    url, log = server("joined"), tmp_path / "fits.log"
    shared = {FIT_LOG: str(log), SECONDS: "0.4"}
    options = {"storage": url, "sound": True, "n_trials": 8, "refit": False}
    script = (
        "import sys\n"
        "from sklearnloss import _cli\n"
        "from sklearnloss.tuning import _owner\n"
        "_owner._host = lambda: 'elsewhere'\n"
        "sys.exit(_cli.main(['worker', '--wait', '50']))\n"
    )
    worker = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", STORAGE: url, **shared},
    )
    process = start({**options, "grace": 2.0}, shared)
    wait_until(lambda: n_lines(log) >= 1)
    record = record_of(url)
    candidate = kill_in_second_fold(record, log, worker.pid)
    worker.wait()
    finish(process)
    rows = record.rows()
    assert [row.candidate for row in rows] == list(range(8))
    assert all(row.is_finished for row in rows)
    assert rows[candidate].trial.user_attrs["owner"]["pid"] == process.pid
    assert len(read_log(log)) == len(set(read_log(log)))


def test_a_wrong_password_is_not_repeated(server: Any) -> None:
    url = server("locked").replace(PASSWORD, "wr0ng-word")
    with pytest.raises(ValueError, match=r"storage='postgresql://me:\*\*\*@/locked") as caught:
        make_search(storage=url).fit(X, y)
    assert "wr0ng" not in str(caught.value)
    assert caught.value.__cause__ is None
