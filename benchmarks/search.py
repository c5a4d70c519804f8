"""Searching: score against epochs beside other searches, overhead, workers.

    python benchmarks/search.py [--quick] [--json PATH] [--threads N] [--seeds N]

All searches choose among the same candidates, on the same folds, with the same initial
weights and batches, and are told the same metric. A callback counts every epoch that
is trained. What they find is trained on all that they saw and scored on a quadrant of
the image that they did not see.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import optuna
import torch
from rounds import parse_options, print_machine, print_table, write_json
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    ParameterSampler,
    RandomizedSearchCV,
)
from skorch.callbacks import Callback

from sklearnloss import LossSearchCV, UNetSegmenter
from sklearnloss.datasets import load_nuclei

GRID: list[dict[str, Any]] = [
    {"loss": ["dice"], "loss__eps": [1e-6, 1.0], "loss__squared": [False, True]},
    {"loss": ["tversky"], "loss__alpha": [0.3, 0.7], "loss__beta": [0.3, 0.7]},
    {"loss": ["focal"], "loss__gamma": [1.0, 2.0, 4.0]},
    {"loss": ["cross_entropy"], "loss__label_smoothing": [0.0, 0.1]},
    {"loss": ["dice+cross_entropy"]},
    {"loss": ["hinge"], "loss__margin": [0.5, 2.0]},
]
N_CANDIDATES = 16


class Counter(Callback):  # type: ignore[misc]
    """Counts the epochs of all fits in this process."""

    epochs = 0

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Count one."""
        Counter.epochs += 1


class Null(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Learns nothing at once: what a search around it costs is the search's own."""

    def __init__(self, a: float = 0.5, b: float = 0.5) -> None:
        self.a = a
        self.b = b

    def fit(self, X: Any, y: Any) -> Null:
        """Learn which classes there are."""
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> Any:
        """Return the first class."""
        return np.full(len(X), self.classes_[0])

    def score(self, X: Any, y: Any) -> float:
        """Return how near the parameters are to a point."""
        return -((self.a - 0.3) ** 2) - (self.b - 0.7) ** 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the tables and write JSON if asked to."""
    options = parse_options(__doc__, arguments, threads=1, seeds=4)
    torch.set_num_threads(options.threads)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    print_machine()
    tables = {"quality": quality(1 if options.quick else options.seeds, quick=options.quick)}
    print_table("Score on an unseen quadrant, epochs trained", tables["quality"])
    tables["overhead"] = overhead(10 if options.quick else 100, 1 if options.quick else 5)
    print_table(
        "Milliseconds per candidate, 3 folds of an estimator that does nothing", tables["overhead"]
    )
    tables["workers"] = workers(quick=options.quick)
    print_table("Workers on this machine", tables["workers"])
    write_json(options.json, tables)


def quality(n_quadrants: int, *, quick: bool) -> list[dict[str, Any]]:
    """Return a row per search: medians over quadrants."""
    X, y, groups = load_nuclei(tile=64)
    n_epochs = 2 if quick else 8
    rows: dict[str, list[dict[str, float]]] = {}
    for quadrant in range(n_quadrants):
        seen = groups != quadrant
        model = UNetSegmenter(
            width=2 if quick else 4,
            depth=2,
            max_epochs=n_epochs,
            batch_size=4,
            lr=1e-2,
            random_state=quadrant,
            callbacks=[Counter()],
        )
        for name, search in searches(model, n_epochs, quadrant).items():
            Counter.epochs, begun = 0, time.perf_counter()
            best = find(search, X[seen], y[seen], groups[seen])
            epochs, seconds = Counter.epochs, time.perf_counter() - begun
            score = clone(model).set_params(**best).fit(X[seen], y[seen]).score(X[~seen], y[~seen])
            found = {"score": score, "epochs": epochs, "seconds": seconds}
            print(f"quadrant {quadrant}: {name} {found} {best}", flush=True)
            rows.setdefault(name, []).append(found)
    everything = rows["GridSearchCV, all candidates"]
    return [
        {
            "search": name,
            "mean IoU, median": median(run["score"] for run in runs),
            "less than all candidates', median": median(
                all_["score"] - run["score"] for run, all_ in zip(runs, everything, strict=True)
            ),
            "epochs": median(run["epochs"] for run in runs),
            "share of all epochs": median(
                run["epochs"] / all_["epochs"] for run, all_ in zip(runs, everything, strict=True)
            ),
            "seconds": median(run["seconds"] for run in runs),
        }
        for name, runs in rows.items()
    ]


def searches(model: Any, n_epochs: int, seed: int) -> dict[str, Any]:
    """Return the contenders."""
    half = N_CANDIDATES // 2
    cv = GroupKFold(3)
    common: dict[str, Any] = {"cv": cv, "refit": False}
    ours: dict[str, Any] = {**common, "param_distributions": GRID, "random_state": seed}
    median_pruner = optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=n_epochs // 3)
    return {
        "GridSearchCV, all candidates": GridSearchCV(model, GRID, **common),
        "LossSearchCV": LossSearchCV(model, n_trials=N_CANDIDATES, **ours),
        "LossSearchCV, median pruner": LossSearchCV(
            model, n_trials=N_CANDIDATES, pruner=median_pruner, **ours
        ),
        "LossSearchCV, Hyperband": LossSearchCV(
            model,
            n_trials=N_CANDIDATES,
            pruner=optuna.pruners.HyperbandPruner(
                min_resource=max(1, n_epochs // 3), max_resource=3 * n_epochs
            ),
            **ours,
        ),
        "RandomizedSearchCV, half of them": RandomizedSearchCV(
            model, GRID, n_iter=half, random_state=seed, **common
        ),
        "HalvingGridSearchCV": HalvingGridSearchCV(
            model,
            GRID,
            factor=2,
            resource="max_epochs",
            min_resources=max(1, n_epochs // 8),
            max_resources=n_epochs,
            **common,
        ),
        "OptunaSearchCV, half of them": (model, half, seed, cv),
    }


def find(search: Any, X: Any, y: Any, groups: Any) -> dict[str, Any]:
    """Run a search and return the best parameters."""
    if isinstance(search, tuple):
        return _find_with_optuna(*search, X, y, groups)
    params: dict[str, Any] = dict(search.fit(X, y, groups=groups).best_params_)
    params.pop("max_epochs", None)
    return params


def _find_with_optuna(
    model: Any, n_trials: int, seed: int, cv: Any, X: Any, y: Any, groups: Any
) -> dict[str, Any]:
    """Run Optuna's own search: it has no spaces within spaces, so it chooses a candidate."""
    from optuna_integration import OptunaSearchCV

    class ByNumber(UNetSegmenter):
        def __init__(self, candidate: int = 0) -> None:
            super().__init__()
            self.candidate = candidate

        def fit(self, X: Any, y: Any, **kwargs: Any) -> Any:
            self.best_ = clone(model).set_params(**ALL[self.candidate]).fit(X, y)
            return self

        def score(self, X: Any, y: Any) -> float:
            return float(self.best_.score(X, y))

    space = {"candidate": optuna.distributions.CategoricalDistribution(range(len(ALL)))}
    search = OptunaSearchCV(
        ByNumber(), space, cv=cv, n_trials=n_trials, random_state=seed, refit=False
    )
    search.fit(X, y, groups=groups)
    return ALL[search.best_params_["candidate"]]


ALL = [dict(candidate) for candidate in ParameterSampler(GRID, N_CANDIDATES, random_state=0)]


def overhead(n_trials: int, n_rounds: int) -> list[dict[str, Any]]:
    """Return a row per search around an estimator that does nothing."""
    X, y = np.zeros((60, 2)), np.repeat([0, 1], 30)
    space: dict[str, Any] = {"a": (0.0, 1.0), "b": (0.0, 1.0)}
    choices = {name: np.linspace(0, 1, 1000).tolist() for name in space}
    common: dict[str, Any] = {"cv": 3, "refit": False}
    ours: dict[str, Any] = {**common, "n_trials": n_trials, "param_distributions": space}
    no_pruner = optuna.pruners.NopPruner()
    folder = tempfile.TemporaryDirectory()
    paths = _paths(Path(folder.name))
    contenders: dict[str, Callable[[], Any]] = {
        "RandomizedSearchCV": lambda: RandomizedSearchCV(
            Null(), choices, n_iter=n_trials, **common
        ),
        "LossSearchCV, random, memory": lambda: LossSearchCV(
            Null(), sampler=optuna.samplers.RandomSampler(), pruner=no_pruner, **ours
        ),
        "LossSearchCV, memory": lambda: LossSearchCV(Null(), pruner=no_pruner, **ours),
        "LossSearchCV, journal": lambda: LossSearchCV(
            Null(), pruner=no_pruner, storage=next(paths), **ours
        ),
    }
    spent: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(n_rounds):
        for name, make in contenders.items():
            search = make()
            begun = time.perf_counter()
            search.fit(X, y)
            spent[name].append(time.perf_counter() - begun)
    folder.cleanup()
    return [
        {"search": name, "ms per candidate": 1000 * median(seconds) / n_trials}
        for name, seconds in spent.items()
    ]


def _paths(folder: Path) -> Iterator[str]:
    k = 0
    while True:
        k += 1
        yield str(folder / f"{k}.journal")


def workers(*, quick: bool) -> list[dict[str, Any]]:
    """Return a row per number of workers; each trains with one thread."""
    X, y, _ = load_nuclei(tile=64)
    model = UNetSegmenter(width=2 if quick else 8, depth=2, max_epochs=2 if quick else 8)
    rows = []
    for n_jobs in (1, 2):
        search = LossSearchCV(
            model,
            ["dice", "focal", "cross_entropy", "hinge"],
            n_trials=2 if quick else 24,
            cv=3,
            refit=False,
            pruner=optuna.pruners.NopPruner(),
            random_state=0,
            n_jobs=n_jobs,
        )
        begun = time.perf_counter()
        search.fit(X[:32], y[:32])
        rows.append({"workers": n_jobs, "seconds": time.perf_counter() - begun})
    for row in rows:
        row["times as fast as one"] = rows[0]["seconds"] / row["seconds"]
    return rows


if __name__ == "__main__":
    main()
