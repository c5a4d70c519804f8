"""
Segmentation metrics compared on six kinds of errors
====================================================

A search finds what its metric rewards: six kinds of errors show what each metric sees.

They are made in one true mask. The metrics look at overlap, outline, the farthest pixel, or the
probabilities.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from scipy.ndimage import binary_dilation, binary_erosion, distance_transform_edt, shift

from sklearnloss.datasets import load_nuclei
from sklearnloss.metrics import (
    boundary_iou_score,
    dice_score,
    expected_calibration_error,
    hausdorff_distance,
    iou_score,
    surface_dice_score,
)

# %%
# The truth is a part of a microscopy image with numbered nuclei.
_, labels = load_nuclei(instances=True)
labels = labels[256:384, 128:256]
truth = labels > 0
numbers, sizes = np.unique(labels[truth], return_counts=True)
print(f"{len(numbers)} nuclei, {truth.mean():.0%} of the pixels")

# %%
# Errors made on purpose: an outline that is one pixel off, to both sides or along an axis; nuclei
# that are not found; a small false object, far from everything; and the true mask with
# probabilities that are too low.
outside = distance_transform_edt(np.pad(~truth, 1))[1:-1, 1:-1]  # not at the edge of the image
row, column = np.unravel_index(np.argmax(outside), truth.shape)
speck = truth.copy()
speck[row - 2 : row + 2, column - 2 : column + 2] = True
smallest = numbers[np.argsort(sizes)[:3]]
masks = {
    "one pixel\ntoo large": binary_dilation(truth),
    "one pixel\ntoo small": binary_erosion(truth),
    "shifted by\ntwo pixels": shift(truth.astype(float), (0, 2), order=0) > 0.5,
    "smallest three\nmissed": truth & ~np.isin(labels, smallest),
    "one false\nspeck": speck,
    "right, but\nunsure": truth,
}

# %%
# The model says .95 for what it predicts, and .6 in the last case. All scores are of the class
# "nucleus", ``labels=[True]``.
table = []
for name, mask in masks.items():
    sure = 0.6 if "unsure" in name else 0.95
    probability = np.where(mask, sure, 1 - sure)[None]
    pair = truth[None], mask[None]
    table.append(
        [
            dice_score(*pair, labels=[True]),
            iou_score(*pair, labels=[True]),
            boundary_iou_score(*pair, labels=[True], width=2),
            surface_dice_score(*pair, labels=[True], tolerance=1),
            hausdorff_distance(*pair, labels=[True], percentile=100),
            hausdorff_distance(*pair, labels=[True], percentile=95),
            expected_calibration_error(truth[None], np.stack([1 - probability, probability], 1)),
        ]
    )
table = np.array(table).T
metrics = [
    "Dice",
    "IoU",
    "boundary IoU, 2 pixels",
    "surface Dice, 1 pixel",
    "Hausdorff distance",
    "the same, 95 %",
    "calibration error",
]

# %%
# The darker a cell, the worse the score, on a scale for each metric from perfect to the worst of
# these errors. For the last three, 0 is best.
perfect = np.array([1, 1, 1, 1, 0, 0, 0])[:, None]
distance = np.abs(table - perfect)
darkness = distance / np.maximum(distance.max(axis=1, keepdims=True), 1e-9)

fig = plt.figure(figsize=(9, 6.4), layout="constrained")
grid = fig.add_gridspec(2, 6, height_ratios=[1, 2.2])
colors = ListedColormap(["white", "#9ca3af", "#E69F00", "#0072B2"])
for k, (name, mask) in enumerate(masks.items()):
    ax = fig.add_subplot(grid[0, k])
    kinds = np.where(truth & mask, 1, 0) + 2 * (mask & ~truth) + 3 * (truth & ~mask)
    ax.imshow(kinds, cmap=colors, vmin=0, vmax=3, interpolation="nearest")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_title(name, fontsize="medium")
ax = fig.add_subplot(grid[1, :])
ax.imshow(darkness, cmap="Greys", vmin=0, vmax=1.3, aspect="auto")
for i, j in np.ndindex(table.shape):
    text = f"{table[i, j]:.1f}" if i in (4, 5) else f"{table[i, j]:.2f}"
    color = "white" if darkness[i, j] > 0.7 else "black"
    ax.text(j, i, text, ha="center", va="center", color=color)
ax.set_yticks(range(len(metrics)), metrics)
ax.set_xticks([])
ax.tick_params(length=0)
for spine in ax.spines.values():
    spine.set_visible(False)
names = ["found", "false alarm", "missed"]
patches = [plt.Rectangle((0, 0), 1, 1, color=color) for color in ("#9ca3af", "#E69F00", "#0072B2")]
fig.legend(patches, names, loc="outside lower center", ncols=3, frameon=False)
plt.show()

# %%
# What each one sees
# ------------------
#
# - **Dice and IoU** count pixels. They see large errors and forget small ones: the speck costs
#   nearly nothing, and so does a small nucleus in an image with large ones. Both order two masks of
#   one class alike, since ``IoU = Dice / (2 - Dice)``.
# - **Boundary IoU** compares rims, so an outline that is off by a pixel or two costs about half of
#   it. For large objects, Dice hardly notices that.
# - **Surface Dice** forgives up to its tolerance, a pixel here, and nothing beyond: the shift by
#   two pixels costs half of it, the mask that is a pixel too large almost nothing.
# - **The Hausdorff distance** sees only the worst pixel. The speck is nearly as bad as three missed
#   nuclei, and the rest of the mask does not matter. Its 95th percentile does not see the speck at
#   all.
# - **The calibration error** looks at probabilities: it alone sees that a model is unsure, and it
#   hardly sees that three nuclei are missing.

# %%
# Small objects
# -------------
#
# The same error costs a small object more than a large one. Disks of growing radius, each predicted
# one pixel too small:
radii = np.arange(2, 31)
rows, columns = np.ogrid[-40:41, -40:41]
curves = {"Dice": [], "IoU": [], "boundary IoU, 2 pixels": []}
for radius in radii:
    disk = (rows**2 + columns**2 <= radius**2)[None]
    smaller = (rows**2 + columns**2 <= (radius - 1) ** 2)[None]
    curves["Dice"].append(dice_score(disk, smaller, labels=[True]))
    curves["IoU"].append(iou_score(disk, smaller, labels=[True]))
    curves["boundary IoU, 2 pixels"].append(
        boundary_iou_score(disk, smaller, labels=[True], width=2)
    )
fig, ax = plt.subplots(figsize=(8.5, 3.6), layout="constrained")
for (name, values), color, line in zip(
    curves.items(), ["#0072B2", "#E69F00", "#009E73"], ["-", "--", "-."], strict=True
):
    ax.plot(radii, values, line, color=color, lw=2.5, label=name)
ax.set(xlabel="radius in pixels", ylabel="score", ylim=(0, 1))
ax.set_title("A disk that is predicted one pixel too small", loc="left")
ax.grid(alpha=0.3)
ax.legend(frameon=False, loc="lower right")
plt.show()

# %%
# What to remember
# ----------------
#
# - Choose the metric before the loss: a search finds what the metric rewards.
# - For thin or touching objects add a metric of outlines, for safety one of distances, for
#   probabilities that are used further the calibration error.
# - With several metrics: :ref:`sphx_glr_examples_3_searching_plot_several_goals.py`.
