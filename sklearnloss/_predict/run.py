"""Predicts files into a folder, or goes on with what an earlier call left."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .._utils.printable import printable, quoted
from .inputs import Input, name_outputs
from .model import Model
from .options import Options
from .predict_one import Predicted, Rows
from .record import Record, state_of
from .results import LABELS, OBJECTS, Predictions, Row, write_table
from .workers import Task, run_tasks


@dataclasses.dataclass(frozen=True)
class OpenModel:
    """A model that can be opened again in other processes.

    Attributes
    ----------
    model : Model
        The model.
    digest : str
        Tells it from others.
    reopen : callable
        Returns the pickle of a function that maps a number of threads to the model.
    """

    model: Model
    digest: str
    reopen: Callable[[], bytes]


def run(
    opened: OpenModel,
    inputs: Sequence[Input],
    output: Path | None,
    options: Options,
    *,
    n_jobs: int = 1,
    overwrite: bool = False,
    verbose: int = 0,
) -> Predictions:
    """Predict files.

    Parameters
    ----------
    opened : OpenModel
        The model.
    inputs : sequence of Input
        The files.
    output : Path or None
        The folder of the predictions; None returns them.
    options : Options
        What to write.
    n_jobs : int, default=1
        How many processes.
    overwrite : bool, default=False
        Whether to predict finished files again, and replace others.
    verbose : int, default=0
        Whether to show a progress bar.

    Returns
    -------
    predictions : Predictions
    """
    options = options.checked(opened.model)
    if n_jobs == 0 or n_jobs < -1:
        raise ValueError(f"n_jobs={n_jobs}: expected a number of processes, or -1 for all cores.")
    if output is None:
        return _Run(opened, inputs, options, n_jobs, verbose).run([])
    record = Record(output)
    made_by = {"model": opened.digest, **options.as_json()}
    with record.opened(made_by, overwrite=overwrite):
        images = [each for each in inputs if not record.wrote(each.path)]
        if not images:
            raise ValueError("There are no files to predict: all of them were written by predict.")
        runner = _Run(opened, images, options, n_jobs, verbose, record)
        outputs = runner.name_outputs(replace=overwrite)
        record.begin(made_by, runner.written(outputs))
        return runner.run(
            [{kind: output / name for kind, name in names.items()} for names in outputs]
        )


class _Run:
    """One call."""

    def __init__(
        self,
        opened: OpenModel,
        inputs: Sequence[Input],
        options: Options,
        n_jobs: int,
        verbose: int,
        record: Record | None = None,
    ) -> None:
        self.opened = opened
        self.inputs = inputs
        self.options = options
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.record = record
        self.names = {each.path: _shown(each.name.as_posix()) for each in inputs}
        self.states: dict[Path, Any] = {}
        self.errors: dict[str, str] = {}
        self.results: dict[Path, tuple[Row, list[Row]]] = {}

    def name_outputs(self, *, replace: bool) -> list[dict[str, str]]:
        """Return the names of the files to write for each input that is not finished.

        Raises
        ------
        ValueError
            If a file is in the way.
        """
        assert self.record is not None
        model = self.opened.model
        left = [each for each in self.inputs if self._is_left(each)]
        outputs: list[dict[str, str]] = [{} for _ in left]
        if model.task == "segmentation":
            endings = {
                os.path.abspath(each.path): self.options.ending(
                    each.name, model.classes, multilabel=model.multilabel
                )
                for each in left
            }
            named = name_outputs(left, endings, self.record.taken())
            outputs = [named[os.path.abspath(each.path)] for each in left]
        self._check_free(self.written(outputs), replace)
        return outputs

    def written(self, outputs: Sequence[Mapping[str, str]]) -> list[str]:
        """Return the names of all files to write."""
        return [
            *(name for names in outputs for name in names.values()),
            *([self._table] if self._table else []),
        ]

    @property
    def _table(self) -> str | None:
        """The name of the table to write, if any."""
        if self.opened.model.task == "classification":
            return LABELS
        return OBJECTS if self.options.instances else None

    def _check_free(self, outputs: Sequence[str], replace: bool) -> None:
        """Raise an error if an output is one of the inputs, or somebody's file."""
        assert self.record is not None
        sources = {os.path.realpath(each.path) for each in self.inputs}
        for name in outputs:
            path = self.record.folder / name
            if os.path.realpath(path) in sources:
                raise ValueError(
                    f"{quoted(path)} is an image to predict, and would be replaced by "
                    f"its mask. Pass another output."
                )
            if os.path.lexists(path) and not replace and name not in self.record.planned:
                raise ValueError(
                    f"{quoted(path)} exists and was not written by predict. Pass another "
                    f"output, or overwrite=True (--overwrite) to replace it."
                )

    def _is_left(self, each: Input) -> bool:
        """Return whether an input is to be predicted; take the results of finished ones."""
        assert self.record is not None
        with contextlib.suppress(OSError):  # it is named when it is read
            # Before it is read: if it changes later, it is predicted again by the next call.
            self.states[each.path] = state_of(each.path)
            entry = self.record.finished(each.path, self.states[each.path])
            if entry is not None:
                self.results[each.path] = (
                    self._row(each.path, entry["row"], entry["outputs"]),
                    entry["objects"],
                )
                return False
        return True

    def run(self, outputs: Sequence[dict[str, Path]]) -> Predictions:
        """Predict what is left."""
        n_skipped = len(self.results)
        left = [each.path for each in self.inputs if each.path not in self.results]
        names = outputs if self.record is not None else [{} for _ in left]
        tasks = [Task(path, each) for path, each in zip(left, names, strict=True)]
        try:
            self._work(tasks)
        finally:  # also after an interrupt
            self._write_tables()
        rows = [self.results[each.path] for each in self.inputs if each.path in self.results]
        return Predictions(
            (row for row, _ in rows),
            errors=self.errors,
            objects=[{"file": row["file"], **each} for row, objects in rows for each in objects],
            labels=self.opened.model.classes,
            n_skipped=n_skipped,
        )

    def _work(self, tasks: Sequence[Task]) -> None:
        with _progress_bar(len(tasks), self.verbose) as bar:
            outcomes = run_tasks(
                self.opened.model,
                self.opened.reopen,
                tasks,
                self.options,
                n_jobs=self.n_jobs,
                progress=lambda task: bar.rows(self.names[task.path]),
            )
            with contextlib.closing(outcomes):  # type: ignore[type-var]
                for task, outcome in outcomes:
                    if isinstance(outcome, Exception):
                        self.errors[str(task.path)] = _reason(task.path, outcome)
                    else:
                        self._keep(task, outcome)
                    bar.advance()

    def _keep(self, task: Task, outcome: Predicted) -> None:
        written: dict[str, str] = {}
        if self.record is not None:
            folder = self.record.folder
            written = {k: path.relative_to(folder).as_posix() for k, path in task.outputs.items()}
            entry = {
                "file": self.names[task.path],
                "state": self.states.get(task.path, []),
                "outputs": written,
                "row": outcome.row,
                "objects": outcome.objects,
            }
            self.record.add(task.path, entry)
        self.results[task.path] = self._row(task.path, outcome.row, written), outcome.objects

    def _row(self, path: Path, row: Row, written: dict[str, str]) -> Row:
        folder = Path() if self.record is None else self.record.folder
        files = {kind: str(folder / name) for kind, name in written.items()}
        return {"file": self.names[path], **row, **files}

    def _write_tables(self) -> None:
        """Write the tables of all files in the folder, also of earlier calls."""
        if self.record is None or self._table is None:
            return
        entries = sorted(self.record.entries.values(), key=lambda entry: entry["file"])
        rows: list[Row] = [{"file": entry["file"], **entry["row"]} for entry in entries]
        if self._table == OBJECTS:
            rows = [
                {"file": entry["file"], **each} for entry in entries for each in entry["objects"]
            ]
        write_table(self.record.folder / self._table, rows)


def _shown(name: str) -> str:
    """Return the name of an input for tables, in which a spreadsheet sees no formula."""
    return printable(f"./{name}" if name.startswith(("=", "+", "-", "@")) else name)


def _reason(path: Path, error: Exception) -> str:
    """Return what is wrong with a file, on one line and without its name."""
    text = " ".join(str(error).split()) or type(error).__name__
    return printable(text.replace(f"{quoted(path)} cannot be read: ", ""))


class _Bar:
    """A progress bar over files and, in large ones, over rows; it may show nothing."""

    def __init__(self, bar: Any, make: Callable[..., Any] | None) -> None:
        self._bar = bar
        self._make = make

    def advance(self) -> None:
        """Count a file."""
        if self._bar is not None:
            self._bar.update()

    def rows(self, name: str) -> Rows:
        """Return a function that shows how many rows of a large file are finished."""
        inner: list[Any] = []

        def show(done: int, of: int) -> None:
            if self._make is None:
                return
            if not inner:
                inner.append(self._make(total=of, desc=name, unit="row", leave=False))
            inner[0].update(done - inner[0].n)
            if done >= of:
                inner[0].close()

        return show


@contextlib.contextmanager
def _progress_bar(n_files: int, verbose: int) -> Iterator[_Bar]:
    make: Any = None
    if verbose:
        with contextlib.suppress(ImportError):
            from tqdm import tqdm

            make = tqdm
    if make is None or not n_files:
        yield _Bar(None, None)
        return
    with make(total=n_files, unit="file") as bar:
        yield _Bar(bar, make)
