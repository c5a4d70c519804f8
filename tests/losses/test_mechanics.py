"""Losses under torch's transformations."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from sklearnloss.losses import (
    CompoundLoss,
    DiceLoss,
    FocalLoss,
    L2Penalty,
    LabelSmoothingCrossEntropy,
)

from .cases import CASES, DATA_LOSSES, NOT_COMPILABLE, SEES_BATCH, binary, build, multiclass

on_losses = pytest.mark.parametrize("name", DATA_LOSSES)
on_forms = pytest.mark.parametrize("case", ["binary", "multiclass"])
COMPILABLE = [name for name in DATA_LOSSES if name not in NOT_COMPILABLE]


# One channel is two classes to a softmax loss, so one of the cases is enough there.
GRAPHS = [
    (name, case)
    for name in COMPILABLE
    for case in ("binary", "multiclass")
    if case == "multiclass" or build(name).form != "softmax" or name == "cross_entropy"
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "case"), GRAPHS)
def test_compiles_without_graph_breaks(name: str, case: str) -> None:
    z, t = CASES[case]()
    loss = build(name)
    torch._dynamo.reset()
    compiled = torch.compile(lambda z, t, w: loss(z, t, w), backend="aot_eager", fullgraph=True)
    w = torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64)
    z.requires_grad_()
    (expected,) = torch.autograd.grad(loss(z, t, w), z)
    value = compiled(z, t, w)
    torch.testing.assert_close(value, loss(z, t, w))
    torch.testing.assert_close(torch.autograd.grad(value, z)[0], expected)


@pytest.mark.slow
def test_a_sum_with_a_penalty_compiles() -> None:
    network = nn.Conv2d(1, 1, 1)
    loss = (0.5 * DiceLoss() + FocalLoss() + 0.1 * L2Penalty()).bind(network)
    compiled = torch.compile(lambda z, t: loss(z, t), backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(*binary()), loss(*binary()))


@pytest.mark.parametrize("name", COMPILABLE)
@on_forms
def test_vmap_over_samples_equals_reduction_sample(name: str, case: str) -> None:
    if name in SEES_BATCH:
        pytest.skip("sees the batch by definition")
    z, t = CASES[case]()
    loss = build(name)
    each = vmap(lambda z, t: loss(z.unsqueeze(0), t.unsqueeze(0)))(z, t)
    torch.testing.assert_close(each, build(name, reduction="sample")(z, t))


@pytest.mark.parametrize("name", COMPILABLE)
@on_forms
def test_vmap_over_models_equals_a_loop(name: str, case: str) -> None:
    z, t = CASES[case]()
    models = torch.stack([z, -z, 0.5 * z])
    loss = build(name)
    expected = torch.stack([loss(m, t) for m in models])
    torch.testing.assert_close(vmap(loss, (0, None))(models, t), expected)


HYPERPARAMETERS = [
    (name, key)
    for name in COMPILABLE
    for key, ranges in build(name).search_space.items()
    if isinstance(ranges, tuple) and not isinstance(ranges[0], int)
]


@pytest.mark.parametrize(("name", "key"), HYPERPARAMETERS)
@on_forms
def test_vmap_over_hyperparameters_equals_a_loop(name: str, key: str, case: str) -> None:
    z, t = CASES[case]()
    low, high, *_ = build(name).search_space[key]
    values = torch.linspace(low, high, 3, dtype=torch.float64)
    expected = torch.stack([build(name, **{key: v})(z, t) for v in values.tolist()])
    mapped = vmap(lambda v: build(name, **{key: v})(z, t))(values)
    torch.testing.assert_close(mapped, expected)


@pytest.mark.parametrize("name", COMPILABLE)
def test_vmap_over_weights_equals_a_loop(name: str) -> None:
    z, t = multiclass()
    weights = torch.rand(3, 3, dtype=torch.float64)
    loss = build(name)
    expected = torch.stack([loss(z, t, w) for w in weights])
    torch.testing.assert_close(vmap(lambda w: loss(z, t, w))(weights), expected)
    if "class_weight" not in loss.get_params():
        return
    weights = torch.rand(3, 4, dtype=torch.float64)
    expected = torch.stack([build(name, class_weight=w)(z, t) for w in weights])
    mapped = vmap(lambda w: build(name, class_weight=w)(z, t))(weights)
    torch.testing.assert_close(mapped, expected)


@pytest.mark.parametrize("name", COMPILABLE)
@on_forms
def test_gradients_of_each_sample_beside_ignored_elements(name: str, case: str) -> None:
    z, t = CASES[case]()
    t = t.masked_fill(torch.rand(t.shape) > 0.6, 255)
    t[1] = 255
    loss = build(name, ignore_index=255)
    each = vmap(grad(lambda z, t: loss(z.unsqueeze(0), t.unsqueeze(0))))(z, t)
    z.requires_grad_()
    alone = [torch.autograd.grad(loss(z[i : i + 1], t[i : i + 1]), z)[0][i] for i in range(3)]
    torch.testing.assert_close(each, torch.stack(alone))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["focal", "dice", "topk"])
def test_batches_of_any_size_share_one_compiled_graph(name: str) -> None:
    loss = build(name, ignore_index=255)
    torch._dynamo.reset()
    compiled = torch.compile(
        lambda z, t: loss(z, t), backend="aot_eager", fullgraph=True, dynamic=True
    )
    for n in (3, 4, 6):
        z, t = multiclass(n)
        t[:, :2] = 255
        torch.testing.assert_close(compiled(z, t), loss(z, t))


def test_vmap_over_the_weights_of_a_sum() -> None:
    z, t = multiclass()
    values = torch.tensor([0.0, 0.5, 2.0], dtype=torch.float64)
    mapped = vmap(lambda w: CompoundLoss([DiceLoss(), FocalLoss()], [1.0, w])(z, t))(values)
    expected = torch.stack([DiceLoss()(z, t) + w * FocalLoss()(z, t) for w in values])
    torch.testing.assert_close(mapped, expected)


def test_a_hyperparameter_has_a_gradient() -> None:
    z, t = multiclass()
    eps = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda e: LabelSmoothingCrossEntropy(e)(z, t), eps)
    gamma = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda g: FocalLoss(g)(z, t), gamma)


@pytest.mark.parametrize("name", COMPILABLE)
@on_forms
def test_functional_gradient_equals_autograd(name: str, case: str) -> None:
    z, t = CASES[case]()
    loss = build(name)
    expected = torch.autograd.grad(loss(z.requires_grad_(), t), z)[0]
    torch.testing.assert_close(grad(lambda z: loss(z, t))(z.detach()), expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPILABLE)
@on_forms
def test_second_derivatives_agree_with_finite_differences(name: str, case: str) -> None:
    z, t = CASES[case](1)
    loss = build(name)
    z = z[..., :3, :2].clone().requires_grad_()
    t = t[..., :3, :2]
    assert torch.autograd.gradgradcheck(lambda x: loss(x, t), z, atol=1e-5)


@on_losses
@on_forms
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_changes_nothing(name: str, case: str, dtype: torch.dtype) -> None:
    z, t = CASES[case]()
    z = z.float()
    t = t.float() if t.is_floating_point() else t
    with torch.autocast("cpu", dtype):
        value = build(name)(z, t)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, build(name)(z, t))


@on_losses
@on_forms
def test_runs_with_deterministic_algorithms(name: str, case: str) -> None:
    z, t = CASES[case]()
    torch.use_deterministic_algorithms(True)
    try:
        z.requires_grad_()
        build(name)(z, t).backward()
    finally:
        torch.use_deterministic_algorithms(False)


def test_a_loss_can_be_called_functionally() -> None:
    loss = DiceLoss()
    z, t = binary()
    torch.testing.assert_close(functional_call(loss, {}, (z, t)), loss(z, t))


@pytest.mark.cuda
@on_losses
@on_forms
def test_cuda_agrees_with_the_cpu(name: str, case: str) -> None:
    z, t = CASES[case]()
    expected_z = z.clone().requires_grad_()
    expected = build(name)(expected_z, t)
    expected.backward()
    cuda_z = z.cuda().requires_grad_()
    value = build(name)(cuda_z, t.cuda())
    value.backward()
    assert value.device.type == "cuda"
    torch.testing.assert_close(value.cpu(), expected)
    assert cuda_z.grad is not None
    torch.testing.assert_close(cuda_z.grad.cpu(), expected_z.grad)


@pytest.mark.slow
def test_large_images_pass() -> None:
    z = torch.randn(1, 1, 2048, 2048)
    t = torch.zeros(1, 1, 2048, 2048)
    t[..., :10, :10] = 1
    for name in ("bce", "focal", "dice", "tversky"):
        value: Tensor = build(name)(z, t)
        torch.testing.assert_close(value.double(), build(name)(z.double(), t), rtol=1e-5, atol=1e-7)
