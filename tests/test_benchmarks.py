"""Every benchmark runs on tiny sizes and writes what its tables show."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch

from sklearnloss.losses import get_loss

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
# The columns that each script promises, by table.
TABLES = {
    "fit": {"fit": {"task", "contender", "images/s", "images/CPU s", "x loop", "x skorch"}},
    "predict": {
        "predict": {"task", "ours, images/s", "loop, images/s", "x loop", "x loop, CPU"},
        "tiles": {"image", "x whole", "pixels seen / image's"},
    },
    "memory": {
        "memory": {"task", "data", "ours", "loop", "x loop"},
        "workers": {"images", "first", "second"},
    },
    "exported": {
        "agreement": {"model", "largest difference", "other labels", "of"},
        "scene": {"side", "x ours, CPU", "x ours, MB"},
    },
    "reading": {"reading": {"task", "waits, seconds", "ahead, seconds", "x waits"}},
    "search": {
        "quality": {"set", "search", "runs", "same choice", "share of epochs", "CPU seconds"},
        "overhead": {"search", "ms per candidate", "CPU ms per candidate"},
    },
    "threads": {"threads_digits": {"case", "seconds", "CPU seconds", "worst seconds"}},
    "imports": {"imports": {"step", "seconds", "CPU seconds"}},
    "growth": {
        "images": {"value", "CPU seconds", "x smallest", "exponent"},
        "side": {"value", "CPU seconds", "x smallest", "exponent"},
        "losses": {"loss", "CPU seconds", "x bce"},
    },
}
# Workers are left out, since starting them takes longer than all of the rest.
OPTIONS = {"search": ["--tables", "quality,overhead"]}


@pytest.mark.slow
@pytest.mark.parametrize("script", TABLES)
def test_a_quick_run_writes_all_tables(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if script in ("memory", "exported") and sys.platform != "linux":
        pytest.skip("peaks are read from /proc")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    path = tmp_path / "results.json"
    threads, verbosity = torch.get_num_threads(), optuna.logging.get_verbosity()
    try:
        importlib.import_module(script).main(
            ["--quick", "--json", str(path), *OPTIONS.get(script, [])]
        )
    finally:
        torch.set_num_threads(threads)
        optuna.logging.set_verbosity(verbosity)
    results = json.loads(path.read_text())
    assert {"processor", "cores", "threads", "torch"} <= results["machine"].keys()
    for name, columns in TABLES[script].items():
        assert results[name]
        for row in results[name]:
            assert columns <= row.keys()
            assert all(value is not None for value in row.values())


@pytest.mark.slow
def test_the_loop_by_hand_learns_what_our_estimator_learns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    loops, tasks = importlib.import_module("loops"), importlib.import_module("tasks")
    task = tasks.digits(quick=True, epochs=40)._replace(width=4)
    torch.manual_seed(0)
    network = loops.train(task)
    labels = loops.predict(network, task.X, *loops.channel_scaling(torch.from_numpy(task.X)), 32)
    model = task.estimator().fit(task.X, task.y)
    assert (labels == task.y).mean() > 0.95
    assert model.score(task.X, task.y) > 0.95


def test_the_loss_by_hand_is_the_default_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    tasks = importlib.import_module("tasks")
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 1, 8, 8, generator=generator)
    target = (torch.rand(3, 1, 8, 8, generator=generator) > 0.5).float()
    expected = get_loss("dice+bce")(logits, target)
    torch.testing.assert_close(tasks.dice_and_bce(logits, target), expected)


def test_the_benchmark_of_searches_continues_with_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    search, cases = importlib.import_module("search"), importlib.import_module("search_cases")
    calls = []

    def choose(case: Any) -> tuple[int, float]:
        calls.append(case.part)
        search.Counter.epochs += 8
        return 1, 0.5

    monkeypatch.setitem(search.SEARCHES, "grid", ("all", choose))
    monkeypatch.setattr(search, "unseen_score", lambda lines, case, number: 0.25)
    path = tmp_path / "results.jsonl"
    for n in (1, 3, 3):
        todo = [cases.make_case("nuclei", part, 0, quick=True) for part in range(n)]
        search.run(search.Lines(path), iter(todo), ["grid"])
    assert calls == [0, 1, 2]
    (row,) = search.quality(search.Lines(path).all)
    assert (row["runs"], row["same choice"], row["unseen score"]) == (3, 3, 0.25)


def test_candidates_of_the_benchmark_of_searches_are_told_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    cases = importlib.import_module("search_cases")
    for name in ("nuclei", "digits"):
        case = cases.make_case(name, 0, 0, quick=False)
        assert [case.number(each) for each in case.candidates] == list(range(24))
