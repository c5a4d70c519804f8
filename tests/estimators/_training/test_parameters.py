"""The signatures of both estimators agree with the table of their shared parameters."""

from __future__ import annotations

import inspect
from typing import Any, get_type_hints

import pytest

from sklearnloss import ResNetClassifier, UNetSegmenter
from sklearnloss.estimators._training.parameters import OWN, PARAMETERS, SharedParameters

ESTIMATORS = [ResNetClassifier, UNetSegmenter]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_signature_has_the_shared_parameters_in_order(estimator: Any) -> None:
    given = inspect.signature(estimator).parameters
    assert [name for name in given if name in PARAMETERS] == list(PARAMETERS)
    types, shared = get_type_hints(estimator.__init__), get_type_hints(SharedParameters)
    for name, parameter in PARAMETERS.items():
        assert types[name] == shared[name], name
        if parameter.default is not OWN:
            assert given[name].default == parameter.default, name


def test_a_parameter_of_both_estimators_is_in_the_table() -> None:
    first, second = (set(inspect.signature(estimator).parameters) for estimator in ESTIMATORS)
    assert first & second == {"loss", "depth", *PARAMETERS}


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_arguments_are_the_attributes(estimator: Any) -> None:
    values = {name: object() for name in inspect.signature(estimator).parameters}
    model = estimator(**{**values, "loss": "focal", "loss__gamma": 1.5})
    assert model.get_params(deep=False) == {**values, "loss": "focal", "loss__gamma": 1.5}
    assert {name for name in vars(model) if not name.startswith("_")} == set(values)
