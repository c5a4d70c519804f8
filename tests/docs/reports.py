"""A small report with images, and the functions of the page that browses reports."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sklearnloss.tuning._comparison.as_json import render_json

from ..tuning.comparisons import made_up

DOCS = Path(__file__).parent.parent.parent / "docs"
PARTS = DOCS / "_static" / "report_browser"
EXAMPLE = PARTS / "example.json"
PAGE = (DOCS / "report_browser.md").read_text(encoding="utf-8")
NASTY = "<img src=x onerror=\"document.title='run'\"></script><b>&amp;"
SCORES = {
    "dice": [0.7, 0.72, 0.75, 0.71, 0.73],
    "focal": [0.6, 0.66, 0.61, 0.64, 0.6],
    NASTY: [0.5, 0.3, 0.41, 0.55, 0.5],
}

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")


def node(expression: str, **given: Any) -> Any:
    """Return the value of an expression with the page's functions and the given values."""
    names = "const { " + ", ".join(given) + " } = given;"
    script = f"""
        const fs = require("fs");
        const given = JSON.parse(fs.readFileSync(0, "utf-8"));
        const reading = require({json.dumps(str(PARTS / "reading.js"))});
        const rows = require({json.dumps(str(PARTS / "rows.js"))});
        {names}
        console.log(JSON.stringify({expression}));
    """
    done = subprocess.run(
        ["node", "-e", script], input=json.dumps(given), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@functools.cache
def report_text() -> str:
    """Return a small report with images, of which one loss has a name with markup."""
    found = made_up(SCORES, images=True, baseline=0.2)
    found.image_names_ = [f"{NASTY} {k}" for k in range(50)]
    return render_json(found)


def report() -> Any:
    return json.loads(report_text())
