"""A comparison as JSON: all that the report shows, for other programs.

The format is documented in ``docs/report_browser.md``, which reads it. ``VERSION`` rises with each
change that a reader would not understand; further keys may be added without one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..._version import __version__
from .confusion import dice, iou, overlaps, precision, recall
from .curves import loss_curve
from .html import about, written
from .origin import Origin
from .png import png_uri
from .text import advise_in, baseline_line, design, image_name, legend

if TYPE_CHECKING:
    from .results import LossComparison

Array = NDArray[Any]
Row = dict[str, Any]

FORMAT, VERSION = "sklearnloss report", 1
#: Significant digits of the scores of single images, of which there may be many.
DIGITS = 6


def render_json(comparison: LossComparison, origin: Origin | None = None) -> str:
    """Return the whole report as the text of a JSON file."""
    data = _plain(report_data(comparison, origin or Origin()))
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


def report_data(comparison: LossComparison, origin: Origin) -> Row:
    """Return all that the report shows; lists by loss are in the order of "labels"."""
    fits = comparison.fits_
    return {
        "format": FORMAT,
        "version": VERSION,
        "sklearnloss": __version__,
        "data": {"name": origin.data, "description": origin.description},
        "command": origin.command,
        "predict": origin.predict,
        "usage": list(origin.usage),
        "design": design(comparison),
        "metric": comparison.about_["metric"],
        "rope": comparison.rope_,
        "best": comparison.best_,
        "learned": comparison.learned_,
        "baseline": comparison.baseline_,
        "advice": advise_in(comparison, origin),
        "notes": {"baseline": baseline_line(comparison), "pairs": legend(comparison)},
        "about": about(comparison, design(comparison)),
        "labels": comparison.labels_,
        "scorers": list(comparison.all_scores_),
        "settings": [written(comparison.settings_[label]) for label in comparison.labels_],
        "losses": comparison.table_,
        "scores": comparison.all_scores_,
        "tuned_scores": comparison.tuned_scores_,
        "fits": {"folds": fits.n_folds, "status": fits.status, "seconds": fits.seconds},
        "pairs": comparison.pairs_,
        "classes": _classes(comparison),
        "images": _images(comparison),
        "pictures": _pictures(comparison),
        "examples": [_example(row) for row in comparison.examples_],
        "curves": _curves(comparison, origin),
        "search": {
            "candidates": list(origin.candidates),
            "not_tried": list(origin.not_tried),
            "not_compared": list(origin.not_compared),
        },
    }


def _classes(comparison: LossComparison) -> Row | None:
    """Return the counts of each loss, and the scores of each class made of them."""
    found = comparison.confusion_
    if not found:
        return None
    masks = comparison.about_["image metric"] != "the accuracy"
    measures = {"Dice": dice, "IoU": iou} if masks else {"recall": recall, "precision": precision}
    counted = [found.get(label) for label in comparison.labels_]
    return {
        "names": comparison.class_names_,
        "unit": "pixels" if masks else "images",
        "sizes": overlaps(next(iter(found.values())))[2],
        "counts": counted,
        "scores": {
            name: [None if each is None else measure(each) for each in counted]
            for name, measure in measures.items()
        },
    }


def _images(comparison: LossComparison) -> Row | None:
    scores = comparison.image_scores_
    if scores is None:
        return None
    return {
        "metric": comparison.about_["image metric"],
        "names": [image_name(comparison, k) for k in range(scores.shape[1])],
        "scores": [[float(f"{score:.{DIGITS}g}") for score in row] for row in scores.tolist()],
    }


def _pictures(comparison: LossComparison) -> Row:
    """Return the pictures of the worst images and of the examples, by position."""
    shown = {row["image"]: row["picture"] for row in comparison.examples_}
    shown |= comparison.pictures_
    return {str(k): png_uri(shown[k]) for k in sorted(shown) if shown[k] is not None}


def _example(row: Row) -> Row:
    """Return a row of ``examples_`` with its masks as runs, and without its picture."""
    kept = {key: row[key] for key in ("loss", "kind", "image", "score")}
    if isinstance(row["prediction"], str):
        return {**kept, "truth": row["truth"], "prediction": row["prediction"]}
    return {
        **kept,
        "names": row["names"],
        "shape": list(row["truth"].shape),
        "truth": as_runs(row["truth"]),
        "prediction": as_runs(row["prediction"]),
    }


def as_runs(codes: Array) -> list[int]:
    """Return the runs of equal codes, row by row, as code, length, code, length, ...

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnloss.tuning._comparison.as_json import as_runs
    >>> as_runs(np.array([[0, 0, 2], [2, 2, 1]]))
    [0, 2, 2, 3, 1, 1]
    """
    flat = codes.ravel()
    starts = np.flatnonzero(np.r_[True, flat[1:] != flat[:-1]]) if flat.size else np.arange(0)
    lengths = np.diff(np.r_[starts, flat.size])
    runs: list[int] = np.stack([flat[starts], lengths], axis=1).ravel().tolist()
    return runs


def _curves(comparison: LossComparison, origin: Origin) -> Row:
    """Return [epoch, value] of each loss: the search's scores, and the training losses."""
    labels = comparison.labels_
    return {
        "score": [list(map(list, origin.score_curves.get(label, []))) for label in labels],
        "training_loss": [loss_curve(comparison, label) for label in labels],
    }


def _plain(value: Any) -> Any:
    """Return lists, texts and numbers; null for what is no finite number."""
    if isinstance(value, dict):
        return {_text(str(key)): _plain(each) for key, each in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(each) for each in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return _text(value) if isinstance(value, str) else value


def _text(text: str) -> str:
    """Escape what UTF-8 cannot encode, which file names may contain."""
    return text.encode("utf-8", "backslashreplace").decode()
