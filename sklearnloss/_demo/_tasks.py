"""The two comparisons of the demo."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.metrics import make_scorer, recall_score
from sklearn.model_selection import RepeatedStratifiedKFold

from ..datasets import load_nuclei
from ..estimators import ResNetClassifier, UNetSegmenter
from ..metrics import dice_score, make_mask_scorer
from ..tuning import LossComparison, compare_losses

Array = NDArray[Any]

RARE, FEW = (3, 5, 8), 6
FREQUENT = (0, 1, 2, 4, 6, 7, 9)


@dataclass
class Task:
    """A comparison of losses on one data set.

    Attributes
    ----------
    title, data : str
        The task, and the data set.
    estimator : estimator
        What is trained.
    losses : dict of str to loss or to dict
        See :func:`compare_losses`.
    X, y : ndarray
        Images with their masks or labels.
    scoring : dict of str to scorer
        The first one decides.
    splits : dict of str to object
        ``groups`` or ``cv``, and the number of repeats.
    note : str
        How to read the result.
    """

    title: str
    data: str
    estimator: Any
    losses: dict[str, Any]
    X: Array
    y: Array
    scoring: dict[str, Any]
    note: str
    splits: dict[str, Any] = field(default_factory=dict)

    def compare(self, seed: int, n_jobs: int) -> LossComparison:
        """Fit and score every loss on every split."""
        comparison: LossComparison = compare_losses(
            self.estimator,
            self.losses,
            self.X,
            self.y,
            scoring=self.scoring,
            per_image=False,
            n_jobs=n_jobs,
            random_state=seed,
            verbose=1,
            **self.splits,
        )
        return comparison


def nuclei_task(epochs: int) -> Task:
    """Return the task of nuclei and their rare border; each quadrant is held out once."""
    X, y, groups = load_nuclei()
    return Task(
        title="Segmentation: background, nucleus and border",
        data="one fluorescence image, 64 tiles of 64 x 64 pixels; 4 % of the pixels are border",
        estimator=UNetSegmenter(
            width=8, depth=3, max_epochs=epochs, batch_size=4, lr=1e-2, device="cpu"
        ),
        losses={
            "cross_entropy": "cross_entropy",
            "focal": "focal",
            "hinge": "hinge",
            "dice": "dice",
            "tversky": {"loss": "tversky", "loss__alpha": 0.3, "loss__beta": 0.7},
            "dice+cross_entropy": "dice+cross_entropy",
        },
        X=X,
        y=y,
        scoring={
            "mean Dice": make_mask_scorer(dice_score, labels=[0, 1, 2]),
            "nucleus": make_mask_scorer(dice_score, labels=[1]),
            "border": make_mask_scorer(dice_score, labels=[2]),
        },
        splits={"groups": groups, "n_repeats": 1},
        note="Differences are about this image, not about losses in general.",
    )


def digits_task(seed: int, epochs: int) -> Task:
    """Return the task of ten digits, three of which have only few training images."""
    X, y = load_digits(return_X_y=True)
    folds = RepeatedStratifiedKFold(n_splits=3, n_repeats=3, random_state=seed).split(X, y)
    rng = np.random.default_rng(seed)
    return Task(
        title="Classification: digits, three of them rare",
        data=f"scikit-learn's digits; {FEW} training images each of 3, 5 and 8, 120 of the others",
        estimator=ResNetClassifier(
            width=8, max_epochs=max(2 * epochs // 3, 1), lr=5e-3, device="cpu"
        ),
        losses={
            "cross_entropy": "cross_entropy",
            "focal": "focal",
            "label_smoothing": "label_smoothing",
            "hinge": "hinge",
            "balanced cross_entropy": {"loss": "cross_entropy", "class_weight": "balanced"},
        },
        X=X.reshape(-1, 8, 8).astype(np.uint8),
        y=y,
        scoring={
            "balanced accuracy": "balanced_accuracy",
            "frequent": _mean_recall(FREQUENT),
            "rare": _mean_recall(RARE),
        },
        # Tested on all held-out images, so that rare digits are scored precisely.
        splits={"cv": [(_thin(train, y, rng), test) for train, test in folds]},
        note="The rare digits make the difference: any loss gets the frequent ones right.",
    )


def _mean_recall(digits: tuple[int, ...]) -> Any:
    return make_scorer(recall_score, labels=list(digits), average="macro", zero_division=0)


def _thin(train: Array, y: Array, rng: np.random.Generator) -> Array:
    """Keep few of the rare digits' training images."""
    kept = [train[~np.isin(y[train], RARE)]]
    kept += [rng.choice(train[y[train] == digit], FEW, replace=False) for digit in RARE]
    return np.sort(np.concatenate(kept))
