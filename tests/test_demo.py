"""The demo, shortened: real data, real fits, a table and a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sklearnloss import __version__
from sklearnloss._cli import main
from sklearnloss._demo._evaluate import Evaluation, evaluate
from sklearnloss._demo._table import BASELINE, format_leaderboard, ranking, top_group
from sklearnloss._demo._tasks import Task, digits_task, nuclei_task


@pytest.mark.slow
def test_the_command_prints_leaderboards_and_writes_a_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "demo.png"
    assert main(["demo", "--epochs", "1", "--jobs", "2", "--output", str(picture)]) == 0
    first = capsys.readouterr().out
    for name in (*nuclei_task(0, 1).losses, *digits_task(0, 1).losses):
        assert name in first
    assert first.count("* Top group: ") == 2
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert picture.stat().st_size > 50_000


def small_task() -> Task:
    task = digits_task(0, 2)
    task.losses = {name: task.losses[name] for name in ("cross_entropy", "hinge")}
    task.estimator.set_params(width=4)
    return task


@pytest.mark.slow
def test_the_same_seed_gives_the_same_scores() -> None:
    first, second = evaluate(small_task(), 2), evaluate(small_task(), 1)
    for name in first.scores:
        np.testing.assert_array_equal(first.scores[name], second.scores[name])
        np.testing.assert_array_equal(first.predictions[name], second.predictions[name])


def test_every_sample_is_predicted_by_a_fit_that_had_not_seen_it() -> None:
    for task in (nuclei_task(0, 1), digits_task(0, 1)):
        tested = np.sort(np.concatenate([test for _, test in task.splits]))
        np.testing.assert_array_equal(tested, np.arange(len(task.y)))
        for train, test in task.splits:
            assert not set(train) & set(test)


def fake(task: Task, **scores: list[float]) -> Evaluation:
    n_parts = len(task.part_names)
    arrays = {name: np.array(values) for name, values in scores.items()}
    task.losses = {name: {} for name in scores}
    return Evaluation(
        arrays,
        {name: np.tile(values[:, None], n_parts) for name, values in arrays.items()},
        dict.fromkeys(scores, 1.0),
        {},
    )


def test_losses_that_folds_do_not_tell_apart_share_the_top() -> None:
    task = nuclei_task(0, 1)
    result = fake(
        task,
        cross_entropy=[0.60, 0.62, 0.61, 0.63],
        dice=[0.80, 0.70, 0.90, 0.75],
        tversky=[0.78, 0.74, 0.85, 0.77],
        hinge=[0.80, 0.70, 0.90, 0.75],
    )
    assert ranking(result)[0] in ("dice", "hinge")
    assert set(top_group(task, result)) == {"dice", "tversky", "hinge"}
    report = format_leaderboard(task, result)
    assert "These folds do not tell them apart" in report
    assert "+0.173" in report
    assert "4 of 4" in report


def test_a_clear_winner_stands_alone() -> None:
    task = digits_task(0, 1)
    result = fake(task, cross_entropy=[0.6, 0.6, 0.6], focal=[0.9, 0.9, 0.9])
    assert top_group(task, result) == ["focal"]
    assert "do not tell them apart" not in format_leaderboard(task, result)
    assert BASELINE in task.losses


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out.strip() == __version__
    assert main(["versions"]) == 0
    assert f"sklearnloss: {__version__}" in capsys.readouterr().out
