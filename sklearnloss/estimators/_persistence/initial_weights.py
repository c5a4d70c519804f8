"""Initial weights of a network, from a file or a state dict."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from .file_format import KEY, NETWORK

_TORCH_FILES = (".pt", ".pth", ".bin", ".ckpt")
# Where checkpoints keep the state dict, and what wrappers put before its names.
_INSIDE = ("state_dict", "model_state_dict", "model")
_PREFIXES = ("module.", "_orig_mod.")
# How many names of a kind an error lists.
_LISTED = 8


def read_weights(weights: Any) -> dict[str, Tensor]:
    """Return a state dict from whatever holds one.

    Parameters
    ----------
    weights : str, path-like, mapping or nn.Module
        A .safetensors file, a file of ``torch.save``, of which nothing but tensors
        is read, a mapping from names to tensors, or a network that has one.

    Returns
    -------
    state : dict of str to Tensor
        On the CPU where it comes from a file.

    Raises
    ------
    ValueError
        If there is no state dict in it.
    """
    state = _read_file(Path(weights)) if isinstance(weights, (str, os.PathLike)) else weights
    state = state.state_dict() if hasattr(state, "state_dict") else state
    for key in _INSIDE:
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    if not isinstance(state, Mapping) or not state:
        raise ValueError(f"weights hold {_kind(state)}. Expected names and tensors.")
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, (Tensor, np.ndarray)):
            raise ValueError(
                f"weights hold {_kind(value)} under {name!r}. Expected names and tensors, as of "
                f"module.state_dict()."
            )
    tensors = {name: torch.as_tensor(value).detach() for name, value in state.items()}
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
    return tensors


def _read_file(path: Path) -> Any:
    if path.suffix == ".safetensors":
        try:
            return _read_safetensors(path)
        except SafetensorError as error:
            message = f"weights={str(path)!r} is not a safetensors file: {error}."
            raise ValueError(message) from error
    if path.suffix not in _TORCH_FILES:
        raise ValueError(
            f"weights={str(path)!r} is of an unknown kind. Expected a file that ends in "
            f".safetensors, {', '.join(_TORCH_FILES)}."
        )
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # torch raises many kinds
        raise ValueError(
            f"weights={str(path)!r} holds more than tensors, or is damaged. Expected what "
            f"torch.save(module.state_dict(), ...) writes."
        ) from error


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    with safe_open(path, "pt") as file:
        names = list(file.keys())
        # Of a file that an estimator's save wrote, the network.
        prefix = NETWORK if KEY in (file.metadata() or {}) else ""
        return {
            name.removeprefix(prefix): file.get_tensor(name).clone()
            for name in names
            if name.startswith(prefix)
        }


def load_weights(module: nn.Module, weights: Any) -> None:
    """Start a network from weights that may be of another task.

    The first convolution is adapted to the number of channels: summed over them
    for one channel, otherwise repeated and rescaled, so that equal channels give
    what they gave before. The last layer keeps its random weights if it has
    another number of classes or there is none, and the first if its kernel has
    another size; a warning says so.

    Parameters
    ----------
    module : nn.Module
        Is changed; its first parameter belongs to the first convolution, its last
        to the last layer.
    weights : str, path-like, mapping or nn.Module
        As for :func:`read_weights`; is not changed.

    Raises
    ------
    ValueError
        If anything else differs; it lists what.
    """
    expected = module.state_dict()
    given = _without_prefix(read_weights(weights), expected)
    names = [name for name, _ in module.named_parameters()]
    first, head = names[0], names[-1].rpartition(".")[0] + "."
    skipped = _skip_head(given, expected, head)
    if first in given:
        given[first] = _adapt_channels(given[first], expected[first].shape)
        if _differ_in_kernel(given[first], expected[first]):
            skipped.append(f"{first} has {_shapes(given[first], expected[first])}")
            given[first] = expected[first]
    for name, value in expected.items():
        if name.endswith("num_batches_tracked"):  # old checkpoints lack it
            given.setdefault(name, value)
    _check_fit(module, given, expected)
    module.load_state_dict(given)
    if skipped:
        warnings.warn(
            f"Not all of weights are used; these layers start at random: {'; '.join(skipped)}.",
            UserWarning,
            stacklevel=2,
        )


def _without_prefix(given: dict[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Remove what all names begin with ("net.", say), if no name fits with it."""
    prefix = next(iter(given)).partition(".")[0] + "."
    if any(name in expected or not name.startswith(prefix) for name in given):
        return given
    return _without_prefix({k.removeprefix(prefix): v for k, v in given.items()}, expected)


def _skip_head(given: dict[str, Tensor], expected: dict[str, Tensor], head: str) -> list[str]:
    """Put the network's own last layer in place of one for other classes."""
    own = {name: value for name, value in expected.items() if name.startswith(head)}
    theirs = [name for name in given if name.startswith(head)]
    if all(name in given and given[name].shape == value.shape for name, value in own.items()):
        return []
    weight = f"{head}weight"
    fits = weight in given and given[weight].shape[1:] == own[weight].shape[1:]
    if theirs and not fits:  # it is not the number of classes that differs
        return []
    for name in theirs:
        del given[name]
    given |= own
    n_classes = len(own[weight])
    why = "other classes than these" if theirs else "no such layer"
    return [f"{head.rstrip('.')} ({n_classes} outputs; weights have {why})"]


def _adapt_channels(kernel: Tensor, shape: torch.Size) -> Tensor:
    """Return a kernel (out, in, *size) for another number of channels."""
    if kernel.ndim != len(shape) or kernel.shape[1] == shape[1] or not kernel.is_floating_point():
        return kernel
    n_given, n_wanted = kernel.shape[1], shape[1]
    if n_wanted == 1:
        return kernel.sum(1, keepdim=True)
    index = torch.arange(n_wanted, device=kernel.device) % n_given
    return kernel[:, index] * (n_given / n_wanted)


def _differ_in_kernel(given: Tensor, expected: Tensor) -> bool:
    """Return whether kernels differ in their size, and in nothing else."""
    return given.shape[:2] == expected.shape[:2] and (
        given.ndim == expected.ndim and given.shape != expected.shape
    )


def _check_fit(
    module: nn.Module, given: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> None:
    problems = {
        "missing": [name for name in expected if name not in given],
        "unknown": [name for name in given if name not in expected],
        "of another shape": [
            f"{name} ({_shapes(given[name], value)})"
            for name, value in expected.items()
            if name in given and given[name].shape != value.shape
        ],
    }
    listed = [
        f"{len(found)} tensor{' is' if len(found) == 1 else 's are'} {kind}: "
        f"{', '.join(found[:_LISTED])}{', ...' * (len(found) > _LISTED)}"
        for kind, found in problems.items()
        if found
    ]
    if listed:
        raise ValueError(
            f"weights do not fit this {type(module).__name__}: {'; '.join(listed)}."
            f"{_hint(given, expected)}"
        )


def _hint(given: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str:
    """Say which part of weights fits, or which width they have, if it is not the network's."""
    name = next(iter(expected))
    prefixes = [each.removesuffix(name) for each in given if each.endswith(f".{name}")]
    if name not in given and prefixes:
        return f" Pass those alone whose names begin with {prefixes[0]!r}, without that."
    theirs = given.get(name)
    if theirs is None or len(theirs.shape) == 0 or len(theirs) == len(expected[name]):
        return " Set depth to that of the weights, if it differs."
    return f" Their first layer has {len(theirs)} channels: set width={len(theirs)}."


def _shapes(given: Tensor, expected: Tensor) -> str:
    return f"{tuple(given.shape)} instead of {tuple(expected.shape)}"


def _kind(value: Any) -> str:
    return f"an object of type {type(value).__name__}"
