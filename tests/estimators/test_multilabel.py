"""Masks of labels that may overlap."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV, cross_val_score

from sklearnloss.losses import list_losses
from sklearnloss.metrics import iou_score

from .conftest import Data, segmenter


@pytest.fixture(scope="module")
def overlapping() -> Data:
    """24 images of two brightnesses that overlap, with a mask for each."""
    rng = np.random.default_rng(0)
    masks = np.zeros((24, 2, 16, 16), np.uint8)
    for mask in masks.reshape(48, 16, 16):
        row, column = rng.integers(0, 9, 2)
        mask[row : row + 7, column : column + 7] = 1
    X = masks[:, 0] + 2.0 * masks[:, 1] + 0.1 * rng.normal(size=(24, 16, 16))
    return X.astype(np.float32), masks


def trained(*args: Any, **params: Any) -> Any:
    """Return a segmenter that learns something about the overlapping masks."""
    return segmenter(*args, multilabel=True, **{"max_epochs": 10, "lr": 0.02, **params})


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["auto", "bce", "dice", "tversky", "lovasz_hinge"])
def test_overlapping_labels_are_found(loss: str, overlapping: Data) -> None:
    X, y = overlapping
    model = trained(loss, max_epochs=30).fit(X, y)
    assert model.classes_.tolist() == [0, 1]
    assert model.score(X, y) > 0.6
    assert (model.predict(X).sum(1) == 2).any()


def test_auto_is_dice_with_binary_cross_entropy(overlapping: Data) -> None:
    model = trained(max_epochs=1).fit(*overlapping)
    assert repr(model.loss_) == "DiceLoss() + BCEWithLogitsLoss()"


@pytest.mark.slow
@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64, np.float32])
@pytest.mark.parametrize("on", [1, 255])
def test_masks_come_back_as_given(kind: Any, on: int, overlapping: Data) -> None:
    X, y = overlapping
    masks = (y * on).astype(kind)
    model = trained().fit(X, masks)
    predicted = model.predict(X)
    assert predicted.shape == masks.shape
    assert predicted.dtype == (np.int64 if kind is np.float32 else kind)
    assert set(np.unique(predicted)) == set(np.unique(masks))
    np.testing.assert_array_equal(model.predict_proba(X), trained().fit(X, y).predict_proba(X))
    assert model.score(X, masks) == iou_score(y, predicted > 0, multilabel=True)


def test_probabilities_are_one_sigmoid_per_label(overlapping: Data) -> None:
    X, y = overlapping
    model = trained("dice", max_epochs=2).fit(X, y)
    expected = torch.from_numpy(model.decision_function(X)).sigmoid()
    np.testing.assert_array_equal(model.predict_proba(X), expected)
    np.testing.assert_array_equal(model.predict(X), (expected > 0.5).numpy())


def test_one_label_is_binary_segmentation(overlapping: Data) -> None:
    X, y = overlapping[0], overlapping[1][:, :1]
    model = trained(max_epochs=2).fit(X, y)
    binary = segmenter(max_epochs=2, lr=0.02).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X)[:, 0], binary.predict_proba(X)[:, 1])
    assert model.predict(X).shape == y.shape


def test_labels_have_names_in_the_order_given(overlapping: Data) -> None:
    X, y = overlapping
    model = trained(classes=["vessel", "lesion"], class_weight={"lesion": 3.0}, max_epochs=1)
    assert model.fit(X, y).classes_.tolist() == ["vessel", "lesion"]
    assert model.loss_.get_params()["bce__pos_weight"].tolist() == [1.0, 3.0]
    model.partial_fit(X, y, classes=["vessel", "lesion"])
    with pytest.raises(ValueError, match=r"y has masks of 2 labels, but classes=\['a'\] names 1"):
        trained(classes=["a"]).fit(X, y)


@pytest.mark.parametrize("loss", ["cross_entropy", "hinge", "dice+cross_entropy", "topk"])
def test_competing_classes_are_refused(loss: str, overlapping: Data) -> None:
    with pytest.raises(ValueError, match="has only a softmax form.*labels may overlap"):
        trained(loss).fit(*overlapping)


def test_torch_s_cross_entropy_is_refused_and_its_binary_one_is_not(overlapping: Data) -> None:
    with pytest.raises(ValueError, match="has only a softmax form"):
        trained(torch.nn.CrossEntropyLoss()).fit(*overlapping)
    assert trained(torch.nn.BCEWithLogitsLoss()).fit(*overlapping).score(*overlapping) > 0.2


@pytest.mark.slow
@pytest.mark.parametrize("loss", list_losses("segmentation"))
def test_every_loss_trains_or_is_refused(loss: str, overlapping: Data) -> None:
    X, y = overlapping
    model = trained(loss, max_epochs=1)
    try:
        model.fit(X, y)
    except ValueError as error:
        assert "softmax form" in str(error)  # noqa: PT017
    else:
        assert model.predict(X).shape == y.shape


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["auto", "bce", "focal", "dice"])
@pytest.mark.parametrize("ignore", [255, -1])
def test_ignored_pixels_teach_nothing(loss: str, ignore: int, overlapping: Data) -> None:
    X, y = overlapping[0], overlapping[1].astype(np.int16)
    hidden = y.copy()
    hidden[:, 0, :8] = ignore  # in one label only
    model = trained(loss, ignore_index=ignore, max_epochs=2).fit(X, hidden)
    other = np.where(hidden == ignore, 7, hidden)
    shown = trained(loss, ignore_index=7, max_epochs=2).fit(X, other)
    np.testing.assert_array_equal(model.predict_proba(X), shown.predict_proba(X))
    assert set(np.unique(model.predict(X))) <= {0, 1}
    expected = iou_score(hidden, model.predict(X), multilabel=True, ignore_index=ignore)
    assert model.score(X, hidden) == expected


def test_balanced_weights_are_the_odds_of_each_label(overlapping: Data) -> None:
    X, y = overlapping[0], overlapping[1].astype(int)
    y[0, 1, :4] = 9
    model = trained(class_weight="balanced", ignore_index=9, max_epochs=1).fit(X, y)
    odds = [(y[:, k] == 0).sum() / (y[:, k] == 1).sum() for k in (0, 1)]
    params = model.loss_.get_params()
    np.testing.assert_allclose(params["bce__pos_weight"], odds, rtol=1e-6)
    np.testing.assert_allclose(params["dice__class_weight"], odds, rtol=1e-6)
    model = trained("focal", class_weight="balanced", ignore_index=9, max_epochs=1).fit(X, y)
    expected = [w / (1 + w) for w in odds]
    np.testing.assert_allclose(model.loss_.alpha, expected, rtol=1e-6)


def test_a_label_that_never_occurs_weighs_one(overlapping: Data) -> None:
    X, y = overlapping[0], overlapping[1].copy()
    y[:, 1] = 0
    model = trained("bce", class_weight="balanced", max_epochs=1).fit(X, y)
    assert model.loss_.pos_weight[1] == 1


@pytest.mark.slow
@pytest.mark.parametrize("augment", ["affine", "flip", "mirror", "rot90", "shift"])
def test_masks_of_all_labels_move_with_the_image(augment: str, overlapping: Data) -> None:
    X, y = overlapping
    assert trained(augment=augment, max_epochs=30).fit(X, y).score(X, y) > 0.6


def test_other_values_are_named(overlapping: Data) -> None:
    X, y = overlapping
    with pytest.raises(ValueError, match=r"y holds the values \[0, 7\].*expected 0 and 1, or 0 an"):
        trained().fit(X, 7 * y)
    with pytest.raises(ValueError, match=r"expected masks of shape \(24, K, 16, 16\), as multilab"):
        trained().fit(X, y[:, 0])


@pytest.mark.slow
def test_searches_and_cross_validation_take_multilabel_masks(overlapping: Data) -> None:
    X, y = overlapping
    assert (cross_val_score(trained(), X, y, cv=2) > 0.1).all()
    search = GridSearchCV(trained(max_epochs=5), {"loss": ["bce", "dice"]}, cv=2).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
