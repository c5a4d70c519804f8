"""The verdict of a search: which loss is best, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from .._comparison.statistics import repeats_needed
from .leads import Lead, Noise, estimate_noise, measure_lead
from .verdict_text import explain

#: A difference is real if its adjusted p is lower; a loss is as good with 1 minus this.
ALPHA = 0.05
#: A decision looks at the results this often at most; each look has its share of ALPHA.
N_LOOKS = 3
#: The largest number of repeats of a decision.
MOST_REPEATS = 20


class Candidate(NamedTuple):
    """What a verdict needs to know of a candidate.

    Attributes
    ----------
    loss : str
        Its label.
    folds : sequence of float
        Scores of its finished folds, the first ones of the same folds; none if it failed or
        was stopped within the first one.
    gain : float
        The race's expected gain from continuing it.
    failed : bool
        Whether it has no score because training failed.
    """

    loss: str
    folds: Sequence[float]
    gain: float = 0.0
    failed: bool = False


@dataclass(frozen=True)
class SearchVerdict:
    """Which loss is best according to a search, and how sure that is.

    ``str(verdict)`` says it in words.

    Parameters
    ----------
    best : str or None
        The loss with the best candidate; None if none has a score.
    score : float
        Its mean score. As the best of many, it is optimistic.
    table : list of dict
        A row per loss. Columns: "loss"; "n_candidates"; "status"; "n_folds", on which it was
        compared with the best; "difference", the mean lead of the best loss on these, with
        "low" and "high", the ends of an interval that holds for all pairs together with
        95 %, and "p", adjusted for the choice of the best among many; "p_better",
        "p_equal" and "p_worse", the probabilities that the best loss is better by more than
        ``rope``, as good, or worse by more; "gain", the mean score that the race expected
        to gain from continuing it; "repeats", the number of repeats on fresh folds that
        would decide, None if none would; "is_fresh", whether the numbers are those of fresh
        folds, of :meth:`LossSearchCV.resume`. What is unknown is nan. The status is

        - "best";
        - "as good": within ``rope`` with a probability of at least .95;
        - "worse": the best loss is better, p < .05;
        - "undecided": trained on several folds, but neither of these;
        - "stopped early": behind the best loss on the first fold, at its end or within it,
          and not continued. That does not prove that it is worse;
        - "better": only on fresh folds: the loss turned out to be better than the best one;
        - "failed": no candidate has a score.
    rope : float
        Largest difference that does not matter.
    n_candidates : int
        Number of candidates.
    n_folds : int
        Number of folds of the best candidate.
    cost : float
        Epochs that were trained, as a share of those of training all candidates on all folds.
    n_repeats : int, default=0
        Repeats on fresh folds.
    """

    best: str | None
    score: float
    table: list[dict[str, Any]]
    rope: float
    n_candidates: int
    n_folds: int
    cost: float
    n_repeats: int = 0

    def losses(self, status: str) -> list[str]:
        """Return the labels of all losses with a status."""
        return [row["loss"] for row in self.table if row["status"] == status]

    @property
    def to_decide(self) -> list[str]:
        """The losses that ``resume(X, y, decide=True)`` compares with the best one.

        Those that are undecided; if there are none, the one that was the least behind of
        those that were stopped early.
        """
        undecided = self.losses("undecided")
        if undecided or self.losses("worse") or self.losses("as good"):
            return undecided
        return self.losses("stopped early")[:1]

    @property
    def repeats_needed(self) -> int | None:
        """Repeats on fresh folds that would decide about a loss; None if none would."""
        needed = [row["repeats"] for row in self.table if row["loss"] in self.to_decide]
        return max((each for each in needed if each is not None), default=None)

    def __str__(self) -> str:
        return explain(self)


def judge(
    candidates: Mapping[int, Candidate],
    ratio: float,
    *,
    rope: float = 0.01,
    n_folds: int | None = None,
    cost: float = math.nan,
) -> SearchVerdict:
    """Return the verdict on the candidates of a search.

    Parameters
    ----------
    candidates : dict of int to Candidate
        All candidates.
    ratio : float
        ``n_test / n_train``.
    rope : float, default=0.01
        Largest difference that does not matter.
    n_folds : int, default=None
        Folds of the search, from which the number of repeats is computed; None is the
        number of the best candidate.
    cost : float, default=nan
        Share of the epochs that were trained.

    Returns
    -------
    verdict : SearchVerdict

    Examples
    --------
    >>> from sklearnloss.tuning._race.verdict import Candidate, judge
    >>> verdict = judge({0: Candidate("dice", [0.81, 0.84, 0.79]),
    ...                  1: Candidate("bce", [0.70, 0.74, 0.68]),
    ...                  2: Candidate("focal", [0.60])}, ratio=0.5)
    >>> [(row["loss"], row["status"]) for row in verdict.table]
    [('dice', 'best'), ('bce', 'worse'), ('focal', 'stopped early')]
    """
    counts: dict[str, int] = {}
    for each in candidates.values():
        counts[each.loss] = counts.get(each.loss, 0) + 1
    known = {
        number: each
        for number, each in candidates.items()
        if len(each.folds) and all(math.isfinite(score) for score in each.folds)
    }
    if not known:
        table = [_row(label, n, _without_fold(label, candidates)) for label, n in counts.items()]
        return SearchVerdict(None, math.nan, table, rope, len(candidates), 0, cost)
    best = _best_of(known)
    noise = estimate_noise({number: each.folds for number, each in known.items()}, ratio)
    leader = known.pop(best)
    n_splits = n_folds or len(leader.folds)
    rows = []
    for label, n in counts.items():
        own = {number: each for number, each in known.items() if each.loss == label}
        if label == leader.loss:
            continue
        if not own:
            rows.append(_row(label, n, _without_fold(label, candidates)))
            continue
        other = own[_best_of(own)]
        lead = measure_lead(leader.folds, other.folds, noise, ratio, rope)
        rows.append(_judge_loss(label, n, lead, other.gain, noise))
    rows.sort(key=_rank)
    first = _row(leader.loss, counts[leader.loss], "best")
    verdict = SearchVerdict(
        leader.loss,
        math.fsum(leader.folds) / len(leader.folds),
        [{**first, "n_folds": len(leader.folds), "difference": 0.0}, *rows],
        rope,
        len(candidates),
        len(leader.folds),
        cost,
    )
    return _with_repeats(verdict, ratio, n_splits)


def _without_fold(label: str, candidates: Mapping[int, Candidate]) -> str:
    """Return the status of a loss none of whose candidates has finished a fold."""
    is_bad = [c.failed or len(c.folds) > 0 for c in candidates.values() if c.loss == label]
    return "failed" if all(is_bad) else "stopped early"


def _best_of(candidates: Mapping[int, Candidate]) -> int:
    """Return the best of the candidates with the most folds."""
    return max(
        candidates,
        key=lambda k: (
            len(candidates[k].folds),
            math.fsum(candidates[k].folds) / len(candidates[k].folds),
            -k,
        ),
    )


def _row(label: str, n_candidates: int, status: str) -> dict[str, Any]:
    unknown = ("difference", "low", "high", "p", "p_better", "p_equal", "p_worse", "gain")
    row: dict[str, Any] = {"loss": label, "n_candidates": n_candidates, "status": status}
    return (
        row
        | {"n_folds": 0}
        | dict.fromkeys(unknown, math.nan)
        | {"repeats": None, "is_fresh": False}
    )


def _judge_loss(label: str, n: int, lead: Lead, gain: float, noise: Noise) -> dict[str, Any]:
    status = "undecided"
    if lead.n_folds < 2:
        status = "stopped early"
    elif lead.p_equal >= 1 - ALPHA:
        status = "as good"
    elif lead.p < ALPHA and lead.difference > 0:
        status = "worse"
    return {
        **_row(label, n, status),
        "n_folds": lead.n_folds,
        "difference": lead.difference,
        "low": lead.low,
        "high": lead.high,
        "p": lead.p,
        "p_better": lead.p_better,
        "p_equal": lead.p_equal,
        "p_worse": lead.p_worse,
        "gain": gain,
        "_expected": (lead.shrunk, lead.sd),
    }


_ORDER = ("best", "better", "as good", "undecided", "worse", "stopped early", "failed")


def _rank(row: Mapping[str, Any]) -> tuple[int, float]:
    difference = float(row["difference"])
    return _ORDER.index(row["status"]), math.inf if math.isnan(difference) else difference


def _with_repeats(verdict: SearchVerdict, ratio: float, n_folds: int) -> SearchVerdict:
    """Add how many repeats would decide about each undecided loss."""
    n_rivals = max(1, len(verdict.to_decide))
    table = []
    for row in verdict.table:
        mean, sd = row.pop("_expected", (math.nan, math.nan))
        if row["status"] == "undecided" and math.isfinite(sd):
            row["repeats"] = repeats_needed(
                mean,
                sd,
                ratio,
                max(2, n_folds),
                0,
                level=ALPHA / N_LOOKS / n_rivals,
                rope=verdict.rope,
                certainty=1 - ALPHA / N_LOOKS / n_rivals,
                at_most=MOST_REPEATS,
            )
        table.append(row)
    return replace(verdict, table=table)
