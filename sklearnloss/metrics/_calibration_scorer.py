"""Calibration of an estimator, as a scorer."""

from __future__ import annotations

from typing import Any

from sklearn.metrics import make_scorer

from ._calibration import expected_calibration_error


class CalibrationScorer:
    """Score an estimator by its expected calibration error, negated: higher is better.

    ``make_scorer`` would do, but not tell the error which classes the estimator
    knows, and a fold may lack one.

    Parameters
    ----------
    **settings : dict
        Of :func:`expected_calibration_error`, such as ``n_bins``, ``ignore_index``
        or ``multilabel``.

    See Also
    --------
    calibration_scorer : The same with default settings.

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

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self._requests = self._with_labels(None)

    def __call__(self, estimator: Any, X: Any, y_true: Any, **params: Any) -> float:
        """Return minus the error of ``estimator.predict_proba(X)``.

        Parameters
        ----------
        estimator : object
            Fitted, with ``predict_proba`` and ``classes_``.
        X : array-like
            Images.
        y_true : array-like
            True labels or masks.
        **params : dict
            ``sample_weight``.

        Returns
        -------
        score : float
            In [-1, 0]; 0 is perfect.
        """
        # The channels of multilabel masks are told apart by position.
        labels = None if self.settings.get("multilabel") else estimator.classes_
        return float(self._with_labels(labels)(estimator, X, y_true, **params))

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        return f"CalibrationScorer({settings})"

    def set_score_request(self, **requests: Any) -> CalibrationScorer:
        """Request metadata, such as ``sample_weight=True``, as scikit-learn's scorers do.

        Parameters
        ----------
        **requests : dict
            True, False, None or another name, by parameter.

        Returns
        -------
        self : CalibrationScorer
        """
        self._requests.set_score_request(**requests)
        return self

    def get_metadata_routing(self) -> Any:
        """Return what has been requested.

        Returns
        -------
        routing : sklearn.utils.metadata_routing.MetadataRequest
        """
        return self._requests.get_metadata_routing()

    def _accept_sample_weight(self) -> bool:  # scikit-learn asks its own scorers so
        return True

    def _with_labels(self, labels: Any) -> Any:
        return make_scorer(
            expected_calibration_error,
            response_method="predict_proba",
            greater_is_better=False,
            **{"labels": labels, **self.settings},
        )
