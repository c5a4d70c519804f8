"""Training on a GPU: the host gives orders and does not wait for results.

The "meta" device has shapes and no values, so that there whatever looks at one
raises: what a GPU would have been waited for.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from sklearnloss import ResNetClassifier, UNetSegmenter
from sklearnloss.estimators import _base
from sklearnloss.estimators._data.arrays import Scaling
from sklearnloss.estimators._training.net import LossNet
from sklearnloss.losses import LDAMLoss, get_loss, list_losses
from sklearnloss.losses._core import closed_form as _fused
from sklearnloss.losses._core.transfer import as_like, send

META = torch.device("meta")
# Their distance maps are computed on the CPU, one mask after the other.
ON_CPU = {"boundary", "hausdorff"}
NAMES = [name for name in list_losses() if name not in {*ON_CPU, "l1", "l2"}]


def test_sending_to_the_cpu_copies_nothing() -> None:
    tensor = torch.zeros(2)
    assert send(tensor, "cpu") is tensor
    assert Scaling(tensor, tensor).to("cpu").mean is tensor


@pytest.mark.parametrize("value", [2, 2.5, np.float32(2.5), [1, 2], np.arange(2), torch.ones(2)])
def test_numbers_follow_a_tensor(value: Any) -> None:
    like = torch.zeros(3, dtype=torch.float64)
    expected = torch.as_tensor(value, dtype=torch.float64)
    torch.testing.assert_close(as_like(value, like), expected, rtol=0, atol=0)


class OnlySent(TorchDispatchMode):
    """Lets a copy from the CPU raise unless :func:`send` makes it."""

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if function is torch.ops.aten._to_copy.default and kwargs.get("device") == META:
            assert _is_sent(), "a GPU would have been waited for"
        return function(*args, **kwargs)


def _is_sent() -> bool:
    frame = sys._getframe()
    while frame is not None and frame.f_code is not send.__code__:
        frame = frame.f_back  # type: ignore[assignment]
    return frame is not None


@pytest.fixture
def no_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let fit train on the meta device, and what an epoch needs come there by send alone."""
    monkeypatch.setattr(_base, "resolve_device", lambda device: META)
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())
    monkeypatch.setattr(LossNet, "_record_losses", _keep_shapes)
    monkeypatch.setattr(LossNet, "_check_slope", _look_once)
    epoch = LossNet.run_single_epoch

    def only_sent(*args: Any, **kwargs: Any) -> None:
        with OnlySent():
            epoch(*args, **kwargs)

    monkeypatch.setattr(LossNet, "run_single_epoch", only_sent)
    for name in ("as_tensor", "tensor"):
        original = getattr(torch, name)

        def on_cpu(data: Any, *args: Any, _original: Any = original, **kwargs: Any) -> Any:
            assert torch.device(kwargs.get("device") or "cpu") != META
            return _original(data, *args, **kwargs)

        monkeypatch.setattr(torch, name, on_cpu)


def _look_once(net: LossNet, logits: Tensor, *batch: Any) -> None:
    """Stand in for the one look within an epoch, at the gradient of a fit's first batch."""
    assert logits.grad is not None
    assert len(net.history) == 1
    assert len(net.history[-1]["batches"]) == 1


def _keep_shapes(net: LossNet, prefix: str, values: list[Tensor]) -> None:
    """Stand in for the one place, at an epoch's end, where results are fetched."""
    assert values
    assert all(value.device == META and value.shape == () for value in values)
    net.history.record(f"{prefix}_loss", 0.0)


@pytest.fixture
def closed_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_fused, "SMALLEST", 1)
    monkeypatch.setitem(_fused.BLOCK, "meta", 2**8)


def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return images, labels and masks of three classes."""
    generator = np.random.default_rng(0)
    X = generator.normal(size=(12, 16, 16)).astype(np.float32)
    return X, np.arange(12) % 3, generator.integers(0, 3, X.shape)


def fit(estimator: Any, y: np.ndarray, **settings: Any) -> None:
    X = data()[0]
    small = {"width": 4, "max_epochs": 1, "batch_size": 6, "random_state": 0}
    estimator.set_params(**small, **settings)
    estimator.fit(X, y, sample_weight=np.ones(len(X)))
    assert next(estimator.module_.parameters()).device == META


@pytest.mark.slow
@pytest.mark.usefixtures("no_values", "closed_forms")
@pytest.mark.parametrize("name", NAMES)
def test_no_loss_of_masks_looks_at_values(name: str) -> None:
    _, _, masks = data()
    for y in (masks, masks > 0):
        fit(UNetSegmenter(depth=1), y, loss=name)


@pytest.mark.slow
@pytest.mark.usefixtures("no_values")
@pytest.mark.parametrize("name", [name for name in NAMES if name != "cl_dice"])
def test_no_loss_of_labels_looks_at_values(name: str) -> None:
    fit(ResNetClassifier(), data()[1], loss=name)


@pytest.mark.slow
@pytest.mark.usefixtures("no_values", "closed_forms")
@pytest.mark.parametrize(
    "settings",
    [
        {"augment": ["affine", "crop", "flip", "intensity", "mirror", "noise", "rot90", "shift"]},
        {"class_weight": "balanced"},
        {"clip_norm": 1.0},
        {"early_stopping": True},
        {"loss": get_loss("focal", alpha=[0.2, 0.5, 0.9])},
        {"loss": get_loss("cross_entropy", class_weight=[1, 2, 3])},
        {"loss": LDAMLoss([9, 2, 1], class_weight={0: 3})},
        {"optimizer": "sgd"},
    ],
    ids=lambda settings: "-".join(settings),
)
def test_no_setting_looks_at_values(settings: dict[str, Any]) -> None:
    _, labels, masks = data()
    fit(ResNetClassifier(), labels, **settings)
    fit(UNetSegmenter(depth=1), masks, **settings)


@pytest.mark.usefixtures("no_values")
def test_what_looks_at_values_is_noticed() -> None:
    def curious(logits: Tensor, target: Tensor) -> Tensor:
        values = (logits[:, 0] - target).square()
        return values / float(values.amax().detach())

    with pytest.raises((NotImplementedError, RuntimeError), match="meta"):
        fit(ResNetClassifier(), data()[1], loss=curious)

    def hasty(logits: Tensor, target: Tensor) -> Tensor:
        return (logits[:, 0] - target).square() * torch.ones(len(logits)).to(logits.device)

    with pytest.raises(AssertionError, match="waited"):
        fit(ResNetClassifier(), data()[1], loss=hasty)


@pytest.mark.cuda
def test_sending_to_the_gpu_does_not_wait() -> None:
    tensor = torch.arange(10)
    send(tensor, "cuda")  # CUDA is started, and memory is there
    with never_waiting():
        sent = send(tensor, "cuda")
        numbers = as_like([1, 2], torch.zeros(1, device="cuda"))
    assert torch.equal(sent.cpu(), tensor)
    assert numbers.tolist() == [1, 2]


@contextlib.contextmanager
def never_waiting() -> Iterator[None]:
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


class NoWaiting(Callback):  # type: ignore[misc]
    """Lets every wait for the GPU raise, between the first and the last batch of an epoch."""

    def __init__(self, epoch: int, n_batches: int) -> None:
        self.epoch = epoch
        self.n_batches = n_batches

    def on_batch_end(self, net: Any, **kwargs: Any) -> None:
        done = len(net.history[-1]["batches"])
        inside = len(net.history) == self.epoch and done < self.n_batches
        torch.cuda.set_sync_debug_mode("error" if inside else "default")


@pytest.mark.cuda
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("loss", ["cross_entropy", "asymmetric", "bi_tempered", "ldam"])
def test_an_epoch_on_the_gpu_never_waits_for_it(loss: str, compiled: bool) -> None:
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(40, 8, 8)).astype(np.float32), np.arange(40) % 3
    model = ResNetClassifier(
        loss,
        width=4,
        max_epochs=4,
        batch_size=8,
        compile=compiled,
        augment=["flip", "noise"],
        callbacks=[NoWaiting(epoch=4, n_batches=5)],
        random_state=0,
    )
    try:
        model.fit(X, y)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert model.n_iter_ == 4
