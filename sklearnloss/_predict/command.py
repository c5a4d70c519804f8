"""The command ``sklearnloss predict``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._utils.guides import BEST_MODEL, MY_DATA
from .._utils.import_object import import_object
from .._utils.printable import print_error, print_out, printable
from .._utils.text import plural

if TYPE_CHECKING:
    from .results import Predictions

# Those of ``options.FORMATS``, which is not imported here, so that --help is quick.
_FORMATS = ("png", "tiff", "npy")

_SHOWN = 5


def add_predict(commands: Any) -> None:
    """Add the command's options to a parser."""
    parser = commands.add_parser(
        "predict",
        help="write masks, or a table of labels, for images",
        description="Predict images with a trained model, and write masks in the size of the "
        "images, or a table of labels. Images are read as those that the model was trained on. "
        "An interrupted command can be repeated: finished files are skipped.",
        epilog=f"More about kinds of files: see {MY_DATA}; about the results: see {BEST_MODEL}.",
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help="a .safetensors file, such as best_model, or an .onnx file")
    add("files", metavar="IMAGES", nargs="+", help="images, folders of images, or patterns")
    add("--output", required=True, metavar="DIR", help="folder for the predictions")
    add("--probabilities", action="store_true", help="also write the probability of each class")
    add("--overlays", action="store_true", help="also draw the outlines of regions on the images")
    add(
        "--instances",
        action="store_true",
        help="also number the objects (connected regions), and list them in objects.csv",
    )
    add("--border", type=int, metavar="LABEL", help="the label of borders that separate objects")
    add(
        "--min-size",
        type=int,
        default=0,
        metavar="PIXELS",
        help="size below which regions are no objects",
    )
    add(
        "--threshold",
        type=float,
        metavar="P",
        help="probability above which a pixel or image belongs to the second of two classes "
        "(default: the model's, or .5)",
    )
    _add_running_options(parser)


def _add_running_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how the model is run, and where."""
    add = parser.add_argument
    add("--tta", choices=["flip", "mirror"], help="average over mirrored images")
    add("--tile", type=int, metavar="PIXELS", help="side of the tiles of large images")
    add(
        "--format",
        choices=_FORMATS,
        help="kind of files to write (default: PNG for pictures, otherwise like the image)",
    )
    add("--jobs", type=int, default=1, help="processes; -1 is one per core (default: 1)")
    add("--device", help="such as cpu or cuda:1 (default: as in training)")
    add("--overwrite", action="store_true", help="replace what is in DIR")
    add(
        "--custom",
        action="append",
        default=[],
        metavar="MODULE:ATTRIBUTE",
        help="a loss or network of your own that the model needs, or an object of your class made "
        "with MODULE:CLASS(); can be repeated",
    )


def import_custom(names: Sequence[str]) -> dict[str, Any]:
    """Return a user's own losses and networks, by the names that a model's file may have for them.

    Parameters
    ----------
    names : sequence of str
        Each is ``module:attribute``; with ``()`` at its end, an object of this class is made.
    """
    found: dict[str, Any] = {}
    for name in names:
        module, _, attribute = name.partition(":")
        if not module or not attribute:
            raise ValueError(f"--custom {name!r}: expected module:attribute.")
        value = import_object(name.removesuffix("()"))
        if attribute.endswith("()"):
            value = value()
        found[getattr(value, "__name__", type(value).__name__)] = value
        found[attribute.removesuffix("()")] = value
    return found


def run_predict(options: argparse.Namespace, predict_files: Callable[..., Predictions]) -> int:
    """Run the command.

    Parameters
    ----------
    options : Namespace
        The options of :func:`add_predict`.
    predict_files : callable
        :func:`sklearnloss.predict_files`.

    Returns
    -------
    status : int
        0, or 1 if a file could not be predicted.
    """
    given = {
        key: value
        for key, value in vars(options).items()
        if key not in ("command", "model", "files", "output", "jobs", "custom")
    }
    predictions = predict_files(
        options.model,
        options.files,
        options.output,
        n_jobs=options.jobs,
        custom=import_custom(options.custom) if options.custom else None,
        verbose=1,
        **given,
    )
    if predictions:
        for line in describe(predictions, Path(options.output)):
            print_out(line)
    if predictions.errors:
        print_error(f"{plural(len(predictions.errors), 'file')} could not be predicted:")
    for path, reason in predictions.errors.items():
        print_error(f"  {printable(path)}: {reason}")
    return 1 if predictions.errors else 0


def describe(predictions: Predictions, output: Path) -> list[str]:
    """Return lines that say what was done, with the first rows of the table."""
    from .results import LABELS, OBJECTS, table

    folder = printable(str(output))
    rows, what = list(predictions), "label"
    if any("mask" in row for row in rows):
        what, rows = "mask", predictions.objects
    written = plural(len(predictions), what)
    where = folder if what == "mask" else str(Path(folder, LABELS))
    skipped = f", {predictions.n_skipped} of them by an earlier call"
    labels = predictions.labels
    of = f" of labels {', '.join(map(str, labels))}" if what == "mask" and labels else ""
    lines = [f"{written}{of} in {where}{skipped if predictions.n_skipped else ''}."]
    if predictions.objects:
        n_objects = plural(len(predictions.objects), "object")
        lines.append(f"{n_objects} in {Path(folder, OBJECTS)}.")
    if rows:
        lines += ["", *table(rows[:_SHOWN]).splitlines()]
        if len(rows) > _SHOWN:
            lines.append(f"... and {len(rows) - _SHOWN} more")
    return lines
