"""The ``callbacks`` parameter: how it is copied, sent to processes, and used in a fit."""

from __future__ import annotations

import contextvars
import copy
from typing import Any, Self

import cloudpickle
from sklearn.base import BaseEstimator
from skorch.callbacks import (
    Callback,
    EarlyStopping,
    GradientNormClipping,
    LoadInitState,
    LRScheduler,
    TrainEndCheckpoint,
)
from tqdm.auto import tqdm

from .callback_checks import check_callbacks, check_item, split_name

_is_probing = contextvars.ContextVar("_is_probing", default=False)


class CallbackParameterMixin(BaseEstimator):  # type: ignore[misc]
    """Copies an estimator's callbacks, but not the objects that they hold.

    A callback may hold a logger's run, or a list that the user reads afterwards. Copies
    of the estimator share these objects, so that they record every fit in this process.
    """

    callbacks: Any

    def __sklearn_clone__(self) -> Self:
        without = self.__copy__()
        without.callbacks = None
        cloned: Self = super(CallbackParameterMixin, without).__sklearn_clone__()
        cloned.callbacks = copy_callbacks(self.callbacks)
        return cloned

    def __copy__(self) -> Self:
        copied = type(self).__new__(type(self))
        copied.__dict__.update(self.__dict__)
        copied.__dict__.pop("_epoch_hook", None)
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        copied = type(self).__new__(type(self))
        memo[id(self)] = copied
        state = dict(super().__getstate__())
        callbacks = copy_callbacks(state.pop("callbacks", None))
        copied.__setstate__({**copy.deepcopy(state, memo), "callbacks": callbacks})
        return copied

    def __getstate__(self) -> dict[str, Any]:
        for item in self.callbacks if isinstance(self.callbacks, (list, tuple)) else []:
            error = pickling_error(item)
            if error is not None:
                raise _refusal(split_name(item)[1], error) from error
        state: dict[str, Any] = super().__getstate__()
        return state

    def _set_params(self, params: dict[str, Any]) -> Self:
        names = set(self._get_param_names()) - {"loss"}
        for key in params:
            head, _, rest = key.partition("__")
            if rest and head in names and not hasattr(getattr(self, head), "set_params"):
                raise ValueError(f"Invalid parameter {key!r}. {_advice(head, key)}")
        changed: Self = super()._set_params(params)
        return changed


def _refusal(callback: Any, error: Exception) -> TypeError:
    if isinstance(callback, Callback):
        name = type(callback).__name__
        advice = (
            "Pass a function without arguments that returns the callback: it is called in each fit."
        )
    else:
        name = f"the function {getattr(callback, '__name__', callback)}"
        advice = "Create what the callback needs inside it."
    return TypeError(
        f"callbacks holds {name}, which cannot be pickled or sent to another process: {error}. "
        f"{advice} Or use n_jobs=1, save(), or set_params(callbacks=None)."
    )


def _advice(head: str, key: str) -> str:
    if head == "callbacks":
        return (
            "callbacks is a list, whose members cannot be set individually. Set the whole list, as "
            "in callbacks=[EarlyStopping(patience=3)]. A search can choose between such lists."
        )
    if head == "optimizer":
        return f"Arguments of the optimizer belong in net_params={{{key!r}: ...}}."
    return f"{head} has no parameters of its own: set it as a whole."


def copy_callbacks(callbacks: Any) -> Any:
    """Return shallow copies of the callbacks in a list, which share the objects that they hold.

    If a callback holds another one, as LoadInitState holds its Checkpoint, that one is
    replaced by its copy. Anything that is not a callback is returned unchanged.
    """
    copies: dict[int, Callback] = {}

    def copied(value: Any) -> Any:
        if not isinstance(value, Callback):
            return value
        if id(value) not in copies:
            twin = copies[id(value)] = copy.copy(value)
            for name, held in list(vars(twin).items()):
                twin.__dict__[name] = copied(held)
        return copies[id(value)]

    if not isinstance(callbacks, (list, tuple)):
        return callbacks
    return type(callbacks)(
        tuple(map(copied, item)) if isinstance(item, tuple) else copied(item) for item in callbacks
    )


def pickling_error(item: Any) -> Exception | None:
    """Return why something cannot be pickled, or None if it can."""
    if _is_probing.get():  # a callback holds the estimator that is being pickled
        return None
    token = _is_probing.set(True)
    try:
        # This does not copy arrays.
        cloudpickle.CloudPickler(_Nowhere(), protocol=5, buffer_callback=lambda _: None).dump(item)
    except Exception as error:
        return error
    finally:
        _is_probing.reset(token)
    return None


class _Nowhere:
    """A file that discards everything written."""

    def write(self, content: Any) -> int:
        return len(content)


def picklable_callbacks(callbacks: Any) -> Any:
    """Return the callbacks of a net that can be pickled, without their optimizer."""
    kept = []
    for item in copy_callbacks(list(callbacks or [])):
        callback = split_name(item)[1]
        if isinstance(callback, LRScheduler):
            callback.lr_scheduler_ = None  # it holds the optimizer, and so the weights
        if pickling_error(item) is None:
            kept.append(item)
    return kept


def fit_callbacks(estimator: Any, *, again: bool = False) -> list[Any]:
    """Return the callbacks of one fit: copies of the user's, and our own.

    Parameters
    ----------
    estimator : ImageEstimator
        The estimator whose parameters request them.
    again : bool, default=False
        Whether training continues; then no checkpoint is loaded.
    """
    callbacks = [_make(item) for item in copy_callbacks(list(estimator.callbacks or []))]
    check_callbacks(callbacks, estimator)
    loading = [item for item in callbacks if _loads(item)]
    callbacks = [item for item in callbacks if not _loads(item)]
    if estimator.early_stopping:
        stop = EarlyStopping(
            "valid_loss", patience=estimator.n_iter_no_change, load_best=True, sink=_silent
        )
        # Before the user's, which then see the best weights at the end of training.
        callbacks.insert(0, ("early_stopping", stop))
    if not again:  # before all others, which may depend on the history
        callbacks = [*map(_prepare_loading, loading), *callbacks]
    if estimator.clip_norm is not None:
        callbacks.append(("clip_norm", GradientNormClipping(estimator.clip_norm)))
    if estimator.verbose == 1:
        callbacks.append(("progress", EpochBar(type(estimator).__name__)))
    return callbacks


def _make(item: Any) -> Any:
    """Call a function that returns a callback."""
    name, callback = split_name(item)
    if isinstance(callback, Callback):
        return item
    try:
        made = callback()
    except TypeError as error:
        raise ValueError(
            f"callbacks holds {callback!r}, which cannot be called without arguments: {error}. "
            f"Pass an instance, or a function without arguments that returns one."
        ) from error
    check_item(made)
    return made if name is None else (name, made)


def _loads(item: Any) -> bool:
    return isinstance(split_name(item)[1], LoadInitState)


def _prepare_loading(item: Any) -> Any:
    """Let LoadInitState also read a checkpoint that is not among the callbacks."""
    checkpoint = split_name(item)[1].checkpoint
    if isinstance(checkpoint, TrainEndCheckpoint):
        checkpoint.initialize()
    return item


class EpochBar(Callback):  # type: ignore[misc]
    """A progress bar over the epochs of one fit."""

    def __init__(self, label: str) -> None:
        self.label = label

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "bar_"}

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self.bar_ = tqdm(total=net.max_epochs, initial=net.n_resumed, unit="epoch", desc=self.label)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        row = net.history[-1]
        losses = {key: f"{row[key]:.4f}" for key in ("train_loss", "valid_loss") if key in row}
        self.bar_.set_postfix(losses, refresh=False)
        self.bar_.update()

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        self.close()

    def close(self) -> None:
        """Close the bar, if it is open."""
        if "bar_" in vars(self):
            self.bar_.close()
            del self.bar_


def _silent(*args: Any) -> None:
    pass
