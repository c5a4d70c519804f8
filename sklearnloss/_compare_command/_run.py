"""Search, compare, and write down what was found."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning

from ._best import best_first, describe_search, describe_settings
from ._data import ImageData, load_data
from ._model import check_folds, make_estimator, make_folds, make_scoring
from ._options import Options, Settings
from ._table import write_images, write_rows, write_search

if TYPE_CHECKING:
    from ..tuning import LossComparison, LossSearchCV

SUMMARY = "summary.txt"


def run_compare(options: Options, output: Path) -> str:
    """Find out which loss is best for images, or go on with it.

    Parameters
    ----------
    options : Options
        What to do.
    output : Path
        The folder of the results, made if it is not there.

    Returns
    -------
    summary : str
        What was found.

    Raises
    ------
    FileNotFoundError, ValueError, ImportError
        If something is wrong with the options or the data; nothing is trained then.
    """
    options.check()
    if not Path(options.data).exists():
        raise FileNotFoundError(f"There is no file or folder {options.data!r}.")
    settings = Settings(output / "settings.json", options)
    if settings.is_finished and (output / SUMMARY).is_file():
        say(f"{output} is finished. Nothing is left to do.")
        return (output / SUMMARY).read_text(encoding="utf-8")
    data = load_data(
        Path(options.data),
        task=options.task,
        groups=options.groups,
        resize=options.resize,
        channels=options.channels,
    )
    say(f"{options.data}: {data.description}.")
    check_folds(data, options.folds)
    run = _Run(options, data, output)
    output.mkdir(parents=True, exist_ok=True)
    settings.begin()
    summary = run.run()
    settings.finish()
    return summary


def say(text: str) -> None:
    """Print to stderr how far it is."""
    print(text, file=sys.stderr, flush=True)


class _Run:
    """One search and one comparison; each goes on where it was interrupted."""

    def __init__(self, options: Options, data: ImageData, output: Path) -> None:
        self.options = options
        self.data = data
        self.output = output
        self.estimator = make_estimator(data, options)
        self.scoring = make_scoring(data, options)
        n_groups = 0 if data.groups is None else len(set(data.groups.tolist()))
        # As many groups as folds can be held out in one way only: then seeds are repeated.
        self.one_way = n_groups == options.folds

    def run(self) -> str:
        search = self._search()
        found = search.best_per_loss_
        labels = best_first(found)[: self.options.top]
        comparison = self._compare(search, labels)
        best = comparison.best_ or labels[0]
        self._train(found[best]["params"])
        left_out = sorted(set(map(str, search.cv_results_["loss"])) - set(labels))
        lines = [
            f"{self.options.data}: {self.data.description}.",
            *describe_search(search.cv_results_),
            f"The best settings of each loss, compared below with other {self._others()}:",
            *describe_settings({label: found[label]["params"] for label in labels}),
            *([f"Not compared: {', '.join(left_out)}."] if left_out else []),
            "",
            comparison.summary(),
            "",
            f"best_model.safetensors was trained on all images, with {best}.",
            self._draw(comparison),
        ]
        text = "\n".join(lines) + "\n"
        (self.output / SUMMARY).write_text(text, encoding="utf-8")
        return text

    def _search(self) -> LossSearchCV:
        from ..tuning import LossSearchCV

        options, data = self.options, self.data
        say(f"Searching: {options.trials} settings in {options.folds} folds.")
        search = LossSearchCV(
            self.estimator,
            None if options.losses is None else list(options.losses),
            n_trials=options.trials,
            timeout=options.timeout,
            cv=make_folds(data, options.folds, options.seed),
            scoring=self.scoring,
            refit=False,
            storage=self.output / "search.journal",
            n_jobs=options.jobs,
            random_state=options.seed,
            verbose=1,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FitFailedWarning)  # the summary tells what failed
            search.fit(data.X, data.y)
        write_search(self.output / "table.csv", search.cv_results_)
        return search

    def _compare(self, search: LossSearchCV, labels: list[str]) -> LossComparison:
        options, data = self.options, self.data
        n_repeats, n_seeds = (1, options.repeats) if self.one_way else (options.repeats, 1)
        splits = [
            split
            for repeat in range(n_repeats)
            for split in make_folds(data, options.folds, options.seed + 1 + repeat)
        ]
        say(f"Comparing {len(labels)} losses: {len(splits) * n_seeds} fits each.")
        comparison = search.compare(
            data.X,
            data.y,
            losses=labels,
            cv=splits,
            n_seeds=n_seeds,
            storage=self.output / "comparison.jsonl",
            n_jobs=options.jobs,
            random_state=options.seed + 1,
            verbose=1,
        )
        write_rows(self.output / "losses.csv", comparison.table_)
        write_images(self.output / "images.csv", data.names, comparison)
        return comparison

    def _others(self) -> str:
        return "seeds" if self.one_way else "folds and seeds"

    def _train(self, params: dict[str, Any]) -> None:
        say("Training the best on all images.")
        model = clone(self.estimator).set_params(**params)
        model.fit(self.data.X, self.data.y).save(self.output / "best_model.safetensors")

    def _draw(self, comparison: LossComparison) -> str:
        """Write report and picture; return which there are."""
        files = "table.csv (all settings), losses.csv, images.csv (the worst first)"
        try:
            import matplotlib as mpl
        except ImportError:
            return f"Written: {files}. A picture and a report need: pip install 'sklearnloss[plot]'"
        mpl.use("agg")
        comparison.to_html(self.output / "report.html")
        figure = comparison.plot()[0].figure
        figure.savefig(self.output / "comparison.png", dpi=150)  # type: ignore[union-attr]
        return f"Written: {files}, comparison.png, report.html."
