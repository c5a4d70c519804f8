"""
From a folder of images to masks
================================

The command ``sklearnloss`` compares losses on a folder of images and writes masks of new ones.

The same steps follow in Python, with lists of files.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from sklearnloss import FileReader, UNetSegmenter
from sklearnloss.datasets import load_nuclei

# %%
# A folder
# --------
# Images and masks have the same names. Here they are tiles of one microscopy image, saved as
# PNG; sixteen more images have no masks.
temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)
for name in ("my-images/images", "my-images/masks", "new-images"):
    (folder / name).mkdir(parents=True)
X, y, groups = load_nuclei(border=False)
for k in np.flatnonzero(groups < 3)[::2]:
    Image.fromarray(X[k]).save(folder / f"my-images/images/tile_{k:02}.png")
    Image.fromarray(255 * y[k]).save(folder / f"my-images/masks/tile_{k:02}.png")
for k in np.flatnonzero(groups == 3):
    Image.fromarray(X[k]).save(folder / f"new-images/tile_{k:02}.png")


def run(*arguments):
    """Run ``sklearnloss`` in the folder, as in a shell, and return what it prints."""
    command = [sys.executable, "-m", "sklearnloss", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


# %%
# Compare losses, without code
# ----------------------------
# In a shell this is ``sklearnloss compare my-images --losses dice,cross_entropy --output results``
# with a few more options that keep this example short. For real data use ``--quick``, then
# ``--medium``. One line tells what is in the folder; with ``--describe`` that is all.
losses = ["--losses", "dice,cross_entropy", "--trials", "2", "--top", "2"]
effort = ["--repeats", "1", "--folds", "2", "--epochs", "8", "--width", "8"]
print(run("compare", "my-images", *losses, *effort, "--seed", "0", "--output", "results"))

# %%
# Masks of new images, without code
# ---------------------------------
# The best loss was trained on all images. Its model predicts masks, and ``--instances`` numbers
# the objects in them, here those of 20 pixels or more.
model_file = "results/best_model.safetensors"
options = ["--output", "predicted", "--instances", "--min-size", "20"]
print(run("predict", model_file, "new-images", *options))

# %%
# This is what was written, beside the images:
names = sorted(path.name for path in (folder / "predicted").glob("*.png"))[2:6]
fig, axes = plt.subplots(3, 4, figsize=(8, 6.2), layout="constrained")
for column, name in enumerate(names):
    objects = np.asarray(Image.open(folder / "predicted/objects" / name.replace("png", "tif")))
    axes[0, column].imshow(Image.open(folder / "new-images" / name), cmap="gray", vmax=110)
    axes[1, column].imshow(Image.open(folder / "predicted" / name), cmap="gray")
    axes[2, column].imshow(np.ma.masked_equal(objects % 20, 0), cmap="tab20", vmin=0, vmax=19)
    axes[2, column].set_facecolor("#161826")
    axes[0, column].set_title(name, fontsize=10)
for row, label in zip(axes, ["image", "mask", "objects"], strict=True):
    row[0].set_ylabel(label, fontsize=11)
    for ax in row:
        ax.set(xticks=[], yticks=[])
plt.show()

# %%
# The same in Python
# ------------------
# Lists of files take the place of arrays, and are read batch by batch.
# :class:`~sklearnloss.FileReader` says how files become images; here it makes gray of any
# colored one. Labels are those in the files: 0 and 255.
images = sorted((folder / "my-images/images").iterdir())
masks = sorted((folder / "my-images/masks").iterdir())
model = UNetSegmenter(
    "dice",
    width=8,
    depth=2,
    max_epochs=5,
    batch_size=4,
    lr=1e-2,
    reader=FileReader(color="gray"),
    random_state=0,
)
model.fit(images[:20], masks[:20])
print("labels", model.classes_)
print(f"mean IoU of the last {len(images[20:])} tiles: {model.score(images[20:], masks[20:]):.2f}")

# %%
new = sorted((folder / "new-images").iterdir())
print("a mask per file:", np.shape(model.predict(new)))
temporary.cleanup()

# %%
# What to remember
# ----------------
# * Begin with ``--describe``: are all images found, and are the labels what you expect?
# * Both commands resume if they are interrupted.
# * Layouts and kinds of files are in :doc:`/how_to/my_data`, what ``predict`` writes in
#   :doc:`/how_to/using_the_best_model`, all options in :doc:`/reference/command_line`.
