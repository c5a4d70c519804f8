"""The summary of a run, as text and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._utils.printable import printable
from ..tuning._comparison.as_json import render_json
from ..tuning._comparison.html import render_report
from ..tuning._comparison.origin import Origin
from ..tuning._comparison.text import advise_in, describe_scores
from ..tuning._comparison.wording import cell
from ._best import describe_search, describe_settings
from ._data import ImageData
from ._usage import find_command

if TYPE_CHECKING:
    from ..tuning import LossComparison

_N_WORST = 5
TABLES = "table.csv (all settings), losses.csv, images.csv (the worst first)"
DATA = "report.json (the same for programs)"


@dataclass(frozen=True)
class Found:
    """The results of a run.

    Attributes
    ----------
    results : dict of str to array
        The search's ``cv_results_``.
    comparison : LossComparison
        The comparison of the best losses.
    settings : dict of str to dict
        Settings of the losses that are compared.
    not_tried : list of str
        Losses that were not tried for lack of time or trials.
    images : list of dict
        A row per image, the worst first.
    origin : Origin
        What the report says of the run.
    """

    results: dict[str, Any]
    comparison: LossComparison
    settings: dict[str, dict[str, Any]]
    not_tried: list[str]
    images: list[dict[str, Any]]
    origin: Origin

    @property
    def not_compared(self) -> list[str]:
        """Losses that were tried, but were not among the best."""
        return sorted(set(map(str, self.results["loss"])) - set(self.settings))


def describe_found(found: Found, data: ImageData, name: str, others: str) -> list[str]:
    """Return the lines of the summary, except for those about the model.

    Parameters
    ----------
    found : Found
        The results.
    data : ImageData
        The data.
    name : str
        The user's name for the data.
    others : str
        What differs between search and comparison: "folds and seeds", or "seeds".
    """
    not_tried, not_compared = found.not_tried, found.not_compared
    return [
        *advise_in(found.comparison, found.origin),
        "",
        f"{printable(name)}: {data.description}.",
        *describe_search(found.results),
        *([f"Not tried: {', '.join(not_tried)}."] if not_tried else []),
        f"The best settings of each loss, compared below with other {others}:",
        *describe_settings(found.settings),
        *([f"Not compared: {', '.join(not_compared)}."] if not_compared else []),
        "",
        describe_scores(found.comparison),
        *_describe_worst(found),
        "",
    ]


def _describe_worst(found: Found) -> list[str]:
    named = [
        f"{row['image']} ({cell(row['mean'])})" for row in found.images if np.isfinite(row["mean"])
    ]
    worst = ", ".join(map(printable, named[:_N_WORST]))
    return ["", f"Worst predicted images: {worst}."] if named else []


def draw(found: Found, output: Path, usage: Sequence[str]) -> str:
    """Write the report, its data and the picture; return a line that lists the files.

    Parameters
    ----------
    found : Found
        The results.
    output : Path
        The folder.
    usage : list of str
        Lines that say how to use the model.
    """
    comparison = found.comparison
    origin = replace(
        found.origin,
        not_tried=found.not_tried,
        not_compared=found.not_compared,
        usage=usage,
        predict=find_command(usage),
    )
    try:
        import matplotlib as mpl
    except ImportError:
        _write_reports(comparison, origin, output)
        needed = "Pictures need: pip install 'sklearnloss[plot]'"
        return f"Written: {TABLES}, report.html without pictures, {DATA}. {needed}"
    mpl.use("agg")
    _write_reports(comparison, origin, output)
    from matplotlib import pyplot as plt

    figure = comparison.plot()[0].figure
    figure.savefig(output / "comparison.png", dpi=150)  # type: ignore[union-attr]
    plt.close(figure)  # type: ignore[arg-type]
    return f"Written: {TABLES}, comparison.png, report.html, {DATA}."


def _write_reports(comparison: LossComparison, origin: Origin, output: Path) -> None:
    """Write the report for readers, and the same for programs."""
    (output / "report.html").write_text(render_report(comparison, origin), encoding="utf-8")
    (output / "report.json").write_text(render_json(comparison, origin), encoding="utf-8")
