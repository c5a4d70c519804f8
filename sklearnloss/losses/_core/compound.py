"""Weighted sums of losses and penalties."""

from __future__ import annotations

import copy
import functools
import numbers
import re
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

from torch import Tensor, nn

from ..._utils.text import describe, unique_name, unknown_parameter
from .base import Form, Loss
from .foreign import AnyLoss, call_loss, function_params, loss_form, weighted_mean
from .inputs import LossInputError
from .names import registered_name
from .penalty import Penalty

Weight = float | Tensor


class Member(NamedTuple):
    """One term of a sum: its name, its loss and its weight."""

    name: str
    loss: AnyLoss
    weight: Weight


class CompoundLoss(Loss):
    r"""Weighted sum of losses and penalties. ::

        l = sum_k weight_k l_k

    The result of ``0.7 * DiceLoss() + 0.3 * FocalLoss()``. Dice with a cross entropy
    is the most robust choice across segmentation tasks in published comparisons.
    Each member does its own reduction. If all return one value per sample, so does
    the sum; if some return scalars, the values of the others are averaged over the
    samples, using sample weights if there are any. A penalty is added once.

    Parameters
    ----------
    losses : list of losses or of (name, loss) pairs
        A loss is any callable ``(logits, target)``: a built-in loss, a torch module or
        a function. The default name is that in the registry ("dice"), or the class or
        function name in snake_case without ``_loss``; repeated names become "focal",
        "focal_2".
    weights : sequence of float, default=None
        One per member; None means 1 for each.

    Notes
    -----
    Members' parameters are named like ``dice__eps`` or ``focal__gamma``, and weights
    also like ``weights__dice``; the parameters of a function are its arguments after
    the first two. Setting one changes a copy of the member or of the list: the objects
    passed in are not modified.

    References
    ----------
    S. A. Taghanaki et al., "Combo loss: Handling input and output imbalance in
    multi-organ segmentation", Computerized Medical Imaging and Graphics 75, 2019.
    https://arxiv.org/abs/1805.02798

    Examples
    --------
    >>> from sklearnloss.losses import BCEWithLogitsLoss, DiceLoss, L2Penalty
    >>> loss = DiceLoss() + 0.5 * BCEWithLogitsLoss() + 1e-4 * L2Penalty()
    >>> loss
    DiceLoss() + 0.5 * BCEWithLogitsLoss() + 0.0001 * L2Penalty()
    >>> loss.set_params(dice__eps=1.0, weights__bce=2.0)
    DiceLoss(eps=1.0) + 2.0 * BCEWithLogitsLoss() + 0.0001 * L2Penalty()
    """

    losses: Sequence[AnyLoss | tuple[str, AnyLoss]]
    weights: Sequence[Weight] | None

    def __init__(
        self,
        losses: Sequence[AnyLoss | tuple[str, AnyLoss]],
        weights: Sequence[Weight] | None = None,
    ) -> None:
        self.losses = losses
        self.weights = weights

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "losses":  # register the members as submodules
            modules = [loss for _, loss in _split(value) if isinstance(loss, nn.Module)]
            self._members = nn.ModuleList(modules)

    @property
    def members(self) -> list[Member]:
        """The terms, each with its name, loss and weight."""
        names = _unique_names(_split(self.losses))
        return [Member(name, *term) for name, term in zip(names, self._terms(), strict=True)]

    def _terms(self) -> list[tuple[AnyLoss, Weight]]:
        losses = [item[1] if isinstance(item, tuple) else item for item in self.losses]
        weights = [1.0] * len(losses) if self.weights is None else list(self.weights)
        if not losses:
            raise ValueError("CompoundLoss: losses is empty. Expected at least one loss.")
        if len(weights) != len(losses):
            raise ValueError(
                f"CompoundLoss has {len(losses)} losses but {len(weights)} weights: "
                f"expected one weight per loss."
            )
        for loss, weight in zip(losses, weights, strict=True):
            if not _is_weight(weight):
                raise ValueError(
                    f"CompoundLoss: the weight of {loss!r} is {weight!r}, not a number."
                )
        return list(zip(losses, weights, strict=True))

    @property
    def form(self) -> Form:  # type: ignore[override]
        """Softmax if a member has no other form, sigmoid if no member has another form."""
        forms = {loss_form(loss) for loss, _ in self._terms() if not isinstance(loss, Penalty)}
        if "softmax" in forms:
            return "softmax"
        return "sigmoid" if forms == {"sigmoid"} else "any"

    def forward(
        self, logits: Tensor, target: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        """Return the weighted sum.

        Parameters
        ----------
        logits : Tensor of shape (n, C, *spatial)
            Raw scores.
        target : Tensor of shape (n, C, *spatial) or (n, *spatial)
            Masks in [0, 1] or class indices, see :class:`Loss`.
        sample_weight : Tensor of shape (n,), default=None
            Passed to every member except penalties.

        Returns
        -------
        loss : Tensor
            A scalar, or (n,) if the members return one value per sample.
        """
        terms = self._terms()
        self._check_one_meaning(terms, logits, target)
        data = [(k, *term) for k, term in enumerate(terms) if not isinstance(term[0], Penalty)]
        values = [self._value(k, loss, logits, target, sample_weight) for k, loss, _ in data]
        if any(value.ndim == 0 for value in values):
            values = [
                _mean(loss, value, logits, target, sample_weight)
                for value, (_, loss, _) in zip(values, data, strict=True)
            ]
        total: Tensor | None = None
        for value, (_, _, weight) in zip(values, data, strict=True):
            total = weight * value if total is None else total + weight * value
        for loss, weight in terms:
            if isinstance(loss, Penalty):
                total = weight * loss() if total is None else total + weight * loss()
        assert total is not None
        return total

    def bind(self, module: nn.Module, class_counts: Tensor | None = None) -> Self:
        for member in self.members:
            if isinstance(member.loss, Loss):
                member.loss.bind(module, class_counts)
        return self

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        params: dict[str, Any] = {"losses": self.losses, "weights": self.weights}
        if deep:
            for name, loss, weight in self.members:
                params[name] = loss
                params[f"weights__{name}"] = weight
                own = loss.get_params() if isinstance(loss, Loss) else function_params(loss)
                params |= {f"{name}__{k}": v for k, v in own.items()}
        return params

    def set_params(self, **params: Any) -> Self:
        valid = set(self.get_params())
        for name in ("losses", "weights"):  # first, since names depend on them
            if name in params:
                setattr(self, name, params.pop(name))
        # Whole members before their parameters.
        for key, value in sorted(params.items(), key=lambda item: "__" in item[0]):
            self._set(key, value, valid)
        return self

    def _set(self, key: str, value: Any, valid: set[str]) -> None:
        members = self.members
        head, _, rest = key.partition("__")
        name = rest if head == "weights" else head
        names = [member.name for member in members]
        if name not in names:
            raise ValueError(
                unknown_parameter(type(self).__name__, key, valid | set(self.get_params()))
            )
        k = names.index(name)
        if head == "weights":
            weights = [member.weight for member in members]
            weights[k] = value
            self.weights = weights
            return
        if rest:
            member = members[k].loss
            if isinstance(member, Loss):
                value = copy.deepcopy(member).set_params(**{rest: value})
            elif rest in function_params(member):
                value = functools.partial(member, **{rest: value})
            else:
                raise ValueError(unknown_parameter(type(self).__name__, key, valid))
        pairs: list[Any] = list(self.losses)
        # A replaced member keeps its name, even if that was the default.
        pairs[k] = value if rest and not isinstance(pairs[k], tuple) else (name, value)
        self.losses = pairs

    def _check_params(self) -> None:
        for member in self.members:
            if isinstance(member.loss, Loss):
                member.loss._check_params()

    def _value(
        self, k: int, loss: AnyLoss, logits: Tensor, target: Tensor, sample_weight: Tensor | None
    ) -> Tensor:
        """Return a member's value, a scalar or (n,)."""
        value = call_loss(loss, logits, target, sample_weight)
        if value.ndim < 2:
            return value
        if not isinstance(loss, Loss):
            return value.flatten(1).mean(1)
        raise ValueError(
            f"CompoundLoss: {self.members[k].name!r} returns a tensor of shape "
            f"{tuple(value.shape)}. Expected a scalar, or one value per sample, such as with "
            f"reduction='sample'."
        )

    def _check_one_meaning(
        self, terms: list[tuple[AnyLoss, Weight]], logits: Tensor, target: Tensor
    ) -> None:
        """Refuse a target that means class probabilities to some members, labels to others."""
        if logits.ndim < 2 or logits.shape[1] == 1 or target.shape != logits.shape:
            return
        data = [loss for loss, _ in terms if not isinstance(loss, Penalty)]
        softmax = [default_name(loss) for loss in data if loss_form(loss) == "softmax"]
        others = [default_name(loss) for loss in data if loss_form(loss) != "softmax"]
        if softmax and others:
            raise LossInputError(
                f"A target of the logits' shape {tuple(logits.shape)} means class probabilities to "
                f"{softmax} but multilabel masks to {others}. Use class indices of shape "
                f"{(logits.shape[0], *logits.shape[2:])}, or losses of one kind."
            )

    def __repr__(self) -> str:
        if any(isinstance(item, tuple) for item in self.losses):
            return super().__repr__()
        terms = []
        for _, loss, weight in self.members:
            text = f"({loss!r})" if isinstance(loss, CompoundLoss) else describe(loss)
            terms.append(text if _is_one(weight) else f"{describe(weight)} * {text}")
        if len(terms) == 1 and _is_one(self.members[0].weight):
            return f"1.0 * {terms[0]}"
        return " + ".join(terms)


def _mean(
    loss: AnyLoss, value: Tensor, logits: Tensor, target: Tensor, sample_weight: Tensor | None
) -> Tensor:
    """Average a member's values over the samples, applying each sample weight once."""
    if value.ndim == 0:
        return value
    if sample_weight is not None:  # the values may have been weighted already
        value = call_loss(loss, logits, target)
    return weighted_mean(value, sample_weight)


def add(left: AnyLoss, right: AnyLoss) -> CompoundLoss:
    """Return the sum of two losses, flattened and made of copies."""
    pairs: list[Any] = []
    weights: list[Weight] = []
    for term in (left, right):
        if isinstance(term, CompoundLoss):
            pairs += copy.deepcopy(list(term.losses))
            weights += [member.weight for member in term.members]
        elif callable(term) and not isinstance(term, type):
            pairs.append(copy.deepcopy(term))
            weights.append(1.0)
        else:
            raise TypeError(
                f"Cannot add {term!r} to a loss: expected a loss, a torch module or a function."
            )
    return CompoundLoss(pairs, None if all(_is_one(w) for w in weights) else weights)


def scale(loss: Loss, weight: Weight) -> CompoundLoss:
    """Return a loss times a number; a sum is scaled term by term."""
    if not _is_weight(weight):
        raise TypeError(f"Cannot multiply a loss by {weight!r}: expected a finite number.")
    if isinstance(loss, CompoundLoss):
        pairs = copy.deepcopy(list(loss.losses))
        return CompoundLoss(pairs, [weight * member.weight for member in loss.members])
    return CompoundLoss([copy.deepcopy(loss)], [weight])


def default_name(loss: AnyLoss) -> str:
    """Name a loss as in the registry, or else after its class or function."""
    name = registered_name(loss)
    if name is None:
        loss = getattr(loss, "func", loss)  # of a functools.partial
        name = getattr(loss, "__name__", None) or type(loss).__name__
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
        name = re.sub(r"\W|_(?=_)", "", name.removesuffix("_loss")).strip("_") or "loss"
    return f"{name}_1" if name in ("losses", "weights") else name


def _split(losses: Any) -> list[tuple[str | None, AnyLoss]]:
    """Return (name or None, loss) pairs, checked."""
    if not isinstance(losses, (list, tuple)):
        raise TypeError(f"CompoundLoss: losses must be a list of losses, got {losses!r}.")
    pairs = []
    for item in losses:
        name, loss = item if isinstance(item, tuple) and len(item) == 2 else (None, item)
        if not callable(loss) or isinstance(loss, type):
            hint = " get_loss('dice+bce') creates a sum by name." if isinstance(loss, str) else ""
            raise TypeError(
                f"CompoundLoss: {loss!r} is not a loss. Expected losses, torch modules, functions "
                f"or (name, loss) pairs.{hint}"
            )
        pairs.append((name, loss))
    return pairs


def _unique_names(pairs: list[tuple[str | None, AnyLoss]]) -> list[str]:
    given = [name for name, _ in pairs if name is not None]
    for name in given:
        refused = not isinstance(name, str) or not name.isidentifier() or "__" in name
        if refused or name in ("losses", "weights") or given.count(name) > 1:
            raise ValueError(
                f"CompoundLoss: {name!r} cannot name a member. Names are unique identifiers "
                f"without '__', other than 'losses' and 'weights'."
            )
    names: list[str] = []
    for given_name, loss in pairs:
        names.append(given_name or unique_name(default_name(loss), [*names, *given]))
    return names


def _is_one(weight: Weight) -> bool:
    return not isinstance(weight, Tensor) and weight == 1


def _is_weight(weight: object) -> bool:
    """Return whether this is a finite number, or a zero-dimensional tensor."""
    if isinstance(weight, Tensor):
        return weight.ndim == 0
    return (
        isinstance(weight, numbers.Real)
        and not isinstance(weight, bool)
        and abs(float(weight)) < float("inf")
    )
