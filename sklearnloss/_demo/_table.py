"""The leaderboard, in words and numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ._evaluate import Evaluation
from ._tasks import Task

BASELINE = "cross_entropy"


def ranking(evaluation: Evaluation) -> list[str]:
    """Return the losses, the best mean score first."""
    return sorted(evaluation.scores, key=lambda name: -evaluation.scores[name].mean())


def top_group(task: Task, evaluation: Evaluation) -> list[str]:
    """Return the losses that cannot be told from the best one.

    A loss falls out of the group where the corrected resampled t-test of its
    difference to the best, fold by fold, is significant at one in ten. The
    correction (Nadeau and Bengio, "Inference for the generalization error",
    Machine Learning 52, 2003) allows for folds that share training data.
    """
    order = ranking(evaluation)
    best = evaluation.scores[order[0]]
    share = np.mean([len(test) / len(train) for train, test in task.splits])
    return [
        name for name in order if _one_sided_p(best - evaluation.scores[name], float(share)) > 0.1
    ]


def _one_sided_p(differences: NDArray[np.float64], test_share: float) -> float:
    n = len(differences)
    spread = np.sqrt((1 / n + test_share) * differences.var(ddof=1))
    if spread == 0:
        return 1.0 if differences.mean() <= 0 else 0.0
    return float(stats.t.sf(differences.mean() / spread, n - 1))


def format_leaderboard(task: Task, evaluation: Evaluation) -> str:
    """Return the leaderboard as text."""
    order, group = ranking(evaluation), top_group(task, evaluation)
    n_folds = len(task.splits)
    header = ["", "loss", task.score_name, *task.part_names, f"vs {BASELINE}", "folds won", "s/fit"]
    rows = [header]
    for name in order:
        scores = evaluation.scores[name]
        difference = scores - evaluation.scores[BASELINE]
        is_baseline = name == BASELINE
        rows.append(
            [
                "*" if name in group else "",
                name,
                f"{scores.mean():.3f} ± {scores.std(ddof=1):.3f}",
                *(f"{part:.3f}" for part in evaluation.parts[name].mean(0)),
                "-" if is_baseline else f"{difference.mean():+.3f} ± {difference.std(ddof=1):.3f}",
                "-" if is_baseline else f"{(difference > 0).sum()} of {n_folds}",
                f"{evaluation.seconds[name]:.1f}",
            ]
        )
    verdict = f"* Top group: {', '.join(group)}."
    if len(group) > 1:
        verdict += " These folds do not tell them apart."
    lines = [
        task.title,
        f"({task.data}; {n_folds} folds, the same for all; mean ± standard deviation over folds)",
        "",
        *_align(rows),
        "",
        verdict,
        task.note,
    ]
    return "\n".join(lines)


def _align(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(widths[k]) if k < 2 else cell.rjust(widths[k]) for k, cell in enumerate(row)
        ]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "-" * max(map(len, lines)))
    return lines
