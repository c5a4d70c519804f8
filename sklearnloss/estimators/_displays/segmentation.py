"""A figure of what a segmenter finds and misses."""

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
    """Images, their true and predicted masks, and where these differ.

    Make one with :meth:`from_estimator` or :meth:`from_predictions`. Needs
    matplotlib: ``pip install 'sklearnloss[plot]'``.

    The lowest label is considered the background, which has no color. If there is one
    other label, errors are shown as false positives and false negatives; if there are
    several, wrong pixels have the color of their true label. The Dice coefficient of an
    image is the mean over the labels that are present or predicted, without the
    background, and 1 if there are none.

    Parameters
    ----------
    images : list of ndarray of shape (C, *spatial)
        The images.
    y_true : list of ndarray of shape (*spatial) or, multilabel, (K, *spatial), or None
        True masks.
    y_pred : list of ndarray of shape (*spatial) or, multilabel, (K, *spatial)
        Predicted masks.
    labels : ndarray of shape (n_labels,)
        The labels, sorted; for multilabel masks, names of the channels.
    display_labels : sequence of str, default=None
        Their names in the legend.
    indices : sequence of int, default=None
        Indices of the images, for the titles.
    ignore_index : int, default=None
        A true label whose pixels are ignored. They are gray.
    multilabel : bool, default=False
        Whether masks have one channel per label. Each label is drawn separately.
    include_background : bool, default=False
        Draw and score the lowest label like the others.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        Row by row.
    figure_ : matplotlib Figure
    legend_ : matplotlib Legend or None
    dice : ndarray of shape (n_images, n_labels) or None
        Dice coefficient of each label drawn; nan if it is neither present nor
        predicted. None without true masks.

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
        """Predict masks of images and draw them.

        Parameters
        ----------
        estimator : fitted UNetSegmenter, or a pipeline or search around one
            For a pipeline, the images that its last step receives are shown.
        X : array-like
            Images, as for ``predict``.
        y : array-like, default=None
            True masks, as for ``fit``. Without them (unless X is a ``Dataset`` that has
            them), only predictions are shown.
        n_images : int, default=4
            How many images to draw.
        select : {"first", "best", "worst"} or sequence of int, default="first"
            Which images: the first, those with the highest or lowest Dice coefficient
            among all X, or those with the given indices.
        display_labels : sequence of str, default=None
            Names of ``classes_`` in the legend.
        include_background : bool, default=False
            Draw and score the lowest label like the others.
        ax : array of matplotlib Axes, default=None
            Where to draw; new axes by default.
        **plot_params : dict
            Passed to :meth:`plot`.

        Returns
        -------
        display : SegmentationDisplay
        """
        final, X = reach_final(estimator, X)
        if not isinstance(final, MaskEstimator):
            raise TypeError(
                f"{type(final).__name__} is not a segmenter from this package. Draw the masks that "
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
        """Draw masks from any source of predictions.

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
            Which images: the first, those with the highest or lowest Dice coefficient, or
            those with the given indices.
        labels : array-like, default=None
            All labels, if not all of them occur; the lowest is the background.
        display_labels : sequence of str, default=None
            Their names in the legend.
        image_shape : tuple of int, default=None
            Shape of one image, if X holds rows.
        channels : {"first", "last"}, default="first"
            Position of the channel axis of the images.
        ignore_index : int, default=None
            A true label whose pixels are ignored. They are gray.
        multilabel : bool, default=False
            Whether masks have one channel per label. Each label is drawn separately.
        include_background : bool, default=False
            Draw and score the lowest label like the others.
        ax : array of matplotlib Axes, default=None
            Where to draw; new axes by default.
        **plot_params : dict
            Passed to :meth:`plot`.

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
        """Draw each image in a row of panels, with one panel per view.

        Parameters
        ----------
        ax : array of matplotlib Axes, default=None
            Where to draw, row by row; new axes by default.
        panels : str or sequence of str, default=None
            Some of "image", "truth", "prediction" and "errors"; by default all that can
            be drawn. With one or two, several images fit next to each other.
        label : label, default=None
            Show only this label, against everything else.
        slice_index : int, default=None
            The slice of volumes to show, along their first axis; the middle one by
            default. The Dice coefficient is that of the volume.
        alpha : float, default=0.5
            Opacity of the label colors; errors are more opaque.
        colors : sequence of matplotlib colors, default=None
            Colors of the labels, without the background. The default colors are
            suitable for color-blind readers.
        image_kw : dict, default=None
            Passed to ``Axes.imshow`` for the images.

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
        """Check images with their true masks, or None, and predicted masks."""
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
        """Keep only the best or worst images, if they are selected."""
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
    """Return the names of the labels for the legend."""
    if display_labels is None:
        return [str(label) if isinstance(label, str) else f"label {label}" for label in labels]
    if len(display_labels) != len(labels):
        raise ValueError(
            f"display_labels={list(display_labels)} names {len(display_labels)} labels, but there "
            f"are {len(labels)}: {labels.tolist()}."
        )
    return [str(name) for name in display_labels]
