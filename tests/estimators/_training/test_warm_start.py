"""Training that goes on follows what was changed, or refuses it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ..conftest import Data, classifier, segmenter


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"width": 8}, "was fitted with width=4, but width is now 8. Set it back, or refit"),
        ({"depth": 1}, "was fitted with depth=(18|2), but depth is now 1"),
        ({"normalize": None}, "was fitted with normalize='auto', but normalize is now None"),
        ({"weights": "some.pt"}, "was fitted from other weights than those in weights now"),
        ({"classes": [0, 1, 2, 3]}, r"with classes=\[0, 1, 2\], but classes is now \[0, 1, 2, 3\]"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_a_network_has_from_its_first_training_cannot_change(
    changed: dict[str, Any], message: str, digits: Data, scenes: Data
) -> None:
    for make, (X, y) in ((classifier, digits), (segmenter, scenes)):
        model = make(warm_start=True).fit(X, y)
        expected = model.predict_proba(X)
        model.set_params(**changed)
        for train in (model.fit, model.partial_fit):
            with pytest.raises(ValueError, match=message):
                train(X, y)
        assert (model.predict_proba(X) == expected).all()


def test_another_norm_is_refused(scenes: Data) -> None:
    model = segmenter(warm_start=True).fit(*scenes).set_params(norm="batch")
    with pytest.raises(ValueError, match="was fitted with norm='group', but norm is now 'batch'"):
        model.partial_fit(*scenes)
    assert model.set_params(warm_start=False).fit(*scenes).n_iter_ == 1


def test_the_same_settings_go_on(scenes: Data, tmp_path: Any) -> None:
    X, y = scenes
    path = str(tmp_path / "start.safetensors")
    segmenter().fit(X, y).save(path)
    state = segmenter().fit(X, y).module_.state_dict()
    for weights, again in ((path, tmp_path / "start.safetensors"), (state, state)):
        model = segmenter(weights=weights, classes=[2, 1, 0], normalize=None).fit(X, y)
        model.set_params(weights=again, classes=[0, 1, 2]).partial_fit(X, y)
        assert model.n_iter_ == 2
    model = segmenter(classes=[0, 1, 2], ignore_index=2, loss="cross_entropy").fit(X, y)
    assert model.partial_fit(X, y).n_iter_ == 2


def test_arguments_of_the_optimizer_may_change(digits: Data) -> None:
    model = classifier(net_params={"optimizer__betas": (0.5, 0.6)}).fit(*digits)

    def steps() -> float:
        return float(model.net_.optimizer_.state_dict()["state"][0]["step"])

    first = steps()
    assert model.partial_fit(*digits).n_iter_ == 2
    assert steps() == 2 * first  # the same optimizer
    model.set_params(net_params={"optimizer__betas": (0.7, 0.8)}).partial_fit(*digits)
    assert model.net_.optimizer_.param_groups[0]["betas"] == (0.7, 0.8)
    model.set_params(net_params=None).partial_fit(*digits)
    assert model.net_.optimizer_.param_groups[0]["betas"] == (0.9, 0.999)


@pytest.mark.slow
def test_an_optimizer_may_follow_that_wants_another_layout(digits: Data) -> None:
    model = classifier(weight_decay=0).fit(*digits)
    kernel = model.module_.get_parameter("layer1.0.conv1.weight")
    assert kernel.is_contiguous(memory_format=torch.channels_last)
    model.set_params(optimizer="lbfgs").partial_fit(*digits)
    assert kernel.is_contiguous()
    model.set_params(optimizer="adamw").partial_fit(*digits)
    assert kernel.is_contiguous(memory_format=torch.channels_last)
    assert model.n_iter_ == 3
