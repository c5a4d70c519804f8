"""Losses by name."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from .._utils.text import did_you_mean, unknown_parameter
from ._asymmetric import AsymmetricLoss
from ._bce import BCEWithLogitsLoss
from ._bi_tempered import BiTemperedLoss
from ._boundary import BoundaryLoss
from ._brier import BrierLoss
from ._cl_dice import SoftClDiceLoss
from ._core.base import Loss
from ._core.compound import CompoundLoss
from ._core.foreign import AnyLoss
from ._core.names import LOSSES, USER_LOSSES, USER_SPACES
from ._core.penalty import L1Penalty, L2Penalty, Penalty
from ._cross_entropy import CrossEntropyLoss, LabelSmoothingCrossEntropy
from ._dice import DiceLoss
from ._focal import FocalLoss
from ._focal_tversky import FocalTverskyLoss
from ._generalized_ce import GeneralizedCrossEntropyLoss
from ._generalized_dice import GeneralizedDiceLoss
from ._hausdorff import HausdorffDTLoss
from ._hinge import MultiClassHingeLoss
from ._jaccard import JaccardLoss
from ._ldam import LDAMLoss
from ._log_cosh_dice import LogCoshDiceLoss
from ._logit_adjusted import LogitAdjustedLoss
from ._lovasz import LovaszHingeLoss, LovaszSoftmaxLoss
from ._mcc import MCCLoss
from ._poly1 import Poly1CrossEntropyLoss
from ._symmetric_ce import SymmetricCrossEntropyLoss
from ._topk import TopKCrossEntropyLoss
from ._tversky import TverskyLoss
from ._unified_focal import UnifiedFocalLoss
from ._weston_watkins import WestonWatkinsHingeLoss

LOSSES.update(
    {
        "bce": BCEWithLogitsLoss,
        "cross_entropy": CrossEntropyLoss,
        "focal": FocalLoss,
        "dice": DiceLoss,
        "tversky": TverskyLoss,
        "label_smoothing": LabelSmoothingCrossEntropy,
        "hinge": MultiClassHingeLoss,
        "jaccard": JaccardLoss,
        "focal_tversky": FocalTverskyLoss,
        "log_cosh_dice": LogCoshDiceLoss,
        "generalized_dice": GeneralizedDiceLoss,
        "lovasz_hinge": LovaszHingeLoss,
        "lovasz_softmax": LovaszSoftmaxLoss,
        "unified_focal": UnifiedFocalLoss,
        "topk": TopKCrossEntropyLoss,
        "boundary": BoundaryLoss,
        "hausdorff": HausdorffDTLoss,
        "cl_dice": SoftClDiceLoss,
        "mcc": MCCLoss,
        "brier": BrierLoss,
        "weston_watkins": WestonWatkinsHingeLoss,
        "poly1": Poly1CrossEntropyLoss,
        "generalized_ce": GeneralizedCrossEntropyLoss,
        "symmetric_ce": SymmetricCrossEntropyLoss,
        "asymmetric": AsymmetricLoss,
        "ldam": LDAMLoss,
        "logit_adjusted": LogitAdjustedLoss,
        "bi_tempered": BiTemperedLoss,
        "l1": L1Penalty,
        "l2": L2Penalty,
    }
)
TASKS = ("classification", "segmentation")

# "all" is every loss in a search, "auto" is a segmenter's default; others name parameters.
_RESERVED = ("all", "auto", "losses", "weights")

_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_TERM = rf"\s*(?:({_NUMBER})\s*\*\s*)?([A-Za-z]\w*)\s*"


def get_loss(name: str, **params: Any) -> AnyLoss:
    """Build a loss from its name.

    Parameters
    ----------
    name : str
        A name of :func:`list_losses`, or a sum of ``[number*]name`` terms such
        as "dice+bce", "0.5*dice+focal" or "focal+1e-4*l2".
    **params : dict
        Its parameters; for a sum, such as ``dice__eps`` and ``weights__bce``.

    Returns
    -------
    loss : Loss
        Or whatever was registered under the name with :func:`register_loss`.

    Raises
    ------
    ValueError
        If the name or a parameter is unknown.

    Examples
    --------
    >>> from sklearnloss.losses import get_loss
    >>> get_loss("focal", gamma=3)
    FocalLoss(gamma=3)
    >>> get_loss("dice+bce", dice__eps=1.0, weights__bce=0.5)
    DiceLoss(eps=1.0) + 0.5 * BCEWithLogitsLoss()
    """
    terms = parse_name(name)
    if len(terms) == 1 and terms[0][0] is None:
        return build_loss(lookup(terms[0][1]), params)
    weights = [1.0 if weight is None else weight for weight, _ in terms]
    losses = [build_loss(lookup(term), {}) for _, term in terms]
    compound = CompoundLoss(losses, None if set(weights) == {1.0} else weights)
    return compound.set_params(**params)


def list_losses(task: str | None = None) -> list[str]:
    """Return the names of all losses.

    Parameters
    ----------
    task : {"classification", "segmentation"}, default=None
        Only losses meant for this task; None for all, including penalties.

    Returns
    -------
    names : list of str

    Examples
    --------
    >>> from sklearnloss.losses import list_losses
    >>> "dice" in list_losses("segmentation"), "dice" in list_losses("classification")
    (True, False)
    """
    if task is None:
        return [*LOSSES, *USER_LOSSES]
    if task not in TASKS:
        raise ValueError(f"Unknown task {task!r}. Expected 'classification' or 'segmentation'.")
    everything: dict[str, Callable[..., Any]] = {**LOSSES, **USER_LOSSES}
    return [
        name
        for name, loss in everything.items()
        if task in getattr(loss, "tasks", TASKS)
        and not (isinstance(loss, type) and issubclass(loss, Penalty))
    ]


def register_loss(
    name: str,
    cls: type[nn.Module] | Callable[..., Any],
    *,
    search_space: Mapping[str, Any] | None = None,
) -> None:
    """Register your own loss under a name, for grids, storages and tables.

    Registering a name again replaces your loss; built-in names are fixed.

    Parameters
    ----------
    name : str
        A Python identifier without ``__``, other than "all", "auto", "losses" and
        "weights", which have a meaning of their own.
    cls : class or function
        A :class:`Loss` or torch module class, or a function
        ``(logits, target, **params)``.
    search_space : dict of str to tuple or list, default=None
        Tuning ranges by parameter: ``(low, high)``, ``(low, high, "log")`` or a
        list of choices. By default those of the class, if it has any.

    Examples
    --------
    >>> from sklearnloss.losses import get_loss, register_loss
    >>> def distance(logits, target, power=1.0):
    ...     return (logits.sigmoid() - target).abs().pow(power).mean()
    >>> register_loss("distance", distance, search_space={"power": (0.5, 2.0)})
    >>> get_loss("distance") is distance
    True
    """
    if name in LOSSES:
        raise ValueError(f"{name!r} is a built-in loss. Choose another name.")
    if not re.fullmatch(r"[A-Za-z]\w*", name) or "__" in name or name in _RESERVED:
        raise ValueError(
            f"{name!r} cannot name a loss. Names are Python identifiers that begin with a letter, "
            f"without '__', other than {', '.join(map(repr, _RESERVED))}."
        )
    if not callable(cls) or isinstance(cls, nn.Module):
        raise TypeError(f"Cannot register {cls!r}: expected a loss class or a function.")
    USER_LOSSES[name] = cls
    USER_SPACES[name] = getattr(cls, "search_space", {}) if search_space is None else search_space


def get_search_space(name: str, task: str | None = None) -> dict[str, Any]:
    """Return the tuning ranges of a loss by name.

    Parameters
    ----------
    name : str
        As in :func:`get_loss`. In a sum, members' parameters are prefixed, and
        each weight except the first is included, too. A torch module's
        parameters are only included if it is the only loss.
    task : {"classification", "segmentation"}, default=None
        "classification" leaves out parameters that only matter for masks.

    Returns
    -------
    space : dict of str to tuple or list
        ``(low, high)`` is a range, ``(low, high, "log")`` one on a logarithmic
        scale, a list holds choices.

    Examples
    --------
    >>> from sklearnloss.losses import get_search_space
    >>> get_search_space("label_smoothing")
    {'eps': (0.0, 0.3)}
    >>> get_search_space("label_smoothing+l2")
    {'label_smoothing__eps': (0.0, 0.3), 'weights__l2': (1e-06, 0.1, 'log')}
    """
    if task is not None:
        list_losses(task)  # raises an error for an unknown task
    terms = parse_name(name)
    if len(terms) == 1 and terms[0][0] is None:
        return _own_space(terms[0][1], task)
    compound = get_loss(name)
    assert isinstance(compound, CompoundLoss)
    space: dict[str, Any] = {}
    settable = compound.get_params()  # without the constructor arguments of torch modules
    for k, (member, (_, term)) in enumerate(zip(compound.members, terms, strict=True)):
        own = {f"{member.name}__{key}": v for key, v in _own_space(term, task).items()}
        space |= {key: ranges for key, ranges in own.items() if key in settable}
        if k > 0:
            low, high = (1e-6, 0.1) if isinstance(member.loss, Penalty) else (0.1, 10.0)
            space[f"weights__{member.name}"] = (low, high, "log")
    return space


def _own_space(name: str, task: str | None) -> dict[str, Any]:
    loss = lookup(name)
    space = USER_SPACES.get(name, getattr(loss, "search_space", {}))
    left_out = getattr(loss, "_sigmoid_only", ()) if task == "classification" else ()
    return {key: value for key, value in space.items() if key not in left_out}


def parse_name(name: str) -> list[tuple[float | None, str]]:
    """Split a name into (weight or None, registry name) terms."""
    if not isinstance(name, str):
        raise TypeError(f"A loss name must be a string, got {name!r}.")
    if not re.fullmatch(rf"{_TERM}(?:\+{_TERM})*", name):
        raise ValueError(
            f"Cannot read the loss name {name!r}. Expected a name such as 'dice', or a sum of "
            f"[number*]name terms such as 'dice+bce' or '0.5*dice+focal'."
        )
    return [(float(w) if w else None, term) for w, term in re.findall(_TERM, name)]


def build_loss(loss: Callable[..., Any], params: Mapping[str, Any]) -> AnyLoss:
    """Build a loss from a class, or bind a function's keyword arguments.

    Raises
    ------
    ValueError
        If a parameter is unknown.
    """
    valid = parameter_defaults(loss)
    for key in params:
        if key.partition("__")[0] not in valid:
            owner = f"{getattr(loss, '__name__', loss)}"
            raise ValueError(unknown_parameter(owner, key, valid))
    if not isinstance(loss, type):
        return functools.partial(loss, **params) if params else loss
    nested = {key: value for key, value in params.items() if "__" in key}
    built: Loss = loss(**{key: value for key, value in params.items() if key not in nested})
    return built.set_params(**nested) if nested else built


def parameter_defaults(loss: Callable[..., Any]) -> dict[str, Any]:
    """Return the parameters of a loss class, or of a function after its first two."""
    try:
        parameters = list(inspect.signature(loss).parameters.values())
    except ValueError:  # written in C, or compiled by TorchScript
        return {}
    if not isinstance(loss, type):
        parameters = parameters[2:]
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {
        p.name: p.default
        for p in parameters
        if p.kind not in variadic and p.name != "sample_weight"
    }


def lookup(name: str) -> Callable[..., Any]:
    everything: dict[str, Callable[..., Any]] = {**LOSSES, **USER_LOSSES}
    if name not in everything:
        raise ValueError(
            f"Unknown loss {name!r}. Expected one of {', '.join(map(repr, sorted(everything)))}, a "
            f"sum such as 'dice+bce', or a loss object.{did_you_mean(name, everything)}"
        )
    return everything[name]
