"""Descriptive statistics of single images; they are not independent, as they share networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .fits import FitTable
from .statistics import hierarchical_bootstrap

Array = NDArray[Any]
Row = dict[str, Any]


def mean_image_scores(fits: FitTable) -> Array | None:
    """Return each image's score with each loss, averaged over fits that did not train on it.

    Returns
    -------
    scores : ndarray of shape (n_losses, n_images), or None
        nan where an image was never held out, or where a fit that held it out did not
        finish; None if images were not scored.
    """
    if not _is_scored(fits):
        return None
    means = np.full((len(fits.labels), fits.n_images), np.nan)
    for row, by_split in zip(means, fits.images, strict=True):
        total, count = np.zeros(fits.n_images), np.zeros(fits.n_images)
        for test, by_seed in zip(fits.tests, by_split, strict=True):
            for scores in by_seed:
                # A fit that did not finish leaves its images without a mean.
                total[test] += np.nan if scores is None else np.array(scores, dtype=float)
                count[test] += 1
        np.divide(total, count, out=row, where=count > 0)
    return means


def _is_scored(fits: FitTable) -> bool:
    return any(each is not None for rows in fits.images for row in rows for each in row)


def add_image_columns(pairs: Sequence[Row], fits: FitTable, means: Array) -> None:
    """Add each pair's difference over the images, with hierarchical bootstrap intervals.

    Parameters
    ----------
    pairs : list of dict
        Modified in place.
    fits : FitTable
        The results of the fits.
    means : ndarray of shape (n_losses, n_images)
        From :func:`mean_image_scores`.
    """
    whole = [k for k in range(len(fits.labels)) if (fits.status[k] == "ok").all()]
    clusters = _clusters(fits, whole)
    columns = {fits.labels[k]: column for column, k in enumerate(whole)}
    draws = hierarchical_bootstrap(clusters) if clusters else np.empty((0, 0))
    for row in pairs:
        a, b = row["a"], row["b"]
        of_image = means[fits.labels.index(a)] - means[fits.labels.index(b)]
        row["image_difference"] = row["image_low"] = row["image_high"] = np.nan
        if clusters and a in columns and b in columns:
            drawn = draws[:, columns[a]] - draws[:, columns[b]]
            low, high = np.quantile(drawn, [0.025, 0.975])
            observed = [fit[:, columns[a]] - fit[:, columns[b]] for fit in clusters]
            row["image_difference"] = float(np.mean([part.mean() for part in observed]))
            row["image_low"], row["image_high"] = float(low), float(high)
        row["image_wins"] = int((of_image > 1e-9).sum())
        row["image_losses"] = int((of_image < -1e-9).sum())
        row["image_ties"] = int((np.abs(of_image) <= 1e-9).sum())


def _clusters(fits: FitTable, whole: Sequence[int]) -> list[Array]:
    """Return scores (n_test, n_losses) per split and seed, of images that all losses score."""
    if not whole:
        return []
    n_splits, n_seeds = fits.status.shape[1:]
    found = []
    for j in range(n_splits):
        for s in range(n_seeds):
            scores = np.array([fits.images[k][j][s] for k in whole], dtype=float).T
            scores = scores[np.isfinite(scores).all(1)]
            found += [scores] if len(scores) else []
    return found


def worst_images(labels: Sequence[str], means: Array, n_images: int) -> list[Row]:
    """Return the images with the lowest mean over the losses, the worst first.

    Returns
    -------
    rows : list of dict
        "image", its position; "mean"; and the score with each loss, by label.
    """
    known = np.isfinite(means)
    sums, counts = np.where(known, means, 0).sum(0), known.sum(0)
    overall = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    order = np.argsort(overall, kind="stable")[:n_images]
    return [
        {
            "image": int(k),
            "mean": float(overall[k]),
            "scores": dict(zip(labels, means[:, k].tolist(), strict=True)),
        }
        for k in order
        if np.isfinite(overall[k])
    ]
