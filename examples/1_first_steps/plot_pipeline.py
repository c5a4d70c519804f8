"""
Choose the loss in a pipeline with GridSearchCV
===============================================

A loss is a parameter, so :class:`~sklearn.pipeline.Pipeline` and
:class:`~sklearn.model_selection.GridSearchCV` can choose it.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearnloss import UNetSegmenter
from sklearnloss.datasets import load_nuclei
from sklearnloss.metrics import dice_scorer

X, y, groups = load_nuclei(border=False)
some = slice(None, None, 2)  # half of the tiles, for a short run
X, y, groups = X[some], y[some], groups[some]

# %%
# A pipeline
# ----------
# The square root makes dark nuclei more visible. It is a step, so it is applied to new
# images, too.
network = UNetSegmenter(width=8, depth=2, max_epochs=6, batch_size=4, lr=1e-2, random_state=0)
pipeline = Pipeline([("root", FunctionTransformer(np.sqrt)), ("network", network)])

# %%
# A grid of losses
# ----------------
# Each loss has its own settings, so the grid is a list. The first step is a choice, too:
# ``"passthrough"`` leaves the images as they are.
steps = [FunctionTransformer(np.sqrt), "passthrough"]
grid = [
    {"root": steps, "network__loss": ["cross_entropy"]},
    {"root": steps, "network__loss": ["tversky"], "network__loss__beta": [0.5, 0.8]},
]
search = GridSearchCV(pipeline, grid, cv=GroupKFold(2), scoring=dice_scorer)
search.fit(X, y, groups=groups)
best = {key: value for key, value in search.best_params_.items() if "loss" in key}
print(best, f"mean Dice {search.best_score_:.3f}")

# %%
# The scores
# ----------
# A dot for each fold, a line at their mean.
results = search.cv_results_
names = []
for settings in results["params"]:
    loss = settings["network__loss"]
    beta = settings.get("network__loss__beta")
    root = "as they are" if settings["root"] == "passthrough" else "square root"
    names.append(f"{loss}{'' if beta is None else f', beta {beta}'}\n{root}")
folds = np.array([results["split0_test_score"], results["split1_test_score"]])
order = np.argsort(folds.mean(0))
fig, ax = plt.subplots(figsize=(8, 4), layout="constrained")
rows = np.arange(len(order))
for fold in folds:
    ax.plot(fold[order], rows, "o", color="#56B4E9", markersize=8)
ax.plot(folds.mean(0)[order], rows, "|", color="#1d2433", markersize=24, markeredgewidth=2)
ax.grid(axis="x", alpha=0.3)
ax.set_yticks(rows, [names[k] for k in order], fontsize=9)
ax.set(xlabel="Dice of nuclei on held-out quadrants")
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# Two folds of 16 tiles are few: differences as small as those between the two dots of a row are
# not a reason to prefer a loss.

# %%
# The best pipeline
# -----------------
# It was trained again on all tiles, and predicts masks of the images as they are.
masks = search.predict(X[:2])
print(masks.shape, np.unique(masks))

# %%
# What to remember
# ----------------
# * ``step__loss`` is the loss of a pipeline's step, ``step__loss__beta`` its setting.
# * ``loss_param_grid(["dice", "tversky"])`` of :mod:`sklearnloss.tuning` returns such a grid.
# * :class:`~sklearnloss.LossSearchCV` needs fewer epochs than a grid: it stops candidates that
#   fall behind. See :doc:`/how_to/search`.
