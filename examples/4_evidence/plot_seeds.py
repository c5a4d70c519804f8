"""
Seeds against losses
====================

The same loss with another seed has another score. A difference between losses that is no larger
than that says nothing, and a single fit of each cannot tell.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearnloss import UNetSegmenter, compare_losses
from sklearnloss.datasets import load_nuclei

# %%
# Three losses, four folds (the quadrants of the image), four seeds: initial weights and batches
# differ from seed to seed, and are the same for all losses.
X, y, groups = (each[::4] for each in load_nuclei(border=False))
losses = ["dice", "dice+cross_entropy", "cross_entropy"]
comparison = compare_losses(
    UNetSegmenter(width=4, depth=2, batch_size=2, max_epochs=5, lr=1e-2),
    losses,
    X,
    y,
    groups=groups,
    scoring="dice",
    n_repeats=1,
    n_seeds=4,
    per_image=False,
    random_state=0,
)
scores = comparison.scores_  # losses, splits, seeds
print(scores.shape)

# %%
# Each dot is a fit. The columns of a loss are the four held-out quadrants.
figure, ax = plt.subplots(figsize=(9, 4.3), layout="constrained")
colors = ["#0072B2", "#E69F00", "#009E73", "#CC79A7"]
for k in range(3):
    for fold in range(4):
        x = k + 0.17 * (fold - 1.5)
        label = f"quadrant {fold + 1}" if k == 0 else None
        ax.plot(np.full(4, x), scores[k, fold], "o", color=colors[fold], alpha=0.7, label=label)
    mean = scores[k].mean()
    ax.plot([k - 0.38, k + 0.38], [mean, mean], color="black", lw=1.5, zorder=0)
    ax.text(k + 0.4, mean, f"{mean:.3f}", va="center", fontsize="small")
ax.set_xticks(range(3), losses)
ax.set(ylabel="Dice on the held-out quadrant", xlim=(-0.5, 2.65))
ax.grid(axis="y", alpha=0.3)
_ = ax.legend(frameon=False, ncols=2, fontsize="small", title="four seeds each; line: mean")

# %%
# Three kinds of spread
# ---------------------
seeds = scores.std(axis=2, ddof=1).mean()
folds = scores.mean(axis=2).std(axis=1, ddof=1).mean()
between = scores.mean(axis=(1, 2))
print(f"standard deviation over seeds, within a fold: {seeds:.3f}")
print(f"standard deviation over folds, of their mean: {folds:.3f}")
print("means of the losses:", dict(zip(losses, between.round(3).tolist(), strict=True)))

# %%
# With one seed and one fold
# --------------------------
#
# How often would a single fit of each loss name another winner than the mean of all 16 fits?
winners = scores.argmax(axis=0)
best = int(between.argmax())
share = (winners != best).mean()
print(f"{losses[best]} is best on average; {share:.0%} of single fits name another one")

# %%
# What the seeds do not tell
# --------------------------
#
# More seeds make the mean of each fold precise, not the images more numerous. So the intervals of
# the comparison are over folds, after averaging the seeds:
for pair in comparison.pairs_:
    print(pair["verdict"])

# %%
# What to remember
# ----------------
#
# - One fit per loss is no comparison.
# - ``n_seeds`` averages out initial weights and batches; repeats and folds average out images, too.
#   If fits are limited, more folds are the better use of them.
# - ``table_`` has both spreads, "sd_seeds" and "sd_folds".
# - See :func:`~sklearnloss.compare_losses`, and :doc:`/how_to/search`.
