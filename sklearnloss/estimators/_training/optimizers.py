"""Devices, optimizers and schedules by name, and arguments of the net."""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
import os
from collections.abc import Callable, Iterator
from typing import Any

import torch

from ..._utils.text import did_you_mean


def resolve_optimizer(optimizer: Any) -> type[torch.optim.Optimizer]:
    """Return an optimizer class.

    Parameters
    ----------
    optimizer : str, class, or functools.partial of a class
        A name in torch.optim, case-insensitive; a torch optimizer class; or such a class
        with some of its arguments.

    Raises
    ------
    ValueError
        If the name is unknown, the optimizer cannot train a convolutional network, or
        its arguments are invalid.
    """
    if isinstance(optimizer, functools.partial):
        _check_arguments(optimizer)
        optimizer = optimizer.func
    known = {
        name.lower(): cls
        for name, cls in vars(torch.optim).items()
        if inspect.isclass(cls) and issubclass(cls, torch.optim.Optimizer)
    }
    del known["optimizer"]
    cls: Any = known.get(optimizer.lower()) if isinstance(optimizer, str) else optimizer
    usable = sorted(name for name, each in known.items() if each.__name__ not in _UNUSABLE)
    is_class = isinstance(cls, type) and issubclass(cls, torch.optim.Optimizer)
    if not is_class or cls is torch.optim.Optimizer:
        raise ValueError(
            f"optimizer={optimizer!r} is unknown. Expected one of "
            f"{', '.join(map(repr, usable))} or a torch.optim.Optimizer class."
            + did_you_mean(str(optimizer).lower(), usable)
        )
    for unusable, why in _UNUSABLE.items():
        if issubclass(cls, getattr(torch.optim, unusable, ())):
            raise ValueError(
                f"optimizer={optimizer!r} cannot train this network: {unusable} {why}. Expected "
                f"one of {', '.join(map(repr, usable))}."
            )
    chosen: type[torch.optim.Optimizer] = cls
    return chosen


# Optimizers that cannot train any convolutional network.
_UNUSABLE = {
    "Muon": "takes only matrices, but convolutions have kernels and biases",
    "SparseAdam": "needs sparse gradients, but those of convolutions are dense",
}


def _check_arguments(optimizer: functools.partial[Any]) -> None:
    """Raise an error for arguments of a partial optimizer that the estimator sets itself."""
    own = [name for name in ("lr", "params", "weight_decay") if name in optimizer.keywords]
    if optimizer.args or own:
        given = ", ".join([*map(repr, optimizer.args), *own])
        raise ValueError(
            f"optimizer={optimizer!r} sets {given}. Bind only other arguments, by name, "
            f"and set lr and weight_decay on the estimator."
        )


def resolve_device(device: Any) -> torch.device:
    """Return a device; "auto" is CUDA if a GPU is available, otherwise the CPU.

    Raises
    ------
    ValueError
        If the device does not exist, or cannot be used for computation.
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
    """Return the best available device: the requested one, another GPU, or the CPU.

    Raises
    ------
    RuntimeError
        If the device name is invalid.
    """
    wanted = torch.device("cuda" if device == "auto" else device)
    if wanted.type == "cuda" and torch.cuda.is_available():
        return wanted if (wanted.index or 0) < torch.cuda.device_count() else torch.device("cuda")
    try:
        return resolve_device(wanted)
    except ValueError:
        return torch.device("cpu")


def resolve_precision(precision: str, device: torch.device) -> torch.dtype | None:
    """Return the dtype of autocast, None for plain float32."""
    if precision == "auto":
        fast = device.type == "cuda" and torch.cuda.is_bf16_supported()
        return torch.bfloat16 if fast else None
    return torch.bfloat16 if precision == "bfloat16" else None


@contextlib.contextmanager
def deterministic_algorithms(wanted: bool) -> Iterator[None]:
    """Restrict torch to deterministic algorithms temporarily."""
    if not wanted:
        yield
        return
    # cuBLAS reads it at its first use in the process.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    try:
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=warn_only)
        torch.backends.cudnn.benchmark = before[1]


def optimizer_settings(estimator: Any, device: torch.device) -> dict[str, Any]:
    """Return the arguments of an estimator's optimizer, as skorch parameters.

    Those in ``net_params`` take precedence over those that were bound to the class.
    """
    optimizer = resolve_optimizer(estimator.optimizer)
    bound = getattr(estimator.optimizer, "keywords", None)
    given = {f"optimizer__{name}": value for name, value in (bound or {}).items()}
    for name, value in (estimator.net_params or {}).items():
        if name.startswith("optimizer__"):
            given[name] = value
    settings = _default_settings(optimizer, estimator.weight_decay, device)
    if bound is not None or not given.get("optimizer__momentum", True):
        for name in ("optimizer__momentum", "optimizer__nesterov"):
            settings.pop(name, None)
    if given.get("optimizer__foreach") or given.get("optimizer__differentiable"):
        settings.pop("optimizer__fused", None)
    return {**settings, **given}


def _default_settings(
    optimizer: type[torch.optim.Optimizer], weight_decay: float, device: torch.device
) -> dict[str, Any]:
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
    """Return the fraction of the peak learning rate: up for a quarter, down as a cosine."""
    warm_up = 0.25
    if progress < warm_up:
        return 0.04 + 0.96 * progress / warm_up
    return cosine((progress - warm_up) / (1 - warm_up))


def cosine(progress: float) -> float:
    """Return the fraction of the initial learning rate, falling to 0 as a cosine."""
    return 0.5 * (1 + math.cos(math.pi * progress))


SCHEDULES: dict[str | None, Callable[[float], float] | None] = {
    "onecycle": one_cycle,
    "cosine": cosine,
    None: None,
}


def check_net_params(net_params: Any, optimizer: type[torch.optim.Optimizer] | None = None) -> None:
    """Raise a ValueError for arguments of the net that are invalid or have no effect.

    Parameters
    ----------
    net_params : dict or None
        The estimator's parameter.
    optimizer : type, default=None
        The optimizer that arguments are for.
    """
    for name, value in (net_params or {}).items():
        head, _, rest = str(name).partition("__")
        if head == "optimizer" and rest:
            _check_optimizer_argument(rest, optimizer)
        elif head == "callbacks" and rest:
            continue  # their names are known later
        elif name == "use_caching":
            if value not in ("auto", True, False):
                raise ValueError(f"net_params holds use_caching={value!r}. Expected True or False.")
        elif name != "torch_load_kwargs":
            raise ValueError(f"net_params holds {name!r}{_why_not(str(name))}")


def _check_optimizer_argument(name: str, optimizer: type[torch.optim.Optimizer] | None) -> None:
    if name in ("lr", "weight_decay"):
        raise ValueError(
            f"net_params holds 'optimizer__{name}', which the estimator sets itself. Use {name}=."
        )
    if optimizer is None or name == "param_groups":
        return
    accepted = inspect.signature(optimizer.__init__).parameters
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in accepted.values()):
        return
    names = [key for key in accepted if key not in ("self", "params", "lr", "weight_decay")]
    if name not in names:
        raise ValueError(
            f"net_params holds 'optimizer__{name}', but {optimizer.__name__} has no argument "
            f"{name!r}. Expected one of {', '.join(map(repr, names))}.{did_you_mean(name, names)}"
        )


def _why_not(name: str) -> str:
    """Return why an argument of the net is rejected, and the alternative."""
    head = name.partition("__")[0]
    if head in _REFUSED:
        return _REFUSED[head]
    if head in _OWN:
        return (
            ", which the estimator sets itself. Use its own parameters, such as lr, batch_size, "
            "callbacks, width or loss."
        )
    valid = ["optimizer__betas", "optimizer__param_groups", "use_caching", "torch_load_kwargs"]
    return (
        f", which is unknown. Expected optimizer__<argument>, callbacks__<name>, "
        f"callbacks__<name>__<parameter>, use_caching or torch_load_kwargs."
        f"{did_you_mean(name, valid)}"
    )


_OWN = {
    *("batch_size", "callbacks", "compile", "criterion", "device", "lr", "max_epochs", "module"),
    *("optimizer", "verbose", "warm_start"),
}
_BATCHES = (
    ", which has no effect: batches are sliced from whole tensors, without a DataLoader. Their "
    "size is batch_size; data larger than memory may be lists of files or a torch Dataset as X."
)
_REFUSED = {
    "iterator_train": _BATCHES,
    "iterator_valid": _BATCHES,
    "dataset": ", which has no effect. X may be a torch Dataset.",
    "predict_nonlinearity": (
        ", which has no effect: predict_proba returns probabilities for every loss."
    ),
    "train_split": (
        ". Validation data are held out by early_stopping=True and validation_fraction. For data "
        "of your own, score them after each epoch in a callback, by net.predict(X)."
    ),
}
