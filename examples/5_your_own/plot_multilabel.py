"""
Multilabel segmentation: labels that overlap
============================================

With ``multilabel=True`` a pixel may have several labels at once, or none.

Masks have a channel per label. Here handwritten digits lie on top of each other, and the network
has to say of each pixel which digits it belongs to.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from sklearnloss import UNetSegmenter
from sklearnloss.metrics import dice_score

# %%
# The images
# ----------
# Zeros and ones from scikit-learn's digits, enlarged to 16 x 16 pixels, at random positions.
# Where two digits overlap, the brighter pixel is seen. A mask is (2, height, width): where is a
# zero, where is a one?

digits, names = load_digits(return_X_y=True)
digits = digits.reshape(-1, 8, 8) / 16


def make_scenes(n, seed, size=32):
    """Return images (n, size, size) and masks (n, 2, size, size)."""
    rng = np.random.default_rng(seed)
    images = np.zeros((n, size, size), dtype="float32")
    masks = np.zeros((n, 2, size, size), dtype="uint8")
    for image, mask in zip(images, masks, strict=True):
        for label in rng.permutation([0, 0, 1, 1]):
            digit = digits[rng.choice(np.flatnonzero(names == label))].repeat(2, 0).repeat(2, 1)
            row, column = rng.integers(0, size - 15, 2)
            window = np.s_[row : row + 16, column : column + 16]
            image[window] = np.maximum(image[window], digit)
            mask[label][window] |= digit > 0.3
    return images + 0.1 * rng.standard_normal(images.shape).astype("float32"), masks


X, y = make_scenes(200, seed=0)
X_test, y_test = make_scenes(60, seed=1)
both = (y_test.sum(1) == 2).mean() / (y_test.sum(1) > 0).mean()
print(f"{both:.0%} of the pixels of digits have both labels")

# %%
# One network, two decisions per pixel
# ------------------------------------
# The loss needs a sigmoid form; ``UNetSegmenter`` refuses others. "dice+bce" is the default.

settings = {
    "width": 8,
    "depth": 3,
    "batch_size": 8,
    "max_epochs": 12,
    "lr": 1e-2,
    "random_state": 0,
}
model = UNetSegmenter("dice+bce", multilabel=True, classes=["zero", "one"], **settings)
model.fit(X, y)
masks = model.predict(X_test)
print(masks.shape, model.classes_)
print("Dice of each label:", dice_score(y_test, masks, multilabel=True, average=None).round(3))

# %%
# With classes that exclude each other, one of the two has to be given up where they overlap. For
# comparison, a network whose third class is background, trained on masks in which ones lie on top:

exclusive = np.where(y[:, 1] == 1, 2, np.where(y[:, 0] == 1, 1, 0))
one_class = UNetSegmenter("dice+cross_entropy", **settings).fit(X, exclusive).predict(X_test)
one_class = np.stack([one_class == 1, one_class == 2], axis=1).astype("uint8")
print("Dice of each label:", dice_score(y_test, one_class, multilabel=True, average=None).round(3))

# %%
# What is found
# -------------


def in_color(mask):
    """Return zeros in blue, ones in orange, and pixels of both in white."""
    colors = np.array([[0, 0, 0], [0.0, 0.45, 0.7], [0.9, 0.62, 0.0], [1, 1, 1]])
    return colors[mask[0] + 2 * mask[1]]


overlap = (y_test.sum(1) == 2).mean((1, 2))
chosen = np.argsort(overlap)[::-1][[3, 8, 12]]  # images with much overlap
fig, axes = plt.subplots(3, 4, figsize=(8.2, 6.6), layout="constrained")
for row, k in zip(axes, chosen, strict=True):
    row[0].imshow(X_test[k], cmap="gray")
    for ax, mask in zip(row[1:], (y_test[k], masks[k], one_class[k]), strict=True):
        ax.imshow(in_color(mask), interpolation="nearest")
for ax, title in zip(
    axes[0], ["image", "truth", "multilabel=True", "exclusive classes"], strict=True
):
    ax.set_title(title, fontsize=10)
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
handles = [
    plt.Rectangle((0, 0), 1, 1, facecolor=color, edgecolor="0.5")
    for color in ("#0073B3", "#E69E00", "white")
]
fig.legend(handles, ["zero", "one", "both"], loc="outside lower center", ncols=3)
plt.show()

# %%
# Where the digits overlap, the second network can only answer with one of them.
#
# A threshold for each label
# --------------------------
# A label is predicted if its probability is above .5. ``fit_threshold`` chooses a threshold for
# each, on images outside of the training (:ref:`sphx_glr_examples_5_your_own_plot_threshold.py`).

X_new, y_new = make_scenes(60, seed=2)
model.fit_threshold(X_new, y_new, scoring="dice")
print("thresholds:", model.threshold_.round(2))
masks = model.predict(X_test)
print("Dice of each label:", dice_score(y_test, masks, multilabel=True, average=None).round(3))

# %%
# What to remember
# ----------------
# - ``multilabel=True``, masks (n, K, height, width) of 0 and 1, and a loss with a sigmoid form.
# - ``classes=`` names the labels; ``predict_proba`` returns a probability for each, and these
#   need not add up to 1.
# - Losses for many labels of which few are present: :class:`~sklearnloss.losses.AsymmetricLoss`.
#
# More: :doc:`/losses/index` says which losses have a sigmoid form.
