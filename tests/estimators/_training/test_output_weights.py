"""Networks with several outputs, against a loop by hand."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklearnloss import ImageClassifier, ImageSegmenter
from sklearnloss.losses import get_loss
from tests.optional import import_or_skip

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 1, 12, 10)).astype(np.float32)
MASKS = np.digitize(X[:, 0], [-0.5, 0.5])
LABELS = np.array([0, 1, 2, 1])


class Heads(nn.Module):
    """Three heads, the second of a quarter of the resolution; one alone in evaluation."""

    def __init__(self, form: str, *, masks: bool) -> None:
        super().__init__()
        self.form, self.masks = form, masks
        self.heads = nn.ModuleList(nn.Conv2d(1, 3, 3, padding=1) for _ in range(3))

    def all(self, x: Tensor) -> list[Tensor]:
        scores = [head(x) for head in self.heads]
        if not self.masks:
            return [each.mean((2, 3)) for each in scores]
        if self.form != "stacked":
            scores[1] = F.avg_pool2d(scores[1], 2)
        return scores

    def forward(self, x: Tensor) -> Any:
        scores = self.all(x)
        if not self.training:
            return scores[0]
        forms: dict[str, Callable[[], Any]] = {
            "list": lambda: scores,
            "tuple": lambda: tuple(scores),
            "dict": lambda: {"aux": scores[1], "more": scores[2], "out": scores[0]},
            "stacked": lambda: torch.stack(scores, 1),
        }
        return forms[self.form]()


def fitted(network: nn.Module, loss: Any, **params: Any) -> Any:
    """Take two steps of gradient descent on all images."""
    cls = ImageSegmenter if getattr(network, "masks", False) else ImageClassifier
    y = MASKS if cls is ImageSegmenter else LABELS
    settings: dict[str, Any] = {
        **{"optimizer": "sgd", "lr": 0.1, "weight_decay": 0, "scheduler": None},
        **{"batch_size": 4, "max_epochs": 2, "normalize": None, "precision": "float32"},
        **{"random_state": 0, **params},
    }
    return cls(network, loss, **settings).fit(X, y)


def by_hand(network: Heads, loss: Any, weights: Sequence[float], penalty: float = 0) -> Heads:
    """The same, written out."""
    network = copy.deepcopy(network).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    target = torch.from_numpy(MASKS if network.masks else LABELS)
    for _ in range(2):
        optimizer.zero_grad()
        total: Any = 0
        for weight, scores in zip(weights, network.all(torch.from_numpy(X)), strict=True):
            if network.masks and scores.shape[2:] != target.shape[1:]:
                scores = F.interpolate(scores, target.shape[1:], mode="bilinear")
            total = total + weight * loss(scores, target)
        kernels = (p for p in network.parameters() if p.ndim > 1)
        (total + penalty * sum(p.square().sum() for p in kernels)).backward()
        optimizer.step()
    return network


def assert_equal(model: Any, expected: Heads) -> None:
    found = model.module_.network.state_dict()
    for name, value in expected.state_dict().items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("weights", [None, [1, 0.3, 0], [0.5, 0, 2]])
@pytest.mark.parametrize("form", ["list", "tuple", "dict", "stacked"])
def test_masks_have_the_weighted_sum_of_the_losses(form: str, weights: Any) -> None:
    network = Heads(form, masks=True)
    model = fitted(network, "dice+cross_entropy", output_weights=weights)
    loss = get_loss("dice+cross_entropy")
    assert_equal(model, by_hand(network, loss, weights or [1, 0.5, 0.25]))


@pytest.mark.parametrize("form", ["list", "tuple", "dict"])
def test_labels_have_the_weighted_sum_of_the_losses(form: str) -> None:
    network = Heads(form, masks=False)
    model = fitted(network, "cross_entropy", output_weights=(2, 1, 0.1))
    assert_equal(model, by_hand(network, F.cross_entropy, [2, 1, 0.1]))


@pytest.mark.parametrize("weights", [[1, 1, 1], [0.5, 2, 0]])
def test_penalties_count_once_whatever_the_weights(weights: list[float]) -> None:
    network = Heads("list", masks=False)
    model = fitted(network, "focal+0.01*l2", output_weights=weights)
    assert_equal(model, by_hand(network, get_loss("focal"), weights, penalty=0.01))


def test_predictions_are_made_of_the_first() -> None:
    network = Heads("dict", masks=True)
    model = fitted(network, "cross_entropy")
    with torch.no_grad():
        expected = model.module_.network.heads[0](torch.from_numpy(X))
    np.testing.assert_allclose(model.decision_function(X), expected, rtol=1e-4, atol=1e-5)


def test_outputs_of_other_kinds_are_left_out() -> None:
    class WithFeatures(Heads):
        def forward(self, x: Tensor) -> Any:
            return self.heads[0](x), self.heads[1](x).mean((2, 3)), {"a": 1}, None

    model = fitted(WithFeatures("list", masks=True), "cross_entropy", output_weights=[1])
    assert model.module_.sizes.n_heads == 1


@pytest.mark.slow
def test_several_outputs_compiled() -> None:
    network = Heads("list", masks=True)
    try:
        torch.compile(lambda x: x + 1)(torch.ones(2))
    except Exception as error:
        pytest.skip(f"torch.compile does not work here: {error}")
    model = fitted(network, "cross_entropy", compile=True)
    assert_equal(model, by_hand(network, F.cross_entropy, [1, 0.5, 0.25]))


@pytest.mark.slow
def test_deep_supervision_of_monai_and_auxiliary_heads_of_torchvision() -> None:
    import_or_skip("monai.networks.nets")
    params: dict[str, Any] = {
        **{"kernel_size": [3, 3, 3], "strides": [1, 2, 2], "upsample_kernel_size": [2, 2]},
        **{"filters": [4, 8, 8], "deep_supervision": True},
    }
    model = ImageSegmenter(
        "monai:DynUNet", max_epochs=1, **{f"network__{k}": v for k, v in params.items()}
    ).fit(X, MASKS)
    assert model.module_.sizes.n_heads == 2
    import_or_skip("torchvision.models")
    classifier = ImageClassifier("torchvision:googlenet", max_epochs=1).fit(X, LABELS)
    assert classifier.module_.sizes.n_heads == 3


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1], r"output_weights=\[1\]. Expected 3 nonnegative numbers"),
        ([1, -1, 1], "Expected 3 nonnegative numbers"),
        ([1, float("nan"), 1], "Expected 3 nonnegative numbers"),
        (["a", "b", "c"], "Expected 3 nonnegative numbers"),
        ([[1, 2, 3]], "Expected 3 nonnegative numbers"),
        ([0, 0, 0], "are all 0: nothing would be learned"),
    ],
)
def test_weights_that_are_none(weights: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fitted(Heads("list", masks=False), "cross_entropy", output_weights=weights)
