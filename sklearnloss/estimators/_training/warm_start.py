"""Training that goes on: what was changed since the last call reaches the net."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch

from .callbacks import fit_callbacks
from .memory_format import lay_out
from .net import LossNet, Objective
from .optimizers import optimizer_settings, resolve_device, resolve_optimizer, resolve_precision


def check_unchanged(estimator: Any) -> None:
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


def update_net(estimator: Any) -> None:
    """Hand parameters that were changed since the last call to the estimator's net."""
    net = estimator.net_
    device = resolve_device(estimator.device)
    if device != torch.device(net.device):
        _move(net, device)
    net.max_epochs, net.batch_size = estimator.max_epochs, estimator.batch_size
    net.verbose = int(estimator.verbose > 1)
    net.autocast_ = resolve_precision(estimator.precision, torch.device(net.device))
    net.compile_ = estimator.compile
    _update_callbacks(estimator, net)
    learnt = _update_loss(estimator, net)
    settings = optimizer_settings(estimator, torch.device(net.device))
    if learnt or _differs(estimator, net, settings):
        _renew_optimizer(estimator, net, settings)
    else:
        _update_optimizer(estimator, net)
    net.lr, net.weight_decay_ = estimator.lr, estimator.weight_decay


def _update_callbacks(estimator: Any, net: LossNet) -> None:
    params = estimator.net_params or {}
    for name in [name for name in vars(net) if name.startswith("callbacks__")]:
        delattr(net, name)
    net.__dict__.update({k: v for k, v in params.items() if k.startswith("callbacks__")})
    net.use_caching = params.get("use_caching", "auto")
    net.torch_load_kwargs = params.get("torch_load_kwargs")
    net.callbacks = fit_callbacks(estimator, again=True)
    net.initialize_callbacks()


def _differs(estimator: Any, net: LossNet, settings: dict[str, Any]) -> bool:
    """Tell whether the net has another optimizer, or one with other arguments."""
    if type(net.optimizer_) is not resolve_optimizer(estimator.optimizer):
        return True
    # Weight decay is changed in place; fused arithmetic is a matter of the device.
    changed = {"optimizer__weight_decay", "optimizer__fused"}
    given = {k: v for k, v in vars(net).items() if k.startswith("optimizer__")}
    names = (given.keys() | settings.keys()) - changed
    return any(repr(given.get(name)) != repr(settings.get(name)) for name in names)


def _move(net: LossNet, device: torch.device) -> None:
    """Bring the network, the loss and the optimizer's state to another device."""
    state = net.optimizer_.state_dict()
    net.device = str(device)
    net.module_.to(device)
    net.criterion_.to(device)
    net.initialize_optimizer()
    net.optimizer_.load_state_dict(state)


def _update_loss(estimator: Any, net: LossNet) -> bool:
    """Exchange the loss; return whether the old or the new one has parameters to learn."""
    old = net.criterion_
    if old.loss is estimator.loss_:
        return False
    net.criterion_ = Objective(estimator.loss_, old.masks).to(net.device)
    return any(True for loss in (old, net.criterion_) for _ in loss.parameters())


def _update_optimizer(estimator: Any, net: LossNet) -> None:
    for k, group in enumerate(net.optimizer_.param_groups):
        # Others were chosen through net_params. A callback may have changed the present rate.
        if net.base_lrs_[k] == net.lr != estimator.lr:
            net.base_lrs_[k] = group["lr"] = group["initial_lr"] = estimator.lr
        if group.get("weight_decay") == net.weight_decay_:
            group["weight_decay"] = estimator.weight_decay


def _renew_optimizer(estimator: Any, net: LossNet, settings: dict[str, Any]) -> None:
    for name in [name for name in vars(net) if name.startswith("optimizer__")]:
        delattr(net, name)
    optimizer = resolve_optimizer(estimator.optimizer)
    net.__dict__.update(optimizer=optimizer, lr=estimator.lr, **settings)
    lay_out(net.module_, optimizer)
    net.initialize_optimizer()
