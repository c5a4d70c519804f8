"""Seeded scores of fits, searches and comparisons, before and after a change of the code.

python benchmarks/reproduce.py before.json       # at one commit
python benchmarks/reproduce.py after.json before.json   # at another: says what differs
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearnloss import LossSearchCV, ResNetClassifier, UNetSegmenter, compare_losses
from sklearnloss.datasets import load_nuclei
from sklearnloss.losses import list_losses

Scores = dict[str, Any]


def nuclei(*, border: bool) -> tuple[Any, Any, Any]:
    """Return half of the tiles, at half of their resolution."""
    X, y, groups = load_nuclei(border=border)
    return X[::2, ::2, ::2], y[::2, ::2, ::2], groups[::2]


def unet(loss: Any = "auto", **params: Any) -> UNetSegmenter:
    """Return a segmenter that trains in a moment."""
    defaults = {"width": 4, "depth": 2, "max_epochs": 2, "batch_size": 4, "random_state": 0}
    return UNetSegmenter(loss, **{**defaults, **params})


def resnet(loss: Any = "cross_entropy", **params: Any) -> ResNetClassifier:
    """Return a classifier that trains in a moment."""
    defaults = {"width": 4, "max_epochs": 2, "batch_size": 32, "random_state": 0}
    return ResNetClassifier(loss, **{**defaults, **params})


def digits() -> tuple[Any, Any]:
    """Return 180 digits of three classes."""
    X, y = load_digits(n_class=3, return_X_y=True)
    return X[:180].reshape(-1, 8, 8).astype(np.float32), y[:180]


def fits() -> Scores:
    """Return the training losses of every loss, and of the ways that data come in."""
    found: Scores = {}
    X, y, _ = nuclei(border=True)
    for loss in ["auto", *list_losses("segmentation")]:
        name = "dice+cl_dice" if loss == "cl_dice" else loss
        found[f"masks, {loss}"] = unet(name).fit(X, y).history_[:, "train_loss"]
    A, b = digits()
    for loss in list_losses("classification"):
        found[f"labels, {loss}"] = resnet(loss).fit(A, b).history_[:, "train_loss"]
    ways: dict[str, dict[str, Any]] = {
        "augmented": {"augment": ["flip", "rot90", "affine", "noise"]},
        "stopped early": {"early_stopping": True, "max_epochs": 4, "n_iter_no_change": 1},
        "weighted": {"class_weight": "balanced", "loss": "cross_entropy"},
        "sgd": {"optimizer": "sgd", "scheduler": "cosine", "clip_norm": 1.0},
    }
    for name, params in ways.items():
        found[f"masks, {name}"] = unet(**params).fit(X, y).history_[:, "train_loss"]
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{k}.npy" for k in range(len(X))]
        for path, image in zip(paths, X, strict=True):
            np.save(path, image)
        found["masks, files"] = unet().fit(paths, y).history_[:, "train_loss"]
    model = unet(tile=16, tta="flip").fit(X, y)
    found["tiles"] = [float(model.predict_proba(X[:2]).astype(float).std()), model.score(X, y)]
    again = unet(warm_start=True).fit(X, y).set_params(loss="dice").fit(X, y)
    found["warm start"] = again.history_[:, "train_loss"]
    return found


def searches() -> Scores:
    """Return the scores of candidates."""
    found: Scores = {}
    X, y, groups = nuclei(border=False)
    search = LossSearchCV(
        unet(max_epochs=3),
        ["dice", "tversky", "focal", "dice+bce"],
        param_distributions={"lr": (1e-3, 3e-2, "log")},
        n_trials=10,
        random_state=0,
    ).fit(X, y, groups=groups)
    found["masks"] = [search.cv_results_["mean_test_score"].tolist(), search.best_index_]
    A, b = digits()
    pipe = make_pipeline(FunctionTransformer(np.sqrt), resnet())
    search = LossSearchCV(pipe, ["focal", "poly1", "ldam"], n_trials=6, cv=3, random_state=1)
    found["labels"] = [search.fit(A, b).cv_results_["mean_test_score"].tolist()]
    return found


def comparisons() -> Scores:
    """Return the scores of compared losses."""
    found: Scores = {}
    X, y, groups = nuclei(border=True)
    one = compare_losses(unet(), ["dice", "focal"], X, y, groups=groups, random_state=0)
    found["masks"] = [one.scores_.tolist(), [pair["p"] for pair in one.pairs_]]
    A, b = digits()
    two = compare_losses(resnet(), ["hinge", "brier"], A, b, n_repeats=2, n_seeds=2, random_state=0)
    found["labels"] = [two.scores_.tolist(), [pair["p"] for pair in two.pairs_]]
    return found


def main() -> int:
    """Write the scores; compare them with those of another file."""
    torch.set_num_threads(1)
    found = {"fits": fits(), "searches": searches(), "comparisons": comparisons()}
    text = json.dumps(found, indent=1)
    Path(sys.argv[1]).write_text(text + "\n", encoding="utf-8")
    if len(sys.argv) < 3:
        return 0
    before = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    after = json.loads(text)
    n_same = n_all = 0
    for part, results in after.items():
        for name, result in results.items():
            n_all += 1
            # nan is not equal to itself, its text is
            same = json.dumps(result) == json.dumps(before[part].get(name))
            n_same += same
            if not same:
                print(f"{part}: {name}: {before[part].get(name)} before, {result} now")
    print(f"{n_same} of {n_all} results are the same to the last bit")
    return int(n_same < n_all)


if __name__ == "__main__":
    sys.exit(main())
