"""The command ``sklearnloss``."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import Any

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
        0 if all went well.
    """
    options = _parser().parse_args(arguments)
    if options.command == "versions":
        from ._show_versions import show_versions

        show_versions()
    elif options.command == "check-loss":
        from .losses import check_loss

        return 0 if check_loss(_import(options.loss), options.task).passed else 1
    else:
        from ._demo import run_demo

        run_demo(
            options.output,
            n_jobs=options.jobs,
            random_state=options.seed,
            epochs=options.epochs,
        )
    return 0


def _import(name: str) -> Any:
    """Return what ``module:attribute`` names, or the name itself."""
    module, colon, attribute = name.partition(":")
    if not colon:
        return name
    sys.path.insert(0, "")  # as python -m does
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise SystemExit(f"Cannot find {name!r}: {error}") from error


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
    check = commands.add_parser("check-loss", help="run a loss through the laws it should obey")
    check.add_argument("loss", help="a name such as focal or dice+bce, or module:attribute")
    check.add_argument("--task", choices=["classification", "segmentation"])
    commands.add_parser("versions", help="print what a bug report needs")
    return parser
