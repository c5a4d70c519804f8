from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState
from sklearn.svm import SVC

from sklearnloss import LossSearchCV
from sklearnloss.tuning import join_search

from ...command_line import main
from ..processes import Fits, join, new_study, publish, set_trap, start, store_of, wait_until

#: Where workers are told of a storage.
STORAGE = "SKLEARNLOSS_STORAGE"

pytestmark = pytest.mark.slow  # starts processes


def test_workers_join_a_search_and_leave_it_when_told(tmp_path: Path) -> None:
    fits, storage = Fits(tmp_path), tmp_path / "s.journal"
    fits.hold(0)
    options = {"storage": str(storage), "n_jobs": 2, "sound": True, "n_trials": 6, "refit": False}
    process = start({**options, "study_name": "mine"}, tmp_path, fits.env)
    wait = ["--study", "mine", "--wait", "600"]
    stays = join([*wait, "--storage", str(storage)], tmp_path, fits.env)
    leaves = join(wait, tmp_path, {**fits.env, STORAGE: str(storage)})
    wait_until(lambda: {stays.pid, leaves.pid} <= fits.workers())
    leaves.send_signal(signal.SIGTERM)
    assert "Another worker resumes" in leaves.finish(fails=True)
    fits.release()
    stays.finish()
    process.finish()
    rows = store_of(storage, "mine").rows()
    assert [row.candidate for row in rows] == list(range(6))
    assert {row.state for row in rows} == {TrialState.COMPLETE}
    assert len(fits.done()) == len(set(fits.done())) == 6 * 3
    assert len(fits.workers()) == 4
    assert store_of(storage, "mine").study.user_attrs["job"] is None  # nobody waits for it
    assert not list(tmp_path.glob("sklearnloss-job-*"))


def test_without_a_storage_the_command_says_how_to_name_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(STORAGE, raising=False)
    assert main(["worker"]) == 2
    assert "Pass --storage, or set SKLEARNLOSS_STORAGE" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["none.journal", "none.db", "sqlite:///{}/none.db"])
def test_a_search_that_does_not_begin_is_waited_for_and_then_named(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    storage = name.format(tmp_path) if "{" in name else str(tmp_path / name)
    assert main(["worker", "--storage", storage, "--study", "mine", "--wait", "0"]) == 2
    message = capsys.readouterr().err
    assert f"No search named 'mine' accepts workers in '{storage}' (waited 0 s)" in message
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Return a storage with a study, which has no job yet."""
    new_study(tmp_path / "s.journal")
    return tmp_path / "s.journal"


def test_data_that_cannot_be_seen_are_named(journal: Path) -> None:
    publish(journal, {"folder": "/not/here"})
    with pytest.raises(ValueError, match=r"keeps its data in '/not/here', which cannot be seen"):
        join_search(str(journal), patience=0)
    with pytest.raises(ValueError, match=r"keeps its data in '/nor/here', which cannot be seen"):
        join_search(str(journal), job="/nor/here", patience=0)


@pytest.mark.parametrize("job", [3, "folder", {"folder": 3}, {"owner": {}}, ["folder"]])
def test_an_invalid_job_attribute_is_named(job: Any, journal: Path) -> None:
    publish(journal, job)
    with pytest.raises(ValueError, match=r"'sklearnloss' was not written by.*attribute 'job' is"):
        join_search(str(journal), patience=0)


@pytest.mark.skipif(os.name != "posix", reason="files have modes on POSIX")
def test_a_worker_runs_no_pickle_that_a_storage_names_and_others_can_write(
    journal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, sprung = tmp_path / "evil", tmp_path / "sprung"
    folder.mkdir()
    set_trap(folder, sprung)
    folder.chmod(0o777)
    publish(journal, {"folder": str(folder), "owner": {}})
    command = ["worker", "--storage", str(journal), "--wait", "0"]
    assert main(command) == 2
    message = capsys.readouterr().err
    assert "can be written by others (mode 777)" in message
    assert f"--job {str(folder)!r}" in message
    assert not sprung.exists()
    with pytest.raises(TypeError):  # it is not a job
        main([*command, "--job", str(folder)])
    assert sprung.exists()


def test_no_message_shows_a_password(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["worker", "--storage", "nosuch://me:secret@host/db", "--wait", "0"]) == 2
    message = capsys.readouterr().err
    assert "nosuch://me:***@host/db" in message
    assert "secret" not in message
    assert "secret" not in repr(LossSearchCV(SVC(), storage="nosuch://me:secret@host/db"))
