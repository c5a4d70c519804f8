"""Instructions for using the saved model."""

from __future__ import annotations

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
    """Return the Python code that predicts other images like those of the run.

    Parameters
    ----------
    data : ImageData
        The training data of the model.
    model : Path
        The file of the model.
    loss : str
        The loss that it was trained with: a name, or module:attribute.
    """
    custom = _custom(model, loss) if ":" in loss else {}
    module = loss.partition(":")[0]
    imports = [f"from {module} import {value.removesuffix('()')}" for value in custom.values()]
    passed = ", ".join(f"{name!r}: {value}" for name, value in custom.items())
    loaded = f"load({printable(str(model))!r}{f', custom={{{passed}}}' if passed else ''})"
    code = ["from sklearnloss import load", *dict.fromkeys(imports)]
    note = f"To predict other {'files' if data.in_files else 'images in an array X'}"
    if data.reader is not None and data.reader.resize is not None:
        note += f", which are resized to {data.reader.resize} pixels as here"
    what = "masks" if data.task == "segmentation" else "classes"
    given = '["new.png"]' if data.in_files else "X"
    code.append(f"{what} = {loaded}.predict({given})")
    return [f"{note}:", *(f"  {line}" for line in code)]


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
