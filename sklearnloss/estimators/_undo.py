"""A fit that fails leaves the estimator as it was."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any


class UndoMixin:
    """Keep what an estimator learnt before, until a new fit has succeeded."""

    net_: Any

    @contextlib.contextmanager
    def _as_before_on_failure(self) -> Iterator[None]:
        """Undo what a fit that fails has learnt, so that no half of it is left."""
        before = self._learnt()
        try:
            yield
        except Exception as error:
            trained_on = self.__dict__.get("net_") is before.get("net_")
            for name in self._learnt():
                delattr(self, name)
            self.__dict__.update(before)
            if isinstance(error, FloatingPointError) and trained_on:
                del self.net_  # its weights are not finite
            raise

    def _learnt(self) -> dict[str, Any]:
        """Return the attributes that a fit sets."""
        return {
            name: value
            for name, value in vars(self).items()
            if name == "_fitted_loss_key" or (name.endswith("_") and not name.startswith("_"))
        }
