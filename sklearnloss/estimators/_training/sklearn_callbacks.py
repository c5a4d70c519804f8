"""scikit-learn's own callbacks, told of each epoch."""

from __future__ import annotations

import copy
from typing import Any

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn < 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing to support."""

    def with_callbacks(method: Any) -> Any:
        """Return the method as it is."""
        return method


__all__ = ["CallbackSupportMixin", "FitTasks", "with_callbacks"]


class FitTasks:
    """Tells scikit-learn's callbacks of a fit and of its epochs, and then ``_epoch_hook``.

    Parameters
    ----------
    estimator : estimator
        What is fitted.
    X, y : array-like
        What it is fitted on.
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
        """Say that an epoch begins."""
        if self.context is not None:
            self.epoch = self.context.subcontext(task_name="epoch")
            self.epoch.call_on_fit_task_begin(**self.data)

    def end_epoch(self) -> bool:
        """Say that an epoch ended; return whether a callback asks to stop."""
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
        """Say that the fit ended."""
        if self.context is not None:
            self.context.call_on_fit_task_end(**self.data, reconstruction_attributes=self._fitted)

    def _fitted(self) -> dict[str, Any]:
        """Return what a copy of the estimator needs so that it does not change afterwards."""
        net = copy.deepcopy(self.estimator.net_)
        return {"net_": net, "loss_": net.criterion_.loss}
