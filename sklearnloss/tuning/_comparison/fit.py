"""One fit of one loss on one split: its scores, or the reason why there are none."""

from __future__ import annotations

import contextlib
import math
import numbers
import os
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import clone
from sklearn.metrics import check_scoring

from ..._utils.pipeline import last_step
from ..._utils.rows import take_rows
from ..._utils.text import text_keys, unique_name
from ...estimators._inference.constant_baseline import constant_model
from .._evaluation.interrupts import raise_if_interrupted
from .._evaluation.scoring import named_scorers
from .._space.hyperparameter import shorten
from .image_scores import score_images

Array = NDArray[Any]
Status = Literal["ok", "diverged", "undefined", "failed"]


class UndefinedScore(ValueError):
    """A scorer returned nan or infinity."""


@dataclass(frozen=True)
class PairedData:
    """Data, how it is scored, and how to fail.

    Attributes
    ----------
    estimator : estimator
        Cloned for each fit.
    X, y : array-like
        Images with their masks or labels.
    sample_weight : ndarray of shape (n,) or None
        For ``fit``.
    scoring : dict of str to scorer
        Called on held-out data.
    per_image : bool
        Whether to score each image, too.
    catch : bool
        Whether to note errors instead of raising them.
    process : int
        Where the comparison runs; fits in other processes have one thread each.
    """

    estimator: Any
    X: Any
    y: Any
    sample_weight: Array | None
    scoring: dict[str, Any]
    per_image: bool
    catch: bool
    process: int


def read_scoring(estimator: Any, scoring: Any) -> dict[str, Any]:
    """Return scorers by name; the first one decides.

    Raises
    ------
    TypeError, ValueError
        If there is none, or scikit-learn does not know it.
    """
    if isinstance(scoring, Mapping):
        named = text_keys(scoring, "scoring")
    elif scoring is None or isinstance(scoring, str) or callable(scoring):
        named = {_name(scoring): scoring}
    elif isinstance(scoring, Iterable):
        named = {}
        for each in scoring:
            named[unique_name(_name(each), named)] = each
    else:
        raise TypeError(f"scoring={scoring!r}: expected a name, a callable, or several of them.")
    if not named:
        raise ValueError("scoring is empty. Expected at least one scorer, or None.")
    return {
        name: check_scoring(estimator, named_scorers(each, estimator))
        for name, each in named.items()
    }


def _name(scorer: Any) -> str:
    if scorer is None:
        return "score"
    function = getattr(scorer, "_score_func", scorer)
    return scorer if isinstance(scorer, str) else _own_name(function)


def _own_name(value: Any) -> str:
    return str(getattr(value, "__name__", type(value).__name__))


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
    """Fit on one part, score on the other.

    Parameters
    ----------
    data : PairedData
        What all fits share.
    settings : dict of str to object
        The estimator's parameters.
    train, test : ndarray of int
        Positions of images.
    seed : int
        The estimator's ``random_state``.
    number : int
        Of this fit, so that fits in parallel take turns on several GPUs.
    baseline : bool, default=False
        Whether to score a constant answer on the same images, too.

    Returns
    -------
    result : dict
        "status" ("ok", "diverged", "undefined" for a score of nan, or "failed"),
        "reason", "scores" (by name), "fit_seconds", "images", the score of each, and
        "baseline", the scores of a constant answer, if asked for.
    """
    if os.getpid() != data.process:
        torch.set_num_threads(1)
        settings = {**device_of(data.estimator, number), **settings}
    start = time.perf_counter()
    result: dict[str, Any] = {"status": "ok", "reason": "", "scores": {}, "images": None}
    exhausted = False
    try:
        result |= _fit_and_score(data, settings, train, test, seed, baseline)
    except Exception as error:
        if not data.catch:
            raise
        result |= _failure(error)
        exhausted = isinstance(error, torch.OutOfMemoryError)
    if exhausted:
        torch.cuda.empty_cache()  # the error, which held on to the network, is gone by now
    return {"fit_seconds": time.perf_counter() - start} | result


def device_of(estimator: Any, number: int) -> dict[str, str]:
    """Return the parameter that puts a fit on one of several GPUs, if it may be on any."""
    prefix, part = last_step(estimator)
    n_gpus = torch.cuda.device_count()
    if part.device != "auto" or n_gpus < 2:
        return {}
    return {f"{prefix}device": f"cuda:{number % n_gpus}"}


def _fit_and_score(
    data: PairedData,
    settings: Mapping[str, Any],
    train: Array,
    test: Array,
    seed: int,
    baseline: bool,
) -> dict[str, Any]:
    start = time.perf_counter()
    model = _fit(data, settings, train, seed)
    seconds = time.perf_counter() - start
    X, y = take_rows(data.X, test), take_rows(data.y, test)
    constant = {"baseline": _score_constant(data, model, X, y)} if baseline else {}
    return {"fit_seconds": seconds, **constant, **_score(data, model, X, y)}


def _fit(data: PairedData, settings: Mapping[str, Any], train: Array, seed: int) -> Any:
    model = clone(data.estimator).set_params(**settings)
    names = model.get_params()
    seeds = {k: seed for k in names if k == "random_state" or k.endswith("__random_state")}
    model.set_params(**seeds)
    weights = {}
    if data.sample_weight is not None:
        prefix = "" if get_config()["enable_metadata_routing"] else last_step(model)[0]
        weights = {f"{prefix}sample_weight": data.sample_weight[train]}
    try:
        return model.fit(take_rows(data.X, train), take_rows(data.y, train), **weights)
    finally:
        raise_if_interrupted()  # a fit that was cut short is not a result


def _score_constant(data: PairedData, model: Any, X: Any, y: Any) -> dict[str, float] | None:
    """Return the scores of a constant answer; None for a scorer that cannot score one."""
    try:
        found = _call(data.scoring, constant_model(model), X, y)
        scores = {name: _number(name, score) for name, score in found.items()}
    except Exception:  # a comparison without a baseline is better than none
        return None
    return scores if all(map(math.isfinite, scores.values())) else None


def _score(data: PairedData, model: Any, X: Any, y: Any) -> dict[str, Any]:
    found = _call(data.scoring, model, X, y)
    scores = {name: _number(name, score) for name, score in found.items()}
    for name, score in scores.items():
        if not math.isfinite(score):
            raise UndefinedScore(f"{name} is {score} on the held-out part.")
    images = None
    if data.per_image:
        scored = score_images(model, X, y).tolist()
        images = [None if math.isnan(score) else round(score, 6) for score in scored]
    return {"scores": scores, "images": images}


def _number(name: str, score: Any) -> float:
    """Return a score as a float, that of an array or tensor of one element, too."""
    value = score
    if hasattr(score, "item"):
        with contextlib.suppress(ValueError, RuntimeError):  # it has several elements
            value = score.item()
    if not isinstance(value, numbers.Real):
        raise TypeError(
            f"The scorer {name} returned {shorten(repr(score), 60)}. Expected a number, or a dict "
            f"of numbers by name."
        )
    return float(value)


def _call(scoring: dict[str, Any], model: Any, X: Any, y: Any) -> Mapping[str, Any]:
    """Return scores by name, those of a single scorer by its own names if it has several."""
    if len(scoring) > 1:  # predicts once for all
        together: dict[str, Any] = check_scoring(model, scoring)(model, X, y)
        return together
    ((name, scorer),) = scoring.items()
    found = scorer(model, X, y)
    if not isinstance(found, Mapping):
        return {name: found}
    if not found:
        raise ValueError(f"{name} returned no scores. Expected a number, or a dict of numbers.")
    return {str(each): score for each, score in found.items()}


def _failure(error: Exception) -> dict[str, Any]:
    status: Status = "failed"
    if isinstance(error, FloatingPointError):
        status = "diverged"
    elif isinstance(error, UndefinedScore):
        status = "undefined"
    reason = f"{type(error).__name__}: {error}" if status == "failed" else str(error)
    reason = re.sub(r" at 0x[0-9a-fA-F]+", "", reason)  # the same in every process
    return {
        "status": status,
        "reason": shorten(reason, 300),
    }
