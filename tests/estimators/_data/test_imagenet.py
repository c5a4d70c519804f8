"""normalize="imagenet" scales images as pretrained networks expect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch.utils.data import Dataset

from sklearnloss import ImageClassifier, ImageSegmenter, ResNetClassifier, UNetSegmenter, load
from sklearnloss.estimators._data.rows import Rows

from ..conftest import classifier, segmenter

MEAN = np.array([0.485, 0.456, 0.406])
STD = np.array([0.229, 0.224, 0.225])
Y = [0, 1, 0, 1]


def images(dtype: Any = np.uint8, channels: int = 3, size: int = 8) -> np.ndarray:
    X = np.random.default_rng(0).random((4, channels, size, size))
    if np.dtype(dtype).kind == "f":
        return X.astype(dtype)
    return X.round().astype(bool) if dtype is bool else (X * np.iinfo(dtype).max).astype(dtype)


def check(model: Any, white: float, channels: int = 3) -> None:
    mean, std = (
        (MEAN, STD) if channels == 3 else (MEAN.mean(keepdims=True), STD.mean(keepdims=True))
    )
    np.testing.assert_allclose(model.scaling_.mean, white * mean, rtol=1e-6)
    np.testing.assert_allclose(model.scaling_.scale, white * std, rtol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("dtype", "white"),
    [(np.uint8, 255), (np.uint16, 65535), (bool, 1), (np.float32, 1), (np.float64, 1)],
)
def test_white_is_the_largest_value_of_the_dtype(dtype: Any, white: float, channels: int) -> None:
    X = images(dtype, channels)
    model = classifier(normalize="imagenet").fit(X, Y)
    check(model, white, channels)


def test_the_network_sees_what_torchvision_would_give_it() -> None:
    X = images()
    model = classifier(normalize="imagenet").fit(X, Y)
    seen = (torch.from_numpy(X).double() / 255 - MEAN.reshape(3, 1, 1)) / STD.reshape(3, 1, 1)
    logits = model.module_.eval()(seen.float()).detach()
    np.testing.assert_allclose(model.predict_proba(X), logits.softmax(1)[:, :2], atol=1e-5)


@pytest.mark.parametrize("cls", [ImageClassifier, ImageSegmenter, ResNetClassifier, UNetSegmenter])
def test_all_estimators_take_it(cls: Any) -> None:
    size = {"width": 4, **({"depth": 1} if cls is UNetSegmenter else {})}
    if cls in (ImageClassifier, ImageSegmenter):
        size = {"network__width": 4}
    X = images(size=16)
    y = Y if "Classifier" in cls.__name__ else X[:, 0] > 127
    model = cls(normalize="imagenet", max_epochs=1, **size).fit(X, y)
    check(model, 255)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (images().astype(np.float32), r"white, but X ranges from 0 to 25\d\. Expected uint8"),
        (images(np.float32) - 0.5, r"X ranges from -0.\d+ to 0.\d+\. Expected uint8"),
        (images().astype(np.int64), r"X ranges from 0 to 25\d\."),
        (images(np.int16), r"X of int16 ranges from \d+ to 32\d+\."),
        (images(channels=2), r"images of three channels, .* but X has 2. Set normalize='auto'"),
        (images(channels=4), r"but X has 4"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(X: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classifier(normalize="imagenet").fit(X, Y)
    if message.startswith("X ranges from -") or "white" in message:
        with pytest.raises(ValueError, match=message):
            classifier(normalize="imagenet").fit([*map(np.array, X)], Y)


class Pairs(Dataset[Any]):
    def __init__(self, X: np.ndarray) -> None:
        self.X = X

    def __len__(self) -> int:
        return len(self.X)

    def __getitem__(self, k: int) -> Any:
        return self.X[k], Y[k]


def test_every_way_to_give_images_is_scaled_alike(tmp_path: Path) -> None:
    X = images()
    np.save(tmp_path / "all.npy", X)
    files = []
    for k, image in enumerate(X):
        files.append(tmp_path / f"{k}.npy")
        np.save(files[-1], image)
    mapped = np.load(tmp_path / "all.npy", mmap_mode="r")
    given: list[Any] = [X, mapped, Rows(mapped, [0, 1, 2, 3]), files, torch.from_numpy(X), list(X)]
    expected = classifier(normalize="imagenet").fit(X, Y).predict_proba(X)
    for each in given:
        model = classifier(normalize="imagenet").fit(each, Y)
        check(model, 255)
        np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-6)
    model = classifier(normalize="imagenet").fit(Pairs(X))
    check(model, 255)
    mixed = [X[0], X[1], X[2].astype(np.float32) / 255, X[3]]
    paths = []
    for k, image in enumerate(mixed):
        paths.append(tmp_path / f"mixed{k}.npy")
        np.save(paths[-1], image)
    with (
        pytest.warns(UserWarning, match="The same brightness may be a different number"),
        pytest.raises(
            ValueError, match="with one kind of numbers, but X holds floating point and u"
        ),
    ):
        classifier(normalize="imagenet").fit(paths, Y)


def test_masked_pixels_become_the_mean() -> None:
    X = images()
    hidden = np.zeros(X.shape, bool)
    hidden[:, :, 2:4] = True
    filled = np.where(hidden, (MEAN * 255).astype(np.float32).reshape(3, 1, 1), X)
    for given in (np.ma.array(X, mask=hidden), [*np.ma.array(X, mask=hidden)]):
        model = classifier(normalize="imagenet").fit(given, Y)
        check(model, 255)
        np.testing.assert_allclose(
            model.predict_proba(given), model.predict_proba(filled.astype(np.float32)), atol=1e-5
        )


def test_ignored_pixels_may_hold_anything_but_are_seen() -> None:
    X = images(np.float32, size=16)
    y = (X[:, 0] > 0.5).astype(np.uint8)
    y[:, :2] = 255
    model = segmenter(normalize="imagenet", ignore_index=255).fit(X, y)
    check(model, 1)


def test_it_stays_through_clone_save_and_warm_start(tmp_path: Path) -> None:
    X = images()
    model = classifier(normalize="imagenet", warm_start=True).fit(X, Y)
    assert clone(model).normalize == "imagenet"
    model.save(tmp_path / "a.safetensors")
    again = load(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    again.fit(X, Y)
    with pytest.raises(ValueError, match="with normalize='imagenet', but normalize is now 'auto'"):
        model.set_params(normalize="auto").fit(X, Y)
    other = classifier(warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match="with normalize='auto', but normalize is now 'imagenet'"):
        other.set_params(normalize="imagenet").fit(X, Y)
    with pytest.raises(ValueError, match="'normalize' parameter of ResNetClassifier must be"):
        classifier(normalize="minmax").fit(X, Y)


@pytest.mark.parametrize(
    ("fitted", "given"),
    [(np.uint8, np.float32), (np.float32, np.uint8), (np.uint16, np.uint8), (np.uint8, np.uint16)],
)
@pytest.mark.parametrize("lazy", [False, True])
def test_images_in_other_units_are_refused_after_fit(fitted: Any, given: Any, lazy: bool) -> None:
    model = classifier(normalize="imagenet").fit(images(fitted), Y)
    X: Any = list(images(given)) if lazy else images(given)
    with pytest.raises(ValueError, match="another value for white than the images of fit"):
        model.predict(X)
    with pytest.raises(ValueError, match="another value for white than the images of fit"):
        model.partial_fit(X, Y)


def test_images_of_another_dtype_in_the_same_units_are_predicted() -> None:
    model = classifier(normalize="imagenet").fit(images(), Y)
    expected = model.predict_proba(images())
    np.testing.assert_array_equal(model.predict_proba(images().astype(np.float32)), expected)
    np.testing.assert_array_equal(model.predict_proba(images().astype(np.int64)), expected)
