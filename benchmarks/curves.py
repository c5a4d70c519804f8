"""Record scores of every epoch, fold and image, for many losses on several data sets.

A search can then be replayed on these records without training: see ``replay.py``.

    python benchmarks/curves.py FOLDER [--sets nuclei,border,digits,scenes] [--seeds 2] [--quick]

A run that was stopped continues. Each data set and seed becomes one file ``<set>-<seed>.npz``.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from rounds import print_machine
from sklearn.datasets import load_digits
from sklearn.metrics import balanced_accuracy_score

from sklearnloss import ResNetClassifier, UNetSegmenter
from sklearnloss.datasets import load_nuclei, make_digit_scenes
from sklearnloss.metrics import iou_score
from sklearnloss.tuning._evaluation.fit_and_score import FitData, FoldFit
from sklearnloss.tuning._evaluation.folds import default_splits
from sklearnloss.tuning._space.parse import read_space
from sklearnloss.tuning._space.search_space import Space, Values

Array = np.ndarray

#: Losses for masks: those of the default menu, and a few others to judge the menu by.
FOR_MASKS = (
    "dice+cross_entropy",
    "dice+topk",
    "dice+focal",
    "tversky",
    "cross_entropy",
    "dice",
    "focal_tversky",
    "unified_focal",
    "focal",
    "dice+boundary",
    "dice+hausdorff",
    "lovasz_softmax",
    "topk",
    "dice+cl_dice",
    "generalized_dice",
    "jaccard",
    "log_cosh_dice",
    "mcc",
    "generalized_ce",
)

#: Settings per loss: its defaults, and others drawn from its search space.
N_SETTINGS = 3


class DataSet(NamedTuple):
    """Data, the model that is trained on it, and how a prediction is scored."""

    X: Array
    y: Array
    groups: Array | None
    model: Any
    losses: Any
    unseen: tuple[Array, Array] | None = None  # many images of the same kind

    def scores(self, truth: Array, predicted: Array) -> tuple[float, Array]:
        """Return the score of a fold, and one per image."""
        if self.y.ndim == 1:
            right = (truth == predicted).astype(np.float32)
            return float(balanced_accuracy_score(truth, predicted)), right
        images = iou_score(truth, predicted, per_image=True, zero_division=np.nan)
        return float(iou_score(truth, predicted)), np.asarray(images, dtype=np.float32)


def data_sets(*, quick: bool) -> dict[str, DataSet]:
    """Return the data sets by name."""
    epochs = 2 if quick else 12
    segmenter = UNetSegmenter(width=4, depth=2, max_epochs=epochs, batch_size=4, lr=1e-2)
    classifier = ResNetClassifier(depth=18, width=4, max_epochs=epochs, batch_size=32, lr=1e-2)
    found = {}
    for name, border in (("nuclei", False), ("border", True)):
        X, y, groups = load_nuclei(tile=64, border=border)
        found[name] = DataSet(X, y, groups, segmenter, list(FOR_MASKS))
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    chosen = rng.random(len(y)) < np.where(y < 6, 0.35, 0.12)  # the digits 6 to 9 are rare
    X = X.reshape(-1, 8, 8).astype(np.float32)
    unseen = X[~chosen], y[~chosen]
    found["digits"] = DataSet(X[chosen], y[chosen], None, classifier, None, unseen)
    X, y = make_digit_scenes(160, size=48, noise=0.3, random_state=0)
    unseen = X[60:], y[60:]
    found["scenes"] = DataSet(X[:60], y[:60], None, segmenter, list(FOR_MASKS), unseen)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing, and write a file per data set and seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", default="nuclei,border,digits,scenes")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="two losses, two epochs")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print_machine()
    sets = data_sets(quick=options.quick)
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        for name in options.sets.split(","):
            data = sets[name]
            if options.quick:
                data = data._replace(losses=["dice", "bce"] if data.y.ndim > 1 else ["focal"])
            record(data, seed, options.folder, name)


def record(data: DataSet, seed: int, folder: Path, name: str) -> None:
    """Train all candidates on all folds, and write one file."""
    target = folder / f"{name}-{seed}.npz"
    if target.exists():
        return
    parts = folder / f"{name}-{seed}"
    parts.mkdir(parents=True, exist_ok=True)
    space = read_space(data.model, data.losses, None)
    # The folds are the same for all seeds, which change initial weights and batches.
    splits = default_splits(data.model, data.X, data.y, groups=data.groups, seed=0)
    chosen = list(candidates(space))
    for k, values in enumerate(chosen):
        part = parts / f"{k:03d}.npz"
        if part.exists():
            continue
        folds = [_train(data, space.params(values), split, seed) for split in splits]
        widest = max(images.shape[1] for _, images, _ in folds)
        padded = [
            np.pad(images, ((0, 0), (0, widest - images.shape[1])), constant_values=np.nan)
            for _, images, _ in folds
        ]
        scores = np.array([scores for scores, _, _ in folds], dtype=np.float32)
        unseen = np.array([unseen for _, _, unseen in folds], dtype=np.float32)
        images = np.array(padded, dtype=np.float16)
        np.savez(part, scores=scores, images=images, unseen=unseen)
        print(f"{name}-{seed} {k + 1}/{len(chosen)} {values} {scores[:, -1].round(3)}", flush=True)
    every = [np.load(parts / f"{k:03d}.npz") for k in range(len(chosen))]
    np.savez_compressed(
        target,
        scores=np.array([part["scores"] for part in every]),  # (candidates, folds, epochs)
        images=np.array([part["images"] for part in every]),  # (..., images of the fold)
        unseen=np.array([part["unseen"] for part in every]),  # (candidates, folds), or nan
        sizes=np.array([(len(train), len(test)) for train, test in splits]),
        labels=np.array([space.loss(values) for values in chosen]),
        values=np.array([json.dumps(values) for values in chosen]),
    )


def candidates(space: Space) -> Iterator[Values]:
    """Yield the defaults of each loss, and then further settings, the same in every run."""
    first = [values for values, _ in space.first()]
    yield from first
    rng = np.random.RandomState(0)
    from optuna.distributions import CategoricalDistribution
    from optuna.samplers import RandomSampler

    for values in first:
        label = space.label(values)
        for _ in range(N_SETTINGS - 1):
            sampler = RandomSampler(seed=rng.randint(2**31))

            def choose(name: str, distribution: Any, label: str = label, s: Any = sampler) -> Any:
                if isinstance(distribution, CategoricalDistribution) and name == space.choice:
                    return label
                return s.sample_independent(None, None, name, distribution)

            if space.branches[label].free:
                yield space.sample(choose)


def _train(
    data: DataSet, params: dict[str, Any], split: Any, seed: int
) -> tuple[list[float], Array, float]:
    """Return the scores of the epochs, of each epoch's images, and of unseen images at the end."""
    train, test = split
    scores, images, unseen = [], [], float("nan")

    def note(model: Any) -> None:
        score, of_images = data.scores(data.y[test], model.predict(data.X[test]))
        scores.append(score)
        images.append(of_images)

    task = FitData(data.model, data.X, data.y, None, {}, {})
    fold = FoldFit(task, params, train, test, seed=seed, reseed=True)
    try:
        fold.fit(lambda fold: note(fold.model))
        note(fold.model)
        if data.unseen is not None:
            unseen = data.scores(data.unseen[1], fold.model.predict(data.unseen[0]))[0]
    except Exception as error:  # a loss that diverges has no further scores
        print(type(error).__name__, str(error)[:100], flush=True)
    n_epochs = data.model.max_epochs
    while len(scores) < n_epochs:
        scores.append(float("nan"))
        images.append(np.full(len(test), np.nan, dtype=np.float32))
    return scores, np.array(images), unseen


if __name__ == "__main__":
    main()
