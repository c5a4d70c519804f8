"""A picture of what a segmenter finds, and misses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ..._utils.pipeline import reach_final
from .._data.lazy import Samples
from .._mask_estimator import MaskEstimator
from .axes import draw_legend, draw_panel, new_axes, panel_title
from .chosen_images import Select, as_masks, candidates, occurring, take
from .planes import dice_by_label, mean_dice, without_colour
from .views import MaskViews

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

Array = NDArray[Any]


class SegmentationDisplay(MaskViews):
    """Images, their true and their predicted masks, and where these differ.

    Make one with :meth:`from_estimator` or :meth:`from_predictions`. Needs
    matplotlib: ``pip install 'sklearnloss[plot]'``.

    The lowest label is taken for the background, which has no color. Errors of a
    single other label are false positives and false negatives; of several labels,
    wrong pixels have the color of their true label. The Dice coefficient of an image
    is the mean over those labels, the background apart, that are there or predicted,
    and 1 if there are none.

    Parameters
    ----------
    images : list of ndarray of shape (C, *spatial)
        The images.
    y_true : list of ndarray of shape (*spatial) or, multilabel, (K, *spatial), or None
        True masks.
    y_pred : list of ndarray of shape (*spatial) or, multilabel, (K, *spatial)
        Predicted masks.
    labels : ndarray of shape (n_labels,)
        The labels, sorted; if multilabel, names of the channels.
    display_labels : sequence of str, default=None
        Their names in the legend.
    indices : sequence of int, default=None
        Numbers of the images, for the titles.
    ignore_index : int, default=None
        A true label of pixels that do not count. They are gray.
    multilabel : bool, default=False
        Masks have a channel per label. Each label is drawn by itself.
    include_background : bool, default=False
        Draw and score the lowest label like the others.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        Row by row.
    figure_ : matplotlib Figure
    legend_ : matplotlib Legend or None
    dice : ndarray of shape (n_images, n_labels) or None
        Dice coefficient of each label drawn; nan where it is neither there nor
        predicted. None without truth.

    See Also
    --------
    FitCurveDisplay : How the fit went.

    Examples
    --------
    >>> from sklearnloss import UNetSegmenter
    >>> from sklearnloss.datasets import load_nuclei
    >>> from sklearnloss.estimators import SegmentationDisplay
    >>> X, y, _ = load_nuclei(border=False)
    >>> model = UNetSegmenter(width=4, depth=2, max_epochs=2, random_state=0).fit(X, y)
    >>> display = SegmentationDisplay.from_estimator(model, X, y, n_images=3, select="worst")
    >>> display.axes_.shape
    (3, 4)
    """

    axes_: Array
    figure_: Figure
    legend_: Legend | None

    def __init__(
        self,
        images: Sequence[Array],
        y_true: Sequence[Array] | None,
        y_pred: Sequence[Array],
        *,
        labels: ArrayLike,
        display_labels: Sequence[str] | None = None,
        indices: Sequence[int] | None = None,
        ignore_index: int | None = None,
        multilabel: bool = False,
        include_background: bool = False,
    ) -> None:
        self.images = images
        self.y_true = y_true
        self.y_pred = y_pred
        self.labels = np.asarray(labels)
        self.display_labels = _names(self.labels, display_labels)
        self.indices = range(len(images)) if indices is None else indices
        self.ignore_index = ignore_index
        self.multilabel = multilabel
        self.include_background = include_background or multilabel
        self.dice = (
            None
            if y_true is None
            else dice_by_label(
                y_true,
                y_pred,
                range(len(self.labels)) if multilabel else self._foreground,
                ignore_index=ignore_index,
                multilabel=multilabel,
            )
        )

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        n_images: int = 4,
        select: Select = "first",
        display_labels: Sequence[str] | None = None,
        include_background: bool = False,
        ax: Any = None,
        **plot_params: Any,
    ) -> SegmentationDisplay:
        """Predict masks of images, and draw them.

        Parameters
        ----------
        estimator : fitted UNetSegmenter, or a pipeline or search around one
            Of a pipeline, the images that its last step gets are shown.
        X : array-like
            Images, as ``predict`` takes them.
        y : array-like, default=None
            True masks, as ``fit`` takes them. Without them (and if X is no ``Dataset``
            that has them) predictions alone are shown.
        n_images : int, default=4
            How many images to draw.
        select : {"first", "best", "worst"} or sequence of int, default="first"
            Which of them: the first, or those with the highest or lowest Dice
            coefficient of all X, or those of the numbers given.
        display_labels : sequence of str, default=None
            Names of ``classes_`` in the legend.
        include_background : bool, default=False
            Draw and score the lowest label like the others.
        ax : array of matplotlib Axes, default=None
            Where to draw; new axes by default.
        **plot_params : dict
            For :meth:`plot`.

        Returns
        -------
        display : SegmentationDisplay
        """
        final, X = reach_final(estimator, X)
        if not isinstance(final, MaskEstimator):
            raise TypeError(
                f"{type(final).__name__} is not a segmenter of this package. Draw the masks that "
                f"it predicts: SegmentationDisplay.from_predictions(X, y, estimator.predict(X))."
            )
        final._check_fitted()
        chosen = candidates(select, n_images, len(X))
        pairs = list(final._samples(take(X, chosen), None if y is None else take(y, chosen)))
        predicted = final.predict(Samples([image for image, _ in pairs], ready=True))
        display = cls._of_pairs(
            pairs,
            list(predicted),
            labels=final.classes_,
            display_labels=display_labels,
            indices=chosen,
            ignore_index=final.ignore_index,
            multilabel=final.multilabel,
            include_background=include_background,
        )
        return display._keep(select, n_images).plot(ax, **plot_params)

    @classmethod
    def from_predictions(
        cls,
        X: Any,
        y_true: Any,
        y_pred: Any,
        *,
        n_images: int = 4,
        select: Select = "first",
        labels: ArrayLike | None = None,
        display_labels: Sequence[str] | None = None,
        image_shape: tuple[int, ...] | None = None,
        channels: Literal["first", "last"] = "first",
        ignore_index: int | None = None,
        multilabel: bool = False,
        include_background: bool = False,
        ax: Any = None,
        **plot_params: Any,
    ) -> SegmentationDisplay:
        """Draw masks that were predicted by whatever means.

        Parameters
        ----------
        X : array-like
            Images (n, H, W), (n, C, H, W), (n, H, W, C) or volumes (n, C, D, H, W), rows
            with ``image_shape``, or a list of images or of paths.
        y_true : array-like or None
            True masks (n, *spatial) or, multilabel, (n, K, *spatial).
        y_pred : array-like
            Predicted masks of the same shape.
        n_images : int, default=4
            How many images to draw.
        select : {"first", "best", "worst"} or sequence of int, default="first"
            Which of them: the first, or those with the highest or lowest Dice
            coefficient, or those of the numbers given.
        labels : array-like, default=None
            All labels, if they do not all occur; the lowest is the background.
        display_labels : sequence of str, default=None
            Their names in the legend.
        image_shape : tuple of int, default=None
            Shape of one image, if X holds rows.
        channels : {"first", "last"}, default="first"
            Where images have their channels.
        ignore_index : int, default=None
            A true label of pixels that do not count. They are gray.
        multilabel : bool, default=False
            Masks have a channel per label. Each label is drawn by itself.
        include_background : bool, default=False
            Draw and score the lowest label like the others.
        ax : array of matplotlib Axes, default=None
            Where to draw; new axes by default.
        **plot_params : dict
            For :meth:`plot`.

        Returns
        -------
        display : SegmentationDisplay
        """
        if len(X) != len(y_pred):
            raise ValueError(f"X has {len(X)} images, but y_pred has {len(y_pred)} masks.")
        chosen = candidates(select, n_images, len(X))
        samples = Samples(
            take(X, chosen),
            None if y_true is None else take(y_true, chosen),
            image_shape=image_shape,
            channels=channels,
            masks=True,
            multilabel=multilabel,
            fill=torch.nan_to_num,
        )
        pairs = list(samples)
        if labels is None:
            truth = [mask for _, mask in pairs if mask is not None]
            labels = occurring([*y_pred, *truth], ignore_index, multilabel)
        display = cls._of_pairs(
            pairs,
            take(y_pred, chosen),
            labels=labels,
            display_labels=display_labels,
            indices=chosen,
            ignore_index=ignore_index,
            multilabel=multilabel,
            include_background=include_background,
        )
        return display._keep(select, n_images).plot(ax, **plot_params)

    def plot(
        self,
        ax: Any = None,
        *,
        panels: str | Sequence[str] | None = None,
        label: Any = None,
        slice_index: int | None = None,
        alpha: float = 0.5,
        colors: Sequence[Any] | None = None,
        image_kw: Mapping[str, Any] | None = None,
    ) -> SegmentationDisplay:
        """Draw each image in a row of panels, a panel per view of it.

        Parameters
        ----------
        ax : array of matplotlib Axes, default=None
            Where to draw, row by row; new axes by default.
        panels : str or sequence of str, default=None
            Of "image", "truth", "prediction" and "errors"; by default all that can be
            drawn. One or two leave room for several images next to each other.
        label : label, default=None
            Show this label alone, against all else.
        slice_index : int, default=None
            The slice of volumes to show, along their first axis; by default the middle
            one. The Dice coefficient is that of the volume.
        alpha : float, default=0.5
            Opacity of the colors of labels; errors have more.
        colors : sequence of matplotlib colors, default=None
            Of the labels, background apart; color-blind readers can tell the default
            ones apart.
        image_kw : dict, default=None
            For ``Axes.imshow`` of the images.

        Returns
        -------
        self : SegmentationDisplay
        """
        views = self._views(panels)
        rows = self._rows(label, slice_index)
        palette = self._palette(alpha, colors)
        own = ax is None
        self.axes_ = new_axes(rows, len(views)) if own else np.asarray(ax, dtype=object)
        if self.axes_.size < len(rows) * len(views):
            raise ValueError(
                f"ax holds {self.axes_.size} axes, expected {len(rows)} x {len(views)}: for "
                f"{len(rows)} rows of the panels {', '.join(views)}."
            )
        self.figure_ = self.axes_.flat[0].figure
        used: set[str] = set()
        for axes, (row, view) in zip(self.axes_.flat, product(rows, views), strict=False):
            overlay, names = palette.paint(view, row)
            picture = row.picture if view == "image" else without_colour(row.picture)
            draw_panel(axes, picture, overlay, panel_title(row, view, views), image_kw)
            used |= names
        self.legend_ = draw_legend(palette.legend(used), self.axes_, outside=own)
        return self

    @classmethod
    def _of_pairs(
        cls, pairs: Sequence[tuple[Tensor, Any]], y_pred: Sequence[Any], **options: Any
    ) -> SegmentationDisplay:
        """Check images with their true masks, or None, and predicted ones."""
        images = [_as_array(image) for image, _ in pairs]
        truth = [mask for _, mask in pairs if mask is not None]
        multilabel = options["multilabel"]
        return cls(
            images,
            as_masks(truth, images, multilabel) if truth else None,
            as_masks(y_pred, images, multilabel),
            **options,
        )

    def _keep(self, select: Select, n_images: int) -> SegmentationDisplay:
        """Keep the best or worst images only, if those are selected."""
        if not isinstance(select, str) or select == "first":
            return self
        if self.dice is None or self.y_true is None:
            raise ValueError(f"select={select!r} needs true masks, but y is None.")
        order = np.argsort([mean_dice(dice) for dice in self.dice], kind="stable")
        kept = (order if select == "worst" else order[::-1])[:n_images]
        self.images, self.y_true, self.y_pred, self.indices = (
            [part[k] for k in kept]
            for part in (self.images, self.y_true, self.y_pred, self.indices)
        )
        self.dice = self.dice[kept]
        return self


def _as_array(image: Tensor) -> Array:
    image = image.float() if image.is_floating_point() else image  # numpy has no bfloat16
    return image.cpu().numpy()


def _names(labels: Array, display_labels: Sequence[str] | None) -> list[str]:
    """Return what the legend calls each label."""
    if display_labels is None:
        return [str(label) if isinstance(label, str) else f"label {label}" for label in labels]
    if len(display_labels) != len(labels):
        raise ValueError(
            f"display_labels={list(display_labels)} names {len(display_labels)} labels, but there "
            f"are {len(labels)}: {labels.tolist()}."
        )
    return [str(name) for name in display_labels]
