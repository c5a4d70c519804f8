"""A file that is damaged, foreign or hostile is refused, and runs nothing."""

from __future__ import annotations

import builtins
import contextlib
import importlib
import json
import os
import pickle
import random
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from sklearnloss import load
from sklearnloss.estimators._persistence.file_format import FORMAT, KEY, checksum, read

from ..conftest import Data, classifier, segmenter

Change = Callable[[dict[str, Any], dict[str, Tensor]], Any]


class Bomb:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("exploded"),))


@pytest.fixture(scope="module")
def saved(digits: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a fitted classifier."""
    path = tmp_path_factory.mktemp("saved") / "model.safetensors"
    classifier("dice+focal", width=1).fit(*digits).save(path)
    return path


@pytest.fixture
def changed(saved: Path, tmp_path: Path) -> Callable[[Change], Path]:
    """Return a file whose content was changed and whose checksum was made to fit."""

    def change_file(change: Change) -> Path:
        config, tensors = read(saved)
        change(config, tensors)
        text = json.dumps(config)
        path = tmp_path / "changed.safetensors"
        save_file(tensors, path, {KEY: text, "sha256": checksum(text, tensors)})
        return path

    return change_file


def refuses(path: Path, message: str) -> None:
    """Check that loading raises a ValueError which names the file."""
    with pytest.raises(ValueError, match=message) as caught:
        load(path)
    assert str(caught.value).startswith(f"Cannot load {str(path)!r}: ")


def test_what_is_read_is_what_was_written(saved: Path, changed: Any) -> None:
    config, tensors = read(saved)
    again = read(changed(lambda config, tensors: None))
    assert again[0] == config
    assert again[1].keys() == tensors.keys()
    assert {"sklearnloss", "python", "torch", "skorch", "sklearn", "numpy"} == set(
        config["versions"]
    )
    load(changed(lambda config, tensors: None))


def test_every_flipped_bit_is_noticed(saved: Path, tmp_path: Path) -> None:
    content = saved.read_bytes()
    # Blanks after the header fill it up to a multiple of 8 bytes and mean nothing.
    length = 8 + len(content[8 : 8 + int.from_bytes(content[:8], "little")].rstrip(b" "))
    start = 8 + int.from_bytes(content[:8], "little")
    draw = random.Random(0)
    places = [draw.randrange(0, length) for _ in range(150)]
    places += [draw.randrange(start, len(content)) for _ in range(50)]
    path = tmp_path / "flipped.safetensors"
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        refuses(path, ".")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.999])
def test_a_truncated_file_is_refused(share: float, saved: Path, tmp_path: Path) -> None:
    content = saved.read_bytes()
    path = tmp_path / "part.safetensors"
    path.write_bytes(content[: int(share * len(content))])
    refuses(path, "it was not written by an estimator's save, or is incomplete")


def test_a_longer_file_is_refused(saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "longer.safetensors"
    path.write_bytes(saved.read_bytes() + b"more")
    refuses(path, "it was not written by an estimator's save")


def test_a_header_that_claims_to_be_huge_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge.safetensors"
    path.write_bytes((2**62).to_bytes(8, "little") + b"{}")
    refuses(path, "it was not written by an estimator's save")


def test_other_files_are_refused_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "other.safetensors"
    path.write_bytes(pickle.dumps(Bomb()))
    refuses(path, "it was not written by")
    joblib.dump([Bomb()], path)
    refuses(path, "it was not written by")
    torch.save({"weight": Bomb()}, path)
    refuses(path, "it was not written by")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    refuses(path, "it was not written by")
    save_file({"weight": torch.zeros(2)}, path)
    refuses(path, "it was not written by an estimator's save")
    save_file({"weight": torch.zeros(2)}, path, {"format": "pt"})
    refuses(path, "it was not written by an estimator's save")
    assert not Path("exploded").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expecting value"),
        ("[]", "it is malformed"),
        ("{}", r"it is malformed \(KeyError\('format'\)\)"),
        ("{'format': 1}", "Expecting property name"),
        ('{"format": "1"}', "it has no format version"),
        ('{"format": 0}', "it has no format version"),
        ('{"format": NaN}', "it holds NaN, which is not JSON"),
        ('{"format": ' + "9" * 9999 + "}", "limit"),
        ("[" * 100_000, "it holds more lists and tables than its length allows"),
        (" " * 10**6 + "[" * 100_000, "it is malformed .*[Rr]ecursion"),
        (f'{{"format": {FORMAT}}}', r"it is malformed \(KeyError\('class'\)\)"),
    ],
    ids=[
        "empty",
        "list",
        "object",
        "no-json",
        "text",
        "zero",
        "nan",
        "long",
        "dense",
        "deep",
        "bare",
    ],
)
def test_malformed_json_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "malformed.safetensors"
    tensors = {"network.weight": torch.zeros(2)}
    save_file(tensors, path, {KEY: text, "sha256": checksum(text, tensors)})
    refuses(path, message)


def _wide_arrays(config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    array = {"is": "array", "dtype": "<U999999", "shape": [64], "values": ["a"] * 64}
    config["params"]["class_weight"] = [array] * 30


def _rows(text: str) -> Change:
    def change(config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        tensors["history"] = _text("[" + ", ".join([text] * 100_000) + "]")

    return change


def _lists(config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    config["params"]["classes"] = [[]] * 100_000


def _names(config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    config["params"]["classes"] = ["[{\\"] * 100_000


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [_wide_arrays, _rows("{}"), _rows("[]"), _rows('{"": 0}'), _rows('{"a": [1]}'), _lists, _names],
    ids=["arrays", "rows", "row lists", "small rows", "rows of lists", "lists", "brackets"],
)
def test_the_memory_for_a_file_is_bounded_by_its_size(change: Change, changed: Any) -> None:
    path = changed(change)
    tracemalloc.start()
    with contextlib.suppress(ValueError):
        load(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30 * path.stat().st_size + 10_000_000


def test_an_array_of_strings_is_as_wide_as_they_need(changed: Any) -> None:
    model = load(changed(_wide_arrays))
    assert model.class_weight[0].dtype == "<U1"


def test_names_with_brackets_are_kept(digits: Data, tmp_path: Path) -> None:
    X, y = digits
    frame = pd.DataFrame(np.tile(X.reshape(len(X), -1), 40)).rename(columns="{{[{}]}}".format)
    model = classifier(image_shape=(8, 320)).fit(frame, y)
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert list(again.feature_names_in_) == list(frame.columns)


def test_a_newer_format_says_to_upgrade(changed: Any) -> None:
    path = changed(lambda config, tensors: config.update(format=FORMAT + 1))
    refuses(path, f"it has version {FORMAT + 1} of the format, but this sklearnloss reads only up")


def test_a_wrong_or_missing_checksum_is_noticed(saved: Path, tmp_path: Path) -> None:
    config, tensors = read(saved)
    text, path = json.dumps(config), tmp_path / "model.safetensors"
    for metadata in ({KEY: text}, {KEY: text, "sha256": "0" * 64}):
        save_file(tensors, path, metadata)
        refuses(path, "its checksum is wrong: it is damaged, or was changed after it was saved")


def _pop(*keys: str) -> Change:
    def change(config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        *path, last = keys
        for key in path:
            config = config[key]
        del config[last]

    return change


def _set(*keys: Any) -> Change:
    def change(config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        *path, last, value = keys
        for key in path:
            config = config[key]
        config[last] = value

    return change


def _tensor(name: str, value: Tensor | None) -> Change:
    def change(config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        tensors.pop(name, None)
        if value is not None:
            tensors[name] = value

    return change


def _text(value: str) -> Tensor:
    return torch.frombuffer(bytearray(value.encode()), dtype=torch.uint8)


HOSTILE: list[tuple[Change, str]] = [
    (_set("class", "os.system"), "it holds a 'os.system'; expected 'ImageClassifier' or"),
    (_set("class", "UNetSegmenter"), "its network of depth 18|do not fit"),
    (_set("class", None), "it holds a None; expected"),
    (_set("loss", {"is": "own", "name": "os.system", "class": False}), "malformed .*'os.system'"),
    (_set("custom", ["os.system"]), "it needs objects of your own: 'os.system'. Pass them by name"),
    (_set("loss", {"is": "__import__", "name": "os"}), "it holds a '__import__', which is unknown"),
    (_set("params", "evil", 1), "it is malformed .*unexpected keyword argument 'evil'"),
    (
        _set("params", "width", 2),
        r"tensors do not fit; the first is 'bn1.bias': expected \(2,\)",
    ),
    (_set("params", "width", 10**5), "tensors do not fit"),
    (_set("params", "width", 10**9), "malformed .*overflow"),
    (_set("params", "width", 10**30), "malformed"),
    (_set("params", "width", "wide"), "malformed"),
    (_set("params", "depth", 50), "tensors do not fit"),
    (_set("params", "depth", 10**9), "its network of depth 1000000000 has only"),
    (_set("params", "device", "gpu"), "gpu"),
    (
        _set("params", "net_params", {"is": "dict", "items": [["compile", True]]}),
        "net_params holds 'compile', which the estimator sets itself",
    ),
    (
        _set("params", "net_params", {"is": "dict", "items": [["compile__options", "x"]]}),
        "net_params holds 'compile__options', which the estimator sets itself",
    ),
    (_set("params", "optimizer", "os"), "optimizer='os' is unknown"),
    (_pop("params"), r"malformed \(KeyError\('params'\)\)"),
    (_pop("learnt", "classes_"), "malformed .*classes_"),
    (_pop("learnt", "input_shape_"), "malformed .*input_shape_"),
    (_set("learnt", "input_shape_", [1, 8, 8]), r"its input_shape_ is \[1, 8, 8\]; expected"),
    (_set("learnt", "classes_", [0, 1, 2]), r"its classes_ is \[0, 1, 2\]; expected a nd"),
    (_set("loss", None), "its loss is None, which is not a loss"),
    (
        _set("loss", {"is": "loss class", "name": "dice"}),
        "its loss is .*DiceLoss.*, which is not a loss",
    ),
    (_set("learnt", "predict", 1), "it holds unknown attributes: predict"),
    (_set("learnt", "__class__", 1), "it holds unknown attributes: __class__"),
    (_set("frozen", ["nothing"]), "malformed .*nothing"),
    (_set("class_counts", {"is": "tensor"}), "malformed .*values"),
    (_tensor("network.fc.bias", None), "1 of its tensors do not fit; the first is 'fc.bias'"),
    (_tensor("network.extra", torch.zeros(1)), "first is 'extra': expected none"),
    (_tensor("extra", torch.zeros(1)), "it holds unknown tensors: extra"),
    (_tensor("loss.extra", torch.zeros(1)), "the first is 'extra': expected none"),
    (
        _tensor("network.fc.bias", torch.zeros(4)),
        r"'fc.bias': expected \(3,\) torch.float32, found \(4,\) torch.float32",
    ),
    (
        _tensor("network.fc.bias", torch.zeros(3, dtype=torch.float64)),
        r"'fc.bias': expected \(3,\) torch.float32, found \(3,\) torch.float64",
    ),
    (_tensor("scaling.mean", None), "malformed .*scaling.mean"),
    (_tensor("scaling.mean", torch.zeros(7)), r"'mean': expected \(1,\)"),
    (_tensor("history", None), "malformed .*history"),
    (_tensor("history", _text("{")), "Expecting property name"),
    (_tensor("history", _text("[1]")), "malformed"),
    (_tensor("history", _text('[{"x": {"is": "eval"}}]')), "it holds a 'eval', which is unknown"),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message"),
    HOSTILE,
    ids=lambda value: value[:40] if isinstance(value, str) else "change",
)
def test_what_was_changed_is_refused(change: Change, message: str, changed: Any) -> None:
    refuses(changed(change), message)


def test_a_deep_network_is_refused_before_it_is_built(scenes: Data, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    segmenter(width=1, depth=1).fit(*scenes).save(path)
    config, tensors = read(path)
    config["params"]["depth"] = 10**12
    text = json.dumps(config)
    save_file(tensors, path, {KEY: text, "sha256": checksum(text, tensors)})
    refuses(path, "its network of depth 1000000000000 has only")


def test_loading_runs_and_imports_nothing(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = load(saved)  # whatever is imported late is imported now

    def forbidden(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("something ran")

    for module, names in {
        pickle: ("load", "loads", "Unpickler"),
        torch: ("load",),
        np: ("load",),
        joblib: ("load",),
        importlib: ("import_module",),
        builtins: ("eval", "exec", "compile"),
    }.items():
        for name in names:
            monkeypatch.setattr(module, name, forbidden)
    again = load(saved)
    monkeypatch.undo()
    assert repr(again) == repr(expected)


def test_only_files_are_replaced_and_read(saved: Path, tmp_path: Path) -> None:
    model, pipe = load(saved), tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ValueError, match="pipe' is a device or a pipe"):
        model.save(pipe)
    assert pipe.is_fifo()
    with pytest.raises(ValueError, match="Cannot load .*it is a folder, a device or a pipe"):
        load(pipe)
    with pytest.raises(ValueError, match="Cannot load .*it is a folder, a device or a pipe"):
        load(tmp_path)
    with pytest.raises(IsADirectoryError, match="is a folder. Pass the path of a file in it"):
        model.save(tmp_path)
    with pytest.raises(FileNotFoundError, match="There is no folder .*missing.*Create it first"):
        model.save(tmp_path / "missing" / "model")
