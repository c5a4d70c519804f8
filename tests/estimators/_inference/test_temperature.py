from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.calibration import _TemperatureScaling

from sklearnloss.estimators._inference.probability_counts import Block
from sklearnloss.estimators._inference.temperature import best_temperature

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("true", [0.05, 0.7, 1.0, 3.0, 40.0])
def test_a_sigmoid_has_the_temperature_of_a_numerical_search(true: float) -> None:
    z = RNG.normal(size=800) * 2
    y = (RNG.random(800) < 1 / (1 + np.exp(-z))).astype(np.uint8)
    u = z * true
    weight = RNG.random(800) + 0.5

    def blocks() -> Iterator[Block]:
        yield Block(y[:300], u[None, :300], weight[:300])
        yield Block(y[300:], u[None, 300:], weight[300:])

    found = best_temperature(blocks, binary=True)
    loss = minimize_scalar(
        lambda log_t: np.sum(weight * np.logaddexp(0, -(2.0 * y - 1) * u * np.exp(-log_t))),
        bracket=(-1, 1),
        tol=1e-12,
    )
    assert found == pytest.approx(np.exp(loss.x), rel=1e-5)


def test_a_softmax_has_the_temperature_of_scikit_learn() -> None:
    u = RNG.normal(size=(600, 4)) * 5
    y = np.array([RNG.choice(4, p=np.exp(log_softmax(row / 2.5))) for row in u])
    found = best_temperature(lambda: iter([Block(y, u.T, 1.0)]), binary=False)
    reference = _TemperatureScaling().fit(u, y)
    assert found == pytest.approx(1 / reference.beta_, rel=1e-4)
    ignored = np.append(y, [255, -100])
    more = np.concatenate([u, [[90, 0, 0, 0], [0, 90, 0, 0]]])
    assert best_temperature(lambda: iter([Block(ignored, more.T, 1.0)]), binary=False) == found


@pytest.mark.parametrize(
    ("codes", "message", "end"),
    [([0, 0, 1, 1], "without an error", 0.01), ([1, 1, 0, 0], "less about this data", 100.0)],
)
def test_data_without_a_minimum_gets_the_end_of_the_range(
    codes: list[int], message: str, end: float
) -> None:
    u = np.array([[-2.0, -1.0, 1.0, 2.0]])
    block = Block(np.array(codes), u, 1.0)
    with pytest.warns(UserWarning, match=message):
        assert best_temperature(lambda: iter([block]), binary=True) == end
