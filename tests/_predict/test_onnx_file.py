"""Exported files are read only if they are whole, ours, and hold everything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sklearnloss._predict.onnx_file import KEY, read_onnx

from .exported import proto, write

onnx = pytest.importorskip("onnx")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "model.onnx", proto())


def test_metadata_are_read(path: Path) -> None:
    file = read_onnx(path)
    assert file.metadata["classes"] == [0, 1]
    assert file.data == path.read_bytes()


def test_a_truncated_file_is_refused_wherever_it_ends(path: Path) -> None:
    data = path.read_bytes()
    for end in [*range(1, len(data), 7), len(data) - 1]:
        path.write_bytes(data[:end])
        with pytest.raises(ValueError, match="not an ONNX file|does not say how|damaged"):
            read_onnx(path)


def test_a_changed_weight_is_noticed(path: Path) -> None:
    model = onnx.load(path)
    data = path.read_bytes()
    raw = model.graph.initializer[0].raw_data
    assert data.count(raw) == 1
    path.write_bytes(data.replace(raw, bytes(len(raw))))
    with pytest.raises(ValueError, match="damaged or changed since it was exported"):
        read_onnx(path)


@pytest.mark.parametrize("content", [b"", b"no model", b"\x89PNG\r\n\x1a\n" + bytes(100), b"PK"])
def test_other_files_are_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ValueError, match="'.*model.onnx' (is not an ONNX|does not say)"):
        read_onnx(path)


def test_an_onnx_file_of_another_program_is_refused(path: Path) -> None:
    model = proto()
    onnx.save(model, path)
    with pytest.raises(ValueError, match="was not written by sklearnloss"):
        read_onnx(path)


def test_folders_and_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is a folder"):
        read_onnx(tmp_path)
    with pytest.raises(FileNotFoundError, match="missing.onnx"):
        read_onnx(tmp_path / "missing.onnx")


def test_a_file_beyond_two_gigabytes_is_refused(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(2**31)  # sparse
    with pytest.raises(ValueError, match="larger than 2 GB"):
        read_onnx(path)


def _external(tensor: Any) -> None:
    """Make a tensor refer to another file."""
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../secret"
    tensor.ClearField("raw_data")


@pytest.mark.parametrize("place", ["weight", "constant", "sparse", "branch"])
def test_weights_in_other_files_are_refused(path: Path, place: str) -> None:
    model = proto()
    if place == "weight":
        _external(model.graph.initializer[0])
    else:
        tensor = onnx.numpy_helper.from_array(np.ones(3), "values")
        _external(tensor)
        node = onnx.helper.make_node("Constant", [], ["values"], value=tensor)
        if place == "sparse":
            del node.attribute[:]
            attribute = node.attribute.add(name="sparse_value")
            attribute.sparse_tensor.values.CopyFrom(tensor)
        if place == "branch":
            branch = onnx.helper.make_graph([node], "branch", [], [])
            node = onnx.helper.make_node("If", ["missing"], ["y"], then_branch=branch)
        model.graph.node.append(node)
    write(path, model)
    with pytest.raises(ValueError, match="keeps weights in other files"):
        read_onnx(path)


def test_damaged_metadata_are_refused(path: Path) -> None:
    for text in ("{", "[]", "{}", '{"format": "x"}', "[" * 100_000):
        model = proto()
        entry = model.metadata_props.add()
        entry.key, entry.value = KEY, text
        onnx.save(model, path)
        with pytest.raises(ValueError, match="The metadata of .* are damaged"):
            read_onnx(path)


def test_a_newer_format_is_refused(path: Path) -> None:
    write(path, proto(), format=2, versions={"sklearnloss": "9.0"})
    with pytest.raises(ValueError, match="by a newer version of sklearnloss, 9.0"):
        read_onnx(path)
