"""A search that is ended between two epochs, and goes on later."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sklearnloss import LossSearchCV
from sklearnloss.tuning._search.watch import Progress

from ...estimators.conftest import Data, classifier


class Ends:
    """Ends a search at some epoch, and notes what it is told."""

    def __init__(self, at: int | None = None, folds: int = 99) -> None:
        self.at, self.folds = at, folds
        self.looks = 0
        self.seen: list[list[tuple[str, int, bool]]] = []

    def update(self, candidates: Sequence[Progress]) -> None:
        found = [(label, len(s.folds), s.outcome is not None) for label, s in candidates]
        if found and (not self.seen or found != self.seen[-1]):
            self.seen.append(found)

    def is_over(self) -> bool:
        self.looks += 1
        n_folds = sum(n for _, n, _ in self.seen[-1]) if self.seen else 0
        return (self.at is not None and self.looks >= self.at) or n_folds >= self.folds


def fitted(watch: Ends | None, data: Data, storage: Path | None, **more: Any) -> LossSearchCV:
    model = classifier(width=2, max_epochs=3, batch_size=30)
    search = LossSearchCV(
        model,
        ["focal", "cross_entropy"],
        n_trials=3,
        cv=3,
        refit=False,
        storage=storage,
        random_state=0,
        **more,
    )
    search._watch = watch
    search.fit(*data)
    return search


@pytest.fixture(scope="module")
def whole(digits: Data) -> tuple[LossSearchCV, Ends]:
    watch = Ends()
    return fitted(watch, digits, None), watch


def test_each_fold_and_candidate_is_told(whole: tuple[LossSearchCV, Ends]) -> None:
    _, watch = whole
    assert watch.seen[:2] == [
        [("focal", 1, True)],
        [("focal", 1, True), ("cross_entropy", 1, True)],
    ]


@pytest.mark.filterwarnings("ignore:These losses or grids were never tried")
@pytest.mark.parametrize("at", [1, 5, 8, 12])
def test_a_search_that_was_ended_at_an_epoch_goes_on(
    tmp_path: Path, digits: Data, whole: tuple[LossSearchCV, Ends], at: int
) -> None:
    storage = tmp_path / "search.journal"
    watch = Ends(at)
    ended = fitted(watch, digits, storage)
    assert watch.looks <= at + 2  # once it is over, nothing further is begun
    n_finished = len(ended.cv_results_["params"]) if hasattr(ended, "cv_results_") else 0
    assert n_finished <= 3
    resumed, expected = fitted(None, digits, storage), whole[0]
    for name in ("mean_test_score", "n_epochs"):
        np.testing.assert_array_equal(resumed.cv_results_[name], expected.cv_results_[name])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:These losses or grids were never tried")
def test_a_search_in_processes_is_ended_too(tmp_path: Path, digits: Data) -> None:
    watch = Ends(folds=1)
    ended = fitted(watch, digits, tmp_path / "search.journal", n_jobs=2)
    assert watch.seen
    n_ended = len(getattr(ended, "cv_results_", {"params": []})["params"])
    resumed = fitted(None, digits, tmp_path / "search.journal")
    assert n_ended <= len(resumed.cv_results_["params"]) == 3
