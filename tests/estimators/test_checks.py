"""scikit-learn's own checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, column_or_1d
from torch import Tensor, nn

from sklearnloss import ResNetClassifier, UNetSegmenter
from sklearnloss.losses import CrossEntropyLoss, DiceLoss, FocalLoss

# Weights equal repetition only where a batch is the whole data and nothing
# normalizes over it: not with mini-batches and batch normalization. The property
# itself is tested in test_training.py, with full batches and group normalization.
EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": "mini-batches with batch normalization"
}


def own_loss(logits: Tensor, target: Tensor, power: float = 1.0) -> Tensor:
    """Return a value per sample."""
    return nn.functional.cross_entropy(logits, target, reduction="none") ** power


def small(*args: Any, **params: Any) -> ResNetClassifier:
    return ResNetClassifier(*args, width=4, max_epochs=8, **params)


# What a check finds does not depend on the loss, but for these: they copy, compare or
# change parameters, or look at what training leaves behind.
OF_PARAMETERS = [
    "check_dict_unchanged",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimators_overwrite_params",
    "check_estimators_pickle",
    "check_fit_check_is_fitted",
    "check_fit_idempotent",
    "check_get_params_invariance",
    "check_no_attributes_set_in_init",
    "check_readonly_memmap_input",
    "check_sample_weights_not_overwritten",
    "check_set_params",
]


@pytest.mark.slow
@parametrize_with_checks(  # type: ignore[untyped-decorator]
    [small(), small(0.5 * DiceLoss() + CrossEntropyLoss())],
    expected_failed_checks=lambda estimator: EXPECTED,
)
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
def test_classifier_passes_scikit_learn_s_checks(
    estimator: ResNetClassifier, check: Callable[[Any], None]
) -> None:
    check(estimator)


@pytest.mark.slow
@pytest.mark.parametrize(
    "estimator",
    [
        small("focal", loss__gamma=1.0),
        small(CrossEntropyLoss),
        small(FocalLoss()),
        small(nn.CrossEntropyLoss()),
        small(own_loss),
    ],
    ids=["name", "class", "object", "torch", "function"],
)
@pytest.mark.parametrize("name", OF_PARAMETERS)
def test_every_kind_of_loss_passes_the_checks_of_parameters(
    name: str, estimator: ResNetClassifier
) -> None:
    getattr(estimator_checks, name)("ResNetClassifier", clone(estimator))


DATA_FREE = [
    "check_parameters_default_constructible",
    "check_no_attributes_set_in_init",
    "check_get_params_invariance",
    "check_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_mixin_order",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
]


@pytest.mark.parametrize("name", DATA_FREE)
def test_segmenter_passes_the_checks_without_data(name: str) -> None:
    getattr(estimator_checks, name)("UNetSegmenter", UNetSegmenter())


class RowSegmenter(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Rows of a table as images of one row, each with a mask of one label."""

    def __init__(self, random_state: Any = None) -> None:
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> RowSegmenter:
        self.segmenter_ = UNetSegmenter(
            width=4,
            depth=1,
            max_epochs=20,
            batch_size=16,
            lr=1e-2,
            random_state=self.random_state,
        )
        self.segmenter_.fit(X, self._as_masks(X, y, sample_weight), sample_weight)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.segmenter_, name):
                setattr(self, name, getattr(self.segmenter_, name))
        return self

    def _as_masks(self, X: Any, y: Any, sample_weight: Any) -> Any:
        if y is None:
            return None
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        images = self.segmenter_._read_images(X, reset=True, min_samples=2)
        if len(y) != len(images):
            raise ValueError("X and y have different numbers of samples.")
        if sample_weight is not None:
            weight = _check_sample_weight(sample_weight, images, ensure_non_negative=True)
            if len(np.unique(y[weight > 0])) < 2:
                raise ValueError("The data has only one class.")
        self.classes_, codes = np.unique(y, return_inverse=True)
        return np.repeat(codes.reshape(len(y), 1, 1), images.shape[-1], -1)

    def predict_proba(self, X: Any) -> Any:
        check_is_fitted(self)
        return self.segmenter_.predict_proba(X).astype(float).mean((2, 3))

    def predict(self, X: Any) -> Any:
        codes = self.predict_proba(X).argmax(1)
        return self.classes_[codes]


@pytest.mark.slow
@parametrize_with_checks(  # type: ignore[untyped-decorator]
    [RowSegmenter()],
    expected_failed_checks=lambda estimator: EXPECTED,
)
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
def test_segmenter_passes_them_on_rows(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)
