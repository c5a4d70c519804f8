"""Import of libraries that not everybody needs."""

from __future__ import annotations

import sys
from typing import Any

# Libraries that are not called like their module.
_LIBRARIES = {"PIL.Image": "Pillow", "matplotlib.pyplot": "matplotlib"}


def import_optional(module: str, what: str, extra: str) -> Any:
    """Return a module, or say how to install its library.

    Parameters
    ----------
    module : str
        Its whole name.
    what : str
        What needs it, for the error.
    extra : str
        The extra of this package that installs it.

    Raises
    ------
    ImportError
        If the library is not installed.
    """
    try:
        __import__(module)  # as the import statement does
    except ImportError as error:
        library = _LIBRARIES.get(module, module)
        raise ImportError(f"{what} needs {library}: pip install 'sklearnloss[{extra}]'") from error
    return sys.modules[module]
