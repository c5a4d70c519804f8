"""The ``loss`` parameter: how it is passed, changed, listed and built."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Iterable, Mapping
from typing import Any, Self

import torch
from sklearn.base import BaseEstimator, clone
from torch import Tensor, nn

from .._utils.text import did_you_mean, unknown_parameter
from ..losses import Loss, get_loss
from ..losses._core.argument_order import refuse_target_first
from ..losses._core.foreign import AnyLoss
from ..losses._core.known_losses import refuse_probability_loss
from ..losses._core.terms import data_terms
from ..losses._registry import build_loss, lookup, parameter_defaults, parse_name

PREFIX = "loss__"
REQUIRED = inspect.Parameter.empty


class LossParameterMixin(BaseEstimator):  # type: ignore[misc]
    """Give an estimator a ``loss`` parameter with nested ``loss__*`` parameters.

    =====================  =======================================  ==========
    ``loss=``              ``loss__gamma=``                         at fit
    =====================  =======================================  ==========
    name, compound name    in the constructor or ``set_params``     built
    class                  the same                                 built
    :class:`Loss`          its own, deep, copied on write           cloned
    torch module           none: pass the class                     copied
    function               keyword arguments after the first two    bound
    =====================  =======================================  ==========

    ``get_params(deep=False)`` returns what was passed, ``deep=True`` the defaults
    as well. A new ``loss`` drops the parameters that were passed for the old one.
    """

    loss: Any
    _loss_params: dict[str, Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # scikit-learn reads signatures literally; loss__* is open-ended.
        signature = inspect.signature(cls.__init__)
        kept = [
            p
            for p in list(signature.parameters.values())[1:]
            if p.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        cls.__signature__ = signature.replace(parameters=kept)

    def _store_params(self, arguments: dict[str, Any]) -> None:
        """Store the arguments of the constructor; other keywords must be ``loss__*``."""
        keywords = arguments["loss_params"]
        own = {k: v for k, v in arguments.items() if k not in ("self", "loss_params")}
        self.__dict__.update(own)
        for key in keywords:
            if not key.startswith(PREFIX):
                names = [
                    *self._get_param_names(),
                    *(PREFIX + n for n in loss_parameters(self.loss) or ()),
                ]
                raise TypeError(
                    f"{type(self).__name__}() got an unexpected keyword argument {key!r}. Valid "
                    f"ones are: {', '.join(names)}.{did_you_mean(key, names)}"
                )
        self._loss_params = {key.removeprefix(PREFIX): value for key, value in keywords.items()}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the estimator's parameters.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include loss parameters that were left at their defaults.

        Returns
        -------
        params : dict of str to object
        """
        params: dict[str, Any] = super().get_params(deep=deep)
        if deep:
            defaults = loss_parameters(self.loss) or {}
            params |= {PREFIX + k: v for k, v in defaults.items() if v is not REQUIRED}
        return params | {PREFIX + key: value for key, value in self._loss_params.items()}

    def set_params(self, **params: Any) -> Self:
        """Change parameters.

        Parameters
        ----------
        **params : dict
            New values. ``loss__gamma=3`` changes a parameter of the loss; if the loss is
            an object, it is copied first.

        Returns
        -------
        self : estimator

        Raises
        ------
        ValueError
            If a name is unknown; the message lists the valid ones, and nothing is changed.
        """
        before = self.__dict__.copy()
        try:
            return self._set_params(params)
        except Exception:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _set_params(self, params: dict[str, Any]) -> Self:
        names = [name for name in params if name.startswith(PREFIX)]
        nested = {name.removeprefix(PREFIX): params.pop(name) for name in names}
        if "loss" in params:
            self._loss_params = {}
        super().set_params(**params)
        if not nested:
            return self
        if isinstance(self.loss, Loss):
            self.loss = clone(self.loss).set_params(**{**self._loss_params, **nested})
            self._loss_params = {}
            return self
        valid = loss_parameters(self.loss)
        if valid is not None:  # an unknown loss is reported by fit
            _check_names(self.loss, {**self._loss_params, **nested}, valid)
        self._loss_params = {**self._loss_params, **nested}
        return self


def resolve_loss(loss: Any, params: dict[str, Any]) -> AnyLoss:
    """Build the loss to train with; the user's own object is never trained.

    Parameters
    ----------
    loss : str, class, Loss, nn.Module or function
        See :class:`LossParameterMixin`.
    params : dict
        Its parameters, without the prefix.

    Returns
    -------
    loss : Loss, nn.Module or function

    Raises
    ------
    ValueError
        If it is not a loss, or if one of its parameters is unknown or invalid.
    """
    if isinstance(loss, str):
        built = get_loss(loss, **params)
    elif isinstance(loss, Loss):
        built = clone(loss).set_params(**params)
    elif isinstance(loss, nn.Module):
        _check_names(loss, params, {})
        built = copy.deepcopy(loss)
    elif callable(loss):
        refuse_probability_loss(loss)
        try:
            built = build_loss(loss, params)
        except TypeError as error:
            raise ValueError(f"loss={loss!r} cannot be built with {params}: {error}") from error
    else:
        raise ValueError(
            f"loss={loss!r} is not a loss. Expected a name, a loss class or object, a torch module "
            f"or a function (logits, target) -> tensor."
        )
    built = _in_float32(built)
    for term in data_terms(built):
        refuse_probability_loss(term)
        refuse_target_first(term)
    if isinstance(built, Loss):
        built._check_params()
    if not data_terms(built):
        raise ValueError(f"loss={loss!r} has only penalties. Add a loss on the data.")
    return built


def _in_float32(loss: AnyLoss) -> AnyLoss:
    """Convert a loss's float64 tensors, such as class weights, to the scores' float32."""
    if isinstance(loss, nn.Module):
        return loss.float()
    if not isinstance(loss, functools.partial):
        return loss
    keywords = {key: _to_float32(value) for key, value in loss.keywords.items()}
    cast = functools.partial(loss.func, *map(_to_float32, loss.args), **keywords)
    cast.__dict__.update(loss.__dict__)
    return cast


def _to_float32(value: Any) -> Any:
    is_double = isinstance(value, Tensor) and value.dtype == torch.float64
    return value.float() if is_double else value


def loss_parameters(loss: Any) -> dict[str, Any] | None:
    """Return a loss's parameters with their values or defaults; None if they are unknown."""
    if isinstance(loss, str):
        try:
            terms = parse_name(loss)
            is_sum = len(terms) > 1 or terms[0][0] is not None
            loss = get_loss(loss) if is_sum else lookup(terms[0][1])
        except ValueError:
            return None
    if isinstance(loss, Loss):
        return loss.get_params()
    if isinstance(loss, nn.Module):
        return {}
    return parameter_defaults(loss) if callable(loss) else None


def _check_names(loss: Any, given: Mapping[str, Any], valid: Iterable[str]) -> None:
    names = set(valid)
    for key in given:
        head, _, rest = key.partition("__")
        if key in names or (rest and head in given):
            continue
        if isinstance(loss, nn.Module) and not isinstance(loss, Loss):
            cls = type(loss).__name__
            raise ValueError(
                f"Invalid parameter {PREFIX + key!r}: {cls}() is already a torch module, whose "
                f"settings are fixed. Pass the class: loss={cls}, {PREFIX + key}=..."
            )
        owner = f"loss {getattr(loss, '__name__', loss)!r}"
        raise ValueError(
            unknown_parameter(owner, PREFIX + key, [PREFIX + name for name in names])
            + " To search over losses with different parameters, use a list of grids, one per loss."
        )


def module_settings(module: nn.Module) -> list[Any]:
    """Return everything that distinguishes a torch module from another."""
    tensors = ((name, value.tolist()) for name, value in module.state_dict().items())
    return [*plain_settings(module), *tensors]


def plain_settings(module: nn.Module) -> list[Any]:
    """Return what distinguishes a torch module from another, without its tensors."""
    return [
        (type(part), sorted((k, repr(v)) for k, v in vars(part).items() if not k.startswith("_")))
        for part in module.modules()
    ]
