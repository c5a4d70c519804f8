"""Penalties over a model's parameters, as terms of a sum of losses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, Self

from torch import Tensor, nn

from .base import Loss

Include = Literal["weights", "all"] | Callable[[str, nn.Parameter], bool]


class Penalty(Loss):
    r"""A term that depends on the network's parameters, not on the data.

    Add one to a loss, ``BCEWithLogitsLoss() + 1e-4 * L2Penalty()``, and the sum
    is what training minimizes. ``fit`` binds the penalty to the network;
    elsewhere call ``loss.bind(network)`` first.

    Parameters
    ----------
    function : callable
        ``function(network)`` returns a scalar tensor.

    Examples
    --------
    >>> from torch import nn
    >>> from sklearnloss.losses import DiceLoss, Penalty
    >>> loss = DiceLoss() + 0.1 * Penalty(lambda network: network.bias.abs().sum())
    >>> loss.bind(nn.Linear(3, 1))
    DiceLoss() + 0.1 * Penalty(function=<lambda>)
    """

    _network: nn.Module | None = None

    def __init__(self, function: Callable[[nn.Module], Tensor]) -> None:
        self.function = function

    def bind(self, module: nn.Module, class_counts: Tensor | None = None) -> Self:
        # Bypasses nn.Module.__setattr__: the network is not a submodule of its loss.
        object.__setattr__(self, "_network", module)
        return self

    def penalty(self, module: nn.Module) -> Tensor:
        """Return the penalty of a network, a scalar."""
        return self.function(module)

    def forward(
        self,
        logits: Tensor | None = None,
        target: Tensor | None = None,
        sample_weight: Tensor | None = None,
    ) -> Tensor:
        """Return the penalty of the bound network; the arguments are ignored."""
        if self._network is None:
            raise RuntimeError(
                f"{self!r} does not know which network to penalize. An estimator's fit sets this; "
                f"elsewhere call loss.bind(network) first."
            )
        return self.penalty(self._network)

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        state.pop("_network", None)
        return state


class _NormPenalty(Penalty):
    def __init__(self, include: Include = "weights") -> None:
        self.include = include

    def term(self, parameter: Tensor) -> Tensor:
        """Return one parameter tensor's share, a scalar."""
        raise NotImplementedError

    def penalty(self, module: nn.Module) -> Tensor:
        terms = [self.term(parameter) for parameter in self._selected(module)]
        if not terms:
            raise ValueError(f"{self!r} selects none of the parameters of {type(module).__name__}.")
        return sum(terms[1:], start=terms[0])

    def _selected(self, module: nn.Module) -> Iterator[nn.Parameter]:
        for name, parameter in module.named_parameters():
            if self.include == "all":
                chosen = True
            elif self.include == "weights":  # biases and normalization parameters have one axis
                chosen = parameter.requires_grad and parameter.ndim > 1
            else:
                chosen = self.include(name, parameter)
            if chosen:
                yield parameter

    def _check_params(self) -> None:
        if self.include not in ("weights", "all") and not callable(self.include):
            raise ValueError(
                f"{type(self).__name__}: include={self.include!r} is unknown. Expected 'weights', "
                f"'all' or a function of a parameter's name and value."
            )


class L1Penalty(_NormPenalty):
    r"""Sum of the absolute values of the network's weights.

    Drives weights to exactly zero. ::

        sum |theta|

    Parameters
    ----------
    include : {"weights", "all"} or callable, default="weights"
        "weights" leaves out biases, normalization layers and frozen parameters; a
        callable ``include(name, parameter)`` returns whether to include one.

    References
    ----------
    R. Tibshirani, "Regression shrinkage and selection via the lasso", Journal of
    the Royal Statistical Society B 58, 1996. https://www.jstor.org/stable/2346178

    Examples
    --------
    >>> from torch import nn
    >>> from sklearnloss.losses import L1Penalty
    >>> network = nn.Linear(2, 1)
    >>> _ = nn.init.constant_(network.weight, -2.0)
    >>> L1Penalty().bind(network)().item()
    4.0
    """

    def term(self, parameter: Tensor) -> Tensor:
        return parameter.abs().sum()


class L2Penalty(_NormPenalty):
    r"""Sum of the squares of the network's weights.

    Shrinks weights. As part of the loss it is classical L2 regularization; AdamW's
    ``weight_decay`` is different, as it bypasses the adaptive step. ::

        sum theta^2

    Parameters
    ----------
    include : {"weights", "all"} or callable, default="weights"
        "weights" leaves out biases, normalization layers and frozen parameters; a
        callable ``include(name, parameter)`` returns whether to include one.

    References
    ----------
    A. E. Hoerl, R. W. Kennard, "Ridge regression: biased estimation for
    nonorthogonal problems", Technometrics 12, 1970.
    https://doi.org/10.1080/00401706.1970.10488634

    Examples
    --------
    >>> from torch import nn
    >>> from sklearnloss.losses import L2Penalty
    >>> network = nn.Linear(2, 1)
    >>> _ = nn.init.constant_(network.weight, -2.0)
    >>> L2Penalty().bind(network)().item()
    8.0
    """

    def term(self, parameter: Tensor) -> Tensor:
        return parameter.square().sum()
