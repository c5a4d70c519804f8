"""What ``import sklearnloss`` takes beyond torch, skorch and scikit-learn.

    python benchmarks/imports.py [--quick] [--json PATH] [--rounds N]

In fresh processes; medians.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from children import result, start
from rounds import parse_options, print_machine, print_table, write_json

LIBRARIES = "import torch, skorch, sklearn.model_selection"
STEPS = {
    "torch, skorch and scikit-learn": LIBRARIES,
    "import sklearnloss": "import sklearnloss",
    "from sklearnloss.losses import DiceLoss": "from sklearnloss.losses import DiceLoss",
    "from sklearnloss import ResNetClassifier, UNetSegmenter": (
        "from sklearnloss import ResNetClassifier, UNetSegmenter"
    ),
    "from sklearnloss import tuning": "from sklearnloss import tuning",
}
CODE = """
import json, time
found = []
for step in {steps!r}:
    wall, cpu = time.perf_counter(), time.process_time()
    exec(step)
    found.append([time.perf_counter() - wall, time.process_time() - cpu])
print(json.dumps(found))
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table and write JSON if asked to."""
    options = parse_options(__doc__, arguments, rounds=9)
    print_machine()
    rows = measure_steps(1 if options.quick else options.rounds)
    print_table("Imports, one after the other in one process", rows)
    write_json(options.json, {"imports": rows})


def measure_steps(n_rounds: int) -> list[dict[str, Any]]:
    """Return a row per step, each in the process in which the others went before."""
    code = CODE.format(steps=list(STEPS.values()))
    found = [result(start(code)) for _ in range(n_rounds)]
    return [
        {
            "step": step,
            "seconds": statistics.median(times[k][0] for times in found),
            "CPU seconds": statistics.median(times[k][1] for times in found),
        }
        for k, step in enumerate(STEPS)
    ]


if __name__ == "__main__":
    main()
