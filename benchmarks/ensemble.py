"""What an ensemble of the models of a search is worth, on a part of the image that it did not see.

    python benchmarks/ensemble.py [--quick] [--json PATH] [--threads N] [--seeds N]

Each quadrant of the nuclei is held out in turn. A search over six losses with their defaults
runs on the others, and everything that can be made of it is scored on the held-out quadrant by
the mean IoU. The differences to the best candidate, trained on all that the search saw, have
corrected intervals (Nadeau and Bengio 2003).
"""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from optuna.pruners import NopPruner
from rounds import parse_options, print_machine, print_table, write_json
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from sklearnloss import LossSearchCV, UNetSegmenter, load
from sklearnloss.datasets import load_nuclei
from sklearnloss.estimators import LossEnsemble
from sklearnloss.estimators._persistence.half_precision import round_weights
from sklearnloss.tuning._comparison.statistics import corrected_t_test
from sklearnloss.tuning._ensemble.soup import averaged_weights

LOSSES = ["dice+cross_entropy", "tversky", "focal", "cross_entropy", "dice+focal", "lovasz_softmax"]
REFERENCE = "best candidate, trained on all"


def main(arguments: Sequence[str] | None = None) -> None:
    """Search, combine and score for each held-out quadrant and seed."""
    options = parse_options(__doc__, arguments, threads=1, seeds=3)
    torch.set_num_threads(options.threads)
    print_machine()
    X, y, quadrants = load_nuclei(tile=64)
    runs = []
    for seed in range(1 if options.quick else options.seeds):
        for quadrant in range(2 if options.quick else 4):
            runs.append({"seed": seed, "quadrant": quadrant})
            part = slice(None, None, 4 if options.quick else 1)
            data = X[part], y[part], quadrants[part]
            runs[-1] |= run(*data, quadrant, seed, quick=options.quick)
            print(runs[-1], flush=True)
            tables = {"ensemble": summarize(runs), "quality": qualities(runs), "runs": runs}
            write_json(options.json, tables)
    print_table("Held-out mean IoU", tables["ensemble"])
    print_table("Errors and scores", tables["quality"])


def run(X: Any, y: Any, quadrants: Any, quadrant: int, seed: int, *, quick: bool) -> dict[str, Any]:
    """Search without a quadrant; return what everything scores there."""
    seen, held_out = quadrants != quadrant, quadrants == quadrant
    with tempfile.TemporaryDirectory() as folder:
        search = make_search(folder, seed, quick=quick)
        begun = time.perf_counter()
        search.fit(X[seen], y[seen], groups=quadrants[seen])
        seconds = time.perf_counter() - begun
        names = Path(folder, "search.db.models", "sklearnloss")
        folds = [
            [load(names / f"{k}-{fold}.safetensors").models[0] for fold in range(search.n_splits_)]
            for k in range(len(search.losses))
        ]
    best = clone(search.estimator).set_params(**search.best_params_, random_state=seed)
    best.fit(X[seen], y[seen])
    inputs, masks = X[held_out], y[held_out]
    contenders = make_contenders(search, best, folds)
    ensemble = search.best_estimator_
    return {
        "scores": {name: each.score(inputs, masks) for name, each in contenders.items()},
        "estimates": ensemble.scores_,
        "members": [(member["label"], member["weight"]) for member in ensemble.members_],
        "soup": ensemble.is_soup_,
        **judge_doubts(ensemble, best, inputs, masks),
        "seconds": seconds,
        "seconds to combine": search.refit_time_,
    }


def make_search(folder: str, seed: int, *, quick: bool) -> LossSearchCV:
    """Return a search that keeps the models of all candidates."""
    model = UNetSegmenter(
        width=4, depth=2, max_epochs=1 if quick else 12, batch_size=4, lr=1e-2, random_state=None
    )
    losses = LOSSES[:2] if quick else LOSSES
    return LossSearchCV(
        model,
        losses,
        n_trials=len(losses),
        refit="ensemble",
        pruner=NopPruner(),
        storage=f"{folder}/search.db",
        random_state=seed,
    )


def make_contenders(search: LossSearchCV, best: Any, folds: list[list[Any]]) -> dict[str, Any]:
    """Return what is compared, by name; ``folds`` holds the models of each candidate."""
    ensemble = search.best_estimator_
    chosen = [member["candidate"] for member in ensemble.members_]
    weights = [member["weight"] for member in ensemble.members_]
    soups = [
        averaged_weights([folds[k][fold] for k in chosen], weights)
        for fold in range(search.n_splits_)
    ]
    estimates = ensemble.scores_
    helps = estimates["cross_validated"] > estimates["single_cross_validated"]
    alone = LossEnsemble(folds[search.best_index_]).fit()
    return {
        REFERENCE: best,
        "best candidate, its models of all folds": alone,
        "ensemble": ensemble,
        "ensemble, if its estimate is better": ensemble if helps else alone,
        "all candidates alike": LossEnsemble([each for models in folds for each in models]).fit(),
        "a soup for each fold": LossEnsemble(soups).fit(),
    }


def judge_doubts(ensemble: Any, best: Any, inputs: Any, masks: Any) -> dict[str, float]:
    """Return how well doubts find wrong pixels, and what half precision changes."""
    wrong = (ensemble.predict(inputs) != masks).ravel()
    doubts = {
        "AUROC, disagreement": ensemble.disagreement(inputs),
        "AUROC, 1 - p of the ensemble": 1 - ensemble.predict_proba(inputs).max(1),
    }
    own = 1 - best.predict_proba(inputs).max(1)
    rounded = copy.deepcopy(best)
    round_weights(rounded.net_.module_)
    predicted = best.predict(inputs)
    return {
        **{name: float(roc_auc_score(wrong, doubt.ravel())) for name, doubt in doubts.items()},
        "AUROC, 1 - p of the best candidate": float(
            roc_auc_score((predicted != masks).ravel(), own.ravel())
        ),
        "labels changed by half precision": float(np.mean(rounded.predict(inputs) != predicted)),
    }


def summarize(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each contender."""
    rows = []
    for name in runs[0]["scores"]:
        values = np.array([each["scores"][name] for each in runs])
        gain = values - np.array([each["scores"][REFERENCE] for each in runs])
        test = corrected_t_test(gain, ratio=1 / 3)
        interval = "" if name == REFERENCE else f"[{test.low:+.4f}, {test.high:+.4f}]"
        rows.append(
            {
                "contender": name,
                "mean IoU": f"{values.mean():.4f}",
                "gain": f"{gain.mean():+.4f}",
                "95 % interval": interval,
                "better in": f"{int((gain > 0).sum())} of {len(runs)}",
            }
        )
    return rows


def qualities(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the means of everything else that was measured."""
    names = [name for name in runs[0] if isinstance(runs[0][name], float)]
    rows = [{"what": name, "mean": float(np.mean([r[name] for r in runs]))} for name in names]
    for name in ("cross_validated", "selected", "single_cross_validated", "single", "soup"):
        found = [each["estimates"][name] for each in runs if name in each["estimates"]]
        rows += [{"what": f"estimate: {name}", "mean": float(np.mean(found))}] if found else []
    return rows


if __name__ == "__main__":
    main()
