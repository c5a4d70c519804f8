from __future__ import annotations

import numpy as np
import pytest

from sklearnloss.datasets import make_digit_scenes


def test_masks_lie_where_the_digits_are() -> None:
    X, y = make_digit_scenes(5, noise=0.0, random_state=0)
    assert (X[y > 0] > 0.25).all()
    assert (X[y == 0] <= 0.25).all()


def test_a_seed_gives_the_same_scenes() -> None:
    for a, b in zip(
        make_digit_scenes(3, random_state=1), make_digit_scenes(3, random_state=1), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_scenes_are_as_asked() -> None:
    X, y = make_digit_scenes(2, size=20, n_digits=99, classes=(7,), random_state=0)
    assert X.shape == y.shape == (2, 20, 20)
    assert set(np.unique(y)) == {0, 1}


@pytest.mark.parametrize(
    ("params", "message"),
    [({"size": 7}, "a digit needs 8 pixels"), ({"classes": (10,)}, "expected digits from 0 to 9")],
)
def test_impossible_scenes_are_refused(params: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_digit_scenes(1, **params)  # type: ignore[arg-type]
