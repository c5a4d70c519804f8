"""What the demo trains on, with which losses, and how it scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.metrics import recall_score
from sklearn.model_selection import LeaveOneGroupOut, StratifiedKFold

from ..datasets import load_nuclei
from ..estimators import ResNetClassifier, UNetSegmenter
from ..metrics import dice_score

Array = NDArray[Any]
Splits = list[tuple[Array, Array]]

RARE, FEW = (3, 5, 8), 6


@dataclass
class Task:
    """One data set, one estimator, several losses, one score.

    Attributes
    ----------
    title, data : str
        What is done, and on which data.
    X, y : ndarray
        Images and labels.
    splits : list of (train, test) indices
        The folds, the same for all losses.
    estimator : estimator
        What is trained.
    losses : dict of str to dict
        Parameters of the estimator by the name of the candidate.
    score_name : str
        What the leaderboard is sorted by.
    part_names : list of str
        The columns of the classes' own scores.
    score : callable
        From (y_true, y_pred) to (score, scores by class).
    note : str
        How to read the result.
    """

    title: str
    data: str
    X: Array
    y: Array
    splits: Splits
    estimator: Any
    losses: dict[str, dict[str, Any]]
    score_name: str
    part_names: list[str]
    score: Callable[[Array, Array], tuple[float, Array]]
    note: str


def nuclei_task(seed: int, epochs: int) -> Task:
    """Background, nucleus and the rare border, held out quadrant by quadrant."""
    X, y, groups = load_nuclei()
    return Task(
        title="Segmentation: background, nucleus and border",
        data="one fluorescence image, 64 tiles of 64 x 64 pixels; 4 % of the pixels are border",
        X=X,
        y=y,
        splits=list(LeaveOneGroupOut().split(X, groups=groups)),
        estimator=UNetSegmenter(
            width=8,
            depth=3,
            max_epochs=epochs,
            batch_size=4,
            lr=1e-2,
            random_state=seed,
            device="cpu",
        ),
        losses={
            "cross_entropy": {"loss": "cross_entropy"},
            "focal": {"loss": "focal"},
            "hinge": {"loss": "hinge"},
            "dice": {"loss": "dice"},
            "tversky": {"loss": "tversky", "loss__alpha": 0.3, "loss__beta": 0.7},
            "dice+cross_entropy": {"loss": "dice+cross_entropy"},
        },
        score_name="mean Dice",
        part_names=["background", "nucleus", "border"],
        score=_score_masks,
        note="Differences are about this image, not about losses in general.",
    )


def digits_task(seed: int, epochs: int) -> Task:
    """Ten digits, three of which have few images to learn from."""
    X, y = load_digits(return_X_y=True)
    folds = StratifiedKFold(3, shuffle=True, random_state=seed).split(X, y)
    rng = np.random.default_rng(seed)
    return Task(
        title="Classification: digits, three of them rare",
        data=f"scikit-learn's digits; {FEW} training images each of 3, 5 and 8, 120 of the others",
        X=X.reshape(-1, 8, 8).astype(np.uint8),
        y=y,
        # Tested on all held-out images, so that rare digits are scored precisely.
        splits=[(_thin(train, y, rng), test) for train, test in folds],
        estimator=ResNetClassifier(
            width=8, max_epochs=max(2 * epochs // 3, 1), lr=5e-3, random_state=seed, device="cpu"
        ),
        losses={
            "cross_entropy": {"loss": "cross_entropy"},
            "focal": {"loss": "focal"},
            "label_smoothing": {"loss": "label_smoothing"},
            "hinge": {"loss": "hinge"},
            "balanced cross_entropy": {"loss": "cross_entropy", "class_weight": "balanced"},
        },
        score_name="balanced accuracy",
        part_names=["frequent", "rare"],
        score=_score_labels,
        note="The rare digits make the difference: the frequent ones are right with any loss.",
    )


def _score_masks(true: Array, pred: Array) -> tuple[float, Array]:
    parts = np.asarray(dice_score(true, pred, labels=[0, 1, 2], average=None))
    return float(parts.mean()), parts


def _score_labels(true: Array, pred: Array) -> tuple[float, Array]:
    recalls = recall_score(true, pred, average=None, labels=np.arange(10), zero_division=0)
    rare = np.isin(np.arange(10), RARE)
    return float(recalls.mean()), np.array([recalls[~rare].mean(), recalls[rare].mean()])


def _thin(train: Array, y: Array, rng: np.random.Generator) -> Array:
    """Keep few of the rare digits' training images."""
    kept = [train[~np.isin(y[train], RARE)]]
    kept += [rng.choice(train[y[train] == digit], FEW, replace=False) for digit in RARE]
    return np.sort(np.concatenate(kept))
