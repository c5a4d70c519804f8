"""scikit-learn's own checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearnloss import ResNetClassifier, UNetSegmenter
from sklearnloss.losses import FocalLoss

# Weights equal repetition only where a batch is the whole data and nothing
# normalises over it: not with mini-batches and batch normalisation.
EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": "mini-batches with batch normalisation"
}


@parametrize_with_checks(  # type: ignore[untyped-decorator]
    [
        ResNetClassifier(width=8, max_epochs=10),
        ResNetClassifier(FocalLoss(), width=8, max_epochs=10),
    ],
    expected_failed_checks=lambda estimator: EXPECTED,
)
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
def test_classifier_passes_scikit_learn_s_checks(
    estimator: ResNetClassifier, check: Callable[[Any], None]
) -> None:
    check(estimator)


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
