"""
Why a comparison stays undecided
================================

Two losses are nearly equal: how many repeats would tell them apart?

The answer is often: none, since more repeats of the same images cannot replace more images.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy import stats
from sklearn.datasets import load_digits
from torch import nn

from sklearnloss import ImageClassifier, compare_losses

# %%
# Cross entropy and :class:`~sklearnloss.losses.Poly1CrossEntropyLoss` are nearly the same.
# :class:`~sklearnloss.losses.GeneralizedCrossEntropyLoss` learns more slowly; it is the third, to
# see what a difference looks like. The data are 200 handwritten digits.
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


model = ImageClassifier(small_net, max_epochs=4, batch_size=20, lr=5e-3)
folder = tempfile.TemporaryDirectory()
options = {
    "random_state": 0,
    "per_image": False,
    "storage": Path(folder.name) / "fits.journal",  # what is trained is not trained again
}

# %%
# Five folds, once:
losses = ["cross_entropy", "poly1", "generalized_ce"]
once = compare_losses(model, losses, X, y, n_repeats=1, **options)
print(once.summary())

# %%
# More repeats
# ------------
#
# With a ``storage`` only the new repeats are trained. Each partition is a fresh one.
counts = [1, 2, 4]
pairs = {}
for n_repeats in counts:
    comparison = compare_losses(model, losses, X, y, n_repeats=n_repeats, **options)
    for pair in comparison.pairs_:
        key = tuple(sorted((pair["a"], pair["b"]), key=losses.index))
        sign = 1 if key[0] == pair["a"] else -1
        ends = sorted((sign * pair["low"], sign * pair["high"]))
        pairs[key, n_repeats] = sign * pair["difference"], *ends, pair["outcome"]
for (key, n_repeats), (difference, low, high, outcome) in pairs.items():
    if key == ("cross_entropy", "poly1"):
        print(f"{n_repeats} x 5 folds: {difference:+.3f} [{low:+.3f}, {high:+.3f}] {outcome}")
print(next(p["verdict"] for p in comparison.pairs_ if {p["a"], p["b"]} == set(losses[:2])))

# %%
# Each interval is that of the difference in accuracy; the green band is what does not matter
# (``rope``). An interval that crosses its edge is undecided. The clear difference to the right is
# decided by four repeats, about as many as the summary said; the small one to the left is not.
fig, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained", sharey=True)
for ax, key in zip(axes, [tuple(losses[:2]), tuple(losses[::2])], strict=True):
    ax.axhspan(-0.01, 0.01, color="#009E73", alpha=0.2, lw=0)
    ax.axhline(0, color="#6b7280", lw=1)
    for place, n_repeats in enumerate(counts):
        difference, low, high, outcome = pairs[key, n_repeats]
        color = "#6b7280" if outcome == "undecided" else "#D55E00"
        ax.plot([place, place], [low, high], color=color, lw=3, solid_capstyle="round")
        ax.plot(place, difference, "o", color=color, ms=8)
        ax.annotate(
            outcome, (place, high), xytext=(0, 6), textcoords="offset points", ha="center",
            fontsize="small", color=color,
        )  # fmt: skip
    ax.set_xticks(range(len(counts)), [f"{n} x 5" for n in counts])
    ax.set(xlabel="repeats x folds", title=f"{key[0]} minus {key[1]}", xlim=(-0.6, 2.6))
    ax.grid(axis="y", alpha=0.3)
    ax.margins(y=0.15)
axes[0].set_ylabel("difference in accuracy")
plt.show()

# %%
# Why the interval stops shrinking
# --------------------------------
#
# Repeats use the same images again. With J fits of each loss, a standard deviation s of the
# difference between folds, and training sets four times as large as the held-out part, the variance
# of the mean difference is about ``s² (1 / J + 1 / 4)``
# (`Nadeau and Bengio 2003 <https://doi.org/10.1023/A:1024068626366>`_). The first part vanishes
# with repeats, the second does not. The usual t interval forgets it.
fits = np.arange(5, 101)
corrected = stats.t.ppf(0.975, fits - 1) * np.sqrt(1 / fits + 0.25)
usual = stats.t.ppf(0.975, fits - 1) * np.sqrt(1 / fits)
fig, ax = plt.subplots(figsize=(8.5, 3.6), layout="constrained")
ax.plot(fits / 5, corrected, color="#0072B2", lw=2.5, label="corrected for the overlap")
ax.plot(fits / 5, usual, color="#E69F00", lw=2.5, ls="--", label="usual t interval")
ax.axhline(1.96 * 0.5, color="#6b7280", lw=1, ls=":")
ax.text(19.8, 0.93, "never below this", ha="right", va="top", fontsize="small", color="#4b5563")
ax.set(
    xlabel="repeats of five folds",
    ylabel="half the width,\nin standard deviations",
    ylim=(0, 1.9),
    xlim=(1, 20),
)
ax.set_xticks([1, 5, 10, 15, 20])
ax.grid(alpha=0.3)
ax.legend(frameon=False)
plt.show()

# %%
# What to remember
# ----------------
#
# - "Undecided" is an answer: these images do not tell the two apart. Take either.
# - ``more_repeats`` in ``pairs_`` is the number that would probably decide, or None.
# - A few repeats help, many do not. More images do.
# - A smaller ``rope`` asks for more precision, a larger one for less: choose it before looking.
folder.cleanup()
