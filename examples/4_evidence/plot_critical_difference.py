"""
Several data sets: the critical difference diagram
==================================================

Folds of one data set say which loss is better there. Whether one is better *in general* takes
several data sets: :func:`~sklearnloss.tuning.critical_difference` ranks the losses on each, and tests
the mean ranks.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import KFold

from sklearnloss import UNetSegmenter
from sklearnloss.datasets import load_nuclei, make_digit_scenes
from sklearnloss.metrics import dice_score
from sklearnloss.tuning import critical_difference

# %%
# Eight tasks: the nuclei with and without a class for the border, and digit scenes that differ in
# the digits, in their number and in the noise. A real study takes data sets of different origin;
# these are only as different as the example allows.
tasks = {}
for border in (False, True):
    X, y, _ = (each[::4] for each in load_nuclei(border=border))
    tasks["nuclei and border" if border else "nuclei"] = X, y
variants = {
    "0 and 1": {"classes": (0, 1)},
    "3 and 8": {"classes": (3, 8)},
    "noisy": {"classes": (0, 1), "noise": 0.4},
    "one digit": {"classes": (0, 1), "n_digits": 1},
    "crowded": {"classes": (0, 1), "n_digits": 9},
    "any digit": {"classes": (5,)},
}
for seed, (name, settings) in enumerate(variants.items()):
    tasks[name] = make_digit_scenes(16, size=32, random_state=seed, **{"n_digits": 4, **settings})

# %%
# Five losses, the same network, three folds. The score is the mean Dice without the background.
losses = ["dice+cross_entropy", "dice", "tversky", "cross_entropy", "focal"]
scores = {}
for name, (X, y) in tasks.items():
    folds = list(KFold(3, shuffle=True, random_state=0).split(X))
    labels = np.unique(y)[1:]
    scores[name] = {}
    for loss in losses:
        model = UNetSegmenter(
            loss, width=4, depth=2, batch_size=4, max_epochs=10, lr=1e-2, random_state=0
        )
        scores[name][loss] = np.mean(
            [
                dice_score(y[test], model.fit(X[train], y[train]).predict(X[test]), labels=labels)
                for train, test in folds
            ]
        )
ranks = critical_difference(scores)
print(ranks)

# %%
# The diagram
# -----------
#
# The mean rank of each loss, the best to the left. A bar joins losses that the test cannot tell
# apart. The critical difference depends on the numbers of data sets and losses only.
_ = ranks.plot()

# %%
# The scores behind it. Differences within a row are comparable, those between rows are not: that is
# why ranks are averaged.
table = np.array([[scores[name][loss] for loss in losses] for name in tasks])
places = (-table).argsort(axis=1).argsort(axis=1) + 1
figure, ax = plt.subplots(figsize=(8.5, 4.4), layout="constrained")
ax.imshow(places, cmap="Blues_r", vmin=0.5, vmax=7, aspect="auto")
for i, j in np.ndindex(table.shape):
    color = "white" if places[i, j] <= 2 else "black"
    ax.text(j, i, f"{table[i, j]:.3f}  ({places[i, j]})", ha="center", va="center", color=color)
ax.set_yticks(range(len(tasks)), list(tasks))
ax.set_xticks(range(len(losses)), losses)
ax.tick_params(length=0, labeltop=True, labelbottom=False)
for spine in ax.spines.values():
    spine.set_visible(False)
ax.set_xlabel("mean Dice (rank on this task)")

# %%
# Folds are not data sets
# -----------------------
#
# Rows that share training images are not independent, and would make the test find differences
# everywhere. A :class:`~sklearnloss.tuning.LossComparison` is therefore refused as a set of rows; a
# dict of comparisons, one per data set, is accepted:
# ``critical_difference({"nuclei": comparison, "cells": other})``.
#
# How many data sets does it take? The critical difference of five losses, in ranks:
for n in (5, 8, 10, 20, 40):
    fake = {f"data set {k}": dict(zip(losses, range(5), strict=True)) for k in range(n)}
    print(f"{n} data sets: {critical_difference(fake).critical_difference_:.2f}")

# %%
# What to remember
# ----------------
#
# - With fewer than ten data sets only large differences of ranks are significant.
# - Ranks forget by how much a loss is better. Report the scores as well.
# - On one data set, use :func:`~sklearnloss.compare_losses`.
