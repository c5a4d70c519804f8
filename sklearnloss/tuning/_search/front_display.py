"""A figure of the Pareto front of a search with several goals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ...estimators._displays.style import COLORS, import_pyplot
from .pareto import is_on_front

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[Any]

_MARKERS = "osD^vPX<>ph8d*H"
_GRAY = "0.55"


class ParetoFrontDisplay:
    """The candidates of a search by two of its metrics, with the Pareto front.

    Make one with :meth:`from_search`. Needs matplotlib: ``pip install
    'sklearnloss[plot]'``.

    Parameters
    ----------
    loss : ndarray of str of shape (n_candidates,)
        The loss of each candidate; "" if no losses were searched.
    scores : ndarray of shape (n_candidates, 2)
        Mean scores, higher is better; nan for candidates that are not complete.
    on_front : ndarray of bool of shape (n_candidates,)
        Whether a candidate is on the front.
    chosen : int
        The candidate that the search chose.
    metrics : sequence of two str
        Names of the metrics.
    signs : sequence of two int, default=(1, 1)
        -1 for a metric that is better if lower, of which the score is the negative.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    See Also
    --------
    LossSearchDisplay : The scores of each loss by one metric.

    Examples
    --------
    >>> from sklearnloss import LossSearchCV, UNetSegmenter
    >>> from sklearnloss.datasets import load_nuclei
    >>> from sklearnloss.tuning import ParetoFrontDisplay
    >>> X, y, groups = load_nuclei(tile=128)
    >>> model = UNetSegmenter(width=2, depth=2, max_epochs=1)
    >>> search = LossSearchCV(
    ...     model, ["dice", "focal"], n_trials=3, cv=2, scoring=["dice", "hausdorff"],
    ...     refit="pareto", random_state=0,
    ... )
    >>> display = ParetoFrontDisplay.from_search(search.fit(X, y))
    >>> display.ax_.get_ylabel()
    'hausdorff (lower is better)'
    """

    ax_: Axes
    figure_: Figure

    def __init__(
        self,
        loss: Array,
        scores: Array,
        on_front: Array,
        chosen: int,
        metrics: Sequence[str],
        signs: Sequence[int] = (1, 1),
    ) -> None:
        self.loss = loss
        self.scores = scores
        self.on_front = on_front
        self.chosen = chosen
        self.metrics = metrics
        self.signs = signs

    @classmethod
    def from_search(
        cls, search: Any, *, x: str | None = None, y: str | None = None, ax: Axes | None = None
    ) -> ParetoFrontDisplay:
        """Draw the front of a fitted search.

        Parameters
        ----------
        search : LossSearchCV
            A search that was fitted with ``refit="pareto"``; it may have been pickled.
        x, y : str, default=None
            The metrics of the axes; by default the first two.
        ax : matplotlib Axes, default=None
            Where to draw; new axes by default.

        Returns
        -------
        display : ParetoFrontDisplay

        Raises
        ------
        ValueError
            If the search has no front, or no such metric.
        """
        check_is_fitted(search, "cv_results_")
        if not getattr(search, "pareto_front_", None):
            raise ValueError(
                "The search has no Pareto front. Fit it with several metrics as scoring and "
                "refit='pareto'."
            )
        known = list(search.scorer_)
        x = known[0] if x is None else x
        y = next(name for name in known if name != x) if y is None else y
        for axis, name in (("x", x), ("y", y)):
            if name not in known:
                raise ValueError(f"{axis}={name!r} was not scored. Expected one of {known}.")
        if x == y:
            raise ValueError(f"x and y are both {x!r}. Expected two of {known}.")
        results, metrics = search.cv_results_, (x, y)
        complete = results["trial_state"] == "COMPLETE"
        means = np.stack([results[f"mean_test_{name}"] for name in metrics], axis=1)
        display = cls(
            results["loss"],
            np.where(complete[:, None], means, np.nan),
            results["is_pareto"],
            search.best_index_,
            metrics,
            [getattr(search.scorer_[name], "_sign", 1) for name in metrics],
        )
        return display.plot(ax)

    def plot(self, ax: Axes | None = None) -> ParetoFrontDisplay:
        """Draw the candidates, the front and the chosen candidate.

        Each loss has its marker. Markers on the front are filled and those of other
        candidates are hollow. The line joins the candidates that no other one dominates by
        the two metrics shown: with more metrics, a candidate can be on the front and off
        the line.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            New axes by default.

        Returns
        -------
        self : ParetoFrontDisplay
        """
        if ax is None:
            pyplot = import_pyplot(type(self).__name__)
            ax = pyplot.subplots(figsize=(7.5, 4.8), layout="constrained")[1]
        self.ax_, self.figure_ = ax, ax.figure  # type: ignore[assignment]
        self._draw_candidates(ax)
        self._draw_chosen(ax)
        self._draw_line(ax)
        ax.set(xlabel=self._label(0), ylabel=self._label(1), title="Pareto front")
        ax.grid(alpha=0.3)
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, borderaxespad=0)
        return self

    @property
    def _shown(self) -> Array:
        """The metrics themselves, without the sign of the scores."""
        shown: Array = np.asarray(self.scores) * np.asarray(self.signs)
        return shown

    def _label(self, axis: int) -> str:
        name, sign = self.metrics[axis], self.signs[axis]
        better = "lower" if sign < 0 else "higher"
        # scikit-learn's names say that the score is the negative.
        return f"{name.removeprefix('neg_') if sign < 0 else name} ({better} is better)"

    def _draw_line(self, ax: Axes) -> None:
        """Draw the border of what the front dominates: a staircase across the axes."""
        corners = np.flatnonzero(is_on_front(self.scores))
        order = corners[np.argsort(self.scores[corners, 0], kind="stable")]
        limits = ax.get_xlim(), ax.get_ylim()
        worst = [limits[axis][0 if self.signs[axis] > 0 else 1] for axis in (0, 1)]
        x, y = self._shown[order].T
        x, y = np.array([worst[0], *x, x[-1]]), np.array([y[0], *y, worst[1]])
        ax.step(x, y, where="pre", color="black", lw=1.2, zorder=1, label="front")
        ax.set(xlim=limits[0], ylim=limits[1])

    def _draw_candidates(self, ax: Axes) -> None:
        shown, done = self._shown, np.isfinite(self.scores).all(axis=1)
        for k, label in enumerate(np.unique(self.loss[done]).tolist()):
            of_loss = done & (self.loss == label)
            marker = _MARKERS[k % len(_MARKERS)]
            rest, front = of_loss & ~self.on_front, of_loss & self.on_front
            style: dict[str, Any] = {"marker": marker, "s": 46}
            ax.scatter(*shown[rest].T, facecolors="none", edgecolors=_GRAY, zorder=2, **style)
            ax.scatter(*shown[front].T, facecolors="black", edgecolors="black", zorder=3, **style)
            face = "black" if front.any() else "none"
            edge = "black" if front.any() else _GRAY
            name = label or "candidate"
            ax.scatter([], [], facecolors=face, edgecolors=edge, label=name, **style)

    def _draw_chosen(self, ax: Axes) -> None:
        """Mark the chosen candidate; its label is in the legend, where it covers nothing."""
        text = f"chosen: {self.loss[self.chosen]}".removesuffix(": ")
        style: dict[str, Any] = {
            "facecolors": "none",
            "edgecolors": COLORS[5],
            "lw": 2,
            "zorder": 4,
        }
        x, y = self._shown[self.chosen]
        ax.scatter(x, y, 190, label=text, **style)
