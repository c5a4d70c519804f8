from __future__ import annotations

import pytest

from sklearnloss.tuning._race.scores import FoldScores, Status


def test_means_over_folds_are_taken_apart() -> None:
    scores = FoldScores(n_folds=3, n_epochs=2)
    for step, mean in [(1, 0.2), (2, 0.6), (3, 0.5), (4, 0.7)]:
        scores.report(0, step, mean)
    progress = scores.candidates[0]
    assert progress.folds == pytest.approx([0.6, 0.8])
    assert progress.curves[1] == pytest.approx({1: 0.4, 2: 0.8})


def test_what_was_stored_and_what_is_reported_agree() -> None:
    reports = [[1, 0.2], [2, 0.6], [3, 0.5]]
    stored, live = FoldScores(3, 2), FoldScores(3, 2)
    stored.set(0, [0.6], reports, Status.RUNNING)
    for step, mean in reports:
        live.report(0, int(step), mean)
    one, other = stored.candidates[0], live.candidates[0]
    assert one.folds == pytest.approx(other.folds)
    assert [pytest.approx(curve) for curve in one.curves] == other.curves


def test_an_epoch_without_a_score_has_that_of_the_one_before() -> None:
    scores = FoldScores(2, 4)
    scores.report(0, 2, 0.3)
    progress = scores.candidates[0]
    assert [progress.at(0, step) for step in (1, 2, 3)] == [None, 0.3, 0.3]
    assert progress.at(1, 1) is None


def test_reports_of_folds_that_were_lost_are_left_out() -> None:
    scores = FoldScores(3, 1)
    scores.set(0, [], [[3, 0.5]], Status.OPEN)
    assert scores.candidates[0].curves == []


def test_only_candidates_with_a_fold_that_are_not_out_are_valid() -> None:
    scores = FoldScores(2, 1)
    scores.set(0, [0.5], [], Status.OPEN)
    scores.set(1, [0.5], [], Status.OUT)
    scores.set(2, [], [], Status.RUNNING)
    assert list(scores.valid()) == [0]
