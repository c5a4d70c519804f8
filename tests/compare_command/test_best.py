"""What of a search is compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sklearnloss._compare_command._best import best_settings, describe_search


def results(*rows: tuple[str, str, str, int, int]) -> dict[str, Any]:
    """Return results of (loss, state, reason, rank, epochs)."""
    losses, states, reasons, ranks, epochs = zip(*rows, strict=True)
    return {
        "params": [{"loss": loss, "loss__number": k} for k, loss in enumerate(losses)],
        "loss": np.array(losses, object),
        "trial_state": list(states),
        "reason": list(reasons),
        "rank_test_score": np.array(ranks),
        "n_epochs": list(epochs),
    }


TRIED = results(
    ("dice", "COMPLETE", "", 2, 10),
    ("focal", "PRUNED", "stopped in fold 1 after epoch 2", 4, 2),
    ("dice", "COMPLETE", "", 1, 10),
    ("focal", "PRUNED", "stopped after fold 1", 4, 5),
    ("bce", "COMPLETE", "", 3, 10),
    ("hinge", "PRUNED", "diverged in fold 1: the loss is nan", 4, 9),
    ("mcc", "FAIL", "MemoryError in fold 1", 4, 0),
    ("mcc", "FAIL", "MemoryError in fold 1", 4, 0),
)


def test_each_loss_comes_with_its_best_settings_the_best_loss_first() -> None:
    chosen = best_settings(TRIED, 9)
    assert list(chosen) == ["dice", "bce", "focal"]
    assert [params["loss__number"] for params in chosen.values()] == [2, 4, 3]
    assert list(best_settings(TRIED, 2)) == ["dice", "bce"]


def test_what_became_of_candidates_is_told_once() -> None:
    assert describe_search(TRIED) == [
        "Tried 8 settings of 5 losses: 3 completed, 3 stopped early, 2 failed.",
        "  hinge: diverged in fold 1: the loss is nan",
        "  mcc: MemoryError in fold 1",
    ]


def test_a_search_in_which_all_failed_says_why() -> None:
    failed = results(*[("mcc", "FAIL", "no memory", 1, 0)] * 3)
    with pytest.raises(ValueError, match=r"All 3 candidates failed: 3 x no memory\."):
        best_settings(failed, 2)
