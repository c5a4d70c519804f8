"""The last step of pipelines and searches, and what it gets."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearnloss._utils.pipeline import last_step, reach_final

Array = np.ndarray[Any, Any]


class Halves(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Learns nothing, so that scikit-learn cannot see that it is fitted."""

    def fit(self, X: Array, y: Any = None) -> Halves:
        return self

    def transform(self, X: Array) -> Array:
        return X / 2


LAST = BaseEstimator()


@pytest.mark.filterwarnings("error")
def test_data_go_through_all_steps_but_the_last() -> None:
    inner = make_pipeline(Halves(), LAST)
    outer = make_pipeline(FunctionTransformer(lambda X: X + 1), "passthrough", Halves(), inner)
    for pipeline in (outer, SimpleNamespace(best_estimator_=outer)):
        final, X = reach_final(pipeline, np.array([[3.0]]))
        assert final is LAST
        assert X.tolist() == [[1.0]]
    assert reach_final(outer, None) == (LAST, None)


def test_the_prefix_leads_through_nested_pipelines() -> None:
    pipeline = Pipeline([("a", Halves()), ("b", Pipeline([("c", LAST)]))])
    assert last_step(pipeline) == ("b__c__", LAST)
    assert last_step(LAST) == ("", LAST)
