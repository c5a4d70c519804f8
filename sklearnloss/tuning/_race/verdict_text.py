"""The verdict of a search in plain sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..._utils.text import listed, plural
from .._comparison.wording import interval, number, probability, setting

if TYPE_CHECKING:
    from .verdict import SearchVerdict

Row = dict[str, Any]


def explain(verdict: SearchVerdict) -> str:
    """Return a verdict in words."""
    if verdict.best is None:
        return "None of the candidates has a score, so nothing can be said about the losses."
    parts = [_best(verdict)]
    if len(verdict.table) > 1:
        parts += [_worse(verdict), _equal(verdict), _undecided(verdict), _stopped(verdict)]
    failed = verdict.losses("failed")
    if failed:
        parts.append(f"Every candidate of {listed(failed)} failed.")
    parts += [_cost(verdict), _decision(verdict) if verdict.n_repeats else _advice(verdict)]
    return " ".join(part for part in parts if part)


def _best(verdict: SearchVerdict) -> str:
    n_losses = sum(row["status"] != "failed" for row in verdict.table)
    first = verdict.table[0]
    settings = first["n_candidates"]
    tried = f", the best of {plural(settings, 'setting')} tried with it" if settings > 1 else ""
    score = f"{number(verdict.score)} in {plural(verdict.n_folds, 'fold')}"
    if n_losses == 1:
        candidates = plural(verdict.n_candidates, "candidate")
        return (
            f"{verdict.best} scores {score}{tried}: only {candidates} and no other loss, so there "
            f"is nothing to compare."
        )
    return f"{verdict.best} is the best of {n_losses} losses so far: {score}{tried}."


def _rows(verdict: SearchVerdict, status: str, is_fresh: bool = False) -> list[Row]:
    """Return the losses with a status, on the folds of the search or on fresh ones."""
    return [row for row in verdict.table if row["status"] == status and row["is_fresh"] == is_fresh]


def _worse(verdict: SearchVerdict) -> str:
    rows = _rows(verdict, "worse")
    if not rows:
        return ""
    names = [f"{row['loss']} (by {number(row['difference'])} {_range(row)})" for row in rows]
    return f"It is better than {listed(names)}, adjusted for the choice of the best."


def _range(row: Row) -> str:
    return interval(row["low"], row["high"])


def _equal(verdict: SearchVerdict) -> str:
    rows = _rows(verdict, "as good")
    if not rows:
        return ""
    names = [f"{row['loss']} (P {probability(row['p_equal'])})" for row in rows]
    verb = "is" if len(rows) == 1 else "are"
    return f"{listed(names)} {verb} as good within ±{setting(verdict.rope)}."


def _undecided(verdict: SearchVerdict) -> str:
    rows = _rows(verdict, "undecided")
    if not rows:
        return ""
    known = [row for row in rows if not math.isnan(row["p_better"])]
    if not known:
        names = [f"{row['loss']} ({_behind(row)})" for row in rows]
        return f"Undecided: {listed(names)}; so few folds do not tell how much a difference varies."
    names = [
        f"{row['loss']} ({_behind(row)} in {plural(row['n_folds'], 'fold')}"
        + ("" if math.isnan(row["p_better"]) else f", P(worse) {probability(row['p_better'])}")
        + ")"
        for row in rows
    ]
    return f"Undecided: {listed(names)}."


def _behind(row: Row) -> str:
    """Say how far a loss is behind; on the folds that both finished it may be ahead."""
    difference = row["difference"]
    if abs(difference) < 1e-6:
        return "the same score"
    return f"{'behind' if difference > 0 else 'ahead'} by {number(abs(difference))}"


def _stopped(verdict: SearchVerdict) -> str:
    rows = _rows(verdict, "stopped early")
    if not rows:
        return ""
    if verdict.n_folds == 1:
        names = _shortened([row["loss"] for row in rows])
        return f"{names} scored lower, but one fold tells nothing about the spread."
    names = _shortened([f"{row['loss']} ({_stop(row)})" for row in rows])
    who, what = ("it", "was") if len(rows) == 1 else ("them", "were")
    return f"Stopped on the first fold, which does not prove {who} worse, {what} {names}."


def _stop(row: Row) -> str:
    """Say how far a loss was behind when it was stopped, and what was expected of it."""
    gain = row["gain"]
    if not row["n_folds"]:
        return "within it"
    expected = f", expected gain {number(gain)}" if 0 < gain < math.inf else ""
    return f"{_behind(row)}{expected}"


def _shortened(names: Sequence[str]) -> str:
    """List the first few of many names."""
    if len(names) <= 6:
        return listed(names)
    return f"{', '.join(names[:5])} and {len(names) - 5} more"


def _cost(verdict: SearchVerdict) -> str:
    if math.isnan(verdict.cost):
        return ""
    share = f"{verdict.cost:.0%}".replace("%", " %")
    return f"{share} of the epochs of training everything were trained."


def _advice(verdict: SearchVerdict) -> str:
    """Say how to decide between the losses that are left."""
    rivals = verdict.to_decide
    if not rivals or len(verdict.table) == 1:
        return ""
    call = "search.resume(X, y, decide=True)"
    names = listed([str(verdict.best), *rivals])
    needed = {row["loss"]: row["repeats"] for row in verdict.table if row["loss"] in rivals}
    if all(math.isnan(row["p_better"]) for row in verdict.table if row["loss"] in rivals):
        return f"To decide between {names} on fresh folds: {call}."
    helped = [label for label, repeats in needed.items() if repeats is not None]
    if not helped:
        return (
            f"No feasible number of repeats would probably decide between {names}: take any of "
            f"them, or get more images. To try all the same: {call}."
        )
    hopeless = [label for label in rivals if label not in helped]
    more = plural(verdict.repeats_needed or 1, "repeat")
    rest = f" More images would be needed to decide about {listed(hopeless)}." if hopeless else ""
    return (
        f"About {more} of {listed([str(verdict.best), *helped])} on fresh folds would decide "
        f"between them: {call}.{rest}"
    )


def _decision(verdict: SearchVerdict) -> str:
    """Say what fresh folds showed."""
    best, parts = verdict.best, []
    for row in _rows(verdict, "worse", True):
        parts.append(f"{best} is better than {row['loss']} by {_size(row)}")
    for row in _rows(verdict, "better", True):
        size = f"{number(-row['difference'])} {interval(-row['high'], -row['low'])}"
        parts.append(
            f"{row['loss']} is better than {best} by {size} "
            f"(its settings: search.best_per_loss_[{row['loss']!r}])"
        )
    for row in _rows(verdict, "as good", True):
        certain = f"P {probability(row['p_equal'])}"
        parts.append(
            f"{row['loss']} is as good as {best} within ±{setting(verdict.rope)} ({certain})"
        )
    for row in _rows(verdict, "undecided", True):
        parts.append(f"{best} and {row['loss']} are still undecided: {_size(row)}")
    return f"On fresh folds, {plural(verdict.n_repeats, 'repeat')}: {'; '.join(parts)}."


def _size(row: Row) -> str:
    return f"{number(row['difference'])} {_range(row)}"
