"""
Touching objects: a class for the border
========================================

A third class, the border, separates objects that touch, if the loss takes a rare class seriously.

A mask of nuclei and background cannot tell two nuclei that touch from one.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy import ndimage

from sklearnloss import UNetSegmenter
from sklearnloss.datasets import load_nuclei

# Tiles of three quadrants for training, with two classes and with three; the fourth quadrant is
# held out, and predicted as one image.
X, two_classes, groups = load_nuclei(border=False)
_, three_classes, _ = load_nuclei(border=True)
train = groups != 2
whole, numbers = load_nuclei(instances=True)
image, true = whole[256:, :256], numbers[256:, :256]

# %%
# Four models
# -----------
# With two classes, connected pixels are one object. With three, connected pixels of the inner
# part are; border pixels are then given to the nearest object. The last model has weights for
# background, inner part and border.


def number_objects(mask):
    """Number the connected inner parts of 12 pixels or more, and give them their border."""
    parts, n = ndimage.label(mask == 1)
    sizes = ndimage.sum_labels(np.ones_like(parts), parts, np.arange(n + 1))
    parts[sizes[parts] < 12] = 0
    near, where = ndimage.distance_transform_edt(parts == 0, return_indices=True)
    return np.where((near < 3) & (mask > 0), parts[tuple(where)], 0)


models = {
    "two classes, Dice": ("dice", None, two_classes),
    "border class, cross entropy": ("cross_entropy", None, three_classes),
    "border class, Dice": ("dice", None, three_classes),
    "border class, weighted cross entropy": ("cross_entropy", [1, 2, 8], three_classes),
}
objects = {}
for name, (loss, weight, y) in models.items():
    model = UNetSegmenter(loss, class_weight=weight, width=8, depth=3, max_epochs=12, batch_size=4)
    model.set_params(lr=1e-2, random_state=0).fit(X[train], y[train])
    objects[name] = number_objects(model.predict(image[None])[0])

# %%
# How many objects are right?
# ---------------------------
# A true nucleus is found if an object overlaps it with an IoU above .5, a common rule. An
# object that covers the larger part of two or more nuclei has merged them.


def count(labels):
    """Return how many true nuclei are found and how many are merged with another."""
    names = [name for name in np.unique(true) if name and (true == name).sum() >= 30]
    covers, found = [], 0
    for name in names:
        inside = true == name
        overlaps = np.bincount(labels[inside], minlength=labels.max() + 1)
        overlaps[0] = 0
        best = overlaps.argmax()
        union = (inside | (labels == best)).sum()
        found += overlaps[best] > 0.5 * union
        covers.append(best if overlaps[best] > 0.5 * inside.sum() else -int(name))
    merged = sum(covers.count(each) > 1 for each in covers)
    return found, merged, len(names)


results = {name: count(labels) for name, labels in objects.items()}
for name, (found, merged, n) in results.items():
    print(f"{name}: {found} of {n} nuclei found, {merged} merged")

# %%
# One color for each object:
rng = np.random.default_rng(4)
palette = np.vstack([[0.09, 0.09, 0.15], plt.get_cmap("tab20")(rng.permutation(200) % 20)[:, :3]])
part = np.s_[:130, :210]
fig, axes = plt.subplots(3, 2, figsize=(8, 8.8), layout="constrained")
axes[0, 0].imshow(image[part], cmap="gray", vmax=110)
axes[0, 0].set_title("image", fontsize=11)
panels = {"annotation": true, **objects}
for ax, (name, labels) in zip(axes.flat[1:], panels.items(), strict=True):
    ax.imshow(palette[labels % len(palette)][part])
    if name in results:
        name += f"\n{results[name][0]} found, {results[name][1]} merged"
    ax.set_title(name, fontsize=11)
for ax in axes.flat:
    ax.set_axis_off()
plt.show()

# %%
# What to remember
# ----------------
# * With two classes most neighbors are merged, and no threshold or score of pixels shows it.
#   Count objects.
# * A border class helps only if it is predicted. Cross entropy without weights finds too little
#   of the border to separate anything; Dice, or weights, finds more.
# * Even so about half of the nuclei of this crowded quadrant stay merged: the border is one pixel
#   wide, and a gap of one pixel connects two objects again. It is one image and one seed, so the
#   order of the last two models means nothing.
# * For files with a number per object ``--labels border`` makes such masks, and ``sklearnloss
#   predict --instances`` separates objects in this way: :doc:`/how_to/my_data`,
#   :doc:`/how_to/using_the_best_model`.
