"""Checks that reject callbacks that cannot work, before training starts."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from typing import Any

from sklearn.metrics import get_scorer_names
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    InputShapeSetter,
    LoadInitState,
    LRScheduler,
    ParamMapper,
    PassthroughScoring,
    ProgressBar,
    TrainEndCheckpoint,
    WandbLogger,
)
from torch.optim.lr_scheduler import ReduceLROnPlateau

from ..._utils.guides import CALLBACKS
from ..._utils.text import did_you_mean

_VALIDATION = (
    "There are no validation data. Set early_stopping=True, which holds out validation_fraction of "
    "the data"
)


def split_name(item: Any) -> tuple[Any, Any]:
    """Return the name, or None, and the callback of an item of ``callbacks``."""
    if isinstance(item, tuple) and len(item) == 2:
        return item
    return None, item


def check_item(item: Any) -> None:
    """Raise a ValueError for items that are not callbacks or functions that return one."""
    name, callback = split_name(item)
    if name is not None and not isinstance(name, str):
        raise ValueError(f"callbacks holds {item!r}. Expected a string as the name of a callback.")
    if isinstance(callback, Callback):
        return
    if hasattr(callback, "on_fit_task_end"):
        hint = " Pass scikit-learn's callbacks to set_callbacks()."
    elif isinstance(callback, type):
        if issubclass(callback, Callback):
            return
        hint = ""
    elif callable(callback):
        return
    else:
        hint = ""
    raise ValueError(
        f"callbacks holds {callback!r}. Expected skorch callbacks, functions without arguments "
        f"that return one, or (name, callback) pairs.{hint} See {CALLBACKS}."
    )


def check_callbacks(callbacks: Iterable[Any] | None, estimator: Any) -> None:
    """Raise a ValueError for callbacks that cannot work with an estimator's parameters.

    Parameters
    ----------
    callbacks : iterable or None
        As in the parameter ``callbacks``. Functions that return callbacks are only
        checked after they have been called.
    estimator : ImageEstimator
        The estimator.
    """
    items = list(callbacks or [])
    for item in items:
        check_item(item)
    made = [callback for _, callback in map(split_name, items)]
    for callback in made:
        if isinstance(callback, InputShapeSetter):
            raise ValueError(
                "callbacks holds InputShapeSetter, but the estimator sets the shape of its "
                "network itself. Remove it."
            )
        if isinstance(callback, LoadInitState):
            _check_loading(callback, estimator)
        elif isinstance(callback, (EpochScoring, BatchScoring)):
            _check_scoring(callback, estimator)
        if not estimator.early_stopping:
            _check_validation(callback, made)


def check_net_callbacks(net: Any, data: Any) -> None:
    """Raise a ValueError for callbacks that have no effect on a network, or fail on its data."""
    named = list(net.get_all_learnable_params())
    for _, callback in net.callbacks_:
        name = type(callback).__name__
        if isinstance(callback, ParamMapper):
            for pattern in callback.patterns:
                check_pattern(pattern, named, name)
        if not isinstance(callback, EpochScoring) or data.sizes is None:
            continue
        if callback.use_caching if net.use_caching == "auto" else net.use_caching:
            raise ValueError(
                f"callbacks holds {name}, which joins the masks of all images into one array, but "
                f"the images have different sizes. Use BatchScoring: the images of a batch have "
                f"the same size."
            )


def check_pattern(pattern: Any, named: Sequence[tuple[str, Any]], where: str) -> None:
    """Raise a ValueError if a pattern does not match the name of any parameter."""
    names = [name for name, _ in named]
    if callable(pattern):
        matches = any(map(pattern, names))
    else:
        matches = bool(fnmatch.filter(names, pattern))
    if not matches:
        raise ValueError(
            f"{where}: the pattern {pattern!r} matches no parameter of the network. They are "
            f"{', '.join(names[:5])}, ..., {names[-1]}."
        )


def reads_batches(callback: Any) -> bool:
    """Return whether a skorch callback uses the loss of each batch."""
    if isinstance(callback, LRScheduler):
        return bool(callback.step_every == "batch")
    return isinstance(callback, ProgressBar) or getattr(callback, "log_on_batch_end", False)


def check_schedule(callbacks: Any, scheduler: Any) -> None:
    """Raise a ValueError if both a callback and ``scheduler`` set the learning rate."""
    for item in callbacks if isinstance(callbacks, (list, tuple)) else []:
        if scheduler is not None and isinstance(split_name(item)[1], LRScheduler):
            raise ValueError(
                f"callbacks holds LRScheduler, but scheduler={scheduler!r} sets the learning rate "
                f"before each step. Set scheduler=None."
            )


def _check_validation(callback: Callback, others: Sequence[Any]) -> None:
    """Raise an error if a callback needs validation data, but there are none."""
    scores = isinstance(callback, (EpochScoring, BatchScoring, PassthroughScoring))
    name = type(callback).__name__
    if scores and not callback.on_train:
        raise ValueError(
            f"callbacks holds {name} with on_train=False. {_VALIDATION}, or on_train=True."
        )
    if isinstance(callback, WandbLogger) and callback.save_model:
        key, remedy = "valid_loss_best", "save_model=False"
    else:
        key, remedy = _monitored(callback), "monitor='train_loss'"
    if key not in ("valid_loss", "valid_loss_best") or _may_record(key, others):
        return
    if isinstance(callback, Checkpoint):
        remedy = "monitor=None to save every epoch"
    raise ValueError(f"callbacks holds {name}, which reads {key!r}. {_VALIDATION}, or {remedy}.")


def _monitored(callback: Callback) -> Any:
    """Return the key of the history that a skorch callback reads."""
    if isinstance(callback, (Checkpoint, EarlyStopping)):
        return callback.monitor
    if isinstance(callback, LRScheduler) and callback.policy in (
        ReduceLROnPlateau,
        "ReduceLROnPlateau",
    ):
        return callback.monitor
    return None


def _may_record(key: str, callbacks: Sequence[Any]) -> bool:
    """Return whether a callback may write a key into the history; a custom one may write any."""
    for callback in callbacks:
        if not type(callback).__module__.startswith("skorch."):
            return True
        if getattr(callback, "name", None) == key.removesuffix("_best"):
            return True
    return False


def _check_scoring(callback: Any, estimator: Any) -> None:
    """Raise an error if the scoring of a callback cannot work."""
    scoring, name = callback.scoring, type(callback).__name__
    if isinstance(scoring, str) and scoring not in get_scorer_names():
        raise ValueError(
            f"callbacks holds {name}({scoring!r}), which is not a scikit-learn scorer."
            f"{did_you_mean(scoring, get_scorer_names())} Scorers for masks are objects, such as "
            f"sklearnloss.metrics.dice_scorer."
        )
    if not (scoring is None or isinstance(scoring, str) or callable(scoring)):
        raise ValueError(
            f"callbacks holds {name}({scoring!r}). Expected a scorer's name, a scorer, or a "
            f"function (net, X, y) that returns a number. Use one callback per score."
        )
    if estimator._reads_masks and _takes_labels(scoring):
        raise ValueError(
            f"callbacks holds {name}({scoring!r}), but scikit-learn's scorers take one label per "
            f"image, not masks. Use one for masks, such as sklearnloss.metrics.iou_scorer."
        )
    caching = (estimator.net_params or {}).get("use_caching", "auto")
    caching = callback.use_caching if caching == "auto" else caching
    plain = callable(scoring) and not hasattr(scoring, "_score_func") and not _takes_labels(scoring)
    if isinstance(callback, EpochScoring) and not caching and not plain:
        raise ValueError(
            f"callbacks holds {name}({scoring!r}) with use_caching=False, which passes no targets "
            f"to the scorer. Set use_caching=True, or score in a function (net, dataset, y)."
        )


def _takes_labels(scoring: Any) -> bool:
    """Return whether this is a scorer or a metric from scikit-learn."""
    if isinstance(scoring, str):
        return True
    function = getattr(scoring, "_score_func", scoring)
    return (getattr(function, "__module__", None) or "").startswith("sklearn.")


def _check_loading(callback: Any, estimator: Any) -> None:
    """Raise an error if a checkpoint lacks what a fit needs to continue."""
    checkpoint = callback.checkpoint
    if not isinstance(checkpoint, (Checkpoint, TrainEndCheckpoint)):
        raise ValueError(
            f"LoadInitState holds {checkpoint!r}. Expected a Checkpoint or a TrainEndCheckpoint."
        )
    needed = ("f_params", "f_optimizer", "f_history")
    missing = [name for name in needed if not isinstance(getattr(checkpoint, name), str)]
    if missing:
        raise ValueError(
            f"LoadInitState needs files of the weights, the optimizer and the history to continue "
            f"a fit, but {missing[0]}={getattr(checkpoint, missing[0])!r}. To begin a new fit "
            f"from the weights only, set weights= to their file."
        )
    if estimator.early_stopping and getattr(checkpoint, "monitor", None) != "valid_loss_best":
        raise ValueError(
            "LoadInitState with early_stopping=True needs a checkpoint of the best epoch: "
            "Checkpoint(monitor='valid_loss_best')."
        )
