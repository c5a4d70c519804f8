"""A comparison of losses and networks as HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape
from typing import TYPE_CHECKING

from .html import about, image_section, loss_table, pair_section, reasons, written
from .html_classes import class_section
from .html_examples import example_section
from .html_parts import draw_uri, figures, folded, note, page, settings_table, snippet, table
from .html_training import curve_section
from .network_plot import WIDTHS, draw_scores, draw_shares, figure_size
from .network_text import (
    best_table,
    effect_table,
    effects_legend,
    learning_lines,
    mean_table,
    means_legend,
    networks_design,
)
from .results import LossComparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .network_results import NetworkComparison


def render_report(comparison: NetworkComparison) -> str:
    """Return the whole page."""
    first = next(iter(comparison.comparisons_.values()))
    sections = [
        f"<h1>Which loss with which network? {escape(comparison.about_['metric'])} on held-out "
        f"data</h1>",
        f'<p class="headline">{escape(_sentence(comparison.verdict_))}</p>',
        note(networks_design(comparison)),
        _list(comparison.notes_, "failed"),
        _pictures(comparison),
        "<h2>Mean scores</h2>",
        _mean_table(comparison),
        note(f"{means_legend(comparison)}. {' '.join(learning_lines(comparison))}"),
        "<h2>The spread of the scores</h2>",
        _with_head(effect_table(comparison)),
        note(f"{_sentence(effects_legend(comparison))}"),
        "<h2>The best loss of each network</h2>",
        _with_head(best_table(comparison)),
        *(_network_section(name, each) for name, each in comparison.comparisons_.items()),
        folded("<h2>Settings</h2>", _settings(comparison)),
        folded("<h2>How it was computed</h2>", note(_explanation(first))),
    ]
    return page("Comparison of losses and networks", sections)


def render_snippet(comparison: NetworkComparison) -> str:
    """Return the tables and the verdict, for notebooks."""
    return snippet(
        [
            note(f"{networks_design(comparison)}, scored by {comparison.about_['metric']}"),
            _mean_table(comparison),
            _with_head(effect_table(comparison)),
            f"<p>{escape(_sentence(comparison.verdict_))}</p>",
            _list(comparison.notes_, "failed"),
        ]
    )


def _sentence(text: str) -> str:
    """Add a period."""
    return f"{text}."


def _list(texts: Iterable[str], kind: str) -> str:
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f'<ul class="{kind}">{items}</ul>' if items else ""


def _with_head(rows: list[list[str]]) -> str:
    return table(rows[0], rows[1:])


def _mean_table(comparison: NetworkComparison) -> str:
    """List the best loss on average first; mark it if one loss is best for all networks."""
    head, *rows = mean_table(comparison)
    sure = {row["loss"] for row in comparison.ranks_ if row["p_best_for_all"] >= 0.95}
    return table(head, rows, ["best" if row[0] in sure else "" for row in rows])


def _pictures(comparison: NetworkComparison) -> str:
    """Return both pictures, side by side where there is room."""
    width, height = figure_size(comparison)
    left, right = (width * each / sum(WIDTHS) for each in WIDTHS)
    drawn = (
        (draw_scores, left, "Scores of the losses over the networks"),
        (draw_shares, right, "Shares of the spread"),
    )
    pictures = [(_picture(draw, (size, height), comparison), text) for draw, size, text in drawn]
    return figures(pictures, (left, right))


def _picture(
    draw: Callable[[Axes, NetworkComparison], None],
    size: tuple[float, float],
    comparison: NetworkComparison,
) -> str | None:
    """Return one picture as a data URI, None without matplotlib."""
    return draw_uri(lambda figure: draw(figure.subplots(), comparison), size)


def _network_section(name: str, comparison: LossComparison) -> str:
    """Return the sections of a report on this network alone."""
    parts = [
        f"<h2>Losses with {escape(name)}</h2>",
        loss_table(comparison),
        reasons(comparison),
        example_section(comparison, "h3", "h4"),
        class_section(comparison, "h3", "h4"),
        curve_section(comparison, {}, "h3"),
        image_section(comparison, "h3"),
        pair_section(comparison, "h3"),
    ]
    return "".join(parts)


def _settings(comparison: NetworkComparison) -> str:
    """Return the parameters of each network with each loss."""
    given = {
        f"{name}: {loss}": written(params)
        for name, each in comparison.comparisons_.items()
        for loss, params in each.settings_.items()
    }
    first = next(iter(comparison.comparisons_.values()))
    others = about(first, networks_design(comparison))
    others.pop("network", None)
    return settings_table({**given, **others})


def _explanation(comparison: LossComparison) -> str:
    return (
        "All networks were trained with all losses on the same splits with the same seeds, and "
        "scored on images that were held out. A score is modeled as the sum of a mean, the "
        "effects of its loss and its network, their interaction (loss x network), the difficulty "
        "of the split, and a rest: chance, from initial weights, batches and images. Where loss x "
        "network is small, the losses rank alike with all networks. The variance of an effect is "
        "the mean of its squares over these losses and networks, less what noise adds to it; "
        "shares refer to the sum of all variances except that of the splits. Intervals and "
        "probabilities come from a multivariate t distribution with J - 1 degrees of freedom for J "
        "splits. Its covariance is that of the scores over the splits, times Nadeau and "
        "Bengio's factor for overlapping training sets. P(best for all) is the share of draws in "
        "which a loss is best, or as good as the best, for each network. Pairs are tested for "
        "each network separately, and p is adjusted for the pairs of that network."
    )
