from __future__ import annotations

from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, check_scoring, get_scorer, make_scorer

from sklearnloss.metrics import dice_scorer
from sklearnloss.tuning._evaluation.sklearn_private import only_predicts


def own(model: Any, X: Any, y: Any) -> float:
    return 1.0


@pytest.mark.parametrize(
    ("scoring", "expected"),
    [
        (None, True),
        ("accuracy", True),
        (make_scorer(accuracy_score), True),
        (dice_scorer, True),
        (["accuracy", "f1_macro"], True),
        ({"a": "accuracy", "b": get_scorer("roc_auc")}, True),
        (own, False),
        ({"a": "accuracy", "b": own}, False),
    ],
)
def test_scorers_of_scikit_learn_do_no_more_than_predict(scoring: Any, expected: bool) -> None:
    assert only_predicts(check_scoring(LogisticRegression(), scoring)) == expected
