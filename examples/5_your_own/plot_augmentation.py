"""
Augmentation of images and masks
================================

Random changes of training images and their masks: built in by name, or transforms of torchvision
and albumentations.

This example shows what the network sees, and tests whether it helps a network that has only eight
tiles to learn from.
"""

import albumentations as A
import matplotlib.pyplot as plt
import numpy as np
from torchvision.transforms import v2

from sklearnloss import UNetSegmenter
from sklearnloss.datasets import load_nuclei

X, y, groups = load_nuclei(border=False)
train, test = np.flatnonzero(groups < 3), groups == 3
few = train[np.argsort(y[train].mean((1, 2)))[::-1][:16:2]]  # eight tiles with many nuclei
settings = {"width": 8, "depth": 2, "batch_size": 4, "lr": 1e-2, "random_state": 0}

# %%
# Three ways to say it
# --------------------
# Names, transforms and functions may be mixed in one list. Transforms of torchvision must be
# those of ``v2``, since the older ones do not know masks. kornia works in the same way.

ways = {
    "built in": ["flip", "affine", "intensity"],
    "torchvision": v2.Compose(
        [v2.RandomHorizontalFlip(), v2.RandomAffine(30, scale=(0.7, 1.3)), v2.GaussianBlur(3)]
    ),
    "albumentations": A.Compose(
        [A.RandomRotate90(), A.ElasticTransform(alpha=60, sigma=6), A.RandomBrightnessContrast()]
    ),
}

# %%
# What the network sees
# ---------------------
# A function in the list receives what the entries before it made: scaled images and masks of your
# labels. This one changes nothing, but keeps them.


class Recorder:
    """Keeps the last batch of images and masks."""

    def __call__(self, images, masks):
        """Keep them and return them unchanged."""
        self.images, self.masks = images.clone(), masks.clone()
        return images, masks


def changed(augment):
    """Return the changed copies of one tile, repeated as four images."""
    recorder = Recorder()
    list_of_steps = augment if isinstance(augment, list) else [augment]
    model = UNetSegmenter(augment=[*list_of_steps, recorder], max_epochs=1, **settings)
    model.fit(X[[few[0]] * 4], y[[few[0]] * 4])
    return recorder.images[:, 0].numpy(), recorder.masks.numpy()


fig, axes = plt.subplots(3, 5, figsize=(8.5, 5.4), layout="constrained")
for row, (name, augment) in zip(axes, ways.items(), strict=True):
    images, masks = changed(augment)
    for ax, image, mask in zip(row, [X[few[0]], *images], [y[few[0]], *masks], strict=True):
        ax.imshow(image, cmap="gray")
        ax.contour(mask, [0.5], colors="#E69F00", linewidths=1.5)
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(name, fontsize=10)
axes[0, 0].set_title("as it is", fontsize=10)
axes[0, 2].set_title("changed, differently each time", fontsize=10, loc="left")
plt.show()

# %%
# The outlines of the masks move with the nuclei. Blur and intensity only change the image. Pixels
# that come from outside of the image are background, label 0; to leave them out of the loss, let
# the transform fill masks with the label that is set as ``ignore_index``.
#
# Does it help?
# -------------
# Each fit has the same number of steps, and is scored on the held-out quadrant.

scores = {}
for name, augment in {"none": None, **ways}.items():
    model = UNetSegmenter(augment=augment, max_epochs=20, **settings).fit(X[few], y[few])
    scores[name] = model.score(X[few], y[few]), model.score(X[test], y[test])

for name, (own, new) in scores.items():
    print(f"{name:15} mean IoU {own:.3f} on the eight tiles, {new:.3f} on new ones")

# %%
# The changed images are harder to learn, so the score on the eight tiles falls. On new tiles the
# differences are small and of both signs: nuclei in this image look much the same everywhere, and
# one held-out quadrant cannot tell such differences from chance. Augmentation is a parameter like
# any other, so a search or :func:`~sklearnloss.compare_losses` on your own images can decide.
#
# Mistakes are noticed
# --------------------
# A function that moves images without their masks would ruin the training. It is tried before the
# first epoch, and refused:

try:
    UNetSegmenter(augment=lambda images, masks: (images.flip(-1), masks), **settings).fit(
        X[few], y[few]
    )
except ValueError as error:
    print(str(error)[:250])

# %%
# What to remember
# ----------------
# - ``augment=["flip", "rot90"]`` costs almost nothing; add what varies between your images.
# - Transforms of other libraries are passed as they are. Leave out ``Normalize``: the parameter
#   ``normalize`` does it, in ``predict`` too.
# - The same ``random_state`` draws the same changes.
#
# More: :doc:`/how_to/augmentation`.
