"""
Random seeds: how much a score depends on them
==============================================

The same loss with another seed has another score, so a single fit of each loss does not tell which
is better.

A difference between losses that is no larger than that between seeds says nothing.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from torch import nn

from sklearnloss import ImageClassifier, compare_losses

# %%
# A small network and 200 handwritten digits, so that 48 fits take a few seconds.
X, y = load_digits(return_X_y=True)
X, y = X.reshape(-1, 8, 8)[:200], y[:200]


def small_net(in_channels, n_outputs):
    """Return a network that trains in a tenth of a second."""
    return nn.Sequential(
        nn.Conv2d(in_channels, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128, n_outputs),
    )


# %%
# Three losses, four folds, four seeds: initial weights and batches differ from seed to seed, and
# are the same for all losses.
losses = ["cross_entropy", "focal", "poly1"]
model = ImageClassifier(small_net, max_epochs=5, batch_size=20, lr=1e-2)
comparison = compare_losses(
    model,
    losses,
    X,
    y,
    cv=4,
    n_repeats=1,
    n_seeds=4,
    per_image=False,
    random_state=0,
)
scores = comparison.scores_  # losses, splits, seeds
print(scores.shape)

# %%
# Each dot is a fit. The columns of a loss are the four held-out folds.
fig, ax = plt.subplots(figsize=(9, 4.6), layout="constrained")
colors = ["#0072B2", "#E69F00", "#009E73", "#CC79A7"]
for k in range(3):
    for fold in range(4):
        x = k + 0.17 * (fold - 1.5)
        label = f"fold {fold + 1}" if k == 0 else None
        ax.plot(np.full(4, x), scores[k, fold], "o", color=colors[fold], alpha=0.7, label=label)
    mean = scores[k].mean()
    ax.plot([k - 0.38, k + 0.38], [mean, mean], color="black", lw=1.5, zorder=0)
    ax.text(k + 0.4, mean, f"{mean:.3f}", va="center", fontsize="small")
ax.set_xticks(range(3), losses)
ax.set(ylabel="accuracy on the held-out fold", xlim=(-0.5, 2.65))
ax.grid(axis="y", alpha=0.3)
fig.legend(loc="outside upper center", frameon=False, ncols=4, title="four seeds each; line: mean")
plt.show()

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
# How often does a single fit of each loss contradict the mean of all 16 fits?
best = int(between.argmax())
share = (scores[best] < scores.max(axis=0)).mean()
print(f"{losses[best]} is best on average; another loss is ahead in {share:.0%} of single fits")

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
