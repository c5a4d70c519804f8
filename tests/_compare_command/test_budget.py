"""The budget of a run: made-up times, and runs on a clock on which only epochs take time."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sklearnloss import UNetSegmenter, load
from sklearnloss._compare_command import Options, run_compare
from sklearnloss._compare_command import _budget as _budget_module
from sklearnloss._compare_command._budget import Budget
from sklearnloss._compare_command._estimate import FitTimes
from sklearnloss._compare_command._watch import Watch
from sklearnloss.tuning._evaluation import fit_and_score as _fit_and_score
from sklearnloss.tuning._evaluation.fit_and_score import FoldFit
from sklearnloss.tuning._evaluation.outcome import Outcome
from sklearnloss.tuning._search.candidate import CandidateState
from sklearnloss.tuning._workers import deadline as _deadline

from .test_estimate import state

OPTIONS = Options(data="x", trials=40, epochs=10, budget=1000.0)
TIMES = FitTimes(
    fit=8.0,
    score=1.0,
    slowest=8.0,
    by_loss={"dice": 8.0},
    share=0.3,
    n_measured=1,
    n_finished=0,
    n_begun_folds=1,
    n_later_folds=0,
    n_folds=5,
    n_epochs=10,
    n_jobs=1,
)


def test_repeats_are_given_up_first_then_losses() -> None:
    budget = Budget(OPTIONS, n_losses=9, begun=0.0)
    shares = [budget.divide(TIMES, limit) for limit in (500, 499, 250, 249, 150, 100, 99, 0)]
    assert [(each.top, each.repeats) for each in shares] == [
        (5, 2), (5, 1), (5, 1), (4, 1), (3, 1), (2, 1), (2, 1), (2, 1),
    ]  # fmt: skip
    assert [each.seconds for each in shares[:2]] == [500, 250]


def test_fits_of_an_earlier_call_take_no_time() -> None:
    budget = Budget(OPTIONS, n_losses=9, begun=0.0)
    share = budget.divide(TIMES, 101, ["dice", "bce", "focal"], {"dice": 10, "bce": 5, "other": 10})
    assert (share.top, share.repeats) == (3, 1)
    share = budget.divide(TIMES, 150, ["dice", "bce", "focal"], {"dice": 10, "bce": 5, "focal": 5})
    assert (share.top, share.repeats) == (3, 2)


def test_processes_of_a_comparison_take_time_to_start() -> None:
    times = replace(TIMES, slowest=18.0, n_jobs=2)
    budget = Budget(OPTIONS, n_losses=9, begun=0.0)
    assert budget.divide(times, 260).seconds == 10 + 500 / 2
    assert budget.divide(times, 259).repeats == 1
    ends = [budget.compare_timeout(each, ["dice"], 0.0) for each in (TIMES, times)]
    assert ends[0] - ends[1] == 10


def test_time_is_kept_for_what_follows_the_search() -> None:
    budget = Budget(OPTIONS, n_losses=9, begun=100.0)
    end = budget.search_end(TIMES)
    share = budget.planned(TIMES)
    assert share.seconds <= 0.4 * 1000
    assert end + share.seconds + TIMES.final < 1100
    assert end > 100 + 500


def test_a_budget_that_cannot_suffice_is_refused_with_one_that_does() -> None:
    budget = Budget(replace(OPTIONS, budget=60.0), n_losses=9, begun=0.0)
    refused = budget.too_small(TIMES, 18.0)
    assert refused is not None
    # 9 folds of 18 s, 10 fits of 10 s, a training of 10 s
    assert "--budget 1m is too small: a fit takes about 8 s, so that 2 losses" in refused
    assert "Pass --budget 6m or more" in refused
    assert Budget(replace(OPTIONS, budget=360.0), 9, 0.0).too_small(TIMES, 18.0) is None
    assert Budget(replace(OPTIONS, budget=None), 9, 0.0).too_small(TIMES, 18.0) is None


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Return a clock that goes on by a second per epoch."""
    clock = SimpleNamespace(seconds=1000.0)

    def read() -> float:
        return float(clock.seconds)

    fake = SimpleNamespace(monotonic=read, perf_counter=read, time=read)
    for module in (_budget_module, _deadline, _fit_and_score):
        monkeypatch.setattr(module, "time", fake)
    end_epoch, save = FoldFit._end_epoch, UNetSegmenter.save

    def end_epoch_later(fold: FoldFit, *args: Any) -> None:
        clock.seconds += 1.0  # a fit of four epochs: four seconds
        end_epoch(fold, *args)

    def save_later(model: Any, *args: Any) -> None:
        clock.seconds += 2.0 * model.max_epochs  # the training on all images
        save(model, *args)

    monkeypatch.setattr(FoldFit, "_end_epoch", end_epoch_later)
    monkeypatch.setattr(UNetSegmenter, "save", save_later)
    return clock


def told(watch: Watch, capsys: pytest.CaptureFixture[str], *candidates: Any) -> str:
    watch.update(candidates)
    return capsys.readouterr().err


def test_the_first_fold_tells_how_long_the_run_takes(
    clock: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    options = replace(OPTIONS, budget=None, trials=45, epochs=20)
    watch = Watch(options, Budget(options, 9, clock.seconds), 9)
    assert told(watch, capsys, ("dice", CandidateState())) == ""
    first = told(watch, capsys, ("dice", state(1, fit=180.0)))
    assert first.startswith("A fit takes about 3 min. About ")
    assert " in all: search " in first
    assert ", comparison 2 h 30 min, final training 4 min. With --trials 11: " in first
    assert "--quick: " in first
    assert told(watch, capsys, ("dice", state(2, fit=180.0))) == ""
    assert not watch.is_over()


def test_a_search_is_ended_in_time_but_not_before_there_are_two_losses(
    clock: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    watch = Watch(OPTIONS, Budget(OPTIONS, 9, clock.seconds), 9)
    done = ("dice", state(5, Outcome.COMPLETE, fit=8.0))
    assert "The budget is divided: search " in told(watch, capsys, done)
    clock.seconds += 700.0
    assert not watch.is_over()
    watch.update([done, ("bce", state(2, Outcome.PRUNED))])
    assert watch.is_over()
    assert watch.ended_search


def test_times_of_an_earlier_call_alone_do_not_refuse_a_budget(clock: SimpleNamespace) -> None:
    options = replace(OPTIONS, budget=60.0)
    watch = Watch(options, Budget(options, 9, clock.seconds), 9)
    for n_folds, is_refused in ((3, False), (4, False), (5, True)):
        watch.update([("dice", state(n_folds))])
        assert (watch.too_small is not None) == is_refused == watch.is_over()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return six images of squares, with masks."""
    y = np.zeros((6, 8, 8), int)
    y[:, 2:6, 2:6] = 1
    X = y + np.random.default_rng(0).normal(scale=0.3, size=y.shape)
    np.savez(tmp_path / "data.npz", X=X, y=y)
    return tmp_path / "data.npz"


def options(data: Path, **more: Any) -> Options:
    small: dict[str, Any] = {"trials": 9, "folds": 2, "epochs": 4, "width": 2, "top": 3}
    losses = ("dice", "bce", "focal")
    return Options(data=str(data), losses=losses, device="cpu", repeats=2, **{**small, **more})


@pytest.mark.slow
def test_a_run_ends_within_its_budget_and_the_next_one_goes_on(
    data: Path, clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # pictures take no time on this clock
    results = data.parent / "results"
    summaries = []
    for _ in range(9):
        begun = clock.seconds
        summaries.append(run_compare(options(data, budget=60.0), results))
        assert clock.seconds - begun <= 60
        assert isinstance(load(results / "best_model.safetensors"), UNetSegmenter)
        if "The budget of" not in summaries[-1]:
            break
    first, last = summaries[0], summaries[-1]
    assert "The budget of 1 min left time for " in first
    assert " of 9 settings" in first
    assert " of the folds. The same command again continues; about " in first
    assert "search " in first.splitlines()[-1]
    assert "Tried 9 settings of 3 losses" in last
    assert "3 losses, 4 splits (2 x 2 folds) x 1 seed" in last
    assert 1 < len(summaries) < 9
    settings = json.loads((results / "settings.json").read_text())
    assert settings["finished"] == {"trials": 9, "timeout": None, "top": 3, "repeats": 2}
    begun = clock.seconds
    assert run_compare(options(data, budget=60.0), results) == last
    assert clock.seconds == begun
    unlimited = run_compare(options(data), data.parent / "unlimited")
    assert unlimited.splitlines()[2:20] == last.splitlines()[2:20]


@pytest.mark.slow
def test_a_budget_that_is_too_small_costs_two_fits(data: Path, clock: SimpleNamespace) -> None:
    results = data.parent / "results"
    begun = clock.seconds
    with pytest.raises(
        ValueError, match=r"--budget 40s is too small: .* Pass --budget 47s or more"
    ):
        run_compare(options(data, budget=40.0), results)
    assert clock.seconds - begun <= 2 * 4 + 1
    assert not (results / "best_model.safetensors").exists()
    with pytest.raises(ValueError, match="no setting was trained on all folds in this time"):
        run_compare(options(data, budget=2.0), data.parent / "other")
    assert "2 losses" in run_compare(options(data, budget=47.0), results)
