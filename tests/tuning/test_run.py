from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from sklearnloss.tuning._job import PREFIX
from sklearnloss.tuning._owner import Owner, _start_of
from sklearnloss.tuning._record import create_study
from sklearnloss.tuning._run import SHARED, _home, _remove_left_over, shared_storage
from sklearnloss.tuning._storage import open_storage, quiet_optuna
from sklearnloss.tuning._workers import JOB

from .processes import X as DATA
from .processes import make_search, record_of, y

SERVER = "postgresql://me@host/db"


@pytest.mark.parametrize(
    ("address", "n_workers", "home"),
    [
        (None, 1, None),
        ("folder/s.journal", 1, None),
        ("sqlite:///s.db", 1, None),
        (SERVER, 1, Path.home() / ".cache" / "sklearnloss" / "jobs"),
        (SERVER, 2, Path.home() / ".cache" / "sklearnloss" / "jobs"),
        (None, 2, Path(tempfile.gettempdir())),
        ("sqlite:///s.db", 2, Path(tempfile.gettempdir())),
        ("folder/s.journal", 2, Path("folder").absolute()),
    ],
)
def test_a_job_is_where_those_who_may_join_can_see_it(
    address: Any, n_workers: int, home: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SHARED, raising=False)
    assert _home(address, n_workers) == home


def test_the_folder_for_jobs_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SHARED, "/mnt/jobs")
    assert _home(SERVER, 1) == Path("/mnt/jobs")


@pytest.mark.parametrize("ended", [True, False])
def test_data_of_a_killed_search_are_removed_by_the_next_one(ended: bool, tmp_path: Path) -> None:
    folder = tmp_path / f"{PREFIX}left"
    folder.mkdir()
    with quiet_optuna():
        create_study(open_storage(tmp_path / "s.journal"), "sklearnloss")
    record = record_of(tmp_path / "s.journal")
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    token = {**Owner().token, "pid": process.pid, "start": _start_of(process.pid)}
    record.study.set_user_attr(JOB, {"folder": str(folder), "owner": token})
    if ended:
        process.kill()
        process.wait()
    _remove_left_over(record)
    assert folder.exists() is not ended
    process.kill()
    process.wait()


def test_workers_get_a_storage_of_their_own_where_none_is_given() -> None:
    with shared_storage(None, 1) as storage:
        assert storage is None
    with shared_storage(None, 2) as storage:
        assert storage.parent.is_dir()
    assert not storage.parent.exists()


def test_a_callback_that_stops_a_search_leaves_nothing_running(tmp_path: Path) -> None:
    storage = tmp_path / "s.journal"
    search = make_search(storage=storage, sound=True)
    search.set_params(callbacks=[lambda study, trial: study.stop()]).fit(DATA, y)
    assert len(search.cv_results_["params"]) == 1
    whole = make_search(storage=storage, sound=True).fit(DATA, y)
    assert len(whole.cv_results_["params"]) == 10
