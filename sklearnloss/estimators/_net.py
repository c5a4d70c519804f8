"""The small skorch net that an estimator owns: it speaks tensors and codes."""

from __future__ import annotations

import contextlib
import itertools
import math
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from torch import Tensor, nn
from torch.utils.data import Dataset

from ..losses import Loss
from ..losses._device import send
from ..losses._foreign import AnyLoss, call_loss, weighted_mean
from ..metrics._pairs import MaskPairs
from ._augment import Augmentation
from ._fit_tasks import FitTasks
from ._images import Scaling, to_network
from ._labels import IGNORED
from ._layout import put_channels_last
from ._pickling import PortableNet
from ._rows import RowImages

_init_lock = threading.Lock()


class TrainingData(Dataset):  # type: ignore[type-arg]
    """Images, codes and weights of one fit.

    Parameters
    ----------
    X : Tensor of shape (n, C, *spatial)
        Images of any dtype.
    y : Tensor of shape (n,), (n, *spatial) or (n, K, *spatial)
        Codes.
    weight : Tensor of shape (n,), default=None
        Sample weights.
    rows : Tensor of shape (n,), default=None
        Where the samples are in X, if that holds more.
    """

    def __init__(
        self, X: Tensor, y: Tensor, weight: Tensor | None = None, rows: Tensor | None = None
    ) -> None:
        self.X = X
        self.y = y
        self.weight = weight
        self.rows = rows

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: Any) -> tuple[Tensor, Tensor]:
        return self.batch(index)[:2]

    def batch(self, index: Any) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return images, codes and weights of some samples."""
        rows = index if self.rows is None else self.rows[index]
        weight = None if self.weight is None else self.weight[index]
        return self.X[rows], self.y[index], weight

    @property
    def device(self) -> torch.device:
        """Where indices of samples are best made."""
        return self.X.device

    @property
    def code_dtype(self) -> torch.dtype:
        """The dtype of the codes."""
        return self.y.dtype

    @property
    def sizes(self) -> Tensor | None:
        """A number for the size of each image, if they are of unlike sizes."""
        return None

    def class_counts(self) -> np.ndarray | None:
        """Return how often each class occurs, None if the codes are there to be counted."""
        return None

    def subset(self, indices: np.ndarray) -> TrainingData:
        """Return some samples; the images stay where they are."""
        chosen = torch.from_numpy(indices)
        weight = None if self.weight is None else self.weight[chosen.to(self.weight.device)]
        rows = chosen.to(self.device)
        rows = rows if self.rows is None else self.rows[rows]
        return TrainingData(self.X, self.y[chosen.to(self.y.device)], weight, rows)

    def to(self, device: torch.device) -> TrainingData:
        """Return the data on a device, or where it is if it does not fit there."""
        part = 1.0 if self.rows is None else len(self.rows) / len(self.X)
        if not _fits({self.X: part, self.y: 1.0}, device):
            return self
        weight, rows = (None if t is None else t.to(device) for t in (self.weight, self.rows))
        X = self.X
        if self.rows is not None and X.device.type == "cpu" != device.type:
            X, rows = RowImages(X, self.rows.numpy()).to(device), None
        return TrainingData(X.to(device), self.y.to(device), weight, rows)


def _fits(parts: dict[Tensor, float], device: torch.device) -> bool:
    """Tell whether parts of tensors leave half of a GPU's free memory to the network."""
    if device.type != "cuda":
        return True
    needed = sum(part * t.nbytes for t, part in parts.items() if t.device.type != "cuda")
    return needed <= torch.cuda.mem_get_info(device)[0] // 2


class Batches:
    """Mini-batches sliced from whole tensors; iterating again shuffles again.

    Samples are spread evenly, so that no batch is much smaller than the others
    and none is a single image, which batch normalisation cannot take. Images of
    unlike sizes are in batches of their own.
    """

    def __init__(
        self,
        data: TrainingData,
        batch_size: int,
        *,
        scaling: Scaling | None = None,
        device: torch.device | str = "cpu",
        generator: torch.Generator | None = None,
        augment: Augmentation | None = None,
    ) -> None:
        self.data = data
        self.batch_size = batch_size
        self.scaling = scaling and scaling.to(device)
        self.device = device
        self.generator = generator
        self.augment = augment

    def __len__(self) -> int:
        if self.data.sizes is None:
            return self._n_batches(len(self.data))
        return sum(
            self._n_batches(n) for n in self.data.sizes.unique(return_counts=True)[1].tolist()
        )

    def _n_batches(self, n: int) -> int:
        n_batches = -(-n // self.batch_size)
        if self.batch_size > 1 and n < 2 * n_batches:
            n_batches -= 1
        return max(n_batches, 1)

    def __iter__(self) -> Iterator[tuple[Any, Tensor]]:
        for index in self._indices():
            images, target, weight = self.data.batch(index)
            x = to_network(images, self.scaling, self.device)
            target = send(target, self.device)
            if self.augment is not None and self.generator is not None:
                masks = target if target.ndim > 1 else None
                x, masks = self.augment(x, masks, self.generator)
                target = target if masks is None else masks
            if weight is None:
                yield x, target
            else:
                yield {"x": x, "sample_weight": send(weight, self.device)}, target

    def _indices(self) -> Iterator[Any]:
        """Yield the positions of the samples of each batch."""
        n, sizes, order = len(self.data), self.data.sizes, None
        if self.generator is not None:
            order = send(torch.randperm(n, generator=self.generator), self.data.device)
        if sizes is None:
            for start, stop in itertools.pairwise(self._bounds(n)):
                yield slice(start, stop) if order is None else order[start:stop]
            return
        order = torch.arange(n) if order is None else order
        parts = [order[sizes[order] == size] for size in sizes.unique()]
        batches = [p[a:b] for p in parts for a, b in itertools.pairwise(self._bounds(len(p)))]
        if self.generator is None:
            yield from batches
        else:
            shuffled = torch.randperm(len(batches), generator=self.generator)
            yield from (batches[k] for k in shuffled.tolist())

    def _bounds(self, n: int) -> list[int]:
        bounds: list[int] = np.linspace(0, n, self._n_batches(n) + 1).round().astype(int).tolist()
        return bounds


class Objective(nn.Module):
    """A loss as training needs it: codes in, one number out.

    Parameters
    ----------
    loss : Loss, nn.Module or function
        What is minimised.
    masks : bool
        Whether the target is a float mask per channel, not class indices.
    """

    def __init__(self, loss: AnyLoss, masks: bool) -> None:
        super().__init__()
        self.loss = loss
        self.masks = masks

    def forward(self, logits: Tensor, codes: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Return the loss of a batch, a scalar."""
        target = codes.reshape(logits.shape).float() if self.masks else codes.long()
        value = call_loss(self.loss, logits, target, sample_weight)
        if value.ndim == 0:
            return value
        if sample_weight is not None and isinstance(self.loss, Loss):
            value = self.loss(logits, target)  # not weighted twice
        return weighted_mean(value, sample_weight)


class LearningRatePlan:
    """Sets the learning rate before each step, from a schedule over a whole fit."""

    def __init__(
        self, schedule: Callable[[float], float], peaks: list[float], n_steps: int
    ) -> None:
        self.schedule = schedule
        self.peaks = peaks
        self.n_steps = n_steps
        self.step = 0

    def advance(self, optimizer: torch.optim.Optimizer) -> None:
        """Set the learning rate of the next step."""
        factor = self.schedule(self.step / self.n_steps)
        for group, peak in zip(optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * factor
        self.step += 1


class StopTraining(Exception):
    """A callback asked for the end of training."""


class LossNet(PortableNet):
    """A skorch net that is fed whole tensors and trains one loss."""

    multilabel_ = False

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        stop = False
        try:
            super().notify(method_name, **cb_kwargs)
        except KeyboardInterrupt:  # how skorch's callbacks end a training
            stop = True
        if method_name == "on_epoch_end" and self.tasks_ is not None:
            stop = self.tasks_.end_epoch() or stop
        if stop:
            raise StopTraining

    def on_epoch_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        super().on_epoch_begin(net, **kwargs)
        if self.tasks_ is not None:
            self.tasks_.begin_epoch()

    def initialize_module(self) -> LossNet:
        super().initialize_module()
        put_channels_last(self.module_)
        return self

    def get_iterator(self, dataset: TrainingData, training: bool = False) -> Batches:
        return Batches(
            dataset,
            self.batch_size,
            scaling=self.scaling_,
            device=self.device,
            generator=self.generator_ if training else None,
            augment=self.augment_,
        )

    def infer(self, x: Any, **fit_params: Any) -> Tensor:
        if isinstance(x, dict):
            x = x["x"]
        with torch.autocast(x.device.type, self.autocast_, enabled=self.autocast_ is not None):
            logits: Tensor = self.module_(x)
        return logits.contiguous()

    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, Tensor]:
        self._set_training(True)
        x, codes = batch
        weight = None
        if isinstance(x, dict):
            x, weight = x["x"], x["sample_weight"]
        if self.compile_:
            torch.compiler.cudagraph_mark_step_begin()
        logits, loss = self._forward(x, codes, weight)
        if logits.requires_grad and not loss.requires_grad:
            raise ValueError(
                f"The loss {self.criterion_.loss!r} has no gradient. Compute it from the logits by "
                f"torch's functions alone, without item(), detach(), argmax or numpy."
            )
        loss.backward()
        if self.compile_ and logits.is_cuda:
            logits = logits.detach().clone()  # callbacks may keep what a CUDA graph overwrites
        return {"loss": loss, "y_pred": logits}

    def get_loss(
        self, y_pred: Tensor, y_true: Tensor, X: Any = None, training: bool = False
    ) -> Tensor:
        weight = X["sample_weight"] if isinstance(X, dict) else None
        value: Tensor = self.criterion_(y_pred, y_true, weight)
        return value

    def run_single_epoch(
        self, iterator: Batches | None, training: bool, prefix: str, step_fn: Any, **fit_params: Any
    ) -> None:
        if iterator is None:
            return
        values = []
        for batch in iterator:
            if training and self.plan_ is not None:
                self.plan_.advance(self.optimizer_)
            self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            loss = step["loss"].detach().clone()  # a CUDA graph overwrites it
            if loss.device.type == "cpu":  # elsewhere, looking would wait for the device
                self._check_finite(loss.item())
            values.append(loss)
            self.history.record_batch(f"{prefix}_batch_size", len(batch[1]))
            self.notify("on_batch_end", batch=batch, training=training, **step)
        self._record_losses(prefix, values)
        self.history.record(f"{prefix}_batch_count", len(iterator))
        if training:
            self.history.record("lr", self.optimizer_.param_groups[0]["lr"])

    def _record_losses(self, prefix: str, values: list[Tensor]) -> None:
        """Write an epoch's losses into the history, fetched from the device at once."""
        rows = [row for row in self.history[-1]["batches"] if f"{prefix}_batch_size" in row]
        for row, value in zip(rows, torch.stack(values).tolist(), strict=True):
            self._check_finite(value)
            row[f"{prefix}_loss"] = value

    def _check_finite(self, value: float) -> None:
        if math.isfinite(value):
            return
        lr = self.optimizer_.param_groups[0]["lr"]
        raise FloatingPointError(
            f"The loss became {value} in epoch {len(self.history)} (lr={lr:.3g}, "
            f"loss={self.criterion_.loss!r}). Try a smaller lr, or clip_norm=1.0."
        )

    def train(
        self,
        data: TrainingData,
        epochs: int,
        schedule: Callable[[float], float] | None,
        tasks: FitTasks | None = None,
    ) -> None:
        """Train for some epochs; unlike skorch's own loop, let Ctrl-C through.

        Parameters
        ----------
        data : TrainingData
            What to train on.
        epochs : int
            Passes over the data.
        schedule : callable or None
            The factor of the learning rate by progress in [0, 1).
        tasks : FitTasks, default=None
            Is told of each epoch.
        """
        groups = self.optimizer_.param_groups
        peaks = [group["lr"] for group in groups]
        n_steps = epochs * len(self.get_iterator(data, training=True))
        self._forward = self._make_forward(data)
        self.tasks_ = tasks
        self.plan_ = None if schedule is None else LearningRatePlan(schedule, peaks, n_steps)
        self.notify("on_train_begin", X=data, y=data.y)
        try:
            self.fit_loop(data, None, epochs=epochs)
        except StopTraining:
            pass
        except KeyboardInterrupt:
            if len(self.history) > 1 and "train_loss" not in self.history[-1]:
                del self.history[-1]  # an epoch that did not end
            raise
        finally:
            self.plan_ = self.tasks_ = None
            del self._forward
            for group, peak in zip(groups, peaks, strict=True):
                group["lr"] = peak
            self.notify("on_train_end", X=data, y=data.y)

    def _make_forward(self, data: TrainingData) -> Callable[..., tuple[Tensor, Tensor]]:
        """Return network and loss as one function, compiled on request."""
        module, criterion, dtype = self.module_, self.criterion_, self.autocast_

        def forward(x: Tensor, codes: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
            with torch.autocast(x.device.type, dtype, enabled=dtype is not None):
                logits = module(x).contiguous()  # losses may want to view them
            return logits, criterion(logits, codes, weight)

        if not self.compile_:
            return forward
        # Batches have one of two sizes, each worth code, and on a GPU a graph, of its own.
        return torch.compile(
            forward,
            dynamic=False if data.sizes is None else None,
            mode="reduce-overhead" if torch.device(self.device).type == "cuda" else None,
        )

    def predict(self, X: TrainingData) -> np.ndarray:
        """Return codes, for skorch's scoring callbacks."""
        logits = torch.cat(list(self.forward_iter(X)))
        if self.multilabel_:
            codes = (logits > 0).long()
        else:
            codes = logits.argmax(1) if logits.shape[1] > 1 else (logits[:, 0] > 0).long()
        return codes.numpy()

    def _pair_masks(
        self, X: TrainingData, y: np.ndarray, method: str, call: Callable[[Any], np.ndarray]
    ) -> MaskPairs:
        """Pair codes with predicted ones, for skorch's callbacks with scorers of masks."""
        if y is None:
            raise ValueError("There are no true masks to score: use_caching=False passes none.")
        y = np.asarray(y)
        ignored = IGNORED.get(getattr(torch, str(y.dtype)))
        pairs = zip(y, call(X), strict=True)
        return MaskPairs(pairs, len(y), ignore_index=ignored, multilabel=self.multilabel_)

    def _set_training(self, training: bool = True) -> None:
        if self.module_.training != training:  # walking over all modules takes time
            self.module_.train(training)
            self.criterion_.train(training)


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's global generator for a while; one thread at a time."""
    with _init_lock, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
