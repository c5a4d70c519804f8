"""Losses that nothing can be learned from are refused at the first batch."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklearnloss.losses import (
    BCEWithLogitsLoss,
    BoundaryLoss,
    CompoundLoss,
    DiceLoss,
    L2Penalty,
    MultiClassHingeLoss,
    TverskyLoss,
)

from ..conftest import Data, classifier, segmenter


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(logits, target)


def softmax_dice(logits: Tensor, target: Tensor) -> Tensor:
    p = logits.softmax(1)
    return 1 - 2 * (p * target).sum() / (p.sum() + target.sum())


class OwnCrossEntropy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.CrossEntropyLoss()

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        value: Tensor = self.inner(logits, target)
        return value


CONSTANT = r"exactly 0 for any logits of shape \(4, 1, 16, 16\).*Set form = \"softmax\" on the loss"


@pytest.mark.parametrize(
    ("loss", "name"),
    [
        (cross_entropy, "cross_entropy"),
        (softmax_dice, "softmax_dice"),
        (OwnCrossEntropy, "OwnCrossEntropy"),
        (OwnCrossEntropy(), "OwnCrossEntropy"),
        (CompoundLoss([softmax_dice]) + 1e-3 * L2Penalty(), "softmax_dice"),
        (DiceLoss() + cross_entropy, "cross_entropy"),
        (0.5 * (BCEWithLogitsLoss() + softmax_dice), "softmax_dice"),
    ],
)
def test_a_softmax_over_one_channel_is_refused(loss: Any, name: str, binary_scenes: Data) -> None:
    model = segmenter(loss)
    with pytest.raises(ValueError, match=rf"gradient of the loss {name}.*{CONSTANT}"):
        model.fit(*binary_scenes)
    assert not hasattr(model, "net_")


def test_a_softmax_over_one_channel_beside_another_term_is_refused(binary_scenes: Data) -> None:
    def both(logits: Tensor, target: Tensor) -> Tensor:
        p = logits.sigmoid()
        dice = 1 - 2 * (p * target).sum() / (p + target).sum()
        return dice + F.cross_entropy(logits, target)

    message = "loss both takes a softmax over one channel.*Set form"
    for loss in (both, DiceLoss() + both):
        with pytest.raises(ValueError, match=message):
            segmenter(loss).fit(*binary_scenes)


def test_a_softmax_over_several_channels_or_pixels_is_no_mistake(
    scenes: Data, binary_scenes: Data
) -> None:
    def over_pixels(logits: Tensor, target: Tensor) -> Tensor:
        return -(logits.flatten(1).log_softmax(1) * target.flatten(1)).mean()

    def over_two(logits: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(torch.cat([-logits, logits], 1), target[:, 0].long())

    def over_samples(logits: Tensor, target: Tensor) -> Tensor:
        share = len(logits) * logits.detach().softmax(0)
        return (share * (logits.sigmoid() - target).square()).mean()

    segmenter(over_samples, batch_size=1).fit(*binary_scenes)
    segmenter(cross_entropy).fit(*scenes)
    for loss in (over_pixels, over_two):
        segmenter(loss).fit(*binary_scenes)


@pytest.mark.slow
@pytest.mark.parametrize("params", [{"precision": "bfloat16"}, {"compile": True}])
def test_it_is_refused_in_every_arithmetic(
    params: dict[str, Any], binary_scenes: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Traced as by torch.compile, but without machine code, which takes long.
    monkeypatch.setattr(torch, "compile", functools.partial(_trace, torch.compile))
    with pytest.raises(ValueError, match=r"softmax_dice is exactly 0 for any logits"):
        segmenter(DiceLoss() + softmax_dice, depth=1, **params).fit(*binary_scenes)
    segmenter("dice", depth=1, **params).fit(*binary_scenes)


def _trace(compile: Any, function: Any, **_: Any) -> Any:
    return compile(function, backend="eager")


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda z, t: (z.sigmoid().round() - t).abs().mean(), "Do not round, threshold or detach"),
        (TverskyLoss(0.0, 0.0), r"TverskyLoss\(alpha=0.0, beta=0.0\) is exactly 0.*its parameters"),
        (0 * DiceLoss() + 0 * BCEWithLogitsLoss(), "All weights of the loss .* are 0"),
        (0.0 * BCEWithLogitsLoss() + 1e-3 * L2Penalty(), "All weights of the loss .* are 0"),
    ],
)
def test_other_losses_without_a_slope_are_refused(
    loss: Any, message: str, binary_scenes: Data
) -> None:
    with pytest.raises(ValueError, match=message):
        segmenter(loss).fit(*binary_scenes)


def test_more_channels_and_labels_of_images_are_looked_at_as_well(
    scenes: Data, digits: Data
) -> None:
    def rounded(logits: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(logits.round(), target)

    for model, data in ((segmenter(rounded), scenes), (classifier(rounded), digits)):
        with pytest.raises(ValueError, match="loss rounded is exactly 0.*Do not round"):
            model.fit(*data)


@pytest.mark.slow
def test_a_loss_at_its_minimum_is_no_mistake(digits: Data) -> None:
    X, y = digits
    X, y = X[y < 2], y[y < 2]
    fitted = classifier(max_epochs=30).fit(X, y)
    hinge = MultiClassHingeLoss(margin=1e-9)
    model = classifier(hinge, lr=1e-9, weights=fitted.module_).fit(X, y)
    assert model.history_[0, "batches", 0, "train_loss"] == 0


def test_a_batch_that_does_not_count_is_no_mistake(binary_scenes: Data, digits: Data) -> None:
    X, y = binary_scenes
    y = y.astype(int)
    y[:-1] = 255  # and one image with both labels
    y[-1, :8], y[-1, 8:] = 0, 1
    loss: Any
    for loss in ("cross_entropy", "dice+bce", nn.CrossEntropyLoss()):
        segmenter(loss, ignore_index=255, batch_size=2).fit(X, y)
    weight = np.zeros(len(X))
    weight[-1] = 1
    for loss in ("dice", nn.BCEWithLogitsLoss(), lambda z, t: (z - t).square().mean((1, 2, 3))):
        segmenter(loss, batch_size=2).fit(*binary_scenes, sample_weight=weight)


def test_empty_masks_at_first_are_no_mistake(binary_scenes: Data) -> None:
    def skips_empty(logits: Tensor, target: Tensor) -> Tensor:
        p = logits.sigmoid()
        dice = 1 - 2 * (p * target).sum() / (p.sum() + target.sum())
        return dice * target.any()

    X, y = binary_scenes
    y = np.zeros_like(y)
    y[-1, 4:8] = 1
    for loss in (skips_empty, BoundaryLoss(), DiceLoss() + skips_empty):
        segmenter(loss, batch_size=2).fit(X, y)


def test_the_look_is_not_one_more_call_of_the_loss(binary_scenes: Data) -> None:
    calls = []

    def counted(logits: Tensor, target: Tensor) -> Tensor:
        calls.append(len(logits))
        return (logits.sigmoid() - target).abs().mean()

    segmenter(counted, batch_size=4, max_epochs=2).fit(*binary_scenes)
    assert calls == [4] * 6


def test_a_loss_is_looked_at_once_and_a_new_one_again(digits: Data) -> None:
    def rounded(logits: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(logits.round(), target)

    X, y = digits
    model = classifier(warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="loss rounded is exactly 0"):
        model.set_params(loss=rounded).fit(X, y)
    before = rounded.__code__
    rounded.__code__ = cross_entropy.__code__
    model.fit(X, y)
    rounded.__code__ = before  # no longer looked at
    model.fit(X, y).partial_fit(X, y)
