"""What to do after a comparison, in plain sentences: the one source for texts and reports."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..._utils.text import listed, plural
from .curves import fraction_after_half, last_epoch, loss_curve
from .wording import cell, number, setting

if TYPE_CHECKING:
    from .results import LossComparison

#: A training loss that falls by more than this share in the second half of the epochs is
#: far from its end, in spite of the falling learning rate.
STILL_FALLING = 0.25
#: A loss that is better with this probability, but not certainly, is not called as good.
PROBABLE = 0.8
_MINUTE, _HOUR = 60, 3600
_COUNTS = {3: "three", 4: "four", 5: "five", 6: "six"}


@dataclass(frozen=True)
class Options:
    """How to name the settings that advice is about.

    Parameters
    ----------
    repeats, epochs : str
        With ``{}`` for the number. No ``repeats`` means that there cannot be more of them.
    afresh : str, default=""
        What else is needed if the number of epochs changes.
    model : str, default=""
        The file of the model that was trained with the best loss.
    n_repeats : int or None, default=None
        Repeats so far; None derives them from the splits.
    """

    repeats: str = "n_repeats={}"
    epochs: str = "max_epochs={}"
    afresh: str = ""
    model: str = ""
    n_repeats: int | None = None


def advise(
    comparison: LossComparison,
    options: Options | None = None,
    score_curve: Sequence[Sequence[float]] | None = None,
) -> list[str]:
    """Return sentences that say what to do, the most important one first.

    Parameters
    ----------
    comparison : LossComparison
        The result.
    options : Options, default=None
        How settings are called; by default as in Python.
    score_curve : sequence of (epoch, score), default=None
        Score of held-out images after each epoch with the best loss, if it is known.
    """
    options = options or Options()
    if comparison.best_ is None:
        return [
            "No loss finished all its fits, so none can be recommended. The reasons are listed "
            "below the table of the losses."
        ]
    if comparison.learned_ is False:
        return _nothing_learned(comparison, options)
    first, *repeats = _choice(comparison, options)
    return [
        first,
        *_longer(comparison, options, score_curve),
        *_idle_losses(comparison),
        *repeats,
        *_failed(comparison),
    ]


def _nothing_learned(comparison: LossComparison, options: Options) -> list[str]:
    score = next(iter(comparison.baseline_.values()))
    best = comparison.table_[0]
    found = (
        f"Nothing was learned: the best loss, {best['loss']}, scores {cell(best['mean'])}, and a "
        f"constant answer, the most frequent label everywhere, {cell(score)}."
    )
    check = "If that does not help, check that images and labels match"
    if comparison.about_["metric"] == "accuracy":
        check += ", or use a score that weights the classes equally, such as balanced_accuracy"
    return [found, f"{_train_longer(comparison, options, 3)}. {check}."]


def _train_longer(comparison: LossComparison, options: Options, factor: int) -> str:
    n = last_epoch(comparison)
    if n is None:
        return f"Train longer: {options.epochs.format('...')}{options.afresh}"
    return f"Train longer: {options.epochs.format(factor * n)}{options.afresh}; so far {n}"


def _choice(comparison: LossComparison, options: Options) -> list[str]:
    """Say which losses to use, and whether more repeats would tell them apart."""
    best = str(comparison.best_)
    if len(comparison.table_) == 1:
        model = f" Its model is {options.model}." if options.model else ""
        return [f"Only {best} was compared, so there is no choice between losses.{model}"]
    groups = _sort_rivals(comparison)
    rivals = [*groups["equal"], *groups["open"]]
    parts = []
    if len(rivals) >= 2:
        parts += [
            f"Any of these {_COUNTS.get(len(rivals) + 1, len(rivals) + 1)} will do: "
            f"{listed([best, *rivals])}. None is clearly better than {best}, which has the highest "
            f"score" + (f" and is the loss of {options.model}." if options.model else ".")
        ]
    else:
        parts += [f"Use {best}: {options.model}." if options.model else f"Use {best}."]
        parts += [f"{groups['equal'][0]} is as good in practice."] if groups["equal"] else []
        parts += [f"{groups['open'][0]} may be as good."] if groups["open"] else []
    if groups["better"]:
        parts.append(f"{best} beats {listed(groups['better'])}.")
    if groups["worse"]:
        verb = "is" if len(groups["worse"]) == 1 else "are"
        parts.append(f"{listed(groups['worse'])} {verb} probably worse, but that is not certain.")
    return [" ".join(parts), *_repeats(comparison, options, groups["open"] or groups["worse"])]


def _sort_rivals(comparison: LossComparison) -> dict[str, list[str]]:
    """Return the losses that the best one beats, that are equal, open, or probably worse."""
    groups: dict[str, list[str]] = {"better": [], "equal": [], "open": [], "worse": []}
    idle = _idle(comparison)
    for pair in comparison.pairs_:
        if pair["a"] != comparison.best_ or pair["b"] in idle:
            continue
        if pair["outcome"] in ("undecided", "unknown"):
            groups["worse" if pair["p_better"] >= PROBABLE else "open"].append(pair["b"])
        elif pair["outcome"] in ("better", "equivalent"):
            groups["equal" if pair["outcome"] == "equivalent" else "better"].append(pair["b"])
    return groups


def _repeats(comparison: LossComparison, options: Options, undecided: list[str]) -> list[str]:
    """Say how many repeats would decide, or that only more images would."""
    if not undecided:
        return []
    if comparison.scores_.shape[1] < 2:
        return ["One split cannot show which loss is better: use several."]
    pairs = {pair["b"]: pair for pair in comparison.pairs_ if pair["a"] == comparison.best_}
    more = {label: pairs[label].get("more_repeats") for label in undecided}
    possible = bool(options.repeats)
    helped = {label: n for label, n in more.items() if n is not None and possible}
    hopeless = [label for label in undecided if label not in helped]
    lines = []
    if helped:
        most = max(helped.values())
        names = listed(list(helped))
        lines.append(
            f"{_more(comparison, options, most)} would probably show whether {comparison.best_} is "
            f"better than {names}{_hint(comparison, options, most)}."
        )
    if hopeless:
        names = "which loss is better" if not helped else f"more about {listed(hopeless)}"
        lines.append(f"More images would show {names}; more repeats would hardly help.")
    return lines


def _more(comparison: LossComparison, options: Options, more: int) -> str:
    n_folds = comparison.fits_.n_folds
    what = "more repeat" if n_folds > 1 or options.n_repeats is not None else "more split"
    return f"{plural(more, what)}{_duration(comparison, more)}"


def _duration(comparison: LossComparison, more: int) -> str:
    """Return how long further repeats would take, "" if it is unknown."""
    fits = comparison.fits_
    n_losses, _, n_seeds = comparison.scores_.shape
    seconds = float(np.nanmean(fits.seconds)) * more * fits.n_folds * n_losses * n_seeds
    if not math.isfinite(seconds) or seconds < _MINUTE:
        return ""
    if seconds < 2 * _HOUR:
        return f" (about {max(1, round(seconds / _MINUTE))} min of training)"
    return f" (about {seconds / _HOUR:.0f} h of training)"


def _hint(comparison: LossComparison, options: Options, more: int) -> str:
    """Return the option that asks for these repeats, "" if there is none."""
    done = options.n_repeats
    if done is None:
        n_folds = comparison.fits_.n_folds
        if n_folds == 1 or not comparison.default_cv_:
            return ""
        done = comparison.scores_.shape[1] // n_folds
    return f": {options.repeats.format(done + more)}"


def _idle_losses(comparison: LossComparison) -> list[str]:
    """Name losses that scored no higher than a constant answer."""
    idle = _idle(comparison)
    if not idle:
        return []
    score = next(iter(comparison.baseline_.values()))
    verb = "scores" if len(idle) == 1 else "score"
    return [
        f"{listed(idle)} {verb} no better than a constant answer ({cell(score)}): nothing was "
        f"learned with {'it' if len(idle) == 1 else 'them'} in so few epochs."
    ]


def _idle(comparison: LossComparison) -> list[str]:
    """Return the losses that score no higher than a constant answer."""
    score = next(iter(comparison.baseline_.values()), math.nan)
    return [row["loss"] for row in comparison.table_ if row["mean"] - score <= comparison.rope_]


def _longer(
    comparison: LossComparison, options: Options, curve: Sequence[Sequence[float]] | None
) -> list[str]:
    """Advise to train longer if the score, or else the training loss, still got better."""
    if curve is not None and len(curve) >= 3:
        gain = fraction_after_half(curve)[0]
        if gain > max(comparison.rope_, 1e-9):
            why = (
                f"With {comparison.best_}, the score still rose by {number(gain)} in the second "
                f"half of the epochs, more than the {setting(comparison.rope_)} that matters"
            )
            return [f"{why}. {_train_longer(comparison, options, 2)}."]
        return []
    losses = loss_curve(comparison, str(comparison.best_))
    if len(losses) >= 3 and fraction_after_half([(e, -v) for e, v in losses])[1] > STILL_FALLING:
        why = f"With {comparison.best_}, the training loss was still falling when training ended"
        return [f"{why}. {_train_longer(comparison, options, 2)}."]
    return []


def _failed(comparison: LossComparison) -> list[str]:
    failed = [row["loss"] for row in comparison.table_ if math.isnan(row["mean"])]
    if not failed:
        return []
    return [f"There is no verdict on {listed(failed)}: not all fits finished."]
