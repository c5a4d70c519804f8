"""Restores a fitted estimator from a file that was written by its ``save``."""

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state
from skorch.history import History
from torch import Tensor, nn

from ..._predict.decide import check_temperature
from ...losses import Loss
from ...losses._core.names import USER_LOSSES
from ...networks._build import expected_tensors
from .._data.arrays import Scaling
from .._training.net_settings import build_net
from .._training.optimizers import available_device, check_net_params
from .._training.torch_settings import check_default_dtype, usual_torch
from .codec import Node, build
from .file_format import NETWORK, from_json, read
from .half_precision import restore_halves

# Names of the tensors in a file, besides those of the network.
LOSS = "loss."
HISTORY = "history"
SCALING = ("scaling.mean", "scaling.scale")

#: The class that a file of several estimators is of.
ENSEMBLE = "LossEnsemble"

# Attributes set by fit, besides the net, the loss and the scaling.
LEARNT: dict[str, type | tuple[type, ...]] = {
    "classes_": np.ndarray,
    "data_description_": dict,  # set by the command ``compare``
    "feature_names_in_": np.ndarray,
    "input_shape_": tuple,
    "mask_values_": np.ndarray,
    "n_features_in_": int,
    "stem_": str,
    "temperature_": float,
    "threshold_": (float, np.ndarray),
}


@usual_torch()
def load_estimator(
    path: str | os.PathLike[str],
    classes: Mapping[str, Any],
    custom: Mapping[str, Any],
    device: str | None = None,
) -> Any:
    """Load a fitted estimator of one of several classes.

    Parameters
    ----------
    path : str or path-like
        The file.
    classes : dict of str to class
        The allowed classes, by name.
    custom : dict of str to object
        The user's own losses and networks, by name.
    device : str, default=None
        The network's device; None uses the estimator's parameter.

    Raises
    ------
    ValueError
        If anything is wrong with the file.
    """
    check_default_dtype()
    with _naming(path):
        config, tensors = read(path)
        custom = {**USER_LOSSES, **custom}
        if config["class"] == ENSEMBLE and ENSEMBLE in classes:
            models = _restore_several(config, tensors, classes, custom, device)
            return classes[ENSEMBLE].from_file(models, config["about"])
        return _restore(config, tensors, classes, custom, device)


@usual_torch()
def load_models(
    path: str | os.PathLike[str],
    classes: Mapping[str, Any],
    custom: Mapping[str, Any],
    device: str | None = None,
) -> tuple[list[Any], dict[str, Any]]:
    """Load all estimators of a file of several, and what else is known about them.

    The parameters and errors are those of :func:`load_estimator`.
    """
    check_default_dtype()
    with _naming(path):
        config, tensors = read(path)
        if config["class"] != ENSEMBLE:
            raise ValueError(f"it holds a {config['class']!r}; expected several estimators")
        custom = {**USER_LOSSES, **custom}
        about: dict[str, Any] = dict(config["about"])
        return _restore_several(config, tensors, classes, custom, device), about


@contextlib.contextmanager
def _naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Say in each error which file cannot be loaded."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:  # a file may contain anything
        reason = str(error) if type(error) is ValueError else f"it is malformed ({error!r})"
        reason = reason.removesuffix(".")
        raise ValueError(f"Cannot load {os.fspath(path)!r}: {reason}.") from error


def member_prefix(k: int) -> str:
    """Return the prefix of the names of the tensors of one of several estimators."""
    return f"{k}."


def _restore_several(
    config: Node,
    tensors: dict[str, Tensor],
    classes: Mapping[str, Any],
    custom: Mapping[str, Any],
    device: str | None,
) -> list[Any]:
    single = {name: cls for name, cls in classes.items() if name != ENSEMBLE}
    models = []
    for k, member in enumerate(config["members"]):
        own = restore_halves(_take(tensors, member_prefix(k)), member["halves"])
        models.append(_restore(member, own, single, custom, device))
    if tensors:
        raise ValueError(f"it holds unknown tensors: {', '.join(sorted(tensors))}")
    if not models:
        raise ValueError("it holds no estimator")
    return models


def _restore(
    config: Node,
    tensors: dict[str, Tensor],
    classes: Mapping[str, Any],
    custom: Mapping[str, Any],
    device: str | None,
) -> Any:
    if config["class"] not in classes:
        raise ValueError(
            f"it holds a {config['class']!r}; expected {' or '.join(map(repr, classes))}. "
            f"Use sklearnloss.load, or the load method of your own class"
        )
    missing = [name for name in config["custom"] if name not in custom]
    if missing:
        raise ValueError(
            f"it needs objects of your own: {', '.join(map(repr, missing))}. Pass them by name, as "
            f"in load(path, custom={{{missing[0]!r}: ...}})"
        )
    params = {key: build(node, custom) for key, node in config["params"].items()}
    model = classes[config["class"]](**params)
    check_net_params(model.net_params)
    history = from_json(tensors.pop(HISTORY))
    _fill_learnt(model, config["learnt"], tensors)
    model.loss_ = copy.deepcopy(build(config["loss"], custom))
    if not callable(model.loss_) or isinstance(model.loss_, type):
        raise ValueError(f"its loss is {model.loss_!r}, which is not a loss")
    model._fitted_loss_key = model._loss_key() if config["same_loss"] else ""
    _fill_network(model, _take(tensors, NETWORK), device)
    _fill_loss(model.loss_, _take(tensors, LOSS))
    if tensors:
        raise ValueError(f"it holds unknown tensors: {', '.join(sorted(tensors))}")
    net = model.net_
    net.history_ = History(map(_build_row, history))
    for name in config["frozen"]:
        net.module_.get_parameter(name).requires_grad_(False)
    net.note_frozen()
    if isinstance(model.loss_, Loss):
        net.class_counts_ = build(config["class_counts"], {})
        model.loss_.bind(net.module_, net.class_counts_)
    return model


def _fill_learnt(model: Any, learnt: Node, tensors: dict[str, Tensor]) -> None:
    unknown = learnt.keys() - LEARNT.keys()
    if unknown:
        raise ValueError(f"it holds unknown attributes: {', '.join(sorted(unknown))}")
    for name, node in learnt.items():
        value = build(node, {})
        if not isinstance(value, LEARNT[name]):
            raise ValueError(f"its {name} is {value!r}; expected a {_names(LEARNT[name])}")
        setattr(model, name, value)
    check_temperature(model.temperature_)
    model._read_threshold(None)
    model.scaling_ = None
    if any(name in tensors for name in SCALING):
        model.scaling_ = Scaling(*(tensors.pop(name) for name in SCALING))
        expected = torch.empty(model.input_shape_[0], device="meta")
        _check_tensors(model.scaling_._asdict(), dict.fromkeys(Scaling._fields, expected))


def _names(kinds: type | tuple[type, ...]) -> str:
    return " or ".join(kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))


def _fill_network(model: Any, weights: dict[str, Tensor], device: str | None) -> None:
    module, arguments = model._network(model._n_channels(model.loss_))
    depth = {**arguments, **arguments.get("params", {})}.get("depth", 0)
    if isinstance(depth, int) and depth > len(weights):
        # Before creating a network that may be far too large.
        raise ValueError(f"its network of depth {depth} has only {len(weights)} tensors")
    expected = expected_tensors(module, arguments)
    if expected is not None:
        _check_tensors(weights, expected)
    state = model.random_state
    # Without a random state, use one that does not draw from numpy's global generator.
    seed = torch.Generator().seed() if state is None else check_random_state(state).randint(2**31)
    where = available_device(device or model.device)
    model.net_ = build_net(model, where, int(seed), fetch_weights=False)
    _check_tensors(weights, model.net_.module_.state_dict())
    # Into a state dict of the network's own, which says what version its layers are of.
    state_dict = model.net_.module_.state_dict()
    state_dict.update(weights)
    model.net_.module_.load_state_dict(state_dict)
    model.net_._set_training(False)


def _fill_loss(loss: Any, state: dict[str, Tensor]) -> None:
    expected = loss_state(loss)
    _check_tensors(state, expected)
    if expected:
        loss.load_state_dict(state)


def loss_state(loss: Any) -> dict[str, Tensor]:
    """Return the tensors in a loss that training may have changed."""
    return dict(loss.state_dict()) if isinstance(loss, nn.Module) else {}


def _check_tensors(given: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Raise an error unless tensors have the expected names, shapes and dtypes."""
    found = {name: f"{tuple(t.shape)} {t.dtype}" for name, t in given.items()}
    wanted = {name: f"{tuple(t.shape)} {t.dtype}" for name, t in expected.items()}
    wrong = [name for name in found | wanted if found.get(name) != wanted.get(name)]
    if wrong:
        name = wrong[0]
        raise ValueError(
            f"{len(wrong)} of its tensors do not fit; the first is {name!r}: expected "
            f"{wanted.get(name, 'none')}, found {found.get(name, 'none')}"
        )


def _take(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Remove the tensors whose names have a prefix; return them without it."""
    names = [name for name in tensors if name.startswith(prefix)]
    return {name.removeprefix(prefix): tensors.pop(name) for name in names}


def _build_row(row: Node) -> dict[str, Any]:
    return {
        key: [_build_row(batch) for batch in value] if key == "batches" else build(value, {})
        for key, value in row.items()
    }
