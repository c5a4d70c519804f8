"""Headers that announce more than the file holds, whatever its kind, and hostile names."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sklearnloss._files import limits
from sklearnloss._files.read import FileError, read_image, read_mask


def npy_header(shape: tuple[int, ...], dtype: str = "|u1") -> bytes:
    file = io.BytesIO()
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


def assert_refused(path: Path, message: str) -> None:
    """Check that a file is refused without taking memory for it."""
    for read in (read_image, read_mask):
        tracemalloc.start()
        with pytest.raises(FileError, match=rf"'[^']*{path.name}' cannot be read: .*{message}"):
            read(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2**25


@pytest.mark.parametrize("shape", [(2**20, 2**13), (2**40, 2**40), (2**62, 4)])
def test_arrays(tmp_path: Path, shape: tuple[int, ...]) -> None:
    (tmp_path / "a.npy").write_bytes(npy_header(shape) + bytes(100))
    assert_refused(tmp_path / "a.npy", "its header announces .* but the file has only 100 bytes")
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("../../x.npy", npy_header(shape) + bytes(100))
    assert_refused(tmp_path / "a.npz", "its header announces .* but the file has only 100 bytes")


def test_negative_sizes(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(npy_header((-1, 5)) + bytes(100))
    assert_refused(tmp_path / "a.npy", "")


def test_an_archive_that_unpacks_to_more_than_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(tmp_path / "a.npz", np.zeros(2**20, np.uint8))
    np.save(tmp_path / "a.npy", np.zeros(2**20, np.uint8))
    monkeypatch.setattr(limits, "total_memory", lambda: 2**19)
    assert_refused(tmp_path / "a.npz", "announces 1 MiB .*this machine has 512 KiB of memory")
    assert_refused(tmp_path / "a.npy", r"1 MiB \(1048576 numbers of 1 bytes\), .*cut the image")


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + content + chunk(b"IEND", b"")


def test_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("PIL")
    (tmp_path / "a.png").write_bytes(png(60_000, 60_000))
    assert_refused(tmp_path / "a.png", "decompression bomb.*set PIL.Image.MAX_IMAGE_PIXELS = None")
    (tmp_path / "a.png").write_bytes(png(12_000, 12_000))
    monkeypatch.setattr(limits, "total_memory", lambda: 2**26)
    monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", 2**28)
    assert_refused(tmp_path / "a.png", "announces 137.3 MiB .*this machine has 64 MiB")


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (16, 16)}])
def test_tiff(tmp_path: Path, options: Any) -> None:
    tifffile = pytest.importorskip("tifffile")
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((64, 64), np.uint8), metadata=None, **options)
    with tifffile.TiffFile(path, mode="r+") as file:
        for name in ("ImageWidth", "ImageLength"):
            page = file.pages[0]
            page.tags[name].overwrite(2**31 if options else 300_000, dtype="I")
    assert_refused(path, "its header announces" if not options else "")


def test_names_with_control_characters_are_escaped(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[2J\u202e\udce9.npy"
    path.write_bytes(b"no array")
    with pytest.raises(FileError, match=r"a\\x1b\[2J\\u202e\\xe9.npy' cannot be read: it does not"):
        read_image(path)
    path.write_bytes(b"")
    with pytest.raises(FileError, match=r"a\\x1b\[2J\\u202e\\xe9.npy' cannot be read: it is empty"):
        read_image(path)
    other = path.with_suffix(".\x1bx")
    with pytest.raises(ValueError, match=r"xe9.\\x1bx' is of an unknown kind"):
        read_image(other)
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as file:
        for name in ("x\x1b.npy", "y.npy"):
            file.writestr(name, npy_header((3,)) + bytes(3))
    with pytest.raises(FileError) as error:
        read_image(tmp_path / "b.npz")
    assert str(error.value).isprintable()
    assert FileError(Path("a"), "\x1b[2J").reason == r"\x1b[2J"


def test_a_link_that_leads_out_of_the_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    np.save(tmp_path / "a.npy", np.arange(3))
    (tmp_path / "folder" / "b.npy").symlink_to(tmp_path / "a.npy")
    np.testing.assert_array_equal(read_image(tmp_path / "folder" / "b.npy").values, np.arange(3))
