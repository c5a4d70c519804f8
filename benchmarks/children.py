"""Measurements in fresh processes, which print one line of JSON each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT")


def start(code: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start Python on some code, with only those settings of threads that are given."""
    variables = {key: value for key, value in os.environ.items() if key not in THREADS}
    variables["PYTHONPATH"] = os.pathsep.join([str(HERE), str(HERE.parent)])
    variables["PYTHONWARNINGS"] = "ignore"
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env={**variables, **(environment or {})},
        stdout=subprocess.PIPE,
        text=True,
    )


def result(child: subprocess.Popen[str]) -> Any:
    """Wait for a child and return what it printed last."""
    output, _ = child.communicate()
    if child.returncode:
        raise RuntimeError(f"a child ended with exit code {child.returncode}: {output[-1000:]}")
    return json.loads(output.splitlines()[-1])
