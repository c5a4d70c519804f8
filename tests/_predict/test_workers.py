"""Several processes predict what one predicts."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from sklearnloss._predict.options import Options
from sklearnloss._predict.workers import Task, run_tasks

from .helpers import BrightModel, die, folder_of, opened, predict

pytestmark = pytest.mark.slow


def test_processes_predict_the_same(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", "a.png", "b.png", "c.png")
    (folder / "bad.png").write_bytes(b"\x89PNG")
    one = predict(BrightModel(), folder, tmp_path / "one", instances=True)
    two = predict(BrightModel(), folder, tmp_path / "two", instances=True, n_jobs=2)
    assert one.objects == two.objects
    assert one.errors == two.errors
    assert len(one.errors) == 1
    assert [row["file"] for row in two] == ["a.png", "b.png", "c.png"]
    for a, b in zip(one, two, strict=True):
        assert Path(a["mask"]).read_bytes() == Path(b["mask"]).read_bytes()


def test_the_death_of_a_process_is_said(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", "a.png", "b.png")
    with pytest.raises(ChildProcessError, match="Finished files are kept.*fewer jobs"):
        predict(BrightModel(hook=die), folder, tmp_path / "out", n_jobs=2)
    assert predict(BrightModel(), folder, tmp_path / "out").errors == {}


def test_an_interrupt_ends_the_processes(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, *(f"{k}.png" for k in range(20)))
    tasks = [Task(path, {}) for path in sorted(folder.iterdir())]
    model = opened(BrightModel())
    outcomes = run_tasks(
        model.model,
        model.reopen,
        tasks,
        Options(),
        n_jobs=2,
        progress=lambda task: lambda done, of: None,
    )
    before = set(multiprocessing.active_children())
    next(outcomes)
    assert set(multiprocessing.active_children()) > before
    outcomes.close()  # type: ignore[attr-defined]
    assert set(multiprocessing.active_children()) <= before
