from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from sklearnloss._cli import main
from sklearnloss.tuning import LossSearchCV, join_search
from sklearnloss.tuning._job import PREFIX
from sklearnloss.tuning._record import create_study
from sklearnloss.tuning._storage import open_storage, quiet_optuna
from sklearnloss.tuning._workers import JOB, STORAGE

from .processes import (
    FIT_LOG,
    ROOT,
    SECONDS,
    finish,
    n_lines,
    read_log,
    record_of,
    start,
    wait_until,
)


def _join(arguments: list[str], **env: str) -> Any:
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "sklearnloss", "worker", *arguments],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_workers_join_a_search_and_leave_it_when_told(tmp_path: Path) -> None:
    log, storage = tmp_path / "fits.log", tmp_path / "s.journal"
    shared = {FIT_LOG: str(log), SECONDS: "0.4"}
    options = {"storage": str(storage), "n_jobs": 2, "sound": True, "n_trials": 14, "refit": False}
    process = start({**options, "study_name": "mine"}, shared)
    wait = ["--study", "mine", "--wait", "100"]
    stays = _join([*wait, "--storage", str(storage)], **shared)
    leaves = _join(wait, **shared, **{STORAGE: str(storage)})
    wait_until(lambda: {stays.pid, leaves.pid} <= _pids(log))
    leaves.send_signal(signal.SIGTERM)
    assert "Another worker goes on" in finish(leaves, 130)
    finish(stays)
    finish(process)
    rows = record_of(storage, "mine").rows()
    assert [row.candidate for row in rows] == list(range(14))
    assert {row.state for row in rows} == {TrialState.COMPLETE}
    assert len(read_log(log)) == len(set(read_log(log))) == 14 * 3
    assert not list(tmp_path.glob(f"{PREFIX}*"))


def _pids(log: Path) -> set[int]:
    return (
        {int(line.split()[-1]) for line in log.read_text().splitlines()} if n_lines(log) else set()
    )


def test_without_a_storage_the_command_says_how_to_name_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(STORAGE, raising=False)
    assert main(["worker"]) == 2
    assert "Pass --storage, or set SKLEARNLOSS_STORAGE" in capsys.readouterr().err


def test_a_search_that_does_not_begin_is_waited_for_and_then_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    storage = tmp_path / "none.journal"
    assert main(["worker", "--storage", str(storage), "--study", "mine", "--wait", "0"]) == 2
    message = capsys.readouterr().err
    assert "No search named 'mine' asks for workers there (waited 0 s)" in message
    assert not storage.exists()


def test_data_that_cannot_be_seen_are_named(tmp_path: Path) -> None:
    with quiet_optuna():
        study = create_study(open_storage(tmp_path / "s.journal"), "sklearnloss")
    study.set_user_attr(JOB, {"folder": "/not/here", "owner": {}})
    with pytest.raises(ValueError, match=r"keeps its data in '/not/here', which cannot be seen"):
        join_search(str(tmp_path / "s.journal"), patience=0)
    with pytest.raises(ValueError, match=r"keeps its data in '/nor/here', which cannot be seen"):
        join_search(str(tmp_path / "s.journal"), job="/nor/here", patience=0)


def test_no_message_shows_a_password(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["worker", "--storage", "nosuch://me:secret@host/db", "--wait", "0"]) == 2
    message = capsys.readouterr().err
    assert "nosuch://me:***@host/db" in message
    assert "secret" not in message
    assert "secret" not in repr(LossSearchCV(None, storage="nosuch://me:secret@host/db"))
