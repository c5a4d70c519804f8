"""Zarr arrays and OME-Zarr images; metadata that would run code or lead out of the folder."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sklearnloss._files.read import FileError, read_image, read_mask

zarr = pytest.importorskip("zarr")

STACK = np.arange(2 * 3 * 8 * 9, dtype=np.uint16).reshape(2, 3, 8, 9)


def save(path: Path, values: np.ndarray, version: Any = 3) -> Path:
    chunks = tuple(-(-size // 2) for size in values.shape)
    array = zarr.create_array(
        path, shape=values.shape, dtype=values.dtype, chunks=chunks, zarr_format=version
    )
    array[...] = values
    return path


def save_ome(path: Path, values: np.ndarray, axes: list[Any], scale: Any, version: Any = 2) -> Path:
    """Write an image with a smaller copy of it."""
    group = zarr.open_group(path, mode="w", zarr_format=version)
    datasets = []
    for level in range(2):
        name = f"level {level}"
        save(path / name, values[..., :: level + 1], version)
        transform = [{"type": "scale", "scale": scale}] if scale else []
        datasets.append({"path": name, "coordinateTransformations": transform})
    image = [{"version": "0.4", "axes": axes, "datasets": datasets}]
    group.attrs.update({"multiscales": image} if version == 2 else {"ome": {"multiscales": image}})
    return path


def named(names: str) -> list[dict[str, str]]:
    kinds = {"t": "time", "c": "channel"}
    return [{"name": name, "type": kinds.get(name, "space")} for name in names]


def edit(path: Path, **changes: Any) -> None:
    content = json.loads(path.read_text())
    content.update(changes)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("kind", ["uint8", ">i2", "float32", "bool"])
def test_one_array_has_its_own_axes(tmp_path: Path, version: int, kind: str) -> None:
    path = save(tmp_path / "a.zarr", (STACK % 2).astype(kind), version)
    image = read_image(path)
    assert image.axes is None
    assert image.values.dtype.isnative
    np.testing.assert_array_equal(image.values, zarr.open(path)[...])
    np.testing.assert_array_equal(read_mask(path), STACK % 2)
    path.rename(tmp_path / "a")  # the name does not matter
    np.testing.assert_array_equal(read_image(tmp_path / "a").values, image.values)


def test_a_group_holds_one_array(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    group.create_array("x", shape=(8, 9), dtype="u1")[...] = 3
    assert (read_image(tmp_path / "a.zarr").values == 3).all()
    group.create_array("y", shape=(8, 9), dtype="u1")
    with pytest.raises(FileError, match=r"it holds 2 arrays or groups \('x', 'y'\). Expected one"):
        read_image(tmp_path / "a.zarr")


@pytest.mark.parametrize("version", [2, 3])
def test_ome_zarr_is_read_in_full_resolution_with_its_axes(tmp_path: Path, version: int) -> None:
    path = save_ome(
        tmp_path / "a.ome.zarr", STACK[None], named("tczyx"), [1, 1, 2, 0.5, 0.25], version
    )
    image = read_image(path)
    assert (image.axes, image.spacing) == ("CZYX", (2.0, 0.5, 0.25))
    np.testing.assert_array_equal(image.values, STACK)
    other = save_ome(tmp_path / "b.zarr", STACK.swapaxes(0, 1), named("zcyx"), None, version)
    image = read_image(other)
    assert (image.axes, image.spacing) == ("CZYX", None)
    np.testing.assert_array_equal(image.values, STACK)


def test_names_of_axes(tmp_path: Path) -> None:
    axes = [{"name": "channel 7", "type": "channel"}, *named("yx")]
    assert read_image(save_ome(tmp_path / "a.zarr", STACK[0], axes, None)).axes == "CYX"
    assert read_image(save_ome(tmp_path / "b.zarr", STACK[0], list("zyx"), None)).axes == "ZYX"
    with pytest.raises(FileError, match="it holds 2 points in time"):
        read_image(save_ome(tmp_path / "c.zarr", STACK, named("tzyx"), None))
    with pytest.raises(FileError, match="it holds 3 elements along the axis o"):
        read_image(save_ome(tmp_path / "d.zarr", STACK[0], [{"name": "fov"}, *named("yx")], None))


def test_labels_are_integers(tmp_path: Path) -> None:
    path = save(tmp_path / "a.zarr", np.full((4, 5), 2.0))
    assert read_mask(path).dtype == np.uint8
    with pytest.raises(FileError, match="it is a mask that holds 0.5"):
        read_mask(save(tmp_path / "b.zarr", np.full((4, 5), 0.5)))


@pytest.mark.parametrize("name", ["../secret", "/etc", "x/../../secret", "..\\secret", "link"])
def test_metadata_do_not_lead_out_of_the_folder(tmp_path: Path, name: str) -> None:
    save(tmp_path / "secret", STACK[0, 0])
    path = save_ome(tmp_path / "a.zarr", STACK[0], named("zyx"), None)
    (path / "link").symlink_to(tmp_path / "secret")
    attributes = json.loads((path / ".zattrs").read_text())
    attributes["multiscales"][0]["datasets"][0]["path"] = name
    (path / ".zattrs").write_text(json.dumps(attributes))
    with pytest.raises(FileError, match="its metadata lead out of the folder"):
        read_image(path)


class Trap:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> Any:
        return exec, ("raise SystemExit('code of the file was run')",)


def test_nothing_in_a_folder_runs_code(tmp_path: Path) -> None:
    path = save(tmp_path / "a.zarr", np.zeros(4, np.uint8), 2)
    for chunk in path.glob("[0-9]*"):
        chunk.write_bytes(pickle.dumps(Trap()))
    edit(path / ".zarray", compressor=None, filters=[{"id": "pickle", "protocol": 5}])
    with pytest.raises(FileError, match="a.zarr' cannot be read: "):
        read_image(path)
    edit(path / ".zarray", dtype="|O")
    with pytest.raises(FileError, match="it holds values of the type '|O'"):
        read_image(path)
    other = save(tmp_path / "b.zarr", np.zeros(4, np.uint8), 3)
    edit(other / "zarr.json", codecs=[{"name": "my\x1b[2Jcodec", "configuration": {}}])
    with pytest.raises(FileError, match=r"it needs the codec 'my\\x1b\[2Jcodec'"):
        read_image(other)
    sharded = {"name": "sharding_indexed", "configuration": {"codecs": [{"name": "evil"}]}}
    edit(other / "zarr.json", codecs=[sharded])
    with pytest.raises(FileError, match="it needs the codec 'evil'"):
        read_image(other)


@pytest.mark.parametrize("version", [2, 3])
def test_sizes_beyond_memory_are_refused(tmp_path: Path, version: int) -> None:
    path = save(tmp_path / "a.zarr", np.zeros((4, 5), np.uint8), version)
    metadata = path / (".zarray" if version == 2 else "zarr.json")
    edit(metadata, shape=[2**40, 2**40])
    with pytest.raises(FileError, match=r"announces 1.049e\+06 EiB .*this machine has"):
        read_image(path)
    grid = {"name": "regular", "configuration": {"chunk_shape": [2**40, 8]}}
    edit(metadata, shape=[4, 5], chunks=[2**40, 8], chunk_grid=grid)
    with pytest.raises(FileError, match="announces 8 TiB .*this machine has"):
        read_image(path)


def test_damaged_folders_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.zarr").mkdir()
    with pytest.raises(FileError, match="a.zarr' cannot be read: it is a folder without zarr.json"):
        read_image(tmp_path / "a.zarr")
    for text in ("", "{", "[]", '{"zarr_format": 3, "node_type": "array"}', "[" * 100_000):
        (tmp_path / "a.zarr" / "zarr.json").write_text(text)
        with pytest.raises(FileError, match="a.zarr' cannot be read: "):
            read_image(tmp_path / "a.zarr")
    (tmp_path / "b.zarr").write_text("a file")
    with pytest.raises(FileError, match="b.zarr' cannot be read: it is not a folder"):
        read_image(tmp_path / "b.zarr")
    path = save(tmp_path / "c.zarr", STACK)
    for chunk in (path / "c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(chunk.read_bytes()[:-3])
    with pytest.raises(FileError, match="c.zarr' cannot be read: "):
        read_image(path)


def test_plates_are_refused(tmp_path: Path) -> None:
    zarr.open_group(tmp_path / "a.zarr", mode="w", attributes={"ome": {"plate": {}}})
    with pytest.raises(FileError, match="a plate or well with many images"):
        read_image(tmp_path / "a.zarr")
