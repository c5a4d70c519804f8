"""Digests of data."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .helpers import prepare


@pytest.fixture(params=["in memory", "in files"])
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    if request.param == "in files":
        request.getfixturevalue("nothing_in_memory")
    rng = np.random.default_rng(0)
    for k in range(4):
        for name in ("images", "masks"):
            (tmp_path / "data" / name).mkdir(parents=True, exist_ok=True)
            np.save(tmp_path / "data" / name / f"{k}.npy", rng.integers(0, 2, (4, 4), np.uint8))
    return tmp_path / "data"


def digest(folder: Path) -> str:
    """Return what a run keeps of its data."""
    return str(prepare(folder).question["data"])


def digest_groups(folder: Path, *arguments: str) -> Any:
    return prepare(folder, *arguments).question["groups"]


def test_moved_copied_and_touched_data_are_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest(folder)
    shutil.copytree(folder, folder.parent / "copy")
    os.utime(folder.parent / "copy" / "images" / "0.npy", (0, 0))
    assert digest(folder.parent / "copy") == before
    monkeypatch.chdir(folder.parent)
    assert digest(Path("copy")) == before
    folder.rename(folder.parent / "moved")
    assert digest(folder.parent / "moved") == before


@pytest.mark.parametrize("change", ["image", "mask", "name", "more", "swap"])
def test_changed_data_are_others(folder: Path, change: str) -> None:
    before = digest(folder)
    image, mask = folder / "images" / "0.npy", folder / "masks" / "0.npy"
    if change in ("image", "mask"):
        path = image if change == "image" else mask
        pixels = np.load(path)
        pixels[0, 0] = 1 - pixels[0, 0]
        np.save(path, pixels)
    elif change in ("name", "more"):
        move: Any = shutil.move if change == "name" else shutil.copy
        for path in (image, mask):
            move(path, path.with_name("00.npy"))
    else:
        image.rename(folder / "other.npy")
        mask.rename(image)
        (folder / "other.npy").rename(mask)
    assert digest(folder) != before


def test_groups_are_known_by_what_they_are(tmp_path: Path) -> None:
    np.save(tmp_path / "X.npy", np.zeros((4, 4, 4)))
    np.save(tmp_path / "y.npy", [0, 1, 0, 1])
    assert digest_groups(tmp_path) is None
    table = tmp_path / "g.csv"
    table.write_text("a\na\nb\nb\n")
    first = digest_groups(tmp_path, "--groups", str(table))
    assert first is not None
    table.write_text("group\na\na\nb\nb\n")
    assert digest_groups(tmp_path, "--groups", str(table)) == first
    table.write_text("a\nb\nb\nb\n")
    assert digest_groups(tmp_path, "--groups", str(table)) != first
