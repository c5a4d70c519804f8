"""Weights in half precision: half the size of a file, where nothing that matters is lost."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from .file_format import NETWORK

#: The largest number in half precision.
_LARGEST = 65504.0


def round_weights(module: torch.nn.Module) -> None:
    """Round the weights of a network to half precision, and keep them in single precision.

    Vectors, such as biases and the statistics of norms, are few and stay as they are: a
    variance may be too large or too small for half precision. So do numbers that are too large.
    """
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if _is_matrix(tensor) and tensor.abs().max() <= _LARGEST:
                tensor.copy_(tensor.half().float())


def halve(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Store tensors of a network in half precision, if they lose nothing by it.

    Parameters
    ----------
    tensors : dict of str to Tensor
        The tensors of a file.

    Returns
    -------
    tensors : dict of str to Tensor
        Those of networks that were rounded before are in half precision.
    names : list of str
        The names of these.
    """
    halved = dict(tensors)
    for name, tensor in tensors.items():
        if (
            name.startswith(NETWORK)
            and _is_matrix(tensor)
            and torch.equal(tensor.half().float(), tensor)
        ):
            halved[name] = tensor.half()
    return halved, [name for name in tensors if halved[name] is not tensors[name]]


def restore_halves(tensors: Mapping[str, Tensor], names: list[str]) -> dict[str, Tensor]:
    """Return tensors in single precision.

    Raises
    ------
    ValueError
        If one of the names is of no tensor in half precision.
    """
    wrong = [n for n in names if n not in tensors or tensors[n].dtype != torch.float16]
    if wrong:
        raise ValueError(f"it holds no {wrong[0]!r} in half precision")
    return {**tensors, **{name: tensors[name].float() for name in names}}


def _is_matrix(tensor: Tensor) -> bool:
    return tensor.dtype == torch.float32 and tensor.ndim > 1 and tensor.numel() > 0
