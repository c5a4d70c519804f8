"""
Predict large images in overlapping tiles
=========================================

A network that was trained on small tiles predicts an image of any size, at once or in overlapping
tiles that are blended.

This example predicts a whole microscopy image of 512 x 512 pixels and shows what blending
prevents.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearnloss import UNetSegmenter
from sklearnloss.datasets import load_nuclei
from sklearnloss.metrics import dice_score

X, y, groups = load_nuclei(border=False)
model = UNetSegmenter(
    "dice+bce", width=8, depth=3, batch_size=4, max_epochs=8, lr=1e-2, random_state=0
)
model.fit(X[groups < 2], y[groups < 2])  # the upper half of the image

image, numbers = load_nuclei(instances=True)
truth = (numbers > 0).astype("uint8")

# %%
# Three ways
# ----------
# - The naive one: cut the image into tiles, predict each, put the masks side by side. At its
#   edges a tile does not know what comes next.
# - ``tile=64``: the tiles overlap, and the closer a pixel is to the edge of a tile, the less that
#   tile counts.
# - At once. This is the default up to 2048 x 2048 pixels; beyond, tiles of 1024 are used.

tiles = image.reshape(8, 64, 8, 64).swapaxes(1, 2).reshape(-1, 64, 64)
side_by_side = model.predict_proba(tiles)[:, 1]
side_by_side = side_by_side.reshape(8, 8, 64, 64).swapaxes(1, 2).reshape(512, 512)
blended = model.set_params(tile=64).predict_proba(image[None])[0, 1]
at_once = model.set_params(tile=None).predict_proba(image[None])[0, 1]

ways = {"side by side": side_by_side, "blended, tile=64": blended, "at once": at_once}
part = np.s_[288:448, 32:192]  # in the lower half, across borders of tiles
fig, axes = plt.subplots(2, 3, figsize=(8.6, 5.4), layout="constrained")
for column, (name, probability) in zip(axes.T, ways.items(), strict=True):
    column[0].imshow(probability, cmap="cividis", vmin=0, vmax=1)
    column[0].add_patch(
        plt.Rectangle((32, 288), 160, 160, fill=False, color="white", linewidth=1.5)
    )
    column[0].set_title(name, fontsize=11)
    shown = column[1].imshow(probability[part], cmap="cividis", vmin=0, vmax=1)
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
fig.colorbar(shown, ax=axes, label="probability of a nucleus", shrink=0.5)
plt.show()

# %%
# Numbers
# -------
# How much the probability jumps from one pixel to the next, across the borders of tiles and
# elsewhere, and the score on the lower half of the image, which the network has not seen:

at_border = np.zeros(511, bool)
at_border[63::64] = True
print(f"{'':18} jumps at borders  elsewhere   Dice")
for name, probability in ways.items():
    jumps = np.abs(np.diff(probability, axis=1)).mean(0)
    dice = dice_score(truth[None, 256:], (probability[None, 256:] > 0.5).astype(int), labels=[1])
    print(f"{name:18} {jumps[at_border].mean():16.4f} {jumps[~at_border].mean():10.4f} {dice:6.3f}")

# %%
# Blending removes the jumps. That tiles of the size of training score a little higher than the
# whole image is no rule: the normalization layers average over what they are given, which in a
# tile is as it was in training.
#
# Test-time augmentation
# ----------------------
# ``tta="flip"`` averages the scores of the image and of its mirror images along both axes, four
# predictions in all.

averaged = model.set_params(tta="flip").predict_proba(image[None])[0, 1]
dice = dice_score(truth[None, 256:], (averaged[None, 256:] > 0.5).astype(int), labels=[1])
print(f"at once, with tta: Dice {dice:.3f}")

# %%
# For this model and image it changes next to nothing, at four times the cost.
#
# What to remember
# ----------------
# - Train on tiles, predict whole images; ``tile=`` bounds the memory.
# - ``tile`` and ``tta`` have no effect on training, and can be set on a fitted model.
# - Images larger than memory, in TIFF, Zarr or ``.npy`` files, are read and written in parts by
#   :func:`~sklearnloss.predict_files`.
#
# More: :doc:`/how_to/using_the_best_model`. Objects in such a mask:
# :ref:`sphx_glr_examples_5_your_own_plot_objects.py`.
