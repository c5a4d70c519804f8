"""Parameters as JSON and back: numbers, arrays, containers, losses, and nothing that runs."""

from __future__ import annotations

import functools
import math
import re
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..._files import FileReader
from ..._utils.text import describe as shown
from ..._utils.text import unique_name
from ...losses import CompoundLoss, Loss, Penalty
from ...losses._core.names import LOSSES, registered_name
from ...losses._registry import parameter_defaults
from .._training.optimizers import resolve_optimizer

Node = Any  # what json.loads returns

# The only classes and functions that a file can name; everything else is passed in.
OWN_LOSSES: dict[str, type[Loss]] = {
    **LOSSES,
    "compound": CompoundLoss,
    "penalty": Penalty,
}
TORCH_LOSSES: dict[str, type[nn.Module]] = {
    name: getattr(nn, name) for name in nn.modules.loss.__all__ if hasattr(nn, name)
}
TORCH_FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    name: function
    for name, function in vars(functional).items()
    if name.endswith(("_loss", "cross_entropy", "_with_logits")) and not name.startswith("_")
}
_DTYPES = {
    name: getattr(torch, name)
    for name in (
        *("float64", "float32", "float16", "bfloat16", "uint8", "uint16"),
        *("int8", "int16", "int32", "int64", "bool"),
    )
}
# Numbers of up to 8 bytes, strings and objects.
_ARRAY_DTYPE = re.compile(r"[<>|=]?(?:b1|[iu][1248]|f[248]|U\d{1,6}|O)")


class CannotDescribe(ValueError):
    """A value that cannot be stored in a file; the message names it."""


class Names:
    """Names of values that a file cannot contain: the user's own losses and networks."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}

    def of(self, value: Any) -> str:
        """Return the registered name, or that of the class or function; unique for each object."""
        own = getattr(value, "__name__", type(value).__name__)
        others = [name for name, each in self.objects.items() if each is not value]
        name = unique_name(registered_name(value) or own, others)
        self.objects[name] = value
        return name


def describe(value: Any, names: Names | None = None) -> Node:
    """Return a value in a form that JSON can represent.

    Parameters
    ----------
    value : object
        None, a number, a string, a numpy array or number, a tensor, a path, a
        device, a torch optimizer class, a list, tuple or dict of these, a FileReader, or a loss
        or network.
    names : Names, default=None
        Collects the user's own losses and networks; None refuses them.

    Returns
    -------
    node : object
        Input for :func:`build`.

    Raises
    ------
    CannotDescribe
        If it is anything else.
    """
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"is": "float", "value": str(value)}
    if type(value) is list:
        return [describe(each, names) for each in value]
    if type(value) is tuple:
        return {"is": "tuple", "items": [describe(each, names) for each in value]}
    if type(value) is dict:
        items = [[describe(k, names), describe(v, names)] for k, v in value.items()]
        return {"is": "dict", "items": items}
    node = _describe_object(value)
    if node is None and names is not None:
        node = _describe_loss(value, names)
    if node is None:
        text = textwrap.shorten(shown(value), 60, placeholder="...")
        raise CannotDescribe(f"{text} of type {type(value).__name__}")
    return node


def _describe_object(value: Any) -> Node:
    if isinstance(value, np.generic | np.ndarray):
        array = np.asarray(value)
        if not _ARRAY_DTYPE.fullmatch(array.dtype.str):
            return None
        if isinstance(value, np.generic):
            return {"is": "number", "dtype": array.dtype.str, "value": describe(value.item())}
        values = [describe(each) for each in array.ravel().tolist()]
        return {"is": "array", "dtype": array.dtype.str, "shape": [*array.shape], "values": values}
    if isinstance(value, Tensor):
        dtype = str(value.dtype).removeprefix("torch.")
        if dtype not in _DTYPES:
            return None
        values = [describe(each) for each in value.detach().cpu().reshape(-1).tolist()]
        return {"is": "tensor", "dtype": dtype, "shape": [*value.shape], "values": values}
    if type(value) is FileReader:
        params = {name: describe(each) for name, each in value.get_params().items()}
        return {"is": "reader", "params": params}
    if isinstance(value, PurePath):
        return {"is": "path", "value": str(value)}
    if isinstance(value, torch.device):
        return {"is": "device", "value": str(value)}
    if isinstance(value, type) and value in vars(torch.optim).values():
        return {"is": "optimizer", "name": value.__name__}
    return None


def _describe_loss(value: Any, names: Names) -> Node:
    cls = type(value)
    if isinstance(value, Loss):
        params = {k: describe(v, names) for k, v in value.get_params(deep=False).items()}
        own = _key(OWN_LOSSES, cls)
        if own is not None:
            return {"is": "loss", "name": own, "params": params}
        return {"is": "own loss", "name": names.of(cls), "params": params}
    if cls in TORCH_LOSSES.values():
        defaults = parameter_defaults(cls)  # deprecated ones are not kept
        params = {k: describe(getattr(value, k)) for k in defaults if hasattr(value, k)}
        return {"is": "torch loss", "name": cls.__name__, "params": params}
    if isinstance(value, functools.partial):
        return {
            "is": "partial",
            "function": describe(value.func, names),
            "args": describe(list(value.args), names),
            "keywords": {k: describe(v, names) for k, v in value.keywords.items()},
        }
    for kind, table in _TABLES.items():
        name = _key(table, value)
        if name is not None:
            return {"is": kind, "name": name}
    if not callable(value):
        return None
    return {"is": "own", "name": names.of(value), "class": isinstance(value, type)}


_TABLES: dict[str, Mapping[str, Any]] = {
    "loss class": OWN_LOSSES,
    "torch loss class": TORCH_LOSSES,
    "torch function": TORCH_FUNCTIONS,
}


def _key(table: Mapping[str, Any], value: Any) -> str | None:
    return next((name for name, each in table.items() if each is value), None)


def build(node: Node, custom: Mapping[str, Any]) -> Any:
    """Rebuild the value that :func:`describe` described.

    Parameters
    ----------
    node : object
        From a file, so it may be anything.
    custom : dict of str to object
        The user's own losses and networks, by the names in the file.

    Raises
    ------
    Exception
        Of many kinds, if the node does not come from :func:`describe`.
    """
    if node is None or isinstance(node, (bool, int, float, str)):
        return node
    if isinstance(node, list):
        return [build(each, custom) for each in node]
    kind = node["is"]
    if kind not in _BUILDERS:
        raise ValueError(f"it holds a {kind!r}, which is unknown")
    return _BUILDERS[kind](node, custom)


def _build_dict(node: Node, custom: Mapping[str, Any]) -> dict[Any, Any]:
    return {build(key, custom): build(value, custom) for key, value in node["items"]}


def _build_number(node: Node, custom: Mapping[str, Any]) -> Any:
    return _array_dtype(node["dtype"]).type(build(node["value"], custom))


def _build_array(node: Node, custom: Mapping[str, Any]) -> np.ndarray:
    dtype, values = _array_dtype(node["dtype"]), build(node["values"], custom)
    if dtype.kind == "U":  # no wider than its strings, regardless of the file
        dtype = np.dtype(f"{dtype.byteorder}U{max(map(len, values), default=1)}")
    array = np.empty(len(values), dtype)
    for k, value in enumerate(values):
        array[k] = value
    return array.reshape(node["shape"])


def _build_tensor(node: Node, custom: Mapping[str, Any]) -> Tensor:
    values = torch.tensor(build(node["values"], custom), dtype=_DTYPES[node["dtype"]])
    return values.reshape(node["shape"])


def _build_own(node: Node, custom: Mapping[str, Any]) -> Any:
    name, value = node["name"], custom[node["name"]]
    if not callable(value) or isinstance(value, type) != node["class"]:
        needed = "a class" if node["class"] else "a function or an object"
        text = textwrap.shorten(shown(value), 60, placeholder="...")
        raise ValueError(
            f"custom[{name!r}] is {text}, but the file needs {needed}"
            + (f": pass {text}(...), as it was created for fit" * isinstance(value, type))
        )
    return value


def _build_own_loss(node: Node, custom: Mapping[str, Any]) -> Loss:
    name, cls = node["name"], custom[node["name"]]
    if not (isinstance(cls, type) and issubclass(cls, Loss)):
        raise ValueError(f"custom[{name!r}] is {shown(cls)}, but the file needs a loss class")
    return cls(**_build_params(node["params"], custom))


def _build_partial(node: Node, custom: Mapping[str, Any]) -> functools.partial[Any]:
    function = build(node["function"], custom)
    keywords = _build_params(node["keywords"], custom)
    return functools.partial(function, *build(node["args"], custom), **keywords)


def _build_params(params: Node, custom: Mapping[str, Any]) -> dict[str, Any]:
    return {name: build(value, custom) for name, value in params.items()}


def _array_dtype(text: str) -> np.dtype[Any]:
    if not _ARRAY_DTYPE.fullmatch(text):
        raise ValueError(f"it holds an array of dtype {text!r}, which is unknown")
    return np.dtype(text)


_BUILDERS: dict[str, Callable[[Node, Mapping[str, Any]], Any]] = {
    "float": lambda node, custom: float(node["value"]),
    "tuple": lambda node, custom: tuple(build(node["items"], custom)),
    "dict": _build_dict,
    "number": _build_number,
    "array": _build_array,
    "tensor": _build_tensor,
    "path": lambda node, custom: Path(node["value"]),
    "device": lambda node, custom: torch.device(node["value"]),
    "reader": lambda node, custom: FileReader(**_build_params(node["params"], custom)),
    "optimizer": lambda node, custom: resolve_optimizer(node["name"]),
    "loss": lambda node, custom: OWN_LOSSES[node["name"]](**_build_params(node["params"], custom)),
    "torch loss": lambda node, custom: TORCH_LOSSES[node["name"]](
        **_build_params(node["params"], custom)
    ),
    "loss class": lambda node, custom: OWN_LOSSES[node["name"]],
    "torch loss class": lambda node, custom: TORCH_LOSSES[node["name"]],
    "torch function": lambda node, custom: TORCH_FUNCTIONS[node["name"]],
    "partial": _build_partial,
    "own": _build_own,
    "own loss": _build_own_loss,
}
