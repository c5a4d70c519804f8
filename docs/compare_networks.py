"""Five losses with three networks on the nuclei: the table and the picture of the guide.

python docs/compare_networks.py                     # prints the summary
python docs/compare_networks.py --write             # writes the picture and the table
python docs/compare_networks.py --storage FILE      # keeps finished fits
python docs/compare_networks.py --html FILE         # writes the report

These are 60 fits, which take 5 to 20 minutes on one core.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl

from sklearnloss import ImageSegmenter, compare_losses
from sklearnloss.datasets import load_nuclei
from sklearnloss.tuning import NetworkComparison

DOCS = Path(__file__).parent
PICTURE = DOCS / "images" / "networks.png"
START, END = "<!-- networks -->\n", "<!-- /networks -->\n"

LOSSES = ["dice", "bce", "focal", "tversky", "dice+bce"]
NETWORKS = {
    "unet": {"network": "unet", "network__width": 8, "network__depth": 2},
    "smp:Unet/resnet18": {
        "network": "smp:Unet/resnet18",
        "network__encoder_weights": None,
        "network__encoder_depth": 3,
        "network__decoder_channels": (32, 16, 8),
    },
    "monai:SegResNet": {"network": "monai:SegResNet", "network__init_filters": 8},
}


def compare(epochs: int, storage: str | None) -> NetworkComparison:
    """Hold out each quadrant of the image once."""
    X, y, groups = load_nuclei(border=False)
    model = ImageSegmenter(max_epochs=epochs, batch_size=4, lr=5e-3, device="cpu")
    return compare_losses(
        model,
        LOSSES,
        X,
        y,
        networks=NETWORKS,
        groups=groups,
        n_repeats=1,
        random_state=0,
        storage=storage,
        verbose=1,
    )


def draw(comparison: NetworkComparison) -> None:
    """Write the picture."""
    mpl.use("agg")
    axes = comparison.plot()
    PICTURE.parent.mkdir(exist_ok=True)
    axes[0].figure.savefig(PICTURE, dpi=110)


def write(comparison: NetworkComparison) -> None:
    """Put the summary into the guide."""
    guide = DOCS / "how_to" / "search.md"
    before, rest = guide.read_text(encoding="utf-8").split(START)
    _, after = rest.split(END)
    text = f"{before}{START}```text\n{comparison.summary()}\n```\n{END}{after}"
    guide.write_text(text, encoding="utf-8")


def main() -> None:
    """Compare, and write what is asked for."""
    parser = argparse.ArgumentParser(description="Five losses with three networks on the nuclei.")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--storage")
    parser.add_argument("--html")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    comparison = compare(given.epochs, given.storage)
    print(comparison)
    if given.html:
        comparison.to_html(given.html)
    if given.write:
        draw(comparison)
        write(comparison)


if __name__ == "__main__":
    main()
