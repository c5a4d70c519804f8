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
        What follows the command's name; None reads it from the system.

    Returns
    -------
    status : int
        0 if all went well, 1 if a loss broke a law, 2 if something is wrong with what was
        given, 130 if it was interrupted.
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
    "compare": " What is finished is kept: the same command goes on.",
    "worker": " Another worker goes on from its last fold.",
}


def _compare(options: argparse.Namespace) -> int:
    from ._compare_command import Options, run_compare

    given = vars(options)
    del given["command"]
    output = Path(given.pop("output"))
    _print(run_compare(Options(**given), output))
    return 0


def _worker(options: argparse.Namespace) -> int:
    storage = options.storage or os.environ.get("SKLEARNLOSS_STORAGE")
    with contextlib.suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # how schedulers end a job
    if not storage:
        raise ValueError(
            "Where is the search? Pass --storage, or set SKLEARNLOSS_STORAGE, to what "
            "LossSearchCV has as storage."
        )
    if not options.wait >= 0:
        raise ValueError(f"--wait {options.wait:g}: expected seconds, 0 or more.")
    add_current_folder()  # where the search's own classes may be
    from .tuning import join_search

    join_search(storage, options.study, job=options.job, patience=options.wait)
    return 0


def _check_loss(options: argparse.Namespace) -> int:
    from .losses import check_loss

    loss = import_object(options.loss) if ":" in options.loss else options.loss
    try:
        return 0 if check_loss(loss, options.task).passed else 1
    except TypeError as error:  # it is not a loss at all
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
    """Print to stderr, whatever is in the text."""
    print("\n".join(map(printable, text.split("\n"))), file=sys.stderr)


def _print(text: str) -> None:
    """Print to stdout what its encoding can hold, and escape the rest."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), end="")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sklearnloss", description="Which loss function is best for your images?"
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="compare losses on real images that come along")
    demo.add_argument("--output", default="sklearnloss-demo.png", help="where to write the picture")
    demo.add_argument("--jobs", type=int, default=-1, help="fits side by side (default: all cores)")
    demo.add_argument("--seed", type=int, default=0, help="the same seed gives the same scores")
    demo.add_argument("--epochs", type=int, default=12, help="passes over the data in each fit")
    _add_compare(commands)
    _add_worker(commands)
    check = commands.add_parser("check-loss", help="run a loss through the laws it should obey")
    check.add_argument("loss", help="a name such as focal or dice+bce, or module:attribute")
    check.add_argument("--task", choices=["classification", "segmentation"])
    commands.add_parser("versions", help="print what a bug report needs")
    return parser


def _add_compare(commands: Any) -> None:
    compare = commands.add_parser(
        "compare",
        help="find out which loss is best for your images",
        description="Find out which loss is best for your images: search for the best settings of "
        "each loss, and compare the best of them on other folds. Called again, it goes on where "
        "it was interrupted.",
        epilog="DATA is a folder of images/ and masks/ with files of the same names, a folder of "
        "images per class, a folder with X.npy and y.npy, or a .npz file with X and y. Images are "
        ".npy or .npz files, or pictures such as PNG, JPEG and TIFF. --timeout limits the search "
        "alone: the comparison takes up to top x repeats x folds fits more, and the best loss is "
        "then trained on all images.",
    )
    compare.add_argument("data", metavar="DATA", help="folder or file, see below")
    add = compare.add_argument
    add("--task", choices=["auto", "segmentation", "classification"], default="auto")
    add(
        "--losses",
        type=_names,
        help="such as dice,focal,dice+bce, or module:attribute for one of your own (default: all "
        "that suit)",
    )
    add("--folds", type=int, default=5, help="of each cross-validation (default: 5)")
    add(
        "--groups",
        help="images that belong together: a regular expression searched in a file's name, of "
        "which all parentheses together are the group, 'folder', or a .csv file of names and "
        "groups (of several columns file.csv:column)",
    )
    add("--trials", type=int, default=60, help="settings to try in all (default: 60)")
    add("--timeout", type=float, metavar="SECONDS", help="for the search alone, see below")
    add("--top", type=int, default=5, help="losses to compare then, the best (default: 5)")
    add("--repeats", type=int, default=2, help="of the comparison's folds (default: 2)")
    add("--epochs", type=int, default=20, help="passes over the images (default: 20)")
    add("--width", type=int, default=16, help="channels of the network's first stage (default: 16)")
    add(
        "--scoring",
        help="iou, dice, boundary_iou, ... or a score of scikit-learn's for classes (default: iou; "
        "accuracy, balanced if the classes are of different sizes)",
    )
    add("--ignore-index", type=int, metavar="LABEL", help="label of pixels that do not count")
    add("--resize", type=int, metavar="PIXELS", help="side of images in classes, if they differ")
    add(
        "--channels",
        choices=["first", "last"],
        help="where arrays have their channels, if their shape leaves it open",
    )
    add("--jobs", type=int, default=1, help="fits side by side; -1 is all cores (default: 1)")
    add("--seed", type=int, default=0, help="the same seed gives the same scores")
    add("--device", default="auto", help="such as cpu or cuda:1 (default: a GPU if there is one)")
    add("--output", default="sklearnloss-results", help="folder for what was found")


def _add_worker(commands: Any) -> None:
    worker = commands.add_parser(
        "worker",
        help="take part in a search that LossSearchCV runs elsewhere",
        description="Take part in a search that LossSearchCV.fit runs in another process or on "
        "another machine, until there is nothing left to do. The search's data are read from a "
        "folder that both must see, and which is a pickle: join only searches that you trust.",
    )
    add = worker.add_argument
    add(
        "--storage",
        metavar="URL",
        help="storage of the search; without it the environment variable SKLEARNLOSS_STORAGE, so "
        "that a password need not stand where others see it",
    )
    add("--study", default="sklearnloss", help="study_name of the search (default: sklearnloss)")
    add("--job", metavar="FOLDER", help="the folder of the search's data, if it is called so here")
    add("--wait", type=float, default=60.0, metavar="SECONDS", help="for the search to begin")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
