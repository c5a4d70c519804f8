"""
How a search stops bad candidates early
=======================================

All candidates of a search begin with the first fold, and those that fall behind are stopped there,
some in the middle of it.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearnloss import LossSearchCV, UNetSegmenter
from sklearnloss.datasets import load_nuclei

# %%
# Six losses on tiles of a microscopy image with a rare class, the border of nuclei; 18 candidates,
# four folds. Training everything would take 18 x 4 x 6 epochs.
X, y, groups = (each[::4] for each in load_nuclei())
search = LossSearchCV(
    UNetSegmenter(width=4, depth=2, batch_size=4, max_epochs=6, lr=2e-2),
    ["dice", "dice+cross_entropy", "cross_entropy", "focal", "tversky", "hinge"],
    n_trials=18,
    scoring="dice",
    refit=False,
    random_state=0,
)
search.fit(X, y, groups=groups)
results = search.cv_results_
total = len(results["loss"]) * search.n_splits_ * 6
print(f"{results['n_epochs'].sum()} of {total} epochs were trained")

# %%
# Each row is a candidate, the best one at the top, and each square an epoch. Blue ones were
# trained; the outlined ones were not needed.
n_epochs = results["n_epochs"].astype(int)
done = results["trial_state"] == "COMPLETE"
order = np.lexsort((-results["last_report"], -n_epochs, ~done))
fig, ax = plt.subplots(figsize=(9, 5), layout="constrained")
for row, k in enumerate(order):
    for epoch in range(search.n_splits_ * 6):
        trained = epoch < n_epochs[k]
        color = "#0072B2" if done[k] else "#56B4E9"
        ax.add_patch(
            plt.Rectangle(
                (epoch + 0.1, row - 0.36),
                0.8,
                0.72,
                facecolor=color if trained else "none",
                edgecolor=color if trained else "#d1d5db",
                lw=0.6,
            )
        )
    text = f" {results['last_report'][k]:.3f}"
    ax.text(search.n_splits_ * 6, row, text, va="center", fontsize="small")
for fold in range(1, search.n_splits_):
    ax.axvline(6 * fold, color="black", lw=1)
ax.set(xlim=(0, search.n_splits_ * 6), ylim=(len(order) - 0.4, -0.6))
ax.set_yticks(range(len(order)), results["loss"][order], fontsize="small")
ax.set_xticks(
    3 + 6 * np.arange(search.n_splits_), [f"fold {f + 1}" for f in range(search.n_splits_)]
)
ax.tick_params(length=0)
ax.set_title("Epochs trained; mean Dice of the finished folds or epochs", loc="left")
for side in ax.spines.values():
    side.set_visible(False)
plt.show()

# %%
# Within the first fold
# ---------------------
#
# The scores after each epoch of the first fold, on its held-out images. A candidate is stopped
# within the fold only if the gap is larger than what others have made up after that epoch. Losses
# differ in how fast they learn, so an early gap proves little.
fig, ax = plt.subplots(figsize=(9, 4.2), layout="constrained")
losses = ["dice", "dice+cross_entropy", "cross_entropy", "focal", "tversky", "hinge"]
colors = ["#0072B2", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#D55E00"]
drawn = set()
for trial in search.study_.trials:
    curve = {step: value for step, value in trial.intermediate_values.items() if step <= 6}
    loss = trial.params["loss"]
    if not curve:
        continue
    stopped = max(curve) < 6
    ax.plot(
        list(curve),
        list(curve.values()),
        color=colors[losses.index(loss)],
        marker="x" if stopped else None,
        markevery=[-1] if stopped else None,
        lw=1.8,
        label=None if loss in drawn else loss,
    )
    drawn.add(loss)
ax.set(xlabel="epoch of the first fold", ylabel="mean Dice on held-out tiles")
ax.grid(alpha=0.3)
ax.legend(frameon=False, ncols=2, loc="lower right", title="cross: stopped within the fold")
plt.show()

# %%
# The reasons
# -----------
for k in order:
    print(f"{results['loss'][k]:20} {n_epochs[k]:3} epochs, {results['reason'][k] or 'complete'}")

# %%
# And the verdict, which calls no loss worse that was only trained on one fold:
print(search.verdict_)

# %%
# What to remember
# ----------------
#
# - Good candidates cost most epochs, bad ones a fold or less.
# - An untypical first fold can stop a candidate that is good elsewhere. Groups of the same kind, or
#   shuffled folds, keep that rare.
# - ``pruner=NopPruner()`` (of Optuna) trains everything.
# - :doc:`/explanation/race` has the rules, and how often the race finds the best candidate.
