"""Networks from torchvision, with its weights for other channels and classes."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from ._adapt.layers import exchange_first, exchange_outputs
from ._adapt.wanted import Wanted

Params = Mapping[str, Any]

#: Deprecated parameters that requested weights.
LEGACY = ("pretrained", "pretrained_backbone")


def torchvision_names() -> list[str]:
    """Return the names of networks for labels and masks."""
    from torchvision import models

    return [*models.list_models(models), *models.list_models(models.segmentation)]


def build_torchvision(name: str, wanted: Wanted, params: Params) -> nn.Module:
    """Make a torchvision network for any number of channels and classes.

    Weights are kept exactly, except that layers for other classes start at random and
    the first kernel is adapted to the channels.

    Raises
    ------
    ValueError
        If it is for another task than wanted, or has no such weights.
    """
    from torchvision import models

    masks = name in models.list_models(models.segmentation)
    if masks != wanted.per_pixel:
        task = "masks" if wanted.per_pixel else "labels of images"
        raise ValueError(f"network='torchvision:{name}' is not for {task}.")
    legacy = [key for key in LEGACY if key in params]
    if legacy:
        raise ValueError(
            f"network__{legacy[0]} is deprecated. Set network__weights='DEFAULT'"
            f"{' or network__weights_backbone' * masks}."
        )
    silent = {"weights": None, "weights_backbone": None} if masks else {"weights": None}
    given = {**silent, **params}
    chosen = _chosen_weights(name, given["weights"])
    kept = chosen is not None or given.get("weights_backbone") is not None
    numbers = {"num_classes": wanted.n_outputs} if chosen is None else {}
    network = _get_model(name, {**given, **numbers})
    if chosen is not None and len(chosen.meta["categories"]) != wanted.n_outputs:
        exchange_outputs(network, _heads(name, network, given, chosen), wanted.n_outputs)
    exchange_first(network, wanted.in_channels, keep=kept)
    if wanted.in_channels != 3 and getattr(network, "transform_input", False):
        network.__dict__["transform_input"] = False  # it assumes three channels
    return network


def _get_model(name: str, params: Params) -> nn.Module:
    from torchvision import models

    with warnings.catch_warnings():
        # The warning that Inception's initialization will change: it is the one from the paper.
        warnings.simplefilter("ignore", FutureWarning)
        network: nn.Module = models.get_model(name, **params)
    return network


def _chosen_weights(name: str, weights: Any) -> Any:
    """Return weights by name, such as "DEFAULT"; None for none."""
    from torchvision import models

    if weights is None:
        return None
    known = models.get_model_weights(name)
    if isinstance(weights, str):
        text = weights.removeprefix(f"{known.__name__}.")
        if text in known.__members__:
            return known[text]
    if isinstance(weights, known):
        return weights
    names = ", ".join(map(repr, known.__members__))
    raise ValueError(
        f"network__weights={weights!r}: torchvision has no such weights of {name}. Expected one of "
        f"{names}."
    )


def _heads(name: str, network: nn.Module, given: Params, chosen: Any) -> list[str]:
    """Return the names of the layers with one output per class."""
    silent = {key: None for key in ("weights", "weights_backbone") if key in given}
    others = {**implied_by_weights(name, given), **given, **silent}
    with torch.device("meta"):
        other = _get_model(name, {**others, "num_classes": len(chosen.meta["categories"]) + 1})
    shapes = {key: value.shape for key, value in other.named_parameters()}
    differ = [key for key, p in network.named_parameters() if p.shape != shapes[key]]
    return list(dict.fromkeys(key.rpartition(".")[0] for key in differ))


def implied_by_weights(name: str, params: Params) -> dict[str, Any]:
    """Return the settings that weights imply, for a network that is made without them."""
    from torchvision import models

    if name not in torchvision_names() or params.get("weights") is None:
        return {}
    chosen = _chosen_weights(name, params["weights"])
    takes = inspect.signature(models.get_model_builder(name)).parameters
    if "aux_loss" in takes:
        return {"aux_loss": True}
    if name in ("googlenet", "inception_v3"):
        return {"aux_logits": name == "inception_v3", "transform_input": True}
    if name.startswith("vit_"):
        return {"image_size": chosen.meta["min_size"][0]}
    return {"input_size": chosen.meta["min_size"]} if name.startswith("maxvit") else {}
