"""A run of the command: the search, the comparison, and the files that it writes."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning

from .._utils.printable import printable
from .._utils.text import plural
from ..tuning._comparison.run_fits import count_stored
from ..tuning._comparison.settings import read_losses
from ..tuning._comparison.splits import OnlySplits
from ._best import best_first
from ._budget import Budget, now
from ._data import ImageData, load_data
from ._digests import digest_content, digest_groups
from ._duration import spoken
from ._losses import digest_losses, find_losses, labels_to_try, replace_all
from ._model import check_folds, make_estimator, make_folds, make_other_folds, make_scoring
from ._options import Options
from ._origin import make_origin, name_classes
from ._parts import Parts, describe_cut
from ._settings import FITS, JOURNAL, Settings
from ._summary import Found, describe_found, draw
from ._table import image_rows, write_rows, write_search
from ._usage import describe_usage
from ._walk import SETTINGS
from ._watch import Watch

if TYPE_CHECKING:
    from ..tuning import LossComparison, LossSearchCV
    from ..tuning._comparison.origin import Origin

SUMMARY, MODEL = "summary.txt", "best_model.safetensors"


def run_compare(options: Options, output: Path, begun: float | None = None) -> str:
    """Find the best loss for images, or resume an earlier call.

    Parameters
    ----------
    options : Options
        The options of the command.
    output : Path
        The folder of the results, which is created if it does not exist.
    begun : float, default=None
        When the command began, by ``time.monotonic()``; None is now.

    Returns
    -------
    summary : str
        The summary of the results.

    Raises
    ------
    FileNotFoundError, ValueError, ImportError
        If something is wrong with the options or the data; raised before any training.
    """
    parts = Parts(now() if begun is None else begun)
    options.check()
    _check_output(Path(options.data), output)
    _check_data(options.data)
    settings = Settings(output, options)
    with parts.timing("reading"):
        data = _load(options, output)
    say(f"{options.data}: {data.description}.")
    check_folds(data, options.folds)
    run = _Run(options, data, output, parts)
    digests = {
        "data": digest_content(data),
        "groups": digest_groups(data),
        "own_losses": digest_losses(run.losses),
    }
    about = {"path": os.path.abspath(options.data), "images": len(data.names)}
    settings.check_data(digests, about)
    if settings.is_finished and (output / SUMMARY).is_file():
        say(f"{output} is finished. There is nothing left to do.")
        return (output / SUMMARY).read_text(encoding="utf-8")
    if settings.is_replaced:
        say(f"{output} holds a different run that finished nothing. It is replaced.")
    output.mkdir(parents=True, exist_ok=True)
    settings.begin()
    summary = run.run()
    if run.cut is None:
        settings.finish()
    return summary


def describe_data(options: Options, output: Path) -> str:
    """Return the description of the data, and why it cannot be compared yet, if so.

    Parameters
    ----------
    options, output
        As for :func:`run_compare`.
    """
    options.check()
    data = _load(options, output)
    text = f"{printable(options.data)}: {data.description}.\n"
    try:
        make_estimator(data, options)
        make_scoring(data, options)
        check_folds(data, options.folds)
    except ValueError as error:
        text += f"It cannot be compared yet: {printable(str(error))}\n"
    return text


def _load(options: Options, output: Path) -> ImageData:
    _check_data(options.data)
    return load_data(
        Path(options.data), options, task=options.task, groups=options.groups, output=output
    )


def _check_data(data: str) -> None:
    if not Path(data).exists():
        raise FileNotFoundError(f"There is no file or folder {data!r}.")


def say(text: str) -> None:
    """Print progress to stderr."""
    print(printable(text), file=sys.stderr, flush=True)


def _check_output(data: Path, output: Path) -> None:
    """Refuse an output folder that cannot hold a model, or that holds data."""
    real = os.path.realpath(output)
    if printable(real) != real:
        raise ValueError(
            f"--output {str(output)!r} is {printable(real)}, which is not a valid name for a model "
            f"file. Expected plain text in UTF-8."
        )
    if any(each.exists() and not each.is_dir() for each in (output, *output.parents)):
        raise ValueError(f"--output {str(output)!r} is a file, or is below one. Expected a folder.")
    if not data.is_dir() or not output.is_dir() or (output / SETTINGS).exists():
        return
    if output.resolve().is_relative_to(data.resolve()) and any(output.iterdir()):
        raise ValueError(
            f"--output {str(output)!r} is a folder of DATA that holds something other than "
            f"results. Expected a new folder, or one of an earlier run."
        )


class _Run:
    """One search and one comparison; each resumes where it was interrupted."""

    def __init__(self, options: Options, data: ImageData, output: Path, parts: Parts) -> None:
        self.options = options
        self.data = data
        self.output = output
        self.parts = parts
        self.cut: str | None = None  # what the budget left no time for
        self.estimator = make_estimator(data, options)
        self.scoring = make_scoring(data, options)
        self.losses = replace_all(find_losses(options.losses), self.estimator)
        self.labels = labels_to_try(self.estimator, self.losses)
        self.other_folds = make_other_folds(data, options.folds, options.repeats, options.seed)
        n_losses = len(self.labels)
        self.watch = Watch(options, Budget(options, n_losses, parts.begun), n_losses)

    def run(self) -> str:
        """Return the summary, which is also saved before the best loss is trained."""
        with self.parts.timing("search"):
            search = self._search()
        best_of_each = search.best_per_loss_
        possible = best_first(best_of_each)[: self.options.top]
        chosen, repeats = self._choose(possible, best_of_each)
        with self.parts.timing("comparison"):
            comparison = self._compare(search, chosen, repeats)
        self._note_cut(search, possible, comparison)
        found = Found(
            results=search.cv_results_,
            comparison=comparison,
            settings={label: best_of_each[label]["params"] for label in chosen},
            not_tried=search.untried_losses_,
            images=image_rows(self.data.names, comparison),
            origin=self._origin(search),
        )
        self._write_tables(found)
        self._write_summary(found, [])
        best = comparison.best_ or chosen[0]
        with self.parts.timing("final training"):
            self._train(best_of_each[best]["params"])
        usage = self._describe_model(best)
        drawn = draw(found, self.output, usage)
        return self._write_summary(found, [*usage, drawn, self.parts.describe()])

    def _origin(self, search: LossSearchCV) -> Origin:
        return make_origin(
            self.options,
            self.data,
            self.output,
            model=MODEL,
            repeatable=self._is_repeatable,
            results=search.cv_results_,
            score_curves=search.score_curves_,
        )

    @property
    def _is_repeatable(self) -> bool:
        """Whether there are as many different folds as were wanted."""
        return len(self.other_folds) == self.options.repeats

    def _search(self) -> LossSearchCV:
        from ..tuning import LossSearchCV

        options, data = self.options, self.data
        say(self._plan())
        search = LossSearchCV(
            self.estimator,
            self.losses,
            n_trials=options.trials,
            timeout=options.timeout,
            cv=make_folds(data, options.folds, options.seed),
            scoring=self.scoring,
            refit=False,
            storage=self.output / JOURNAL,
            n_jobs=options.jobs,
            random_state=options.seed,
            verbose=1,
        )
        with warnings.catch_warnings(), _translated_advice():
            # The summary lists what failed and what was not tried.
            warnings.simplefilter("ignore", FitFailedWarning)
            warnings.filterwarnings("ignore", ".*never tried", UserWarning)
            self._fit(search)
        return search

    def _fit(self, search: LossSearchCV) -> None:
        """Run the search, which the watch may end; refuse a budget that does not suffice."""
        watch, search._watch = self.watch, self.watch
        try:
            search.fit(self.data.X, self.data.y)
        except ValueError:
            if not watch.ended_search:
                raise
        if watch.ended_search and (watch.too_small or not hasattr(search, "best_index_")):
            raise ValueError(watch.too_small or watch.budget.nothing_finished())

    def _choose(
        self, labels: list[str], best_of_each: dict[str, dict[str, Any]]
    ) -> tuple[list[str], int]:
        """Return the losses to compare and the number of repeats for which there is time."""
        budget, times = self.watch.budget, self.watch.times
        if budget.end is None or times is None:
            return labels, self.options.repeats
        stored = self._count_stored(labels, best_of_each)
        share = budget.divide(times, budget.final_begin(times) - now(), labels, stored)
        return labels[: share.top], share.repeats

    def _count_stored(
        self, labels: list[str], best_of_each: dict[str, dict[str, Any]]
    ) -> dict[str, int]:
        """Return the number of fits of the comparison that earlier calls did, by loss."""
        settings = {label: best_of_each[label]["params"] for label in labels}
        return count_stored(self.output / FITS, read_losses(self.estimator, settings))

    def _note_cut(
        self, search: LossSearchCV, possible: list[str], comparison: LossComparison
    ) -> None:
        n_settings = len(search.cv_results_["params"])
        n_splits = len(self._splits()) * self._n_seeds()
        self.cut = describe_cut(
            self.options, self.watch, n_settings, possible, comparison, n_splits
        )
        if self.cut is not None:
            comparison.about_["time"] = self.cut

    def _plan(self) -> str:
        options = self.options
        n_losses = min(options.top, len(self.labels))
        limit = "" if options.timeout is None else f", for at most {options.timeout:g} s"
        also = "" if options.timeout is None else ", which --timeout does not limit"
        if options.budget is not None:
            also = f"{also}. --budget ends all of it after {spoken(options.budget)}"
        best = "the best loss" if n_losses == 1 else f"each of the best {n_losses} losses"
        n_settings = plural(options.trials, "setting")
        n_fits = plural(len(self._splits()) * self._n_seeds(), "fit")
        return (
            f"Searching: {n_settings} on {options.folds} folds{limit}. Then the comparison takes "
            f"{n_fits} of {best}, and the winner is trained on all images{also}."
        )

    def _n_seeds(self, repeats: int | None = None) -> int:
        # If there are no other folds, seeds are repeated instead.
        return 1 if self.other_folds else repeats or self.options.repeats

    def _splits(self, repeats: int | None = None) -> list[Any]:
        options = self.options
        folds = self.other_folds or [make_folds(self.data, options.folds, options.seed + 1)]
        return [split for each in folds[:repeats] for split in each]

    def _compare(self, search: LossSearchCV, labels: list[str], repeats: int) -> LossComparison:
        splits, watch = self._splits(repeats), self.watch
        n_fits = len(splits) * self._n_seeds(repeats)
        stored = self._count_stored(labels, search.best_per_loss_)
        rest = watch.rest(sum(max(0, n_fits - stored.get(label, 0)) for label in labels))
        n_losses = plural(len(labels), "loss", "losses")
        say(f"Comparing {n_losses}: {plural(n_fits, 'fit')} each{rest}.")
        with _translated_advice(), warnings.catch_warnings():
            # The summary says what the budget left no time for.
            warnings.filterwarnings("ignore", "The timeout ended the comparison", UserWarning)
            comparison = search.compare(
                self.data.X,
                self.data.y,
                losses=labels,
                cv=splits if self._is_repeatable else OnlySplits(splits),
                n_seeds=self._n_seeds(repeats),
                timeout=watch.compare_timeout(labels),
                storage=self.output / FITS,
                n_jobs=self.options.jobs,
                random_state=self.options.seed + 1,
                verbose=1,
            )
        if self.data.in_files:
            comparison.image_names_ = self.data.names
        name_classes(comparison, self.data.description)
        return comparison

    def _write_tables(self, found: Found) -> None:
        write_search(self.output / "table.csv", found.results)
        baseline = next(iter(found.comparison.baseline_.values()), None)
        rows = [{**row, "baseline": baseline} for row in found.comparison.table_]
        write_rows(self.output / "losses.csv", rows)
        if found.images:
            write_rows(self.output / "images.csv", found.images)

    def _train(self, params: dict[str, Any]) -> None:
        say("Training the best loss on all images.")
        model = clone(self.estimator).set_params(**params)
        model.fit(self.data.X, self.data.y)
        model.data_description_ = self.data.description.without_names()
        model.save(self.output / MODEL)

    def _write_summary(self, found: Found, more: list[str]) -> str:
        """Write the summary, with further lines about the model."""
        others = "folds and seeds" if self.other_folds else "seeds"
        lines = describe_found(found, self.data, self.options.data, others)
        text = "\n".join([*lines, *([self.cut] if self.cut else []), *more]) + "\n"
        (self.output / SUMMARY).write_text(text, encoding="utf-8", errors="backslashreplace")
        return text

    def _describe_model(self, best: str) -> list[str]:
        return [
            f"{MODEL} was trained on all images, with {best}.",
            *describe_usage(self.data, self.output / MODEL, best),
        ]


@contextmanager
def _translated_advice() -> Iterator[None]:
    """Replace advice about ``storage=`` in errors by advice about ``--output``."""
    try:
        yield
    except ValueError as error:
        told = re.sub(_STORAGE_ADVICE, "Pass another --output.", str(error))
        raise ValueError(told) from error


_STORAGE_ADVICE = r"Pass [^.]*(another storage|path of a new file)[^.]*\."
