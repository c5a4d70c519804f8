"""Masked pixels of masks do not count, as those of an ignored label."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import KFold, cross_val_score
from torch.nn import functional as F

from sklearnloss import LossSearchCV, compare_losses
from sklearnloss.estimators import SegmentationDisplay, image_level_labels
from sklearnloss.metrics import dice_scorer

from ..conftest import Data, classifier, segmenter

Masked = tuple[np.ndarray, np.ma.MaskedArray, np.ndarray]


@pytest.fixture(scope="module")
def masked(binary_scenes: Data) -> Masked:
    """Images, masks of which a third is masked, and the same with 255 there."""
    X, y = binary_scenes
    hidden = np.random.default_rng(0).random(y.shape) < 0.3
    hidden[0] = False
    return X, np.ma.MaskedArray(y, hidden), np.where(hidden, 255, y)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["auto", "cross_entropy", "focal"])
def test_masked_pixels_teach_what_ignored_ones_do(loss: str, masked: Masked) -> None:
    X, y, void = masked
    model = segmenter(loss, class_weight={1: 2.0} if loss == "focal" else None).fit(X, y)
    expected = segmenter(loss, class_weight=model.class_weight, ignore_index=255).fit(X, void)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    assert model.classes_.tolist() == [0, 1]
    assert model.score(X, y) == expected.score(X, void)
    assert dice_scorer(model, X, y) == dice_scorer(expected, X, void)
    assert dice_scorer(model, X, y) != dice_scorer(model, X, y.data)
    plain = segmenter(loss, class_weight=model.class_weight).fit(X, y.data)
    assert (plain.predict_proba(X) != model.predict_proba(X)).any()


@pytest.mark.slow
@pytest.mark.parametrize(
    "given",
    [
        lambda X, y: (X, list(y)),
        lambda X, y: (list(X), [*y[:-1], y[-1][None]]),
        lambda X, y: (list(zip(X, y, strict=True)), None),
        lambda X, y: (X, y[:, None]),
        lambda X, y: (X, np.ma.masked_invalid(y.astype(float).filled(np.nan))),
    ],
    ids=["list", "list of other shapes", "pairs", "channels", "NaN"],
)
def test_masked_masks_come_in_every_layout(given: Any, masked: Masked) -> None:
    X, y, _ = masked
    expected = segmenter().fit(X, y)
    images, masks = given(X, y)
    model = segmenter().fit(images, masks)
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-4)
    assert model.score(images, masks) == pytest.approx(expected.score(X, y))


def test_masked_arrays_without_masked_pixels_are_arrays(masked: Masked) -> None:
    X, y, _ = masked
    own = segmenter(plain_loss).fit(X, np.ma.MaskedArray(y.data))
    expected = segmenter(plain_loss).fit(X, y.data)
    np.testing.assert_array_equal(own.predict_proba(X), expected.predict_proba(X))


def plain_loss(logits: Any, target: Any) -> Any:
    """Knows no pixels that do not count."""
    return F.binary_cross_entropy_with_logits(logits, target)


def test_a_loss_that_cannot_ignore_is_refused(masked: Masked) -> None:
    X, y, _ = masked
    with pytest.raises(ValueError, match="y has masked pixels, but the loss .* cannot ignore"):
        segmenter(plain_loss).fit(X, y)
    with pytest.raises(ValueError, match="y has masked pixels, and ignore_index=1 is set on its l"):
        segmenter("bce", loss__ignore_index=1).fit(X, y)


def test_masked_and_ignored_pixels_go_together(masked: Masked) -> None:
    X, y, void = masked
    both = y.copy()
    both[:, :3] = 255
    model = segmenter(ignore_index=255).fit(X, both)
    all_void = void.copy()
    all_void[:, :3] = 255
    expected = segmenter(ignore_index=255).fit(X, all_void)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


def test_masked_channels_of_overlapping_labels_do_not_count(scenes: Data) -> None:
    X, labels = scenes
    y = np.stack([labels == 1, labels > 0], 1).astype(np.uint8)
    hidden = np.random.default_rng(0).random(y.shape) < 0.3
    model = segmenter(multilabel=True).fit(X, np.ma.MaskedArray(y, hidden))
    void = np.where(hidden, 9, y)
    expected = segmenter(multilabel=True, ignore_index=9).fit(X, void)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    assert model.score(X, np.ma.MaskedArray(y, hidden)) == expected.score(X, void)


def test_training_may_go_on_with_and_without_masked_pixels(masked: Masked) -> None:
    X, y, void = masked
    model = segmenter().partial_fit(X, y).partial_fit(X, y.data).partial_fit(X, y)
    expected = segmenter(ignore_index=255).partial_fit(X, void).partial_fit(X, y.data)
    expected.partial_fit(X, void)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


def test_nothing_but_masked_pixels_is_refused(masked: Masked) -> None:
    X, y, _ = masked
    with pytest.raises(ValueError, match=r"only one class: \[\]"):
        segmenter().fit(X, np.ma.MaskedArray(y, np.ones(y.shape, bool)))


@pytest.mark.slow
def test_folds_searches_and_comparisons_keep_the_mask(masked: Masked) -> None:
    X, y, void = masked
    ignoring, folds = segmenter(ignore_index=255), list(KFold(2).split(X))
    expected = cross_val_score(ignoring, X, void, cv=2, scoring=dice_scorer)
    np.testing.assert_array_equal(
        cross_val_score(segmenter(), X, y, cv=2, scoring=dice_scorer), expected
    )
    params: Any = {"n_trials": 1, "cv": folds, "scoring": "dice", "random_state": 0}
    search = LossSearchCV(segmenter(), ["bce"], **params).fit(X, y)
    other = LossSearchCV(ignoring, ["bce"], **params).fit(X, void)
    assert search.best_score_ == other.best_score_
    compared = [
        compare_losses(model, ["dice", "bce"], X, masks, cv=folds, random_state=0).scores_
        for model, masks in ((segmenter(), y), (ignoring, void))
    ]
    np.testing.assert_array_equal(compared[0], compared[1])


def test_other_masks_over_the_same_labels_are_other_data(masked: Masked, tmp_path: Any) -> None:
    X, y, _ = masked
    storage = str(tmp_path / "search.journal")
    params: Any = {"n_trials": 1, "cv": 2, "storage": storage, "study_name": "masks"}
    LossSearchCV(segmenter(), ["bce"], random_state=0, **params).fit(X, y)
    less = np.ma.MaskedArray(y.data, y.mask & (np.arange(16) < 8))
    with pytest.raises(ValueError, match="data"):
        LossSearchCV(segmenter(), ["bce"], random_state=0, **params).fit(X, less)


def test_masked_pixels_have_no_say_in_labels_of_images(masked: Masked) -> None:
    _, y, void = masked
    np.testing.assert_array_equal(
        image_level_labels(y, n_bins=3), image_level_labels(void, n_bins=3, ignore_index=255)
    )
    channels = np.ma.stack([y, y], 1)
    np.testing.assert_array_equal(
        image_level_labels(channels, n_bins=3, multilabel=True),
        image_level_labels(np.stack([void, void], 1), n_bins=3, multilabel=True, ignore_index=255),
    )


def test_pictures_grey_out_masked_pixels(masked: Masked) -> None:
    pytest.importorskip("matplotlib").use("agg")
    X, y, void = masked
    model = segmenter().fit(X, y)
    shown = SegmentationDisplay.from_estimator(model, X, y, n_images=2)
    model.set_params(ignore_index=255)
    expected = SegmentationDisplay.from_estimator(model, X, void, n_images=2)
    np.testing.assert_array_equal(shown.dice, expected.dice)
    for a, b in zip(shown.axes_.flat, expected.axes_.flat, strict=True):
        np.testing.assert_array_equal(a.images[1].get_array(), b.images[1].get_array())


def test_masked_labels_of_images_are_refused(digits: Data) -> None:
    X, y = digits
    with pytest.raises(ValueError, match="y has masked labels. Leave out images"):
        classifier().fit(X, np.ma.masked_equal(y, 2))
