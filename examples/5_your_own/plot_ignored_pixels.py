"""
Ignore unlabeled pixels and weigh classes or images
===================================================

Pixels without a label should not count; rare classes and trusted images may count more.

Four ways to say so: ``ignore_index``, masked arrays, ``class_weight`` and ``sample_weight``.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import binary_dilation, binary_erosion
from sklearn.metrics import recall_score

from sklearnloss import UNetSegmenter
from sklearnloss.datasets import load_nuclei

X, y, groups = load_nuclei(border=False)
train, test = groups < 3, groups == 3
settings = {
    "loss": "cross_entropy",
    "width": 8,
    "depth": 2,
    "batch_size": 4,
    "max_epochs": 5,
    "lr": 1e-2,
    "random_state": 0,
}

# %%
# A mask that is only partly known
# --------------------------------
# Outlining every nucleus takes long. Assume that someone only painted a few strokes: the middle of
# the nuclei, and some background far away from them. All else is 255: not labeled.

strokes = np.full_like(y, 255)
for stroke, mask in zip(strokes, y, strict=True):
    stroke[~binary_dilation(mask, iterations=12)] = 0
    stroke[binary_erosion(mask, iterations=3)] = 1
strokes[np.random.default_rng(0).random(y.shape) > 0.25] = 255  # a quarter of these pixels
labeled = (strokes != 255).mean()
print(f"{labeled:.0%} of the pixels are labeled")

# %%
# With ``ignore_index=255`` these pixels have no effect on the loss, on the scaling of the images
# and on ``score``, and 255 is never predicted. Without it, 255 next to 0 and 1 is refused,
# because it could be a third class:

try:
    UNetSegmenter(**settings).fit(X[train], strokes[train])
except ValueError as error:
    print(error)

# %%
# The wrong way is to take everything unlabeled for background:

models = {
    "all pixels labeled": UNetSegmenter(**settings).fit(X[train], y[train]),
    "ignore_index=255": UNetSegmenter(ignore_index=255, **settings).fit(X[train], strokes[train]),
    "unlabeled is background": UNetSegmenter(**settings).fit(
        X[train], np.where(strokes == 1, 1, 0)[train]
    ),
}
k = y[test].mean((1, 2)).argmax()
fig, axes = plt.subplots(1, 4, figsize=(9, 2.9), layout="constrained")
axes[0].imshow(X[test][k], cmap="gray")
for label, color in [(0, "#0072B2"), (1, "#E69F00")]:
    axes[0].scatter(*np.nonzero(strokes[test][k] == label)[::-1], s=3, color=color)
axes[0].set_title("what is labeled", fontsize=10)
axes[0].set_xlabel("blue: background\norange: nucleus", fontsize=9)
for ax, (name, model) in zip(axes[1:], models.items(), strict=True):
    ax.imshow(X[test][k], cmap="gray")
    ax.contourf(model.predict(X[test][[k]])[0], [0.5, 1.5], colors=["#E69F00"], alpha=0.7)
    ax.contour(y[test][k], [0.5], colors="#56B4E9", linewidths=1.5)
    ax.set_title(name, fontsize=10)
    ax.set_xlabel(f"mean IoU {model.score(X[test], y[test]):.2f}\n(all pixels)", fontsize=9)
for ax in axes:
    ax.set(xticks=[], yticks=[], xlim=(-0.5, 63.5), ylim=(63.5, -0.5))
plt.show()

# %%
# The scores compare with the complete masks of the held-out quadrant; the panels show one of its
# tiles.
#
# Masked arrays
# -------------
# The mask of a masked array says the same without a number for it. In *images* it marks pixels
# without data, which are left out of the scaling; the network sees the mean there.

masked = np.ma.masked_equal(strokes, 255)
same = UNetSegmenter(**settings).fit(X[train], masked[train])
print((same.predict(X[test]) == models["ignore_index=255"].predict(X[test])).all())

# %%
# Weights of classes
# ------------------
# ``class_weight="balanced"`` gives all classes the same total weight, and a dict says it by label:
# nuclei are missed less often, at the price of false alarms.

for weight in [None, "balanced", {0: 1, 1: 20}]:
    if weight is None:
        model = models["all pixels labeled"]
    else:
        model = UNetSegmenter(class_weight=weight, **settings).fit(X[train], y[train])
    found = model.predict(X[test])
    recall = recall_score(y[test].ravel(), found.ravel())
    false = ((found == 1) & (y[test] == 0)).sum() / (found == 1).sum()
    print(f"class_weight={weight!s:15} recall {recall:.3f}, false alarms {false:.3f} of the mask")

# %%
# Weights of images
# -----------------
# ``sample_weight`` is a number per image, with the effect of that many copies. Here the masks of
# one quadrant are wrong, as if shifted by a bad registration, and get a tenth of the weight.

shifted = y.copy()
shifted[groups == 0] = np.roll(y[groups == 0], 12, axis=2)
for trust in [1.0, 0.1]:
    weight = np.where(groups == 0, trust, 1.0)[train]
    model = UNetSegmenter(**settings).fit(X[train], shifted[train], sample_weight=weight)
    print(f"weight {trust:.1f}: mean IoU {model.score(X[test], y[test]):.3f}")

# %%
# What to remember
# ----------------
# - ``ignore_index`` in estimators also goes to ``score``; scorers and metrics have it as well.
# - Masked arrays do the same without a label of their own.
# - ``class_weight`` and ``sample_weight`` are passed to the loss; all built-in losses of pixels and
#   regions use the former, and every loss with a value per image the latter.
#
# More: :doc:`/how_to/my_data` for pixels without data in files, and
# :doc:`/how_to/write_your_own_loss` for weights in a loss of your own.
