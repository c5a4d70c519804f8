"""Some samples of an array stand for a copy of them, bit for bit."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import _safe_indexing, indexable
from sklearn.utils.metaestimators import _safe_split
from torch import Tensor

from sklearnloss.estimators._data.dataset import TrainingData
from sklearnloss.estimators._data.rows import ArrayImages, Rows
from sklearnloss.estimators._data.targets import ArrayCodes

from ..conftest import Data, classifier, segmenter

ROWS = np.random.default_rng(0).permutation(60)[:37]
NEW = np.arange(20, 43)  # follow each other


def on_disk(array: np.ndarray, path: Path) -> Any:
    np.save(path, array)
    return np.load(path, mmap_mode="r")


def assert_as_a_copy(model: Any, X: Any, y: np.ndarray, rows: np.ndarray, new: np.ndarray) -> None:
    """Compare training and predictions on rows of X with those on copies of them."""
    copied = model.fit(X[rows], y[rows])
    expected = [getattr(copied, m)(X[new]) for m in ("predict", "predict_proba")]
    expected += [copied.decision_function(X[new]), copied.score(X[new], y[new])]
    weights, scaling, features = copied.module_.state_dict(), copied.scaling_, model.n_features_in_
    model.fit(Rows(X, rows), y[rows])
    for name, tensor in model.module_.state_dict().items():
        assert torch.equal(tensor, weights[name])
    assert model.n_features_in_ == features
    assert all(map(torch.equal, model.scaling_ or (), scaling or ()))
    part = Rows(X, new)
    actual = [getattr(model, m)(part) for m in ("predict", "predict_proba", "decision_function")]
    for one, other in zip([*actual, model.score(part, y[new])], expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["f4", "f8", "f2", "u1", "i2", "u2", "i8", "?", ">f4", "u4"])
def test_rows_of_every_dtype_are_a_copy_of_them(kind: str, digits: Data, tmp_path: Path) -> None:
    X = (digits[0] * (1 if kind != "?" else 0.2)).astype(kind)
    for array in (X, on_disk(X, tmp_path / "X.npy")):
        assert_as_a_copy(classifier(), array, digits[1], ROWS, NEW)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "params"),
    [
        ((60, 64), {"image_shape": (8, 8)}),
        ((60, 64), {}),
        ((60, 64), {"image_shape": (2, 4, 8)}),
        ((60, 4, 4, 4), {}),
        ((60, 4, 8, 2), {"channels": "last"}),
        ((60, 8, 8, 1), {"channels": "last", "normalize": None}),
        ((60, 1, 4, 4, 4), {}),
        ((60, 8, 8), {"early_stopping": True, "max_epochs": 2}),
        ((60, 8, 8), {"class_weight": "balanced", "augment": "shift"}),
    ],
)
def test_rows_in_every_layout_are_a_copy_of_them(
    shape: tuple[int, ...], params: dict[str, Any], digits: Data
) -> None:
    X = digits[0].reshape(shape) + np.random.default_rng(0).random(shape)
    for array in (X, X.astype(np.float32), torch.from_numpy(X).bfloat16(), np.asfortranarray(X)):
        assert_as_a_copy(classifier(**params), array, digits[1], ROWS, NEW)


@pytest.mark.slow
@pytest.mark.parametrize("params", [{}, {"tile": 8}, {"channels": "last"}, {"batch_size": 1}])
def test_rows_of_images_with_masks(params: dict[str, Any], scenes: Data) -> None:
    X, y = scenes
    if "channels" in params:
        X = np.stack([X, -X, X * X], -1)
    for array in (X, X.astype(np.float64), torch.from_numpy(X)):
        assert_as_a_copy(segmenter(**params), array, y, np.array([9, 1, 4, 5]), np.array([7, 6]))


def test_masks_that_are_read_go_with_rows(scenes: Data, tmp_path: Path) -> None:
    X, y = scenes
    paths = [tmp_path / f"{k}.npy" for k in range(12)]
    for path, mask in zip(paths, y, strict=True):
        np.save(path, mask)
    rows = [3, 5, 8, 2]
    chosen = [paths[k] for k in rows]
    expected = segmenter().fit(X[rows], chosen)
    model = segmenter().fit(Rows(X, rows), chosen)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    assert model.score(Rows(X, rows), chosen) == expected.score(X[rows], chosen)


def test_training_goes_on_with_other_rows(digits: Data) -> None:
    X, y = digits
    weight = np.linspace(0, 1, 60)
    model, copied = classifier(warm_start=True), classifier(warm_start=True)
    for rows in (ROWS, NEW):
        model.fit(Rows(X, rows), y[rows], sample_weight=weight[rows])
        copied.fit(X[rows], y[rows], sample_weight=weight[rows])
    model.partial_fit(Rows(X, slice(None, None, 2)), y[::2])
    copied.partial_fit(X[::2], y[::2])
    np.testing.assert_array_equal(model.predict_proba(X), copied.predict_proba(X))


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.uint8, bool])
def test_the_images_stay_where_they_are(
    kind: Any, digits: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    X = on_disk(digits[0].astype(kind), tmp_path / "X.npy")
    monkeypatch.setattr(Rows, "copy", None)
    model = classifier()
    data: Any = model._read_training(Rows(X, ROWS), digits[1][ROWS], None, again=False)
    assert data.images.whole.data_ptr() == X.ctypes.data
    parts = list(ArrayImages(data.images.whole, NEW).split(10))
    assert [part.data_ptr() for part in parts] == [X[k : k + 1].ctypes.data for k in (20, 30, 40)]
    model.fit(Rows(X, ROWS), digits[1][ROWS]).predict(Rows(X, ROWS))


def test_only_the_rows_go_to_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    X = torch.arange(60 * 4).reshape(60, 1, 2, 2)
    monkeypatch.setattr("sklearnloss.estimators._data.rows._CHUNK", 20)
    assert torch.equal(ArrayImages(X, ROWS).to(torch.device("cpu")).whole, X)
    data = TrainingData(ArrayImages(X), ArrayCodes(torch.arange(60), 60), torch.ones(60))
    moved: Any = data.subset(ROWS).to(torch.device("meta"))
    assert moved.images.shape == (37, 1, 2, 2)
    assert moved.images.rows is None
    assert moved.chosen is None
    assert moved.images.device.type == moved.y.device.type == "meta"
    room = 2 * 8 * 37 * 5  # for images and codes, and as much again
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (room - 2, room))
    assert data.to(torch.device("cuda")) is data


def test_rows_are_indexed_as_an_array_is(digits: Data) -> None:
    X, y = digits
    part = Rows(X, ROWS)
    assert (part.shape, part.ndim, part.dtype, len(part)) == ((37, 8, 8), 3, X.dtype, 37)
    keys: list[Any] = [[3, 1], np.array([-1, 5]), slice(4, 9), np.arange(37) % 2 == 0, (ROWS % 37,)]
    for key in keys:
        inner = part[key]
        assert isinstance(inner, Rows)
        assert inner.X is X
        np.testing.assert_array_equal(inner, X[ROWS][key])
    np.testing.assert_array_equal(part[2], X[ROWS[2]])
    np.testing.assert_array_equal(part[:, 3], X[ROWS][:, 3])
    np.testing.assert_array_equal(Rows(torch.from_numpy(X), ROWS)[:2, 1:].numpy(), X[ROWS[:2], 1:])
    np.testing.assert_array_equal(Rows(part, [4, 2]), X[ROWS[[4, 2]]])
    assert np.asarray(part, dtype=int).dtype == int
    with pytest.raises(ValueError, match="without a copy"):
        part.__array__(copy=False)
    assert isinstance(_safe_indexing(part, [1, 2]), Rows)
    chosen, labels = _safe_split(classifier(), *indexable(part, y[ROWS]), np.arange(5))
    assert isinstance(chosen, Rows)
    assert labels.tolist() == y[ROWS[:5]].tolist()


def test_rows_that_are_not_there_are_named() -> None:
    with pytest.raises(IndexError, match="index 7 is out of bounds"):
        Rows(np.zeros((5, 4, 4)), [7])
    with pytest.raises(TypeError, match="X is a list. Expected an array or a tensor"):
        Rows([np.zeros((4, 4))], [0])


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.full((9, 8, 8), np.nan), "Input X contains NaN: see X"),
        (np.full((9, 8, 8), 1e300), "Input X contains infinity or a value too large for"),
        (np.zeros((9, 8, 8), complex), "Complex data not supported"),
        (torch.zeros(9, 8, 8, dtype=torch.complex64), "Expected a dense, real one"),
        (np.zeros(9), "Expected 2D array, got 1D array"),
        (np.zeros((9, 0, 8)), "at least one pixel is required"),
    ],
)
def test_wrong_images_are_named(X: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classifier().fit(Rows(X, [1, 2, 3]), [0, 1, 0])


def test_rows_of_another_width_are_named(digits: Data) -> None:
    X = digits[0].reshape(60, 64)
    with pytest.raises(ValueError, match="a minimum of 2 image"):
        classifier().fit(Rows(X, [1]), [0])
    model = classifier(image_shape=(8, 8)).fit(X, digits[1])
    with pytest.raises(ValueError, match="X has 63 features, but ResNetClassifier is expecting 64"):
        model.predict(Rows(X[:, :63], [1]))


def test_wrong_values_elsewhere_do_not_matter(digits: Data) -> None:
    X = digits[0].copy()
    X[~np.isin(np.arange(60), ROWS)] = np.nan
    assert_as_a_copy(classifier(), X, digits[1], ROWS, ROWS[:9])


def test_whatever_needs_an_array_gets_one(digits: Data) -> None:
    X, y = digits
    part, rows = Rows(X, ROWS), y[ROWS]
    scores = cross_val_score(classifier(), part, rows, cv=3)
    np.testing.assert_array_equal(scores, cross_val_score(classifier(), X[ROWS], rows, cv=3))
    pipeline = make_pipeline(FunctionTransformer(np.sqrt), classifier()).fit(part, rows)
    expected = classifier().fit(np.sqrt(X[ROWS]), rows).predict(np.sqrt(X[ROWS]))
    assert pipeline.predict(part).tolist() == expected.tolist()


def test_rows_are_pickled() -> None:
    again = pickle.loads(pickle.dumps(Rows(np.arange(6.0), [2])))
    assert np.asarray(again).tolist() == [2.0]


@pytest.mark.cuda
def test_rows_train_on_a_gpu(digits: Data) -> None:
    X, y = digits
    model = classifier(device="cuda", precision="float32", deterministic=True)
    for base in (X, torch.from_numpy(X).cuda()):
        assert isinstance(base, (np.ndarray, Tensor))
        assert_as_a_copy(model, base, y, ROWS, NEW)


def test_pixels_that_count_are_those_of_their_own_image() -> None:
    X = torch.arange(3.0)[:, None, None, None].expand(3, 1, 600, 600)  # more than is looked at once
    kept = torch.zeros(3, 600, 600, dtype=torch.bool)
    kept[0, :10], kept[2, :30] = True, True
    mean, scale = ArrayImages(X).scaling(kept)
    assert mean.tolist() == [1.5]
    torch.testing.assert_close(scale, torch.tensor([0.75**0.5]))
    assert ArrayImages(X, np.array([2, 1])).scaling(kept[[2, 1]]).mean.tolist() == [2]
