"""Weights with the channels innermost, and what depends on their order in memory."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from sklearnloss import ResNetClassifier, UNetSegmenter
from sklearnloss.estimators._training.memory_format import (
    align_state,
    lay_out,
    put_channels_last,
)
from sklearnloss.networks import ResNet, UNet


@pytest.mark.parametrize("n_axes", [1, 2, 3])
@pytest.mark.parametrize("norm", ["group", "batch"])
def test_channels_last_changes_neither_weights_nor_scores(n_axes: int, norm: str) -> None:
    torch.manual_seed(0)
    network = UNet(depth=1, width=4, norm=norm, n_axes=n_axes)  # type: ignore[arg-type]
    x = torch.randn(2, 1, *[8] * n_axes)
    before, expected = copy.deepcopy(network), network(x)
    put_channels_last(network)
    for weight, old in zip(network.parameters(), before.parameters(), strict=True):
        assert torch.equal(weight, old)
    torch.testing.assert_close(network(x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("n_axes", "order"), [(2, (0, 2, 3, 1)), (3, (0, 2, 3, 4, 1))])
def test_channels_are_innermost(n_axes: int, order: tuple[int, ...]) -> None:
    network = ResNet(2, 3, width=4, stem="small", n_axes=n_axes)
    put_channels_last(network)
    for layer in (network.conv1, network.layer1[0].conv2):
        assert layer.weight.permute(order).is_contiguous()  # type: ignore[union-attr,operator]


@pytest.mark.parametrize("n_channels", [1, 3])
def test_outputs_of_the_first_layer_are_channels_last(n_channels: int) -> None:
    layer = nn.Conv2d(n_channels, 4, 3)
    put_channels_last(layer)
    scores = layer(torch.randn(2, n_channels, 8, 8))
    assert scores.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("layer", "channels_last"),
    [
        (nn.Conv2d(4, 8, 1, stride=2), False),
        (nn.Conv2d(15, 8, 1, stride=(1, 2)), False),
        (nn.ConvTranspose2d(32, 4, 1, stride=2, output_padding=1), False),
        (nn.Conv2d(16, 8, 1, stride=2), True),
        (nn.Conv2d(4, 8, 1), True),
        (nn.Conv2d(4, 8, 3, stride=2), True),
        (nn.Conv2d(8, 8, 1, stride=2, groups=2), True),
        (nn.Conv3d(4, 8, 1, stride=2), True),
    ],
)
def test_networks_that_train_safely_only_channels_first(
    layer: nn.Module, channels_last: bool
) -> None:
    network = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Sequential(layer))
    put_channels_last(network)  # as a given network may be
    lay_out(network, torch.optim.AdamW)
    assert (network.get_parameter("0.weight").stride(1) == 1) == channels_last
    if not channels_last:
        for weight in network.parameters():
            assert weight.stride() == torch.empty(weight.shape).stride()


SHORTCUT = """
import faulthandler
import numpy as np
import torch
from torch import nn
from sklearnloss import ImageClassifier

faulthandler.enable()
torch.set_num_threads(1)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.shortcut = nn.Conv2d(4, 8, 1, stride=2)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.shortcut(self.stem(x)).mean((2, 3)))

rng = np.random.default_rng(0)
X = rng.normal(size=(12, 3, 64, 64)).astype(np.float32)
def channels_last(x):
    return x.to(memory_format=torch.channels_last)
for augment in (None, channels_last):
    model = ImageClassifier(
        network=Net(), augment=augment, max_epochs=4, batch_size=3, device="cpu"
    )
    assert np.isfinite(model.fit(X, np.arange(12) % 3).predict_proba(X)).all()
print("trained")
"""


def test_narrow_strided_shortcuts_train() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SHORTCUT], capture_output=True, text=True, timeout=120
    )
    assert "trained" in done.stdout, done.stderr


def test_a_fused_step_after_alignment_is_a_plain_step() -> None:
    torch.manual_seed(0)
    start = torch.randn(4, 3, 3, 3)
    weights = [nn.Parameter(start.clone()) for _ in range(2)]
    weights[0].data = weights[0].data.contiguous(memory_format=torch.channels_last)
    fused = torch.optim.AdamW(weights[:1], fused=True)
    plain = torch.optim.AdamW(weights[1:])
    for k in range(3):
        for weight in weights:
            generator = torch.Generator().manual_seed(k)
            weight.grad = torch.empty_like(weight).copy_(
                torch.randn(4, 3, 3, 3, generator=generator)
            )
        if k == 1:  # as after a pickle
            state = fused.state[weights[0]]
            state |= {name: value.contiguous() for name, value in state.items()}
            align_state(fused)
        fused.step()
        plain.step()
    torch.testing.assert_close(weights[0].data, weights[1].data)


def test_training_goes_on_after_a_pickle_as_without() -> None:
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(24, 8, 8)).astype(np.float32), np.arange(24) % 3
    model = ResNetClassifier(width=4, max_epochs=2, batch_size=8, random_state=0)
    model.partial_fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    weights = [each.partial_fit(X, y).module_.state_dict() for each in (model, again)]
    for name, weight in weights[0].items():
        assert torch.equal(weight, weights[1][name]), name
        assert weight.stride() == weights[1][name].stride(), name


def test_a_loss_may_view_the_scores() -> None:
    def flat_cross_entropy(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        n, n_classes = logits.shape[:2]
        scores = logits.view(n, n_classes, -1)
        return nn.functional.cross_entropy(scores, target.view(n, -1))

    generator = np.random.default_rng(0)
    X = generator.normal(size=(4, 3, 16, 16)).astype(np.float32)
    y = generator.integers(0, 3, (4, 16, 16))
    model = UNetSegmenter(flat_cross_entropy, depth=1, width=4, max_epochs=1, random_state=0)
    scores = model.fit(X, y).decision_function(X)
    assert scores.flags.c_contiguous
