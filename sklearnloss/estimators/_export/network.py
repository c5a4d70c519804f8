"""Torch's export of the network alone, for images of the sizes that it accepts."""

from __future__ import annotations

import contextlib
import copy
import io
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..._predict.onnx_file import MOST_BYTES
from ..._utils.text import shorten
from ...networks._adapt.adapted import AdaptedNetwork, inner_network
from ...networks._adapt.interface import as_network

#: The names of the network's input and output in the graph.
INPUT, OUTPUT = "network_input", "network_scores"
_LEAST = 32  # the smallest side of the images that torch traces the network with


@dataclass
class Exported:
    """An exported network, and the sizes that it accepts.

    Attributes
    ----------
    proto : onnx.ModelProto
        From ``INPUT``, scaled images, to ``OUTPUT``, scores.
    module : nn.Module
        The network on the CPU, for images of any size, to compare the file with.
    multiple, least : int
        Images are padded so that their sides are multiples, and not below ``least``.
    only_size : tuple of int or None
        Images are padded to this size, which is the only one.
    """

    proto: Any
    module: nn.Module
    multiple: int = 1
    least: int = 1
    only_size: tuple[int, ...] | None = None


class _GivenSizes:
    """Images have been padded already."""

    fixed = None

    def enlarged(self, spatial: Iterable[int]) -> tuple[int, ...]:
        """Return the size unchanged."""
        return tuple(spatial)


def export_network(model: Any) -> Exported:
    """Export the network of a fitted estimator.

    Raises
    ------
    ImportError
        If onnx or onnxscript is not installed.
    ValueError
        If torch cannot export it, or it is too large.
    """
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError(f"export needs {error.name}: pip install 'sklearnloss[onnx]'") from error
    module = getattr(model.net_.module_, "_orig_mod", model.net_.module_)
    _check_bytes(module)
    module = copy.deepcopy(module).cpu().float().eval()
    exported = Exported(None, module)
    inner = copy.deepcopy(module)
    if model._reads_masks:
        if isinstance(module, AdaptedNetwork):
            exported.multiple, exported.least = module.sizes.multiple, module.sizes.least
            exported.only_size = module.sizes.fixed
            inner.sizes = _GivenSizes()
        else:
            exported.multiple = exported.least = as_network(module).multiple
        shape, dims = _sizes(exported, len(model.input_shape_) - 1)
    else:
        shape, dims = tuple(model.input_shape_[1:]), {}
    dims = {0: torch.export.Dim("n"), **dims}
    example = torch.randn(2, model.input_shape_[0], *shape)
    exported.proto = _export(inner, example, dims, _name(model, module))
    return exported


def _sizes(exported: Exported, n_axes: int) -> tuple[tuple[int, ...], dict[int, Any]]:
    """Return the size of an example, different along each axis, and what may vary of it."""
    if exported.only_size is not None:
        return exported.only_size, {}
    m = exported.multiple
    k = max(2, -(-max(exported.least, _LEAST) // m))
    names = [torch.export.Dim(f"_side{axis}") for axis in range(n_axes)]
    dims = {2 + axis: m * name if m > 1 else name for axis, name in enumerate(names)}
    return tuple(m * (k + 2 * axis) for axis in range(n_axes)), dims


def _export(module: nn.Module, example: Tensor, dims: dict[int, Any], name: str) -> Any:
    try:
        output = io.StringIO()  # torch prints the network when it fails
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(output),
            torch.no_grad(),
        ):
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module,
                (example,),
                dynamo=True,
                dynamic_shapes=(dims,),
                input_names=[INPUT],
                output_names=[OUTPUT],
                verbose=False,
            )
        assert program is not None
        return program.model_proto
    except Exception as error:  # anything may be raised
        raise ValueError(
            f"The network {name} cannot be exported to ONNX by torch {torch.__version__}. Use "
            f"save, or another network. The reason: {_reason(error)}"
        ) from error


def _reason(error: Exception) -> str:
    """Return the first cause of an error; torch's own text is pages long."""
    while error.__cause__ is not None and isinstance(error.__cause__, Exception):
        error = error.__cause__
    return shorten(f"{type(error).__name__}: {error}", 300)


def _name(model: Any, module: nn.Module) -> str:
    network = getattr(model, "network", None)
    return repr(network) if isinstance(network, str) else type(inner_network(module)).__name__


def _check_bytes(module: nn.Module) -> None:
    n_bytes = 4 * sum(each.numel() for each in [*module.parameters(), *module.buffers()])
    if n_bytes > MOST_BYTES:
        raise ValueError(
            f"The network has {n_bytes / 2**30:.1f} GB of weights, but an ONNX file cannot be "
            f"larger than 2 GB. Use save, or a smaller network."
        )
