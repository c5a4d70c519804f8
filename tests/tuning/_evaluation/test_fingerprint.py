from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.metrics import f1_score, make_scorer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler
from torch import nn
from torch.utils.data import TensorDataset

from sklearnloss import ImageSegmenter, UNetSegmenter
from sklearnloss.losses import DiceLoss, FocalLoss
from sklearnloss.tuning._evaluation import fingerprint as _fingerprint
from sklearnloss.tuning._evaluation.fingerprint import digest, digest_data

#: The type of texts that numpy 2 has.
TEXT: Any = getattr(np.dtypes, "StringDType", lambda: object)()


def late_change(make: Any) -> tuple[Any, Any]:
    """Return a long array-like, and one that differs in the middle alone."""
    one = np.arange(400.0)
    other = one.copy()
    other[150] += 1
    return make(one), make(other)


def dataset(values: np.ndarray) -> TensorDataset:
    return TensorDataset(torch.tensor(values[150:200]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        late_change(np.asarray),
        late_change(torch.tensor),
        late_change(pd.Series),
        late_change(lambda v: pd.DataFrame({"a": v})),
        late_change(lambda v: v.tolist()),
        late_change(lambda v: v.astype(object)),
        late_change(lambda v: sparse.csr_matrix(v.reshape(20, 20))),
        late_change(lambda v: np.asfortranarray(v.reshape(20, 20))),
        late_change(dataset),
        (np.zeros(4, np.float32), np.zeros(4)),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.array(1), np.array(2)),
        (np.array(["a", "b"]), np.array(["a", "c"])),
        (np.array(["a", "b"], TEXT), np.array(["a", "c"], TEXT)),
        (torch.ones(2, dtype=torch.bfloat16), torch.zeros(2, dtype=torch.bfloat16)),
        (torch.ones(2, dtype=torch.bfloat16), torch.ones(2)),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})),
        (["ab", "c"], ["a", "bc"]),
        ([1, 2], (1, 2)),
        ([[1], 2], [1, [2]]),
        (None, "None"),
        (1, "1"),
        (1, 1.0),
        ({"a": 1}, {"a": 2}),
        (FocalLoss(gamma=2), FocalLoss(gamma=3)),
        (DiceLoss() + FocalLoss(), 2 * DiceLoss() + FocalLoss()),
        (nn.CrossEntropyLoss(), nn.CrossEntropyLoss(label_smoothing=0.1)),
        (UNetSegmenter(width=4), UNetSegmenter(width=8)),
        (make_pipeline(StandardScaler()), make_pipeline(MinMaxScaler())),
        (functools.partial(np.mean, axis=0), functools.partial(np.mean, axis=1)),
        (functools.partial(np.mean, np.arange(9)), functools.partial(np.mean, np.ones(9))),
        (np.mean, np.median),
        (np.random.RandomState(0), np.random.RandomState(1)),
        ({3, 1}, {3, 2}),
    ],
)
def test_unlike_values_have_unlike_digests(one: Any, other: Any) -> None:
    assert digest(one) != digest(other)
    assert digest(one) == digest(one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (np.arange(6).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3))),
        (np.arange(4), torch.arange(4)),
        (UNetSegmenter(loss=FocalLoss()), UNetSegmenter(loss=FocalLoss())),
        (np.zeros((0, 3)), np.zeros((0, 3))),
    ],
)
def test_equal_values_have_equal_digests(one: Any, other: Any) -> None:
    assert digest(one) == digest(other)


def test_objects_without_a_repr_of_their_own_go_by_their_class() -> None:
    class Thing:
        pass

    assert digest(Thing()) == digest(Thing())
    parts = [functools.partial(np.mean, Thing(), key=Thing()) for _ in range(2)]
    assert digest(parts[0]) == digest(parts[1])


def test_large_arrays_count_with_all_their_elements() -> None:
    one = np.zeros((3, 1 << 23), np.uint8)
    other = one.copy()
    other[2, -1] = 1
    assert digest(one) != digest(other)


def test_memory_mapped_arrays_are_the_arrays_in_the_file(tmp_path: Path) -> None:
    np.save(tmp_path / "X.npy", np.arange(10.0))
    assert digest(np.load(tmp_path / "X.npy", mmap_mode="r")) == digest(np.arange(10.0))


def write(path: Path, content: bytes = b"picture") -> str:
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize(
    "make", [list, tuple, np.array, lambda v: np.array(v, object), pd.Series, pd.DataFrame]
)
def test_files_of_data_count_with_their_contents(tmp_path: Path, make: Any, masks: bool) -> None:
    paths = [write(tmp_path / name, name.encode()) for name in ("a.png", "b.png", "c.png")]
    files, labels = make(paths), np.zeros(3)
    before = digest_data(files, labels, masks=masks)
    as_masks = digest_data(labels, files, masks=masks)
    os.utime(paths[1], (1, 1))
    assert digest_data(files, labels, masks=masks) == before
    write(tmp_path / "b.png", b"x.png")  # as long as before
    assert digest_data(files, labels, masks=masks) != before
    assert (digest_data(labels, files, masks=masks) != as_masks) == masks


def test_where_files_lie_and_what_holds_them_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    paths = [write(tmp_path / "one" / f"{k}.png", bytes([k])) for k in range(3)]
    copies = [write(tmp_path / "two" / f"copy-{k}.png", bytes([k])) for k in range(3)]
    monkeypatch.chdir(tmp_path / "one")
    relative = [os.path.basename(path) for path in paths]
    same = [paths, copies, relative, list(map(Path, paths)), tuple(paths)]
    same += [np.array(paths), np.array(paths, object), pd.Series(copies)]
    assert len({digest_data(files, None, masks=False) for files in same}) == 1
    assert digest_data(paths[::-1], None, masks=False) != digest_data(paths, None, masks=False)
    assert digest_data(paths[:2], None, masks=False) != digest_data(paths, None, masks=False)
    pairs = [list(zip(each, paths, strict=True)) for each in (paths, copies, paths[::-1])]
    found = [digest_data(each, None, masks=False) for each in pairs]
    assert found[0] == found[1] != found[2]


def test_a_file_that_was_not_written_to_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Any] = []
    file_digest = hashlib.file_digest

    def noted(file: Any, kind: Any) -> Any:
        read.append(file.name)
        return file_digest(file, kind)

    monkeypatch.setattr(hashlib, "file_digest", noted)
    paths = [write(tmp_path / "a.png"), write(tmp_path / "b.png")]
    # What was written a moment ago may be written again at what looks like the same time.
    for n_reads in (2, 4):
        digest_data(paths, None, masks=False)
        assert len(read) == n_reads
    monkeypatch.setattr(_fingerprint, "_TOO_RECENT", -(10**12))
    for _ in range(2):
        digest_data(paths, None, masks=False)
        assert len(read) == 6
    os.utime(paths[0], (1, 1))
    digest_data(paths, None, masks=False)
    assert read[6:] == [paths[0]]


def test_folders_that_are_images_count_with_their_contents(tmp_path: Path) -> None:
    folder = tmp_path / "a.zarr"
    (folder / "c").mkdir(parents=True)
    (folder / "zarr.json").write_text("{}")
    (folder / "c" / "0").write_bytes(b"some numbers")
    before = digest_data([folder], None, masks=False)
    (tmp_path / "b.zarr").symlink_to(folder)
    assert digest_data([tmp_path / "b.zarr"], None, masks=False) == before
    (folder / "c" / "0").write_bytes(b"more numbers")
    assert digest_data([folder], None, masks=False) != before


def test_names_and_labels_are_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = {"loss": "dice", "callbacks": ["dice"]}
    before = digest(names), digest_data([0], ["dice"], ["dice"], masks=False)
    (tmp_path / "dice").write_text("a file", encoding="utf-8")
    assert (digest(names), digest_data([0], ["dice"], ["dice"], masks=False)) == before


def macro(y_true: Any, y_pred: Any) -> float:
    return float(f1_score(y_true, y_pred, average="macro"))


def micro(y_true: Any, y_pred: Any) -> float:
    return float(f1_score(y_true, y_pred, average="micro"))


def test_an_edited_function_is_noticed_wherever_it_is_held() -> None:
    edited = FunctionType(micro.__code__, globals(), "macro")
    edited.__qualname__ = "macro"
    for hold in (
        lambda function: function,
        lambda function: [functools.partial(function, 1)],
        make_scorer,
        lambda function: {"a": make_scorer(function)},
        FunctionTransformer,
    ):
        assert digest(hold(macro)) != digest(hold(edited))
        assert digest(hold(macro)) == digest(hold(macro))


def test_the_rest_of_a_scorer_counts_too() -> None:
    scorers = [make_scorer(macro), make_scorer(macro, greater_is_better=False)]
    scorers += [make_scorer(f1_score, average=each) for each in ("macro", "micro")]
    assert len({digest(each) for each in scorers}) == 4


@pytest.mark.parametrize("silent", [{"verbose": 2}, {"device": "cpu"}])
def test_what_results_do_not_depend_on_does_not_count(silent: dict[str, Any]) -> None:
    for wrap in (lambda model: model, lambda model: make_pipeline(StandardScaler(), model)):
        assert digest(wrap(UNetSegmenter(**silent))) == digest(wrap(UNetSegmenter()))


def test_the_order_of_steps_counts() -> None:
    steps = [("a", StandardScaler()), ("b", MinMaxScaler())]
    assert digest(Pipeline(steps)) != digest(Pipeline(steps[::-1]))


IN_A_PROCESS = """
import sys
import torch
from torch import nn
from sklearnloss import ImageClassifier
from sklearn.metrics import f1_score, make_scorer
from sklearnloss.losses import DiceLoss, FocalLoss, TverskyLoss
from sklearnloss.tuning._evaluation.fingerprint import digest, in_order
def loss(logits, target, kinds=("a", "b")):
    return logits if target in {"dice", "focal", "tversky"} else kinds
def network(in_channels, n_classes, width=64):
    return nn.Sequential(nn.Conv2d(in_channels, width, 9), nn.Conv2d(width, n_classes, 1))
torch.manual_seed(0)
networks = [network, nn.Linear, network(3, 2), nn.LazyConv2d(2, 3), "timm:resnet18"]
estimators = [ImageClassifier(each) for each in networks]
losses = {"dice", "focal", "tversky", FocalLoss(gamma=1), FocalLoss(gamma=3), DiceLoss()}
values = [loss, make_scorer(f1_score), losses, in_order(losses), *estimators]
print([digest(each) for each in values])
"""


@pytest.mark.slow
def test_digests_are_the_same_in_every_process() -> None:
    found = {
        subprocess.run(
            [sys.executable, "-c", IN_A_PROCESS],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")  # the sets are in another order
    }
    assert len(found) == 1


def test_masks_of_masked_arrays_and_pixels_of_pictures_count() -> None:
    image = pytest.importorskip("PIL.Image")
    X = np.arange(12.0).reshape(3, 2, 2)
    assert digest(np.ma.masked_equal(X, 3)) != digest(np.ma.masked_equal(X, 4))
    assert digest(np.ma.masked_equal(X, 3)) == digest(np.ma.masked_equal(X.copy(), 3))
    pictures = [image.fromarray(np.full((4, 4), k, np.uint8)) for k in (1, 2)]
    assert digest([pictures[0]]) != digest([pictures[1]])


def wide(in_channels: int, n_classes: int) -> nn.Module:
    return nn.Conv2d(in_channels, n_classes, 5)


@pytest.mark.parametrize("size", [3, 41])  # few numbers, and many
def test_the_weights_of_a_network_count(size: int) -> None:
    torch.manual_seed(0)
    network = nn.Conv2d(2, 2, size)
    again = nn.Conv2d(2, 2, size)
    again.load_state_dict(network.state_dict())
    assert digest(ImageSegmenter(network)) == digest(ImageSegmenter(again))
    assert digest(ImageSegmenter(nn.Conv2d(2, 2, size))) != digest(ImageSegmenter(network))
    again.load_state_dict(network.state_dict())
    again.padding = (1, 1)
    assert digest(ImageSegmenter(network)) != digest(ImageSegmenter(again))


def test_networks_that_are_others_have_other_digests() -> None:
    networks: list[Any] = [
        *("unet", "smp:Unet/resnet18", wide, lambda in_channels, n_classes: wide(3, 3)),
        *(nn.Conv2d, nn.Conv3d, nn.LazyConv2d(2, 3), nn.LazyConv2d(2, 5)),
    ]
    found = {digest(ImageSegmenter(each)) for each in networks}
    found.add(digest(ImageSegmenter("unet", network__width=3)))
    assert len(found) == len(networks) + 1


CLASS = """
class Own({base}):
    def forward(self, x):
        return {body}

    def __init__(self):
        super().__init__()
"""


def own_class(base: type, body: str, module: str = "__main__") -> type:
    """Return a class as a script defines it."""
    scope: dict[str, Any] = {"__name__": module, "Base": base}
    exec(CLASS.format(base="Base", body=body), scope)
    made: type = scope["Own"]
    return made


def test_an_edited_network_is_another_one() -> None:
    before, same, edited = (own_class(nn.Module, body) for body in ("x", "x", "2 * x"))
    assert digest(before) == digest(same) != digest(edited)
    assert digest(ImageSegmenter(before)) != digest(ImageSegmenter(edited))
    bases = [own_class(own_class(nn.Module, body), "x") for body in ("x", "2 * x")]
    assert digest(bases[0]) != digest(bases[1])


def test_classes_that_are_not_edited_go_by_their_name() -> None:
    # A fault in an estimator may be mended before its search is resumed.
    assert digest(own_class(object, "x")) == digest(own_class(object, "2 * x"))
    assert digest(nn.Conv2d) != digest(nn.Conv3d)
    installed = [own_class(nn.Module, body, "torch.nn.modules.conv") for body in ("x", "2 * x")]
    assert digest(installed[0]) == digest(installed[1])
