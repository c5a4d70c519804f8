"""What a killed process leaves behind is removed by the next one, and nothing else is."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sklearnloss import load
from sklearnloss._utils.temporary_file import remove_leftovers, temporary_file

from ..conftest import Data, classifier

fcntl = pytest.importorskip("fcntl")

FILE = "model.safetensors"
LEFTOVER = f".{FILE}.{'0123456789abcdef' * 2}"

KILLED = """
import os, signal, sys
from pathlib import Path
from sklearnloss._utils.temporary_file import temporary_file

with temporary_file(Path(sys.argv[1])) as (path, file):
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_the_file_of_a_killed_process_is_removed_at_the_next_save(
    digits: Data, tmp_path: Path
) -> None:
    model = classifier(width=1).fit(*digits)
    command = [sys.executable, "-c", KILLED, str(tmp_path / FILE)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.read_bytes() == b"half"
    model.save(tmp_path / FILE)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_files_of_other_names_and_of_others_stay(tmp_path: Path) -> None:
    names = [f".other.{'0' * 32}", f".{FILE}.txt", f".{FILE}.{'0' * 31}", f"{FILE}.{'0' * 32}"]
    for name in [*names, LEFTOVER]:
        (tmp_path / name).touch()
    (tmp_path / f".{FILE}.{'1' * 32}").mkdir()
    with open(tmp_path / LEFTOVER, "r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        remove_leftovers(tmp_path / FILE)
        assert (tmp_path / LEFTOVER).exists()
    remove_leftovers(tmp_path / FILE)
    assert not (tmp_path / LEFTOVER).exists()
    assert len(list(tmp_path.iterdir())) == len(names) + 1


def test_a_file_that_is_being_written_is_nobody_s_leftover(tmp_path: Path) -> None:
    target = tmp_path / FILE
    with temporary_file(target) as (path, file):
        remove_leftovers(target)
        file.write(b"whole")
        file.flush()
        path.replace(target)
    assert target.read_bytes() == b"whole"


@pytest.mark.slow
def test_savers_at_once_do_not_disturb_each_other(digits: Data, tmp_path: Path) -> None:
    model = classifier(width=1).fit(*digits)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: model.save(tmp_path / FILE), range(12)))
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    load(tmp_path / FILE)
