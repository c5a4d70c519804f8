"""True masks and predicted ones, checked image by image."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._foreground import Foreground
from ._masks import check_channels, check_kinds, drop_channel, whole_labels

Array = NDArray[Any]
Images = Array | list[Array]


class MaskPairs(Sized, Iterable[tuple[Array, Array]]):
    """True and predicted masks, which need not all be in memory at the same time.

    Pass it to a metric as ``y_true``, with None as ``y_pred``.

    Parameters
    ----------
    pairs : iterable of (ndarray, ndarray)
        For each image, a mask (*spatial) or (K, *spatial), and a predicted one, or
        probabilities (n_classes, *spatial). It is iterated over once.
    n : int
        The number of pairs.
    ignore_index : int or None
        True label of ignored pixels.
    multilabel : bool
        Whether masks have a channel per label.
    classes : array-like or None
        The labels that may be predicted.
    """

    def __init__(
        self,
        pairs: Iterable[tuple[Array, Array]],
        n: int,
        *,
        ignore_index: int | None = None,
        multilabel: bool = False,
        classes: ArrayLike | None = None,
    ) -> None:
        self._pairs = pairs
        self._n = n
        self.ignore_index = ignore_index
        self.multilabel = multilabel
        self.classes = classes

    def __len__(self) -> int:
        return self._n

    def __iter__(self) -> Iterator[tuple[Array, Array]]:
        return iter(self._pairs)

    def score(self, metric: Callable[..., Any], **settings: Any) -> Any:
        """Return the value of one of this package's metrics for the pairs."""
        reading = {"ignore_index": self.ignore_index, "multilabel": self.multilabel}
        return metric(self, None, **reading, **settings)

    def collect(self) -> tuple[Images, Images]:
        """Return all true masks and all predictions: arrays, or lists if sizes differ."""
        true, predicted = zip(*self, strict=True)
        return _together(true), _together(predicted)


class Pair(NamedTuple):
    """The masks of one image.

    Attributes
    ----------
    true, pred : ndarray of shape (*spatial) or, multilabel, (K, *spatial)
    counted : ndarray of bool of the same shape, or None
        Which pixels are not ignored; None is all.
    """

    true: Array
    pred: Array
    counted: Array | None


class CheckedPairs(Sized, Iterable[Pair]):
    """Pairs of masks with checks, over which mask metrics iterate.

    A channel axis of length 1 is dropped; true masks may also be rows of pixels, as
    the segmenter takes them. Masked pixels of masked arrays are ignored.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n, *spatial), or list of masks
        Or (n, K, *spatial) if multilabel; or a MaskPairs, and None.
    ignore_index : int or None
        True label of ignored pixels.
    multilabel : bool
        Whether there is a mask per label.
    per_image : bool, default=False
        Whether all pixels may be ignored, so that no image has a score.

    Attributes
    ----------
    may_be_rows : bool
        Whether both are arrays (n, L), each of which could also be a single mask (H, W).

    Raises
    ------
    ValueError
        If there are no masks, shapes differ, values are not labels, or all pixels are
        ignored; in part only while iterating.
    """

    def __init__(
        self,
        y_true: Any,
        y_pred: Any,
        *,
        ignore_index: int | None,
        multilabel: bool,
        per_image: bool = False,
    ) -> None:
        if ignore_index is not None and np.ndim(ignore_index) > 0:
            raise ValueError(
                f"ignore_index={ignore_index!r}: expected one label. To ignore several, pass "
                f"np.ma.masked_array(y_true, np.isin(y_true, {np.ravel(ignore_index).tolist()}))."
            )
        self.multilabel = multilabel
        self.may_be_rows = False
        self._ignore = ignore_index
        self._per_image = per_image
        self._in_arrays = False
        self._foreground = Foreground()
        self._pairs: Iterable[tuple[Any, Any]]
        if isinstance(y_true, MaskPairs):
            self._pairs, self._n = y_true, len(y_true)
            self._foreground = Foreground(y_true.classes)
            return
        true, pred = as_images(y_true, "y_true"), as_images(y_pred, "y_pred")
        self._n = same_number(true, pred, "y_pred")
        self._in_arrays = isinstance(true, np.ndarray) and isinstance(pred, np.ndarray)
        if not multilabel:
            self.may_be_rows = self._n > 1 and all(
                isinstance(masks, np.ndarray) and masks.ndim == 2 for masks in (true, pred)
            )
            true, pred = _without_channel(true), _without_channel(pred)
        self._pairs = zip(true, pred, strict=True)

    def __len__(self) -> int:
        return self._n

    def __iter__(self) -> Iterator[Pair]:
        n_labels, counts = None, self._per_image
        for number, (true, pred) in enumerate(self._pairs):
            pair = self._check(number, as_array(true), as_array(pred))
            if self.multilabel:
                n_labels = len(pair.true) if n_labels is None else n_labels
                _check_n_labels(len(pair.true), n_labels, number)
            else:
                self._foreground.add(*pair)
            counts |= pair.counted is None or bool(pair.counted.any())
            yield pair
        if not counts:
            raise ValueError("All pixels of y_true are ignored. Expected some that are not.")
        self._foreground.check()

    def _check(self, number: int, true: Array, pred: Array) -> Pair:
        if not self.multilabel and true.shape in [(math.prod(pred.shape),), (*pred.shape, 1)]:
            true = true.reshape(pred.shape)
        no_masks = true.shape != pred.shape or not true.shape
        if no_masks and {true.dtype.kind, pred.dtype.kind} & {*"USO"}:
            raise ValueError(
                f"y_true holds {true.dtype} of shape {true.shape} and y_pred {pred.dtype} of shape "
                f"{pred.shape} for one image. Expected masks; read files first, or use a scorer "
                f"such as dice_scorer, which does so."
            )
        self._check_shapes(number, true.shape, pred.shape)
        true, counted = read_true(true, "y_true", self._ignore)
        pred = _read_predicted(pred, counted)
        check_kinds(true, pred)
        if self.multilabel:
            check_channels(true if counted is None else true[counted], "y_true")
            check_channels(pred, "y_pred")
        return Pair(true, pred, counted)

    def _check_shapes(self, number: int, true: tuple[int, ...], pred: tuple[int, ...]) -> None:
        at = "" if self._in_arrays else f"[{number}]"
        if self._in_arrays:
            true, pred = (self._n, *true), (self._n, *pred)
        if true != pred:
            raise ValueError(
                f"y_true{at} of shape {true} and y_pred{at} of shape {pred} differ: expected masks "
                f"of the same shape{' (n, H, W)' if self._in_arrays else ''}."
            )
        if 0 in true:
            raise ValueError(f"y_true{at} has shape {true}. Expected masks of at least one pixel.")
        if self.multilabel and len(true) < 1 + self._in_arrays:
            raise ValueError(f"multilabel masks have shape (n, K, ...), got {true}.")


def as_images(values: Any, name: str) -> Images:
    """Return masks or probabilities of images as an array, or a list of arrays.

    A list of arrays remains a list, since they may be masked or of different sizes.
    """
    if hasattr(values, "detach"):  # a tensor of torch
        values = as_array(values)
    if isinstance(values, np.ndarray) and not _holds_arrays(values):
        array: Array = values
    else:
        items = list(values) if np.iterable(values) and not isinstance(values, str) else []
        if items and all(getattr(item, "ndim", 0) > 0 for item in items):
            return [as_array(item) for item in items]
        try:
            array = np.asarray(values)
        except ValueError:  # nested lists of different lengths
            return [np.asarray(item) for item in items]
    if array.ndim == 0:
        raise ValueError(
            f"{name} is a single {type(values).__name__}. Expected masks of shape (n, H, W)."
        )
    return array


def as_array(mask: Any) -> Array:
    """Return an array; masked arrays stay masked."""
    if hasattr(mask, "detach"):  # a tensor of torch, perhaps on a GPU
        mask = mask.detach().cpu()
    array: Array = mask if isinstance(mask, np.ma.MaskedArray) else np.asarray(mask)
    return array


def same_number(true: Images, other: Images, name: str) -> int:
    """Return the number of images.

    Raises
    ------
    ValueError
        If there are none, or the numbers differ.
    """
    if len(true) != len(other):
        raise ValueError(f"y_true has {len(true)} images, but {name} has {len(other)}.")
    if len(true) == 0:
        raise ValueError(f"y_true and {name} hold no images. Expected at least one.")
    return len(true)


def read_true(true: Array, name: str, ignore: int | None) -> tuple[Array, Array | None]:
    """Return labels, and which pixels are not ignored, None for all."""
    counted: Array | None = None
    if isinstance(true, np.ma.MaskedArray):
        if np.ma.is_masked(true):
            counted = ~np.ma.getmaskarray(true)
        true = true.filled(0)
    true = whole_labels(true, name)
    if ignore is not None and isinstance(ignore, str) != (true.dtype.kind in "US"):
        raise ValueError(
            f"ignore_index={ignore!r}, but {name} has dtype {true.dtype}. Expected one of its "
            f"labels."
        )
    if ignore is not None:
        kept = true != ignore
        counted = kept if counted is None else counted & kept
    return true, counted


def _read_predicted(pred: Array, counted: Array | None) -> Array:
    if isinstance(pred, np.ma.MaskedArray):
        missing = np.ma.getmaskarray(pred)
        if (missing if counted is None else missing & counted).any():
            raise ValueError(
                "y_pred has masked pixels where y_true has none. Expected a prediction for each "
                "pixel that is not ignored: mask the ignored ones in y_true."
            )
        pred = pred.filled(0)
    return whole_labels(pred, "y_pred")


def _check_n_labels(n: int, expected: int, number: int) -> None:
    if n != expected:
        raise ValueError(
            f"multilabel masks have {expected} labels, but image {number} has masks of {n}. "
            f"Expected the same number in all."
        )


def _holds_arrays(values: Array) -> bool:
    some = values.dtype == object and values.ndim == 1 and len(values)
    return bool(some) and getattr(values[0], "ndim", 0) > 0


def _without_channel(masks: Images) -> Images:
    """Drop a channel axis of length 1."""
    if isinstance(masks, np.ndarray):
        return drop_channel(masks)
    return [mask[0] for mask in masks] if all(len(mask) == 1 for mask in masks) else masks


def _together(images: Sequence[Array]) -> Images:
    if len({image.shape for image in images}) > 1:
        return list(images)
    masked = any(isinstance(image, np.ma.MaskedArray) for image in images)
    stacked: Array = np.ma.stack(images) if masked else np.stack(images)
    return stacked
