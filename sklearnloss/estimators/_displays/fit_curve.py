"""A figure of the course of a fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ..._utils.pipeline import reach_final
from .style import COLORS, import_pyplot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

Array = NDArray[Any]


class FitCurveDisplay:
    """Losses and learning rate by epoch, for one or several fits.

    Make one with :meth:`from_estimator`. Needs matplotlib: ``pip install
    'sklearnloss[plot]'``.

    Parameters
    ----------
    train_loss : dict of str to ndarray of shape (n_epochs,)
        The mean training loss of each epoch, by name of the fit; nan where an epoch
        has none.
    valid_loss : dict of str to ndarray of shape (n_epochs,)
        The loss on the held-out part, for those fits that have one.
    lr : dict of str to ndarray of shape (n_epochs,)
        The learning rate at the end of each epoch.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        The axes of the losses and of the learning rate.
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D

    See Also
    --------
    SegmentationDisplay : What was learned, image by image.

    Examples
    --------
    >>> from sklearnloss import UNetSegmenter
    >>> from sklearnloss.datasets import load_nuclei
    >>> from sklearnloss.estimators import FitCurveDisplay
    >>> X, y, _ = load_nuclei(border=False)
    >>> model = UNetSegmenter(width=4, depth=2, max_epochs=3, early_stopping=True)
    >>> display = FitCurveDisplay.from_estimator(model.fit(X, y))
    >>> len(display.valid_loss["UNetSegmenter"])
    3
    """

    axes_: list[Axes]
    figure_: Figure
    lines_: list[Line2D]

    def __init__(
        self,
        train_loss: Mapping[str, Array],
        valid_loss: Mapping[str, Array],
        lr: Mapping[str, Array],
    ) -> None:
        self.train_loss = train_loss
        self.valid_loss = valid_loss
        self.lr = lr

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        ax: Sequence[Axes] | None = None,
        log_scale: bool = False,
        line_kw: Mapping[str, Any] | None = None,
    ) -> FitCurveDisplay:
        """Draw the history of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator, or dict of str to fitted estimator
            Several estimators are overlaid under their names. For a pipeline the last step
            is drawn, for a search its best estimator.
        ax : sequence of two matplotlib Axes, default=None
            Where to draw; new axes by default.
        log_scale : bool, default=False
            Draw the losses on a logarithmic scale, if all are positive.
        line_kw : dict, default=None
            Passed to ``Axes.plot``.

        Returns
        -------
        display : FitCurveDisplay
        """
        if not isinstance(estimator, Mapping):
            estimator = {type(reach_final(estimator, None)[0]).__name__: estimator}
        histories = {str(name): _history(each) for name, each in estimator.items()}
        valid = {name: _column(rows, "valid_loss") for name, rows in histories.items()}
        display = cls(
            {name: _column(rows, "train_loss") for name, rows in histories.items()},
            {name: losses for name, losses in valid.items() if np.isfinite(losses).any()},
            {name: _column(rows, "lr") for name, rows in histories.items()},
        )
        return display.plot(ax, log_scale=log_scale, line_kw=line_kw)

    def plot(
        self,
        ax: Sequence[Axes] | None = None,
        *,
        log_scale: bool = False,
        line_kw: Mapping[str, Any] | None = None,
    ) -> FitCurveDisplay:
        """Draw the curves.

        Training losses are solid lines, losses on the held-out part dashed, with a dot at
        the lowest.

        Parameters
        ----------
        ax : sequence of two matplotlib Axes, default=None
            For the losses and for the learning rate; new axes by default.
        log_scale : bool, default=False
            Draw the losses on a logarithmic scale, if all are positive.
        line_kw : dict, default=None
            Passed to ``Axes.plot``.

        Returns
        -------
        self : FitCurveDisplay
        """
        self.axes_ = _new_axes(type(self).__name__) if ax is None else list(ax)
        if len(self.axes_) != 2:
            raise ValueError(
                f"ax holds {len(self.axes_)} axes, expected two: for losses and learning rate."
            )
        self.figure_ = self.axes_[0].figure  # type: ignore[assignment]
        self.lines_ = []
        for k, name in enumerate(self.train_loss):
            self._draw_fit(k, name, dict(line_kw or {}))
        losses, lr = self.axes_
        losses.set(ylabel="loss")
        lr.set(xlabel="epoch", ylabel="learning rate", ylim=(0, None))
        if log_scale and all(np.nanmin(loss) > 0 for loss in self._losses()):
            losses.set_yscale("log")
        for axes in self.axes_:
            axes.grid(alpha=0.3)
            axes.locator_params(axis="x", integer=True)
        if len(self.train_loss) > 1:  # above, since it is large; long labels below each other
            widest = max(map(len, losses.get_legend_handles_labels()[1]))
            losses.legend(
                loc="lower left",
                bbox_to_anchor=(0, 1),
                ncols=2 if widest <= 36 else 1,
                fontsize="small",
            )
        else:
            losses.legend()
        return self

    def _losses(self) -> list[Array]:
        return [*self.train_loss.values(), *self.valid_loss.values()]

    def _draw_fit(self, k: int, name: str, line_kw: dict[str, Any]) -> None:
        several = len(self.train_loss) > 1
        color = COLORS[k % len(COLORS)]
        label = f"{name}, " if several else ""
        losses, lr = self.axes_
        self._draw(losses, self.train_loss[name], {"color": color} | line_kw, f"{label}training")
        self._draw(lr, self.lr[name], {"color": color} | line_kw)
        if name in self.valid_loss:
            valid = self.valid_loss[name]
            best = int(np.nanargmin(valid))
            style = {
                "color": color if several else COLORS[1],
                "linestyle": "--",
                "marker": "o",
                "markevery": [best],
            }
            label += f"validation (lowest: epoch {best + 1})"
            self._draw(losses, valid, style | line_kw, label)

    def _draw(self, axes: Axes, curve: Array, style: dict[str, Any], label: str = "") -> None:
        if len(curve) == 1:  # a line does not show a single point
            style = {"marker": "o"} | style
        self.lines_ += axes.plot(np.arange(1, len(curve) + 1), curve, label=label, **style)


def _history(estimator: Any) -> list[dict[str, Any]]:
    final, _ = reach_final(estimator, None)
    if not hasattr(type(final), "history_"):
        raise TypeError(
            f"{type(final).__name__} has no history of its fit. Expected a fitted UNetSegmenter "
            f"or ResNetClassifier, or a pipeline or search around one."
        )
    check_is_fitted(final)
    return list(final.history_)


def _column(rows: list[dict[str, Any]], key: str) -> Array:
    return np.array([row.get(key, np.nan) for row in rows], dtype=float)


def _new_axes(name: str) -> list[Axes]:
    _, axes = import_pyplot(name).subplots(
        2, 1, sharex=True, figsize=(7, 5), height_ratios=[3, 1], layout="constrained"
    )
    return list(axes)
