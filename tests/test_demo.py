"""The demo, shortened: real data, real fits, reports and a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from sklearnloss import __version__
from sklearnloss._demo._figure import CROP, _assemble, _predict
from sklearnloss._demo._tasks import FEW, RARE, Task, digits_task, nuclei_task
from sklearnloss.datasets import load_nuclei

from .command_line import main

Array = np.ndarray[Any, Any]


@pytest.mark.slow
def test_the_command_prints_the_reports_and_writes_a_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "demo.png"
    assert main(["demo", "--epochs", "1", "--jobs", "2", "--output", str(picture)]) == 0
    shown = capsys.readouterr().out
    for task in (nuclei_task(1), digits_task(0, 1)):
        assert task.title in shown
        assert all(f"\n{name}  " in shown for name in task.losses)
    assert "6 losses, 4 splits x 1 seed, 64 images, scored by mean Dice" in shown
    assert "5 losses, 9 splits (3 x 3 folds) x 1 seed, 1797 images" in shown
    assert shown.count("P(better): that the true difference is above .01") == 2
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert picture.stat().st_size > 50_000


def small_task() -> Task:
    task = digits_task(0, 2)
    task.losses = {name: task.losses[name] for name in ("cross_entropy", "hinge")}
    task.estimator.set_params(width=4)
    task.splits["cv"] = task.splits["cv"][:2]
    return task


@pytest.mark.slow
def test_the_same_seed_gives_the_same_scores() -> None:
    first, second = (small_task().compare(seed=0, n_jobs=2) for _ in range(2))
    other = small_task().compare(seed=1, n_jobs=2)
    np.testing.assert_array_equal(first.scores_, second.scores_)
    assert (first.scores_ != other.scores_).any()


def test_rare_digits_are_rare_in_training_only() -> None:
    task = digits_task(0, 1)
    splits = task.splits["cv"]
    for train, test in splits:
        assert not set(train) & set(test)
        assert [np.sum(task.y[train] == digit) for digit in RARE] == [FEW] * 3
    for k in (0, 3):  # two repeats of three folds
        tested = np.concatenate([test for _, test in splits[k : k + 3]])
        np.testing.assert_array_equal(np.sort(tested), np.arange(len(task.y)))


class Memory(BaseEstimator):  # type: ignore[misc]
    """Predicts whether a tile was in the training data."""

    def __init__(self, random_state: int | None = None) -> None:
        self.random_state = random_state

    def fit(self, X: Array, y: Array) -> Memory:
        self.known_ = {tile.tobytes() for tile in X}
        return self

    def predict(self, X: Array) -> Array:
        return np.array([np.full(tile.shape, tile.tobytes() in self.known_) for tile in X])


def test_the_masks_in_the_picture_are_held_out() -> None:
    task = nuclei_task(1)
    task.estimator = Memory()
    known = _assemble(_predict(task, {}, 0))
    assert not known[CROP].any()
    assert known.mean() == 0.75
    image, _ = load_nuclei(instances=True)
    np.testing.assert_array_equal(_assemble(task.X), image)


class Answer(BaseEstimator):  # type: ignore[misc]
    """Predicts what it was given."""

    def __init__(self, answer: Array) -> None:
        self.answer = answer

    def predict(self, X: Array) -> Array:
        return self.answer


@pytest.mark.parametrize(
    ("task", "missed", "expected"),
    [
        (nuclei_task(1), [2], {"nucleus": 1, "border": 0}),
        (digits_task(0, 1), RARE, {"frequent": 1, "rare": 0}),
    ],
)
def test_columns_score_the_classes_that_they_name(
    task: Task, missed: list[int], expected: dict[str, float]
) -> None:
    model = Answer(np.where(np.isin(task.y, missed), 0, task.y))
    found = {name: task.scoring[name](model, task.X, task.y) for name in expected}
    assert found == expected


def test_the_number_of_epochs_reaches_the_estimators() -> None:
    assert nuclei_task(6).estimator.max_epochs == 6
    assert digits_task(0, 6).estimator.max_epochs == 4
    assert digits_task(0, 1).estimator.max_epochs == 1


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out.strip() == __version__
    assert main(["versions"]) == 0
    assert f"sklearnloss: {__version__}" in capsys.readouterr().out
