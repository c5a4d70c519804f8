"""What images and masks are given as, and what is said about the rest."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.model_selection import cross_val_score
from torch.utils.data import DataLoader, Dataset, TensorDataset

from sklearnloss.estimators import SegmentationDisplay

from ..conftest import Data, classifier, segmenter
from .training import rows_of


class Made(Dataset):  # type: ignore[type-arg]
    """Items that a function makes."""

    def __init__(self, make: Callable[[int], Any]) -> None:
        self.make = make

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> Any:
        return self.make(index)


class Tables:
    """Items by position, as of libraries that know nothing of torch."""

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> Any:
        return {"image": 1, "label": 2}


@pytest.fixture
def masked(scenes: Data) -> np.ma.MaskedArray[Any, Any]:
    """The scenes with a stripe without data in the first images."""
    X = scenes[0].copy()
    X[:4, :, :3] = -9999
    return np.ma.masked_equal(X, -9999)


def filled(X: Any, mean: float) -> np.ndarray:
    return np.where(np.ma.getmaskarray(X), mean, X.data).astype(np.float32)


def test_masked_pixels_are_the_mean_in_fit_and_predict(
    masked: np.ma.MaskedArray[Any, Any], scenes: Data
) -> None:
    y = scenes[1]
    model = segmenter(max_epochs=2).fit(masked, y)
    mean = masked.mean(dtype=float)
    np.testing.assert_allclose(model.scaling_.mean, mean, rtol=1e-6)
    plain = filled(masked, model.scaling_.mean.item())
    np.testing.assert_array_equal(model.predict_proba(masked), model.predict_proba(plain))
    pairs = list(zip(masked, y, strict=True))
    again = segmenter(max_epochs=2).fit(pairs)
    np.testing.assert_allclose(again.predict_proba(masked), model.predict_proba(masked), atol=1e-4)
    for images in (list(masked), [*masked[:11], masked[11, :8]], rows_of(masked)):
        first = model.predict_proba(images)[0]
        np.testing.assert_array_equal(first, model.predict_proba(plain)[0])
    assert model.score(masked, y) == model.score(plain, y) == model.score(pairs)
    before = model.predict_proba(masked)
    assert not np.array_equal(model.partial_fit(masked, y).predict_proba(masked), before)


def test_masked_pixels_have_no_say_in_training(
    masked: np.ma.MaskedArray[Any, Any], scenes: Data
) -> None:
    y = np.arange(12) % 3
    other = masked.copy()
    other.data[np.ma.getmaskarray(masked)] = np.nan
    expected = classifier().fit(masked, y).predict_proba(masked)
    np.testing.assert_array_equal(classifier().fit(other, y).predict_proba(other), expected)
    assert np.isfinite(cross_val_score(segmenter(), masked, scenes[1], cv=2)).all()


def test_without_masked_pixels_a_masked_array_is_an_array(scenes: Data) -> None:
    X, y = scenes
    expected = segmenter().fit(X, y).predict_proba(X)
    for unmasked in (np.ma.MaskedArray(X), np.ma.MaskedArray(X, np.zeros(X.shape, bool))):
        np.testing.assert_array_equal(
            segmenter().fit(unmasked, y).predict_proba(unmasked), expected
        )


def test_masked_pixels_need_a_mean(masked: np.ma.MaskedArray[Any, Any], scenes: Data) -> None:
    message = r"masked pixels, .*normalize=None.*X.filled\(0\)"
    for images in (masked, list(zip(masked, scenes[1], strict=True))):
        with pytest.raises(ValueError, match=message):
            segmenter(normalize=None).fit(images, None if isinstance(images, list) else scenes[1])
    model = segmenter(normalize=None).fit(*scenes)
    for images in (masked, [*masked[:3], masked[3, :8]]):
        with pytest.raises(ValueError, match=message):
            model.predict(images)


def test_what_is_not_masked_must_be_finite(
    masked: np.ma.MaskedArray[Any, Any], scenes: Data
) -> None:
    masked.data[0, 9, 9] = np.inf
    for images in (masked, list(masked), [*masked[:11], masked[11, :8]]):
        with pytest.raises(ValueError, match=r"where it is not masked.*np.ma.masked_invalid\(X\)"):
            segmenter().fit(images, list(scenes[1]))
    with pytest.raises(ValueError, match=r"NaN: see X\[0\]\. .*np.ma.masked_invalid\(X\)"):
        segmenter().fit(np.where(np.isinf(masked.data), np.nan, masked.data), scenes[1])


def test_a_picture_of_masks_fills_masked_pixels_too(
    masked: np.ma.MaskedArray[Any, Any], scenes: Data
) -> None:
    pytest.importorskip("matplotlib").use("agg")
    model = segmenter().fit(masked, scenes[1])
    display = SegmentationDisplay.from_estimator(model, masked, scenes[1], n_images=2)
    np.testing.assert_array_equal(display.y_pred[0], model.predict(masked)[0])


WRONG: list[tuple[Any, str]] = [
    ("one.tif", r"X is 'one.tif', one path. Expected a list of files: \['one.tif'\]"),
    (Path("one.tif"), r"\['one.tif'\]"),
    (b"one.tif", r"\['one.tif'\]"),
    (os.curdir, r"X is the folder '.'. Expected a list of files, such as sorted"),
    ((image for image in np.ones((2, 8, 8))), "X is a generator. Expected an ordered collection"),
    ({"image": 1}, "X is a dict. Expected an ordered collection"),
    (DataLoader(TensorDataset(torch.ones(4, 8, 8))), "X is a DataLoader. .*X.dataset"),
    ([{"image": 1, "label": 2}], r"X\[0\] is a dict with 'image', 'label'. Expected an image, or"),
    (Made(lambda k: {"image": 1, "label": 2}), r"X\[0\] is a dict with 'image', 'label'."),
    (Tables(), r"X\[0\] is a dict with 'image', 'label'."),
    (Made(lambda k: (1, 2, 3)), r"X\[0\] is a tuple of 3 items. Expected an image, or \(image, t"),
    (np.array([["a.png"], ["b.png"]]), "X holds strings in 2 axes. Expected image paths"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("X", "message"), WRONG)
def test_what_holds_no_images_is_named(X: Any, message: str, scenes: Data, digits: Data) -> None:
    for make in (segmenter, classifier):
        with pytest.raises(TypeError, match=message):
            make().fit(X)
        with pytest.raises(TypeError, match=message):
            make().fit(X, [0, 1] * 3)
    for model in (segmenter().fit(*scenes), classifier().fit(*digits)):
        for method in (model.predict, model.predict_proba):
            with pytest.raises(TypeError, match=message):
                method(X)
        with pytest.raises(TypeError, match=message):
            model.score(X, [0, 1] * 3)


def test_a_dataset_of_single_images_is_predicted(scenes: Data) -> None:
    model = segmenter().fit(*scenes)
    images = TensorDataset(torch.from_numpy(scenes[0]))
    np.testing.assert_array_equal(model.predict(images), model.predict(scenes[0]))


def test_paths_may_be_bytes_and_stand_among_arrays(scenes: Data, tmp_path: Path) -> None:
    paths = [tmp_path / f"{k}.npy" for k in range(12)]
    for path, image in zip(paths, scenes[0], strict=True):
        np.save(path, image)
    expected = segmenter().fit(paths, scenes[1]).predict(paths)
    in_bytes = [os.fsencode(path) for path in paths]
    for images in (in_bytes, np.array(in_bytes), [scenes[0][0], *paths[1:]]):
        model = segmenter().fit(images, scenes[1])
        np.testing.assert_array_equal(model.predict(images), expected)


def test_the_wrong_mask_of_many_is_named(scenes: Data) -> None:
    X, y = scenes
    with pytest.raises(
        ValueError, match=r"y\[3\] has shape \(9, 16\), but X\[3\] is an image of s"
    ):
        segmenter().fit(Made(lambda k: (X[k], y[k][: 9 if k == 3 else 16])))
    with pytest.raises(ValueError, match=r"y\[3\]: y holds fractions"):
        segmenter().fit(Made(lambda k: (X[k], y[k] / (2 if k == 3 else 1))))
    for lacks in (
        lambda k: (X[k], None if k == 3 else y[k]),
        lambda k: X[3] if k == 3 else (X[k], y[k]),
    ):
        with pytest.raises(ValueError, match=r"y\[3\]: there is no mask. Expected one for each"):
            segmenter().fit(Made(lacks))


def test_labels_of_a_dataset_are_one_each(digits: Data) -> None:
    X, y = digits
    with pytest.raises(ValueError, match=r"y\[0\] has shape \(10,\). Expected one class label"):
        classifier().fit(Made(lambda k: (X[k], np.eye(10)[y[k]])))


def test_columns_of_arrays_are_images_and_masks(scenes: Data) -> None:
    X, y = scenes
    expected = segmenter().fit(X, y).score(X, y)
    images, masks = np.empty((2, 12), object)
    images[:], masks[:] = list(X), list(y)
    series = pytest.importorskip("pandas").Series
    for column in (np.asarray, series):
        model = segmenter().fit(column(images), column(masks))
        assert model.score(column(images), column(masks)) == expected
    images[3] = np.ma.masked_less(X[3], X[3].max())
    hidden = np.ma.stack(images.tolist())
    expected = segmenter().fit(hidden, y).predict_proba(hidden)
    model = segmenter().fit(series(images), y)
    np.testing.assert_array_equal(model.predict_proba(series(images)), expected)


class Changing(Dataset):  # type: ignore[type-arg]
    """Data that changes when it is read for the second time."""

    def __init__(self, X: np.ndarray, y: np.ndarray, change: Callable[..., Any]) -> None:
        self.X, self.y, self.change = X, y, change
        self.read = [0] * 12

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> Any:
        self.read[index] += 1
        changed = index == 5 and self.read[index] > 1
        return (
            self.change(self.X[index], self.y[index]) if changed else (self.X[index], self.y[index])
        )


def test_data_that_changes_during_fit_is_named(scenes: Data) -> None:
    with pytest.raises(
        ValueError, match=r"X\[5\] has shape \(1, 9, 16\) now|but X\[5\] has \(1, 9"
    ):
        segmenter(batch_size=12).fit(Changing(*scenes, lambda x, y: (x[:9], y[:9])))
    with pytest.raises(ValueError, match=r"y\[5\]: y contains the label .*9"):
        segmenter().fit(Changing(*scenes, lambda x, y: (x, y + 9)))


def test_unlike_kinds_of_numbers_are_pointed_out(scenes: Data, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    X = [(255 * x.clip(0, 1)).astype(np.uint8) for x in scenes[0]]
    X[7] = X[7].astype(np.uint16) * 257
    paths = [tmp_path / f"{k}.png" for k in range(12)]
    for path, pixels in zip(paths, X, strict=True):
        image.fromarray(pixels).save(path)
    with pytest.warns(UserWarning, match=r"X\[0\] .*0.png'\) is of uint8 and X\[7\] .* of uint16"):
        segmenter().fit(paths, scenes[1])
    with pytest.warns(UserWarning, match=r"X\[0\] is of uint8 and X\[7\] is of uint16"):
        segmenter().fit(X, scenes[1])


@pytest.mark.slow
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int64, np.bool_])
def test_predicted_masks_have_the_dtype_of_those_in_files(
    kind: Any, scenes: Data, tmp_path: Path
) -> None:
    masks = (scenes[1] > 0).astype(kind)
    paths = [tmp_path / f"{k}.npy" for k in range(12)]
    for path, mask in zip(paths, masks, strict=True):
        np.save(path, mask)
    for y in (paths, masks):
        assert segmenter().fit(scenes[0], y).predict(scenes[0]).dtype == kind
        assert segmenter(classes=[0, 1]).fit(scenes[0], y).predict(scenes[0]).dtype == kind


def test_masks_of_several_dtypes_predict_the_smallest(scenes: Data) -> None:
    masks = [mask.astype(np.int64 if k % 2 else np.uint16) for k, mask in enumerate(scenes[1])]
    pairs = list(zip(scenes[0], masks, strict=True))
    assert segmenter().fit(pairs).predict(scenes[0]).dtype == np.uint8
    wider = segmenter(classes=[0, 1, 2, 300]).fit(scenes[0], scenes[1].astype(np.uint8))
    assert wider.predict(scenes[0]).dtype == np.uint16


def test_one_bit_does_not_mix_with_255(scenes: Data) -> None:
    masks = [mask > 0 if k == 3 else (mask > 0) * np.uint8(255) for k, mask in enumerate(scenes[1])]
    with pytest.raises(ValueError, match=r"one-bit masks, .* with the labels \[0, 1, 255\]"):
        segmenter().fit(list(zip(scenes[0], masks, strict=True)))
