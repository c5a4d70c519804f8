from __future__ import annotations

import builtins
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearnloss.estimators import FitCurveDisplay

from ..conftest import Data, classifier, segmenter

mpl.use("agg")
from matplotlib import pyplot as plt


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def test_curves_are_the_history(scenes: Data) -> None:
    model = segmenter(max_epochs=3, early_stopping=True, validation_fraction=0.25).fit(*scenes)
    display = FitCurveDisplay.from_estimator(model)
    for curves, key in [
        (display.train_loss, "train_loss"),
        (display.valid_loss, "valid_loss"),
        (display.lr, "lr"),
    ]:
        assert list(curves) == ["UNetSegmenter"]
        np.testing.assert_array_equal(curves["UNetSegmenter"], model.history_[:, key])
    drawn = [line.get_ydata() for line in display.lines_]
    np.testing.assert_array_equal(drawn[0], model.history_[:, "train_loss"])
    assert display.axes_[0].lines[0].get_label() == "training"
    best = int(np.argmin(model.history_[:, "valid_loss"])) + 1
    assert display.axes_[0].lines[1].get_label() == f"validation (lowest: epoch {best})"
    assert [axes.get_ylabel() for axes in display.axes_] == ["loss", "learning rate"]


def test_without_a_held_out_part_there_is_only_the_training_loss(digits: Data) -> None:
    display = FitCurveDisplay.from_estimator(classifier().fit(*digits))
    assert display.valid_loss == {}
    assert [line.get_marker() for line in display.lines_] == ["o", "o"]  # one epoch, one point
    assert display.figure_ is display.axes_[1].figure


def test_several_fits_are_overlaid_in_a_colour_each(digits: Data) -> None:
    fits = {
        "ce": classifier(max_epochs=2).fit(*digits),
        "focal": classifier("focal", max_epochs=3, early_stopping=True).fit(*digits),
    }
    display = FitCurveDisplay.from_estimator(fits, log_scale=True)
    assert {name: len(loss) for name, loss in display.train_loss.items()} == {"ce": 2, "focal": 3}
    assert list(display.valid_loss) == ["focal"]
    labels = [line.get_label() for line in display.axes_[0].lines]
    assert labels[:2] == ["ce, training", "focal, training"]
    assert str(labels[2]).startswith("focal, validation")
    colors = [line.get_color() for line in display.axes_[0].lines]
    assert colors[0] != colors[1] == colors[2]
    assert display.axes_[0].get_yscale() == "log"


@pytest.mark.parametrize("names", [("a", "b"), ("learning rate .01", "learning rate .001")])
def test_the_legend_of_several_fits_lies_within_the_figure(names: tuple[str, str]) -> None:
    curve = np.array([2.0, 1.0, 1.5])
    curves = dict.fromkeys(names, curve)
    display = FitCurveDisplay(curves, curves, curves).plot()
    figure = display.figure_
    figure.canvas.draw()
    legend = display.axes_[0].get_legend()
    assert legend is not None
    assert legend.get_window_extent().x1 <= figure.bbox.x1
    assert display.axes_[0].get_window_extent().width > 0.8 * figure.bbox.width


def test_losses_that_are_not_positive_stay_on_a_linear_scale() -> None:
    display = FitCurveDisplay({"a": np.array([1.0, -1.0])}, {}, {"a": np.ones(2)})
    assert display.plot(log_scale=True).axes_[0].get_yscale() == "linear"


def test_pipelines_and_searches_are_looked_into(digits: Data) -> None:
    pipe = make_pipeline(FunctionTransformer(), classifier()).fit(*digits)
    search = GridSearchCV(pipe, {"resnetclassifier__max_epochs": [2]}, cv=2).fit(*digits)
    display = FitCurveDisplay.from_estimator({"pipe": pipe, "search": search})
    assert {name: len(loss) for name, loss in display.lr.items()} == {"pipe": 1, "search": 2}
    assert list(FitCurveDisplay.from_estimator(search).lr) == ["ResNetClassifier"]


def test_it_draws_on_given_axes(digits: Data) -> None:
    _, axes = plt.subplots(1, 2)
    model = classifier(max_epochs=2).fit(*digits)
    display = FitCurveDisplay.from_estimator(model, ax=axes, line_kw={"color": "red"})
    assert display.axes_ == list(axes)
    assert {line.get_color() for line in display.lines_} == {"red"}
    with pytest.raises(ValueError, match="ax holds 1 axes, expected two"):
        display.plot(axes[:1])


def test_what_has_no_history_is_refused(digits: Data) -> None:
    with pytest.raises(TypeError, match="LogisticRegression has no history of its fit"):
        FitCurveDisplay.from_estimator(LogisticRegression())
    with pytest.raises(ValueError, match="is not fitted yet"):
        FitCurveDisplay.from_estimator(classifier())


def test_without_matplotlib_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def no_matplotlib(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    display = FitCurveDisplay({"a": np.ones(2)}, {}, {"a": np.ones(2)})
    monkeypatch.setattr(builtins, "__import__", no_matplotlib)
    with pytest.raises(ImportError, match=r"FitCurveDisplay needs .* 'sklearnloss\[plot\]'"):
        display.plot()
