"""Scorers that read masks in the same way as the segmenter that they score."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Any

import numpy as np
from sklearn import __version__ as sklearn_version
from sklearn.base import is_classifier
from sklearn.metrics._scorer import _Scorer
from sklearn.utils.fixes import parse_version

from .._utils.pipeline import reach_final
from ._boundary_iou import boundary_iou_score
from ._calibration import expected_calibration_error
from ._hausdorff import hausdorff_distance
from ._overlap import dice_score, iou_score
from ._pairs import MaskPairs
from ._surface_dice import surface_dice_score

# Before 1.9, scikit-learn's scorers call predict_proba only on classifiers.
_ANY_METHOD = parse_version(sklearn_version) >= parse_version("1.9")

#: Metrics of labels, and whether higher is better.
METRICS: dict[Callable[..., Any], bool] = {
    boundary_iou_score: True,
    dice_score: True,
    hausdorff_distance: False,
    iou_score: True,
    surface_dice_score: True,
}


class MaskScorer(_Scorer):  # type: ignore[misc]
    """A scikit-learn scorer that lets the segmenter read the masks.

    The last step of the estimator reads them if it has the method

        _pair_masks(X, y, method, call) -> MaskPairs

    It pairs true masks, read as in its ``score``, with the results of ``method``
    ("predict" or "predict_proba"). ``call(X)`` returns these for images in memory,
    possibly from a cache. Any other estimator is scored as by scikit-learn's scorers.
    """

    # These take MaskPairs; other functions receive all masks at once.
    _streams = frozenset(METRICS)

    def __call__(self, estimator: Any, X: Any, y_true: Any = None, **params: Any) -> float:
        """Return the score of an estimator.

        Parameters
        ----------
        estimator : object
            Fitted.
        X : array-like
            Images.
        y_true : array-like, default=None
            True masks or labels; not needed if X is a torch ``Dataset`` that has them.
        **params : dict
            ``sample_weight``, and other requested metadata.

        Returns
        -------
        score : float
            Higher is better.
        """
        score: float = super().__call__(estimator, X, y_true, **params)
        return score

    def _score(
        self, method_caller: Any, estimator: Any, X: Any, y_true: Any = None, **params: Any
    ) -> Any:
        self._warn_overlap("A setting of the scorer is also passed as metadata.", params)
        method = self._response_method
        if hasattr(reach_final(estimator, None)[0], "_pair_masks"):
            final, X = reach_final(estimator, X)
            call = _caller(method_caller, final, method, None)
            pairs = final._pair_masks(X, y_true, method, call)
            settings = self._settings_for(pairs)
            streams = self._score_func in self._streams
            y_true, y_pred = (pairs, None) if streams else pairs.collect()
        else:
            if y_true is None:
                raise ValueError(f"{type(estimator).__name__} cannot be scored, as y is None.")
            settings = self._settings_without_masks(estimator)
            y_pred = _caller(method_caller, estimator, method, self._get_pos_label())(X)
        score = self._score_func(y_true, y_pred, **{**settings, **self._kwargs, **params})
        return self._sign * score

    def _settings_for(self, pairs: MaskPairs) -> dict[str, Any]:
        """Return the segmenter's settings for reading masks, to pass to the function.

        Raises
        ------
        ValueError
            If the scorer was made with a different setting, or the function has no such
            parameter.
        """
        reading: dict[str, Any] = {}
        if pairs.ignore_index is not None:
            reading["ignore_index"] = pairs.ignore_index
        if pairs.multilabel or "multilabel" in self._kwargs:
            reading["multilabel"] = pairs.multilabel
        for name, value in reading.items():
            if name in self._kwargs and self._kwargs[name] != value:
                raise ValueError(
                    f"The scorer has {name}={self._kwargs[name]!r}, but the segmenter has "
                    f"{name}={value!r}. Drop it from the scorer, which takes it from the segmenter."
                )
            if name not in signature(self._score_func).parameters:
                raise ValueError(
                    f"The segmenter has {name}={value!r}, but {_name(self._score_func)} has no "
                    f"such parameter. Add it, so that masks are scored as they are trained on."
                )
        self._check_labels(pairs)
        return reading

    def _check_labels(self, pairs: MaskPairs) -> None:
        """Raise a ValueError if no label to score can be predicted; the score would be 1."""
        labels, classes = self._kwargs.get("labels"), pairs.classes
        if labels is None or classes is None or pairs.multilabel:
            return
        if not np.isin(labels, classes).any():
            raise ValueError(
                f"The scorer has labels={labels!r}, but the classes of the segmenter are "
                f"{np.asarray(classes).tolist()}. Expected some of these; pass classes= to the "
                f"segmenter if its training data lack some."
            )

    def _settings_without_masks(self, estimator: Any) -> dict[str, Any]:
        """Return the settings to pass to the function for any other estimator."""
        return {}

    def __repr__(self) -> str:
        usual = METRICS.get(self._score_func, True)
        better = self._sign > 0
        settings = {} if better == usual else {"greater_is_better": better}
        text = "".join(f", {name}={value!r}" for name, value in (settings | self._kwargs).items())
        return f"make_mask_scorer({_name(self._score_func)}{text})"


def make_mask_scorer(
    score_func: Callable[..., Any], *, greater_is_better: bool | None = None, **settings: Any
) -> MaskScorer:
    """Make a scorer for ``scoring=`` that reads masks in the same way as the segmenter.

    scikit-learn's ``make_scorer`` does not know a segmenter's ``ignore_index`` and
    ``multilabel``, so ignored pixels are scored as one more class. This scorer takes them
    from the segmenter, through pipelines and searches too, and accepts masks in every
    form that :meth:`~sklearnloss.UNetSegmenter.score` does: arrays, and lists of files or
    of masks of different sizes, which are read and scored one by one.

    Parameters
    ----------
    score_func : callable
        A mask metric of this module, or your own ``(y_true, y_pred, **settings) -> float``.
        The segmenter's ``ignore_index`` and ``multilabel`` are passed to it if they are
        set, so it must have these parameters then. ``y_true`` and ``y_pred`` are lists
        if images are of different sizes.
    greater_is_better : bool, default=None
        Whether higher values are better. If not, the score is the negative value. None
        chooses correctly for the metrics of this module, and is True for others.
    **settings : dict
        Further arguments of ``score_func``, such as ``labels=[1]``.

    Returns
    -------
    scorer : callable
        As in scikit-learn: ``scorer(estimator, X, y) -> float``, higher is better.

    Raises
    ------
    TypeError
        If ``score_func`` is not callable, such as the name of a metric.
    ValueError
        If ``score_func`` is a metric of probabilities; or, when the scorer is called, if
        a setting contradicts the segmenter's.

    See Also
    --------
    CalibrationScorer : A scorer of probabilities.

    Examples
    --------
    >>> from sklearnloss.metrics import dice_score, hausdorff_distance, make_mask_scorer
    >>> make_mask_scorer(dice_score, labels=[1])
    make_mask_scorer(dice_score, labels=[1])
    >>> make_mask_scorer(hausdorff_distance, percentile=100, spacing=0.5)
    make_mask_scorer(hausdorff_distance, percentile=100, spacing=0.5)

    The mean over images instead of all their pixels:

    >>> def image_dice(y_true, y_pred, ignore_index=None):
    ...     scores = dice_score(y_true, y_pred, ignore_index=ignore_index, per_image=True)
    ...     return scores.mean()
    >>> make_mask_scorer(image_dice)
    make_mask_scorer(image_dice)
    """
    if not callable(score_func):
        raise TypeError(
            f"score_func={score_func!r}: expected a function of (y_true, y_pred), such as "
            f"dice_score. Names such as 'dice' can be passed as scoring= of LossSearchCV and "
            f"compare_losses."
        )
    if score_func is expected_calibration_error:
        raise ValueError(
            "expected_calibration_error scores probabilities. Use CalibrationScorer(n_bins=...)."
        )
    if greater_is_better is None:
        greater_is_better = METRICS.get(score_func, True)
    return MaskScorer(score_func, 1 if greater_is_better else -1, settings, "predict")


def as_mask_scorer(scorer: Any) -> Any:
    """Turn a scorer that ``make_scorer`` made from a mask metric into a ``MaskScorer``.

    Anything else is returned unchanged.
    """
    if type(scorer) is not _Scorer or not any(scorer._score_func is each for each in METRICS):
        return scorer
    asking = MaskScorer.__new__(MaskScorer)
    asking.__dict__.update(vars(scorer))
    return asking


def _name(score_func: Any) -> str:
    return str(getattr(score_func, "__name__", repr(score_func)))


def _caller(
    method_caller: Any, estimator: Any, method: str, pos_label: Any
) -> Callable[[Any], Any]:
    """Return the function that predicts, if possible one that shares cached predictions."""
    if method == "predict" or _ANY_METHOD or is_classifier(estimator):
        return partial(method_caller, estimator, method, pos_label=pos_label)
    predict: Callable[[Any], Any] = getattr(estimator, method)
    return predict
