"""What is said of two identities that differ."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.svm import SVC

from sklearnloss.tuning._evaluation.identity import Identity, differences, listed, shape, short


def identity(model: Any, random_state: Any = 0, seed: int = 0, scoring: str = "f1") -> Identity:
    found = Identity()
    found.add_parts(np.zeros(4), {"y": ["list of 4", scoring]}, scoring, "images")
    found.add_estimator(model)
    found.add_scoring(scoring, scoring)
    found.add_seed(random_state, seed)
    return found


def compared(one: Identity, other: Identity) -> list[str]:
    changed = [name for name, value in other.digests.items() if one.digests[name] != value]
    return differences(changed, one.details, other.details)


def test_each_subject_that_differs_is_named() -> None:
    one, same = identity(SVC()), identity(SVC(verbose=True))
    assert compared(one, same) == []
    assert compared(one, identity(SVC(C=2.0), 1, 1, "roc_auc")) == [
        "data: y has other values",
        "estimator: C 1.0 -> 2.0",
        "scoring f1 -> roc_auc",
        "random_state 0 -> 1",
    ]


def test_a_seed_that_follows_from_other_differences_is_left_out() -> None:
    one = identity(SVC(), None, 1)
    assert compared(one, identity(SVC(C=2.0), None, 2)) == ["estimator: C 1.0 -> 2.0"]
    assert compared(one, identity(SVC(), None, 2)) == [
        "random_state None -> None (a different one)"
    ]


def test_a_subject_without_details_is_another_one() -> None:
    assert differences(["scoring"], {}, identity(SVC()).details) == ["another scoring"]


def test_many_differences_are_counted() -> None:
    assert listed(["a", "b"]) == "a; b"
    assert listed([str(k) for k in range(10)]) == "0; 1; 2; 3; 4; 5; 6; 7; and 2 more"


def test_values_are_described_in_a_few_words() -> None:
    assert (shape([1, 2]), shape(np.zeros((2, 3)))) == ("list of 2", "float64 of shape (2, 3)")
    assert (short(SVC), short("a")) == ("SVC", "'a'")
    assert len(short(list(range(1000)))) == 80
