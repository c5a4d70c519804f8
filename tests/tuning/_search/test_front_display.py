from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import hamming_loss, make_scorer

from sklearnloss import LossSearchCV
from sklearnloss.tuning import LossSearchDisplay, ParetoFrontDisplay

from ..searches import X, search, y

mpl.use("agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

SCORES = np.array([[0.9, -5.0], [0.5, -1.0], [0.8, -2.0], [0.4, -6.0], [np.nan, np.nan]])
LOSSES = np.array(["dice", "focal", "dice", "hinge", "focal"])
ON_FRONT = np.array([True, True, True, False, False])


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture
def display() -> ParetoFrontDisplay:
    metrics = ["dice", "hausdorff"]
    return ParetoFrontDisplay(LOSSES, SCORES, ON_FRONT, 2, metrics, (1, -1)).plot()


@pytest.fixture(scope="module")
def found() -> LossSearchCV:
    scoring = {
        "accuracy": "accuracy",
        "neg_log_loss": "neg_log_loss",
        "wrong": make_scorer(hamming_loss, greater_is_better=False),
    }
    made = search(scoring=scoring, refit="pareto", n_trials=6)
    made.fit(X, y)
    return made


def points(axes: Axes, label: str) -> list[tuple[float, float]]:
    """Return the points that an entry of the legend stands for."""
    (found,) = (each for each in axes.collections if each.get_label() == label)
    return [tuple(point) for point in np.asarray(found.get_offsets()).tolist()]


def drawn(axes: Axes, *, filled: bool) -> list[Any]:
    """Return the candidates that are on the front, or those that are not."""
    return sorted(
        point
        for each in axes.collections
        if not str(each.get_label()).startswith("chosen")
        and (len(np.asarray(each.get_facecolor())) > 0) == filled
        for point in np.asarray(each.get_offsets()).tolist()
    )


def test_metrics_are_drawn_themselves_and_axes_say_what_is_better(
    display: ParetoFrontDisplay,
) -> None:
    axes = display.ax_
    assert axes.get_xlabel() == "dice (higher is better)"
    assert axes.get_ylabel() == "hausdorff (lower is better)"
    assert drawn(axes, filled=True) == [[0.5, 1.0], [0.8, 2.0], [0.9, 5.0]]
    assert drawn(axes, filled=False) == [[0.4, 6.0]]


@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_no_candidate_is_beyond_the_line_in_the_better_direction(signs: tuple[int, int]) -> None:
    scores = np.random.default_rng(0).normal(size=(40, 2))
    on_front = np.zeros(40, dtype=bool)
    losses = np.array(["dice"] * 40)
    axes = ParetoFrontDisplay(losses, scores, on_front, 0, ["a", "b"], signs).plot().ax_
    (line,) = axes.lines
    corners = np.asarray(line.get_path().vertices) * signs  # as scores
    before, after = corners[:-1], corners[1:]
    assert ((before == after).sum(axis=1) >= 1).all()  # only to the side, up and down
    for a, b in zip(before, after, strict=True):
        for share in (0.01, 0.5, 0.99):
            beyond = a + share * (b - a) + 1e-9
            assert not (scores > beyond).all(axis=1).any()
            assert (scores >= beyond - 1e-8).all(axis=1).any()


def test_the_line_reaches_the_edges_without_moving_them(display: ParetoFrontDisplay) -> None:
    axes = display.ax_
    (line,) = axes.lines
    x, y = np.asarray(line.get_path().vertices).T
    assert (x.min(), y.max()) == (axes.get_xlim()[0], axes.get_ylim()[1])


def test_the_legend_names_losses_and_the_choice(display: ParetoFrontDisplay) -> None:
    legend = display.ax_.get_legend()
    assert legend is not None
    names = [text.get_text() for text in legend.get_texts()]
    assert sorted(names) == ["chosen: dice", "dice", "focal", "front", "hinge"]
    assert points(display.ax_, "chosen: dice") == [(0.8, 2.0)]


def test_the_legend_covers_no_candidate(display: ParetoFrontDisplay) -> None:
    display.figure_.canvas.draw()
    legend = display.ax_.get_legend()
    assert legend is not None
    assert legend.get_window_extent().x0 >= display.ax_.get_window_extent().x1
    assert legend.get_window_extent().x1 <= display.figure_.bbox.x1


def test_losses_differ_without_color(display: ParetoFrontDisplay) -> None:
    named = {str(each.get_label()): each for each in display.ax_.collections}
    shapes = [repr(named[loss].get_paths()[0].vertices) for loss in ("dice", "focal", "hinge")]
    assert all(shapes.count(shape) == 1 for shape in shapes)


def test_a_front_of_one_is_drawn() -> None:
    one = ParetoFrontDisplay(LOSSES[:1], SCORES[:1], ON_FRONT[:1], 0, ["a", "b"]).plot()
    assert drawn(one.ax_, filled=True) == [[0.9, -5.0]]


def test_a_search_is_drawn_by_its_first_two_metrics(found: LossSearchCV) -> None:
    display = ParetoFrontDisplay.from_search(pickle.loads(pickle.dumps(found)))
    results = found.cv_results_
    assert display.ax_.get_xlabel() == "accuracy (higher is better)"
    assert display.ax_.get_ylabel() == "log_loss (lower is better)"
    np.testing.assert_array_equal(display.scores[:, 1], results["mean_test_neg_log_loss"])
    np.testing.assert_array_equal(display.on_front, results["is_pareto"])
    (point,) = points(display.ax_, "chosen")
    best = found.best_index_
    assert point == (results["mean_test_accuracy"][best], -results["mean_test_neg_log_loss"][best])


def test_the_display_of_one_metric_draws_the_first(found: LossSearchCV) -> None:
    assert LossSearchDisplay.from_search(found).metric == "accuracy"


def test_metrics_and_axes_can_be_chosen(found: LossSearchCV) -> None:
    _, axes = plt.subplots()
    display = ParetoFrontDisplay.from_search(found, x="wrong", ax=axes)
    assert display.ax_ is axes
    assert axes.get_xlabel() == "wrong (lower is better)"
    assert axes.get_ylabel() == "accuracy (higher is better)"
    assert ParetoFrontDisplay.from_search(found, y="accuracy", x="neg_log_loss").metrics == (
        "neg_log_loss",
        "accuracy",
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"x": "auc"}, "x='auc' was not scored. Expected one of"),
        ({"y": "auc"}, "y='auc' was not scored. Expected one of"),
        ({"y": "accuracy"}, "x and y are both 'accuracy'. Expected two of"),
    ],
)
def test_wrong_metrics_are_refused(
    options: dict[str, Any], message: str, found: LossSearchCV
) -> None:
    with pytest.raises(ValueError, match=message):
        ParetoFrontDisplay.from_search(found, **options)


def test_a_search_without_a_front_is_refused() -> None:
    other = search(LogisticRegression(), n_trials=1).fit(X, y)
    with pytest.raises(ValueError, match="has no Pareto front. Fit it with several metrics"):
        ParetoFrontDisplay.from_search(other)
