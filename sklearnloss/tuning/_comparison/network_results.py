"""The result of a comparison of losses with several networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..._utils.optional import import_optional
from .effects import effect_rows
from .network_html import render_report, render_snippet
from .network_plot import draw_networks, new_axes
from .network_tables import (
    best_everywhere,
    best_rows,
    failure_notes,
    rank_rows,
    verdict_on_networks,
    whole_part,
)
from .network_text import summarize
from .plot import check_axes
from .reported import Reported
from .results import LossComparison

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

Array = NDArray[Any]
Row = dict[str, Any]
Table = Literal["effects", "best", "ranks", "losses", "pairs", "fits"]


class NetworkComparison(Reported):
    """Scores of losses with several networks, on the same splits with the same seeds.

    Made by :func:`compare_losses` with ``networks``.

    Parameters
    ----------
    comparisons : dict of str to LossComparison
        By network; all with the same losses, splits and seeds.

    Attributes
    ----------
    comparisons_ : dict of str to LossComparison
        The comparison of the losses for each network, with its tables, tests and reports.
    scores_ : ndarray of shape (n_networks, n_losses, n_splits, n_seeds)
        Scores of the first scorer, with networks and losses in the order passed.
    networks_, labels_ : list of str
        Networks and losses in that order.
    effects_ : list of dict
        The sources of the spread of the scores. A row each for the "effect" "loss",
        "network", "loss x network" and "rest (splits, seeds)", with "variance", the mean
        of the squared effects without the noise in them, and its 95 % interval from
        "low" to "high"; and "share", its share of the sum of the four, from "share_low"
        to "share_high". The rest is the variance of one fit, apart from the difficulty
        of its split. nan where it cannot be estimated.
    best_losses_ : list of dict
        A row per network: "network"; "loss", the one with the highest mean, and its
        "mean"; "p_best", the probability that its mean is the highest; and the losses that
        it "beats", and those that are "equivalent", "undecided" or "failed".
    same_best_loss_ : float
        The probability that there is a loss whose mean is the highest, or lower by no
        more than ``rope``, for all networks.
    ranks_ : list of dict
        A row per loss, the lowest mean rank first: "loss"; "mean_rank" over the
        networks; "mean" of all scores; "p_best_for_all", the probability that it is
        best, or as good as the best, for all networks; and "ranks" by network.
    verdict_ : str
        A sentence on whether the best loss is the same for all networks.
    notes_ : list of str
        Losses and networks whose fits did not finish. Those without a score are left out
        of ``effects_``, ``ranks_`` and the verdict.
    rope_, about_
        The parameters of the comparison.

    See Also
    --------
    LossComparison : The result with one network.

    Notes
    -----
    The effects are those of these networks and losses, not of all possible ones. Their
    variances are unbiased; intervals invert a test with noise from a multivariate t
    distribution with J - 1 degrees of freedom. Its covariance is that of the scores over
    the J splits, times Nadeau and Bengio's ``1 / J + n_test / n_train``. In simulations of
    3 networks and 4 losses on 4 to 10 independent splits, the intervals contain the true
    value 90 to 100 times in 100, and at least 84 times where one pair of loss and network
    is four times as noisy as the others.

    References
    ----------
    C. Nadeau, Y. Bengio, "Inference for the generalization error", Machine Learning
    52, 2003. https://doi.org/10.1023/A:1024068626366
    """

    def __init__(self, comparisons: Mapping[str, LossComparison]) -> None:
        self.comparisons_ = dict(comparisons)
        first = next(iter(comparisons.values()))
        self.networks_ = list(comparisons)
        self.labels_ = first.labels_
        self.rope_ = first.rope_
        self.about_ = {key: text for key, text in first.about_.items() if key != "network"}
        self.scores_: Array = np.stack([each.scores_ for each in comparisons.values()])
        self.best_losses_ = best_rows(comparisons)
        self.notes_ = failure_notes(comparisons)
        networks, losses = whole_part(comparisons)
        whole = self.scores_[[self.networks_.index(name) for name in networks]]
        whole = whole[:, [self.labels_.index(label) for label in losses]]
        ratio = first.fits_.ratio
        self.effects_ = effect_rows(whole, ratio)
        each, self.same_best_loss_ = best_everywhere(whole.mean(3), ratio, self.rope_)
        self.ranks_ = rank_rows(losses, networks, whole.mean((2, 3)), each)
        best = [row for row in self.best_losses_ if row["network"] in networks]
        self.verdict_ = verdict_on_networks(self.ranks_, best, self.same_best_loss_, self.rope_)

    def summary(self) -> str:
        """Return the tables and the verdict as text."""
        return summarize(self)

    def to_frame(self, what: Table = "effects") -> pd.DataFrame:
        """Return a table as a pandas DataFrame: ``pip install 'sklearnloss[report]'``.

        Parameters
        ----------
        what : {"effects", "best", "ranks", "losses", "pairs", "fits"}, default="effects"
            The first three are ``effects_``, ``best_losses_`` and ``ranks_``; the others are
            those of :meth:`LossComparison.to_frame` for all networks, with a column
            "network".

        Returns
        -------
        frame : pandas.DataFrame
        """
        own = {"effects": self.effects_, "best": self.best_losses_, "ranks": self.ranks_}
        if what not in (*own, "losses", "pairs", "fits"):
            raise ValueError(
                f"what={what!r}: expected 'effects', 'best', 'ranks', 'losses', 'pairs' or 'fits'."
            )
        pd = import_optional("pandas", "NetworkComparison.to_frame", "report")
        if what in own:
            return pd.DataFrame(own[what])
        frames = {
            name: each.to_frame(what).reset_index(drop=what != "losses")  # type: ignore[arg-type]
            for name, each in self.comparisons_.items()
        }
        return pd.concat(frames, names=["network"]).reset_index(level=0).reset_index(drop=True)

    def plot(self, ax: Axes | Sequence[Axes] | None = None) -> list[Axes]:
        """Draw the losses' scores over the networks, and the shares of the spread.

        Needs matplotlib: ``pip install 'sklearnloss[plot]'``.

        Parameters
        ----------
        ax : matplotlib Axes, or two of them, default=None
            Where to draw; a single one gets the scores. New axes by default.

        Returns
        -------
        axes : list of matplotlib Axes
            The axes of the scores and of the shares.
        """
        axes = new_axes(self) if ax is None else check_axes(ax, "scores and shares")
        draw_networks(axes, self)
        return axes

    def _render_report(self) -> str:
        return render_report(self)

    def _render_snippet(self) -> str:
        return render_snippet(self)

    def __repr__(self) -> str:
        n_splits, n_seeds = self.scores_.shape[2:]
        return (
            f"<NetworkComparison of {', '.join(self.labels_)} with {', '.join(self.networks_)} on "
            f"{n_splits} splits x {n_seeds} seeds>"
        )
