"""The same work without our estimators: loops written by hand, and plain skorch."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy as np
import skorch
import torch
from skorch.callbacks import LRScheduler
from tasks import LR, WEIGHT_DECAY, Task
from torch import Tensor, nn


def train(
    task: Task,
    *,
    device: str = "cpu",
    memory_format: torch.memory_format = torch.channels_last,
    ahead: bool = True,
    bfloat16: bool = False,
    compiled: bool = False,
) -> nn.Module:
    """Train a network as one who knows PyTorch would write it.

    Parameters
    ----------
    task : Task
        What is trained.
    device : str, default="cpu"
        Where everything is.
    memory_format : torch.memory_format, default=torch.channels_last
        How weights and images lie in memory.
    ahead : bool, default=True
        Whether all images are scaled before training, which takes memory, or batch
        by batch.
    bfloat16 : bool, default=False
        Whether the network's arithmetic is in bfloat16.
    compiled : bool, default=False
        Whether network and loss are compiled.
    """
    images, targets = torch.from_numpy(task.X).to(device), task.targets().to(device)
    mean, scale = channel_scaling(images)
    if ahead:
        images = ((images.float() - mean) / scale).contiguous(memory_format=memory_format)
    network = task.network().to(device, memory_format=memory_format)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=LR, weight_decay=WEIGHT_DECAY, fused=True
    )

    def forward(x: Tensor, target: Tensor) -> Tensor:
        with torch.autocast(device, torch.bfloat16, enabled=bfloat16):
            logits = network(x)
        return task.loss(logits.float(), target)

    step = torch.compile(forward, mode="reduce-overhead") if compiled else forward
    n_batches = math.ceil(len(images) / task.batch_size)
    n_steps = task.epochs * n_batches
    for epoch in range(task.epochs):
        total = torch.zeros((), device=device)
        order = torch.randperm(len(images)).to(device)
        for k, index in enumerate(order.tensor_split(n_batches)):
            for group in optimizer.param_groups:
                group["lr"] = LR * one_cycle((epoch * n_batches + k) / n_steps)
            x = images[index]
            x = x if ahead else (x.float() - mean) / scale
            if compiled:
                torch.compiler.cudagraph_mark_step_begin()
            optimizer.zero_grad()
            loss = step(x, targets[index])
            loss.backward()
            optimizer.step()
            total += loss.detach()
        if not math.isfinite(total.item()):
            raise FloatingPointError(f"the loss became {total.item()}")
    return network


def channel_scaling(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation (1, C, 1, 1) of images, without a copy of all."""
    parts = images.split(256)
    axes = (0, 2, 3)
    n = images.numel() / images.shape[1]
    mean = sum((part.double().sum(axes, keepdim=True) for part in parts), torch.zeros(())) / n
    squares = ((part.double() - mean).square().sum(axes, keepdim=True) for part in parts)
    return mean.float(), (sum(squares, torch.zeros(())) / n).sqrt().float()


def one_cycle(progress: float) -> float:
    """Return the share of the highest learning rate, as our estimators have it."""
    if progress < 0.25:
        return 0.04 + 0.96 * progress / 0.25
    return 0.5 * (1 + math.cos(math.pi * (progress - 0.25) / 0.75))


def train_with_skorch(task: Task, *, device: str = "cpu") -> skorch.NeuralNet:
    """Train with skorch as its documentation does, on images that are scaled before."""
    images = torch.from_numpy(task.X)
    mean, scale = channel_scaling(images)
    n_steps = task.epochs * math.ceil(len(images) / task.batch_size)
    schedule = LRScheduler(
        torch.optim.lr_scheduler.LambdaLR,
        lr_lambda=lambda step: one_cycle(step / n_steps),
        step_every="batch",
    )
    net = skorch.NeuralNet(
        task.network,
        Criterion,
        criterion__loss=task.loss,
        optimizer=torch.optim.AdamW,
        optimizer__weight_decay=WEIGHT_DECAY,
        lr=LR,
        max_epochs=task.epochs,
        batch_size=task.batch_size,
        iterator_train__shuffle=True,
        train_split=None,
        callbacks=[schedule],
        device=device,
        verbose=0,
    )
    return net.fit(((images.float() - mean) / scale).numpy(), task.targets().numpy())


class Criterion(nn.Module):
    """A loss function as skorch takes it."""

    def __init__(self, loss: Any) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        value: Tensor = self.loss(logits, target)
        return value


def predict(
    network: nn.Module,
    X: np.ndarray,
    mean: Tensor,
    scale: Tensor,
    batch_size: int,
    *,
    bfloat16: bool = False,
) -> np.ndarray:
    """Return labels, in a loop without gradients."""
    device = next(network.parameters()).device
    images = torch.from_numpy(X)
    labels = []
    network.eval()
    autocast = torch.autocast(device.type, torch.bfloat16) if bfloat16 else contextlib.nullcontext()
    with torch.no_grad(), autocast:
        for batch in images.split(batch_size):
            logits = network((batch.to(device).float() - mean) / scale)
            labels.append(logits.argmax(1) if logits.ndim == 2 else logits[:, 0] > 0)
    return torch.cat(labels).cpu().numpy()
