"""Searches that choose among the same candidates, on the same folds, with the same seeds."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
import skorch
import torch
from loops import Criterion, channel_scaling, one_cycle
from search_cases import Candidate, Case
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, RandomizedSearchCV
from skorch.callbacks import Callback, LRScheduler
from torch import nn

from sklearnloss import LossSearchCV, UNetSegmenter
from sklearnloss.losses import get_loss
from sklearnloss.metrics import iou_score
from sklearnloss.networks import ResNet, UNet

Array = np.ndarray

#: The number of the chosen candidate, and its mean score over the folds.
Choice = tuple[int, float]


class Counter(Callback):  # type: ignore[misc]
    """Counts the epochs of all fits in this process."""

    epochs = 0

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Count one."""
        Counter.epochs += 1


def _fitted(case: Case, search: Any) -> Choice:
    """Run a search around our estimator."""
    search.fit(*case.seen)
    return case.number(search.best_params_), float(search.best_score_)


def _model(case: Case) -> Any:
    return clone(case.model).set_params(callbacks=[Counter()])


def _common(case: Case) -> dict[str, Any]:
    return {"cv": case.splits, "refit": False, "scoring": case.scoring}


def _ours(case: Case, **settings: Any) -> Choice:
    search = LossSearchCV(
        _model(case),
        param_distributions=case.grid,
        n_trials=len(case.candidates),
        random_state=case.seed,
        **_common(case),
        **settings,
    )
    return _fitted(case, search)


def race(case: Case) -> Choice:
    """Run our search as it is by default."""
    return _ours(case)


def halving(case: Case) -> Choice:
    """Run our search with asynchronous successive halving, its default until version 0.9."""
    n_epochs = case.model.max_epochs
    return _ours(
        case,
        pruner=optuna.pruners.SuccessiveHalvingPruner(
            min_resource=max(1, n_epochs // 2), reduction_factor=2
        ),
    )


def median(case: Case) -> Choice:
    """Run our search with Optuna's median pruner."""
    n_warmup = case.model.max_epochs // 3
    pruner = optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=n_warmup)
    return _ours(case, pruner=pruner)


def hyperband(case: Case) -> Choice:
    """Run our search with Optuna's Hyperband."""
    n_epochs = case.model.max_epochs
    pruner = optuna.pruners.HyperbandPruner(
        min_resource=max(1, n_epochs // 3), max_resource=len(case.splits) * n_epochs
    )
    return _ours(case, pruner=pruner)


def grid(case: Case) -> Choice:
    """Try all candidates with scikit-learn."""
    return _fitted(case, GridSearchCV(_model(case), case.grid, **_common(case)))


def random_half(case: Case) -> Choice:
    """Try half of the candidates with scikit-learn."""
    return _fitted(
        case,
        RandomizedSearchCV(
            _model(case),
            case.grid,
            n_iter=len(case.candidates) // 2,
            random_state=case.seed,
            **_common(case),
        ),
    )


def halving_grid(case: Case) -> Choice:
    """Halve the candidates and double their epochs with scikit-learn."""
    n_epochs = case.model.max_epochs
    search = HalvingGridSearchCV(
        _model(case),
        case.grid,
        factor=2,
        resource="max_epochs",
        min_resources=max(1, n_epochs // 8),
        max_resources=n_epochs,
        **_common(case),
    )
    return _fitted(case, search)


def optuna_half(case: Case) -> Choice:
    """Try as many candidates as half of them with Optuna's own search.

    It has no spaces within spaces, so it chooses the number of a candidate, and may choose
    the same one again.
    """
    from optuna_integration import OptunaSearchCV

    candidates, model = case.candidates, _model(case)

    class ByNumber(type(case.model)):  # type: ignore[misc]
        def __init__(self, candidate: int = 0) -> None:
            super().__init__()
            self.candidate = candidate

        def fit(self, X: Any, y: Any, **kwargs: Any) -> Any:
            self.best_ = clone(model).set_params(**candidates[self.candidate]).fit(X, y)
            self.classes_ = self.best_.classes_
            return self

        def predict(self, X: Any) -> Any:
            return self.best_.predict(X)

        def score(self, X: Any, y: Any) -> float:
            return float(self.best_.score(X, y))

    numbers = optuna.distributions.CategoricalDistribution(range(len(candidates)))
    search = OptunaSearchCV(
        ByNumber(),
        {"candidate": numbers},
        n_trials=len(candidates) // 2,
        # Numbers are drawn: with the same seed, the same ones on all data sets.
        random_state=zlib.crc32(json.dumps(case.key).encode()),
        **_common(case),
    )
    search.fit(*case.seen)
    return int(search.best_params_["candidate"]), float(search.best_score_)


class PlainNet(skorch.NeuralNet):  # type: ignore[misc]
    """A network as one trains it with skorch and without our estimators."""

    def __init__(self, *args: Any, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seed = seed

    def fit(self, X: Array, y: Array) -> PlainNet:
        """Scale the images and train."""
        torch.manual_seed(self.seed)
        self.scaling = channel_scaling(torch.from_numpy(X))
        n_steps = self.max_epochs * math.ceil(len(X) / self.batch_size)
        self.set_params(callbacks__schedule__lr_lambda=lambda step: one_cycle(step / n_steps))
        super().fit(self._scaled(X), y.astype(np.int64))
        return self

    def _scaled(self, X: Array) -> Array:
        mean, scale = self.scaling
        return ((torch.from_numpy(X) - mean) / scale).numpy()

    def predict(self, X: Array) -> Array:
        """Return labels."""
        logits = self.predict_proba(self._scaled(X))
        labels: Array = logits.argmax(1) if logits.shape[1] > 1 else logits[:, 0] > 0
        return labels.astype(np.int64)

    def score(self, X: Array, y: Array) -> float:
        """Return the mean intersection over union."""
        return float(iou_score(y, self.predict(X)))


class AnyCriterion(Criterion):
    """A loss for classes, or for masks of one channel."""

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the loss."""
        if logits.shape[1] == 1:
            target = target.unsqueeze(1).to(logits.dtype)
        return super().forward(logits, target)


def skorch_grid(case: Case) -> Choice:
    """Try all candidates with scikit-learn and plain skorch."""
    X, y = case.seen
    n_classes = len(np.unique(y))
    model = case.model
    settings = {"depth": model.depth, "width": model.width}
    is_masks = isinstance(model, UNetSegmenter)
    if not is_masks:
        settings |= {"n_classes": n_classes, "stem": "tiny"}
    net = PlainNet(
        UNet if is_masks else ResNet,
        AnyCriterion,
        seed=case.seed,
        **{f"module__{name}": value for name, value in settings.items()},
        module__in_channels=1,
        optimizer=torch.optim.AdamW,
        optimizer__weight_decay=model.weight_decay,
        lr=model.lr,
        max_epochs=model.max_epochs,
        batch_size=model.batch_size,
        iterator_train__shuffle=True,
        train_split=None,
        predict_nonlinearity=None,
        callbacks=[
            ("schedule", LRScheduler("LambdaLR", lr_lambda=float, step_every="batch")),
            ("counter", Counter()),
        ],
        verbose=0,
    )
    params = []
    for candidate in case.candidates:
        loss = _loss(candidate, y if not is_masks else None)
        params.append({"criterion__loss": [loss]})
        if is_masks:
            one = n_classes == 2 and loss.form != "softmax"
            params[-1]["module__out_channels"] = [1 if one else n_classes]
    search = GridSearchCV(net, params, **_common(case))
    search.fit(X, y)
    return int(search.best_index_), float(search.best_score_)


def _loss(candidate: Candidate, y: Array | None) -> Any:
    """Return the loss of a candidate as a module."""
    given = {key.removeprefix("loss__"): value for key, value in candidate.items() if key != "loss"}
    loss = get_loss(candidate["loss"], **given)
    if y is not None and "class_counts" in loss.get_params():
        loss.set_params(class_counts=np.bincount(y).tolist())
    assert isinstance(loss, nn.Module)
    return loss


SEARCHES: dict[str, tuple[str, Callable[[Case], Choice]]] = {
    "grid": ("GridSearchCV, all candidates", grid),
    "race": ("**LossSearchCV**", race),
    "halving": ("LossSearchCV, asynchronous halving", halving),
    "optuna": ("OptunaSearchCV, half of them", optuna_half),
    "skorch": ("GridSearchCV and skorch, all candidates", skorch_grid),
    "median": ("LossSearchCV, median pruner", median),
    "hyperband": ("LossSearchCV, Hyperband", hyperband),
    "random": ("RandomizedSearchCV, half of them", random_half),
    "halving_grid": ("HalvingGridSearchCV, factor 2", halving_grid),
}
