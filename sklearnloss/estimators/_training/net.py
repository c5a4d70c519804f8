"""The small skorch net that an estimator owns: it speaks tensors and codes."""

from __future__ import annotations

import contextlib
import copy
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, Self

import torch
from skorch import NeuralNet
from skorch.exceptions import SkorchException
from torch import Tensor, nn

from ..._utils.text import did_you_mean
from ...losses import Loss
from ...losses._core.foreign import AnyLoss, call_loss, is_built_in, is_own, weighted_mean
from ...losses._core.inputs import legal_target
from ...losses._core.terms import data_terms
from .._data.dataset import TrainingData
from .batches import Batches
from .callback_checks import check_net_callbacks, check_pattern, reads_batches
from .callback_predictions import PredictingNet
from .callbacks import EpochBar, copy_callbacks, picklable_callbacks
from .checkpoints import continue_from_record
from .gradient_check import SoftmaxOfOne, refuse_softmax_of_one, require_slope
from .interrupts import watch_interrupts
from .memory_format import lay_out
from .random_state import seeded
from .schedule import LearningRatePlan
from .sklearn_callbacks import FitTasks
from .training_state import StopTraining, Training


class Objective(nn.Module):
    """A loss as training needs it: codes in, one number out.

    Parameters
    ----------
    loss : Loss, nn.Module or function
        What is minimised.
    masks : bool
        Whether the target is a float mask per channel, not class indices.

    Attributes
    ----------
    looked_at : bool
        Whether the loss is known to depend on the scores.
    is_constant : bool
        Whether a softmax over one channel was seen in it.
    spares : bool
        Whether a look at the targets of each batch is spared: all terms are built in.
    """

    def __init__(self, loss: AnyLoss, masks: bool) -> None:
        super().__init__()
        self.loss = loss
        self.masks = masks
        self.looked_at = False
        self.is_constant = False
        self.spares = all(is_built_in(term) for term in data_terms(loss))

    def forward(self, logits: Tensor, codes: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Return the loss of a batch, a scalar."""
        target = codes.reshape(logits.shape).float() if self.masks else codes.long()
        if self.spares and not codes.is_floating_point() and not torch.compiler.is_compiling():
            with legal_target(target):  # of which encoding made sure
                return self._value(logits, target, sample_weight)
        return self._value(logits, target, sample_weight)

    def _value(self, logits: Tensor, target: Tensor, sample_weight: Tensor | None) -> Tensor:
        if self.looked_at or logits.shape[1] > 1 or torch.compiler.is_compiling():
            value = call_loss(self.loss, logits, target, sample_weight)
        else:
            with SoftmaxOfOne(logits) as mode:
                value = call_loss(self.loss, logits, target, sample_weight)
            self.is_constant = mode.seen
        if value.ndim == 0:
            return value
        if sample_weight is not None and isinstance(self.loss, Loss):
            value = self.loss(logits, target)  # not weighted twice
        return weighted_mean(value, sample_weight)


@contextlib.contextmanager
def explained(x: Tensor) -> Iterator[None]:
    """Say why a network cannot normalize images (n, C, *spatial) in training."""
    try:
        yield
    except ValueError as error:
        if "Expected more than 1" not in str(error):  # value per channel, spatial element
            raise
        size = " x ".join(map(str, x.shape[2:]))
        raise ValueError(
            f"The network reduces images of {size} pixels to so few that there is nothing to "
            f"normalize in a batch of {len(x)}: {error}. Use norm='group' if there is a choice, a "
            f"smaller depth, larger images, or at least 2 of a size and a batch_size above 1."
        ) from error


class LossNet(PredictingNet):
    """A skorch net that is fed whole tensors and trains one loss.

    Attributes
    ----------
    base_lrs_ : list of float
        The learning rate of each group of parameters, before any schedule.
    training_ : Training or None
        Of the training that is going on.
    """

    base_lrs_: list[float]
    training_: Training | None = None

    def __getstate__(self) -> dict[str, Any]:
        state = self._state()
        for name in ("callbacks", "callbacks_"):
            if isinstance(state.get(name), list):
                state[name] = picklable_callbacks(state[name])
        return state

    def _state(self) -> dict[str, Any]:
        state = super().__getstate__()
        for name in ("training_", "record_", "forward_iter"):  # the last is skorch's, in scoring
            state.pop(name, None)
        return {**state, "train_split": None}

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        copied = type(self).__new__(type(self))
        memo[id(self)] = copied
        state = self._state()
        shared: dict[str, Any] = {}
        for name in ("callbacks", "callbacks_"):
            if name in state:
                shared[name] = copy_callbacks(state.pop(name))
        copied.__setstate__({**copy.deepcopy(state, memo), **shared})
        return copied

    @property
    def n_resumed(self) -> int:
        """How many epochs of this training a checkpoint had."""
        return 0 if self.training_ is None else len(self.history) - self.training_.n_before

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        training = self.training_
        assert training is not None
        getattr(self, method_name)(self, **cb_kwargs)
        stop = False
        for _, callback in self.callbacks_:
            try:
                getattr(callback, method_name)(self, **cb_kwargs)
            except KeyboardInterrupt:  # how skorch's callbacks end a training
                if training.interrupts.received:
                    raise
                stop = True
            except (KeyError, ValueError, SkorchException) as error:
                self._explain(error, callback)
                raise
        if training.interrupts.received:  # and something caught the exception
            raise KeyboardInterrupt
        if method_name == "on_epoch_end" and training.tasks is not None:
            try:
                stop = training.tasks.end_epoch() or stop
            except Exception as error:
                raise StopTraining from error
        if stop:
            raise StopTraining

    def _explain(self, error: Exception, callback: Any) -> None:
        """Raise a ValueError instead of an error about a score of data that are not there."""
        if self.train_split is None and re.search(r"\bvalid_", str(error)):
            raise ValueError(
                f"{type(callback).__name__} failed: {error}. There are no validation data. Set "
                f"early_stopping=True, which holds out validation_fraction of the data."
            ) from error

    def on_epoch_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        super().on_epoch_begin(net, **kwargs)
        if self.training_ is None:
            return
        self.training_.n_calls = 0
        if self.training_.tasks is not None:
            self.training_.tasks.begin_epoch()

    def initialize_callbacks(self) -> LossNet:
        super().initialize_callbacks()
        names = [name for name, _ in self._uniquely_named_callbacks()]
        for key, value in vars(self).items():
            name = key.removeprefix("callbacks__").partition("__")[0]
            if key in ("callbacks__train_loss", "callbacks__valid_loss") and value is None:
                raise ValueError(f"net_params holds {key}=None, but training needs this callback.")
            if key.startswith("callbacks__") and name not in names:
                raise ValueError(
                    f"net_params holds {key!r}, but there is no callback of this name. Expected "
                    f"one of {', '.join(map(repr, names))}.{did_you_mean(name, names)}"
                )
        return self

    def get_params_for_optimizer(self, prefix: str, named_parameters: Any) -> Any:
        named = list(named_parameters)
        for pattern, _ in self.get_params_for(prefix).get("param_groups", []):
            check_pattern(pattern, named, "optimizer__param_groups in net_params")
        return super().get_params_for_optimizer(prefix, named)

    def initialize_optimizer(self, *args: Any) -> LossNet:
        super().initialize_optimizer(*args)
        self.base_lrs_ = [group["lr"] for group in self.optimizer_.param_groups]
        return self

    def trim_for_prediction(self) -> None:
        """Free the optimizer, the callbacks and the history; keep what predictions need."""
        kept = {name: getattr(self, name) for name in ("criterion", "criterion_")}
        super().trim_for_prediction()
        self.__dict__.update(kept)

    def initialize_module(self) -> LossNet:
        super().initialize_module()
        lay_out(self.module_, self.optimizer)
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
        assert self.training_ is not None
        with explained(x):
            logits, loss = self.training_.forward(x, codes, weight)
        look = logits.requires_grad and not self.criterion_.looked_at
        if look and not self.compile_:
            logits.retain_grad()
        if logits.requires_grad and not loss.requires_grad:
            raise ValueError(
                f"The loss {self.criterion_.loss!r} has no gradient. Compute it from the logits by "
                f"torch's functions alone, without item(), detach(), argmax or numpy."
            )
        loss.backward()
        if self.compile_ and logits.is_cuda:
            logits = logits.detach().clone()  # callbacks may keep what a CUDA graph overwrites
        if look:
            self._check_slope(logits, codes, weight)
            self.criterion_.looked_at = True
        return {"loss": loss, "y_pred": logits}

    def get_loss(
        self, y_pred: Tensor, y_true: Tensor, X: Any = None, training: bool = False
    ) -> Tensor:
        weight = X["sample_weight"] if isinstance(X, dict) else None
        with self._random_numbers():
            value: Tensor = self.criterion_(y_pred, y_true, weight)
        return value

    def _check_slope(self, logits: Tensor, codes: Tensor, weight: Tensor | None) -> None:
        """Look at a loss's first batch whether it depends on the scores, and never again."""
        objective, gradient = self.criterion_, None
        if not self.compile_:  # which hides the gradient of the scores
            gradient, logits.grad = logits.grad, None
        with self._random_numbers():
            require_slope(
                objective.loss,
                lambda term: Objective(term, objective.masks),
                gradient,
                logits,
                codes,
                weight,
            )
            if self.compile_:  # in which it cannot be noticed
                objective = Objective(objective.loss, objective.masks)
                objective(logits.detach(), codes, weight)
        if objective.is_constant:
            refuse_softmax_of_one(objective.loss)

    def _random_numbers(self) -> contextlib.AbstractContextManager[None]:
        """Give the random numbers that a user's loss draws a seed of their own."""
        training = self.training_
        if training is None or not training.may_draw:
            return contextlib.nullcontext()
        training.n_calls += 1
        key = (self.generator_.initial_seed(), len(self.history), training.n_calls)
        return seeded(hash(key) % 2**63, self.device)

    def run_single_epoch(
        self, iterator: Batches | None, training: bool, prefix: str, step_fn: Any, **fit_params: Any
    ) -> None:
        if iterator is None:
            return
        current = self.training_
        assert current is not None
        values: list[Tensor] = []
        for batch in iterator:
            if training and current.plan is not None:
                current.plan.advance(self.optimizer_)
            current.inputs = batch[0]
            self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            loss = step["loss"].detach().clone()  # a CUDA graph overwrites it
            # On other devices, looking would wait for the device.
            if loss.device.type == "cpu" or current.fetches:
                value = loss.item()
                self._check_finite(value, first=training and not values)
                self.history.record_batch(f"{prefix}_loss", value)
            values.append(loss)
            self.history.record_batch(f"{prefix}_batch_size", len(batch[1]))
            self.notify("on_batch_end", batch=batch, training=training, **step)
        current.inputs = None
        self._record_losses(prefix, values)
        self.history.record(f"{prefix}_batch_count", len(iterator))
        if training:
            self.history.record("lr", self.optimizer_.param_groups[0]["lr"])

    def _record_losses(self, prefix: str, values: list[Tensor]) -> None:
        """Write an epoch's losses into the history, fetched from the device at once."""
        rows = [row for row in self.history[-1]["batches"] if f"{prefix}_batch_size" in row]
        for k, (row, value) in enumerate(zip(rows, torch.stack(values).tolist(), strict=True)):
            self._check_finite(value, first=k == 0 and prefix == "train")
            row[f"{prefix}_loss"] = value

    def _check_finite(self, value: float, first: bool) -> None:
        if math.isfinite(value):
            return
        lr = self.optimizer_.param_groups[0]["lr"]
        advice = "Try a smaller lr, or clip_norm=1.0."
        if first and len(self.history) == 1:
            advice = (
                "No step was made yet, so a smaller lr does not help: look for extreme values in "
                "the images, and at the loss and its weights, for instance by check_loss."
            )
        raise FloatingPointError(
            f"The loss became {value} in epoch {len(self.history)} (lr={lr:.3g}, "
            f"loss={self.criterion_.loss!r}). {advice}"
        )

    def fit(self, *args: Any, **kwargs: Any) -> LossNet:
        """Refuse to train without the estimator, which reads images and labels."""
        raise RuntimeError("The net is trained by its estimator. Use fit or partial_fit of that.")

    partial_fit = fit

    def train(
        self,
        data: TrainingData,
        epochs: int,
        schedule: Callable[[float], float] | None,
        tasks: FitTasks | None = None,
        estimator: Any = None,
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
            Is told of each epoch of a ``fit``, which continues from a checkpoint. Without
            it, all epochs are trained whatever was loaded.
        estimator : ImageEstimator, default=None
            Whose net it is.

        Raises
        ------
        KeyboardInterrupt
            After Ctrl-C. Callbacks that raise it merely end the training.
        """
        with watch_interrupts() as interrupts:
            self.training_ = Training(
                data,
                self._make_forward(data),
                interrupts,
                len(self.history),
                tasks,
                estimator,
                fetches=any(reads_batches(callback) for _, callback in self.callbacks_),
                may_draw=any(is_own(term) for term in data_terms(self.criterion_.loss)),
            )
            try:
                check_net_callbacks(self, data)
                self._train(epochs, schedule)
            finally:
                del self.training_

    def _train(self, epochs: int, schedule: Callable[[float], float] | None) -> None:
        training = self.training_
        assert training is not None
        data: TrainingData = training.data
        stopped: BaseException | None = None
        if training.n_before:  # where torch's schedulers look for it when training continues
            for group, lr in zip(self.optimizer_.param_groups, self.base_lrs_, strict=True):
                group.setdefault("initial_lr", lr)
        try:
            self.notify("on_train_begin", X=data, y=data.y)
            self.fit_loop(data, None, epochs=self._begin(epochs, schedule))
        except StopTraining as stop:
            stopped = stop.__cause__
        except KeyboardInterrupt as interrupt:
            if len(self.history) > 1 and "train_loss" not in self.history[-1]:
                del self.history[-1]  # an epoch that did not end
            stopped = interrupt
        except BaseException:
            for _, callback in self.callbacks_:
                if isinstance(callback, EpochBar):
                    callback.close()
            raise
        finally:
            if training.plan is not None:
                for group, lr in zip(self.optimizer_.param_groups, self.base_lrs_, strict=True):
                    group["lr"] = lr
        self._end(stopped)

    def _begin(self, epochs: int, schedule: Callable[[float], float] | None) -> int:
        """Prepare the first epoch; return how many there are left after a checkpoint's."""
        training = self.training_
        assert training is not None
        n_done = self.n_resumed
        if n_done and continue_from_record(self):
            raise StopTraining
        if training.tasks is None:
            n_done = 0
        else:
            training.tasks.n_epochs = n_done
        if schedule is not None:
            n_steps = len(self.get_iterator(training.data, training=True))
            training.plan = LearningRatePlan(
                schedule, self.base_lrs_, epochs * n_steps, n_done * n_steps
            )
        return max(epochs - n_done, 0)

    def _end(self, stopped: BaseException | None) -> None:
        """Tell callbacks, and raise what ended the training."""
        assert self.training_ is not None
        data = self.training_.data
        try:
            self.notify("on_train_end", X=data, y=data.y)
        except StopTraining:
            pass
        except Exception as error:
            if stopped is None:
                raise
            stopped.add_note(f"At the end of the training, a callback raised {error!r}.")
        if stopped is not None:
            raise stopped

    def _make_forward(self, data: TrainingData) -> Callable[..., tuple[Tensor, Tensor]]:
        """Return network and loss as one function, compiled on request."""
        module, criterion, dtype = self.module_, self.criterion_, self.autocast_

        def score(x: Tensor, module: nn.Module = module) -> Tensor:
            with torch.autocast(x.device.type, dtype, enabled=dtype is not None):
                logits: Tensor = module(x).contiguous()  # losses may want to view them
            return logits

        def forward(x: Tensor, codes: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
            logits = score(x)
            return logits, criterion(logits, codes, weight)

        def seeded_forward(
            x: Tensor, codes: Tensor, weight: Tensor | None
        ) -> tuple[Tensor, Tensor]:
            logits = score(x, self.module_)  # a callback may have exchanged either
            with self._random_numbers():  # networks draw none, and may run in parallel threads
                return logits, self.criterion_(logits, codes, weight)

        if not self.compile_:
            return seeded_forward
        # Batches have one of two sizes, each worth code, and on a GPU a graph, of its own.
        compiled = torch.compile(
            forward,
            dynamic=False if data.sizes is None else None,
            mode="reduce-overhead" if torch.device(self.device).type == "cuda" else None,
        )

        def seeded_compiled(*batch: Any) -> tuple[Tensor, Tensor]:
            with self._random_numbers():
                value: tuple[Tensor, Tensor] = compiled(*batch)
            return value

        return seeded_compiled

    def _set_training(self, training: bool = True) -> None:
        if self.module_.training != training:  # walking over all modules takes time
            self.module_.train(training)
            self.criterion_.train(training)
