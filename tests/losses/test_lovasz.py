from __future__ import annotations

import numpy as np
import pytest
import torch

from sklearnloss.losses import LovaszHingeLoss, LovaszSoftmaxLoss

from .cases import Case, binary, logits, multiclass
from .references import maps


def extension_by_definition(errors: np.ndarray, t: np.ndarray) -> float:
    """Sum over the sets of the i worst pixels, each Jaccard loss computed as a set function."""
    order = np.argsort(-errors, kind="stable")
    total, before = 0.0, 0.0
    for i in range(1, len(order) + 1):
        wrong = np.zeros(len(t), dtype=bool)
        wrong[order[:i]] = True
        truth = t > 0.5
        predicted = truth ^ wrong
        union = (truth | predicted).sum()
        jaccard = 1 - (truth & predicted).sum() / union if union else 0.0
        total += errors[order[i - 1]] * (jaccard - before)
        before = jaccard
    return total


def test_hinge_equals_the_definition() -> None:
    z, t = binary()
    zs, ts = z.numpy().reshape(3, -1), t.numpy().reshape(3, -1)
    expected = [
        extension_by_definition(np.maximum(0, 1 - a * (2 * b - 1)), b)
        for a, b in zip(zs, ts, strict=True)
    ]
    value = LovaszHingeLoss(reduction="sample")(z, t)
    np.testing.assert_allclose(value, expected, rtol=1e-12)


@pytest.mark.parametrize("case", [binary, multiclass])
def test_softmax_equals_the_definition(case: object) -> None:
    z, t = case()  # type: ignore[operator]
    p, onehot = maps(Case(z, t))
    expected = [
        np.mean([extension_by_definition(np.abs(b - a), b) for a, b in zip(pn, tn, strict=True)])
        for pn, tn in zip(p, onehot, strict=True)
    ]
    value = LovaszSoftmaxLoss(reduction="sample")(z, t)
    np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_softmax_of_certain_scores_is_one_minus_the_iou() -> None:
    z = torch.tensor([[[1e4, 1e4, 1e4, -1e4]]])
    t = torch.tensor([[[1.0, 1.0, 0.0, 1.0]]])
    assert LovaszSoftmaxLoss()(z, t).item() == pytest.approx(1 - 2 / 4)


def test_hinge_of_one_pixel_is_the_hinge() -> None:
    for z, t in ((0.3, 1.0), (0.3, 0.0), (-2.0, 1.0), (5.0, 1.0)):
        value = LovaszHingeLoss()(torch.tensor([[z]]), torch.tensor([[t]]))
        assert value.item() == pytest.approx(max(0.0, 1 - z * (2 * t - 1)))


def test_an_empty_mask_costs_the_largest_error() -> None:
    z = torch.tensor([[[0.5, -3.0, 2.0]]])
    assert LovaszHingeLoss()(z, torch.zeros(1, 1, 3)).item() == pytest.approx(3.0)


@pytest.mark.parametrize("case", [binary, multiclass])
def test_eps_is_that_many_positive_pixels_that_are_always_right(case: object) -> None:
    z, t = case()  # type: ignore[operator]
    p, onehot = maps(Case(z, t))
    right = np.ones((*p.shape[:2], 3))
    errors = np.concatenate([np.abs(onehot - p), 0 * right], 2)
    truth = np.concatenate([onehot, right], 2)
    expected = np.mean(
        [
            extension_by_definition(e, b)
            for en, tn in zip(errors, truth, strict=True)
            for e, b in zip(en, tn, strict=True)
        ]
    )
    np.testing.assert_allclose(LovaszSoftmaxLoss(eps=3.0)(z, t), expected, rtol=1e-7)


def test_eps_spreads_the_cost_of_an_empty_mask() -> None:
    z = torch.tensor([[[0.5, -3.0, 2.0]]], requires_grad=True)
    LovaszHingeLoss(eps=10.0)(z, torch.zeros(1, 1, 3)).backward()
    assert z.grad is not None
    assert (z.grad > 0).tolist() == [[[True, False, True]]]
    with pytest.raises(ValueError, match=r"eps=-1 is not a number in \[0, inf\)"):
        LovaszHingeLoss(eps=-1)(z, torch.zeros(1, 1, 3))


def test_batch_sorts_all_images_together() -> None:
    z, t = binary()
    together = LovaszHingeLoss()(z.reshape(1, 1, -1), t.reshape(1, 1, -1))
    torch.testing.assert_close(LovaszHingeLoss(batch=True)(z, t), together)
    z, t = multiclass()
    together = LovaszSoftmaxLoss()(z.movedim(0, 1).flatten(1).unsqueeze(0), t.reshape(1, -1))
    torch.testing.assert_close(LovaszSoftmaxLoss(batch=True)(z, t), together)


def test_hinge_of_indices_is_that_of_a_mask_per_class() -> None:
    z, t = multiclass()
    each = [LovaszHingeLoss()(z[:, c : c + 1], (t == c).double()) for c in range(4)]
    torch.testing.assert_close(LovaszHingeLoss()(z, t), torch.stack(each).mean())


def test_weights_count_like_copies() -> None:
    z, t = logits(6, 1, 1), torch.tensor([1.0, 0, 1, 0, 0, 1]).double().reshape(6, 1, 1)
    weight = torch.tensor([2, 1, 0, 3, 1, 1])
    copies = z.repeat_interleave(weight, 0), t.repeat_interleave(weight, 0)
    for loss in (LovaszHingeLoss(batch=True), LovaszSoftmaxLoss(batch=True)):
        torch.testing.assert_close(loss(z, t, weight.double()), loss(*copies))


@pytest.mark.parametrize("loss", [LovaszHingeLoss(), LovaszSoftmaxLoss()])
def test_gradients_keep_their_digits_on_large_images(loss: LovaszHingeLoss) -> None:
    z = torch.linspace(-3, 3, 2**20)  # far enough apart to be sorted alike in any precision
    z = z[torch.randperm(len(z))].reshape(1, 1, -1)
    t = torch.zeros_like(z)
    t[..., :100] = 1
    gradients = []
    for scores in (z.clone(), z.double()):
        scores.requires_grad_()
        gradients.append(torch.autograd.grad(loss(scores, t), scores)[0].double())
    scale = gradients[1].abs().amax().item()
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-5 * scale)
