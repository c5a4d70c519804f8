"""Import every part of the installed package and fit with it, outside of the repository."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import sklearnloss
from sklearnloss.datasets import load_nuclei
from sklearnloss.metrics import iou_score

root = Path(__file__).parent.parent.resolve()
assert root not in Path(sklearnloss.__file__).resolve().parents, sklearnloss.__file__

names = [module.name for module in pkgutil.walk_packages(sklearnloss.__path__, "sklearnloss.")]
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
for part in ("losses", "networks", "metrics", "datasets", "estimators", "tuning"):
    assert f"sklearnloss.{part}" in names, part
assert (Path(sklearnloss.__file__).parent / "py.typed").exists()

X, y, groups = load_nuclei(border=False)
model = sklearnloss.UNetSegmenter(
    "dice+bce", width=8, depth=2, max_epochs=6, batch_size=4, lr=5e-3, random_state=0
)
model.fit(X[groups < 2], y[groups < 2])
score = iou_score(y[groups == 3], model.predict(X[groups == 3]))
print(f"{len(names)} modules imported; mean IoU of nuclei {score:.3f}")
assert score > 0.7, score
