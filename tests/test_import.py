from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "10000"),
        ({"GOMP_SPINCOUNT": "7"}, "7"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "None"),
    ],
)
def test_threads_soon_sleep_while_they_wait_unless_told_otherwise(
    given: dict[str, str], expected: str
) -> None:
    settings = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    environment = {key: value for key, value in os.environ.items() if key not in settings}
    code = "import os, sys, sklearnloss; print(os.getenv('GOMP_SPINCOUNT'), 'torch' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | given,
        capture_output=True,
        text=True,
        check=True,
    )
    # Set before torch reads it.
    assert run.stdout.split() == [expected, "False"]
