"""One network with the averaged weights of several that were trained from the same start."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch


def averaged_weights(models: Sequence[Any], weights: Sequence[float]) -> Any:
    """Return a model whose network has the averaged weights of several models, a "soup".

    This helps only if they have the same initial weights and training data, as the models of
    one fold have in a search: elsewhere their weights have nothing to do with each other.

    Parameters
    ----------
    models : list of fitted estimators
        They are not changed.
    weights : list of float
        They add up to 1.

    Returns
    -------
    soup : estimator or None
        Of the first model's kind; None if the networks differ in their tensors.

    References
    ----------
    M. Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves
    accuracy without increasing inference time", ICML 2022. https://arxiv.org/abs/2203.05482
    """
    states = [model.net_.module_.state_dict() for model in models]
    shapes = [{name: tensor.shape for name, tensor in state.items()} for state in states]
    if any(each != shapes[0] for each in shapes):
        return None
    soup = copy.deepcopy(models[0])
    with torch.no_grad():
        for name, target in soup.net_.module_.state_dict().items():
            if target.is_floating_point():
                parts = zip(weights, states, strict=True)
                target.copy_(sum(weight * state[name].to(target) for weight, state in parts))
    return soup
