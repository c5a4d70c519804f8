"""Training that goes on: what was changed since the last call reaches the net."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ._layout import lay_out
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


def check_unchanged(estimator: ImageEstimator) -> None:
    """Raise if a parameter was changed that a network has from its first training.

    Raises
    ------
    ValueError
        Names the parameter.
    """
    net = estimator.net_
    _, arguments = estimator._network(net.n_channels_)
    fitted: dict[str, Any] = {key: getattr(net, f"module__{key}") for key in arguments}
    now = dict(arguments)
    fitted["normalize"] = None if estimator.scaling_ is None else "auto"
    now["normalize"] = estimator.normalize
    if estimator.classes is not None:
        fitted["classes"] = sorted(estimator.classes_.tolist())
        ignored = getattr(estimator, "ignore_index", None)
        now["classes"] = sorted({*np.ravel(estimator.classes).tolist()} - {ignored})
    changed = [key for key in fitted if fitted[key] != now[key]]
    what = ""
    if changed:
        key = changed[0]
        what = f"with {key}={fitted[key]!r}, but {key} is {now[key]!r} now"
    elif not _are_the_same(estimator.weights, *net.initial_weights_):
        what = "from other weights than weights holds now"
    if what:
        raise ValueError(
            f"{type(estimator).__name__} was fitted {what}. Set it back, or fit anew with "
            f"warm_start=False."
        )


def _are_the_same(weights: Any, *initial: Any) -> bool:
    """Tell whether weights are those of before, if that is known."""
    paths = str, os.PathLike
    return not initial or any(
        os.fspath(weights) == os.fspath(each)
        if isinstance(weights, paths) and isinstance(each, paths)
        else weights is each
        for each in initial
    )


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
    others = {k: v for k, v in (estimator.net_params or {}).items() if "optimizer__" not in k}
    net.__dict__.update(others)
    net.callbacks = fit_callbacks(estimator)
    net.initialize_callbacks()
    learnt = _update_loss(estimator, net)
    if learnt or _is_another_optimizer(estimator, net):
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


def _is_another_optimizer(estimator: ImageEstimator, net: LossNet) -> bool:
    """Tell whether the optimizer, or an argument of it other than its rates, was changed."""
    if type(net.optimizer_) is not resolve_optimizer(estimator.optimizer):
        return True
    now = optimizer_settings(estimator, torch.device(net.device))
    before = {name: value for name, value in vars(net).items() if name.startswith("optimizer__")}
    return any(
        name != "optimizer__weight_decay" and repr(now.get(name)) != repr(before.get(name))
        for name in now | before
    )


def _renew_optimizer(estimator: ImageEstimator, net: LossNet) -> None:
    optimizer = resolve_optimizer(estimator.optimizer)
    for name in [name for name in vars(net) if name.startswith("optimizer__")]:
        delattr(net, name)
    settings = optimizer_settings(estimator, torch.device(net.device))
    net.__dict__.update(optimizer=optimizer, lr=estimator.lr, **settings)
    lay_out(net.module_, optimizer)
    net.initialize_optimizer()
