"""What the report says of the run: the command, the data, what was tried, and the options."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._utils.printable import printable
from ..tuning._comparison.advice import Options as Wording
from ..tuning._comparison.origin import Origin
from ..tuning._comparison.wording import cell
from ._best import describe_own
from ._data import ImageData
from ._description import DataDescription
from ._options import Options

if TYPE_CHECKING:
    from ..tuning import LossComparison


def make_origin(
    options: Options,
    data: ImageData,
    output: Path,
    *,
    model: str,
    repeatable: bool,
    results: Mapping[str, Any],
    **more: Any,
) -> Origin:
    """Return what the report says of a run.

    Parameters
    ----------
    options : Options
        The options of the command.
    data : ImageData
        The data.
    output : Path
        The folder of the results.
    model : str
        The name of the file with the best model.
    repeatable : bool
        Whether a higher ``--repeats`` would use further folds.
    results : dict of str to array
        The search's ``cv_results_``.
    **more : object
        Further attributes of the result.
    """
    wording = Wording(
        repeats="--repeats {}" if repeatable else "",
        epochs="--epochs {}",
        afresh=" and another --output",
        model=model,
        n_repeats=options.repeats,
    )
    return Origin(
        options=wording,
        data=printable(options.data),
        description=f"{data.description}.",
        command=command_line(options, output),
        candidates=candidate_rows(results),
        **more,
    )


def name_classes(comparison: LossComparison, description: DataDescription) -> None:
    """Call classes by their names in reports, as "object" instead of "1", where they have one.

    Parameters
    ----------
    comparison : LossComparison
        Its ``class_names_`` and ``examples_`` are changed.
    description : DataDescription
        The labels and their names.
    """
    names = {str(each["label"]): each["name"] or str(each["label"]) for each in description.labels}
    if len(set(names.values())) < len(names):
        return
    comparison.class_names_ = [names.get(name, name) for name in comparison.class_names_]
    comparison.examples_ = [
        {**row, "names": [names.get(name, name) for name in row["names"]]}
        for row in comparison.examples_
    ]


def command_line(options: Options, output: Path) -> str:
    """Return the command with all options that differ from their defaults.

    Examples
    --------
    >>> from pathlib import Path
    >>> from sklearnloss._compare_command._options import Options
    >>> from sklearnloss._compare_command._origin import command_line
    >>> command_line(Options(data="my cells", losses=("dice", "bce"), epochs=5), Path("out"))
    "sklearnloss compare 'my cells' --losses dice,bce --epochs 5 --output out"
    """
    words = ["sklearnloss", "compare", options.data]
    for field in fields(options):
        value = getattr(options, field.name)
        if field.default is MISSING or value == field.default or value is False:
            continue
        words.append(f"--{field.name.replace('_', '-')}")
        if value is not True:
            several = isinstance(value, (list, tuple))
            words.append(",".join(map(str, value)) if several else str(value))
    return printable(shlex.join([*words, "--output", str(output)]))


def candidate_rows(results: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return a search's candidates as texts, the best first."""
    ranks = next((values for name, values in results.items() if name.startswith("rank_")), None)
    n = len(results["params"])
    order = sorted(range(n), key=lambda k: n if ranks is None else ranks[k])
    means = next((v for name, v in results.items() if name.startswith("mean_test_")), None)
    rows = []
    for k in order:
        outcome, reason = str(results["outcome"][k]), str(results["reason"][k])
        complete = outcome == "complete"
        score = means if complete and means is not None else results.get("last_report")
        rows.append(
            {
                "loss": str(results["loss"][k]),
                "settings": describe_own(results["params"][k]),
                "score": "-" if score is None else cell(float(score[k])),
                "epochs": str(results["n_epochs"][k]),
                "outcome": "completed" if complete else _ended(outcome, reason),
            }
        )
    return rows


def _ended(outcome: str, reason: str) -> str:
    return reason if outcome in ("pruned", "diverged") else f"failed: {reason}"
