"""The estimator's class weights and ignored label, passed to its loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...losses import Loss
from ...losses._core.class_weight import LARGEST_WEIGHT, SMALLEST_WEIGHT
from ...losses._core.foreign import AnyLoss, function_params
from ...losses._core.terms import data_terms

# Values that stand for "not set".
_UNSET_IGNORE = (None, -100)


def read_class_weight(class_weight: Any, classes: np.ndarray, counts: np.ndarray) -> Tensor:
    """Return one weight per class.

    Parameters
    ----------
    class_weight : "balanced", dict of label to weight, or sequence
        "balanced" is n / (n_classes * count). Labels that a dict leaves out weigh 1;
        a sequence is in the order of ``classes``. A Series has its labels in the index.
    classes : ndarray of shape (n_classes,)
        The labels.
    counts : ndarray of shape (n_classes,), or (2, n_classes) for multilabel masks
        How often each occurs in training; for multilabel masks, the number of pixels
        without each label and with it, which "balanced" gives equal weight.

    Returns
    -------
    weight : Tensor of shape (n_classes,)
    """
    class_weight = _by_label(class_weight)
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise ValueError(
                f"class_weight={class_weight!r} is unknown. Expected 'balanced', a dict from label "
                f"to weight, one weight per class, or None."
            )
        if counts.ndim == 2:
            present = counts.min(0) > 0
            balanced = counts[0] / np.maximum(counts[1], 1)
        else:
            present = counts > 0
            balanced = counts.sum() / (present.sum() * np.maximum(counts, 1))
        return torch.from_numpy(np.where(present, balanced, 1.0)).float()
    values = class_weight
    if isinstance(class_weight, Mapping):
        labels = classes.tolist()
        foreign = [label for label in class_weight if label not in labels]
        if foreign:
            raise ValueError(
                f"class_weight names the label {foreign[0]!r}, which is not among the classes "
                f"{labels}."
            )
        values = [class_weight.get(label, 1.0) for label in labels]
    try:
        weight = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"class_weight={class_weight!r} cannot be read. Expected 'balanced', a dict from label "
            f"to weight, one weight per class, or None."
        ) from error
    if weight.shape != (len(classes),):
        raise ValueError(
            f"class_weight has shape {weight.shape}, but there are {len(classes)} classes: "
            f"{classes.tolist()}."
        )
    if not (np.isfinite(weight).all() and (weight >= 0).all()):
        raise ValueError(f"class_weight must be finite and not negative, got {weight.tolist()}.")
    check_weight_range(weight, "class_weight")
    return torch.from_numpy(weight).float()


def _by_label(class_weight: Any) -> Any:
    """Return a Series as a dict from its index to its values, and anything else unchanged."""
    return class_weight.to_dict() if hasattr(class_weight, "to_dict") else class_weight


def require_weight(weight: Tensor, classes: np.ndarray, counts: np.ndarray) -> None:
    """Raise a ValueError if all classes that occur have weight 0."""
    occurs = counts.sum(0) > 0 if counts.ndim == 2 else counts > 0
    if not weight.numpy()[occurs].any():
        raise ValueError(
            f"class_weight is 0 for every class that occurs, got {weight.tolist()} for the classes "
            f"{classes.tolist()}: nothing would be learned."
        )


def check_weight_range(weight: np.ndarray, name: str) -> None:
    """Raise a ValueError for weights whose sums exceed the range of float32."""
    extreme = (weight > LARGEST_WEIGHT) | ((weight > 0) & (weight < SMALLEST_WEIGHT))
    if extreme.any():
        raise ValueError(
            f"{name} holds {weight[extreme][0]:g}, which is out of range for float32. Only the "
            f"ratios of weights matter: divide them by their mean."
        )


def require_split_weight(weight: Tensor | None, training: np.ndarray, held_out: np.ndarray) -> None:
    """Raise a ValueError if all samples in one of the parts have weight 0."""
    for does, part in (("trains on", training), ("holds out", held_out)):
        if weight is not None and not weight[torch.from_numpy(part)].any():
            raise ValueError(
                f"All {len(part)} samples that early_stopping {does} weigh 0, so their loss is "
                f"meaningless. Leave samples of weight 0 out of X and y, or set another "
                f"validation_fraction."
            )


def check_class_order(class_weight: Any, given: Any, classes: np.ndarray) -> None:
    """Reject a sequence of weights if it is unclear which label each weight is for.

    Parameters
    ----------
    class_weight : "balanced", dict, sequence or None
        As passed by the user.
    given : array-like or None
        All labels, in the user's order.
    classes : ndarray of shape (n_classes,)
        The labels in the order of their codes.
    """
    class_weight = _by_label(class_weight)
    if given is None or class_weight is None or isinstance(class_weight, (str, Mapping)):
        return
    labels = classes.tolist()
    named = [label for label in dict.fromkeys(np.asarray(given).tolist()) if label in labels]
    if named != labels:
        example = dict(zip(named, np.ravel(class_weight).tolist(), strict=False))
        raise ValueError(
            f"class_weight is a sequence, but classes={named} is not sorted, as classes_ is: it is "
            f"unclear which weight belongs to which label. Pass a dict: class_weight={example}."
        )


def fill_class_weight(
    loss: AnyLoss, weight: Tensor, *, one_channel: bool, multilabel: bool = False
) -> bool:
    """Set the class weights in every term of a loss that the network is trained with.

    For multilabel masks, a weight says how much more a label's pixels count than
    the others.

    Returns
    -------
    filled : bool
        False if some term has no class weights; then nothing is set.

    Raises
    ------
    ValueError
        If a term already has its own weights.
    """
    terms = data_terms(loss)
    parameters = [_weight_parameter(term) for term in terms]
    for term, name in zip(terms, parameters, strict=True):
        own = [name] if name is not None else ["weight", "pos_weight"]  # or of torch
        for attribute in own:
            if not _is_unset(getattr(term, attribute, None)):
                raise ValueError(
                    f"class_weight is set on the estimator and {attribute} on its loss {term!r}. "
                    f"Set only one."
                )
    if None in parameters or (one_channel and set(parameters) == {"class_weight"}):
        return False  # a region loss with one class has nothing to weigh
    if one_channel and "pos_weight" in parameters and weight[0] == 0:
        raise ValueError(
            f"class_weight gives the first of two classes the weight 0, but {loss!r} weighs the "
            f"second by their ratio. Use a small weight above 0."
        )
    for term, name in zip(terms, parameters, strict=True):
        assert name is not None
        value = weight
        if multilabel:
            value = weight / (1 + weight) if name == "alpha" else weight
        elif name == "pos_weight" and one_channel:
            value = weight[1:] / weight[:1]
        elif name == "alpha" and one_channel:
            value = weight[1:] / weight.sum()
        elif name == "class_weight" and one_channel:
            continue
        setattr(term, name, value)
    return True


def _is_unset(own: Any) -> bool:
    return own is None or (isinstance(own, str) and own == "auto")


def _weight_parameter(term: AnyLoss) -> str | None:
    if isinstance(term, Loss):
        names = term._param_names()
        for name in ("class_weight", "pos_weight"):
            if name in names:
                return name
        if "alpha" in names and "beta" not in names:  # focal's alpha, not Tversky's
            return "alpha"
    return None


def fill_ignore_index(loss: AnyLoss, code: int, label: Any) -> None:
    """Set the ignored code in every term of a loss.

    Parameters
    ----------
    loss : Loss, nn.Module or function
        Changed in place.
    code : int
        The code of ignored pixels.
    label : object
        Their label, or ``np.ma.masked``.

    Raises
    ------
    ValueError
        If a term has its own ``ignore_index``, or cannot ignore pixels.
    """
    masked = label is np.ma.masked
    for term in data_terms(loss):
        if not isinstance(term, nn.Module) or not hasattr(term, "ignore_index"):
            said = "y has masked pixels" if masked else f"ignore_index={label!r} is set"
            raise ValueError(
                f"{said}, but the loss {term!r} cannot ignore pixels: it has no attribute "
                f"ignore_index. Use one that does, such as 'cross_entropy' or "
                f"nn.CrossEntropyLoss()."
            )
        if term.ignore_index not in (*_UNSET_IGNORE, code):
            said = "y has masked pixels" if masked else f"ignore_index={label!r} on the estimator"
            raise ValueError(
                f"{said}, and ignore_index={term.ignore_index!r} is set on its loss {term!r}. "
                f"Set only one."
            )
        term.ignore_index = code  # type: ignore[assignment]


def check_own_ignore_index(loss: AnyLoss, classes: np.ndarray) -> None:
    """Reject a loss that ignores one of the labels: losses receive codes."""
    for term in data_terms(loss):
        own = getattr(term, "ignore_index", function_params(term).get("ignore_index"))
        labels = classes.tolist()
        if not isinstance(own, int) or isinstance(own, bool):
            continue
        is_label = own in labels and labels.index(own) != own
        is_code = 0 <= own < len(labels) and labels[own] != own
        if is_label or is_code:
            what = "which is a label here" if is_label else f"the code of the label {labels[own]!r}"
            raise ValueError(
                f"The loss {term!r} ignores {own!r}, {what}. Set ignore_index on the estimator "
                f"instead: the estimator takes your labels, the loss takes class indices."
            )
