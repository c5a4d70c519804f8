"""Data that is read batch by batch: files, lists of arrays, torch Datasets, memory maps."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from torch.utils.data import Dataset, IterableDataset

from sklearnloss.metrics import iou_score

from ..conftest import Data, classifier, segmenter
from .training import in_batches, one_by_one

Files = Callable[[np.ndarray, str], list[Path]]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Write arrays, one file each, and return the paths."""

    def write(arrays: np.ndarray, suffix: str) -> list[Path]:
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        paths = [folder / f"{i:03}{suffix}" for i in range(len(arrays))]
        for path, array in zip(paths, arrays, strict=True):
            if suffix == ".npy":
                np.save(path, array)
            elif suffix == ".npz":
                np.savez(path, image=array)
            else:
                pytest.importorskip("PIL.Image").fromarray(array).save(path)
        return paths

    return write


class Pairs(Dataset):  # type: ignore[type-arg]
    """Images, with targets unless there are none."""

    def __init__(self, X: np.ndarray, y: np.ndarray | None = None) -> None:
        self.X, self.y = X, y
        self.read: list[int] = []

    def __len__(self) -> int:
        return len(self.X)

    def __getitem__(self, index: int) -> Any:
        self.read.append(index)
        image = torch.from_numpy(self.X[index])
        return image if self.y is None else (image, self.y[index])


def memory_map(array: np.ndarray, path: Path) -> np.ndarray:
    """Return an array as a memory-mapped file."""
    np.save(path, array)
    mapped: np.ndarray = np.load(path, mmap_mode="r")
    assert isinstance(mapped, np.memmap)
    return mapped


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_files_train_the_model_that_arrays_train(suffix: str, files: Files, scenes: Data) -> None:
    X, y = scenes
    expected = segmenter(max_epochs=2).fit(X, y)
    X_files, y_files = files(X, suffix), [str(path) for path in files(y, suffix)]
    model = segmenter(max_epochs=2).fit(X_files, y_files)
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.input_shape_ == (1, 16, 16)
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-4)
    np.testing.assert_array_equal(model.predict_proba(X_files), model.predict_proba(X))
    assert model.score(X_files, y_files) == pytest.approx(iou_score(y, model.predict(X)))


@pytest.mark.slow
def test_every_way_of_giving_data_trains_the_same_model(
    files: Files, tmp_path: Path, scenes: Data
) -> None:
    X, y = scenes
    paths = files(X, ".npy"), files(y, ".npy")
    expected = segmenter().fit(*paths).predict_proba(X)
    mapped = memory_map(X, tmp_path / "X.npy"), memory_map(y, tmp_path / "y.npy")
    ways: list[tuple[Any, Any]] = [
        (paths[0], y),
        (X, paths[1]),
        (np.array([str(path) for path in paths[0]]), np.array(paths[1], dtype=object)),
        (list(zip(paths[0], paths[1], strict=True)), None),
        (Pairs(X, y), None),
        (Pairs(X), y),
        (list(mapped[0]), list(mapped[1])),
        (X, mapped[1]),
        mapped,
        (X, y),
        (list(X), list(y)),
        ([torch.from_numpy(x) for x in X], [torch.from_numpy(m) for m in y]),
    ]
    for images, masks in ways:
        model = segmenter().fit(images, masks)
        np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-4)


def test_pandas_columns_of_paths_are_read(files: Files, scenes: Data) -> None:
    pd = pytest.importorskip("pandas")
    X, y = scenes
    table = pd.DataFrame({"image": map(str, files(X, ".npy")), "mask": map(str, files(y, ".npy"))})
    model = segmenter().fit(table["image"], table["mask"])
    np.testing.assert_array_equal(model.predict(table["image"]), model.predict(X))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_pictures_have_their_channels_where_asked(suffix: str, files: Files) -> None:
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (6, 16, 16, 3)).astype(np.uint8)
    y = np.where(X[..., 0] > 127, 255, 0).astype(np.uint8)
    pictures, masks = files(X, suffix), files(y, suffix)
    first = segmenter().fit(pictures, masks)
    assert first.input_shape_ == (3, 16, 16)
    assert first.classes_.tolist() == [0, 255]
    assert first.predict(pictures).dtype == np.uint8
    last = segmenter(channels="last").fit(pictures, masks)
    np.testing.assert_array_equal(last.predict_proba(X), first.predict_proba(pictures))


def test_16_bit_and_black_and_white_pictures_are_read(files: Files) -> None:
    deep = np.arange(128, dtype=np.uint16).reshape(2, 8, 8) * 500
    for images in (deep, deep > 20000):
        model = classifier().fit(images, [0, 1])
        scores = model.decision_function(images)
        np.testing.assert_array_equal(model.decision_function(files(images, ".png")), scores)


@pytest.mark.slow
def test_the_classifier_reads_files_and_datasets(files: Files, digits: Data) -> None:
    X, y = digits
    names = np.array(["zero", "one", "two"])[y]
    paths = files(X, ".npy")
    expected = classifier(max_epochs=3).fit(X, names)
    model = classifier(max_epochs=3).fit(paths, names)
    assert model.classes_.tolist() == ["one", "two", "zero"]
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-3)
    assert model.score(paths, names) == model.score(X, names)
    numbers = classifier(max_epochs=3).fit(Pairs(X, y))
    assert numbers.classes_.tolist() == [0, 1, 2]
    assert numbers.score(Pairs(X, y)) == numbers.score(X, y)
    assert classifier(class_weight="balanced", early_stopping=True).fit(Pairs(X, y)).n_iter_ == 1


@pytest.mark.slow
@pytest.mark.parametrize("scaled", [np.float32, np.float64, np.uint8, np.uint16, np.bool_])
def test_scaling_is_that_of_the_whole_data(scaled: Any, digits: Data) -> None:
    X, y = digits[0].astype(scaled), digits[1]
    model = classifier().fit(Pairs(X), y)
    mean, scale = X.mean(dtype=float), X.std(dtype=float)
    np.testing.assert_allclose(model.scaling_.mean, mean, rtol=1e-6)
    np.testing.assert_allclose(model.scaling_.scale, scale, rtol=1e-6)
    assert classifier(normalize=None).fit(Pairs(X), y).scaling_ is None


def test_samples_are_read_once_beforehand_and_once_an_epoch(scenes: Data) -> None:
    data = Pairs(*scenes)
    segmenter(max_epochs=3).fit(data)
    first = data.read.count(0) - 4  # whether there are targets is seen from the first
    assert 0 <= first <= 3
    assert all(data.read.count(i) == 4 for i in range(1, 12))


def test_multilabel_masks_and_ignored_pixels_are_read(files: Files, scenes: Data) -> None:
    X, y = scenes
    masks = np.stack([y == 1, y > 0], 1).astype(np.uint8)
    masks[:, 0, :4] = 9
    params: dict[str, Any] = {"multilabel": True, "ignore_index": 9, "class_weight": "balanced"}
    model = segmenter(**params, max_epochs=2).fit(X, files(masks, ".npy"))
    expected = segmenter(**params, max_epochs=2).fit(X, masks)
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-4)
    weight = model.loss_.get_params()["bce__pos_weight"]
    np.testing.assert_allclose(weight, expected.loss_.get_params()["bce__pos_weight"])
    assert model.score(files(X, ".npy"), files(masks, ".npy")) == pytest.approx(
        model.score(X, masks)
    )


def test_class_weights_are_those_of_arrays(files: Files, scenes: Data) -> None:
    X, y = scenes
    y = np.where(y == 2, 7, y)
    model = segmenter("focal", class_weight="balanced", ignore_index=7).fit(files(X, ".npy"), y)
    expected = segmenter("focal", class_weight="balanced", ignore_index=7).fit(X, y)
    np.testing.assert_allclose(model.loss_.alpha, expected.loss_.alpha)


@pytest.mark.slow
def test_weights_early_stopping_and_partial_fit_go_with_files(files: Files, scenes: Data) -> None:
    X, y = scenes
    weight = np.arange(12.0)
    paths = files(X, ".npy"), files(y, ".npy")
    params: dict[str, Any] = {"early_stopping": True, "validation_fraction": 0.3, "max_epochs": 3}
    model = segmenter(**params).fit(*paths, weight)
    expected = segmenter(**params).fit(X, y, weight)
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-3)
    assert model.score(*paths, weight) == pytest.approx(model.score(X, y, weight))
    model.partial_fit(*paths)
    model.partial_fit(files(X[:, :8], ".npy"), y[:, :8])
    with pytest.raises(ValueError, match=r"shape \(2, 16, 16\).*fitted on images of shape"):
        model.partial_fit(files(np.stack([X, X], 1), ".npy"), y)


def test_a_model_does_not_keep_what_it_has_read(files: Files, scenes: Data) -> None:
    model = segmenter().fit(files(scenes[0], ".npy"), files(scenes[1], ".npy"))
    pickled = pickle.dumps(model)
    assert b"000.npy" not in pickled
    again = pickle.loads(pickled)
    np.testing.assert_array_equal(again.predict(scenes[0]), model.predict(scenes[0]))


def test_augmented_batches_are_read(files: Files, scenes: Data) -> None:
    X, y = scenes
    model = segmenter(augment=["flip", "noise"]).fit(files(X, ".npy"), files(y, ".npy"))
    expected = segmenter(augment=["flip", "noise"]).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-4)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The least populated class")
def test_scikit_learn_indexes_lists_of_files(files: Files, scenes: Data, digits: Data) -> None:
    X, y = files(scenes[0], ".npy"), files(scenes[1], ".npy")
    expected = cross_val_score(segmenter(), *scenes, cv=3)
    np.testing.assert_allclose(cross_val_score(segmenter(), X, y, cv=3), expected, atol=1e-2)
    search = GridSearchCV(segmenter(), {"loss": ["dice", "focal"]}, cv=2).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    assert 0 <= segmenter().fit(X_train, y_train).score(X_test, y_test) <= 1
    scores = cross_val_score(classifier(), files(digits[0], ".npy"), digits[1], cv=2)
    assert np.isfinite(scores).all()


def test_scikit_learn_takes_a_dataset_of_pairs(scenes: Data) -> None:
    scores = cross_val_score(segmenter(), Pairs(*scenes), cv=2)
    np.testing.assert_allclose(scores, cross_val_score(segmenter(), *scenes, cv=2), atol=1e-2)


SIZES = [(16, 16), (16, 16), (9, 20), (40, 7), (16, 16)]


@pytest.mark.slow
@pytest.mark.parametrize("channels", [None, "first", "last"])
def test_images_of_unlike_sizes_are_predicted(channels: str | None, scenes: Data) -> None:
    rng = np.random.default_rng(0)
    X = scenes[0] if channels is None else np.stack([scenes[0]] * 2, 1)
    images = [rng.normal(size=size if channels is None else (2, *size)) for size in SIZES]
    if channels == "last":
        X, images = np.moveaxis(X, 1, -1), [np.moveaxis(image, 0, -1) for image in images]
    model = segmenter(channels=channels or "first").fit(X, scenes[1])
    masks, proba = model.predict(images), model.predict_proba(images)
    assert masks.dtype == proba.dtype == object
    assert [mask.shape for mask in masks] == SIZES
    assert [p.shape for p in proba] == [(3, *size) for size in SIZES]
    for image, mask, p in zip(images, masks, proba, strict=True):
        np.testing.assert_array_equal(mask, model.predict(image[None])[0])
        np.testing.assert_array_equal(p, model.predict_proba(image[None])[0])
    ragged = np.empty(len(images), object)
    ragged[:] = images
    np.testing.assert_array_equal(model.predict(ragged)[3], masks[3])
    perfect = model.score(images, list(masks))
    assert perfect == 1


@pytest.mark.slow
def test_images_of_unlike_sizes_train_a_segmenter(files: Files, scenes: Data) -> None:
    X, y = scenes
    parts = [(X[i, : 16 - 4 * (i % 3)], y[i, : 16 - 4 * (i % 3)]) for i in range(12)]
    images, masks = map(list, zip(*parts, strict=True))
    weight = np.ones(12)
    model = segmenter(max_epochs=40, lr=0.02).fit(images, masks, weight)
    assert model.score(images, masks) > 0.5
    assert len(model.history_[0]["batches"]) == 3
    pixels = np.concatenate([image.ravel() for image in images])
    np.testing.assert_allclose(model.scaling_.mean, pixels.mean(), rtol=1e-5)
    np.testing.assert_allclose(model.scaling_.scale, pixels.std(), rtol=1e-5)
    early = segmenter(early_stopping=True, validation_fraction=0.4, augment="flip")
    assert early.fit(images, masks).partial_fit(images, masks).predict(images)[1].shape == (12, 16)


def test_batches_hold_images_of_one_size() -> None:
    images = [np.full(SIZES[i % 5], i) for i in range(33)]
    sizes = torch.tensor([[0, 0, 1, 2, 0][i % 5] for i in range(33)])
    data = one_by_one(images, sizes).subset(np.arange(1, 33))
    batches = in_batches(data, 4, seed=0)
    seen = [(tuple(x.shape), codes.tolist()) for x, codes in batches]
    assert len(seen) == len(batches) == 9
    assert sorted(code for _, codes in seen for code in codes) == list(range(1, 33))
    for shape, codes in seen:
        assert {SIZES[code % 5] for code in codes} == {shape[2:]}
    order = [codes for _, codes in seen]
    assert order != [codes for _, codes in [(x, c.tolist()) for x, c in batches]]
    plain = [c for _, codes in in_batches(data, 4) for c in codes.tolist()]
    assert sorted(plain) == list(range(1, 33))


def test_masks_of_unlike_sizes_are_scored_together(scenes: Data) -> None:
    X, y = scenes
    model = segmenter(max_epochs=5, lr=0.02).fit(X, y)
    parts = [(X[i, : 16 - i], y[i, : 16 - i]) for i in range(6)]
    images, masks = map(list, zip(*parts, strict=True))
    predicted = np.concatenate([model.predict(image[None]).ravel() for image in images])
    true = np.concatenate([mask.ravel() for mask in masks])
    assert model.score(images, masks) == pytest.approx(iou_score(true[None], predicted[None]))


def test_what_cannot_be_read_is_named(tmp_path: Path, files: Files, scenes: Data) -> None:
    X, y = scenes
    model = segmenter()
    with pytest.raises(
        ValueError, match=r"a.lsm5' is of an unknown kind. Expected .npy, .npz or a p"
    ):
        model.fit([tmp_path / "a.lsm5", tmp_path / "b.lsm5"], y[:2])
    with pytest.raises(FileNotFoundError, match="a.npy"):
        model.fit([tmp_path / "a.npy", tmp_path / "b.npy"], y[:2])
    np.savez(tmp_path / "two.npz", a=X[0], b=X[1])
    with pytest.raises(
        ValueError, match=r"two.npz' cannot be read: it holds 2 arrays, \['a', 'b'\]. Expected one"
    ):
        model.fit([tmp_path / "two.npz"] * 2, y[:2])
    np.save(tmp_path / "o.npy", np.array([None]), allow_pickle=True)
    with pytest.raises(ValueError, match="it holds Python objects, not an array"):
        model.fit([tmp_path / "o.npy"] * 2, y[:2])
    paths, paths_of_two = files(X, ".npy"), files(X[:2], ".npy")
    with pytest.raises(ValueError, match="inconsistent numbers of samples: X has 12, y has 11"):
        model.fit(paths, y[:-1])
    with pytest.raises(
        ValueError, match=r"X\[1\] is an image of shape \(1, 9, 20\) and X\[0\] one"
    ):
        classifier().fit([np.ones(size) for size in SIZES[1:]], [0, 1, 0, 1])
    with pytest.raises(
        ValueError, match=r"X\[1\] is an image of shape \(3, 9, 9\).*the same channels"
    ):
        model.fit([np.ones((2, 9, 9)), np.ones((3, 9, 9))], np.ones((2, 9, 9)))
    masks = [np.ones((1, 16, 16)), np.ones((2, 16, 16))]
    with pytest.raises(ValueError, match=r"y has masks of \[1, 2\] labels. Expected the same n"):
        segmenter(multilabel=True).fit(paths_of_two, masks)
    with pytest.raises(
        ValueError,
        match=r"y\[0\] \(.*000.npy'\) has shape \(8, 16\), but X\[0\] .*of shape \(16, 16\)",
    ):
        model.fit(paths, files(y[:, :8], ".npy"))
    with pytest.raises(ValueError, match="requires y to be passed, but the target y is None"):
        model.fit(paths)
    with pytest.raises(ValueError, match=r"the label .*2.*not among the classes \[0, 1\]"):
        segmenter(classes=[0, 1]).fit(paths, files(y, ".npy"))
    with pytest.raises(ValueError, match="a minimum of 2 is required"):
        classifier().fit(paths[:1], [0])
    with pytest.raises(TypeError, match="no length or cannot be indexed.*map-style torch Dataset"):
        model.fit(Stream(), y)
    with pytest.raises(TypeError, match="X is a Stream, which has no length.*with __len__ and"):
        model.fit(Stream())
    with pytest.raises(TypeError, match="X is a Stream, which has no length"):
        model.fit(X, y).predict(Stream())
    dirty = X.copy()
    dirty[3, 0, 0] = np.nan
    with pytest.raises(ValueError, match=r"Input X contains NaN: see X\[3\] \(.*003.npy"):
        model.fit(files(dirty, ".npy"), y)
    with pytest.raises(ValueError, match=r"X\[0\] \(.*000.npy'\) has dtype complex"):
        model.fit(files(X.astype(complex), ".npy"), y)
    with pytest.raises(ValueError, match=r"Input X contains NaN: see X\[3\] \(.*003.npy"):
        model.fit(X, y).predict(files(dirty, ".npy"))


class Stream(IterableDataset):  # type: ignore[type-arg]
    """Images that come in their own order."""

    def __iter__(self) -> Any:
        return iter([])


def test_a_missing_pillow_is_named(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = files(np.zeros((2, 8, 8), np.uint8), ".png")
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(
        ImportError, match=r"png' needs Pillow: pip install 'sklearnloss\[images\]'"
    ):
        segmenter().fit(paths, np.ones((2, 8, 8)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [np.float32, np.float64, np.uint8, np.uint16, np.int64, bool])
def test_memory_maps_are_not_copied(kind: Any, tmp_path: Path, digits: Data) -> None:
    X = memory_map((digits[0] * (1 if kind is not bool else 0.2)).astype(kind), tmp_path / "X.npy")
    model = classifier()
    images = model._read_images(X, reset=True)
    assert images.whole.data_ptr() == X.ctypes.data
    expected = classifier().fit(np.array(X), digits[1])
    proba = model.fit(X, digits[1]).predict_proba(X)
    np.testing.assert_array_equal(proba, expected.predict_proba(np.array(X)))


MEMORY = """
import resource, sys
import numpy as np
import torch
from sklearnloss import UNetSegmenter

class Made(torch.utils.data.Dataset):
    def __init__(self, n):
        self.n = n
    def __len__(self):
        return self.n
    def __getitem__(self, index):
        image = np.random.default_rng(index).random((12, 128, 128), dtype=np.float32)
        return image, image[0] > 0.5

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

def run(n):
    model = UNetSegmenter(width=1, depth=1, batch_size=8, max_epochs=1, early_stopping=True)
    model.fit(Made(n)).score(Made(n))

run(60)
before = peak()
run(int(sys.argv[1]))
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
def test_memory_does_not_grow_with_the_data() -> None:
    # Otherwise the allocator keeps freed blocks, a few more the longer it runs.
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536"}
    result = subprocess.run(
        [sys.executable, "-c", MEMORY, "160"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert int(result.stdout) < 30  # MiB; the images are 120 MiB
