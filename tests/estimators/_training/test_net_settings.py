"""A net has the same settings after a first fit and after a warm start."""

from __future__ import annotations

from typing import Any

import torch

from ..conftest import Data, classifier

FIRST: dict[str, Any] = {
    "optimizer": "sgd",
    "net_params": {"optimizer__momentum": 0.5, "use_caching": False, "callbacks__print_log": None},
    "precision": "bfloat16",
}
THEN: dict[str, Any] = {
    "optimizer": "adamw",
    "lr": 0.02,
    "weight_decay": 0.3,
    "max_epochs": 2,
    "batch_size": 7,
    "verbose": 1,
    "precision": "float32",
    "net_params": {"optimizer__betas": (0.5, 0.6), "torch_load_kwargs": {"weights_only": True}},
    "clip_norm": 1.0,
}


def settings(net: Any) -> dict[str, Any]:
    """Return what a net was told, the callbacks by their names."""
    plain = ("lr", "max_epochs", "batch_size", "verbose", "device", "use_caching")
    names = [*plain, "torch_load_kwargs", "autocast_", "compile_", "optimizer"]
    told = {
        k: v for k, v in vars(net).items() if k in names or k.startswith(("opti", "callbacks__"))
    }
    told.pop("optimizer_")
    callbacks = [(name, type(callback)) for name, callback in net.callbacks_]
    groups = [{k: v for k, v in g.items() if k != "params"} for g in net.optimizer_.param_groups]
    return {**told, "callbacks": callbacks, "groups": groups}


def test_a_warm_start_tells_the_net_what_a_first_fit_would(digits: Data) -> None:
    model = classifier(warm_start=True, scheduler=None, **FIRST).fit(*digits)
    before = settings(model.net_)
    assert (before["autocast_"], before["use_caching"]) == (torch.bfloat16, False)
    assert before["callbacks__print_log"] is None
    warm = settings(model.set_params(**THEN).fit(*digits).net_)
    first = settings(classifier(scheduler=None, **THEN).fit(*digits).net_)
    for group in warm["groups"]:
        assert group.pop("initial_lr") == 0.02
    assert warm == first
    for name in ("lr", "max_epochs", "batch_size"):
        assert warm[name] == THEN[name]
    assert warm["optimizer__betas"] == (0.5, 0.6)
    assert "optimizer__momentum" not in warm


def test_weight_decay_follows_but_for_groups_that_have_their_own(digits: Data) -> None:
    groups = {"optimizer__param_groups": [("fc*", {"weight_decay": 0.0})]}
    model = classifier(net_params=groups, weight_decay=0.1).fit(*digits)
    optimizer = model.net_.optimizer_
    for decay in (0.2, 0.3):
        model.set_params(weight_decay=decay).partial_fit(*digits)
        assert sorted(g["weight_decay"] for g in optimizer.param_groups) == [0.0, decay]
    assert model.net_.optimizer_ is optimizer
