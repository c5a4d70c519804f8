"""The summary of a run, as text and pictures."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._utils.printable import printable
from ..tuning._comparison.wording import cell
from ._best import describe_search, describe_settings
from ._data import ImageData
from ._file_names import first_few

if TYPE_CHECKING:
    from ..tuning import LossComparison

TABLES = "table.csv (all settings), losses.csv, images.csv (the worst first)"


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
    """

    results: dict[str, Any]
    comparison: LossComparison
    settings: dict[str, dict[str, Any]]
    not_tried: list[str]
    images: list[dict[str, Any]]

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
        f"{printable(name)}: {data.description}.",
        *describe_search(found.results),
        *([f"Not tried: {', '.join(not_tried)}."] if not_tried else []),
        f"The best settings of each loss, compared below with other {others}:",
        *describe_settings(found.settings),
        *([f"Not compared: {', '.join(not_compared)}."] if not_compared else []),
        "",
        found.comparison.summary().replace("(max_epochs)", "(--epochs)"),
        *_describe_baseline(found, data),
        *_describe_worst(found),
        "",
    ]


def _describe_baseline(found: Found, data: ImageData) -> list[str]:
    if found.comparison.learned_ is not False:
        return []
    answer = "the most frequent label"
    if data.task == "classification":
        answer = f"'{Counter(data.y.tolist()).most_common(1)[0][0]}'"
    return ["", f"No loss beats always answering {answer}: train longer (--epochs)."]


def _describe_worst(found: Found) -> list[str]:
    named = [
        f"{row['image']} ({cell(row['mean'])})" for row in found.images if np.isfinite(row["mean"])
    ]
    return ["", f"Worst predicted images: {first_few(named)}."] if named else []


def draw(found: Found, output: Path) -> str:
    """Write the report and the picture; return a line that lists the files.

    Parameters
    ----------
    found : Found
        The results. The losses that are not compared are added to ``about_``.
    output : Path
        The folder.
    """
    try:
        import matplotlib as mpl
    except ImportError:
        return f"Written: {TABLES}. A picture and a report need: pip install 'sklearnloss[plot]'"
    mpl.use("agg")
    comparison = found.comparison
    comparison.about_.update(_further(found))
    comparison.to_html(output / "report.html")
    from matplotlib import pyplot as plt

    figure = comparison.plot()[0].figure
    figure.savefig(output / "comparison.png", dpi=150)  # type: ignore[union-attr]
    plt.close(figure)  # type: ignore[arg-type]
    return f"Written: {TABLES}, comparison.png, report.html."


def _further(found: Found) -> dict[str, str]:
    about = {"not tried": ", ".join(found.not_tried), "not compared": ", ".join(found.not_compared)}
    return {name: text for name, text in about.items() if text}
