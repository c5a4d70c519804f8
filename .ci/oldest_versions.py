"""Print the oldest versions that pyproject.toml allows, as pins for pip.

Usage: python .ci/oldest_versions.py [EXTRA ...]
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path


def oldest_pins(extras: list[str]) -> list[str]:
    """Return ``name==version`` for the dependencies and those of some extras."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = [
        *project["dependencies"],
        *(each for extra in extras for each in project["optional-dependencies"][extra]),
    ]
    pins = []
    for requirement in requirements:
        match = re.fullmatch(r"([\w.-]+)>=([\w.]+)", requirement)
        if match is None:
            raise ValueError(f"{requirement!r} has no lower bound of the form name>=version.")
        pins.append("==".join(match.groups()))
    return pins


if __name__ == "__main__":
    print("\n".join(oldest_pins(sys.argv[1:])))
