"""Optimizers, schedules and callbacks by name."""

from __future__ import annotations

import contextlib
import copy
import inspect
import math
import os
from collections.abc import Callable, Iterator
from typing import Any

import torch
from sklearn.base import clone
from skorch.callbacks import Callback, EarlyStopping, GradientNormClipping
from tqdm.auto import tqdm

from ..losses._base import did_you_mean


def resolve_optimizer(optimizer: str | type[torch.optim.Optimizer]) -> type[torch.optim.Optimizer]:
    """Return an optimizer class from its name in torch.optim, in any case.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if isinstance(optimizer, type) and issubclass(optimizer, torch.optim.Optimizer):
        return optimizer
    known = {
        name.lower(): cls
        for name, cls in vars(torch.optim).items()
        if inspect.isclass(cls) and issubclass(cls, torch.optim.Optimizer)
    }
    known.pop("optimizer", None)
    if not isinstance(optimizer, str) or optimizer.lower() not in known:
        raise ValueError(
            f"optimizer={optimizer!r} is unknown. Expected one of "
            f"{', '.join(map(repr, sorted(known)))} or a torch.optim.Optimizer class."
            + did_you_mean(str(optimizer).lower(), known)
        )
    return known[optimizer.lower()]


def resolve_device(device: Any) -> torch.device:
    """Return a device; "auto" is CUDA where there is a GPU, else the CPU.

    Raises
    ------
    ValueError
        If there is no such device, or none that computes.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device={device!r} is unknown: {error}") from error
    if resolved.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"device={device!r}, but torch sees no CUDA GPU. Use device='auto' or 'cpu'."
        )
    if resolved.type == "meta":
        raise ValueError("device='meta' computes nothing. Use device='auto' or 'cpu'.")
    try:
        torch.empty(0, device=resolved)
    except (AssertionError, ImportError, NotImplementedError, RuntimeError) as error:
        raise ValueError(
            f"device={device!r} cannot be used here: {str(error).splitlines()[0]} "
            f"Use device='auto' or 'cpu'."
        ) from error
    return resolved


def available_device(device: Any) -> torch.device:
    """Return the nearest device that there is: the GPU, another GPU, or the CPU."""
    wanted = torch.device("cuda" if device == "auto" else device)
    if wanted.type != "cuda":
        return wanted
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return wanted if (wanted.index or 0) < torch.cuda.device_count() else torch.device("cuda")


def resolve_precision(precision: str, device: torch.device) -> torch.dtype | None:
    """Return the dtype of autocast, None for plain float32."""
    if precision == "auto":
        fast = device.type == "cuda" and torch.cuda.is_bf16_supported()
        return torch.bfloat16 if fast else None
    return torch.bfloat16 if precision == "bfloat16" else None


@contextlib.contextmanager
def deterministic_algorithms(wanted: bool) -> Iterator[None]:
    """Let torch use only algorithms that give the same result twice, for a while."""
    if not wanted:
        yield
        return
    # cuBLAS reads it when it is first used in the process.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    try:
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]


def optimizer_settings(
    optimizer: type[torch.optim.Optimizer], weight_decay: float, device: torch.device
) -> dict[str, Any]:
    """Return the keyword arguments that an optimizer takes, as skorch parameters."""
    accepted = inspect.signature(optimizer.__init__).parameters
    settings: dict[str, Any] = {}
    if "weight_decay" in accepted:
        settings["optimizer__weight_decay"] = weight_decay
    elif weight_decay:
        raise ValueError(
            f"{optimizer.__name__} has no weight decay. Set weight_decay=0, or use another "
            f"optimizer."
        )
    if optimizer is torch.optim.SGD:
        settings |= {"optimizer__momentum": 0.9, "optimizer__nesterov": True}
    if "fused" in accepted and device.type in ("cpu", "cuda"):
        settings["optimizer__fused"] = True
    return settings


def one_cycle(progress: float) -> float:
    """Return the share of the peak learning rate: up for a quarter, down as a cosine."""
    warm_up = 0.25
    if progress < warm_up:
        return 0.04 + 0.96 * progress / warm_up
    return cosine((progress - warm_up) / (1 - warm_up))


def cosine(progress: float) -> float:
    """Return the share of the initial learning rate, falling to 0 as a cosine."""
    return 0.5 * (1 + math.cos(math.pi * progress))


SCHEDULES: dict[str | None, Callable[[float], float] | None] = {
    "onecycle": one_cycle,
    "cosine": cosine,
    None: None,
}


def check_callbacks(callbacks: Any) -> None:
    """Raise a ValueError for what is no skorch callback."""
    for item in callbacks or []:
        callback = item[1] if isinstance(item, tuple) and len(item) == 2 else item
        if not isinstance(callback, Callback):
            hint = " Pass an instance: add ()." if isinstance(callback, type) else ""
            raise ValueError(
                f"callbacks holds {callback!r}. Expected skorch callbacks, or (name, callback) "
                f"pairs.{hint}"
            )


def check_net_params(net_params: Any) -> None:
    """Raise a ValueError for arguments of the net that the estimator sets itself."""
    for name in net_params or {}:
        if name in _OWN or name.startswith(("module__", "criterion__")):
            raise ValueError(
                f"net_params holds {name!r}, which the estimator sets itself. Use its own "
                f"parameters, such as lr, batch_size, callbacks, width or loss."
            )


_OWN = {
    "batch_size",
    "callbacks",
    "criterion",
    "device",
    "lr",
    "max_epochs",
    "module",
    "optimizer",
    "train_split",
    "verbose",
}


def user_callbacks(callbacks: Any) -> list[Any]:
    """Return copies of the user's callbacks: skorch changes what it is given."""
    copies = []
    for item in callbacks or []:
        name, callback = item if isinstance(item, tuple) else (None, item)
        if isinstance(callback, Callback):
            try:
                callback = clone(callback, safe=False)
            except TypeError:  # some callbacks take parameters under other names
                callback = copy.copy(callback)
        copies.append(callback if name is None else (name, callback))
    return copies


def fit_callbacks(estimator: Any) -> list[Any]:
    """Return the callbacks that an estimator's parameters ask for, fresh for this fit."""
    callbacks = user_callbacks(estimator.callbacks)
    if estimator.clip_norm is not None:
        callbacks.append(("clip_norm", GradientNormClipping(estimator.clip_norm)))
    if estimator.early_stopping:
        stop = EarlyStopping(
            "valid_loss", patience=estimator.n_iter_no_change, load_best=True, sink=_silent
        )
        callbacks.append(("early_stopping", stop))
    if estimator.verbose == 1:
        callbacks.append(("progress", EpochBar(type(estimator).__name__)))
    return callbacks


class EpochBar(Callback):  # type: ignore[misc]
    """A progress bar over the epochs of one fit."""

    def __init__(self, label: str) -> None:
        self.label = label

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self.bar_ = tqdm(total=net.max_epochs, unit="epoch", desc=self.label)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        row = net.history[-1]
        losses = {key: f"{row[key]:.4f}" for key in ("train_loss", "valid_loss") if key in row}
        self.bar_.set_postfix(losses, refresh=False)
        self.bar_.update()

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        self.bar_.close()
        del self.bar_


def _silent(*args: Any) -> None:
    pass
