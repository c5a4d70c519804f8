"""The command ``sklearnloss``."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ._predict.command import add_predict
from ._utils.guides import MY_DATA
from ._utils.import_object import add_current_folder, import_object
from ._utils.printable import print_error, print_out
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
        print_error(f"sklearnloss {command}: {' '.join(told.split()) or type(error).__name__}")
        return 2
    except KeyboardInterrupt:
        print_error(f"\nInterrupted.{_AFTER_INTERRUPT.get(command, '')}")
        return 130


_AFTER_INTERRUPT = {
    "compare": " Finished work is saved: run the same command to resume.",
    "predict": " Finished files are kept: run the same command to resume.",
    "worker": " Another worker resumes its last fold.",
}


def _compare(options: argparse.Namespace) -> int:
    begun = time.monotonic()  # imports count
    from ._compare_command import Options, describe_data, fill_in, parse_duration, run_compare

    given = vars(options)
    del given["command"]
    output, only_describe = Path(given.pop("output")), given.pop("describe")
    given = fill_in(given, given.pop("preset"))
    if given["budget"] is not None:
        given["budget"] = parse_duration(given["budget"], "--budget")
    if only_describe:
        print_out(describe_data(Options(**given), output), end="")
    else:
        print_out(run_compare(Options(**given), output, begun), end="")
    return 0


def _predict(options: argparse.Namespace) -> int:
    from ._predict.command import run_predict
    from ._predict_files import predict_files

    return run_predict(options, predict_files)


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
    "predict": _predict,
    "versions": _versions,
    "worker": _worker,
}


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
    add_predict(commands)
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
        "--masks. Images are .npy or .npz files, pictures such as PNG, JPEG and TIFF, NIfTI, DICOM "
        "or zarr. After the first fit, the command says about how long it takes. --timeout limits "
        "only the search: the comparison takes up to top x repeats x folds additional fits, and "
        "the best loss is then trained on all images. --budget limits all of it, in each call "
        "anew: time is kept for comparing at least two losses on all folds and for the final "
        "training, and fewer losses are compared, with fewer repeats, if there is no time for "
        "more; the same command again continues. A preset sets the options that are not given. "
        "--medium continues a run of --quick; --best trains longer, so it needs another --output, "
        "unless --epochs 20 is given. More about layouts and kinds of files: "
        f"see {MY_DATA}.",
    )
    compare.add_argument("data", metavar="DATA", help="folder or file, see below")
    add = compare.add_argument
    add("--task", choices=["auto", "segmentation", "classification"], default="auto")
    add(
        "--losses",
        type=_names,
        help="names such as dice,focal,dice+bce; module:attribute for each of your own, as in "
        "dice,my_losses:first,my_losses:Second with my_losses.py in the current folder; all for "
        "all suitable losses of this library, as in all,my_losses:first (default: the most "
        "promising ones)",
    )
    _add_amounts(compare)
    add(
        "--groups",
        help="images that belong together: a regular expression to search in each file name, "
        "whose parenthesized parts together are the group; or 'folder'; or a .csv file of names "
        "and groups (file.csv:column if there are several columns)",
    )
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


def _add_amounts(compare: argparse.ArgumentParser) -> None:
    """Add the options that say how much is done, and the presets that set them."""
    presets = compare.add_mutually_exclusive_group()
    for name, what in _PRESETS.items():
        presets.add_argument(
            f"--{name}", dest="preset", action="store_const", const=name, help=what
        )
    add = compare.add_argument
    add("--budget", metavar="TIME", help="limit of the whole call such as 2h or 1h30m, see below")
    add("--timeout", type=float, metavar="SECONDS", help="limit of the search, see below")
    for name, what in _AMOUNTS.items():
        add(f"--{name}", type=int, help=f"{what}, see the presets")


# The values are those of PRESETS, which is not imported here, so that --help is quick.
_PRESETS = {
    "quick": "a first verdict: --trials 20 --top 3 --repeats 1 --folds 5 --epochs 20 --width 16",
    "medium": "the default: --trials 45 --top 5 --repeats 2 --folds 5 --epochs 20 --width 16",
    "best": "longer training: --trials 120 --top 8 --repeats 5 --folds 5 --epochs 60 --width 16",
}
_AMOUNTS = {
    "trials": "total number of settings to try",
    "top": "number of best losses to compare",
    "repeats": "cross-validations to compare by",
    "folds": "number of folds",
    "epochs": "passes over the images",
    "width": "channels of the network's first stage",
}


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
        type=lambda text: "objects" if text == "instances" else text,
        choices=["classes", "objects", "border"],
        help="what the numbers in masks are: classes (default); or objects (or instances), each "
        "with its own number, which become object and background; or, with 'border', also the "
        "border between objects that touch",
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
    """Return the names in a list."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
