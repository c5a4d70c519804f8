"""What the searches are compared on: data, folds, the model, and its candidates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import get_scorer
from sklearn.model_selection import GroupKFold, KFold, ParameterGrid, StratifiedKFold

from sklearnloss import ResNetClassifier, UNetSegmenter
from sklearnloss.datasets import load_nuclei, make_digit_scenes

Array = np.ndarray
Candidate = dict[str, Any]

#: The losses of the default menu, and variations of some: 24 candidates each.
FOR_MASKS: list[dict[str, Any]] = [
    {"loss": ["dice+cross_entropy"]},
    {"loss": ["dice+topk"]},
    {"loss": ["dice+focal"]},
    {"loss": ["tversky"], "loss__alpha": [0.3, 0.7], "loss__beta": [0.3, 0.7]},
    {"loss": ["cross_entropy"], "loss__label_smoothing": [0.0, 0.1]},
    {"loss": ["dice"], "loss__squared": [False, True]},
    {"loss": ["focal_tversky"], "loss__gamma": [0.75, 1.5]},
    {"loss": ["unified_focal"]},
    {"loss": ["focal"], "loss__gamma": [1.0, 2.0, 4.0]},
    {"loss": ["dice+boundary"]},
    {"loss": ["dice+hausdorff"]},
    {"loss": ["lovasz_softmax"]},
    {"loss": ["topk"], "loss__k": [0.1, 0.3]},
    {"loss": ["dice+cl_dice"]},
    {"loss": ["generalized_dice"]},
]
FOR_LABELS: list[dict[str, Any]] = [
    {"loss": ["cross_entropy"]},
    {"loss": ["label_smoothing"], "loss__eps": [0.05, 0.1, 0.2]},
    {"loss": ["focal"], "loss__gamma": [1.0, 2.0, 4.0]},
    {"loss": ["poly1"], "loss__epsilon": [1.0, 4.0]},
    {"loss": ["logit_adjusted"], "loss__tau": [0.5, 1.0, 2.0]},
    {"loss": ["bi_tempered"]},
    {"loss": ["generalized_ce"], "loss__q": [0.3, 0.7]},
    {"loss": ["asymmetric"]},
    {"loss": ["symmetric_ce"]},
    {"loss": ["topk"], "loss__k": [0.1, 0.3]},
    {"loss": ["ldam"]},
    {"loss": ["brier"]},
    {"loss": ["weston_watkins"]},
    {"loss": ["hinge"]},
    {"loss": ["bce"]},
]

SETS = ("nuclei", "border", "digits", "scenes")


class Case(NamedTuple):
    """One comparison of searches.

    Attributes
    ----------
    name : str
        The data set.
    part : int
        The quadrant that no search sees; 0 if there are none.
    seed : int
        Seed of the folds, initial weights, batches and samplers.
    seen, unseen : tuple of (ndarray, ndarray)
        Images (n, 1, H, W) and labels (n,) or masks (n, H, W).
    splits : list of (ndarray, ndarray)
        The folds, the same for all searches: by quadrant, or five random ones.
    model : estimator
    grid : list of dict
        The candidates, as scikit-learn's searches take them.
    scoring : str or None
        The metric; None is the estimator's own.
    """

    name: str
    part: int
    seed: int
    seen: tuple[Array, Array]
    unseen: tuple[Array, Array]
    splits: list[tuple[Array, Array]]
    model: Any
    grid: list[dict[str, Any]]
    scoring: str | None

    @property
    def key(self) -> dict[str, Any]:
        """What tells it from other cases."""
        return {"set": self.name, "part": self.part, "seed": self.seed}

    @property
    def candidates(self) -> list[Candidate]:
        """All candidates, in the order of their numbers."""
        return list(ParameterGrid(self.grid))

    def number(self, params: Candidate) -> int:
        """Return the number of the candidate with these parameters."""
        return next(
            k
            for k, each in enumerate(self.candidates)
            if all(params.get(name) == value for name, value in each.items())
        )

    def unseen_score(self, model: Any) -> float:
        """Return the score of a fitted model on images that no search has seen."""
        if self.scoring is None:
            return float(model.score(*self.unseen))
        return float(get_scorer(self.scoring)(model, *self.unseen))


def cases(names: list[str], n_seeds: int, *, quick: bool) -> Iterator[Case]:
    """Yield all comparisons: first those with the first seed.

    Parameters
    ----------
    names : list of str
        Data sets; "nuclei:0" is only the first quadrant.
    n_seeds : int
    quick : bool
        Whether to train next to nothing.
    """
    for seed in range(n_seeds):
        for name, _, part in (each.partition(":") for each in names):
            n_parts = 4 if name in ("nuclei", "border") else 1
            for k in [int(part)] if part else range(n_parts):
                yield make_case(name, k, seed, quick=quick)


def make_case(name: str, part: int, seed: int, *, quick: bool) -> Case:
    """Return a comparison on one of ``SETS``."""
    settings: dict[str, Any] = {
        "width": 2 if quick else 4,
        "max_epochs": 2 if quick else 8,
        "lr": 1e-2,
        "random_state": seed,
    }
    segmenter = UNetSegmenter(depth=1 if quick else 2, batch_size=4, **settings)
    if name in ("nuclei", "border"):
        X, y, groups = load_nuclei(tile=64, border=name == "border")
        is_seen = groups != part
        if quick:
            X, y, groups, is_seen = X[::4], y[::4], groups[::4], is_seen[::4]
        splits = list(GroupKFold(3).split(X[is_seen], groups=groups[is_seen]))
    elif name == "scenes":
        X, y = make_digit_scenes(160, size=48, noise=0.3, random_state=0)
        is_seen = np.arange(len(X)) < 60
        splits = list(KFold(5, shuffle=True, random_state=seed).split(X[is_seen]))
    else:
        X, y = load_digits(return_X_y=True)
        X = X.reshape(-1, 8, 8)
        rng = np.random.default_rng(0)
        is_seen = rng.random(len(y)) < np.where(y < 6, 0.35, 0.12)  # the digits 6 to 9 are rare
        folds = StratifiedKFold(5, shuffle=True, random_state=seed)
        splits = list(folds.split(X[is_seen], y[is_seen]))
    X = X.reshape(len(X), 1, *X.shape[-2:]).astype(np.float32)
    model: Any = segmenter if y.ndim > 1 else ResNetClassifier(depth=18, batch_size=32, **settings)
    grid = FOR_MASKS if y.ndim > 1 else FOR_LABELS
    return Case(
        name,
        part,
        seed,
        (X[is_seen], y[is_seen]),
        (X[~is_seen], y[~is_seen]),
        splits[:2] if quick else splits,
        model,
        grid[4:5] if quick else grid,
        None if y.ndim > 1 else "balanced_accuracy",
    )
