"""A figure of a search: the scores of each loss, and the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ...estimators._displays.style import COLORS, import_pyplot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[Any]


class LossSearchDisplay:
    """Scores per loss, their history, and the best settings of each loss.

    Make one with :meth:`from_search`. Needs matplotlib: ``pip install
    'sklearnloss[plot]'``.

    Parameters
    ----------
    loss : ndarray of str of shape (n_candidates,)
        The loss of each candidate.
    score : ndarray of shape (n_candidates,)
        Mean score; for a stopped candidate its last mean score, nan if there is none.
    error : ndarray of shape (n_candidates,)
        Standard deviation over the folds, nan for stopped candidates.
    complete : ndarray of bool of shape (n_candidates,)
        Whether all folds were trained.
    epochs : ndarray of shape (n_candidates,)
        Number of trained epochs.
    settings : dict of str to str
        The best settings of each loss that has any, the best loss first.
    metric : str, default="score"
        Name of the score.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        Scores per loss, history, and settings.
    figure_ : matplotlib Figure

    See Also
    --------
    ParetoFrontDisplay : The front of a search with several goals.

    Examples
    --------
    >>> from sklearnloss import LossSearchCV, UNetSegmenter
    >>> from sklearnloss.datasets import load_nuclei
    >>> from sklearnloss.tuning import LossSearchDisplay
    >>> X, y, groups = load_nuclei(tile=128)
    >>> model = UNetSegmenter(width=2, depth=2, max_epochs=1)
    >>> search = LossSearchCV(model, ["dice", "focal"], n_trials=3, cv=2, random_state=0)
    >>> display = LossSearchDisplay.from_search(search.fit(X, y))
    >>> sorted(set(display.loss.tolist()))
    ['dice', 'focal']
    """

    axes_: list[Axes]
    figure_: Figure

    def __init__(
        self,
        loss: Array,
        score: Array,
        error: Array,
        complete: Array,
        epochs: Array,
        settings: Mapping[str, str],
        metric: str = "score",
    ) -> None:
        self.loss = loss
        self.score = score
        self.error = error
        self.complete = complete
        self.epochs = epochs
        self.settings = settings
        self.metric = metric

    @classmethod
    def from_search(
        cls, search: Any, *, metric: str | None = None, ax: Sequence[Axes] | None = None
    ) -> LossSearchDisplay:
        """Draw a fitted search.

        Parameters
        ----------
        search : LossSearchCV
            A fitted search; it may have been pickled.
        metric : str, default=None
            Which of several metrics to draw; by default the one set as ``refit``, or the
            first.
        ax : sequence of three matplotlib Axes, default=None
            Where to draw; new axes by default.

        Returns
        -------
        display : LossSearchDisplay

        Raises
        ------
        ValueError
            If there is no such metric.
        """
        check_is_fitted(search, "cv_results_")
        results = search.cv_results_
        known = [key[10:] for key in results if key.startswith("mean_test_")]
        searched = search.refit if search.refit in known else known[0]
        metric = searched if metric is None else metric
        if metric not in known:
            raise ValueError(f"metric={metric!r} was not scored. Expected one of {known}.")
        folds = np.stack([results[f"split{k}_test_{metric}"] for k in range(search.n_splits_)])
        complete = results["trial_state"] == "COMPLETE"
        n_done = np.isfinite(folds).sum(0)
        reached = np.nansum(folds, 0) / np.where(n_done == 0, np.nan, n_done)
        if metric == searched:
            reached = np.where(complete, reached, results["last_report"])
        display = cls(
            results["loss"],
            np.where(results["trial_state"] == "FAIL", np.nan, reached),
            np.where(complete, results[f"std_test_{metric}"], np.nan),
            complete,
            results["n_epochs"],
            _settings(getattr(search, "best_per_loss_", {})),
            metric,
        )
        return display.plot(ax)

    def plot(self, ax: Sequence[Axes] | None = None) -> LossSearchDisplay:
        """Draw the scores, the history and the settings.

        Markers of stopped candidates are hollow.

        Parameters
        ----------
        ax : sequence of three matplotlib Axes, default=None
            New axes by default.

        Returns
        -------
        self : LossSearchDisplay
        """
        self.axes_ = self._new_axes() if ax is None else list(ax)
        if len(self.axes_) != 3:
            raise ValueError(
                f"ax holds {len(self.axes_)} axes, expected three: for scores, history, settings."
            )
        self.figure_ = self.axes_[0].figure  # type: ignore[assignment]
        self._draw_scores(self.axes_[0])
        self._draw_history(self.axes_[1])
        self._draw_settings(self.axes_[2])
        return self

    def _order(self) -> list[str]:
        """Return the losses, the best last, since axes start at the bottom."""
        return sorted(np.unique(self.loss).tolist(), key=self._rank)

    def _rank(self, label: str) -> tuple[bool, float, str]:
        of_loss = self.loss == label
        done = of_loss & self.complete
        scores = self.score[done if done.any() else of_loss]
        return bool(done.any()), float(np.fmax.reduce(scores, initial=-np.inf)), label

    def _new_axes(self) -> list[Axes]:
        n_losses = len(np.unique(self.loss))
        figure = import_pyplot(type(self).__name__).figure(
            figsize=(11, max(4.0, 0.55 * n_losses + 2.2)), layout="constrained"
        )
        grid = figure.add_gridspec(2, 2, width_ratios=[5, 4], height_ratios=[3, 2])
        return [
            figure.add_subplot(grid[:, 0]),
            figure.add_subplot(grid[0, 1]),
            figure.add_subplot(grid[1, 1]),
        ]

    def _draw_scores(self, axes: Axes) -> None:
        order = self._order()
        rng = np.random.default_rng(0)
        for row, label in enumerate(order):
            color = _color(order, label)
            of_loss = self.loss == label
            for chosen, face in (
                (of_loss & ~self.complete, "none"),
                (of_loss & self.complete, color),
            ):
                height = row + rng.uniform(-0.2, 0.2, int(chosen.sum()))
                axes.scatter(self.score[chosen], height, 28, facecolors=face, edgecolors=color)
            done = np.flatnonzero(of_loss & self.complete)
            if len(done):
                best = done[np.argmax(self.score[done])]
                axes.errorbar(
                    self.score[best], row, xerr=self.error[best], color=color, capsize=3, lw=2
                )
        axes.set_yticks(range(len(order)), order)
        legend = "bar: the best, ± SD over folds; hollow: stopped, fewer folds"
        axes.set(xlabel=f"{self.metric} ({legend})")
        axes.grid(axis="x", alpha=0.3)
        axes.set_title("Score per loss")

    def _draw_history(self, axes: Axes) -> None:
        spent = np.cumsum(self.epochs)
        order = self._order()
        for label in order:
            chosen = (self.loss == label) & self.complete
            axes.scatter(spent[chosen], self.score[chosen], 18, color=_color(order, label))
        so_far = np.fmax.accumulate(np.where(self.complete, self.score, np.nan))
        axes.step(spent, so_far, where="post", color="black", lw=1.2)
        axes.set(xlabel="epochs trained", ylabel=self.metric)
        axes.grid(alpha=0.3)
        axes.set_title("Best so far")

    def _draw_settings(self, axes: Axes) -> None:
        axes.axis("off")
        axes.set_title("Best settings per loss")
        lines = list(self.settings.values())[:9]
        axes.text(
            0, 1, "\n".join(lines), va="top", fontsize="small", wrap=True, transform=axes.transAxes
        )


def _color(order: Sequence[str], label: str) -> str:
    return COLORS[(len(order) - 1 - order.index(label)) % len(COLORS)]


def _settings(best: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return a line per loss, the best first, with complete candidates before stopped ones."""
    ranked = sorted(
        best.items(), key=lambda item: (item[1]["state"] != "COMPLETE", -item[1]["score"])
    )
    return {label: f"{label}: {_describe(entry['params'])}" for label, entry in ranked}


def _describe(params: Mapping[str, Any]) -> str:
    shown = {
        key.rpartition("loss__")[2] if "loss__" in key else key.rpartition("__")[2]: value
        for key, value in params.items()
        if not key.endswith("loss")
    }
    texts = [f"{k}={v:.3g}" if isinstance(v, float) else f"{k}={v}" for k, v in shown.items()]
    return ", ".join(texts) or "as it is"
