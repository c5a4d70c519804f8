"""A wrong input gets a clear error before any training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError

from sklearnloss.losses import CrossEntropyLoss, DiceLoss

from .conftest import Data, classifier, segmenter


def refuses(model: Any, X: Any, y: Any, message: str, **fit_params: Any) -> None:
    """Check that fit raises, and that nothing was trained."""
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, **fit_params)
    assert not hasattr(model, "net_")


SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"lr": 0}, "'lr' parameter of .* must be a float in the range"),
    ({"lr": "fast"}, "'lr' parameter"),
    ({"max_epochs": 0}, "'max_epochs' parameter"),
    ({"max_epochs": 1.5}, "'max_epochs' parameter"),
    ({"batch_size": 0}, "'batch_size' parameter"),
    ({"weight_decay": -1}, "'weight_decay' parameter"),
    ({"scheduler": "step"}, "'scheduler' parameter"),
    ({"channels": "middle"}, "'channels' parameter"),
    ({"normalize": "minmax"}, "'normalize' parameter"),
    ({"validation_fraction": 1.0}, "'validation_fraction' parameter"),
    ({"precision": "half"}, "'precision' parameter"),
    ({"random_state": "seed"}, "'random_state' parameter"),
    ({"optimizer": "adamm"}, r"optimizer='adamm' is unknown.*Did you mean 'adam(w|ax)?'"),
    ({"optimizer": 3}, r"optimizer=3 is unknown"),
    ({"optimizer": "rprop"}, r"Rprop has no weight decay. Set weight_decay=0"),
    ({"device": "gpu"}, r"device='gpu' is unknown"),
    ({"class_weight": "even"}, r"class_weight='even' is unknown"),
    ({"class_weight": {7: 1.0}}, r"class_weight names the label 7"),
    ({"class_weight": [1.0]}, r"class_weight has shape \(1,\)"),
    ({"class_weight": {0: [1.0]}}, r"class_weight=\{0: \[1.0\]\} cannot be read. Expected"),
    ({"class_weight": [1j, 1, 1]}, r"class_weight=.* cannot be read. Expected"),
    ({"class_weight": {0: -1.0}}, r"class_weight must be finite and not negative"),
    ({"image_shape": (3, 3)}, r"image_shape=\(3, 3\) has 9 values, but each sample of X"),
    ({"image_shape": (1, 1, 1, 8, 8)}, r"image_shape=.*: expected \(L,\), \(H, W\)"),
]


@pytest.mark.parametrize(("params", "message"), SETTINGS)
def test_a_wrong_setting_is_named(
    params: dict[str, Any], message: str, digits: Data, scenes: Data
) -> None:
    refuses(classifier(**params), *digits, message)
    refuses(segmenter(**params), *scenes, message)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_named(digits: Data) -> None:
    refuses(classifier(device="cuda"), *digits, "torch sees no CUDA GPU. Use device='auto'")


def test_unlike_lengths_are_named(digits: Data, scenes: Data) -> None:
    refuses(classifier(), digits[0], digits[1][:-1], "inconsistent numbers of samples")
    refuses(segmenter(), scenes[0], scenes[1][:-1], "inconsistent numbers of samples")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_are_named(bad: float, digits: Data, scenes: Data) -> None:
    for model, (X, y) in ((classifier(), digits), (segmenter(), scenes)):
        dirty = X.copy()
        dirty[3, 2, 1] = bad
        refuses(model, dirty, y, "Input X contains (NaN|infinity)")
        with pytest.raises(ValueError, match="Input X contains (NaN|infinity)"):
            model.fit(X, y).predict(dirty)
    masks = scenes[1].astype(float)
    masks[0, 0, 0] = bad
    refuses(segmenter(), scenes[0], masks, "Input y contains NaN or infinity")


@pytest.mark.parametrize("shape", [(), (4,), (4, 1, 2, 2, 2, 2)])
def test_a_wrong_rank_is_named(shape: tuple[int, ...]) -> None:
    X = np.zeros(shape)
    with pytest.raises((ValueError, TypeError), match=r"shape|array|dim"):
        classifier().fit(X, np.arange(4) % 2)
    with pytest.raises((ValueError, TypeError), match=r"shape|array|dim"):
        segmenter().fit(X, np.zeros((4, 2, 2), int))


def test_labels_outside_of_the_classes_are_named(digits: Data, scenes: Data) -> None:
    refuses(classifier(classes=[0, 1]), *digits, r"the label .*2.*not among the classes \[0, 1\]")
    refuses(segmenter(classes=[0, 1]), *scenes, r"the label .*2.*not among the classes \[0, 1\]")
    model = segmenter(classes=[0, 1], ignore_index=9)
    refuses(model, *scenes, r"not among the classes \[0, 1\]. ignore_index is 9")


def test_one_class_is_too_few(digits: Data, scenes: Data) -> None:
    refuses(classifier(), digits[0], np.ones(60), "needs at least 2 classes.*only one class")
    refuses(segmenter(), scenes[0], scenes[1] * 0, "needs masks of at least 2 classes")


def test_masks_that_are_no_masks_are_named(scenes: Data) -> None:
    X, y = scenes
    refuses(segmenter(), X, y[:, :8], r"y has shape \(12, 8, 16\), but X holds 12 images of shape")
    refuses(segmenter(), X, y / 2, "y holds fractions, but masks hold labels")
    refuses(
        segmenter(), X, y * 1e300, r"y holds 1e\+300, which is too large for a label.*mask them"
    )
    refuses(segmenter(), X, y.astype(str), "Expected masks of integers or booleans")
    refuses(segmenter(), X, np.stack([y] * 2, 1), r"y has shape \(12, 2, 16, 16\)")


def test_y_is_needed(digits: Data, scenes: Data) -> None:
    refuses(classifier(), digits[0], None, "requires y to be passed, but the target y is None")
    refuses(segmenter(), scenes[0], None, "requires y to be passed, but the target y is None")


def test_sample_weights_are_checked(digits: Data) -> None:
    X, y = digits
    refuses(classifier(), X, y, r"sample_weight.shape == \(3,\)", sample_weight=[1, 2, 3])
    refuses(classifier(), X, y, "[Nn]egative values", sample_weight=-np.ones(60))
    refuses(classifier(), X, y, "NaN", sample_weight=np.full(60, np.nan))


def test_weights_need_a_loss_per_sample(digits: Data) -> None:
    model = classifier(lambda z, t: z.mean())
    with pytest.raises(ValueError, match="sample_weight was passed, but <lambda> returns"):
        model.fit(*digits, sample_weight=np.ones(60))


def test_predicting_needs_fitting(digits: Data, scenes: Data) -> None:
    for model, X in ((classifier(), digits[0]), (segmenter(), scenes[0])):
        for method in (model.predict, model.predict_proba, model.decision_function):
            with pytest.raises(NotFittedError, match="is not fitted yet"):
                method(X)
    with pytest.raises(NotFittedError):
        segmenter().score(*scenes)


def test_images_unlike_training_s_are_named(digits: Data, scenes: Data) -> None:
    model = classifier().fit(*digits)
    with pytest.raises(ValueError, match=r"shape \(1, 8, 7\).*fitted on images of shape \(1, 8, 8"):
        model.predict(digits[0][:, :, :7])
    with pytest.raises(ValueError, match=r"shape \(2, 16, 16\).*fitted on images of shape \(1, 16"):
        segmenter().fit(*scenes).predict(np.stack([scenes[0]] * 2, 1))


def test_a_loss_that_cannot_ignore_is_named(scenes: Data) -> None:
    X, y = scenes
    model = segmenter(torch.nn.MultiMarginLoss(), ignore_index=2)
    refuses(model, X, y, "ignore_index=2 is set, but the loss MultiMarginLoss.* cannot ignore")
    assert segmenter(torch.nn.CrossEntropyLoss(), ignore_index=2).fit(X, y).classes_.size == 2


def test_ignoring_is_said_once(scenes: Data) -> None:
    X, y = scenes
    refuses(segmenter(DiceLoss(ignore_index=1), ignore_index=2), X, y, "Set only one")
    refuses(segmenter(DiceLoss(ignore_index=100)), X, y * 50, "Set ignore_index on the estimator")


def test_class_weights_are_said_once(scenes: Data) -> None:
    model = segmenter(CrossEntropyLoss(class_weight=[1, 1, 1]), class_weight="balanced")
    refuses(model, *scenes, "class_weight is set on the estimator and class_weight on its loss")


def test_a_loss_without_class_weights_is_named(scenes: Data) -> None:
    refuses(segmenter("hinge", class_weight="balanced"), *scenes, "not every term of the loss")
