"""
Imbalanced classes: losses for a long tail
==========================================

When a few classes are frequent and many are rare, plain cross entropy learns the rare ones late;
weights, margins and shifted scores are compared.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import recall_score

from sklearnloss import ResNetClassifier

# %%
# Digits with a long tail
# -----------------------
# Each digit occurs about 0.7 times as often as the one before. The order of the digits was
# drawn at random, so that the rare ones are not the difficult ones by design. All held-out
# images are used for the scores.
X, y = load_digits(return_X_y=True)
X = X.reshape(-1, 8, 8).astype(np.float32)
test = np.arange(1, len(y), 2)
rng = np.random.default_rng(0)
order = rng.permutation(10)
counts = np.round(85 * 0.7 ** np.arange(10)).astype(int)
train = np.concatenate(
    [np.flatnonzero(y[::2] == digit)[:n] * 2 for digit, n in zip(order, counts, strict=True)]
)
print(dict(zip(order.tolist(), counts.tolist(), strict=True)))

# %%
# Four ways to train
# ------------------
# * ``class_weight="balanced"`` multiplies the loss of a class by a weight, so that all classes
#   have the same total.
# * :class:`~sklearnloss.losses.LDAMLoss` demands a larger margin for rare classes.
# * :class:`~sklearnloss.losses.LogitAdjustedLoss` adds the logarithm of the frequency to the
#   scores in training only, so that without it rare classes are not put at a disadvantage.
#
# The class counts, which the last two need, are filled in by ``fit``.
ways = {
    "cross_entropy": {"loss": "cross_entropy"},
    "class_weight": {"loss": "cross_entropy", "class_weight": "balanced"},
    "ldam": {"loss": "ldam", "loss__max_margin": 2.0},
    "logit_adjusted": {"loss": "logit_adjusted"},
}
recall = {}
for epochs in (5, 12):
    for name, settings in ways.items():
        model = ResNetClassifier(width=8, max_epochs=epochs, lr=5e-3, batch_size=32)
        model.set_params(random_state=0, **settings).fit(X[train], y[train])
        recall[epochs, name] = recall_score(y[test], model.predict(X[test]), average=None)[order]
        print(f"{epochs} epochs, {name}: balanced accuracy {recall[epochs, name].mean():.2f}")

# %%
# Recall of each class, from frequent to rare
# -------------------------------------------
# The mean over the classes, in the legend, is the balanced accuracy.
fig, axes = plt.subplots(
    2, 2, figsize=(9, 5), height_ratios=[1, 3.5], sharex=True, sharey="row", layout="constrained"
)
colors = dict(zip(ways, ["#1d2433", "#0072B2", "#E69F00", "#009E73"], strict=True))
for (above, ax), epochs in zip(axes.T, (5, 12), strict=True):
    above.bar(range(10), counts, color="#b8bfcc")
    above.set_title(f"{epochs} epochs")
    for name, marker in zip(ways, "osD^", strict=True):
        values = recall[epochs, name]
        label = f"{name} {values.mean():.2f}"
        ax.plot(values, color=colors[name], marker=marker, lw=2, label=label)
    ax.set(xlabel="digit, from frequent to rare", ylim=(0, 1.02))
    ax.set_xticks(range(10), order)
    ax.legend(frameon=False, loc="lower left", fontsize=8.5)
    for each in (above, ax):
        each.spines[["top", "right"]].set_visible(False)
        each.grid(axis="y", alpha=0.3)
axes[0, 0].set_ylabel("training images")
axes[1, 0].set_ylabel("recall, held-out")
plt.show()

# %%
# What to remember
# ----------------
# * After few epochs plain cross entropy has hardly learned the rarest digits. Weights and shifted
#   scores find them much earlier.
# * The longer the training, the less weights change, as in the experiments of `Byrd and Lipton
#   2019 <https://arxiv.org/abs/1812.03372>`_. After twenty epochs, not shown here, nothing was left
#   of their advantage, while that of ``logit_adjusted`` became smaller.
# * ``ldam`` did not help here. Its paper also normalizes features and weights, and reweights
#   classes late in training, which this loss alone does not do.
# * This is one seed. :ref:`sphx_glr_examples_4_evidence_plot_seeds.py` shows how much seeds matter.
# * Score by ``"balanced_accuracy"``: with the accuracy of data as unequal as this, a loss that
#   ignores rare classes looks good.
# * The papers: `Cao et al. 2019 <https://arxiv.org/abs/1906.07413>`_, `Menon et al. 2021
#   <https://arxiv.org/abs/2007.07314>`_.
