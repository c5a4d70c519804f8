"""Images and masks in every form that is in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.model_selection import cross_val_score
from torch import Tensor

from sklearnloss.metrics import iou_score

from ..conftest import Data, classifier, segmenter
from .training import in_batches, in_memory

KINDS = [bool, np.uint8, np.int8, np.uint16, np.int16, np.int64, np.float16, np.float64, ">f4"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_images_of_every_dtype_train_the_same_model(kind: Any, digits: Data, scenes: Data) -> None:
    for make, (X, y) in ((classifier, digits), (segmenter, scenes)):
        images = (100 * X / X.max()).astype(np.uint8).astype(kind)
        expected = make().fit(images.astype(np.float32), y).predict_proba(images)
        np.testing.assert_array_equal(make().fit(images, y).predict_proba(images), expected)


TENSORS = [torch.uint8, torch.int64, torch.float64, torch.bfloat16, torch.float16, torch.bool]


@pytest.mark.slow
@pytest.mark.parametrize("kind", TENSORS)
def test_tensors_of_every_dtype_train_the_same_model(kind: torch.dtype, scenes: Data) -> None:
    X = torch.from_numpy(20 * scenes[0] / scenes[0].max()).byte().to(kind)
    expected = segmenter().fit(X.float().numpy(), scenes[1])
    model = segmenter().fit(X, torch.from_numpy(scenes[1]))
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X.float().numpy()))
    assert model.n_features_in_ == 16


def test_tensors_are_used_where_they_are(scenes: Data) -> None:
    X = torch.from_numpy(scenes[0]).requires_grad_()
    images = segmenter()._read_images(X, reset=True)
    assert images.whole.data_ptr() == X.data_ptr()
    assert not images.whole.requires_grad


def test_tensors_and_arrays_mix(scenes: Data, digits: Data) -> None:
    X, y = scenes
    model = segmenter().fit(torch.from_numpy(X), y)
    np.testing.assert_array_equal(model.predict(X), model.predict(torch.from_numpy(X)))
    assert model.score(X, torch.from_numpy(y)) == model.score(torch.from_numpy(X), y)
    rows = torch.from_numpy(digits[0].reshape(60, 64))
    labels = classifier(image_shape=(8, 8)).fit(rows, torch.from_numpy(digits[1]))
    assert labels.predict(rows.numpy()).tolist() == labels.predict(rows).tolist()
    with pytest.raises(ValueError, match="X has 63 features, but ResNetClassifier is expecting 64"):
        labels.predict(rows[:, :63])


WRONG: list[tuple[Tensor, str]] = [
    (torch.ones(4, 8, 8, dtype=torch.complex64), "Expected a dense, real one"),
    (torch.ones(4, 8).to_sparse(), "is a torch.sparse_coo tensor"),
    (torch.ones(4), r"tensor of shape \(4,\)"),
    (torch.ones(0, 8, 8), r"X has shape \(0, 8, 8\), but a minimum of 2"),
    (torch.ones(1, 8, 8), r"X has shape \(1, 8, 8\), but a minimum of 2"),
    (torch.ones(4, 0, 8), r"at least one pixel is required"),
    (torch.full((4, 8, 8), torch.nan), r"Input X contains NaN: see X\[0\]"),
    (torch.full((4, 8, 8), torch.inf), "Input X contains infinity"),
]


@pytest.mark.parametrize(("X", "message"), WRONG)
def test_a_wrong_tensor_is_named(X: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classifier().fit(X, np.arange(len(X)) % 2)


def test_tables_have_rows_of_pixels(digits: Data) -> None:
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(digits[0].reshape(60, 64)).add_prefix("pixel")
    model = classifier(image_shape=(8, 8)).fit(table, pd.Series(digits[1]))
    assert list(model.feature_names_in_[:2]) == ["pixel0", "pixel1"]
    expected = classifier().fit(*digits)
    np.testing.assert_array_equal(model.predict_proba(table), expected.predict_proba(digits[0]))
    model.fit(torch.from_numpy(digits[0].reshape(60, 64)), digits[1])
    assert not hasattr(model, "feature_names_in_")


def test_neither_images_nor_masks_are_changed(scenes: Data) -> None:
    X, y = scenes[0].copy(), scenes[1].copy()
    model = segmenter(augment=["flip", "noise", "shift"], early_stopping=True).fit(X, y)
    model.predict(X)
    np.testing.assert_array_equal(X, scenes[0])
    np.testing.assert_array_equal(y, scenes[1])


@pytest.mark.slow
@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64, np.float32])
def test_binary_masks_work_everywhere(kind: Any, binary_scenes: Data) -> None:
    X, y = binary_scenes
    for masks in ((255 * y).astype(kind), (255 * y).astype(kind)[:, None]):
        model = segmenter(early_stopping=True, max_epochs=2)
        model.fit(X, masks).partial_fit(X, masks)
        expected = iou_score(masks.reshape(y.shape) > 0, model.predict(X) > 0)
        assert model.score(X, masks) == expected
        assert model.predict(X).dtype == (np.int64 if kind is np.float32 else kind)
        assert set(np.unique(model.predict(X))) <= set(np.unique(masks))
        assert np.isfinite(cross_val_score(segmenter(), X, masks, cv=2)).all()


def test_void_pixels_of_255_go_with_two_classes(binary_scenes: Data) -> None:
    X, y = binary_scenes[0], binary_scenes[1].copy()
    y[:, :3] = 255
    model = segmenter(ignore_index=255, class_weight="balanced").fit(X, y)
    assert model.classes_.tolist() == [0, 1]
    odds = (y == 0).sum() / (y == 1).sum()
    np.testing.assert_allclose(model.loss_.get_params()["bce__pos_weight"], [odds], rtol=1e-6)
    assert model.score(X, y) == iou_score(y[:, 3:], model.predict(X)[:, 3:])


def test_balanced_weights_of_masks_are_inverse_to_their_pixels(scenes: Data) -> None:
    X, y = scenes
    model = segmenter(class_weight="balanced", classes=[0, 1, 2, 3]).fit(X, y)
    counts = np.bincount(y.ravel(), minlength=3)
    expected = [*(y.size / (3 * counts)), 1.0]  # a class that does not occur weighs 1
    for name in ("dice__class_weight", "cross_entropy__class_weight"):
        np.testing.assert_allclose(model.loss_.get_params()[name], expected, rtol=1e-6)


def test_folds_that_lack_a_class_have_all_channels(scenes: Data) -> None:
    X, y = scenes
    y = np.where((y == 2) & (np.arange(12) >= 4)[:, None, None], 1, y)
    model = segmenter(classes=[0, 1, 2])
    assert np.isfinite(cross_val_score(model, X, y, cv=3)).all()
    assert model.fit(X[4:], y[4:]).predict_proba(X).shape[1] == 3
    assert segmenter().fit(X[4:], y[4:]).predict_proba(X).shape[1] == 2


def test_parts_of_the_data_share_its_images(scenes: Data) -> None:
    X, y = torch.from_numpy(scenes[0])[:, None], torch.from_numpy(scenes[1])
    data = in_memory(X, y, torch.arange(12.0))
    part: Any = data.subset(np.array([2, 3, 5, 7, 11])).subset(np.array([1, 4]))
    assert part.images.whole.data_ptr() == X.data_ptr()
    assert len(part) == 2
    images, codes, weight = part.batch(slice(None))
    assert torch.equal(images, X[[3, 11]])
    assert torch.equal(codes, y[[3, 11]])
    assert weight is not None
    assert weight.tolist() == [3, 11]
    assert torch.equal(part[1][0], X[11])
    np.testing.assert_array_equal(part.class_counts(), np.bincount(y[[3, 11]].ravel(), minlength=3))
    moved = part.to(torch.device("cpu"))
    assert torch.equal(moved.y, y[[3, 11]])
    assert moved.weight.tolist() == [3, 11]
    assert torch.equal(moved.batch(slice(None))[0], X[[3, 11]])


def test_batches_hold_every_sample_once() -> None:
    X = torch.arange(23.0).reshape(23, 1, 1)
    batches = in_batches(in_memory(X, torch.arange(23)), 8, seed=0)
    codes = torch.cat([codes for _, codes in batches])
    assert sorted(codes.tolist()) == list(range(23))
    assert codes.tolist() != list(range(23))
    assert [len(codes) for _, codes in batches] == [8, 7, 8]
    for x, codes in batches:
        assert torch.equal(x[:, 0, 0], codes.float())


def test_data_that_a_gpu_cannot_hold_stays_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    data = in_memory(torch.zeros(4, 1, 8, 8), torch.zeros(4, dtype=torch.uint8))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 1000))
    assert data.to(torch.device("cuda")) is data


@pytest.mark.cuda
def test_tensors_on_the_gpu_stay_there(scenes: Data, digits: Data) -> None:
    for make, (X, y) in ((segmenter, scenes), (classifier, digits)):
        images = torch.from_numpy(X).cuda()
        model = make(device="cuda", precision="float32", early_stopping=True)
        read = model._read_images(images, reset=True)
        assert read.whole.data_ptr() == images.data_ptr()
        proba = model.fit(images, torch.from_numpy(y).cuda()).predict_proba(images)
        assert isinstance(proba, np.ndarray)
        np.testing.assert_allclose(model.predict_proba(X), proba, atol=1e-5)
        on_cpu = make(device="cpu").fit(images, y)
        np.testing.assert_allclose(on_cpu.predict_proba(X), on_cpu.predict_proba(images))


@pytest.mark.cuda
def test_an_image_alone_is_predicted_as_in_company_on_a_gpu(scenes: Data) -> None:
    model = segmenter(device="cuda", precision="float32").fit(*scenes)
    alone = np.concatenate([model.predict_proba(x[None]) for x in scenes[0]])
    np.testing.assert_allclose(alone, model.predict_proba(scenes[0]), atol=1e-6)
