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

from ...networks import ResNet, UNet
from ...networks._adapt.layers import adapt_kernel, convolutions
from .file_format import KEY, NETWORK
from .weight_layers import COUNTER, Part, find_part, shapes, skip_heads

_TORCH_FILES = (".pt", ".pth", ".bin", ".ckpt")
# Keys of the state dict in checkpoints, and prefixes that wrappers add to its names.
_INSIDE = ("state_dict", "model_state_dict", "model")
_PREFIXES = ("module.", "_orig_mod.")
# Maximum number of names of each kind in an error.
_LISTED = 8


def read_weights(weights: Any) -> dict[str, Tensor]:
    """Return the state dict from a file, a mapping or a module.

    Parameters
    ----------
    weights : str, path-like, mapping or nn.Module
        A .safetensors file, a file from ``torch.save``, of which only tensors are read,
        a mapping from names to tensors, or a network.

    Returns
    -------
    state : dict of str to Tensor
        On the CPU if it comes from a file.

    Raises
    ------
    ValueError
        If it contains no state dict.
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
                f"weights hold {_kind(value)} under {name!r}. Expected names and tensors, as from "
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
        # For a file that an estimator's save wrote, only the network.
        prefix = NETWORK if KEY in (file.metadata() or {}) else ""
        return {
            name.removeprefix(prefix): file.get_tensor(name).clone()
            for name in names
            if name.startswith(prefix)
        }


def first_kernel(weights: Mapping[str, Tensor]) -> list[int]:
    """Return the size of the first kernel in a ResNet's weights, an empty list if it has none."""
    names = [name for name in weights if f".{name}".endswith(".conv1.weight")]
    first = min(names, key=lambda name: name.count("."), default=None)
    return [] if first is None else [*weights[first].shape[2:]]


def load_weights(module: nn.Module, weights: Any, n_outputs: int | None = None) -> None:
    """Initialize a network with weights, which may be from another task or for its encoder only.

    Kernels that are applied to the images are adapted to the number of channels: summed
    over them for one channel, otherwise repeated and rescaled, so that equal channels
    give the same result as before. Layers with one output per class keep their random
    weights if the classes differ or are missing, and so does the first convolution if
    its kernel size differs. A warning lists unused weights.

    Parameters
    ----------
    module : nn.Module
        Changed in place.
    weights : str, path-like, mapping or nn.Module
        As for :func:`read_weights`; not changed.
    n_outputs : int, default=None
        Number of scores of the network; by default that of its last layer.

    Raises
    ------
    ValueError
        If anything else differs; the message lists it.
    """
    expected = module.state_dict()
    part = _fitting_part(module, read_weights(weights))
    given, skipped = part.given, list(part.skipped)
    if part.prefix:
        expected = {k: v for k, v in expected.items() if k.startswith(part.prefix)}
    skipped += _adapt_first(module, given, expected)
    if not part.prefix:
        first = next(convolutions(module), next(iter(expected)).rpartition(".")[0])
        n_outputs = n_outputs or len(list(module.parameters())[-1])
        skipped += skip_heads(given, expected, n_outputs, first)
    for name, value in expected.items():
        if name.endswith(COUNTER):  # old checkpoints lack it
            given.setdefault(name, value)
    _check_fit(module, given, expected)
    module.load_state_dict({**module.state_dict(), **given})
    if skipped:
        warnings.warn(
            f"Not all weights are used; these layers start at random: {'; '.join(skipped)}.",
            UserWarning,
            stacklevel=2,
        )


def _fitting_part(module: nn.Module, given: dict[str, Tensor]) -> Part:
    """Return the part that weights are for; a prefix of all names (such as "net.") is removed."""
    part = find_part(module, given)
    prefix = next(iter(given)).partition(".")[0] + "."
    own = module.state_dict()
    if part.prefix or any(name in own or not name.startswith(prefix) for name in given):
        return part
    return _fitting_part(module, {k.removeprefix(prefix): v for k, v in given.items()})


def _adapt_first(
    module: nn.Module, given: dict[str, Tensor], expected: Mapping[str, Tensor]
) -> list[str]:
    """Adapt the kernels applied to the images; return the one that keeps its random weights."""
    first = f"{next(convolutions(module), '')}.weight"
    if first not in given or first not in expected:
        return []
    theirs, own = given[first], expected[first]
    if theirs.ndim != own.ndim:
        return []
    n_given, n_wanted = theirs.shape[1], own.shape[1]
    for name in convolutions(module):  # a shortcut may also be applied to the images
        kernel = given.get(f"{name}.weight")
        if kernel is not None and n_given != n_wanted and kernel.ndim == own.ndim:
            value = expected[f"{name}.weight"]
            if (kernel.shape[1], value.shape[1]) == (n_given, n_wanted):
                given[f"{name}.weight"] = adapt_kernel(kernel, n_wanted)
    kernel = given[first]
    if kernel.shape == own.shape or kernel.shape[:2] != own.shape[:2]:
        return []
    given[first] = own
    return [f"{first} has {shapes(kernel, own)}"]


def _check_fit(
    module: nn.Module, given: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> None:
    problems = {
        "missing": [name for name in expected if name not in given],
        "unknown": [name for name in given if name not in expected],
        "of another shape": [
            f"{name} ({shapes(given[name], value)})"
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
            f"{_hint(module, given, expected)}"
        )


def _hint(module: nn.Module, given: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str:
    """Say which part of the weights fits, or which width they have, if it differs."""
    name = next(iter(expected))
    prefixes = [each.removesuffix(name) for each in given if each.endswith(f".{name}")]
    if name not in given and prefixes:
        return f" Pass only those whose names begin with {prefixes[0]!r}, without this prefix."
    if not isinstance(module, ResNet | UNet):
        return ""
    theirs = given.get(name)
    if theirs is None or len(theirs.shape) == 0 or len(theirs) == len(expected[name]):
        return " Set depth to that of the weights, if it differs."
    return f" Their first layer has {len(theirs)} channels: set width={len(theirs)}."


def _kind(value: Any) -> str:
    return f"an object of type {type(value).__name__}"
