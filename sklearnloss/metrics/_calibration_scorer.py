"""Calibration of an estimator, as a scorer."""

from __future__ import annotations

from typing import Any

from ._calibration import expected_calibration_error
from ._mask_scorer import MaskScorer
from ._pairs import MaskPairs


class CalibrationScorer(MaskScorer):
    """Score an estimator by its expected calibration error, negated: higher is better.

    Unlike a scorer made by ``make_scorer``, it passes the estimator's classes to the
    metric, since a fold may lack one of them. Masks are read in the same way as by the
    segmenter that is scored, see :func:`make_mask_scorer`.

    Parameters
    ----------
    **settings : dict
        Arguments of :func:`expected_calibration_error`, such as ``n_bins`` or
        ``average``.

    See Also
    --------
    calibration_scorer : The same scorer with default settings.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearnloss.metrics import CalibrationScorer
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000)
    >>> cross_val_score(model, X, y, scoring=CalibrationScorer(n_bins=5), cv=3).round(2)
    array([-0.09, -0.08, -0.11])
    """

    _streams = frozenset([expected_calibration_error])

    def __init__(self, **settings: Any) -> None:
        super().__init__(expected_calibration_error, -1, settings, "predict_proba")

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self._kwargs.items())
        return f"CalibrationScorer({settings})"

    def _settings_for(self, pairs: MaskPairs) -> dict[str, Any]:
        # The channels of multilabel masks are identified by position.
        labels = None if pairs.multilabel else pairs.classes
        return {"labels": labels, **super()._settings_for(pairs)}

    def _settings_without_masks(self, estimator: Any) -> dict[str, Any]:
        return {"labels": None if self._kwargs.get("multilabel") else estimator.classes_}
