"""
Train one network with different losses
=======================================

One network, one image, three losses: only the argument ``loss`` differs.

The data is one fluorescence microscopy image, cut into 64 tiles. Each pixel is background,
nucleus, or the border of a nucleus, a rim of one pixel. The border is rare, about 4 % of the
pixels, and therefore easy to ignore.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearnloss import UNetSegmenter
from sklearnloss.datasets import load_nuclei
from sklearnloss.losses import CrossEntropyLoss, DiceLoss
from sklearnloss.metrics import dice_score

X, y, groups = load_nuclei()
train, test = groups != 2, groups == 2
print("images", X.shape, X.dtype, "- masks", y.shape, "- labels", np.unique(y))

# %%
# Three losses
# ------------
# A loss is a name, an object, or a sum of objects. Everything else about the three models is
# the same: network, initial weights, order of the images, number of epochs.
losses = {
    "cross entropy": "cross_entropy",
    "Dice": "dice",
    "Dice + cross entropy": DiceLoss() + 0.5 * CrossEntropyLoss(),
}
model = UNetSegmenter(width=8, depth=2, max_epochs=10, batch_size=4, lr=1e-2, random_state=0)
masks = {}
for name, loss in losses.items():
    model.set_params(loss=loss).fit(X[train], y[train])
    masks[name] = model.predict(X[test])

# %%
# The masks
# ---------
# The quadrant in the picture was held out. Blue is nucleus, orange is border.


def assemble(tiles):
    """Put the 16 tiles of a quadrant back where they were cut, and return a part of it."""
    whole = tiles.reshape(4, 4, 64, 64).swapaxes(1, 2).reshape(256, 256)
    return whole[20:180, :80]


colors = np.array([[22, 24, 38], [86, 180, 233], [230, 159, 0]], dtype=np.uint8)
fig, axes = plt.subplots(1, 5, figsize=(9, 4), layout="constrained")
axes[0].imshow(assemble(X[test]), cmap="gray", vmax=110)
axes[0].set_title("image", fontsize=10)
axes[1].imshow(colors[assemble(y[test])])
axes[1].set_title("annotation", fontsize=10)
for ax, (name, mask) in zip(axes[2:], masks.items(), strict=True):
    border = dice_score(y[test], mask, labels=[2])
    ax.imshow(colors[assemble(mask)])
    ax.set_title(f"{name}\nborder Dice {border:.2f}", fontsize=10)
for ax in axes:
    ax.set_axis_off()
plt.show()

# %%
# Cross entropy counts every pixel alike. A pixel that is border with a probability of 40 % is
# called nucleus, and most of the border is uncertain, so little of it remains. The Dice loss
# counts the overlap of each class, however small the class is.

# %%
# Parameters of a loss
# --------------------
# They are parameters of the estimator, too, and those of a sum have the name of the term in
# front. So scikit-learn's searches can set them.
model.set_params(loss="tversky", loss__alpha=0.3, loss__beta=0.7)
print(model.get_params()["loss__beta"])
model.set_params(loss="dice+focal", loss__focal__gamma=3, loss__weights__dice=0.5)
print(model.get_params()["loss__focal__gamma"])

# %%
# What to remember
# ----------------
# * ``loss`` takes a name, a sum of names, an object of :mod:`sklearnloss.losses`, or your own
#   function; see :doc:`/how_to/write_your_own_loss`.
# * On rare structures the loss decides what is found. On easy, frequent ones it hardly matters.
# * Scores of a single split are an impression, not evidence:
#   :ref:`sphx_glr_examples_1_first_steps_plot_compare_losses.py` repeats the comparison.
# * All losses: :doc:`/losses/index`.
