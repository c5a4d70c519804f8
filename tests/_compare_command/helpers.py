"""What ``sklearnloss compare`` makes of its data and options, before any training."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sklearnloss import LossSearchCV, UNetSegmenter

from ..command_line import main


class Refused(Exception):
    """The command says in one line what is wrong, and ends.

    Parameters
    ----------
    reason : str
        What is wrong.
    told : str
        All that was said until then.
    """

    def __init__(self, reason: str, told: str) -> None:
        super().__init__(reason)
        self.told = told


class _Ends(Exception):
    """The comparison would begin now."""


@dataclass
class Prepared:
    """The search that the command begins, and what it is fitted on.

    The question is what was kept of data and options; the other folds are those of the
    comparison.
    """

    search: LossSearchCV
    X: Any
    y: Any
    description: str
    told: str
    question: dict[str, Any]
    other_folds: list[Any]

    @property
    def task(self) -> str:
        is_segmenter = isinstance(self.search.estimator, UNetSegmenter)
        return "segmentation" if is_segmenter else "classification"

    @property
    def channels(self) -> str:
        return str(self.search.estimator.channels)

    @property
    def labels(self) -> list[Any]:
        return list(self.search.estimator.classes)

    @property
    def tested(self) -> list[list[int]]:
        """The images of each fold, sorted. With as many folds as groups these are the groups."""
        return sorted(test.tolist() for _, test in self.search.cv)


def prepare(
    data: Path, *arguments: str, losses: str | None = "focal", output: Path | None = None
) -> Prepared:
    """Run the command in two folds, but train nothing; raise what it refuses."""
    seen: dict[str, Any] = {}

    def search_nothing(search: LossSearchCV, X: Any, y: Any) -> None:
        seen.update(search=search, X=X, y=y)
        search.best_per_loss_ = {"focal": {"state": "COMPLETE", "score": 0.5, "params": {}}}
        search.cv_results_, search.untried_losses_ = {}, []

    def end(search: LossSearchCV, *given: Any, cv: Any, **options: Any) -> None:
        seen.update(other_folds=cv)
        raise _Ends

    told = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(LossSearchCV, "fit", search_nothing)
        patch.setattr(LossSearchCV, "compare", end)
        results = output or Path(folder) / "results"
        small = ["--folds", "2", "--device", "cpu", "--output", str(results)]
        chosen = [] if losses is None else ["--losses", losses]
        with contextlib.redirect_stderr(told), contextlib.suppress(_Ends):
            assert main(["compare", str(data), *small, *chosen, *arguments]) == 2
            reason = told.getvalue().partition("sklearnloss compare: ")[2].rstrip("\n")
            raise Refused(reason, told.getvalue())
        seen["question"] = json.loads((results / "settings.json").read_text())["question"]
    lines = re.findall(rf"{re.escape(str(data))}: (.*)\.$", told.getvalue(), re.MULTILINE)
    return Prepared(description=lines[0], told=told.getvalue(), **seen)


def save_named(folder: Path, names: Sequence[str]) -> Path:
    """Write images of these names, with masks, and no others."""
    shutil.rmtree(folder / "data", ignore_errors=True)
    for k, name in enumerate(names):
        for kind in ("images", "masks"):
            path = folder / "data" / kind / name
            path.parent.mkdir(parents=True, exist_ok=True)
            pytest.importorskip("PIL.Image").fromarray(np.eye(4, k=k % 3, dtype=np.uint8)).save(
                path
            )
    return folder / "data"


def check_groups(data: Path, spec: str, expected: Sequence[str]) -> None:
    """Check which group each image is in.

    A run keeps a digest of them, which is that of the same groups in a list beside arrays.
    """
    found = prepare(data, "--groups", spec)
    assert found.question["groups"] == _digest(tuple(expected)), found.description


@functools.cache
def _digest(groups: tuple[str, ...]) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        return prepare(save_arrays(Path(folder), len(groups), list(groups))).question["groups"]


def save_arrays(folder: Path, n: int, groups: Any = None) -> Path:
    """Write images with masks in one file."""
    X = np.random.default_rng(0).normal(size=(n, 4, 4))
    return _save(folder, X, (X > 0).astype(int), groups)


def save_masks(folder: Path, n: int = 6, groups: Any = None, labels: Any = (0, 1)) -> Path:
    """Write images with masks, of which the first pixel is of the label 255."""
    X = np.random.default_rng(0).normal(size=(n, 8, 8))
    y = np.where(X > 0, labels[-1], labels[0])
    y[0, 0, 0] = 255
    return _save(folder, X, y, groups)


def save_classes(folder: Path, y: list[str], groups: Any = None) -> Path:
    """Write images of classes, with a channel last."""
    X = np.random.default_rng(0).normal(size=(len(y), 8, 8, 1))
    return _save(folder, X, y, groups)


def _save(folder: Path, X: Any, y: Any, groups: Any) -> Path:
    np.savez(folder / "data.npz", X=X, y=y, **({} if groups is None else {"groups": groups}))
    return folder / "data.npz"
