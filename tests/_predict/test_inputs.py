"""Which files folders, patterns and paths stand for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sklearnloss._predict.inputs import find_inputs

from .helpers import folder_of


def names(files: object, **options: Path) -> list[str]:
    return [each.name.as_posix() for each in find_inputs(files, **options)]  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return folder_of(tmp_path, "b.png", "x/a.bmp", "x/y/c.png", ".hidden.png", ".cache/d.png")


def test_a_folder_stands_for_its_images_without_hidden_ones(folder: Path) -> None:
    (folder / "notes.txt").touch()
    assert names(folder) == ["b.png", "x/a.bmp", "x/y/c.png"]
    assert names(folder, output=folder / "x") == ["b.png"]


def test_files_are_named_by_the_folder_that_they_share(folder: Path) -> None:
    assert names([folder / "x/a.bmp", os.fsencode(folder / "x/y/c.png")]) == ["a.bmp", "y/c.png"]
    assert names(str(folder / "b.png")) == ["b.png"]
    assert names([folder / "b.png", folder / "b.png"]) == ["b.png"]


def test_folders_are_told_apart_by_their_names(folder: Path) -> None:
    assert names([folder / "x/y", folder / "b.png"]) == ["y/c.png", "b.png"]


def test_a_pattern_stands_for_files(folder: Path) -> None:
    assert names(f"{folder}/**/*.png") == ["b.png", "x/y/c.png"]
    (folder / "[odd]*.png").write_bytes((folder / "b.png").read_bytes())
    assert names(str(folder / "[odd]*.png")) == ["[odd]*.png"]


def test_what_is_missing_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no file or folder .*nothing.png"):
        names(folder / "nothing.png")
    with pytest.raises(FileNotFoundError, match=r"no file like .*\*.jpg"):
        names(f"{folder}/*.jpg")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no images"):
        names(tmp_path / "empty")
    with pytest.raises(ValueError, match="list is empty"):
        names([])
    with pytest.raises(TypeError, match="holds a int"):
        names([3])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_pipes_are_not_opened_and_linked_folders_are_named(folder: Path, tmp_path: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    assert names(folder) == ["b.png", "x/a.bmp", "x/y/c.png"]
    (folder / "x" / "link").symlink_to(folder / "x" / "y")
    with pytest.raises(ValueError, match="links to folders, which are not followed.*x/link"):
        find_inputs(folder)
