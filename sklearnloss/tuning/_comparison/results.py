"""The result of a comparison of losses."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..._utils.optional import import_optional
from .advice import advise
from .as_json import render_json
from .confusion import sum_confusion
from .fits import FitTable
from .html import render_report, render_snippet
from .image_summary import add_image_columns, mean_image_scores, worst_images
from .plot import check_axes, draw_comparison, new_axes
from .reported import Reported, write_page
from .tables import fill_failures, loss_rows, pair_rows, pair_statistics
from .text import summarize
from .thresholds import ScoreOf, add_tuned_columns, tune

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

Array = NDArray[Any]
Row = dict[str, Any]


class LossComparison(Reported):
    """Scores of losses on the same splits, with intervals and verdicts.

    Made by :func:`compare_losses`.

    Parameters
    ----------
    fits : FitTable
        The results of the fits.
    settings : dict of str to dict
        The estimator's parameters that each loss stands for.
    rope : float
        Half the width of the region of practical equivalence.
    error_score : float
        The score of fits that did not finish.
    about : dict of str to str
        Further facts about the comparison, for reports.
    score_of : callable, default=None
        Returns the score that is compared as a function of counts, given the classes, or None;
        see ``score_of_classes``.
    default_cv : bool, default=False
        Whether the splits are those of ``cv=None``, of which there can be more.

    Attributes
    ----------
    table_ : list of dict
        A row per loss, the best first; those with fits that did not finish come last,
        without a score, unless ``error_score`` is a number. Columns: "loss"; "mean",
        "sd_folds" (of the splits' mean scores over the seeds), "sd_seeds" (within
        a split); "p_best", the probability of the highest mean; "diverged", "undefined"
        (a score of nan), "failed" and all "fits"; "mean_finished" of those that did
        finish; "fit_seconds", their mean; "reasons" for failures; and "mean_<scorer>"
        and "sd_folds_<scorer>" for each further scorer. With tuned thresholds (see
        ``tuned_scores_``) also "tuned_mean" and "threshold", the median over the fits, a list
        for several labels.
    pairs_ : list of dict
        A row per pair, the better loss as "a". Columns: "a", "b"; "difference" of the
        means, with "low" and "high" of the corrected 95 % interval; "p" and "p_holm",
        adjusted for the number of pairs; "p_worse", "p_equivalent", "p_better", the
        probabilities that a is worse than b by more than ``rope``, differs by at most
        that, or is better by more, all nan if every split has the same difference;
        "outcome" ("better", "equivalent", "undecided", "failed" or "unknown");
        "more_repeats", the number that would decide, None if none would; and "verdict", a
        sentence. Purely descriptive are "image_wins", "image_losses" and
        "image_ties", over the images' mean scores, and "image_difference" with
        "image_low" and "image_high", of a bootstrap over fits and then images. With tuned
        thresholds "tuned_difference", "tuned_low", "tuned_high", "tuned_p_holm" and
        "tuned_outcome": the same as without the prefix. The verdict then says what remains
        of a difference if this differs from it by more than ``rope`` or has another outcome,
        unless the tuned thresholds lower the mean of one of the two by more than ``rope``.
    scores_ : ndarray of shape (n_losses, n_splits, n_seeds)
        Scores of the first scorer, with the losses in the order passed.
    all_scores_ : dict of str to ndarray of shape (n_losses, n_splits, n_seeds)
        Scores of each scorer.
    tuned_scores_ : ndarray of shape (n_losses, n_splits, n_seeds) or None
        Scores at the best threshold instead of .5. It is chosen among 31, from .001 to .999.
        The held-out images of a fit form up to five parts; each is scored at the threshold
        with the best score on the others, so no image serves to choose the threshold that it
        is scored with. They may be of one group, though. None if there are more than two
        classes that exclude each other, or if the score needs more than counts of right and
        wrong pixels or labels. nan where a fit did not finish, has a single held-out image or
        is from an older version's storage.
    labels_ : list of str
        The losses in that order.
    best_ : str or None
        The loss with the highest mean; None if no loss has a mean.
    baseline_ : dict of str to float
        The mean score, by scorer, of a constant answer: the most frequent label of the
        training data everywhere. nan where it has none.
    learned_ : bool or None
        Whether the best loss scores higher than the constant answer by more than
        ``rope``; None if one of the two has no score.
    image_names_ : list of str or None
        Names of the images for reports: the file names if X is a list of files. May be
        set.
    image_scores_ : ndarray of shape (n_losses, n_images) or None
        The mean IoU or accuracy of each image, averaged over fits that did not train on
        it. nan for an image that was never held out.
    worst_images_ : list of dict
        The ten images with the lowest mean over the losses.
    pictures_ : dict of int to ndarray
        Small pictures of those, by position.
    confusion_ : dict of str to ndarray
        By loss, how many held-out pixels or images of each true class (rows) were predicted
        as each class (columns), over all fits: shape (n_classes, n_classes), or
        (n_classes, 2, 2) if labels may overlap. Empty without ``per_image``, for more than
        100 classes, and for fits from a storage of an older version.
    class_names_ : list of str
        The classes in that order. May be set.
    examples_ : list of dict
        Held-out images with their predictions. For masks the worst, the median and the best
        of each loss; for labels the images that were most often wrong. Columns: "loss";
        "kind" ("worst", "median", "best" or "mistake"); "image", its position; "score";
        "picture", uint8 of at most 160 pixels a side, or None; "truth" and "prediction",
        the class as text, or of each pixel its position in "names", -1 for ignored pixels.
    fits_ : FitTable
        The result of each fit.
    settings_, rope_, error_score_, about_, default_cv_
        The parameters.

    See Also
    --------
    critical_difference : Compares losses over several data sets.
    """

    def __init__(
        self,
        fits: FitTable,
        *,
        settings: Mapping[str, Mapping[str, Any]],
        rope: float,
        error_score: float,
        about: Mapping[str, str],
        score_of: ScoreOf | None = None,
        default_cv: bool = False,
    ) -> None:
        self.fits_ = fits
        self.settings_ = {label: dict(each) for label, each in settings.items()}
        self.rope_ = rope
        self.error_score_ = error_score
        self.about_ = dict(about)
        self.default_cv_ = default_cv
        self.labels_ = list(fits.labels)
        self.all_scores_ = {
            name: fill_failures(scores, error_score) for name, scores in fits.scores.items()
        }
        self.scores_: Array = next(iter(self.all_scores_.values()))
        self.table_ = loss_rows(fits, self.all_scores_)
        self.pairs_ = pair_rows(fits, self.scores_, self.table_, rope)
        self.tuned_scores_: Array | None = None
        tuned = None if score_of is None else tune(fits, score_of)
        if tuned is not None:
            self.tuned_scores_ = tuned.scores
            tested = partial(pair_statistics, ratio=fits.ratio, rope=rope)
            add_tuned_columns(self.table_, self.pairs_, tuned, fits.labels, tested, rope)
        self.baseline_ = {name: _mean(scores) for name, scores in fits.baseline.items()}
        self.best_ = None if np.isnan(self.table_[0]["mean"]) else str(self.table_[0]["loss"])
        self.learned_ = self._is_above_baseline()
        self.image_names_: list[str] | None = None
        self.image_scores_ = mean_image_scores(fits)
        self.worst_images_: list[Row] = []
        if self.image_scores_ is not None:
            add_image_columns(self.pairs_, fits, self.image_scores_)
            self.worst_images_ = worst_images(self.labels_, self.image_scores_, 10)
        self.pictures_: dict[int, Array] = {}
        self.class_names_, self.confusion_ = sum_confusion(fits)
        self.examples_: list[Row] = []

    def _is_above_baseline(self) -> bool | None:
        baseline = next(iter(self.baseline_.values()), np.nan)
        above = self.table_[0]["mean"] - baseline
        return None if np.isnan(above) else bool(above > self.rope_)

    def summary(self) -> str:
        """Return the table of the losses and the verdicts as text."""
        return summarize(self)

    def to_frame(self, what: Literal["losses", "pairs", "fits"] = "losses") -> pd.DataFrame:
        """Return a table as a pandas DataFrame: ``pip install 'sklearnloss[report]'``.

        Parameters
        ----------
        what : {"losses", "pairs", "fits"}, default="losses"
            ``table_``, ``pairs_``, or a row for every fit.

        Returns
        -------
        frame : pandas.DataFrame
            With "losses", their label is the index.
        """
        if what not in ("losses", "pairs", "fits"):
            raise ValueError(f"what={what!r}: expected 'losses', 'pairs' or 'fits'.")
        pd = import_optional("pandas", "LossComparison.to_frame", "report")
        if what == "losses":
            return pd.DataFrame(self.table_).set_index("loss")
        return pd.DataFrame(self.pairs_ if what == "pairs" else self._fit_rows())

    def _fit_rows(self) -> list[Row]:
        fits = self.fits_
        return [
            {
                "loss": fits.labels[k],
                "split": j,
                "seed": s,
                **{name: float(scores[k, j, s]) for name, scores in fits.scores.items()},
                "status": str(fits.status[k, j, s]),
                "reason": fits.reasons[k, j, s],
                "fit_seconds": float(fits.seconds[k, j, s]),
            }
            for k, j, s in np.ndindex(fits.status.shape)
        ]

    def plot(self, ax: Axes | Sequence[Axes] | None = None) -> list[Axes]:
        """Draw the scores of the splits, and how far each loss is from the best.

        Needs matplotlib: ``pip install 'sklearnloss[plot]'``.

        Parameters
        ----------
        ax : matplotlib Axes, or two of them, default=None
            Where to draw; a single one gets the scores. New axes by default.

        Returns
        -------
        axes : list of matplotlib Axes
            The axes of the scores and of the differences.
        """
        axes = (
            new_axes(len(self.labels_)) if ax is None else check_axes(ax, "scores and differences")
        )
        draw_comparison(axes, self)
        return axes

    def advice(self) -> list[str]:
        """Return sentences that say what to do, the most important one first."""
        return advise(self)

    def to_json(self, path: str | os.PathLike[str]) -> Path:
        """Write all that the report shows as JSON, for the report browser and other programs.

        Parameters
        ----------
        path : str or path-like
            The file; missing folders are created.

        Returns
        -------
        path : Path

        Notes
        -----
        "version" is that of the format; the page "The report browser" describes it. What is
        not a finite number is null.
        """
        return write_page(path, render_json(self))

    def _render_report(self) -> str:
        return render_report(self)

    def _render_snippet(self) -> str:
        return render_snippet(self)

    def __repr__(self) -> str:
        n_splits, n_seeds = self.scores_.shape[1:]
        return (
            f"<LossComparison of {', '.join(self.labels_)} on {n_splits} splits x {n_seeds} "
            f"seeds; best: {self.best_}>"
        )


def _mean(scores: Array) -> float:
    """Return the mean over the splits that have a score, nan if none has."""
    known = scores[np.isfinite(scores)]
    return float(known.mean()) if len(known) else np.nan
