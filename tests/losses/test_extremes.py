"""Inputs at the edge: infinite, empty, of one class, oddly laid out in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sklearnloss.losses import CompoundLoss, DiceLoss, FocalLoss, L2Penalty

from .cases import (
    CASES,
    DATA_LOSSES,
    LOSS_CASES,
    PIXEL_LOSSES,
    REGION_LOSSES,
    WANTS_FINITE_LOGITS,
    binary,
    build,
    multiclass,
    on_cases,
    whole_images,
)

on_losses = pytest.mark.parametrize("name", DATA_LOSSES)


def value_and_gradient(name: str, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    z = z.clone().requires_grad_()
    value = build(name)(z, t)
    (gradient,) = torch.autograd.grad(value, z)
    return value.detach(), gradient


@on_cases
def test_a_nan_score_is_not_hidden(name: str, case: str) -> None:
    z, t = CASES[case]()
    z.flatten()[0] = torch.nan
    assert build(name)(z, t).isnan()


@on_cases
@pytest.mark.parametrize("pattern", ["all +inf", "all -inf", "signs", "first channel -inf"])
def test_infinite_scores_give_no_nan_and_a_finite_gradient(
    name: str, case: str, pattern: str
) -> None:
    z, t = CASES[case]()
    infinite = {
        "all +inf": torch.full_like(z, torch.inf),
        "all -inf": torch.full_like(z, -torch.inf),
        "signs": z.sign() * torch.inf,
        "first channel -inf": torch.cat([torch.full_like(z[:, :1], -torch.inf), z[:, 1:]], 1),
    }
    value, gradient = value_and_gradient(name, infinite[pattern].float(), t)
    assert not value.isnan()
    assert gradient.isfinite().all()


SOFTMAX_LOSSES = [
    name
    for name in PIXEL_LOSSES
    if build(name).form != "sigmoid" and name not in (*WANTS_FINITE_LOGITS, "weston_watkins")
]


@pytest.mark.parametrize("name", SOFTMAX_LOSSES)
@pytest.mark.parametrize("case", [multiclass, whole_images])
def test_a_class_of_score_minus_infinity_is_left_out(name: str, case: object) -> None:
    z, t = case()  # type: ignore[operator]
    t = t.clamp(max=2)
    expected, expected_gradient = value_and_gradient(name, z[:, :3], t)
    z[:, 3] = -torch.inf
    value, gradient = value_and_gradient(name, z, t)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient[:, :3], expected_gradient)
    assert (gradient[:, 3] == 0).all()


@on_cases
def test_batches_of_one_class_are_finite(name: str, case: str) -> None:
    z, t = CASES[case]()
    for label in range(max(z.shape[1], 2)):
        value, gradient = value_and_gradient(name, z.float(), torch.full_like(t, label))
        assert value.isfinite()
        assert gradient.isfinite().all()


@on_cases
def test_an_axis_of_length_0_costs_nothing(name: str, case: str) -> None:
    z, t = CASES[case]()
    if z.ndim == 2:
        return
    value, _ = value_and_gradient(name, z[..., :0], t[..., :0])
    assert value == 0


@on_cases
def test_the_layout_in_memory_does_not_matter(name: str, case: str) -> None:
    z, t = CASES[case]()
    expected = build(name)(z, t)
    strided = torch.stack([z, z + 1], -1)[..., 0]
    torch.testing.assert_close(build(name)(strided, t), expected)
    if z.ndim == 4:
        channels_last = z.contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(build(name)(channels_last, t), expected)


@on_cases
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_gradients_come_back_in_half_precision(name: str, case: str, dtype: torch.dtype) -> None:
    z, t = CASES[case]()
    value, gradient = value_and_gradient(name, z.to(dtype), t)
    assert value.dtype == torch.float32
    assert gradient.dtype == dtype
    assert gradient.isfinite().all()


@on_cases
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_weights_are_copies_beside_ignored_elements_too(
    name: str, case: str, reduction: str
) -> None:
    z, t = CASES[case]()
    t = t.masked_fill(torch.rand(t.shape, generator=torch.Generator().manual_seed(3)) > 0.6, 255)
    t[-1] = 255
    repeats = (torch.arange(len(z)) + 1) % 4
    copies = z.repeat_interleave(repeats, 0), t.repeat_interleave(repeats, 0)
    pooled = [{"batch": True}] if name in REGION_LOSSES else []
    for params in ({}, *pooled):
        loss = build(name, ignore_index=255, reduction=reduction, **params)
        torch.testing.assert_close(loss(z, t, repeats), loss(*copies), rtol=1e-12, atol=1e-12)


CLASS_WEIGHTED = [name for name in DATA_LOSSES if "class_weight" in build(name).get_params()]


@pytest.mark.parametrize(
    ("name", "case"),
    [(n, c) for n, c in LOSS_CASES if n in CLASS_WEIGHTED and "binary" not in c],
)
def test_class_weights_of_every_kind_are_read_alike(name: str, case: str) -> None:
    z, t = CASES[case]()
    weight = torch.linspace(0.5, 2.0, z.shape[1], dtype=z.dtype)
    expected = build(name, class_weight=weight)(z, t)
    kinds = (weight.tolist(), tuple(weight.tolist()), weight.numpy(), weight.float())
    for kind in (*kinds, dict(enumerate(weight.tolist()))):
        torch.testing.assert_close(build(name, class_weight=kind)(z, t), expected)
    ones = build(name, class_weight=dict.fromkeys(range(z.shape[1]), 1))(z, t)
    torch.testing.assert_close(ones, build(name)(z, t))
    repeats = torch.arange(len(z)) % 3
    copies = z.repeat_interleave(repeats, 0), t.repeat_interleave(repeats, 0)
    loss = build(name, class_weight=weight)
    torch.testing.assert_close(loss(z, t, repeats), loss(*copies))


@pytest.mark.parametrize("name", CLASS_WEIGHTED)
@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1.0, 2.0], r"class_weight has shape \(2,\), but there are 4 classes: expected \(4,\)"),
        ([1.0, 2.0, -1.0, 1.0], r"class_weight must lie between 0 and inf"),
        ([1.0, 2.0, np.nan, 1.0], r"class_weight must lie between 0 and inf"),
        ([1.0, 2.0, np.inf, 1.0], r"class_weight holds inf, which is out of range for float32"),
        ([1.0, 2.0, 1e38, 1.0], r"class_weight holds 1e\+38"),
        ([1.0, 2.0, 1e-40, 1.0], r"class_weight holds 1e-40"),
        ([0.0, 0.0, 0.0, 0.0], r"class_weight is 0 for every class"),
        (np.inf, r"class_weight holds inf"),
        (0.0, r"class_weight is 0 for every class"),
        ("balanced", r"class_weight='balanced' cannot be resolved without the data"),
        ({4: 1.0}, r"class_weight names the class 4, but the classes are 0 to 3"),
    ],
)
def test_illegal_class_weights_are_refused(name: str, weight: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(name, class_weight=weight)(*multiclass())


def test_class_weights_are_checked_wherever_the_scores_are() -> None:
    z, t = multiclass()
    for weight in ([1.0, np.nan, 1.0, 1.0], np.array([1.0, -1.0, 1.0, 1.0]), torch.zeros(4)):
        with pytest.raises(ValueError, match="class_weight"):
            build("cross_entropy", class_weight=weight)(z.to("meta"), t.to("meta"))


@contextlib.contextmanager
def torch_defaults(dtype: torch.dtype = torch.float32, device: str = "cpu") -> Iterator[None]:
    """Let tensors that say neither be of a dtype and on a device."""
    torch.set_default_dtype(dtype)
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)


SETTINGS: dict[str, Any] = {
    "float64": lambda: torch_defaults(dtype=torch.float64),
    "another device": lambda: torch_defaults(device="meta"),
    "inference": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
}


@on_losses
@pytest.mark.parametrize("setting", SETTINGS)
def test_defaults_and_modes_of_torch_change_nothing(name: str, setting: str) -> None:
    for case in (binary, multiclass):
        z, t = case()
        z, weight = z.float(), torch.tensor([1.0, 0.5, 2.0])
        loss = build(name)
        expected = loss(z, t, weight)
        with SETTINGS[setting]():
            value = loss(z, t, weight)
        torch.testing.assert_close(value, expected, rtol=1e-6, atol=1e-7)


@on_losses
def test_unsigned_indices_are_read_too(name: str) -> None:
    z, t = multiclass()
    torch.testing.assert_close(build(name)(z, t.to(torch.uint16)), build(name)(z, t))


@on_losses
def test_every_number_is_checked(name: str) -> None:
    """No parameter takes a nan, a bool or a word for a number."""
    loss = build(name)
    numbers = [
        key
        for key, value in loss.get_params().items()
        if isinstance(value, float | int) and not isinstance(value, bool) and key != "ignore_index"
    ]
    for key in numbers:
        for value in (float("nan"), "much", True, None):
            with pytest.raises(ValueError, match=rf"{key}={value!r} is (not a number in|no whole)"):
                build(name, **{key: value})(*multiclass())


@on_losses
def test_tensors_with_axes_are_no_numbers(name: str) -> None:
    for key in build(name)._intervals:
        with pytest.raises(ValueError, match=rf"{key}=tensor\(\[1., 2.\]\) is not a number in"):
            build(name, **{key: torch.tensor([1.0, 2.0])})(*multiclass())


@pytest.mark.parametrize("name", REGION_LOSSES)
def test_switches_are_true_or_false(name: str) -> None:
    for key in ("batch", "include_background"):
        torch.testing.assert_close(
            build(name, **{key: np.bool_(True)})(*multiclass()),
            build(name, **{key: True})(*multiclass()),
        )
        with pytest.raises(ValueError, match=rf"{key}='yes' is neither True nor False"):
            build(name, **{key: "yes"})(*multiclass())


@on_losses
@pytest.mark.parametrize("ignored", ["255", float("nan"), 0.5, True])
def test_an_ignored_label_is_a_whole_number(name: str, ignored: object) -> None:
    with pytest.raises(ValueError, match=rf"ignore_index={ignored!r} is unknown. Expected None"):
        build(name, ignore_index=ignored)(*multiclass())
    z, t = multiclass()
    t[:, :2] = 255
    torch.testing.assert_close(
        build(name, ignore_index=255.0)(z, t), build(name, ignore_index=np.int64(255))(z, t)
    )


@pytest.mark.parametrize("name", [*PIXEL_LOSSES[:3], "dice", "lovasz_softmax"])
def test_sums_are_as_robust_as_their_terms(name: str) -> None:
    network = torch.nn.Linear(2, 1)
    z, t = CASES["multiclass"]()
    loss = CompoundLoss([build(name), FocalLoss(), DiceLoss(), L2Penalty()]).bind(network)
    for scores in (1e4 * z.float(), z.half(), z.sign().float() * torch.inf, z[:0]):
        value = loss(scores, t[: len(scores)])
        assert not value.isnan()
        assert value.dtype == (torch.float64 if scores.dtype == torch.float64 else torch.float32)
