"""The forward pass of training: network and loss, compiled on request."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ...networks._adapt.adapted import all_outputs
from .._data.dataset import TrainingData
from .output_weights import OutputsLoss

Forward = Callable[..., tuple[Tensor, Tensor]]


def make_forward(net: Any, data: TrainingData) -> Forward:
    """Return a function from images, codes and weights to logits and the loss.

    Parameters
    ----------
    net : LossNet
        The net with the network and the loss.
    data : TrainingData
        The training data.
    """
    module, criterion, dtype = net.module_, net.criterion_, net.autocast_

    weights = net.output_weights_

    def score(x: Tensor, module: nn.Module = module) -> list[Tensor]:
        with torch.autocast(x.device.type, dtype, enabled=dtype is not None):
            outputs = all_outputs(module, x)
        return [scores.contiguous() for scores in outputs]  # losses may use view()

    loss_of = OutputsLoss(criterion, weights)

    def forward(x: Tensor, codes: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
        outputs = score(x)
        return outputs[0], loss_of(outputs, codes, weight)

    def seeded_forward(x: Tensor, codes: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
        outputs = score(x, net.module_)  # a callback may have replaced either
        now = loss_of if net.criterion_ is criterion else OutputsLoss(net.criterion_, weights)
        with net.random_numbers():  # networks draw none, and may run in parallel threads
            return outputs[0], now(outputs, codes, weight)

    if not net.compile_:
        return seeded_forward
    # Batches have one of two sizes; each gets its own code and, on a GPU, its own graph.
    compiled = torch.compile(
        forward,
        dynamic=False if data.sizes is None else None,
        mode="reduce-overhead" if torch.device(net.device).type == "cuda" else None,
    )

    def seeded_compiled(*batch: Any) -> tuple[Tensor, Tensor]:
        with net.random_numbers():
            value: tuple[Tensor, Tensor] = compiled(*batch)
        return value

    return seeded_compiled


@contextlib.contextmanager
def explain_norm_error(x: Tensor) -> Iterator[None]:
    """Explain why a network cannot normalize images (n, C, *spatial) in training."""
    try:
        yield
    except ValueError as error:
        if "Expected more than 1" not in str(error):  # value per channel, spatial element
            raise
        size = " x ".join(map(str, x.shape[2:]))
        raise ValueError(
            f"The network reduces images of {size} pixels so much that there is nothing left to "
            f"normalize in a batch of {len(x)}: {error}. Use norm='group' if the network has it, a "
            f"smaller depth, larger images, or at least 2 images per size and a batch_size above 1."
        ) from error
