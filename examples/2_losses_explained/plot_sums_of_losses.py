"""
Add losses: how to choose the weights
=====================================

The weights of a sum of losses move the result between the overlap of a rare class and calibrated
probabilities.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearnloss import UNetSegmenter
from sklearnloss.datasets import load_nuclei
from sklearnloss.losses import CrossEntropyLoss, DiceLoss
from sklearnloss.metrics import dice_score, expected_calibration_error

X, y, groups = load_nuclei()
train, test = groups != 2, groups == 2

# %%
# How to write a sum
# ------------------
# These are the same loss. In a search, ``loss__weights__dice`` is a parameter.
print(DiceLoss() + 0.5 * CrossEntropyLoss())
print(UNetSegmenter("dice+0.5*cross_entropy").get_params()["loss__weights"])

# %%
# Four weights
# ------------
# The weights add up to one: from cross entropy alone to Dice alone.
weights = [0.0, 0.25, 0.5, 1.0]
border, error, masks = [], [], []
for weight in weights:
    loss = weight * DiceLoss() + (1 - weight) * CrossEntropyLoss()
    model = UNetSegmenter(loss, width=8, depth=2, max_epochs=10, batch_size=4, lr=1e-2)
    model.set_params(random_state=0).fit(X[train], y[train])
    masks.append(model.predict(X[test]))
    border.append(dice_score(y[test], masks[-1], labels=[2]))
    error.append(expected_calibration_error(y[test], model.predict_proba(X[test])))
    print(f"weight of Dice {weight}: border Dice {border[-1]:.3f}, ECE {error[-1]:.3f}")

# %%
# The result by weight
# --------------------


def assemble(tiles):
    """Put the 16 tiles of a quadrant back where they were cut, and return a part of it."""
    return tiles.reshape(4, 4, 64, 64).swapaxes(1, 2).reshape(256, 256)[60:160, :100]


colors = np.array([[22, 24, 38], [86, 180, 233], [230, 159, 0]], dtype=np.uint8)
fig = plt.figure(figsize=(9, 5.6), layout="constrained")
above, below = fig.subfigures(2, 1, height_ratios=[1.6, 1])
left, right = above.subplots(1, 2)
left.plot(weights, border, "o-", color="#E69F00", lw=2)
left.set(title="Dice of the border (higher is better)", ylim=(0, None))
right.plot(weights, error, "s-", color="#0072B2", lw=2)
right.set(title="error of calibration (lower is better)", ylim=(0, None))
for ax in (left, right):
    ax.set(xlabel="weight of Dice; the rest is cross entropy")
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
panels = below.subplots(1, 5)
titles = ["annotation", *(f"weight {weight}" for weight in weights)]
for ax, title, mask in zip(panels, titles, [y[test], *masks], strict=True):
    ax.imshow(colors[assemble(mask)])
    ax.set_title(title, fontsize=10)
    ax.set_axis_off()
plt.show()

# %%
# What to remember
# ----------------
# * Any share of Dice brings the border back, and more of it finds more of the border. But Dice
#   alone has the worst probabilities, several times as far off as those of the sums.
# * Around equal weights both are nearly as good as they get here, which is why sums of a region
#   loss and a pixel loss are the usual start: ``loss="auto"``.
# * Weights are relative to the scales of the terms: Dice is at most 1, cross entropy has
#   no bound, and a distance may be in the hundreds. Look at the values before you choose.
# * This is one split and one seed. :doc:`/how_to/search` tells how to tune the weights, and
#   :class:`~sklearnloss.losses.CompoundLoss` how sums are built.
