from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest

from sklearnloss.tuning._search import launch as _run
from sklearnloss.tuning._search.launch import SHARED, _home, shared_storage
from sklearnloss.tuning._search.store import CandidateStore
from sklearnloss.tuning._workers.address import Address
from sklearnloss.tuning._workers.retries import PATIENCE, StorageError

from ..processes import X as DATA
from ..processes import make_search, outcome, y

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
    if address and "://" in address:
        assert _home(Address(address), n_workers) == home


def test_the_folder_for_jobs_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SHARED, "/mnt/jobs")
    assert _home(SERVER, 1) == Path("/mnt/jobs")


def test_workers_get_a_storage_of_their_own_where_none_is_given() -> None:
    with shared_storage(None, 1) as storage:
        assert storage is None
    with shared_storage(None, 2) as storage:
        assert storage.parent.is_dir()
    assert not storage.parent.exists()


@pytest.mark.parametrize("address", ["sqlite://", "sqlite:///:memory:"])
def test_workers_cannot_share_a_database_in_memory(address: str) -> None:
    search = make_search(n_jobs=2, storage=address)
    with pytest.raises(ValueError, match=rf"n_jobs=2 processes cannot share storage='{address}'"):
        search.fit(DATA, y)
    with shared_storage(address, 1) as storage:
        assert storage == address


def test_a_finished_search_asks_for_no_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {
        "storage": tmp_path / "s.journal",
        "sound": True,
        "n_trials": 2,
        "cv": 2,
    }
    whole = outcome(make_search(**options).fit(DATA, y))
    monkeypatch.setattr(_run, "Pool", None)
    monkeypatch.setattr(_run, "_home", None)
    assert outcome(make_search(n_jobs=2, **options).fit(DATA, y)) == whole


def test_a_search_whose_storage_is_lost_keeps_its_rows_in_memory(
    tmp_path: Path, naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    known: list[CandidateStore] = []
    take_over, storage = _run._score_candidates, tmp_path / "s.journal"

    def noting(search: Any, job: Any, store: CandidateStore) -> None:
        known.append(store)
        take_over(search, job, store)

    monkeypatch.setattr(_run, "_score_candidates", noting)
    search = make_search(storage=storage, sound=True)
    search.set_params(callbacks=[lambda study, trial: storage.unlink()])
    with pytest.raises(StorageError, match=r"s\.journal' could not be used for 60 s: .*No such"):
        search.fit(DATA, y)
    assert [row.is_finished for row in known[0].rows()] == [True]
    assert sum(naps) <= PATIENCE  # once


def test_a_callback_that_stops_a_search_leaves_nothing_running(tmp_path: Path) -> None:
    storage = tmp_path / "s.journal"
    search = make_search(storage=storage, sound=True)
    search.set_params(callbacks=[lambda study, trial: study.stop()]).fit(DATA, y)
    assert len(search.cv_results_["params"]) == 1
    whole = make_search(storage=storage, sound=True).fit(DATA, y)
    assert len(whole.cv_results_["params"]) == 10
