"""Instructions for using the saved model."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from .._utils.import_object import import_object
from .._utils.printable import printable
from ..estimators._persistence.file_format import read
from ..losses import Loss
from ._data import ImageData


def describe_usage(data: ImageData, model: Path, loss: str) -> list[str]:
    """Return the command, and the Python code, that predict other images.

    Parameters
    ----------
    data : ImageData
        The training data of the model.
    model : Path
        The file of the model.
    loss : str
        The loss that it was trained with: a name, or module:attribute.

    Returns
    -------
    lines : list of str
        The command is quoted for a shell.
    """
    custom = _custom(model, loss) if ":" in loss else {}
    module = loss.partition(":")[0]
    command = ["sklearnloss", "predict", str(model), "IMAGES", "--output", "predictions"]
    has_objects = data.reader is not None and data.reader.masks != "classes"
    command += ["--instances"] if has_objects else []
    for value in custom.values():
        command += ["--custom", f"{module}:{value}"]
    imports = [f"from {module} import {value.removesuffix('()')}" for value in custom.values()]
    items = ", ".join(f"{name!r}: {value}" for name, value in custom.items())
    passed = f", custom={{{items}}}" if custom else ""
    numbered = ", instances=True" if has_objects else ""
    what = "masks" if data.task == "segmentation" else "labels"
    lines = [
        f"To write the {what} of other images, of a folder IMAGES, into a folder"
        f"{', and a table of their objects' if has_objects else ''}:",
        f"  {printable(shlex.join(command))}",
        f"or in Python{'' if data.in_files else ', also for images in an array X'}:",
        *dict.fromkeys(f"  {line}" for line in imports),
    ]
    path = printable(str(model))
    if data.in_files:
        lines.append("  from sklearnloss import predict_files")
        lines.append(f"  predict_files({path!r}, 'IMAGES', 'predictions'{numbered}{passed})")
    else:
        lines.append("  from sklearnloss import load")
        lines.append(f"  {what} = load({path!r}{passed}).predict(X)")
    return lines


def find_command(usage: Sequence[str]) -> str:
    """Return the command among the lines of ``describe_usage``, "" if there is none."""
    lines = map(str.strip, usage)
    return next((line for line in lines if line.startswith("sklearnloss predict ")), "")


def _custom(model: Path, loss: str) -> dict[str, str]:
    """Return the losses that must be passed to ``load``, by name, as Python code."""
    names: Sequence[str] = read(model)[0]["custom"]
    return {name: _code_of(name, loss) for name in names}


def _code_of(name: str, loss: str) -> str:
    """Return the Python expression for a loss in the module that defines it."""
    module, _, attribute = loss.partition(":")
    given: Any = import_object(loss)
    found = getattr(sys.modules[module], name, None)
    if found is None or (isinstance(given, nn.Module) and type(given) is found):
        return name if isinstance(given, Loss) else attribute
    plain = isinstance(found, type) and not issubclass(found, Loss)
    return f"{name}()" if plain else name
