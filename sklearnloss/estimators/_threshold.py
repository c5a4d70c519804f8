"""Decisions made from probabilities: thresholds, and the temperature that calibrates."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.metrics import check_scoring
from torch import Tensor

from .._predict.decide import Threshold, check_temperature, check_threshold
from ..metrics._confusion import ConfusionScore, confusion_score
from ..metrics._named import named_scorers
from ._inference.predict import Finish
from ._inference.probability_counts import (
    Block,
    ProbabilityCounts,
    best_position,
    best_positions,
)
from ._inference.temperature import best_temperature

# For scores that need the predicted masks or labels themselves, once for each threshold.
_FEW_THRESHOLDS = np.arange(1, 20) / 20


class ThresholdMixin:
    """Choose thresholds and a temperature on held-out data.

    Attributes
    ----------
    threshold_ : float, ndarray of shape (n_labels,), or None
        Probability above which ``predict`` chooses the second of two classes, or each label
        of multilabel masks. None, as after ``fit``: the more probable one. May be set.
    temperature_ : float or None
        Scores are divided by it before they become probabilities. None, as after ``fit``:
        they are not. May be set.
    """

    threshold_: Any = None
    temperature_: float | None = None

    classes_: np.ndarray
    _reads_masks: ClassVar[bool]
    # The score that thresholds maximize by default: that of ``score``.
    _own_scoring: ClassVar[str] = "accuracy"

    def fit_threshold(
        self, X: Any, y: Any = None, *, scoring: Any = None, sample_weight: Any = None
    ) -> Self:
        """Choose the threshold with the highest score on held-out images.

        Parameters
        ----------
        X : array-like, list of files or arrays, or Dataset
            Images that the estimator was not fitted on: on its training images it is too sure
            of itself, and the threshold would be wrong. This cannot be checked.
        y : array-like, default=None
            Their masks or labels; not needed if X is a torch ``Dataset`` that has them.
        scoring : str or callable, default=None
            The score: a name, such as "dice" for masks or "balanced_accuracy" for labels,
            or a scorer. None is that of :meth:`score`.
        sample_weight : array-like of shape (n,), default=None
            Weights of the images.

        Returns
        -------
        self : estimator
            With ``threshold_``, which :meth:`predict` uses from now on, and everything that
            calls it. ``threshold_ = None`` undoes this.

        Raises
        ------
        ValueError
            If there are more than two classes that exclude each other, the score does not
            depend on a threshold, or data or score are invalid.

        See Also
        --------
        fit_temperature : Calibrates the probabilities; do this first.

        Notes
        -----
        Scores that are computed from counts are exact at 1,053 thresholds, in steps of .001
        and finer ones near 0 and 1: iou and dice for masks, accuracy, balanced_accuracy, f1,
        precision, recall, jaccard, matthews_corrcoef and their relatives for labels. Images
        are predicted once, in batches, and no probabilities are kept. Each label of
        multilabel masks gets the threshold with its own highest score. Any other score is
        computed at 19 thresholds, .05 to .95, with a prediction for each, and cannot be used
        for multilabel masks. Of thresholds with the same score, the one next to
        .5 is chosen. Further training resets the threshold, since it belongs to these weights.
        """
        model: Any = self
        model._check_fitted()
        model._check_targets(X, y)
        multilabel = bool(getattr(self, "multilabel", False))
        if not multilabel and len(self.classes_) != 2:
            raise ValueError(
                f"A threshold decides between two classes, or about each label of multilabel "
                f"masks, but there are {len(self.classes_)} classes that exclude each other. The "
                f"most probable one is predicted."
            )
        scorer = check_scoring(self, named_scorers(scoring or self._own_scoring, self))
        if getattr(scorer, "_response_method", "predict") != "predict":
            raise ValueError(
                f"scoring={scoring!r} is computed from probabilities and does not depend on a "
                f"threshold. Expected a score of predicted labels, such as {self._own_scoring!r}."
            )
        score = confusion_score(
            scorer, self.classes_.tolist(), multilabel=multilabel, masks=self._reads_masks
        )
        if score is not None and (score.of_each_label or not multilabel):
            self.threshold_ = self._best_by_counts(score, X, y, sample_weight)
        elif not multilabel:
            self.threshold_ = self._best_by_scorer(scorer, X, y, sample_weight)
        else:
            raise ValueError(
                f"scoring={scoring!r} does not score each label by itself, so each threshold would "
                f"depend on all others. For multilabel masks, expected 'iou' or 'dice'."
            )
        return self

    def fit_temperature(self, X: Any, y: Any = None, *, sample_weight: Any = None) -> Self:
        """Calibrate the probabilities on held-out images, by temperature scaling.

        All scores are divided by one number, the temperature, before they become
        probabilities: above 1 makes them less sure, below 1 surer. It minimizes the log loss
        of the images. The most probable labels stay the same.

        Parameters
        ----------
        X : array-like, list of files or arrays, or Dataset
            Images that the estimator was not fitted on: on its training images it is too sure
            of itself, and the temperature would be too low. This cannot be checked.
        y : array-like, default=None
            Their masks or labels; not needed if X is a torch ``Dataset`` that has them.
        sample_weight : array-like of shape (n,), default=None
            Weights of the images.

        Returns
        -------
        self : estimator
            With ``temperature_``, which :meth:`predict_proba` uses from now on, and everything
            that calls it. ``temperature_ = None`` undoes this. A ``threshold_`` that was chosen
            before refers to other probabilities and is reset, with a warning.

        See Also
        --------
        fit_threshold : Chooses a threshold for the calibrated probabilities.

        Notes
        -----
        Images are predicted twice, in batches. Ignored and masked pixels are left out. After
        training with a sigmoid loss for several classes, the logarithms of the normalized
        probabilities are divided. Further training resets the temperature.

        References
        ----------
        C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural
        networks", ICML 2017. https://arxiv.org/abs/1706.04599
        """
        model: Any = self
        model._check_fitted()
        model._check_targets(X, y)
        binary = bool(getattr(self, "multilabel", False)) or model._channels() == 1

        def blocks() -> Iterator[Block]:
            return self._blocks(X, y, self._as_log_scores, sample_weight)

        self.temperature_ = best_temperature(blocks, binary=binary)
        if self.threshold_ is not None:
            self.threshold_ = None
            warnings.warn(
                "threshold_ referred to the probabilities before calibration and was reset. Call "
                "fit_threshold again.",
                UserWarning,
                stacklevel=2,
            )
        return self

    def _blocks(self, X: Any, y: Any, finish: Finish, sample_weight: Any) -> Iterator[Block]:
        """Yield codes of true labels, the results of ``finish`` on their scores, and weights."""
        raise NotImplementedError

    def _as_probabilities(self, logits: Tensor) -> np.ndarray:
        raise NotImplementedError

    def _log_scores(self, logits: Tensor) -> Tensor:
        """Return what a sigmoid or softmax turns into probabilities."""
        raise NotImplementedError

    def _as_log_scores(self, logits: Tensor) -> np.ndarray:
        scores: np.ndarray = self._log_scores(logits).cpu().numpy()
        return scores

    def _tempered(self, logits: Tensor) -> Tensor:
        """Return what a sigmoid or softmax turns into calibrated probabilities."""
        scores = self._log_scores(logits)
        temperature = check_temperature(self.temperature_)
        return scores if temperature is None else scores / temperature

    def _read_threshold(self, given: Any) -> Threshold:
        """Return the threshold to predict with: as given, as fitted, or None."""
        return check_threshold(
            self.threshold_ if given is None else given,
            self.classes_.tolist(),
            multilabel=bool(getattr(self, "multilabel", False)),
        )

    def _best_by_counts(
        self, score: ConfusionScore, X: Any, y: Any, sample_weight: Any
    ) -> float | np.ndarray:
        counts = ProbabilityCounts(len(self.classes_) if score.multilabel else 1)
        for block in self._blocks(X, y, self._as_probabilities, sample_weight):
            counts.add(block, multilabel=score.multilabel)
        best = counts.thresholds[best_positions(score, counts.confusion(), counts.thresholds)]
        return best if score.multilabel else float(best[0])

    def _best_by_scorer(self, scorer: Any, X: Any, y: Any, sample_weight: Any) -> float:
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        model = copy.copy(self)
        scores = []
        for threshold in _FEW_THRESHOLDS.tolist():
            model.threshold_ = threshold
            scores.append(float(scorer(model, X, y, **weights)))
        return float(_FEW_THRESHOLDS[best_position(np.array(scores), _FEW_THRESHOLDS)])

    def _reset_decisions(self, *, again: bool) -> None:
        """Forget threshold and temperature, which belong to the weights before training."""
        names = ("threshold_", "temperature_")
        found = [name for name in names if self.__dict__.pop(name, None) is not None]
        if again and found:
            verb = "was" if len(found) == 1 else "were"
            warnings.warn(
                f"{' and '.join(found)} {verb} reset, as further training changes the "
                f"probabilities. Fit {'it' if len(found) == 1 else 'them'} again on held-out "
                f"images.",
                UserWarning,
                stacklevel=5,
            )
