"""One image from a file, also from several threads."""

from __future__ import annotations

import io
import os
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sklearnloss._files.read import FileError, read_image, read_mask
from sklearnloss._files.scene import open_scene

from ..estimators.conftest import classifier, segmenter


@pytest.mark.parametrize("kind", [".npy", ".npz"])
def test_only_one_thread_at_a_time_reads_a_header(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    path = tmp_path / f"a{kind}"
    if kind == ".npy":
        np.save(path, array)
    else:
        np.savez(path, array)
    load, inside, most = np.load, threading.Semaphore(), []

    def slow_load(*args: Any, **kwargs: Any) -> Any:
        most.append(inside.acquire(blocking=False))
        time.sleep(0.01)
        inside.release()
        return load(*args, **kwargs)

    monkeypatch.setattr(np, "load", slow_load)
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(lambda _: read_image(path).values, range(8)))
    assert most == [True] * 8
    for each in read:
        assert type(each) is np.ndarray
        np.testing.assert_array_equal(each, array)


@pytest.mark.parametrize("shape", [(0, 4), (), (3, 0)])
def test_empty_arrays_are_read_as_they_are(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "a.npy", np.zeros(shape))
    assert read_image(tmp_path / "a.npy").values.shape == shape


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["<f4", ">f4", ">u2", "<f2", "?"])
def test_arrays_have_their_own_axes_and_the_machine_s_byte_order(
    tmp_path: Path, kind: str, order: Any
) -> None:
    array = np.asarray(np.arange(24).reshape(2, 3, 4) % 2, kind, order)
    np.save(tmp_path / "a.npy", array)
    image = read_image(tmp_path / "a.npy")
    assert image.axes is None
    assert image.values.dtype.isnative
    np.testing.assert_array_equal(image.values, array)


def whole(kind: str) -> bytes:
    file = io.BytesIO()
    if kind == ".npy":
        np.save(file, np.arange(64.0))
    elif kind == ".npz":
        np.savez(file, np.arange(64.0))
    else:
        pixels = np.random.default_rng(0).integers(0, 256, (40, 50), dtype=np.uint8)
        picture = pytest.importorskip("PIL.Image").fromarray(pixels)
        picture.save(file, kind.removeprefix(".").upper())
    return file.getvalue()


@pytest.mark.parametrize(
    "kind", [".npy", ".npz", ".png", ".jpeg", ".gif", ".bmp", ".webp", ".tiff"]
)
def test_a_damaged_file_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a{kind}"
    path.write_bytes(b"")
    with pytest.raises(FileError, match=rf"a{kind}' cannot be read: it is empty\."):
        read_image(path)
    path.write_text("no picture, but a text of some length")
    with pytest.raises(FileError, match=rf"a{kind}' cannot be read: it (is not a|does not start)"):
        read_image(path)
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 12\n")
    with pytest.raises(FileError, match="it is a Git LFS pointer: fetch the file with git lfs"):
        read_image(path)
    for part in (0.4, 0.8):
        path.write_bytes(whole(kind)[: int(part * len(whole(kind)))])
        with pytest.raises(FileError, match=rf"a{kind}' cannot be read: "):
            read_mask(path)


def test_python_objects_are_not_read(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([None]), allow_pickle=True)
    (tmp_path / "b.npy").write_bytes(pickle.dumps([1, 2]))
    for name in "ab":
        with pytest.raises(FileError) as error:
            read_image(tmp_path / f"{name}.npy")
        assert "trust" not in str(error.value)


def test_a_header_that_promises_too_much_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((8, 9), np.float32))
    damaged = (
        (tmp_path / "a.npy").read_bytes().replace(b"(8, 9), }   ", b"(8, 9" + b"0" * 4 + b"), ")
    )
    large = damaged.replace(b"(8, 90000), ", b"(8, 90000),}")
    (tmp_path / "a.npy").write_bytes(large)
    with pytest.raises(FileError, match="a.npy' cannot be read: "):
        read_image(tmp_path / "a.npy")


@pytest.mark.parametrize("name", ["a.png", "a.npy", "a.tif"])
def test_links_to_nowhere_and_folders_are_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).symlink_to("../annex/objects/x")
    with pytest.raises(FileNotFoundError, match=rf"{name}' is a link to '../annex.*git annex get"):
        segmenter().fit([tmp_path / name] * 2, np.zeros((2, 8, 8), int))
    (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        read_image(tmp_path / name)
    (tmp_path / name).mkdir()
    with pytest.raises(FileError, match=rf"{name}' cannot be read: it is a folder"):
        read_mask(tmp_path / name)


def test_a_cut_jpeg_among_many_is_named(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{k}.jpg" for k in range(4)]
    for path in paths:
        image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(path)
    paths[2].write_bytes(paths[2].read_bytes()[:-50])
    with pytest.raises(ValueError, match="2.jpg' cannot be read: image file is truncated"):
        classifier().fit(paths, [0, 1, 0, 1])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
@pytest.mark.parametrize("read", [read_image, read_mask, open_scene])
def test_pipes_are_refused(tmp_path: Path, read: Any) -> None:
    os.mkfifo(tmp_path / "a.tif")
    with pytest.raises(FileError, match=r"a\.tif.*it is a pipe or a device"):
        read(tmp_path / "a.tif")
