"""Restores an estimator after a failed fit."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any


class UndoMixin:
    """Keep an estimator's fitted attributes until a new fit has succeeded.

    After Ctrl-C, the new fit is kept if it has trained a little.
    """

    net_: Any

    @contextlib.contextmanager
    def _as_before_on_failure(self) -> Iterator[None]:
        """Undo the changes of a failed fit, so that no partial state is left."""
        before = self._learnt()
        n_epochs = len(before["net_"].history) if "net_" in before else 0
        try:
            yield
        except BaseException as error:
            same_net = self.__dict__.get("net_") is before.get("net_")
            if not isinstance(error, Exception) and self._has_trained(n_epochs if same_net else 0):
                raise
            for name in self._learnt():
                delattr(self, name)
            self.__dict__.update(before)
            if isinstance(error, FloatingPointError) and same_net:
                del self.net_  # its weights are not finite
            raise

    def _has_trained(self, n_epochs: int) -> bool:
        """Return whether the net has made a step after the given number of epochs."""
        if "net_" not in self.__dict__:
            return False
        rows = self.net_.history[n_epochs:]
        return any("train_batch_size" in batch for row in rows for batch in row["batches"])

    def _learnt(self) -> dict[str, Any]:
        """Return the attributes that a fit sets."""
        return {
            name: value
            for name, value in vars(self).items()
            if name == "_fitted_loss_key" or (name.endswith("_") and not name.startswith("_"))
        }
