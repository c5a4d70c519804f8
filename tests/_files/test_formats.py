"""Kinds of files: what their names end in, and which folders are images."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from sklearnloss._files.formats import KINDS, SUFFIXES, is_image_folder, kind_of, stem, suffix
from sklearnloss._files.read import FileError, read_image

from .files import write_slice


@pytest.mark.parametrize(
    ("name", "known", "rest"),
    [
        ("a.png", ".png", "a"),
        ("a.b.TIF", ".tif", "a.b"),
        ("case 1.nii.gz", ".nii.gz", "case 1"),
        ("x.OME.Tiff", ".ome.tiff", "x"),
        ("x.ome.zarr", ".ome.zarr", "x"),
        ("a.tar.gz", ".gz", "a.tar.gz"),
        (".png", "", ".png"),
        ("1.2.840.99", ".99", "1.2.840.99"),
    ],
)
def test_known_suffixes_may_have_two_parts(name: str, known: str, rest: str) -> None:
    assert suffix(f"folder.zarr/{name}") == known
    assert stem(f"folder.zarr/{name}") == stem(name.encode()) == rest


def test_each_suffix_belongs_to_one_kind() -> None:
    assert len(SUFFIXES) == sum(len(kind.suffixes) for kind in KINDS)
    for kind in KINDS:
        for each in kind.suffixes:
            assert kind_of(f"a{each.upper()}") is kind
    assert kind_of("a.txt") is None


def test_unknown_kinds_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.lsm5' is of an unknown kind\. Expected .npy.*\.zarr"):
        read_image(tmp_path / "a.lsm5")
    with pytest.raises(FileError, match=r"it is a folder\. Expected a file, a \.zarr folder"):
        read_image(tmp_path)


def test_folders_of_pictures_are_no_image(tmp_path: Path) -> None:
    for name in ("a.png", "notes", "x.npy", "DICOMDIR"):
        (tmp_path / name).write_bytes(bytes(128) + b"DICM")
    (tmp_path / "notes").write_bytes(bytes(200))
    assert not is_image_folder(tmp_path)
    assert not is_image_folder(tmp_path / "a.png")
    assert not is_image_folder(tmp_path / "missing")
    (tmp_path / "a.zarr").mkdir()
    assert is_image_folder(tmp_path / "a.zarr")
    assert is_image_folder(str(tmp_path / "a.zarr").encode())


def test_slices_of_a_series_are_an_image_and_radiographs_are_several(tmp_path: Path) -> None:
    for k in range(2):
        write_slice(tmp_path / "slices" / f"{k}.dcm", np.full((4, 5), k), position=k)
        write_slice(tmp_path / "radiographs" / f"{k}.dcm", np.full((4, 5), k), series=f"1.2.{k}")
    assert is_image_folder(tmp_path / "slices")
    assert not is_image_folder(tmp_path / "radiographs")
    write_slice(tmp_path / "radiographs" / "2.dcm", np.full((4, 5), 2), series="1.2.0")
    assert is_image_folder(tmp_path / "radiographs")  # two series, which is an error
    without = tmp_path / "unnamed"
    without.mkdir()
    (tmp_path / "slices" / "0.dcm").rename(without / "IM000")
    assert is_image_folder(without)


@pytest.mark.parametrize(
    ("name", "library", "extra"),
    [("a.nii", "nibabel", "medical"), ("a.dcm", "SimpleITK", "medical"), ("z", "zarr", "zarr")],
)
def test_a_missing_library_is_named_with_its_extra(
    tmp_path: Path, name: str, library: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "z":
        (tmp_path / name).mkdir()
        (tmp_path / name / ".zarray").write_text("{}")
    else:
        (tmp_path / name).write_bytes(bytes(400))
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(
        ImportError, match=rf"{name}' needs {library}: pip install 'sklearnloss\[{extra}\]'"
    ):
        read_image(tmp_path / name)
