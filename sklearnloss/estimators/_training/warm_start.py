"""Warm starts: parameters changed since the last fit, applied to the existing net."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch

from ..._utils.text import describe
from ...losses._core.foreign import AnyLoss
from .._data.imagenet import is_imagenet
from .criterion import Criterion
from .fine_tuning import FACTOR, OF_LOSS, FineTuning
from .memory_format import lay_out
from .net import LossNet
from .net_settings import NetSettings
from .output_weights import read_output_weights


def check_unchanged(estimator: Any) -> None:
    """Raise an error if a parameter was changed that the first fit determines.

    Raises
    ------
    ValueError
        The message names the parameter.
    """
    net = estimator.net_
    _, arguments = estimator._network(net.n_channels_)
    fitted, now = _flat(net.get_params_for("module")), _flat(arguments)
    scaling = estimator.scaling_
    learnt = "imagenet" if scaling is not None and is_imagenet(scaling) else "auto"
    fitted["normalize"] = None if scaling is None else learnt
    now["normalize"] = estimator.normalize
    if estimator.classes is not None:
        fitted["classes"] = sorted(estimator.classes_.tolist())
        ignored = getattr(estimator, "ignore_index", None)
        now["classes"] = sorted({*np.ravel(estimator.classes).tolist()} - {ignored})
    changed = [key for key in {**fitted, **now} if fitted.get(key) != now.get(key)]
    what = ""
    if changed:
        key = changed[0]
        what = f"with {key}={_shown(fitted.get(key))}, but {key} is now {_shown(now.get(key))}"
    elif not _are_the_same(estimator.weights, *net.initial_weights_):
        what = "from other weights than those in weights now"
    if what:
        raise ValueError(
            f"{type(estimator).__name__} was fitted {what}. Set it back, or refit with "
            f"warm_start=False."
        )


def _shown(value: Any) -> str:
    """Write out a value in one line; of a network whose repr has many, the class."""
    text = describe(value)
    return f"{type(value).__name__}(...)" if "\n" in text else text


def _flat(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a network under the names of the estimator's parameters."""
    params = arguments.get("params", {})
    flat = {name: each for name, each in arguments.items() if name != "params"}
    return {**flat, **{f"network__{name}": each for name, each in params.items()}}


def _are_the_same(weights: Any, *initial: Any) -> bool:
    """Return whether weights are the initial ones, or the initial ones are unknown."""
    paths = str, os.PathLike
    return not initial or any(
        os.fspath(weights) == os.fspath(each)
        if isinstance(weights, paths) and isinstance(each, paths)
        else weights is each
        for each in initial
    )


def update_net(estimator: Any, device: torch.device) -> None:
    """Apply parameters changed since the last fit to the estimator's net.

    Parameters
    ----------
    estimator : ImageEstimator
        A fitted estimator.
    device : torch.device
        The device for further training.
    """
    net = estimator.net_
    settings = NetSettings.of(estimator, device, again=True)
    fine_tuning = FineTuning.of(estimator, net)
    if device != torch.device(net.device):
        _move(net, device)
    learns = _replace_loss(net, estimator.loss_)
    renew = learns or settings.needs_new_optimizer(net)
    if not renew:
        _update_groups(net, settings)
    settings.apply(net)
    regroup = net.tune(fine_tuning)
    net.output_weights_ = read_output_weights(estimator, net.module_)
    net.initialize_callbacks()
    if renew:
        lay_out(net.module_, net.optimizer)
        net.initialize_optimizer()
    elif regroup:
        net.regroup()


def _move(net: LossNet, device: torch.device) -> None:
    """Move the network, the loss and the optimizer's state to another device."""
    state = net.optimizer_.state_dict()
    net.device = str(device)
    net.module_.to(device)
    net.criterion_.to(device)
    net.initialize_optimizer()
    net.optimizer_.load_state_dict(state)


def _replace_loss(net: LossNet, loss: AnyLoss) -> bool:
    """Replace a net's loss; return whether the old or the new one has trainable parameters."""
    old = net.criterion_
    if old.loss is loss:
        return False
    net.criterion_ = Criterion(loss, old.masks).to(net.device)
    return any(True for each in (old, net.criterion_) for _ in each.parameters())


def _update_groups(net: LossNet, settings: NetSettings) -> None:
    """Change learning rate and weight decay if they still come from the estimator."""
    lr, decay = settings.params["lr"], settings.params.get("optimizer__weight_decay")
    old_decay = vars(net).get("optimizer__weight_decay")
    for k, group in enumerate(net.optimizer_.param_groups):
        factor = group.get(FACTOR, 1.0)
        # Others were set through net_params. A callback may have changed the current rate.
        if net.base_lrs_[k] == net.lr * factor and net.lr != lr:
            net.base_lrs_[k] = group["lr"] = group["initial_lr"] = lr * factor
        if OF_LOSS in group:
            continue
        if decay is not None and group.get("weight_decay") == old_decay:
            group["weight_decay"] = decay
