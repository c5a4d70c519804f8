from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sklearnloss.tuning._search.attributes import find_invalid_attribute

from ..processes import X, make_search, record_of, y

FOLD = {"scores": 0.5, "fit_time": 1.0, "score_time": 1.0}
RIGHT: dict[str, Any] = {
    "candidate": 0,
    "owner": {"host": "h", "search": "s", "call": "c"},
    "results": {"folds": [FOLD], "reports": [[1, 0.5]], "epochs": 3, "outcome": ["FAIL", None]},
    "deaths": [[0], 1],
    "n_before": 0,
    "beat": 7,
}


def test_attributes_of_a_search_are_valid(tmp_path: Path) -> None:
    assert find_invalid_attribute(RIGHT) is None
    assert find_invalid_attribute({name: RIGHT[name] for name in ("candidate", "owner")}) is None
    make_search(sound=True, n_trials=2, storage=tmp_path / "s.journal").fit(X, y)
    for trial in record_of(tmp_path / "s.journal").study.trials:
        assert find_invalid_attribute(trial.user_attrs) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("candidate", "0"),
        ("candidate", None),
        ("owner", "me"),
        ("owner", {"host": "h", "search": 3, "call": "c"}),
        ("results", [1]),
        ("results", {"folds": [], "epochs": 3}),
        ("results", {**RIGHT["results"], "folds": ["f"]}),
        ("results", {**RIGHT["results"], "folds": [{"scores": 1.0}]}),
        ("results", {**RIGHT["results"], "reports": [1.0]}),
        ("results", {**RIGHT["results"], "outcome": 3}),
        ("results", {**RIGHT["results"], "outcome": ["BEST", 1.0]}),
        ("deaths", 3),
        ("deaths", [1, 2]),
        ("n_before", "x"),
        ("beat", {"a": 1}),
    ],
)
def test_an_invalid_attribute_is_named(name: str, value: Any) -> None:
    assert find_invalid_attribute({**RIGHT, name: value}) == name
