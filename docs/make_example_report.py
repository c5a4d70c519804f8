"""The example of the report browser: a real comparison on 24 tiles of a microscopy image.

python docs/make_example_report.py   # writes docs/_static/report_browser/example.json

It takes about ten minutes on one core of a CPU. The names of classes come from a table of colors.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from sklearnloss.datasets import load_nuclei

TARGET = Path(__file__).parent / "_static" / "report_browser" / "example.json"
COLORS = {"background": (0, 0, 0), "nucleus": (0, 114, 178), "border": (230, 159, 0)}
TILES_PER_QUADRANT = 6
COMMAND = (
    "compare nuclei --colors nuclei/colors.csv --groups quadrant(.) "
    "--losses cross_entropy,dice,dice+cross_entropy,focal,tversky "
    "--trials 10 --top 5 --folds 4 --repeats 2 --epochs 20 --device cpu --output results"
)


def write_tiles(folder: Path) -> None:
    """Write the first tiles of each quadrant, their masks in color, and the table of colors."""
    X, y, groups = load_nuclei()
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    table = np.array(list(COLORS.values()), dtype=np.uint8)
    for quadrant in np.unique(groups):
        for k in np.flatnonzero(groups == quadrant)[:TILES_PER_QUADRANT]:
            name = f"quadrant{quadrant}_tile{k:02d}.png"
            Image.fromarray(X[k]).save(folder / "images" / name)
            Image.fromarray(table[y[k]]).save(folder / "masks" / name)
    lines = [f"{name},{r},{g},{b}" for name, (r, g, b) in COLORS.items()]
    (folder / "colors.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Run the command in a new folder, and keep its report."""
    with tempfile.TemporaryDirectory() as work:
        write_tiles(Path(work) / "nuclei")
        words = [sys.executable, "-m", "sklearnloss", *COMMAND.split()]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run(words, cwd=work, env=environment, check=True)
        TARGET.write_bytes((Path(work) / "results" / "report.json").read_bytes())
    print(f"{TARGET}: {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
