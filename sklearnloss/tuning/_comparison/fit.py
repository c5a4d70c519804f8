"""One fit of one loss on one split: its scores, or the reason why it has none."""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray

from ..._utils.pipeline import last_step
from ..._utils.text import shorten
from ...estimators._inference.constant_model import constant_model
from .._evaluation.fit_and_score import FitData, FoldFit
from .._evaluation.outcome import Outcome, UndefinedScore, attempt
from .held_out import training_curve
from .image_scores import score_images
from .thresholds import count_held_out

Array = NDArray[Any]


@dataclass
class PairedData(FitData):
    """Data, scorers, and how to score images and handle errors: shared by all fits.

    Parameters
    ----------
    estimator, X, y, scorer, fit_params, score_params
        See :class:`~sklearnloss.tuning._evaluation.fit_and_score.FitData`.
    per_image : bool
        Whether to also score each image.
    catch : bool
        Whether to record errors instead of raising them.
    process : int
        Id of the process that runs the comparison; fits in other processes have one
        thread each.
    """

    per_image: bool
    catch: bool
    process: int


def fit_once(
    data: PairedData,
    settings: Mapping[str, Any],
    train: Array,
    test: Array,
    *,
    seed: int,
    number: int,
    baseline: bool = False,
) -> dict[str, Any]:
    """Fit on the training images and score on the test images.

    Parameters
    ----------
    data : PairedData
        Shared by all fits.
    settings : dict of str to object
        The estimator's parameters.
    train, test : ndarray of int
        Positions of images.
    seed : int
        The estimator's ``random_state``.
    number : int
        Number of this fit, so that parallel fits take turns on several GPUs.
    baseline : bool, default=False
        Whether to also score a constant answer on the same images.

    Returns
    -------
    result : dict
        "status" ("ok", "diverged", "undefined" for a score of nan, or "failed"),
        "reason", "scores" (by name), "fit_seconds", "images" (a score each),
        "threshold_counts" (of ``count_held_out``), "kept" (what reports show of it: "confusion",
        "examples" and "curve"), and "baseline" (the scores of a constant answer) if requested.
    """
    if os.getpid() != data.process:
        torch.set_num_threads(1)
        settings = {**device_of(data.estimator, number), **settings}
    begun = time.perf_counter()

    def fit_and_score() -> dict[str, Any]:
        fold = FoldFit(data, settings, train, test, seed=seed, reseed=True)
        fold.fit()
        constant = {"baseline": _score_constant(fold)} if baseline else {}
        scored = _score(fold, data.per_image, test)
        return {"fit_seconds": fold.fit_time, **constant, **scored}

    def fail(outcome: Outcome, error: Exception) -> dict[str, Any]:
        if not data.catch:
            raise error
        return {"fit_seconds": time.perf_counter() - begun, **_failure(outcome, error)}

    result: dict[str, Any] = {"status": "ok", "reason": "", "scores": {}, "images": None}
    return result | attempt(fit_and_score, fail)


def device_of(estimator: Any, number: int) -> dict[str, str]:
    """Return the parameter that puts a fit on one of several GPUs, if it may use any of them."""
    prefix, part = last_step(estimator)
    n_gpus = torch.cuda.device_count()
    if part.device != "auto" or n_gpus < 2:
        return {}
    return {f"{prefix}device": f"cuda:{number % n_gpus}"}


def _score_constant(fold: FoldFit) -> dict[str, float] | None:
    """Return the scores of a constant answer, None if the scorer cannot score one."""
    try:
        scores: dict[str, float] = fold.data.scorer(constant_model(fold.model), fold.X, fold.y)
    except Exception:  # a comparison without a baseline is better than none
        return None
    return scores if all(map(math.isfinite, scores.values())) else None


def _score(fold: FoldFit, per_image: bool, test: Array) -> dict[str, Any]:
    scores = fold.score()
    for name, score in scores.items():
        if not math.isfinite(score):
            raise UndefinedScore(f"{name} is {score} on the held-out part.")
    images, kept = None, None
    if per_image:
        found, kept = score_images(fold.model, fold.X, fold.y, test)
        images = [None if math.isnan(score) else round(score, 6) for score in found.tolist()]
    curve = training_curve(last_step(fold.model)[1])
    return {
        "scores": scores,
        "images": images,
        "threshold_counts": count_held_out(fold),
        "kept": {**(kept or {}), "curve": curve},
    }


def _failure(outcome: Outcome, error: Exception) -> dict[str, str]:
    status, reason = str(outcome), str(error)
    if outcome not in (Outcome.DIVERGED, Outcome.UNDEFINED):
        status, reason = "failed", f"{type(error).__name__}: {error}"
    reason = re.sub(r" at 0x[0-9a-fA-F]+", "", reason)  # the same in every process
    return {"status": status, "reason": shorten(reason, 300)}
