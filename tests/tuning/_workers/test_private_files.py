from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from sklearnloss.tuning._workers.private_files import read_private, write_private

pytestmark = pytest.mark.skipif(os.name != "posix", reason="files have owners and modes on POSIX")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "job").mkdir(mode=0o700)
    write_private(tmp_path / "job" / "a", b"content")
    return tmp_path / "job"


def test_a_private_file_is_read(folder: Path) -> None:
    assert read_private(folder, "a") == b"content"
    assert stat.S_IMODE((folder / "a").stat().st_mode) == 0o600


def test_a_missing_private_file_raises_file_not_found(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_private(folder, "b")
    with pytest.raises(FileNotFoundError):
        read_private(folder / "none", "a")


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o1777])
def test_a_folder_that_others_can_write_is_refused(mode: int, folder: Path) -> None:
    folder.chmod(mode)
    with pytest.raises(PermissionError, match=rf"job' can be written by others \(mode {mode:o}\)"):
        read_private(folder, "a")


@pytest.mark.parametrize("mode", [0o660, 0o602])
def test_a_file_that_others_can_write_is_refused(mode: int, folder: Path) -> None:
    (folder / "a").chmod(mode)
    with pytest.raises(PermissionError, match=rf"job/a' can be written by others \(mode {mode:o}"):
        read_private(folder, "a")


@pytest.mark.parametrize("which", ["job", "job/a"])
def test_a_file_of_another_user_is_refused(
    which: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = os.geteuid()
    if uid == 0:
        os.chown(folder.parent / which, 4321, -1)
    else:  # only root gives files away
        which = "job"
        monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    with pytest.raises(PermissionError, match=rf"{which}' belongs to another user \(number \d+\)"):
        read_private(folder, "a")


def test_a_link_in_a_folder_is_not_followed(folder: Path) -> None:
    (folder / "b").symlink_to(folder / "a")
    with pytest.raises(OSError, match="symbolic"):
        read_private(folder, "b")


def test_an_existing_file_is_not_overwritten(folder: Path) -> None:
    with pytest.raises(FileExistsError):
        write_private(folder / "a", b"other")
    assert (folder / "a").read_bytes() == b"content"
