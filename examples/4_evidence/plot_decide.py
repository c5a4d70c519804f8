"""
Decide between losses on fresh folds
====================================

``resume(decide=True)`` trains the losses that a search left undecided on fresh folds, until they
are decided or it is clear that they will not be.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from torch import nn

from sklearnloss import ImageClassifier, LossSearchCV

# %%
# A search among four losses, on 200 handwritten digits.
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
search = LossSearchCV(
    model,
    ["cross_entropy", "poly1", "hinge", "focal"],
    n_trials=6,
    refit=False,
    random_state=0,
)
search.fit(X, y)
print(search.verdict_)

# %%
# What is there to decide?
before = search.verdict_
print(before.to_decide, "repeats that would decide:", before.repeats_needed)

# %%
# The decision. ``n_repeats`` is the most it may take; after a quarter and a half of the repeats it
# looks at the scores, and trains only what is still undecided.
search.resume(X, y, decide=True, n_repeats=4)
after = search.verdict_
print(after)
print(search.decision_.scores_.shape, "losses, splits, seeds")

# %%
# Before and after
# ----------------
#
# The lead of the best loss of the search over each other one, with the interval that the verdict
# uses; below zero the other one is ahead. The green band is what does not matter.
colors = {
    "best": "#111827",
    "worse": "#D55E00",
    "as good": "#009E73",
    "undecided": "#6b7280",
    "stopped early": "#9ca3af",
    "better": "#0072B2",
}
fig, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained", sharex=True, sharey=True)
names = [row["loss"] for row in before.table[1:]]
for ax, verdict, title in zip(
    axes, (before, after), ("after the search", "after fresh folds"), strict=True
):
    ax.axvspan(-verdict.rope, verdict.rope, color="#009E73", alpha=0.2, lw=0)
    ax.axvline(0, color="#6b7280", lw=1)
    for row in verdict.table:
        if row["loss"] not in names or not np.isfinite(row["difference"]):
            continue
        height, color = names.index(row["loss"]), colors[row["status"]]
        if np.isfinite(row["low"]):
            ax.plot([row["low"], row["high"]], [height] * 2, color=color, lw=3)
        ax.plot(row["difference"], height, "o", color=color, ms=8)
        ax.annotate(
            row["status"], (row["difference"], height), xytext=(0, 8), ha="center",
            textcoords="offset points", fontsize="small", color=color,
        )  # fmt: skip
    ax.set_yticks(range(len(names)), names)
    ax.set_title(title, loc="left")
    ax.set(xlabel=f"lead of {before.best} in accuracy", ylim=(len(names) - 0.5, -0.7))
    ax.margins(x=0.2)
    ax.locator_params(axis="x", nbins=5)
    ax.grid(axis="x", alpha=0.3)
plt.show()

# %%
# The interval after fresh folds is not much narrower than that of the search, though there are
# more fits: it has to hold at each of three looks at the scores. But it no longer relies on the
# folds on which the winner was chosen. It still crosses the edge of the green band, so the two
# losses stay undecided: take either, or get more images.
#
# What to remember
# ----------------
#
# - ``search.verdict_`` costs nothing; ``resume(decide=True)`` trains fits, but only those of losses
#   that are undecided. ``decision_`` is the comparison, with all of its tables and reports.
# - ``verdict_.repeats_needed`` says beforehand how many repeats would probably decide. It is an
#   estimate from the lead in the search, which is often too large.
# - With a ``storage`` the fits of a decision are kept, and the same call goes on.
# - The rules are in :doc:`/explanation/race`.
