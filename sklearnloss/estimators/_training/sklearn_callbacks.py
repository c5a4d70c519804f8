"""Notification of scikit-learn's own callbacks in each epoch."""

from __future__ import annotations

import copy
from typing import Any

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn < 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Does nothing: callbacks are not supported."""

    def with_callbacks(method: Any) -> Any:
        """Return the method unchanged."""
        return method


__all__ = ["CallbackSupportMixin", "FitTasks", "with_callbacks"]


class FitTasks:
    """Notifies scikit-learn's callbacks of a fit and of its epochs, then calls ``_epoch_hook``.

    Parameters
    ----------
    estimator : estimator
        The estimator that is fitted.
    X, y : array-like
        The data that it is fitted on.
    sample_weight : array-like or None
        Weights of the samples.
    """

    def __init__(self, estimator: Any, X: Any, y: Any, sample_weight: Any) -> None:
        self.data = {
            "estimator": estimator,
            "X": X,
            "y": y,
            "metadata": {} if sample_weight is None else {"sample_weight": sample_weight},
        }
        self.estimator = estimator
        self.n_epochs = 0
        self.context: Any = None
        if hasattr(estimator, "_init_callback_context"):
            self.context = estimator._init_callback_context(max_subtasks=estimator.max_epochs)
            self.context.call_on_fit_task_begin(**self.data)

    def begin_epoch(self) -> None:
        """Notify the callbacks that an epoch begins."""
        if self.context is not None:
            self.epoch = self.context.subcontext(task_name="epoch")
            self.epoch.call_on_fit_task_begin(**self.data)

    def end_epoch(self) -> bool:
        """Notify the callbacks that an epoch ended; return whether one requests a stop."""
        self.n_epochs += 1
        stop = False
        if self.context is not None:
            stop = self.epoch.call_on_fit_task_end(
                **self.data, reconstruction_attributes=self._fitted
            )
        if self.estimator._epoch_hook is not None:
            self.estimator._epoch_hook(self.estimator, self.n_epochs)
        return bool(stop)

    def end(self) -> None:
        """Notify the callbacks that the fit ended."""
        if self.context is not None:
            self.context.call_on_fit_task_end(**self.data, reconstruction_attributes=self._fitted)

    def _fitted(self) -> dict[str, Any]:
        """Return the attributes for a copy of the estimator that does not change afterwards."""
        net = copy.deepcopy(self.estimator.net_)
        return {"net_": net, "loss_": net.criterion_.loss}
