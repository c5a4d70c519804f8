"""What of a search is compared."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearnloss._compare_command._best import best_first, describe_search
from sklearnloss.tuning._evaluation.outcome import Outcome


def results(*rows: tuple[str, str, str, int, int]) -> dict[str, Any]:
    """Return results of (loss, outcome, reason, rank, epochs)."""
    losses, outcomes, reasons, ranks, epochs = zip(*rows, strict=True)
    return {
        "params": [{"loss": loss, "loss__number": k} for k, loss in enumerate(losses)],
        "loss": np.array(losses, object),
        "trial_state": [Outcome(outcome).state.name for outcome in outcomes],
        "outcome": list(outcomes),
        "reason": list(reasons),
        "rank_test_score": np.array(ranks),
        "n_epochs": list(epochs),
    }


TRIED = results(
    ("dice", "complete", "", 2, 10),
    ("focal", "pruned", "stopped in fold 1 after epoch 2", 4, 2),
    ("dice", "complete", "", 1, 10),
    ("focal", "pruned", "stopped after fold 1", 4, 5),
    ("bce", "complete", "", 3, 10),
    ("hinge", "diverged", "diverged in fold 1: the loss is nan", 4, 9),
    ("mcc", "error", "MemoryError in fold 1", 4, 0),
    ("mcc", "error", "MemoryError in fold 1", 4, 0),
)


def test_losses_that_were_stopped_early_come_last() -> None:
    found = {
        "dice": {"state": "COMPLETE", "score": 0.5},
        "focal": {"state": "PRUNED", "score": 0.9},
        "bce": {"state": "COMPLETE", "score": 0.7},
        "mcc": {"state": "PRUNED", "score": 0.95},
    }
    assert best_first(found) == ["bce", "dice", "mcc", "focal"]


def test_what_became_of_candidates_is_told_once() -> None:
    assert describe_search(TRIED) == [
        "Tried 8 settings of 5 losses: 3 completed, 3 stopped early, 2 failed.",
        "  hinge: diverged in fold 1: the loss is nan",
        "  mcc: MemoryError in fold 1",
    ]


def test_one_is_no_plural() -> None:
    assert describe_search(results(("dice", "complete", "", 1, 1))) == [
        "Tried 1 setting of 1 loss: 1 completed."
    ]
