"""Labels per image, derived from masks, to stratify by."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._files import FileReader
from ._data.labels import as_masks, count_labels
from ._data.open_item import open_mask

Array = NDArray[Any]


def image_level_labels(
    y: Any,
    *,
    n_bins: int | None = None,
    min_count: int = 2,
    ignore_index: int | None = None,
    multilabel: bool = False,
    reader: FileReader | None = None,
) -> Array:
    """Summarize each mask in one label, for similar splits.

    scikit-learn stratifies by labels, not by masks: pass these labels to
    ``train_test_split(stratify=)`` or ``StratifiedKFold().split(X, labels)``.

    Parameters
    ----------
    y : array-like of shape (n, *spatial), or list of masks or of paths
        Masks; multilabel masks are (n, K, *spatial).
    n_bins : int, default=None
        By default, the label says which classes occur in an image. An int groups images
        by their share of foreground instead, that is, of all labels but the lowest, into
        this many bins with about equally many images each.
    min_count : int, default=2
        An image whose label is rarer than this gets the most similar other label, since
        scikit-learn needs one image of each label per fold.
    ignore_index : int, default=None
        A label whose pixels are ignored.
    multilabel : bool, default=False
        Whether masks have one channel per label, for K labels.
    reader : FileReader, default=None
        How files become masks; None is ``FileReader()``.

    Returns
    -------
    labels : ndarray of shape (n,), int
        From 0, without gaps.

    See Also
    --------
    cross_val_predict_proba : Out-of-fold probabilities of masks.

    Examples
    --------
    Each fold gets its share of tiles without a nucleus:

    >>> from sklearn.model_selection import StratifiedKFold
    >>> from sklearnloss.datasets import load_nuclei
    >>> from sklearnloss.estimators import image_level_labels
    >>> X, y, _ = load_nuclei(tile=32)
    >>> labels = image_level_labels(y, min_count=4)
    >>> folds = StratifiedKFold(4, shuffle=True, random_state=0).split(X, labels)
    >>> [int((y[test].max((1, 2)) == 0).sum()) for _, test in folds]
    [12, 12, 11, 11]
    """
    if n_bins is not None and n_bins < 2:
        raise ValueError(f"n_bins={n_bins!r}: expected at least 2 bins, or None.")
    reader = FileReader() if reader is None else reader
    masks = (as_masks(open_mask(item, reader, multilabel=multilabel)[0]) for item in y)
    shares = [_shares(mask, ignore_index, multilabel) for mask in masks]
    if not shares:
        raise ValueError("y contains no masks.")
    names = sorted({name for share in shares for name in share})
    table = np.array([[share.get(name, 0.0) for name in names] for share in shares])
    if n_bins is None:
        return _merge_rare((table > 0).astype(int), min_count)
    foreground = table if multilabel else table[:, 1:]
    return _merge_rare(_bins(foreground.sum(1), n_bins)[:, None], min_count)


def _shares(mask: Array, ignore: int | None, multilabel: bool) -> dict[int, float]:
    """Return the share of each label among the pixels that are not ignored."""
    if multilabel:
        counted = ~np.ma.getmaskarray(mask)
        mask = np.ma.getdata(mask)
        counted &= mask != ignore if ignore is not None else True
        on = (mask != 0) & counted
        return {
            channel: float(np.sum(on[channel]) / max(np.sum(counted[channel]), 1))
            for channel in range(len(mask))
        }
    found = dict(zip(*(part.tolist() for part in count_labels(mask)), strict=True))
    found.pop(ignore, None)
    return {int(label): count / sum(found.values()) for label, count in found.items()}


def _bins(share: Array, n_bins: int) -> Array:
    """Return the quantile bin of each number; equal numbers share a bin."""
    edges = np.unique(np.quantile(share, np.arange(1, n_bins) / n_bins))
    return np.searchsorted(edges, share)


def _merge_rare(patterns: Array, min_count: int) -> Array:
    """Number the distinct rows, and merge rare ones into the nearest other row."""
    kinds, codes, counts = np.unique(patterns, axis=0, return_inverse=True, return_counts=True)
    codes = codes.reshape(-1)
    while len(kinds) > 1 and counts.min() < min_count:
        rare = int(counts.argmin())
        distance = np.abs(kinds - kinds[rare]).sum(1)
        distance[rare] = np.iinfo(distance.dtype).max
        nearest = np.lexsort((-counts, distance))[0]  # the most common of the nearest
        codes[codes == rare] = nearest
        counts[nearest] += counts[rare]
        codes[codes > rare] -= 1
        kinds, counts = np.delete(kinds, rare, 0), np.delete(counts, rare)
    return codes
