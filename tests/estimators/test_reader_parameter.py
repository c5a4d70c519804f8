"""The parameter ``reader``: files of many kinds as images and masks of an estimator."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from torch.utils.data import Dataset

from sklearnloss import (
    FileReader,
    ImageClassifier,
    ImageSegmenter,
    LossSearchCV,
    MaskFiles,
    ResNetClassifier,
    UNetSegmenter,
    load,
)
from sklearnloss.estimators import cross_val_predict_proba, image_level_labels
from sklearnloss.tuning._evaluation.fingerprint import digest, digest_data

from .conftest import classifier, segmenter

Image = pytest.importorskip("PIL.Image")
SIZES = [(20, 30), (33, 17), (24, 24), (9, 40), (30, 21), (16, 16)]
MODES = ["L", "RGB", "CMYK", "RGBA", "P", "LA"]


class Files(NamedTuple):
    """Files of images and masks, and their contents in red, green and blue."""

    images: list[Path]
    masks: list[Path]
    colors: list[np.ndarray]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Six pictures of unlike modes and sizes, with numbered objects as masks."""
    folder = tmp_path_factory.mktemp("mixed")
    files = Files([], [], [])
    rng = np.random.default_rng(0)
    for k, (size, mode) in enumerate(zip(SIZES, MODES, strict=True)):
        numbers = np.zeros(size, np.uint16)
        numbers[2 : size[0] // 2, 1:-1] = 5 + k
        numbers[size[0] // 2 :, 2:-3] = 900
        bright = rng.integers(0, 60, (*size, 3)) + 150 * (numbers > 0)[..., None]
        picture = Image.fromarray(bright.astype(np.uint8)).convert(mode)
        files.images.append(folder / f"{k}.{'tif' if mode == 'CMYK' else 'png'}")
        files.masks.append(folder / f"{k}_mask.npy")
        picture.save(files.images[-1])
        np.save(files.masks[-1], numbers)
        files.colors.append(np.moveaxis(np.asarray(picture.convert("RGB")), -1, 0))
    return files


READER = FileReader(color="rgb", resize=16, masks="border")


@pytest.fixture(scope="module")
def fitted(mixed: Files) -> UNetSegmenter:
    model = segmenter(reader=READER, max_epochs=2)
    model.fit(mixed.images, mixed.masks)
    return model


def padded(files: Files) -> tuple[list[Any], list[Any]]:
    """Return images and masks as the reader reads them: arrays."""
    X = [READER.image(path).values for path in files.images]
    return X, [READER.mask(path) for path in files.masks]


def test_files_of_all_kinds_train_one_network(fitted: UNetSegmenter, mixed: Files) -> None:
    assert fitted.input_shape_ == (3, 16, 16)
    assert fitted.classes_.tolist() == [0, 1, 2]
    masks = fitted.predict(mixed.images)
    assert masks.shape == (6, 16, 16)
    assert masks.dtype == np.uint8
    proba = fitted.predict_proba(mixed.images)
    X, y = padded(mixed)
    np.testing.assert_allclose(fitted.predict_proba(np.ma.stack(X)), proba, atol=1e-6)
    assert fitted.score(mixed.images, mixed.masks) == fitted.score(mixed.images, np.ma.stack(y))
    # By hand: the mean intersection over union of what is not padding.
    true = np.concatenate([np.ma.compressed(mask) for mask in y])
    known = ~np.ma.getmaskarray(np.ma.stack(y))
    both = [(true == k) & (masks[known] == k) for k in range(3)]
    either = [(true == k) | (masks[known] == k) for k in range(3)]
    expected = np.mean([a.sum() / b.sum() for a, b in zip(both, either, strict=True)])
    assert fitted.score(mixed.images, mixed.masks) == pytest.approx(expected)


def test_padding_does_not_enter_the_scaling(fitted: UNetSegmenter, mixed: Files) -> None:
    X, _ = padded(mixed)
    assert fitted.scaling_ is not None
    for channel in range(3):
        values = np.concatenate([np.ma.compressed(image[channel]) for image in X]).astype(
            np.float64
        )
        assert values.size < 6 * 256
        assert float(fitted.scaling_.mean[channel]) == pytest.approx(values.mean(), rel=1e-6)
        assert float(fitted.scaling_.scale[channel]) == pytest.approx(values.std(), rel=1e-6)


def test_padding_does_not_enter_the_loss(mixed: Files) -> None:
    changed = FileReader(color="rgb", resize=16, masks="objects")
    models = []
    for label in (0, 1):  # what the mask holds under the padding
        y = [changed.mask(path) for path in mixed.masks]
        for mask in y:
            np.ma.getdata(mask)[np.ma.getmaskarray(mask)] = label
        models.append(segmenter(reader=changed).fit(mixed.images, y))
    assert models[0].classes_.tolist() == [0, 1]
    one, other = (model.history_[-1]["train_loss"] for model in models)
    assert one == other
    counts = models[0].net_.class_counts_.tolist()
    assert sum(counts) == sum(np.ma.count(mask) for mask in y)


def test_a_saved_model_reads_files_in_the_same_way(
    fitted: UNetSegmenter, mixed: Files, tmp_path: Path
) -> None:
    expected = fitted.predict_proba(mixed.images)
    fitted.save(tmp_path / "model.safetensors")
    loaded = load(tmp_path / "model.safetensors")
    assert loaded.reader == READER
    np.testing.assert_array_equal(loaded.predict_proba(mixed.images), expected)
    pickled = pickle.loads(pickle.dumps(fitted))
    assert pickled.reader == READER
    np.testing.assert_array_equal(pickled.predict_proba(mixed.images), expected)


@pytest.mark.parametrize(
    "reader",
    [
        None,
        FileReader(),
        FileReader(nodata=float("nan"), color="gray"),
        FileReader(colors={(255, 0, 0): 1, (0, 0, 0): 0}, resize=32, nodata=-1.5),
    ],
)
def test_every_reader_is_saved(reader: Any, tmp_path: Path, binary_scenes: Any) -> None:
    model = segmenter(depth=1, width=2, reader=reader).fit(*binary_scenes)
    model.save(tmp_path / "model")
    assert load(tmp_path / "model").reader == reader


def test_a_dataset_may_yield_paths(fitted: UNetSegmenter, mixed: Files) -> None:
    class Paths(Dataset[Any]):
        def __len__(self) -> int:
            return len(mixed.images)

        def __getitem__(self, k: int) -> Any:
            return mixed.images[k], str(mixed.masks[k])

    model = clone(fitted).fit(Paths())
    np.testing.assert_array_equal(
        model.predict_proba(mixed.images), fitted.predict_proba(mixed.images)
    )
    assert model.score(Paths()) == fitted.score(mixed.images, mixed.masks)


def test_a_reader_has_no_effect_on_arrays(binary_scenes: Any) -> None:
    X, y = binary_scenes
    plain = segmenter().fit(X, y).predict_proba(X)
    read = segmenter(reader=FileReader(resize=4, nodata=0, masks="border")).fit(X, y)
    np.testing.assert_array_equal(read.predict_proba(X), plain)


@pytest.mark.filterwarnings("error")
def test_images_per_class_are_padded_to_one_shape(mixed: Files) -> None:
    labels = ["a", "b", "a", "b", "a", "b"]
    model = classifier(reader=FileReader(color="gray", resize=12)).fit(mixed.images, labels)
    assert model.input_shape_ == (1, 12, 12)
    assert set(model.predict(mixed.images)) <= {"a", "b"}
    assert 0 <= model.score(mixed.images, labels) <= 1
    with pytest.raises(ValueError, match=r"Expected the same channels|same size"):
        classifier().fit(mixed.images, labels)


def test_imagenet_s_scaling_knows_the_range_of_padded_pictures(mixed: Files) -> None:
    reader = FileReader(color="rgb", resize=12)
    model = classifier(reader=reader, normalize="imagenet")
    model.fit(mixed.images, [0, 1] * 3)
    assert model.scaling_ is not None
    np.testing.assert_allclose(
        model.scaling_.mean, 255 * np.array([0.485, 0.456, 0.406]), rtol=1e-5
    )
    assert model.predict(mixed.images[:1]).shape == (1,)


def test_padding_needs_a_scaling(mixed: Files) -> None:
    model = classifier(reader=FileReader(color="rgb", resize=12), normalize=None)
    with pytest.raises(ValueError, match="masked pixels.*Set normalize='auto'"):
        model.fit(mixed.images, [0, 1] * 3)


def test_padding_is_ignored_beside_an_ignored_label(mixed: Files) -> None:
    reader = FileReader(color="rgb", resize=16, masks="border")
    model = segmenter(reader=reader, ignore_index=2).fit(mixed.images, mixed.masks)
    assert model.classes_.tolist() == [0, 1]
    y = [reader.mask(path) for path in mixed.masks]
    n_known = sum(int((np.ma.compressed(mask) != 2).sum()) for mask in y)
    assert sum(model.net_.class_counts_.tolist()) == n_known


def test_a_mask_per_label_is_resized_and_its_padding_ignored(tmp_path: Path) -> None:
    images, masks = [], []
    rng = np.random.default_rng(0)
    for k in range(3):
        images.append(tmp_path / f"{k}.npy")
        masks.append(tmp_path / f"{k}_mask.npy")
        np.save(images[-1], rng.random((10 + k, 20)))
        np.save(masks[-1], rng.integers(0, 2, (2, 10 + k, 20)).astype(np.uint8))
    model = segmenter(multilabel=True, reader=FileReader(resize=12)).fit(images, masks)
    assert model.predict(images).shape == (3, 2, 12, 12)
    assert 0 < model.score(images, masks) <= 1
    assert float(model.net_.class_counts_.max()) < 3 * 144


def test_volumes_are_resized_along_all_axes(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    images, masks = [], []
    rng = np.random.default_rng(0)
    for k in range(2):
        images.append(tmp_path / f"{k}.tif")
        masks.append(tmp_path / f"{k}_mask.tif")
        # Without axes: the masks say that pages are slices.
        volume = rng.integers(0, 99, (6, 10, 12 + k)).astype(np.uint8)
        tifffile.imwrite(images[-1], volume, photometric="minisblack")
        tifffile.imwrite(masks[-1], (volume > 50).astype(np.uint8), photometric="minisblack")
    model = segmenter(depth=1, reader=FileReader(resize=8)).fit(images, masks)
    assert model.input_shape_ == (1, 8, 8, 8)
    assert model.predict(images).shape == (2, 8, 8, 8)


def test_pixels_without_data_do_not_enter_the_scaling(tmp_path: Path) -> None:
    X = np.random.default_rng(0).integers(1, 99, (4, 12, 12)).astype(np.int16)
    X[:, :3] = -9999
    paths = [tmp_path / f"{k}.npy" for k in range(4)]
    for path, image in zip(paths, X, strict=True):
        np.save(path, image)
    y = (X > 50).astype(int)
    model = segmenter(reader=FileReader(nodata=-9999)).fit(paths, y)
    assert model.scaling_ is not None
    assert float(model.scaling_.mean[0]) == pytest.approx(X[:, 3:].mean(), rel=1e-6)
    masked = segmenter().fit(np.ma.masked_equal(X, -9999), y)
    np.testing.assert_allclose(
        model.predict_proba(paths), masked.predict_proba(np.ma.masked_equal(X, -9999)), atol=1e-5
    )


def test_masks_of_another_size_are_refused_though_both_are_resized(
    fitted: UNetSegmenter, mixed: Files
) -> None:
    rotated = [mixed.masks[1], *mixed.masks[1:]]  # (33, 17) beside an image of (20, 30)
    message = r"y\[0\] .* has shape \(33, 17\), but X\[0\] .* is an image of shape \(20, 30\)"
    with pytest.raises(ValueError, match=message):
        fitted.score(mixed.images, rotated)
    with pytest.raises(ValueError, match=message):
        clone(fitted).fit(mixed.images, rotated)


def test_a_file_per_object_is_a_mask(tmp_path: Path, mixed: Files) -> None:
    y: list[Any] = []
    for k, path in enumerate(mixed.masks):
        numbers = np.load(path)
        names = []
        for number in np.unique(numbers[numbers > 0]):
            names.append(tmp_path / f"{k}_{number}.png")
            Image.fromarray((255 * (numbers == number)).astype(np.uint8)).save(names[-1])
        y.append(MaskFiles(names))
    model = segmenter(reader=READER, max_epochs=2).fit(mixed.images, y)
    expected = segmenter(reader=READER, max_epochs=2).fit(mixed.images, mixed.masks)
    np.testing.assert_array_equal(
        model.predict_proba(mixed.images), expected.predict_proba(mixed.images)
    )
    assert model.score(mixed.images, y) == expected.score(mixed.images, mixed.masks)
    labels = image_level_labels(y, reader=FileReader(masks="border"), min_count=1)
    given = image_level_labels(mixed.masks, reader=FileReader(masks="border"), min_count=1)
    assert labels.tolist() == given.tolist()
    before = digest_data(mixed.images, y, masks=True)
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(y[0].paths[0])
    assert digest_data(mixed.images, y, masks=True) != before
    with pytest.raises(ValueError, match=r"y\[3\] .*MaskFiles|has shape|same shape"):
        segmenter(reader=FileReader(color="rgb")).fit(mixed.images, [y[0], *y[1:3], *y[:3]])


def test_folders_of_data_count_with_their_contents(tmp_path: Path) -> None:
    folder = tmp_path / "a.zarr"
    (folder / "0").mkdir(parents=True)
    (folder / "0" / "0.0").write_bytes(b"one")
    before = digest_data([str(folder)], None, masks=True)
    (folder / "0" / "0.0").write_bytes(b"two")
    assert digest_data([str(folder)], None, masks=True) != before


def test_models_with_other_readers_are_told_apart() -> None:
    readers = [
        None,
        FileReader(),
        FileReader(resize=8),
        FileReader(colors={(0, 0, 0): 1}),
        FileReader(colors={(0, 0, 0): 2}),
    ]
    assert len({digest(segmenter(reader=reader)) for reader in readers}) == len(readers)
    assert digest(segmenter(reader=FileReader(resize=8))) == digest(segmenter(reader=readers[2]))


@pytest.mark.parametrize(
    "estimator", [ImageClassifier, ImageSegmenter, ResNetClassifier, UNetSegmenter]
)
def test_parameters_of_the_reader_are_parameters_of_the_estimator(estimator: Any) -> None:
    model = estimator()
    assert model.get_params(deep=False)["reader"] is None
    assert model.get_params()["reader__masks"] == "classes"
    model.set_params(reader__resize=32, reader__color="rgb")
    assert model.reader == FileReader(resize=32, color="rgb")
    assert model.get_params()["reader__resize"] == 32
    before = model.reader
    copy = clone(model).set_params(reader__resize=64)
    assert (copy.reader.resize, copy.reader.color) == (64, "rgb")
    model.set_params(reader__resize=16)
    assert before.resize == 32  # what was passed is not changed
    model.set_params(reader=FileReader(masks="border"), reader__resize=8)
    assert model.reader == FileReader(resize=8, masks="border")
    with pytest.raises(ValueError, match=r"'resise'.*Did you mean 'resize'"):
        model.set_params(lr=1, reader__resise=8)
    assert model.reader == FileReader(resize=8, masks="border")
    assert model.lr != 1


@pytest.mark.parametrize("reader", ["rgb", FileReader, {"resize": 8}])
def test_what_is_no_reader_is_refused(reader: Any, mixed: Files) -> None:
    with pytest.raises(ValueError, match="'reader' parameter of UNetSegmenter must be"):
        segmenter(reader=reader).fit(mixed.images, mixed.masks)


def test_parameters_of_the_reader_are_checked_before_anything_is_read(
    fitted: UNetSegmenter, mixed: Files
) -> None:
    with pytest.raises(ValueError, match="resize=0 of FileReader: expected a whole number"):
        segmenter(reader=FileReader(resize=0)).fit(["none.png"] * 4, ["none.png"] * 4)
    changed = pickle.loads(pickle.dumps(fitted)).set_params(reader__color="grey")
    with pytest.raises(ValueError, match="color='grey' of FileReader"):
        changed.predict(mixed.images)


def test_other_channels_than_in_fit_name_the_file(fitted: UNetSegmenter, mixed: Files) -> None:
    changed = pickle.loads(pickle.dumps(fitted)).set_params(reader__color="gray")
    with pytest.raises(ValueError, match=r"shape .*\(3, 16, 16\)"):
        changed.predict(mixed.images)


@pytest.mark.slow
def test_searches_find_parameters_of_the_reader(mixed: Files) -> None:
    images, masks = mixed.images * 2, mixed.masks * 2
    model = segmenter(reader=FileReader(color="rgb", masks="objects"))
    grid = GridSearchCV(model, {"reader__resize": [8, 16]}, cv=2).fit(images, masks)
    assert grid.best_estimator_.input_shape_ == (3,) + (grid.best_params_["reader__resize"],) * 2
    assert np.isfinite(grid.cv_results_["mean_test_score"]).all()
    assert np.isfinite(cross_val_score(grid.best_estimator_, images, masks, cv=2)).all()
    search = LossSearchCV(
        model.set_params(reader__resize=8), ["dice", "bce"], n_trials=2, cv=2, random_state=0
    ).fit(images, masks)
    assert search.best_estimator_.reader == FileReader(color="rgb", masks="objects", resize=8)
    assert np.isfinite(search.cv_results_["split0_test_score"]).all()
    assert search.predict(images[:1]).shape == (1, 8, 8)
    proba = cross_val_predict_proba(model, images, masks, cv=2)
    assert np.shape(proba) == (12, 2, 8, 8)


@pytest.mark.slow
def test_checkpoints_of_another_reader_are_refused(mixed: Files, tmp_path: Path) -> None:
    from skorch.callbacks import Checkpoint, LoadInitState

    checkpoint = Checkpoint(dirname=str(tmp_path), monitor=None)
    callbacks = [checkpoint, LoadInitState(checkpoint)]
    model = segmenter(reader=READER, callbacks=callbacks).fit(mixed.images, mixed.masks)
    model.set_params(max_epochs=2).fit(mixed.images, mixed.masks)
    assert model.n_iter_ == 2
    model.set_params(reader__nodata=7, max_epochs=3)
    with pytest.raises(ValueError, match="is from a fit with other .*parameters"):
        model.fit(mixed.images, mixed.masks)


def test_a_tensor_of_images_is_not_read(binary_scenes: Any) -> None:
    X, y = (torch.from_numpy(np.ascontiguousarray(each)) for each in binary_scenes)
    model = segmenter(reader=FileReader(resize=4)).fit(X, y)
    assert model.predict(X).shape == tuple(y.shape)
