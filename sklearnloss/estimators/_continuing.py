"""Training that goes on: what was changed since the last call reaches the net."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ._net import LossNet, Objective
from ._training import (
    fit_callbacks,
    optimizer_settings,
    resolve_device,
    resolve_optimizer,
    resolve_precision,
)

if TYPE_CHECKING:
    from ._base import ImageEstimator


def update_net(estimator: ImageEstimator) -> None:
    """Hand parameters that were changed since the last call to the estimator's net."""
    net = estimator.net_
    device = resolve_device(estimator.device)
    if device != torch.device(net.device):
        _move(net, device)
    net.max_epochs, net.batch_size = estimator.max_epochs, estimator.batch_size
    net.verbose = int(estimator.verbose > 1)
    net.autocast_ = resolve_precision(estimator.precision, torch.device(net.device))
    net.compile_ = estimator.compile
    net.callbacks = fit_callbacks(estimator)
    net.initialize_callbacks()
    learnt = _update_loss(estimator, net)
    if learnt or type(net.optimizer_) is not resolve_optimizer(estimator.optimizer):
        _renew_optimizer(estimator, net)
    else:
        _update_optimizer(estimator, net)
    net.lr, net.weight_decay_ = estimator.lr, estimator.weight_decay


def _move(net: LossNet, device: torch.device) -> None:
    """Bring the network, the loss and the optimizer's state to another device."""
    state = net.optimizer_.state_dict()
    net.device = str(device)
    net.module_.to(device)
    net.criterion_.to(device)
    net.initialize_optimizer()
    net.optimizer_.load_state_dict(state)


def _update_loss(estimator: ImageEstimator, net: LossNet) -> bool:
    """Exchange the loss; return whether the old or the new one has parameters to learn."""
    old = net.criterion_
    if old.loss is estimator.loss_:
        return False
    net.criterion_ = Objective(estimator.loss_, old.masks).to(net.device)
    return any(True for loss in (old, net.criterion_) for _ in loss.parameters())


def _update_optimizer(estimator: ImageEstimator, net: LossNet) -> None:
    for group in net.optimizer_.param_groups:
        if group["lr"] == net.lr:  # others were chosen through net_params
            group["lr"] = estimator.lr
        if group.get("weight_decay") == net.weight_decay_:
            group["weight_decay"] = estimator.weight_decay


def _renew_optimizer(estimator: ImageEstimator, net: LossNet) -> None:
    optimizer = resolve_optimizer(estimator.optimizer)
    for name in [name for name in vars(net) if name.startswith("optimizer__")]:
        delattr(net, name)
    settings = optimizer_settings(optimizer, estimator.weight_decay, torch.device(net.device))
    for name, value in (estimator.net_params or {}).items():
        if name.startswith("optimizer__"):
            settings[name] = value
    net.__dict__.update(optimizer=optimizer, lr=estimator.lr, **settings)
    net.initialize_optimizer()
