"""Several fitted estimators that predict together."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils.metaestimators import available_if

from .._utils.guides import DocLinkMixin
from ._base import ImageEstimator
from ._inference.averaged_net import averaged_model
from ._inference.predict import as_numpy
from ._persistence.several_models import save_models

#: What all models have to read alike, since images and masks are read once for all of them.
READING = ("channels", "ignore_index", "image_shape", "multilabel", "reader", "tile", "tta")


class LossEnsemble(DocLinkMixin, BaseEstimator):  # type: ignore[misc]
    """Average the probabilities of fitted estimators, such as those trained with several losses.

    ``LossSearchCV(refit="ensemble")`` makes one of the models that it has trained. One can also
    be made of any estimators of this package that were fitted on the same kind of images.

    Parameters
    ----------
    models : list of fitted ImageClassifier, ImageSegmenter, ResNetClassifier or UNetSegmenter
        All classifiers, or all segmenters, that read images in the same way.
    weights : list of float, default=None
        A weight > 0 for each; None weighs all alike. They are divided by their sum.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels of all models. A model that was fitted without one of them gives it
        probability 0.
    members_ : list of dict
        Where the models come from: "label", "weight", "params" and "n_models". After a
        search, each is a candidate with its models of all folds.
    scores_ : dict of str to float
        After a search, what is known about its quality, see
        :class:`~sklearnloss.tuning.LossSearchCV`. Otherwise empty.
    is_soup_ : bool
        Whether the weights of the candidates' networks were averaged, a network for each fold,
        instead of their probabilities.

    See Also
    --------
    LossSearchCV : Selects the models.

    Notes
    -----
    The probabilities of an image, or pixel, are averaged as they are, each after the model's own
    ``temperature_``, if it has one. Where tiles overlap and for mirrored images (``tile`` and
    ``tta``), the logarithms of the averages are averaged.

    References
    ----------
    R. Caruana et al., "Ensemble selection from libraries of models", ICML 2004.
    https://doi.org/10.1145/1015330.1015432

    Examples
    --------
    >>> from sklearnloss import UNetSegmenter
    >>> from sklearnloss.datasets import load_nuclei
    >>> from sklearnloss.estimators import LossEnsemble
    >>> X, y, _ = load_nuclei(tile=128)
    >>> models = [
    ...     UNetSegmenter(loss, width=2, depth=1, max_epochs=1, random_state=0).fit(X, y)
    ...     for loss in ("dice", "cross_entropy")
    ... ]
    >>> ensemble = LossEnsemble(models, weights=[2, 1]).fit()
    >>> ensemble.predict(X).shape, ensemble.disagreement(X).shape
    ((16, 128, 128), (16, 128, 128))
    """

    def __init__(self, models: Sequence[Any], weights: Sequence[float] | None = None) -> None:
        self.models = models
        self.weights = weights

    def fit(self, X: Any = None, y: Any = None) -> Self:
        """Check that the models can be averaged. Nothing is trained.

        Parameters
        ----------
        X, y : object, default=None
            Ignored.

        Returns
        -------
        self : LossEnsemble

        Raises
        ------
        TypeError, ValueError
            If a model is not a fitted estimator of this package, the models read images
            differently, or a weight is not positive.
        """
        models = _check_models(self.models)
        weights = _check_weights(self.weights, len(models))
        self.__dict__.pop("_average", None)
        self.__dict__.pop("_difference", None)
        self.weights_ = weights / weights.sum()
        self.members_: list[dict[str, Any]] = [
            {
                "label": str(model.loss),
                "weight": float(weight),
                "params": model.get_params(deep=False),
                "n_models": 1,
            }
            for model, weight in zip(models, self.weights_, strict=True)
        ]
        self.scores_: dict[str, float] = {}
        self.is_soup_ = False
        self.classes_ = self._average.classes_
        self.n_features_in_ = models[0].n_features_in_
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the averaged probabilities.

        Parameters
        ----------
        X : array-like, list of files or arrays, or Dataset
            Images, as the models take them.

        Returns
        -------
        proba : ndarray of shape (n, n_classes, *spatial), or (n, n_classes) of classifiers
            In the order of ``classes_``.
        """
        proba: np.ndarray = self._fitted._average.predict_proba(X)
        return proba

    def predict(self, X: Any, threshold: Any = None) -> np.ndarray:
        """Return the most probable label of each image or pixel, or multilabel masks.

        Parameters
        ----------
        X : array-like, list of files or arrays, or Dataset
            Images, as the models take them.
        threshold : float, list or dict, default=None
            Averaged probability above which the second of two classes, or each label that may
            overlap, is predicted. None is .5.

        Returns
        -------
        labels : ndarray of shape (n, *spatial), or (n,) of classifiers
            Multilabel masks have shape (n, K, *spatial).
        """
        labels: np.ndarray = self._fitted._average.predict(X, threshold)
        return labels

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the score of the models' own ``score``: mean IoU, or the accuracy.

        Parameters
        ----------
        X, y : array-like
            Images, and their masks or labels.
        sample_weight : array-like of shape (n,), default=None
            Weights of the images.

        Returns
        -------
        score : float
        """
        return float(self._fitted._average.score(X, y, sample_weight))

    def disagreement(self, X: Any) -> np.ndarray:
        """Return how much the models disagree about each image or pixel.

        The weight of the models whose most probable label differs from that of the ensemble, with
        weights w_k that add up to 1 and probabilities p_k of the models::

            sum_k w_k [argmax p_k != argmax sum_j w_j p_j]

        0: all models decide alike. Where it is high, look for mistakes.

        Parameters
        ----------
        X : array-like, list of files or arrays, or Dataset
            Images, as the models take them.

        Returns
        -------
        disagreement : ndarray of shape (n, *spatial), or (n,) of classifiers
            From 0 to 1. Multilabel of shape (n, K, *spatial), for each label whether models
            decide otherwise about it. If images are of different sizes, the dtype is object,
            with one array per image.

        Notes
        -----
        Labels are compared, not probabilities: losses differ in how sure they make a network, so
        that models give different probabilities where all of them are right. The mutual
        information of label and model, which measures that too, found mistakes no better than
        chance on the nuclei.
        """
        model = self._fitted._difference
        if not model._reads_masks:
            found: np.ndarray = model._scores(X).numpy()[:, 0]
            return found
        maps: np.ndarray = model._finished(X, as_numpy)
        if model.multilabel:
            return maps
        if maps.dtype != object:
            return np.asarray(maps[:, 0])
        for position, each in enumerate(maps):
            maps[position] = each[0]
        return maps

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all models to one file, without pickle; ``sklearnloss.load`` reads it.

        Weights that half precision represents exactly, such as those that a search has kept,
        take half the space. See the ``save`` of the models for what else is in the file.

        Parameters
        ----------
        path : str or path-like
            The file to write; the extension ".safetensors" is recommended.

        Raises
        ------
        ValueError
            If a model cannot be stored; the message says why.
        """
        fitted = self._fitted
        members = [{**each, "params": _as_text(each["params"])} for each in fitted.members_]
        about = {
            "weights": fitted.weights_.tolist(),
            "members": members,
            "scores": {k: v if math.isfinite(v) else None for k, v in fitted.scores_.items()},
            "soup": fitted.is_soup_,
        }
        save_models(path, list(fitted.models), about)

    @classmethod
    def from_file(cls, models: Sequence[Any], about: Mapping[str, Any]) -> Self:
        """Return the ensemble of models that were read from a file; ``sklearnloss.load`` does so.

        Parameters
        ----------
        models : list of fitted estimators
            The models.
        about : dict
            What else the file holds.
        """
        ensemble = cls(models, about.get("weights")).fit()
        if "members" in about:
            ensemble.members_ = [dict(each) for each in about["members"]]
            ensemble.scores_ = {
                name: math.nan if each is None else float(each)
                for name, each in about["scores"].items()
            }
            ensemble.is_soup_ = bool(about["soup"])
        return ensemble

    def __sklearn_tags__(self) -> Any:
        models = list(self.models)
        return models[0].__sklearn_tags__() if models else super().__sklearn_tags__()

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "weights_")

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {key: each for key, each in state.items() if key not in ("_average", "_difference")}

    @property
    def _fitted(self) -> Self:
        if not hasattr(self, "weights_"):
            raise NotFittedError("This LossEnsemble has not checked its models. Call fit() first.")
        return self

    @cached_property
    def _average(self) -> Any:
        """An estimator that predicts the average, and reads images and masks as the models do."""
        return averaged_model(list(self.models), self.weights_.tolist())

    @cached_property
    def _difference(self) -> Any:
        """An estimator whose scores are the disagreement."""
        return averaged_model(list(self.models), self.weights_.tolist(), disagreement=True)

    @available_if(lambda self: bool(self.models) and self.models[0]._reads_masks)  # type: ignore[untyped-decorator]
    def _pair_masks(self, X: Any, y: Any, method: str, call: Any) -> Any:
        return self._fitted._average._pair_masks(X, y, method, call)


def _check_models(models: Any) -> list[Any]:
    """Return the models; raise an error unless they can predict the same images together."""
    found = list(models) if isinstance(models, list | tuple) else []
    if not found:
        raise ValueError(f"models={models!r}. Expected a list of at least one fitted estimator.")
    for model in found:
        if not isinstance(model, ImageEstimator):
            raise TypeError(
                f"models holds a {type(model).__name__}. Expected fitted estimators of sklearnloss."
            )
        model._check_fitted()
    first = found[0]
    for model in found[1:]:
        if model._reads_masks != first._reads_masks:
            raise ValueError(
                f"models holds a {type(first).__name__} and a {type(model).__name__}. Expected "
                f"only classifiers, or only segmenters."
            )
        _check_reading(first, model)
    return found


def _check_reading(first: Any, other: Any) -> None:
    """Raise a ValueError unless two models take the same images."""
    for name in READING:
        ours, theirs = getattr(first, name, None), getattr(other, name, None)
        if repr(ours) != repr(theirs):
            raise ValueError(
                f"models read images differently: {name}={ours!r} and {name}={theirs!r}. Expected "
                f"the same for all."
            )
    n_channels = first.input_shape_[0], other.input_shape_[0]
    if n_channels[0] != n_channels[1] or len(first.input_shape_) != len(other.input_shape_):
        raise ValueError(
            f"models were fitted on images of shapes {first.input_shape_} and "
            f"{other.input_shape_}. Expected the same channels and axes."
        )
    if getattr(first, "multilabel", False):
        for name in ("classes_", "mask_values_"):
            if getattr(first, name).tolist() != getattr(other, name).tolist():
                raise ValueError(
                    f"models have different {name}: {getattr(first, name).tolist()} and "
                    f"{getattr(other, name).tolist()}. Expected the same for multilabel masks."
                )


def _check_weights(weights: Any, n: int) -> np.ndarray:
    values = np.ones(n) if weights is None else np.asarray(weights, dtype=float)
    if values.shape != (n,) or not (np.isfinite(values) & (values > 0)).all():
        raise ValueError(
            f"weights={weights!r}. Expected a positive number for each of {n} models, or None."
        )
    return values


def _as_text(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as they are if JSON can represent them, and otherwise as text."""
    plain = (bool, int, str, float, type(None))
    return {key: each if type(each) in plain else repr(each) for key, each in params.items()}
