r"""
Write a loss as a class
=======================

From a formula to a loss that can be searched over: write it, check it, look at it, name it,
compare it.

The example is the geometric mean of precision and recall, which this library does not have:

.. math:: \ell = 1 - \text{precision}^{a}\, \text{recall}^{1-a}

Its weight *a* says which of the two matters more.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import precision_score, recall_score
from sklearn.model_selection import GroupKFold

from sklearnloss import LossSearchCV, UNetSegmenter
from sklearnloss.datasets import load_nuclei
from sklearnloss.losses import RegionLoss, check_loss, get_loss, register_loss

# %%
# Write it
# --------
# A :class:`~sklearnloss.losses.RegionLoss` has one value per image and class, computed from soft
# counts of pixels: ``counts.tp`` (true positives), ``fp``, ``fn``, ``tn``, ``p`` (predicted) and
# ``t`` (true). The base class does the rest: sigmoid or softmax, checks of shapes, ignored pixels,
# sample and class weights, ``reduction``, and sums with other losses. ``__init__`` stores its
# arguments under their names and does nothing else.
#
# For a loss with a value per *pixel*, use :class:`~sklearnloss.losses.PixelLoss` in the same way.


class GeometricMeanLoss(RegionLoss):
    """1 - precision^weight * recall^(1 - weight), from soft counts."""

    search_space = {"weight": (0.2, 0.8)}

    def __init__(self, weight=0.5, eps=1e-3, *, batch=False, ignore_index=None, reduction="mean"):
        self.weight = weight
        super().__init__(eps, batch=batch, ignore_index=ignore_index, reduction=reduction)

    def per_class(self, counts):
        """Return the loss of each image and class, (n, C)."""
        precision = (counts.tp + self.eps) / (counts.p + self.eps)
        recall = (counts.tp + self.eps) / (counts.t + self.eps)
        return 1 - precision**self.weight * recall ** (1 - self.weight)


# %%
# Look at it
# ----------
# What does the formula prefer? Along a line of one color the loss is the same: with a weight of
# 0.2 it is best to gain recall, with 0.8 precision. The dashed lines are those of Dice, the
# harmonic mean of the two.

precision, recall = np.meshgrid(np.linspace(0.02, 1, 200), np.linspace(0.02, 1, 200))
fig, axes = plt.subplots(1, 3, figsize=(9, 3.3), sharey=True, layout="constrained")
levels = np.arange(0, 1.01, 0.1)
for ax, weight in zip(axes, [0.2, 0.5, 0.8], strict=True):
    loss = 1 - precision**weight * recall ** (1 - weight)
    filled = ax.contourf(precision, recall, loss, levels, cmap="cividis_r")
    ax.contour(
        precision,
        recall,
        1 - 2 * precision * recall / (precision + recall),
        levels,
        colors="white",
        linestyles="--",
        linewidths=0.8,
    )
    ax.set(title=f"weight={weight}", xlabel="precision", aspect="equal")
axes[0].set_ylabel("recall")
fig.colorbar(filled, ax=axes, label="loss", shrink=0.85)
plt.show()

# %%
# Check it
# --------
# :func:`~sklearnloss.losses.check_loss` tests it on all kinds of targets that it accepts.

report = check_loss(GeometricMeanLoss(), "segmentation", verbose=False)
print("\n".join(str(report).splitlines()[:13]), "\n    ...")

# %%
# Name it
# -------
# A registered class can be used by name, in sums too, and reports are labeled with it.

register_loss("geometric_mean", GeometricMeanLoss)
print(get_loss("geometric_mean+0.5*bce", geometric_mean__weight=0.3))

# %%
# Does the weight do what it should?
# ----------------------------------
# Three fits on three quadrants of a microscopy image, each evaluated on the fourth.

X, y, groups = load_nuclei(border=False)
train, test = groups < 3, groups == 3
model = UNetSegmenter(
    "geometric_mean", width=8, depth=2, max_epochs=6, batch_size=4, lr=1e-2, random_state=0
)
weights = [0.2, 0.5, 0.8]
scores = []
for weight in weights:
    model.set_params(loss__weight=weight).fit(X[train], y[train])
    truth, found = y[test].ravel(), model.predict(X[test]).ravel()
    scores.append((precision_score(truth, found), recall_score(truth, found)))
    print(f"weight={weight}: precision {scores[-1][0]:.3f}, recall {scores[-1][1]:.3f}")

fig, ax = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
for name, color, marker, values in zip(
    ["precision", "recall"], ["#0072B2", "#D55E00"], "os", zip(*scores, strict=True), strict=True
):
    ax.plot(weights, values, color=color, marker=marker, label=name)
ax.set(xlabel="weight of precision", ylabel="score on the held-out quadrant", xticks=weights)
ax.legend(frameon=False, loc="lower right")
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# Compare it
# ----------
# The search uses ``search_space``, and trains your loss and the built-in ones on the same folds
# from the same initial weights. The answer is about this image and these very short fits.

search = LossSearchCV(
    model.set_params(loss="geometric_mean", max_epochs=2),
    ["geometric_mean", "dice"],
    n_trials=3,
    cv=GroupKFold(2),
    random_state=0,
)
search.fit(X[train], y[train], groups=groups[train])
print(search.best_loss_, search.best_params_)
print(search.verdict_)

# %%
# What to remember
# ----------------
# - A formula of counts is a ``RegionLoss`` with ``per_class``; one of single pixels is a
#   ``PixelLoss`` with ``values``; anything else is a ``Loss`` with ``forward``.
# - ``search_space`` says what is worth tuning: ``(low, high)``, ``(low, high, "log")`` or a list.
# - To save a model with such a loss, nothing changes; to load it, pass the class in
#   ``custom={...}`` unless it is registered (:doc:`/how_to/saving`).
#
# More: :doc:`/how_to/write_your_own_loss`. If a plain function is enough:
# :ref:`sphx_glr_examples_5_your_own_plot_own_loss.py`.
