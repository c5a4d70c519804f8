"""Checkpoints of a fit, from which it resumes as if it had never stopped."""

from __future__ import annotations

import copy
import hashlib
import numbers
import os
import pickle
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from skorch.callbacks import (
    Checkpoint,
    EarlyStopping,
    LoadInitState,
    PassthroughScoring,
    TrainEndCheckpoint,
)
from torch import Tensor

from .parameters import RESUMABLE
from .portable_net import PortableNet

# The key of our record, stored with the optimizer's state.
_RECORD = "sklearnloss"
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_N_SAMPLES = 16


class CheckpointedNet(PortableNet):
    """A net whose checkpoints contain everything that a fit needs to continue.

    Attributes
    ----------
    fit_key_ : dict of str to str, or None
        Identifies the fit, see :func:`fit_key`.
    """

    generator_: Any
    fit_key_: Mapping[str, str] | None = None
    training_: Any = None
    record_: Mapping[str, Any] | None = None

    def save_params(
        self,
        f_params: Any = None,
        f_optimizer: Any = None,
        f_criterion: Any = None,
        f_history: Any = None,
        use_safetensors: bool = False,
        **kwargs: Any,
    ) -> None:
        """Write files like skorch; each replaces an older one when it is complete."""
        files = {
            "f_params": f_params,
            "f_optimizer": f_optimizer,
            "f_criterion": f_criterion,
            "f_history": f_history,
            **kwargs,
        }
        paths = {k: os.fspath(f) for k, f in files.items() if isinstance(f, (str, os.PathLike))}
        own = f"{os.getpid()}-{id(self):x}"  # fits in parallel may write the same file
        parts = {name: f"{path}.{own}.part" for name, path in paths.items()}
        try:
            super().save_params(use_safetensors=use_safetensors, **{**files, **parts})
            for name, part in parts.items():
                os.replace(part, paths[name])
        except Exception as error:  # skorch's Checkpoint ignores it
            names = [paths.get(name, name) for name, file in files.items() if file is not None]
            warnings.warn(
                f"{', '.join(names)} was not saved: {type(error).__name__}: {error}",
                UserWarning,
                stacklevel=2,
            )
            raise
        finally:
            for part in parts.values():
                Path(part).unlink(missing_ok=True)

    def load_params(self, *args: Any, checkpoint: Any = None, **kwargs: Any) -> None:
        """Read files like skorch; in training, only files of this fit."""
        if checkpoint is None:
            super().load_params(*args, **kwargs)
            return
        self.record_ = None
        known = self.history
        where = f"The checkpoint in {checkpoint.dirname or os.curdir!r}"
        try:
            super().load_params(*args, checkpoint=checkpoint, **kwargs)
        except FileNotFoundError as error:
            if self.history is known:  # nothing has been saved yet
                raise
            raise ValueError(
                f"{where} is incomplete: there is no {error.filename}. Remove its other files to "
                f"start over."
            ) from error
        except (EOFError, KeyError, ValueError, pickle.UnpicklingError) as error:
            raise ValueError(f"{where} is damaged. Remove it to start over.") from error
        except RuntimeError as error:
            raise ValueError(
                f"{where} cannot be loaded. It is damaged, or from a fit with another network: "
                f"{' '.join(str(error).split()[:40])}"
            ) from error
        if self.training_ is not None:
            self._check_same_fit(known, where)

    def _check_same_fit(self, known: Any, where: str) -> None:
        """Raise a ValueError if a loaded checkpoint is from another fit."""
        losses = [row.get("train_loss") for row in known]
        loaded = [row.get("train_loss") for row in self.history]
        record = self.record_ or {}
        if losses and loaded != losses[: len(loaded)]:
            raise ValueError(
                f"{where} was overwritten by another fit. Give each fit its own dirname."
            )
        if self.history is not known and record.get("epoch", len(loaded)) != len(loaded):
            raise ValueError(
                f"{where} holds the optimizer of epoch {record['epoch']}, but the history of "
                f"{len(loaded)} epochs: it was not written completely. Remove it, and set weights= "
                f"to a copy of its weights to start from these."
            )
        others = _different(record.get("fit"), self.fit_key_)
        if others:
            raise ValueError(
                f"{where} is from a fit with other {' and '.join(others)}. To continue a fit, use "
                f"the same data and parameters; for another fit, use another dirname."
            )

    def _get_module(self, name: str, msg: str) -> Any:
        part = super()._get_module(name, msg)
        return _OptimizerFile(self, part) if name == "optimizer_" else _ModuleFile(part)


class _ModuleFile:
    """A module whose state can be written by safetensors, which requires contiguous tensors."""

    def __init__(self, module: Any) -> None:
        self.load_state_dict = module.load_state_dict
        self.module = module

    def state_dict(self) -> Any:
        """Return contiguous tensors."""
        state = self.module.state_dict()
        for name, value in state.items():
            if isinstance(value, Tensor):
                state[name] = value.contiguous()
        return state


class _OptimizerFile:
    """An optimizer's state, together with that of the random generator."""

    def __init__(self, net: CheckpointedNet, optimizer: Any) -> None:
        self.net = net
        self.optimizer = optimizer

    def state_dict(self) -> dict[str, Any]:
        """Return both states."""
        key = self.net.fit_key_
        record = {
            "epoch": len(self.net.history),
            "fit": None if key is None else dict(key),
            "generator": self.net.generator_.get_state(),
        }
        return {**self.optimizer.state_dict(), _RECORD: record}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set the optimizer's state; keep the rest for the training."""
        self.net.record_ = state.get(_RECORD)
        self.optimizer.load_state_dict({k: v for k, v in state.items() if k != _RECORD})


def continue_from_record(net: CheckpointedNet) -> bool:
    """Restore the random generator and callbacks to the state of a checkpoint.

    Returns
    -------
    stop : bool
        Whether a callback had ended the training at that point.
    """
    if net.record_ is not None:
        net.generator_.set_state(net.record_["generator"].cpu())
    stop = False
    for _, callback in net.callbacks_:
        if isinstance(callback, PassthroughScoring):
            _restore_best(callback, net.history)
        elif isinstance(callback, EarlyStopping):
            _restore_patience(callback, net)
            stop = stop or callback.misses_ >= callback.patience
    return stop


def _restore_best(callback: Any, history: Any) -> None:
    scores = [row[callback.name] for row in history if callback.name in row]
    if scores and callback.lower_is_better is not None:
        callback.best_score_ = min(scores) if callback.lower_is_better else max(scores)


def _restore_patience(callback: Any, net: Any) -> None:
    """Replay the earlier epochs in a callback."""
    scores = [row[callback.monitor] for row in net.history]
    for epoch, score in enumerate(scores, 1):
        callback.misses_ += 1
        if callback._is_score_improved(score):
            callback.misses_, callback.best_epoch_ = 0, epoch
            callback.dynamic_threshold_ = callback._calc_new_threshold(score)
    if callback.load_best:
        best = min(scores) if callback.lower_is_better else max(scores)
        if scores[-1] != best:
            raise ValueError(
                f"The checkpoint is from epoch {len(scores)}, but {callback.monitor} was best in "
                f"epoch {scores.index(best) + 1}, whose weights EarlyStopping(load_best=True) "
                f"needs. Save the best epoch: Checkpoint(monitor='{callback.monitor}_best')."
            )
        callback.best_epoch_ = len(scores)
        callback.best_model_weights_ = copy.deepcopy(net.module_.state_dict())


def has_checkpoints(callbacks: Any) -> bool:
    """Return whether callbacks write or load checkpoints."""
    kinds = (Checkpoint, LoadInitState, TrainEndCheckpoint)
    return any(isinstance(callback, kinds) for _, callback in callbacks)


def fit_key(estimator: Any, data: Any, seed: int) -> dict[str, str]:
    """Return hashes that distinguish a fit from one on other data or with other parameters.

    Parameters
    ----------
    estimator : ImageEstimator
        The estimator.
    data : TrainingData
        The training data: some samples are hashed.
    seed : int
        The seed of the random numbers.
    """
    params = {k: v for k, v in estimator.get_params(deep=True).items() if k not in RESUMABLE}
    text = repr([type(estimator).__name__, sorted(params.items()), estimator._loss_key()])
    # A generator gives other draws each time; then only the choice of held-out data matters.
    seeded = estimator.early_stopping or isinstance(estimator.random_state, numbers.Integral)
    return {
        "data": _digest(_some_samples(estimator, data)),
        "parameters": _digest([_ADDRESS.sub("", text).encode()]),
        "random_state": str(seed) if seeded else "",
    }


def _some_samples(estimator: Any, data: Any) -> Iterator[bytes]:
    yield repr((len(data), estimator.input_shape_, estimator.classes_.tolist())).encode()
    for position in np.unique(np.linspace(0, len(data) - 1, _N_SAMPLES).astype(int)).tolist():
        for part in data.batch(slice(position, position + 1)):
            if part is not None:
                yield part.cpu().contiguous().numpy().tobytes()


def _digest(parts: Any) -> str:
    state = hashlib.blake2b(digest_size=12)
    for part in parts:
        state.update(part)
    return state.hexdigest()


def _different(first: Mapping[str, str] | None, second: Mapping[str, str] | None) -> list[str]:
    if first is None or second is None:
        return []
    return [name for name in second if first.get(name) != second[name]]
