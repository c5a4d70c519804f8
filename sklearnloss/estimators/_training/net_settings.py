"""The settings of a net that follow from the parameters of an estimator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch

from ...networks._build import without_fetching
from .callbacks import fit_callbacks
from .criterion import Criterion
from .fine_tuning import FineTuning
from .net import LossNet
from .optimizers import optimizer_settings, resolve_optimizer, resolve_precision
from .output_weights import read_output_weights
from .random_state import seeded

_GROUPS = ("callbacks__", "optimizer__")


@dataclass(frozen=True)
class NetSettings:
    """The parameters of an estimator that its net needs and that may change between fits.

    Attributes
    ----------
    params : dict of str to object
        Parameters of ``skorch.NeuralNet``.
    autocast : torch.dtype or None
        The dtype of the network's arithmetic, if it differs from that of its weights.
    compile : bool
        Whether network and loss are compiled together.
    """

    params: Mapping[str, Any]
    autocast: torch.dtype | None
    compile: bool

    @classmethod
    def of(cls, estimator: Any, device: torch.device, *, again: bool = False) -> Self:
        """Read the parameters of an estimator.

        Parameters
        ----------
        estimator : ImageEstimator
            The estimator of the net.
        device : torch.device
            The device of the training.
        again : bool, default=False
            Whether training continues; then no checkpoint is loaded.
        """
        params = {
            "optimizer": resolve_optimizer(estimator.optimizer),
            "lr": estimator.lr,
            "max_epochs": estimator.max_epochs,
            "batch_size": estimator.batch_size,
            "callbacks": fit_callbacks(estimator, again=again),
            "device": str(device),
            "verbose": int(estimator.verbose > 1),
            "use_caching": "auto",
            "torch_load_kwargs": None,
            **(estimator.net_params or {}),
            **optimizer_settings(estimator, device),
        }
        return cls(params, resolve_precision(estimator.precision, device), estimator.compile)

    def apply(self, net: LossNet) -> None:
        """Replace the settings of a net whose callbacks and optimizer are initialized later."""
        for name in [name for name in vars(net) if name.startswith(_GROUPS)]:
            delattr(net, name)
        # skorch's own set_params would initialize callbacks and optimizer immediately.
        net.__dict__.update(self.params, autocast_=self.autocast, compile_=self.compile)

    def needs_new_optimizer(self, net: LossNet) -> bool:
        """Return whether the optimizer, or one of its arguments, has changed."""
        if type(net.optimizer_) is not self.params["optimizer"]:
            return True
        # Weight decay is changed in place; fused arithmetic depends on the device.
        changed = {"optimizer__weight_decay", "optimizer__fused"}
        names = {name for name in [*vars(net), *self.params] if name.startswith("optimizer__")}
        return any(
            repr(vars(net).get(name)) != repr(self.params.get(name)) for name in names - changed
        )


def build_net(
    estimator: Any, device: torch.device, seed: int, *, fetch_weights: bool = True
) -> LossNet:
    """Return the net of a first fit, with random weights.

    Parameters
    ----------
    estimator : ImageEstimator
        The estimator, with known labels and loss.
    device : torch.device
        The device of the training.
    seed : int
        Seed of the initial weights, batches and augmentation.
    fetch_weights : bool, default=True
        Whether a library may load pretrained weights; unnecessary if others are loaded next.
    """
    n_channels = estimator._n_channels(estimator.loss_)
    module, arguments = estimator._network(n_channels)
    made = module if fetch_weights else without_fetching(module)
    net = LossNet(
        made,
        Criterion,
        criterion__loss=estimator.loss_,
        criterion__masks=estimator._is_masks(n_channels),
        train_split=None,
        **{f"module__{key}": value for key, value in arguments.items()},
    )
    NetSettings.of(estimator, device).apply(net)
    net.scaling_ = estimator.scaling_
    net.augment_ = None
    net.n_channels_ = n_channels
    net.multilabel_ = getattr(estimator, "multilabel", False)
    net.generator_ = torch.Generator().manual_seed(seed)
    with seeded(seed):
        net.initialize()
    net.module = module
    if net.tune(FineTuning.of(estimator, net)):
        net.regroup()
    net.output_weights_ = read_output_weights(estimator, net.module_)
    return net
