"""
Load your own images and masks
==============================

Images come as arrays, memory maps, lists of files or a torch ``Dataset``.

This example writes 16 pictures with a mask file per nucleus to the disk, reads them in four ways,
and gets the same model from each.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from PIL import Image
from torch.utils.data import Dataset

from sklearnloss import FileReader, MaskFiles, UNetSegmenter
from sklearnloss.datasets import load_nuclei

# %%
# Files on the disk
# -----------------
# One microscopy image with the number of the nucleus at each pixel, cut into 16 tiles. Each tile is
# written as an image and as a mask for each of its nuclei, as annotation tools often export it.

whole, numbers = load_nuclei(instances=True)
temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)
for k in range(16):
    row, column = 128 * (k // 4), 128 * (k % 4)
    image, objects = (array[row : row + 128, column : column + 128] for array in (whole, numbers))
    Image.fromarray(image).save(folder / f"tile{k:02}.png")
    for n in np.unique(objects)[1:]:  # without 0, the background
        mask = np.where(objects == n, 255, 0).astype("uint8")
        Image.fromarray(mask).save(folder / f"tile{k:02}_nucleus{n}.png")

images = sorted(folder.glob("tile??.png"))
masks = [MaskFiles(sorted(folder.glob(f"{image.stem}_nucleus*.png"))) for image in images]
print(len(images), "images; the first has", len(masks[0].paths), "nuclei")

# %%
# Lists of files
# --------------
# A :class:`~sklearnloss.FileReader` says how files become images and masks. With
# ``masks="border"`` objects turn into three classes: background (0), object (1), and the border
# that separates objects that touch (2). ``masks="objects"`` would leave out the border,
# ``resize=64`` shrink the images, ``color="gray"`` convert colored ones. It is saved with the
# model.

reader = FileReader(masks="border")
settings = {
    "width": 8,
    "depth": 2,
    "max_epochs": 4,
    "batch_size": 2,
    "lr": 1e-2,
    "random_state": 0,
}
from_files = UNetSegmenter(**settings, reader=reader).fit(images, masks)

fig, axes = plt.subplots(2, 4, figsize=(8.5, 4.7), layout="constrained")
truth = [reader.mask(mask) for mask in masks]
crowded = np.argsort([(mask == 2).sum() for mask in truth])[::-1][:4]
colors = ListedColormap(["black", "#56B4E9", "#E69F00"])
for k, image_ax, mask_ax in zip(crowded, *axes, strict=True):
    image_ax.imshow(Image.open(images[k]), cmap="gray")
    image_ax.set_title(images[k].name, fontsize=9)
    mask_ax.imshow(truth[k], cmap=colors, vmin=0, vmax=2, interpolation="nearest")
    mask_ax.set_title(f"{len(masks[k].paths)} mask files", fontsize=9)
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
handles = [plt.Rectangle((0, 0), 1, 1, color=color) for color in colors.colors[1:]]
fig.legend(handles, ["object", "border"], loc="outside lower center", ncols=2)
plt.show()

# %%
# Above the images as they are in the files; below, what the network is trained on.
#
# Arrays and memory maps
# ----------------------
# Arrays have the shape (n, height, width), or (n, channels, height, width). A memory map is read
# batch by batch, so the data may be larger than memory.

X, y = np.stack([np.asarray(Image.open(image)) for image in images]), np.stack(truth)
from_arrays = UNetSegmenter(**settings).fit(X, y)

np.save(folder / "X.npy", X)
np.save(folder / "y.npy", y)
from_map = UNetSegmenter(**settings).fit(
    np.load(folder / "X.npy", mmap_mode="r"), np.load(folder / "y.npy", mmap_mode="r")
)

# %%
# A torch Dataset
# ---------------
# For everything else, such as a database or a format of your own: a dataset of pairs of an image
# and its mask. It is passed as ``X``, and ``y`` is left out.


class Tiles(Dataset):
    """Opens an image and its masks when they are needed."""

    def __len__(self):
        return len(images)

    def __getitem__(self, k):
        return np.asarray(Image.open(images[k])), reader.mask(masks[k])


from_dataset = UNetSegmenter(**settings).fit(Tiles())

# %%
# The same model
# --------------
# The same images, the same seed, the same bits:

expected = from_files.predict_proba(X)
for name, model in [
    ("arrays", from_arrays),
    ("memory map", from_map),
    ("dataset", from_dataset),
]:
    print(f"{name:11}", (model.predict_proba(X) == expected).all())

# %%
# All of them predict any kind of data, whatever they were trained on. Colored numbers in a mask, or
# a number per cell, are not mistaken for classes:

try:
    UNetSegmenter(**settings).fit(X, np.stack([np.arange(128 * 128).reshape(128, 128)] * 16))
except ValueError as error:
    print(error)

temporary.cleanup()

# %%
# What to remember
# ----------------
# - Lists of files take the place of arrays; a ``FileReader`` holds what is to know about them.
# - ``MaskFiles`` joins the files of one image's objects.
# - Data larger than memory: lists of files, memory maps, or a ``Dataset``.
#
# More, and the layouts of folders that the command line knows: :doc:`/how_to/my_data`. Masks for
# new files: :ref:`sphx_glr_examples_5_your_own_plot_objects.py`.
