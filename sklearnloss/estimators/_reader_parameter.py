"""The ``reader`` parameter: how it is changed and listed."""

from __future__ import annotations

from typing import Any, Self

from sklearn.base import BaseEstimator, clone

from .._files import FileReader

READER_PREFIX = "reader__"


class ReaderParameterMixin(BaseEstimator):  # type: ignore[misc]
    """Give an estimator a ``reader`` parameter with nested ``reader__*`` parameters.

    They can be set even if ``reader`` is None; the reader that was passed is never changed.
    """

    reader: FileReader | None

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the estimator's parameters.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include parameters of the loss, the network and the reader that were
            left at their defaults.

        Returns
        -------
        params : dict of str to object
        """
        params: dict[str, Any] = super().get_params(deep=deep)
        if deep and self.reader is None:
            defaults = FileReader().get_params()
            params |= {READER_PREFIX + name: value for name, value in defaults.items()}
        return params

    def _set_params(self, params: dict[str, Any]) -> Self:
        nested = {key: value for key, value in params.items() if key.startswith(READER_PREFIX)}
        super()._set_params({key: value for key, value in params.items() if key not in nested})
        if nested:
            reader = FileReader() if self.reader is None else clone(self.reader)
            given = {key.removeprefix(READER_PREFIX): value for key, value in nested.items()}
            self.reader = reader.set_params(**given)
        return self
