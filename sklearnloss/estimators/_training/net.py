"""The skorch net of an estimator: its targets are codes, its batches are slices of tensors."""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Callable
from typing import Any, Self

import torch
from skorch import NeuralNet
from skorch.exceptions import SkorchException
from torch import Tensor

from ..._utils.text import did_you_mean
from ...losses._core.foreign import is_own
from ...losses._core.terms import data_terms
from .._data.dataset import TrainingData
from .batches import Batches
from .callback_checks import check_net_callbacks, reads_batches
from .callbacks import EpochBar, copy_callbacks, picklable_callbacks
from .checkpoints import continue_from_record
from .criterion import Criterion
from .fine_tuning import FineTunedNet
from .finite_loss import require_finite
from .forward import explain_norm_error, make_forward
from .gradient_check import refuse_softmax_of_one, require_slope
from .interrupts import watch_interrupts
from .memory_format import lay_out
from .random_state import seeded
from .schedule import LearningRatePlan
from .sklearn_callbacks import FitTasks
from .training_state import StopTraining, Training


class LossNet(FineTunedNet):
    """A skorch net that slices its batches from whole tensors and trains with one loss.

    Attributes
    ----------
    base_lrs_ : list of float
        The learning rate of each group of parameters, before any schedule.
    output_weights_ : tuple of float
        The weight of each of the network's outputs in the loss.
    training_ : Training or None
        The state of the training in progress.
    """

    base_lrs_: list[float]
    output_weights_: tuple[float, ...] = (1.0,)
    training_: Training | None = None

    def __getstate__(self) -> dict[str, Any]:
        state = self._state()
        for name in ("callbacks", "callbacks_"):
            if isinstance(state.get(name), list):
                state[name] = picklable_callbacks(state[name])
        return state

    def _state(self) -> dict[str, Any]:
        state = super().__getstate__()
        for name in ("training_", "record_", "forward_iter"):  # skorch sets the last in scoring
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
        """Number of epochs of this training that were loaded from a checkpoint."""
        return 0 if self.training_ is None else len(self.history) - self.training_.n_before

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        training = self.training_
        assert training is not None
        getattr(self, method_name)(self, **cb_kwargs)
        stop = False
        for _, callback in self.callbacks_:
            try:
                getattr(callback, method_name)(self, **cb_kwargs)
            except KeyboardInterrupt:  # how skorch's callbacks end training
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
        """Raise a clearer ValueError for a callback that needs missing validation data."""
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
        with explain_norm_error(x):
            logits, loss = self.training_.forward(x, codes, weight)
        look = logits.requires_grad and not self.criterion_.is_checked
        if look and not self.compile_:
            logits.retain_grad()
        if logits.requires_grad and not loss.requires_grad:
            raise ValueError(
                f"The loss {self.criterion_.loss!r} has no gradient. Compute it from the logits "
                f"with torch functions only, without item(), detach(), argmax or numpy."
            )
        loss.backward()
        if self.compile_ and logits.is_cuda:
            logits = logits.detach().clone()  # callbacks may keep what a CUDA graph overwrites
        if look:
            self._check_slope(logits, codes, weight)
            self.criterion_.is_checked = True
        return {"loss": loss, "y_pred": logits}

    def get_loss(
        self, y_pred: Tensor, y_true: Tensor, X: Any = None, training: bool = False
    ) -> Tensor:
        weight = X["sample_weight"] if isinstance(X, dict) else None
        with self.random_numbers():
            value: Tensor = self.criterion_(y_pred, y_true, weight)
        return value

    def _check_slope(self, logits: Tensor, codes: Tensor, weight: Tensor | None) -> None:
        """Check on the first batch, once per loss, that the loss depends on the scores."""
        criterion, gradient = self.criterion_, None
        if not self.compile_:  # compiling hides the gradient of the scores
            gradient, logits.grad = logits.grad, None
        with self.random_numbers():
            require_slope(
                criterion.loss,
                lambda term: Criterion(term, criterion.masks),
                gradient,
                logits,
                codes,
                weight,
            )
            if self.compile_:  # where it cannot be detected
                criterion = Criterion(criterion.loss, criterion.masks)
                criterion(logits.detach(), codes, weight)
        if criterion.is_constant:
            refuse_softmax_of_one(criterion.loss)

    def random_numbers(self) -> contextlib.AbstractContextManager[None]:
        """Seed the random numbers that a user's loss draws, in this block only."""
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
            # On other devices, checking would wait for the device.
            if loss.device.type == "cpu" or current.fetches:
                value = loss.item()
                require_finite(self, value, first=training and not values)
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
        """Fetch an epoch's losses from the device at once and write them into the history."""
        rows = [row for row in self.history[-1]["batches"] if f"{prefix}_batch_size" in row]
        for k, (row, value) in enumerate(zip(rows, torch.stack(values).tolist(), strict=True)):
            require_finite(self, value, first=k == 0 and prefix == "train")
            row[f"{prefix}_loss"] = value

    def fit(self, *args: Any, **kwargs: Any) -> LossNet:
        """Refuse to train without the estimator, which reads images and labels."""
        raise RuntimeError(
            "The net is trained by its estimator. Use the estimator's fit or partial_fit."
        )

    partial_fit = fit

    def train(
        self,
        data: TrainingData,
        epochs: int,
        schedule: Callable[[float], float] | None,
        tasks: FitTasks | None = None,
        estimator: Any = None,
    ) -> None:
        """Train for some epochs; unlike in skorch's own loop, Ctrl-C is not caught.

        Parameters
        ----------
        data : TrainingData
            The training data.
        epochs : int
            Passes over the data.
        schedule : callable or None
            The factor of the learning rate by progress in [0, 1).
        tasks : FitTasks, default=None
            Notified of each epoch of a ``fit``, which continues from a checkpoint. Without
            it, all epochs are trained, regardless of a loaded checkpoint.
        estimator : ImageEstimator, default=None
            The estimator of this net.

        Raises
        ------
        KeyboardInterrupt
            After Ctrl-C. Callbacks that raise it merely end the training.
        """
        with watch_interrupts() as interrupts:
            self.training_ = Training(
                data,
                make_forward(self, data),
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
        if training.n_before:  # torch's schedulers read it when training continues
            for group, lr in zip(self.optimizer_.param_groups, self.base_lrs_, strict=True):
                group.setdefault("initial_lr", lr)
        try:
            self.notify("on_train_begin", X=data, y=data.y)
            self.fit_loop(data, None, epochs=self._begin(epochs, schedule))
        except StopTraining as stop:
            stopped = stop.__cause__
        except KeyboardInterrupt as interrupt:
            if len(self.history) > 1 and "train_loss" not in self.history[-1]:
                del self.history[-1]  # an unfinished epoch
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
        """Prepare the first epoch; return how many remain after those of a checkpoint."""
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
        """Notify the callbacks, and raise the error that ended the training."""
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

    def _set_training(self, training: bool = True) -> None:
        if self.module_.training != training:  # iterating over all modules takes time
            self.module_.train(training)
            self.criterion_.train(training)
            self.set_norms()
