from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from optuna.trial import create_trial
from sklearn.exceptions import FitFailedWarning

from sklearnloss.tuning._evaluation.outcome import Outcome
from sklearnloss.tuning._search.attempts import Row
from sklearnloss.tuning._search.candidate import CandidateState
from sklearnloss.tuning._search.cv_results import best_per_loss, format_results, warn_of_failures
from sklearnloss.tuning._space.hyperparameter import read_free
from sklearnloss.tuning._space.search_space import Branch, Space

from ..searches import search

SPACE = Space(
    {
        "focal": Branch({"loss": "focal"}, {"focal__g": read_free("loss__g", (0.0, 9.0))}, {}),
        "dice": Branch({"loss": "dice"}, {}, {}),
    }
)


def row(
    k: int, outcome: str, scores: list[Any], values: dict[str, Any] | None = None, **results: Any
) -> Row:
    """Return a candidate that reported its mean after each fold."""
    values = {"loss": "dice"} if values is None else values
    folds = [
        {"scores": score, "fit_time": 1.0 + fold, "score_time": 0.5}
        for fold, score in enumerate(scores)
    ]
    plain = [score["a"] if isinstance(score, dict) else score for score in scores]
    reports = [[n, float(np.mean(plain[:n]))] for n in range(1, len(plain) + 1)]
    kept = CandidateState(folds, reports, 3 * len(folds), outcome=Outcome(outcome), **results)
    trial = create_trial(
        state=kept.trial_state,
        value=float(np.mean(plain)) if outcome == "complete" else None,
        params=values,
        distributions=SPACE.distributions(values),
        user_attrs={"candidate": k, "results": kept.to_json()},
    )
    return Row(k, trial)


ROWS = [
    row(0, "complete", [0.5, 0.7], {"loss": "focal", "focal__g": 2.0}),
    row(1, "pruned", [0.2], reason="stopped after fold 1"),
    row(2, "invalid", [0.9], reason="ValueError in fold 2: a bug"),
    row(3, "diverged", [0.8], reason="diverged in fold 2: nan"),
    row(4, "complete", [0.6, 0.8]),
]


def table(rows: list[Row], **params: Any) -> dict[str, Any]:
    return format_results(search(**params), rows, SPACE, 2)


def test_a_row_per_candidate_has_its_scores_state_and_reason() -> None:
    found = table(ROWS)
    nan = np.nan
    expected: dict[str, list[Any]] = {
        "loss": ["focal", "dice", "dice", "dice", "dice"],
        "trial_state": ["COMPLETE", "PRUNED", "FAIL", "PRUNED", "COMPLETE"],
        "outcome": ["complete", "pruned", "invalid", "diverged", "complete"],
        "n_epochs": [6, 3, 3, 3, 6],
        "split0_test_score": [0.5, 0.2, 0.9, 0.8, 0.6],
        "split1_test_score": [0.7, nan, nan, nan, 0.8],
        "mean_test_score": [0.6, nan, nan, nan, 0.7],
        "std_test_score": [0.1, nan, nan, nan, 0.1],
        "rank_test_score": [2, 3, 3, 3, 1],
        "mean_fit_time": [1.5, 1.0, 1.0, 1.0, 1.5],
        "mean_score_time": [0.5, 0.5, 0.5, 0.5, 0.5],
    }
    for key, values in expected.items():
        if isinstance(values[0], str):
            assert found[key].tolist() == values
        else:
            np.testing.assert_allclose(found[key], values, err_msg=key)
    assert found["reason"].tolist() == [row.results.reason for row in ROWS]
    assert found["params"][0] == {"loss": "focal", "loss__g": 2.0}
    assert found["param_loss__g"].mask.tolist() == [False, True, True, True, True]


def test_the_error_score_stands_for_folds_that_failed_but_changes_no_rank() -> None:
    found = table(ROWS, error_score=1.0)
    assert found["mean_test_score"][2] == 0.95  # of 0.9 and the error score
    assert found["mean_test_score"][3] == 0.9
    assert np.isnan(found["mean_test_score"][1])
    assert found["rank_test_score"].tolist() == [2, 3, 3, 3, 1]


def test_candidates_without_any_fold_are_rows_too() -> None:
    rows = [row(0, "error", [], reason="no memory"), ROWS[0]]
    found = table(rows)
    assert np.isnan(found["mean_fit_time"][0])
    assert found["rank_test_score"].tolist() == [2, 1]
    assert table(rows[:1])["rank_test_score"].tolist() == [1]


def test_ties_share_a_rank() -> None:
    rows = [row(0, "complete", [0.5, 0.5]), ROWS[0], row(2, "complete", [0.7, 0.5])]
    assert table(rows)["rank_test_score"].tolist() == [3, 1, 1]


def test_several_metrics_have_columns_each() -> None:
    rows = [
        row(0, "complete", [{"a": 0.5, "b": 1.0}, {"a": 0.7, "b": 3.0}]),
        row(1, "error", [], reason="a bug"),
        row(2, "complete", [{"a": 0.9, "b": np.nan}, {"a": 0.7, "b": 3.0}]),
    ]
    found = table(rows, scoring=["a", "b"])
    np.testing.assert_allclose(found["mean_test_b"], [2.0, np.nan, np.nan])
    assert found["rank_test_a"].tolist() == [2, 3, 1]
    assert found["rank_test_b"].tolist() == [1, 2, 2]
    assert "mean_test_score" not in found
    failed = table(rows[1:2], scoring=["a", "b"])
    assert np.isnan(failed["split1_test_b"]).all()


def test_the_best_of_each_loss_is_complete_if_any_is() -> None:
    rows = [row(5, "pruned", [0.99], reason="stopped after fold 1"), *ROWS]
    assert best_per_loss(rows, SPACE) == {
        "dice": {"params": {"loss": "dice"}, "score": 0.7, "state": "COMPLETE"},
        "focal": {"params": {"loss": "focal", "loss__g": 2.0}, "score": 0.6, "state": "COMPLETE"},
    }


def test_the_best_of_a_loss_whose_candidates_were_stopped_is_its_last_report() -> None:
    found = best_per_loss(ROWS[:4], SPACE)
    assert found["dice"] == {"params": {"loss": "dice"}, "score": 0.2, "state": "PRUNED"}


def test_failures_are_counted_by_reason() -> None:
    rows = [*ROWS, row(6, "invalid", [], reason="ValueError in fold 2: a bug")]
    with pytest.warns(FitFailedWarning, match="2 of 6 candidates failed") as caught:
        warn_of_failures(rows)
    assert "  2 x ValueError in fold 2: a bug" in str(caught[0].message)
    warn_of_failures(ROWS[:2])  # is silent
