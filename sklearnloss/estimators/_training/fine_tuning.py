"""Fine-tuning: parts of a network that are not trained, or are trained more slowly."""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import nn

from ...networks._adapt.adapted import inner_network
from ...networks._adapt.encoder import find_stages, match_parameters, norms_of
from .callback_checks import check_pattern
from .callback_predictions import PredictingNet
from .optimizers import resolve_optimizer

Groups = list[dict[str, Any]]
#: Marks the parameter group of the loss, and holds the learning rate factor of other groups.
OF_LOSS, FACTOR = "of_loss", "lr_scale"


def check_fine_tuning(estimator: Any) -> None:
    """Raise a ValueError for ``freeze`` and ``lr_scale`` that are invalid for any network.

    Parameters
    ----------
    estimator : ImageEstimator
        Its parameters have the right types.
    """
    patterns = _patterns(estimator.freeze)
    if estimator.freeze is not None and not (
        patterns and all(isinstance(each, str) for each in patterns)
    ):
        raise ValueError(
            f"freeze={estimator.freeze!r}. Expected 'encoder', a pattern of parameter names "
            f"such as 'layer1.*', a list of these, or None."
        )
    if estimator.lr_scale is None:
        return
    _check_scale(estimator.lr_scale)
    if "optimizer__param_groups" in (estimator.net_params or {}):
        raise ValueError(
            f"lr_scale={estimator.lr_scale!r}, but net_params holds 'optimizer__param_groups', "
            f"which also groups parameters. Set lr_scale=None, or leave out "
            f"'optimizer__param_groups'."
        )
    if issubclass(resolve_optimizer(estimator.optimizer), torch.optim.LBFGS):
        raise ValueError(
            f"lr_scale={estimator.lr_scale!r}, but LBFGS has one learning rate for all parameters. "
            f"Set lr_scale=None, or use another optimizer."
        )


def _patterns(freeze: Any) -> list[Any]:
    if freeze is None:
        return []
    return [freeze] if isinstance(freeze, str) else list(freeze)


def _check_scale(lr_scale: Any) -> None:
    if not isinstance(lr_scale, Mapping):
        return
    good = lr_scale and all(isinstance(name, str) for name in lr_scale)
    for factor in lr_scale.values():
        is_number = isinstance(factor, numbers.Real) and not isinstance(factor, bool)
        good = good and is_number and math.isfinite(factor) and factor > 0
    if not good:
        raise ValueError(
            f"lr_scale={lr_scale!r}. Expected factors above 0 by 'encoder' or patterns of "
            f"parameter names, as in {{'encoder': 0.1}}. For parameters that should not be "
            f"trained, use freeze."
        )


@dataclass(frozen=True)
class FineTuning:
    """The effect of ``freeze``, ``freeze_epochs`` and ``lr_scale`` on a network.

    Attributes
    ----------
    frozen : tuple of str
        Names of the parameters that are not trained, except for those that were already
        frozen and remain so.
    norms : tuple of str
        The layers that keep their running statistics.
    epochs : int or None
        Number of epochs after which all of them are trained.
    factors : dict of str to float
        Factors of the learning rate, by parameter, where they are not 1.
    """

    frozen: tuple[str, ...] = ()
    norms: tuple[str, ...] = ()
    epochs: int | None = None
    factors: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, estimator: Any, net: FineTunedNet) -> Self:
        """Resolve an estimator's parameters for its network.

        Raises
        ------
        ValueError
            If a pattern matches nothing, or nothing would be trained.
        """
        network, masks = inner_network(net.module_), estimator._reads_masks
        released = set(net.fine_tuning_.frozen) if net.is_frozen_ else set()
        others = {
            name
            for name, p in network.named_parameters()
            if not p.requires_grad and name not in released
        }
        matched: set[str] = set()
        for pattern in _patterns(estimator.freeze):
            matched |= {*match_parameters(network, pattern, per_pixel=masks, where="freeze")}
        names = [name for name, _ in network.named_parameters()]
        if matched | others >= set(names) and names:
            what = f"freeze={estimator.freeze!r} leaves nothing" if matched else "There is nothing"
            advice = "Freeze less" if matched else "Set requires_grad for a part"
            raise ValueError(f"{what} of the network to train. {advice} of it.")
        return cls(
            tuple(name for name in names if name in matched - others),
            tuple(norms_of(network, matched)) if matched else (),
            estimator.freeze_epochs,
            _factors(network, estimator.lr_scale, masks=masks),
        )


def _factors(network: nn.Module, lr_scale: Any, *, masks: bool) -> dict[str, float]:
    """Return the factors of the learning rate by name, except for factors of 1."""
    found: dict[str, float] = {}
    if lr_scale is None:
        return found
    if not isinstance(lr_scale, Mapping):
        stages = find_stages(network)
        for depth, names in enumerate(reversed(stages)):
            found |= dict.fromkeys(names, float(lr_scale) ** depth)
    else:
        for pattern, factor in lr_scale.items():
            names = match_parameters(network, pattern, per_pixel=masks, where="lr_scale")
            new = [name for name in names if name not in found]
            if not new:
                raise ValueError(
                    f"lr_scale={lr_scale!r}: {pattern!r} has no effect, since patterns before it "
                    f"match the same parameters. The first match applies: move it to the front."
                )
            found |= dict.fromkeys(new, float(factor))
    return {name: factor for name, factor in found.items() if factor != 1}


class FineTunedNet(PredictingNet):
    """A net that freezes parts of its network, and groups parameters by learning rate.

    Attributes
    ----------
    fine_tuning_ : FineTuning
        The frozen and scaled parameters.
    is_frozen_ : bool
        Whether the frozen part is currently frozen.
    """

    fine_tuning_: FineTuning = FineTuning()
    is_frozen_: bool = False

    def tune(self, fine_tuning: FineTuning) -> bool:
        """Set the frozen and scaled parameters; return whether the optimizer needs other groups."""
        self.freeze(False)
        regroup = fine_tuning.factors != self.fine_tuning_.factors
        self.fine_tuning_ = fine_tuning
        return regroup

    def note_frozen(self) -> None:
        """Determine whether the part to freeze is frozen in a restored network."""
        network = inner_network(self.module_)
        frozen = self.fine_tuning_.frozen
        self.is_frozen_ = any(not network.get_parameter(each).requires_grad for each in frozen)

    def regroup(self) -> None:
        """Recreate the optimizer, and keep its state."""
        state = self.optimizer_.state
        self.initialize_optimizer()
        self.optimizer_.state.update(state)

    def freeze(self, frozen: bool) -> None:
        """Stop or resume the training of the part that fine-tuning freezes."""
        if frozen == self.is_frozen_:
            return
        self.is_frozen_ = frozen
        network = inner_network(self.module_)
        for name in self.fine_tuning_.frozen:
            parameter = network.get_parameter(name)
            parameter.requires_grad_(not frozen)
            parameter.grad = None
        _forget_curvature(self.optimizer_)
        self.set_norms()

    def set_norms(self) -> None:
        """Let norms in the frozen part keep their statistics, and others follow the network."""
        network = inner_network(self.module_)
        for name in self.fine_tuning_.norms:
            network.get_submodule(name).training = self.module_.training and not self.is_frozen_

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        super().on_epoch_begin(net, **kwargs)
        epochs = self.fine_tuning_.epochs
        # The history has a row for this epoch and for each epoch of earlier fits.
        self.freeze(epochs is None or len(self.history) <= epochs)
        if epochs is not None and len(self.history) == epochs + 1:  # a checkpoint may begin here
            _forget_curvature(self.optimizer_)
        _fill_momentum(self.optimizer_)

    def get_params_for_optimizer(self, prefix: str, named_parameters: Any) -> Any:
        named = list(named_parameters)
        for pattern, _ in self.get_params_for(prefix).get("param_groups", []):
            check_pattern(pattern, named, "optimizer__param_groups in net_params")
        (groups,), kwargs = super().get_params_for_optimizer(prefix, named)
        rest = groups[-1] if groups[-1].keys() == {"params"} else None
        if rest is not None:
            decays = "weight_decay" in kwargs
            groups = [*groups[:-1], *self._divide(rest["params"], kwargs["lr"], decays=decays)]
        return (groups,), kwargs

    def _divide(self, parameters: list[Any], lr: float, *, decays: bool) -> Groups:
        """Return groups by learning rate, and one of the loss without weight decay."""
        network = inner_network(self.module_)
        factors = {
            id(network.get_parameter(name)): factor
            for name, factor in self.fine_tuning_.factors.items()
        }
        of_network = {id(p) for p in self.module_.parameters()}
        loss = [p for p in parameters if id(p) not in of_network]
        if not (decays or factors):  # the number of groups does not matter
            loss = []
        left = _without(parameters, loss)
        if not factors:
            groups: Groups = [{"params": left}] if left else []
        else:
            by_factor: dict[float, list[Any]] = {}
            for p in left:
                by_factor.setdefault(factors.get(id(p), 1.0), []).append(p)
            # The history records the learning rate of the first group.
            order = sorted(by_factor, key=lambda factor: (factor != 1, -factor))
            groups = [{"params": by_factor[f], "lr": lr * f, FACTOR: f} for f in order]
        if loss:
            own: dict[str, Any] = {"weight_decay": 0.0, OF_LOSS: True} if decays else {}
            groups.append({"params": loss, **own})
        return groups


def _forget_curvature(optimizer: Any) -> None:
    """Reset LBFGS, whose state combines all parameters."""
    if isinstance(optimizer, torch.optim.LBFGS):
        optimizer.state.clear()


def _fill_momentum(optimizer: Any) -> None:
    """Give parameters that join others in training a momentum of 0.

    Fused steps of SGD fail where some parameters of a group have none.
    """
    if not isinstance(optimizer, torch.optim.SGD):
        return
    for group in optimizer.param_groups:
        states = {p: optimizer.state.get(p, {}) for p in group["params"] if p.requires_grad}
        have = [state.get("momentum_buffer") is not None for state in states.values()]
        if not group.get("fused") or not any(have) or all(have):
            continue
        for p, has in zip(states, have, strict=True):
            if not has:
                optimizer.state[p]["momentum_buffer"] = torch.zeros_like(p)


def _without(parameters: list[Any], others: Collection[Any]) -> list[Any]:
    left_out = {id(p) for p in others}
    return [p for p in parameters if id(p) not in left_out]
