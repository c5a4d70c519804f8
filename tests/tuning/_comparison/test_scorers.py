from __future__ import annotations

from typing import Any

import pytest

from sklearnloss.tuning._comparison.scorers import NamedScorers


def both(model: Any, X: Any, y: Any) -> dict[Any, float]:
    return {"one": 1, 2: 0.5}


def half(model: Any, X: Any, y: Any) -> float:
    return 0.5


def test_a_single_scorer_may_return_several_scores() -> None:
    assert NamedScorers(scorers={"both": both})(None, [], []) == {"one": 1.0, "2": 0.5}
    assert NamedScorers(scorers={"a": half})(None, []) == {"a": 0.5}


@pytest.mark.parametrize("scorers", [{"a": both, "b": half}, {"b": half, "a": both}])
def test_of_several_scorers_each_returns_one_score(scorers: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="The scorer a returned .*Expected a number"):
        NamedScorers(scorers=scorers)(None, [], [])


def test_a_dict_without_scores_is_refused() -> None:
    with pytest.raises(ValueError, match="a returned no scores"):
        NamedScorers(scorers={"a": lambda model, X, y: {}})(None, [], [])
