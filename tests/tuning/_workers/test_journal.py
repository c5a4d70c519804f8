from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from sklearnloss.tuning._workers import journal as _journal
from sklearnloss.tuning._workers.journal import RepairingJournal

from ..processes import Process

LOG = {"op_code": 0, "worker_id": "w", "study_name": "s", "directions": [1]}
LINE = b'{"op_code":0,"worker_id":"w","study_name":"s","directions":[1]}\n'


@pytest.mark.parametrize("tail", [b'{"op_code":8,"wor', bytes(5000), LINE[:-1], b"x" * 200_000])
def test_a_torn_tail_is_cut_off_when_a_journal_is_opened(tail: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(2 * LINE + tail)
    journal = RepairingJournal(str(path))
    assert path.read_bytes() == 2 * LINE
    assert list(journal.read_logs(0)) == [LOG, LOG]


@pytest.mark.parametrize("tail", [b"{", LINE[:9], LINE[:-1], bytes(100)])
def test_a_journal_torn_in_its_first_line_is_empty(tail: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(tail)
    assert list(RepairingJournal(str(path)).read_logs(0)) == []
    assert path.read_bytes() == b""


def test_a_tail_that_another_process_left_is_cut_off_before_the_next_line(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = RepairingJournal(str(path))
    with open(path, "ab") as file:
        file.write(LINE[:20])
    journal.append_logs([LOG, LOG])
    assert path.read_bytes() == 2 * LINE


@pytest.mark.parametrize(
    "content",
    [
        b"import numpy\n# no newline",
        b"\x89PNG\r\n",
        b'{"a": 1}',
        b"\n" + LINE,
        bytes(100) + b"a scan",
        bytes(200_000) + b"\1",
    ],
)
def test_a_file_of_another_kind_is_refused_and_left_alone(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"train\.py' is a different kind of file: it begins with"):
        RepairingJournal(str(path))
    assert path.read_bytes() == content


def test_a_line_in_the_middle_of_being_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = RepairingJournal(str(path))
    path.write_bytes(LINE + LINE[:20])
    assert list(journal.read_logs(0)) == [LOG]
    with open(path, "ab") as file:
        file.write(LINE[20:])
    assert list(journal.read_logs(1)) == [LOG]
    assert list(journal.read_logs(0)) == [LOG, LOG]
    assert list(journal.read_logs(2)) == []


def test_a_failed_write_that_is_in_the_file_is_read_as_of_another_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = RepairingJournal(str(tmp_path / "journal"))
    journal.append_logs([LOG])
    assert list(journal.read_logs(0)) == [LOG]
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: _raise(OSError("the disk is away")))
        with pytest.raises(OSError, match="disk"):
            journal.append_logs([LOG])
    journal.append_logs([LOG])
    assert list(journal.read_logs(1)) == [{**LOG, "worker_id": ""}, LOG]
    journal.append_logs([LOG])
    assert list(journal.read_logs(3)) == [LOG]


def _raise(error: Exception) -> None:
    raise error


def test_a_lock_left_by_an_older_writer_delays_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal"
    path.touch()
    os.symlink(path, f"{path}.lock")

    def sleep(seconds: float) -> None:
        raise AssertionError(f"waited {seconds} s")

    monkeypatch.setattr(time, "sleep", sleep)
    RepairingJournal(str(path)).append_logs([LOG])
    assert path.read_bytes() == LINE


def test_writers_wait_for_a_slow_one(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal, other = RepairingJournal(str(path)), RepairingJournal(str(path))
    with journal._open_alone():
        thread = threading.Thread(target=other.append_logs, args=([LOG],))
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
        assert path.read_bytes() == b""
    thread.join(10)
    assert path.read_bytes() == LINE


def _die_while_writing(path: str) -> None:
    with RepairingJournal(path)._open_alone() as file:
        file.write(b'{"op_code":0,')
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_the_lock_of_a_killed_writer_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    Process(_die_while_writing, str(path), folder=tmp_path).finish(fails=True)
    assert path.read_bytes() == b'{"op_code":0,'
    RepairingJournal(str(path)).append_logs([LOG])
    assert path.read_bytes() == LINE


@pytest.mark.parametrize("lock", ["of the file", "beside the file"])
def test_many_writers_tear_no_line(
    lock: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if lock == "beside the file":  # as on Windows, and some network file systems
        monkeypatch.setattr(_journal, "fcntl", None)
    path = str(tmp_path / "journal")

    def write() -> None:
        journal = RepairingJournal(path)
        for _ in range(20):
            journal.append_logs([LOG])

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(RepairingJournal(path).read_logs(0)) == [LOG] * 80
    assert [entry.name for entry in tmp_path.iterdir()] == ["journal"]
