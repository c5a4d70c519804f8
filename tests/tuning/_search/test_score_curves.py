"""The score after each epoch, recovered from reports to the pruner."""

from __future__ import annotations

import numpy as np
import pytest

from sklearnloss.tuning._search.score_curves import score_curve


def test_the_scores_of_each_fold_are_recovered_from_the_means() -> None:
    scores = np.random.default_rng(0).random((3, 4))  # folds, epochs
    reports = []
    for fold in range(3):
        finished = scores[:fold, -1].sum()
        for epoch in range(4):
            mean = (finished + scores[fold, epoch]) / (fold + 1)
            reports.append([fold * 4 + epoch + 1, mean])
    curve = score_curve(reports, 4)
    assert [epoch for epoch, _ in curve] == [1, 2, 3, 4]
    np.testing.assert_allclose([score for _, score in curve], scores.mean(0))
    unfinished = score_curve(reports[:-2], 4)
    np.testing.assert_allclose([score for _, score in unfinished], scores[:2].mean(0))


@pytest.mark.parametrize(
    ("reports", "n_epochs"),
    [([], 3), ([[1, 0.5]], 3), ([[1, 0.5], [2, 0.6]], 1), ([[3, 0.5], [6, 0.6]], 3)],
)
def test_there_is_no_curve_without_scores_of_epochs(
    reports: list[list[float]], n_epochs: int
) -> None:
    assert score_curve(reports, n_epochs) == []
