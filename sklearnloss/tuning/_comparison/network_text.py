"""A comparison of losses and networks as plain text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..._utils.text import plural
from .text import align, baseline_line, design
from .wording import cell, interval, probability, setting

if TYPE_CHECKING:
    from .network_results import NetworkComparison

Row = dict[str, Any]


def networks_design(comparison: NetworkComparison) -> str:
    """Describe the design of the comparison in a line."""
    first = next(iter(comparison.comparisons_.values()))
    losses, _, rest = design(first).partition(", ")
    return f"{losses} x {plural(len(comparison.networks_), 'network')}, {rest}"


def mean_table(comparison: NetworkComparison) -> list[list[str]]:
    """Return the losses' means by network, with a first row of headings."""
    table = [["", *comparison.networks_, "mean rank", "P(best for all)"]]
    ranked = {row["loss"]: row for row in comparison.ranks_}
    unranked = [label for label in comparison.labels_ if label not in ranked]
    for label in (*ranked, *unranked):
        k = comparison.labels_.index(label)
        means = [cell(float(scores[k].mean())) for scores in comparison.scores_]
        row = ranked.get(label, {"mean_rank": math.nan, "p_best_for_all": math.nan})
        rank = "-" if math.isnan(row["mean_rank"]) else f"{row['mean_rank']:.1f}"
        table.append([label, *means, rank, _chance(row["p_best_for_all"])])
    return table


def effect_table(comparison: NetworkComparison) -> list[list[str]]:
    """Return the effects, with a first row of headings."""
    table = [["", "share", "95 % interval", "typical size", "95 % interval"]]
    for row in comparison.effects_:
        size, low, high = (_root(row[key]) for key in ("variance", "low", "high"))
        table.append(
            [
                row["effect"],
                _percent(row["share"]),
                _percents(row["share_low"], row["share_high"]),
                cell(size),
                interval(low, high),
            ]
        )
    return table


def best_table(comparison: NetworkComparison) -> list[list[str]]:
    """Return each network's best loss, with a first row of headings."""
    table = [["", "best loss", comparison.about_["metric"], "P(best)", "as good", "open"]]
    for row in comparison.best_losses_:
        table.append(
            [
                row["network"],
                row["loss"] or "-",
                cell(row["mean"]),
                _chance(row["p_best"]),
                ", ".join(row["equivalent"]) or "-",
                ", ".join(row["undecided"]) or "-",
            ]
        )
    return table


def _chance(value: float) -> str:
    return probability(value).removeprefix("= ")


def _root(variance: float) -> float:
    return math.sqrt(variance) if variance >= 0 else math.nan


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{100 * share:.0f} %"


def _percents(low: float, high: float) -> str:
    return "-" if math.isnan(low) else f"[{100 * low:.0f}, {100 * high:.0f}] %"


def effects_legend(comparison: NetworkComparison) -> str:
    """Explain the table of effects."""
    return (
        f"share: of the spread of the {comparison.about_['metric']} of single fits, apart from how "
        f"hard a split is; typical size: root mean square of the effects, without the noise in "
        f"them; intervals are corrected for overlapping training sets"
    )


def means_legend(comparison: NetworkComparison) -> str:
    """Explain the table of means."""
    good = f", or as good (within {setting(comparison.rope_)})" if comparison.rope_ else ""
    return f"P(best for all): that the loss is the best one{good}, for each of the networks"


def learning_lines(comparison: NetworkComparison) -> list[str]:
    """Return sentences about the score of a constant answer."""
    first, *_ = comparison.comparisons_.values()
    line = baseline_line(first).partition(". ")[0]
    idle = [name for name, each in comparison.comparisons_.items() if each.learned_ is False]
    lines = [f"{line.rstrip('.')}."] if line else []
    return [
        *lines,
        *(f"With {name}, no loss scores higher: nothing was learned." for name in idle),
    ]


def reasons(comparison: NetworkComparison) -> list[str]:
    """Return why fits did not finish."""
    return [
        f"{name}, {row['loss']}: {reason}"
        for name, each in comparison.comparisons_.items()
        for row in each.table_
        for reason in row["reasons"]
    ]


def summarize(comparison: NetworkComparison) -> str:
    """Return the tables, the reasons for failures, and the verdict."""
    lines = [f"{networks_design(comparison)}, scored by {comparison.about_['metric']}", ""]
    lines += align(mean_table(comparison))
    lines += ["", *reasons(comparison)] if reasons(comparison) else []
    lines += ["", *learning_lines(comparison)] if learning_lines(comparison) else []
    lines += ["", "The spread of the scores", *align(effect_table(comparison))]
    lines += ["", "The best loss of each network", *align(best_table(comparison), n_left=2)]
    lines += ["", comparison.verdict_, *comparison.notes_]
    lines += ["", means_legend(comparison), effects_legend(comparison)]
    return "\n".join(lines)
