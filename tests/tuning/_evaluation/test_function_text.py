from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from sklearnloss.tuning._evaluation.fingerprint import digest


def make(factor: Any) -> Callable[[Any], Any]:
    def function(x: Any) -> Any:
        return factor * x

    return function


def with_default(factor: Any) -> Callable[..., Any]:
    def function(x: Any, factor: Any = factor) -> Any:
        return factor * x

    return function


def with_keyword(factor: Any) -> Callable[..., Any]:
    def function(x: Any, *, factor: Any = factor) -> Any:
        return factor * x

    return function


def plus_one(x: Any) -> Any:
    return x + 1


def plus_two(x: Any) -> Any:
    return x + 2


@pytest.mark.parametrize("hold", [make, with_default, with_keyword])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 2),
        (1, 1.0),
        ("a", "b"),
        (None, 0),
        ((1, 2), (1, 3)),
        (np.arange(3), np.arange(1, 4)),
        (torch.ones(2), torch.zeros(2)),
        (plus_one, plus_two),
        (int, float),
        ([1], (1,)),
    ],
)
def test_what_a_function_holds_counts(hold: Callable[..., Any], one: Any, other: Any) -> None:
    assert digest(hold(one)) != digest(hold(other))
    assert digest(hold(one)) == digest(hold(one))


def test_constants_names_and_inner_functions_count() -> None:
    functions: list[Callable[[Any], Any]] = [
        lambda x: x + 1,
        lambda x: x + 2,
        lambda x: x - 1,
        lambda x: np.mean(x),
        lambda x: np.median(x),
        lambda x: [each + 1 for each in x if each in {"a", "b"}],
        lambda x: [each + 1 for each in x if each in {"a", "c"}],
        lambda x: sorted(x, key=lambda each: each + 1),
        lambda x: sorted(x, key=lambda each: each + 2),
    ]
    assert len({digest(each) for each in functions}) == len(functions)


def test_a_list_that_a_function_fills_does_not_change_it() -> None:
    calls: list[int] = []
    function = make(calls)
    before = digest(function)
    calls.append(1)
    assert digest(function) == before


def test_a_function_may_hold_itself_or_what_is_not_set_yet() -> None:
    def calls_itself(x: int) -> int:
        return x if x < 1 else calls_itself(x - 1)

    assert digest(calls_itself) == digest(calls_itself)

    def early() -> str:
        def inner() -> Any:
            return late

        found = digest(inner)
        late = 1
        return found + str(late)

    assert early() == early()
