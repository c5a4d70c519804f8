"""The command ``sklearnloss``."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ._utils.import_object import add_current_folder, import_object
from ._utils.printable import printable
from ._version import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, default=None
        Arguments after the command's name; None takes them from ``sys.argv``.

    Returns
    -------
    status : int
        0 if all went well, 1 if a loss broke a law, 2 if the input is invalid, 130 if the
        command was interrupted.
    """
    options = _parser().parse_args(arguments)
    command = options.command
    try:
        return _RUN[command](options)
    except (ValueError, OSError, ImportError) as error:
        told, _, _ = str(error).partition("Traceback")
        _tell(f"sklearnloss {command}: {' '.join(told.split()) or type(error).__name__}")
        return 2
    except KeyboardInterrupt:
        _tell(f"\nInterrupted.{_AFTER_INTERRUPT.get(command, '')}")
        return 130


_AFTER_INTERRUPT = {
    "compare": " Finished work is saved: run the same command to resume.",
    "worker": " Another worker resumes its last fold.",
}


def _compare(options: argparse.Namespace) -> int:
    from ._compare_command import Options, describe_data, run_compare

    given = vars(options)
    del given["command"]
    output, only_describe = Path(given.pop("output")), given.pop("describe")
    _print((describe_data if only_describe else run_compare)(Options(**given), output))
    return 0


def _worker(options: argparse.Namespace) -> int:
    storage = options.storage or os.environ.get("SKLEARNLOSS_STORAGE")
    with contextlib.suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # how schedulers end a job
    if not storage:
        raise ValueError(
            "Where is the search? Pass --storage, or set SKLEARNLOSS_STORAGE, to the storage of "
            "LossSearchCV."
        )
    if not options.wait >= 0:
        raise ValueError(f"--wait {options.wait:g}: expected seconds, 0 or more.")
    add_current_folder()  # where classes of the user may be defined
    from .tuning import join_search

    join_search(storage, options.study, job=options.job, patience=options.wait)
    return 0


def _check_loss(options: argparse.Namespace) -> int:
    from .losses import check_loss

    loss = import_object(options.loss) if ":" in options.loss else options.loss
    try:
        return 0 if check_loss(loss, options.task).passed else 1
    except TypeError as error:  # it is not a loss
        raise ValueError(str(error)) from error


def _demo(options: argparse.Namespace) -> int:
    from ._demo import run_demo

    run_demo(
        options.output,
        n_jobs=options.jobs,
        random_state=options.seed,
        epochs=options.epochs,
    )
    return 0


def _versions(options: argparse.Namespace) -> int:
    from ._show_versions import show_versions

    show_versions()
    return 0


_RUN: dict[str, Callable[[argparse.Namespace], int]] = {
    "check-loss": _check_loss,
    "compare": _compare,
    "demo": _demo,
    "versions": _versions,
    "worker": _worker,
}


def _tell(text: str) -> None:
    """Print to stderr, with unprintable characters escaped."""
    print("\n".join(map(printable, text.split("\n"))), file=sys.stderr)


def _print(text: str) -> None:
    """Print to stdout, and escape what its encoding cannot represent."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), end="")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sklearnloss", description="Which loss function is best for your images?"
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="compare losses on real images that are included")
    demo.add_argument("--output", default="sklearnloss-demo.png", help="where to write the picture")
    demo.add_argument("--jobs", type=int, default=-1, help="parallel fits (default: all cores)")
    demo.add_argument("--seed", type=int, default=0, help="the same seed gives the same scores")
    demo.add_argument("--epochs", type=int, default=12, help="passes over the data in each fit")
    _add_compare(commands)
    _add_worker(commands)
    check = commands.add_parser("check-loss", help="check a loss against the laws it should obey")
    check.add_argument("loss", help="a name such as focal or dice+bce, or module:attribute")
    check.add_argument("--task", choices=["classification", "segmentation"])
    commands.add_parser("versions", help="print the versions for a bug report")
    return parser


def _add_compare(commands: Any) -> None:
    compare = commands.add_parser(
        "compare",
        help="find out which loss is best for your images",
        description="Find out which loss is best for your images: search for the best settings of "
        "each loss, and compare the best of them on other folds. Run again, the command resumes "
        "where it was interrupted.",
        epilog="DATA is a folder of images/ and masks/ with files of the same names, of images "
        "with masks beside them (a.tif, a_mask.tif), of images per class, with X.npy and y.npy, or "
        "a .npz file with X and y. The layouts of nnU-Net, mmsegmentation, Pascal VOC, the 2018 "
        "Data Science Bowl, Cellpose and StarDist are recognized; for others, pass --images and "
        "--masks. Images are .npy or .npz files, or pictures such as PNG, JPEG and TIFF. "
        "--timeout limits only the search: the comparison takes up to top x repeats x folds "
        "additional fits, and the best loss is then trained on all images.",
    )
    compare.add_argument("data", metavar="DATA", help="folder or file, see below")
    add = compare.add_argument
    add("--task", choices=["auto", "segmentation", "classification"], default="auto")
    add(
        "--losses",
        type=_names,
        help="such as dice,focal,dice+bce, or module:attribute for one of your own (default: all "
        "suitable losses)",
    )
    add("--folds", type=int, default=5, help="number of folds (default: 5)")
    add(
        "--groups",
        help="images that belong together: a regular expression to search in each file name, "
        "whose parenthesized parts together are the group; or 'folder'; or a .csv file of names "
        "and groups (file.csv:column if there are several columns)",
    )
    add("--trials", type=int, default=60, help="total number of settings to try (default: 60)")
    add("--timeout", type=float, metavar="SECONDS", help="limit of the search, see below")
    add("--top", type=int, default=5, help="number of best losses to compare (default: 5)")
    add("--repeats", type=int, default=2, help="cross-validations to compare by (default: 2)")
    add("--epochs", type=int, default=20, help="passes over the images (default: 20)")
    add("--width", type=int, default=16, help="channels of the network's first stage (default: 16)")
    add(
        "--scoring",
        help="iou, dice, boundary_iou, ... or a scikit-learn score for classes (default: iou; "
        "accuracy for classes, balanced if they are of different sizes)",
    )
    _add_reading_options(add)
    add("--jobs", type=int, default=1, help="parallel fits; -1 is all cores (default: 1)")
    add("--seed", type=int, default=0, help="the same seed gives the same scores")
    add("--device", default="auto", help="such as cpu or cuda:1 (default: a GPU if there is one)")
    add("--output", default="sklearnloss-results", help="folder for the results")


def _add_reading_options(add: Callable[..., Any]) -> None:
    """Add the options that say how images and masks are found and read."""
    add("--describe", action="store_true", help="only describe the data, and train nothing")
    add(
        "--images",
        metavar="PATTERN",
        help="which files of DATA are images, as a pattern in quotes: 'raw/*.tif'",
    )
    add(
        "--masks",
        metavar="PATTERN",
        help="which files are their masks: 'drawn/*_m.tif'; what * stands for must be the same",
    )
    add(
        "--labels",
        choices=["classes", "objects", "border"],
        help="what the numbers in masks are: classes (default); or objects, each with its own "
        "number, which become object and background; or, with 'border', also the border "
        "between objects that touch",
    )
    add(
        "--colors",
        metavar="FILE.csv",
        help="for masks in color, a table with a line name,r,g,b or r,g,b,label for each color",
    )
    add("--color", choices=["gray", "rgb"], help="convert gray and colored pictures to one kind")
    add("--nodata", type=float, metavar="VALUE", help="value of pixels without data; may be nan")
    add("--ignore-index", type=int, metavar="LABEL", help="label of ignored pixels")
    add(
        "--resize",
        type=int,
        metavar="PIXELS",
        help="longest side to which images and masks are resized; they are padded to a square",
    )
    add(
        "--channels",
        choices=["first", "last"],
        help="the channel axis of arrays, if it is not clear from their shape",
    )


def _add_worker(commands: Any) -> None:
    worker = commands.add_parser(
        "worker",
        help="take part in a search that LossSearchCV runs elsewhere",
        description="Take part in a search that LossSearchCV.fit runs in another process or on "
        "another machine, until there is nothing left to do. The data of the search are read from "
        "a folder that both must be able to see. They are a pickle, which can run code: join only "
        "searches that you trust.",
    )
    add = worker.add_argument
    add(
        "--storage",
        metavar="URL",
        help="storage of the search; by default the environment variable SKLEARNLOSS_STORAGE, so "
        "that a password need not appear where others can see it",
    )
    add("--study", default="sklearnloss", help="study_name of the search (default: sklearnloss)")
    add(
        "--job",
        metavar="FOLDER",
        help="the folder with the data of the search, if its path is different on this machine",
    )
    add(
        "--wait",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="how long to wait for the search to begin (default: 60)",
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
