"""The laws that :func:`check_loss` checks, and the data it checks them on."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .._core.argument_order import refuse_target_first
from .._core.base import Loss
from .._core.compound import CompoundLoss
from .._core.foreign import AnyLoss, call, call_loss
from .._core.penalty import Penalty


class Skip(Exception):
    """Raised if a law does not apply to a loss."""


@dataclass
class Case:
    """A loss with data it can be called on; every law gets the same targets."""

    loss: AnyLoss
    labels: Tensor
    n_channels: int

    @property
    def target(self) -> Tensor:
        """A copy of the target, which the loss may modify."""
        return self.labels.clone()

    def __call__(self, z: Tensor, t: Tensor | None = None) -> Tensor:
        value: Tensor = call(self.loss, z, self.target if t is None else t.clone())
        return value if value.ndim == 0 else value.mean()

    def perfect(self, size: float = 5.0, t: Tensor | None = None) -> Tensor:
        """Return scores that are correct everywhere."""
        t = self.target if t is None else t
        if t.is_floating_point():
            return size * (2 * t - 1)
        onehot = nn.functional.one_hot(t, self.n_channels).movedim(-1, 1).float()
        return size * (2 * onehot - 1)

    def random(self, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return ordinary scores."""
        generator = torch.Generator().manual_seed(seed)
        shape = self.perfect().shape
        return 2 * torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def make_case(loss: AnyLoss, target: str, softmax: bool) -> Case:
    # No two axes are equally long: a loss that confuses them must not broadcast by accident.
    n, size = (12, ()) if target == "classes of images" else (4, (6, 5))
    n_classes = 2 if target == "binary masks" else 3
    labels = torch.arange(n * max(1, torch.Size(size).numel())) % n_classes
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    labels = labels[order].reshape(n, *size)
    n_channels = n_classes
    if target == "binary masks" and not softmax:
        t, n_channels = labels.unsqueeze(1).float(), 1
    elif target == "multilabel masks":
        t = torch.stack([(labels == c) | (labels == 0) for c in range(3)], 1).float()
    else:
        t = labels
    if isinstance(loss, Loss):
        loss.bind(nn.Conv2d(1, 1, 3), torch.full((n_channels,), 10))
    return Case(loss, t, n_channels)


def _demand(condition: bool | Tensor, message: str) -> None:
    if not bool(condition):
        raise AssertionError(message)


def _value_and_gradient(case: Case, z: Tensor, t: Tensor | None = None) -> tuple[Tensor, Tensor]:
    z = z.detach().clone().requires_grad_()
    value = case(z, t)
    _demand(value.requires_grad, "the value does not depend on the scores")
    (gradient,) = torch.autograd.grad(value, z)
    return value.detach(), gradient


def _demand_finite(case: Case, z: Tensor, t: Tensor | None = None) -> None:
    value, gradient = _value_and_gradient(case, z, t)
    _demand(value.isfinite(), f"the value is {value.item()}")
    _demand(gradient.isfinite().all(), "the gradient has nan or infinite entries")


def _shape(case: Case) -> None:
    value = call(case.loss, case.random(), case.target)
    n = len(case.target)
    right = value.ndim == 0 or value.shape[0] == n
    _demand(right, f"returns shape {tuple(value.shape)} for {n} samples")


def _ordinary(case: Case) -> None:
    _demand_finite(case, case.random())


def _huge(case: Case) -> None:
    for size in (1e2, 1e4):
        _demand_finite(case, case.perfect(size))
        _demand_finite(case, case.perfect(-size))


def _gradient(case: Case) -> None:
    z = case.random(dtype=torch.float64)
    t = case.target.double() if case.target.is_floating_point() else case.target
    try:
        value, gradient = _value_and_gradient(case, z, t)
    except RuntimeError as error:
        raise Skip(f"not in float64: {str(error).splitlines()[0]}") from error
    precise = value.dtype == torch.float64
    step, tolerance = (1e-5, 1e-4) if precise else (1e-2, 5e-2)
    for seed in range(1, 4):
        direction = case.random(seed, torch.float64)
        slope = (case(z + step * direction, t) - case(z - step * direction, t)) / (2 * step)
        expected = (gradient * direction).sum()
        close = (slope - expected).abs() <= tolerance * expected.abs().clamp(min=1e-2)
        _demand(close, f"slope {slope.item():.6g}, but {expected.item():.6g} by the gradient")


def _perfect(case: Case) -> None:
    right, unsure = case(case.perfect()), case(0 * case.perfect())
    wrong = case(-case.perfect())
    message = f"perfect scores cost {right:.4f}, uncertain ones {unsure:.4f}"
    _demand(right < unsure, message)
    _demand(unsure < wrong, f"uncertain scores cost {unsure:.4f}, wrong ones {wrong:.4f}")


def _worse(case: Case) -> None:
    z = case.perfect()
    flat = z.movedim(1, -1).reshape(-1, z.shape[1])
    costs = []
    for share in (0.0, 0.25, 0.5, 1.0):
        sign = torch.ones(len(flat), 1)
        sign[: round(share * len(flat))] = -1
        spoilt = (flat * sign).reshape(z.movedim(1, -1).shape).movedim(-1, 1)
        costs.append(case(spoilt).item())
    _demand(costs == sorted(costs), f"costs by the share of wrong elements: {costs}")


def _bounded(case: Case) -> None:
    right = torch.minimum(case(case.perfect()), case(case.perfect(1e2)))
    slack = 0.5 * (case(-case.perfect()) - case(case.perfect())).abs() + 1e-3
    for size in (5.0, 1e2, 1e4):
        scores = {"right": case.perfect(size), "wrong": -case.perfect(size)}
        scores["large"] = torch.full_like(scores["right"], size)
        scores["small"] = -scores["large"]
        for kind, z in scores.items():
            cost = case(z)
            message = f"{kind} scores of size {size:g} cost {cost:.4g}, right ones {right:.4g}"
            _demand(not cost < right - slack, message)


def _soft(case: Case) -> None:
    if not case.target.is_floating_point():
        raise Skip("class indices are never soft")
    half = torch.full_like(case.target, 0.5)
    try:
        middle, low, high = (case(case.perfect(0, half) + z, half) for z in (0, -4, 4))
    except Exception as error:
        raise Skip(f"does not accept soft targets: {str(error).splitlines()[0]}") from error
    certain = torch.minimum(low, high)
    _demand(
        middle <= certain + 1e-4 * certain.abs().clamp(min=1),
        f"at a target of 0.5 a confident score costs {certain:.4f}, an uncertain one {middle:.4f}. "
        f"In a region loss, use min(p, t) instead of p * t",
    )


def _argument_order(case: Case) -> None:
    try:
        refuse_target_first(case.loss)
    except ValueError as error:
        raise AssertionError(str(error)) from error


def _sample_order(case: Case) -> None:
    z = case.random()
    _demand_equal(case(z.flip(0), case.target.flip(0)), case(z), "with the samples reversed")


def _pixel_order(case: Case) -> None:
    z = case.random()
    if z.ndim == 2:
        raise Skip("there are no pixels")
    _demand_equal(case(z.flip(-1), case.target.flip(-1)), case(z), "with the image mirrored")
    order = torch.randperm(z.shape[-1], generator=torch.Generator().manual_seed(1))
    try:
        _demand_equal(case(z[..., order], case.target[..., order]), case(z), "shuffled")
    except AssertionError as error:
        raise Skip(f"looks at neighbors: {error}") from error


def _empty(case: Case) -> None:
    t = torch.zeros_like(case.target)
    nothing = case.perfect(10, t)
    axis = 0 if t.ndim == 1 else -1  # half of the samples, or of the columns
    left, right_half = nothing.tensor_split(2, axis)
    something = torch.cat([-left, right_half], axis)
    for z in (case.random(), nothing, something, -nothing):
        _demand_finite(case, z, t)
    right, wrong = case(nothing, t), case(something, t)
    _demand(right < wrong, f"no prediction costs {right:.4f}, a false alarm {wrong:.4f}")


def _half(case: Case) -> None:
    z = case.random()
    with torch.autocast("cpu", torch.bfloat16):
        value = case(z.bfloat16())
    _demand(value.isfinite(), f"the value is {value.item()}")
    _demand_equal(value.float(), case(z.bfloat16().float()), "in bfloat16", 2e-2)


def _weights(case: Case) -> None:
    z, t = case.random(), case.target
    repeats = torch.arange(len(t)) % 3
    try:
        weighted = call_loss(case.loss, z, t, repeats.float())
    except ValueError as error:
        raise Skip("returns one number for the whole batch") from error
    if weighted.ndim > 0:
        raise Skip("does not reduce the batch")
    copies = case(z.repeat_interleave(repeats, 0), t.repeat_interleave(repeats, 0))
    _demand_equal(weighted, copies, "with weights instead of copies")


def _mutation(case: Case) -> None:
    z, t = case.random(), case.target
    before = z.clone(), t.clone()
    call(case.loss, z, t)
    _demand(torch.equal(z, before[0]), "the scores were changed")
    _demand(torch.equal(t, before[1]), "the target was changed")


def _pickles(case: Case) -> None:
    try:
        twin = pickle.loads(pickle.dumps(case.loss))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise Skip(
            f"cannot be pickled, so it cannot be used in other processes: {error}"
        ) from error
    if isinstance(twin, Loss):
        twin.bind(nn.Conv2d(1, 1, 3), torch.full((case.n_channels,), 10))
    z = case.random()
    if _penalties(twin):
        return
    _demand_equal(Case(twin, case.target, case.n_channels)(z), case(z), "after pickling")


def _penalties(loss: AnyLoss) -> list[Any]:
    members = loss.members if isinstance(loss, CompoundLoss) else []
    return [member for member in members if isinstance(member.loss, Penalty)]


def _devices(case: Case) -> None:
    if not torch.cuda.is_available():
        raise Skip("there is no CUDA GPU")
    z, t = case.random(), case.target
    loss = copy.deepcopy(case.loss)
    if isinstance(loss, Loss):
        loss.bind(nn.Conv2d(1, 1, 3).cuda(), torch.full((case.n_channels,), 10))
    if isinstance(loss, nn.Module):
        loss = loss.cuda()
    value = Case(loss, t.cuda(), case.n_channels)(z.cuda())
    if not _penalties(loss):
        _demand_equal(value.cpu(), case(z), "on CUDA", 1e-4)


def _demand_equal(value: Tensor, expected: Tensor, how: str, tolerance: float = 1e-4) -> None:
    difference = (value - expected).abs()
    limit = tolerance * expected.abs().clamp(min=1e-3)
    _demand(difference <= limit, f"{value.item():.6g} {how}, {expected.item():.6g} without")


LAWS: dict[str, Callable[[Case], None]] = {
    "returns a scalar or a value per sample": _shape,
    "finite on ordinary scores": _ordinary,
    "finite on huge scores": _huge,
    "gradient agrees with finite differences": _gradient,
    "perfect scores cost least, wrong ones most": _perfect,
    "more wrong elements cost more": _worse,
    "no scores cost far less than perfect ones": _bounded,
    "targets of 0.5 do not reward certainty": _soft,
    "takes logits first and the target second": _argument_order,
    "order of samples does not matter": _sample_order,
    "order of pixels does not matter": _pixel_order,
    "empty masks are finite, false alarms cost": _empty,
    "half precision and autocast": _half,
    "sample weights count like copies": _weights,
    "inputs stay as they are": _mutation,
    "pickles": _pickles,
    "moves to CUDA": _devices,
}
