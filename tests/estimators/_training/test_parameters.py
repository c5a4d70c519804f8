"""The signatures and docstrings of all estimators agree with the table of shared parameters."""

from __future__ import annotations

import inspect
import re
from typing import Any, get_type_hints

import pytest

from sklearnloss import ImageClassifier, ImageSegmenter, ResNetClassifier, UNetSegmenter
from sklearnloss.estimators._training.parameters import OWN, PARAMETERS, SharedParameters

ESTIMATORS = [ImageClassifier, ImageSegmenter, ResNetClassifier, UNetSegmenter]


# Documented differently, as their defaults or the data are others.
DIFFERENT = {"batch_size"}


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_signature_has_the_shared_parameters_in_order(estimator: Any) -> None:
    given = inspect.signature(estimator).parameters
    assert [name for name in given if name in PARAMETERS] == list(PARAMETERS)
    types, shared = get_type_hints(estimator.__init__), get_type_hints(SharedParameters)
    for name, parameter in PARAMETERS.items():
        assert types[name] == shared[name], name
        if parameter.default is not OWN:
            assert given[name].default == parameter.default, name


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_docstring_has_the_parameters_in_order(estimator: Any) -> None:
    documented = re.findall(
        r"^    (\w+) : ", estimator.__doc__.partition("Attributes")[0], re.MULTILINE
    )
    assert documented == list(inspect.signature(estimator).parameters)


@pytest.mark.parametrize("name", [name for name in PARAMETERS if name not in DIFFERENT])
def test_a_shared_parameter_is_documented_with_one_default(name: str) -> None:
    line = re.compile(rf"^    {name} : .*$", re.MULTILINE)
    assert len({text for each in ESTIMATORS for text in line.findall(each.__doc__ or "")}) == 1


def test_a_parameter_of_all_estimators_is_in_the_table() -> None:
    shared = set.intersection(*(set(inspect.signature(each).parameters) for each in ESTIMATORS))
    assert shared == {"loss", *PARAMETERS}


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_arguments_are_the_attributes(estimator: Any) -> None:
    values = {name: object() for name in inspect.signature(estimator).parameters}
    model = estimator(**{**values, "loss": "focal", "loss__gamma": 1.5})
    assert model.get_params(deep=False) == {**values, "loss": "focal", "loss__gamma": 1.5}
    assert {name for name in vars(model) if not name.startswith("_")} == set(values)
