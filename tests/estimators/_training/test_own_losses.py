"""Losses of users and other libraries: their form, targets, numbers and errors."""

from __future__ import annotations

import functools
import pickle
import random
import threading
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklearnloss.losses import (
    BCEWithLogitsLoss,
    CompoundLoss,
    CrossEntropyLoss,
    DiceLoss,
    FocalLoss,
)

from ..conftest import Data, classifier, segmenter


def softmax_focal(logits: Tensor, target: Tensor, gamma: float = 2.0) -> Tensor:
    log_p = logits.log_softmax(1).gather(1, target.unsqueeze(1)).squeeze(1)
    return (-((1 - log_p.exp()) ** gamma) * log_p).mean()


softmax_focal.form = "softmax"  # type: ignore[attr-defined]


class SigmoidBCE(nn.Module):
    form = "sigmoid"

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        masks = F.one_hot(target, logits.shape[1]).movedim(-1, 1).float()
        return F.binary_cross_entropy_with_logits(logits, masks)


@pytest.mark.slow
@pytest.mark.parametrize(
    "loss",
    [
        softmax_focal,
        functools.partial(softmax_focal, gamma=2.0),
        CompoundLoss([softmax_focal]),
    ],
)
def test_a_softmax_loss_of_ones_own_trains_as_the_built_in_one(
    loss: Any, binary_scenes: Data
) -> None:
    X, y = binary_scenes
    model = segmenter(loss).fit(X, y)
    # The focal loss goes by the target: beside a cross entropy it has two channels.
    twin = segmenter(CompoundLoss([FocalLoss(), CrossEntropyLoss()], [1.0, 0.0])).fit(X, y)
    assert model.decision_function(X).shape[1] == 2
    np.testing.assert_allclose(model.predict_proba(X), twin.predict_proba(X), atol=1e-4)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


@pytest.mark.slow
@pytest.mark.parametrize("loss", [SigmoidBCE, SigmoidBCE(), nn.BCEWithLogitsLoss()])
def test_probabilities_follow_the_form_of_a_loss(loss: Any, scenes: Data, digits: Data) -> None:
    for build, (X, y) in ((segmenter, scenes), (classifier, digits)):
        expected = build("bce").fit(X, y).predict_proba(X)
        np.testing.assert_allclose(build(loss).fit(X, y).predict_proba(X), expected, atol=1e-5)
    labels_may_overlap = np.stack([scenes[1] == 1, scenes[1] == 2], 1)
    model = segmenter(nn.BCEWithLogitsLoss(), multilabel=True).fit(scenes[0], labels_may_overlap)
    assert model.predict_proba(scenes[0]).shape[1] == 2


def test_a_softmax_loss_of_ones_own_is_not_for_labels_that_overlap(scenes: Data) -> None:
    y = np.stack([scenes[1] == 1, scenes[1] == 2], 1)
    with pytest.raises(ValueError, match="has only a softmax form"):
        segmenter(softmax_focal, multilabel=True).fit(scenes[0], y)


class Callable:
    form = "softmax"

    def __call__(self, logits: Tensor, target: Tensor) -> Tensor:
        return softmax_focal(logits, target)

    def method(self, logits: Tensor, target: Tensor) -> Tensor:
        return (logits.sigmoid() - target).abs().mean()


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is")
def test_anything_that_can_be_called_is_a_loss(binary_scenes: Data) -> None:
    X, y = binary_scenes
    scripted = torch.jit.script(per_pixel)
    for loss, n_channels in ((Callable(), 2), (Callable().method, 1), (scripted, 1)):
        assert segmenter(loss).fit(X, y).decision_function(X).shape[1] == n_channels


def per_pixel(logits: Tensor, target: Tensor) -> Tensor:
    return (logits.sigmoid() - target).abs().mean()


def test_a_misspelt_form_is_refused(binary_scenes: Data) -> None:
    def loss(logits: Tensor, target: Tensor) -> Tensor:
        return logits.mean()

    loss.form = "softmax2d"  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=r"form='softmax2d'.*Did you mean 'softmax'"):
        segmenter(loss).fit(*binary_scenes)


@pytest.mark.slow
@pytest.mark.parametrize("loss", [nn.MSELoss(), nn.MultiLabelSoftMarginLoss(), nn.HuberLoss])
def test_losses_of_torch_that_want_masks_learn_labels(loss: Any, digits: Data) -> None:
    assert classifier(loss, max_epochs=8).fit(*digits).score(*digits) > 0.8


def test_a_regression_on_masks_has_a_score_per_class(binary_scenes: Data) -> None:
    model = segmenter(nn.MSELoss()).fit(*binary_scenes)
    assert model.decision_function(binary_scenes[0]).shape[1] == 2


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (nn.KLDivLoss(), "Use 'cross_entropy'"),
        (nn.SoftMarginLoss(), "Use 'bce'"),
        (DiceLoss() + nn.SoftMarginLoss(), "Use 'bce'"),
    ],
)
def test_what_reads_something_else_is_refused(
    loss: Any, message: str, binary_scenes: Data, digits: Data
) -> None:
    for model, data in ((segmenter(loss), binary_scenes), (classifier(loss), digits)):
        with pytest.raises(ValueError, match=message):
            model.fit(*data)


def test_arguments_in_the_order_of_keras_are_refused(binary_scenes: Data) -> None:
    def dice(y_true: Tensor, y_pred: Tensor) -> Tensor:
        return 1 - (y_pred.sigmoid() * y_true).mean()

    class Dice(nn.Module):
        def forward(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
            return dice(y_true, y_pred)

    for loss in (dice, Dice, Dice(), DiceLoss() + dice):
        with pytest.raises(ValueError, match=r"are \(y_true, y_pred\), but a loss is called as"):
            segmenter(loss).fit(*binary_scenes)


def test_class_weights_of_float64_are_cast(digits: Data) -> None:
    X, y = digits
    weight = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    expected = classifier("cross_entropy", loss__class_weight=[1, 2, 3]).fit(X, y).predict_proba(X)
    losses: list[Any] = [
        nn.CrossEntropyLoss(weight=weight),
        functools.partial(F.cross_entropy, weight=weight),
        CompoundLoss([nn.CrossEntropyLoss(weight=weight)]),
    ]
    for loss in losses:
        model = classifier(loss).fit(X, y)
        np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-5)
    model = classifier(nn.MultiMarginLoss, loss__weight=weight).fit(X, y)
    assert model.loss_.weight.dtype == torch.float32
    assert weight.dtype == losses[0].weight.dtype == torch.float64


def test_an_image_that_is_all_ignored_is_no_reason_to_stop(scenes: Data) -> None:
    X, y = scenes
    y = y.astype(int)
    y[0] = 255
    for loss in (nn.CrossEntropyLoss(), DiceLoss() + nn.CrossEntropyLoss()):
        model = segmenter(loss, ignore_index=255, batch_size=1).fit(X, y)
        assert np.isfinite(model.history_[-1]["train_loss"])


def test_errors_tell_what_the_loss_was_given(scenes: Data, digits: Data) -> None:
    def flat(logits: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(logits, target)

    message = r"The loss flat failed on logits of shape \(\d+, 3, 16, 16\) and dtype torch.float32"
    with pytest.raises(ValueError, match=message + ", target of shape .* and dtype torch.int64"):
        segmenter(flat).fit(*scenes)
    with pytest.raises(ValueError, match=r"logits of shape \(15, 3\).*Write your own loss"):
        classifier(flat).fit(*digits)


def per_image(logits: Tensor, target: Tensor) -> Tensor:
    return (logits.sigmoid() - target).square().mean((1, 2, 3))


@pytest.mark.parametrize("weight", [None, np.arange(12) % 3 + 1.0], ids=["plain", "weighted"])
def test_a_sum_with_values_per_image_trains(weight: Any, binary_scenes: Data) -> None:
    X, y = binary_scenes
    model = segmenter(DiceLoss() + per_image).fit(X, y, sample_weight=weight)
    twin = segmenter("dice+brier").fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(model.predict_proba(X), twin.predict_proba(X), atol=1e-5)


def test_a_number_for_the_batch_cannot_be_weighted(binary_scenes: Data) -> None:
    def mean(logits: Tensor, target: Tensor) -> Tensor:
        return per_image(logits, target).mean()

    model = segmenter(DiceLoss() + mean).fit(*binary_scenes)
    with pytest.raises(ValueError, match=r"but mean returns .*Let it return one value per sample"):
        model.fit(*binary_scenes, sample_weight=np.ones(12))


class Noisy(nn.Module):
    """Draws numbers in building and in training."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(1 + torch.rand(1))

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        noise = torch.randn_like(logits)
        return F.binary_cross_entropy_with_logits(self.scale * logits + noise, target)


def noisy_scores(data: Data, **params: Any) -> np.ndarray:
    X, y = data
    model = segmenter(Noisy, **params).fit(X, y)
    return np.asarray(model.partial_fit(X, y).decision_function(X))


@pytest.mark.parametrize("params", [{}, {"early_stopping": True, "validation_fraction": 0.3}])
def test_a_loss_that_draws_numbers_gives_the_same_bits_again(
    params: dict[str, Any], binary_scenes: Data
) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    expected = noisy_scores(binary_scenes, **params)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    np.testing.assert_array_equal(noisy_scores(binary_scenes, **params), expected)
    other = noisy_scores(binary_scenes, **params, random_state=1)
    assert not np.array_equal(other, expected)


def test_numbers_of_numpy_and_python_are_the_same_again(binary_scenes: Data) -> None:
    def shifted(logits: Tensor, target: Tensor) -> Tensor:
        shift = random.random() + np.random.rand()  # noqa: NPY002
        return per_image(logits + shift, target).mean()

    before = random.getstate(), str(np.random.get_state())  # noqa: NPY002
    first, second = (segmenter(shifted).fit(*binary_scenes) for _ in range(2))
    assert first.history_[-1]["train_loss"] == second.history_[-1]["train_loss"]
    assert before == (random.getstate(), str(np.random.get_state()))  # noqa: NPY002


def test_each_batch_draws_other_numbers(binary_scenes: Data) -> None:
    drawn = []

    def noisy(logits: Tensor, target: Tensor) -> Tensor:
        drawn.append(torch.rand(1).item())
        return per_image(logits, target).mean()

    segmenter(noisy, max_epochs=2).fit(*binary_scenes).partial_fit(*binary_scenes)
    assert len(set(drawn)) == len(drawn) == 12


def test_fits_in_parallel_threads_draw_what_they_draw_alone(binary_scenes: Data) -> None:
    expected = noisy_scores(binary_scenes)
    found = {}

    def work(k: int) -> None:
        found[k] = noisy_scores(binary_scenes)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k in range(4):
        np.testing.assert_array_equal(found[k], expected)


def test_a_nan_at_first_is_not_put_down_to_the_learning_rate(binary_scenes: Data) -> None:
    seen = []

    def fails(logits: Tensor, target: Tensor, batch: int = 0) -> Tensor:
        seen.append(1)
        return logits.mean() * (torch.nan if len(seen) > batch else 1.0)

    for batch, message in ((0, "a smaller lr does not help"), (1, "Try a smaller lr")):
        seen.clear()
        with pytest.raises(FloatingPointError, match=message):
            segmenter(fails, loss__batch=batch).fit(*binary_scenes)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ({0: 0.0, 1: 0.0}, "class_weight is 0 for every class that occurs"),
        ({0: 1e-40}, "class_weight holds 1e-40.*divide them by their mean"),
        ([1.0, 1e38], r"class_weight holds 1e\+38"),
        ([1.0, np.inf], "class_weight must be finite"),
    ],
)
def test_class_weights_that_cannot_train_are_refused(
    weight: Any, message: str, binary_scenes: Data
) -> None:
    for loss in ("cross_entropy", BCEWithLogitsLoss()):
        with pytest.raises(ValueError, match=message):
            segmenter(loss, class_weight=weight).fit(*binary_scenes)


def test_sample_weights_that_cannot_train_are_refused(binary_scenes: Data) -> None:
    for value in (1e-36, 1e36):
        with pytest.raises(ValueError, match="sample_weight holds 1e.*divide them by their mean"):
            segmenter("dice").fit(*binary_scenes, sample_weight=np.full(12, value))
