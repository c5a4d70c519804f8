"""Names that are unique."""

from __future__ import annotations

from sklearnloss._utils.text import unique_name


def test_the_lowest_free_number_is_appended() -> None:
    assert unique_name("a", {}) == "a"
    assert unique_name("a", {"a": 1}) == "a_2"
    assert unique_name("a", ["a", "a_3", "a_2", "a_5"]) == "a_4"
