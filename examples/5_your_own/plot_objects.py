"""
Masks of new images, and their objects
======================================

A saved model predicts the files of a folder and writes masks, numbered objects and a table of
measurements. Nuclei that touch stay separate if the model has learned the border between them.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import ListedColormap
from PIL import Image

from sklearnloss import FileReader, UNetSegmenter, predict_files
from sklearnloss.datasets import load_nuclei

# %%
# Train
# -----
# Half of a microscopy image with the number of the nucleus at each pixel, saved as files. The reader
# turns numbers into background, object and border; a second model does without the border.

image, numbers = load_nuclei(instances=True)
temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)
for name in ("train", "masks", "new"):
    (folder / name).mkdir()
for k in range(8):  # the upper half: eight tiles of 128 x 128 pixels
    row, column = 128 * (k // 4), 128 * (k % 4)
    tile = np.s_[row : row + 128, column : column + 128]
    Image.fromarray(image[tile]).save(folder / "train" / f"{k}.png")
    Image.fromarray(numbers[tile]).save(folder / "masks" / f"{k}.png")
images, masks = (sorted((folder / name).iterdir()) for name in ("train", "masks"))

models = {}
for kind in ("objects", "border"):
    models[kind] = UNetSegmenter(
        "dice+cross_entropy",
        reader=FileReader(masks=kind),
        width=8,
        depth=3,
        batch_size=2,
        max_epochs=16,
        lr=1e-2,
        augment=["flip"],
        random_state=0,
    )
    models[kind].fit(images, masks)
models["border"].save(folder / "model.safetensors")

# %%
# Predict
# -------
# The lower half are the new images, two files. :func:`~sklearnloss.predict_files` takes a model or
# its file; ``sklearnloss predict model.safetensors new --output found --instances`` does the same
# in a shell.

for name, columns in {"left": np.s_[:256], "right": np.s_[256:]}.items():
    Image.fromarray(image[256:, columns]).save(folder / "new" / f"{name}.png")

found = predict_files(
    folder / "model.safetensors",
    folder / "new",
    folder / "found",
    instances=True,
    overlays=True,
    min_size=20,
)
for row in found:
    print(row["file"], "-", row["n_objects"], "objects")
print(sorted(str(p.relative_to(folder)) for p in (folder / "found").rglob("*.*")))
print("not readable:", found.errors)

# %%
# A row per object, which is also in ``objects.csv``; ``mean_0`` is the mean intensity:

table = pd.DataFrame(found.objects)
print(table[["file", "number", "area_pixels", "centroid_y", "centroid_x", "mean_0"]].head(4))

# %%
# Do objects stay separate?
# -------------------------
without = predict_files(
    models["objects"], folder / "new" / "left.png", instances=True, min_size=20
)[0]["objects"]
with_border = predict_files(
    models["border"], folder / "new" / "left.png", instances=True, min_size=20
)[0]["objects"]
truth = numbers[256:, :256]


def in_colors(labels):
    """Give the objects shuffled colors."""
    order = np.random.default_rng(1).permutation(np.arange(1, labels.max() + 1))
    return np.concatenate([[0], order])[labels]


palette = ["black"] + ["#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#0072B2", "#D55E00"]
panels = {
    "new image": None,
    f"truth: {len(np.unique(truth)) - 1} nuclei": truth,
    f"without border: {without.max()} objects": without,
    f"with border: {with_border.max()} objects": with_border,
}
fig, axes = plt.subplots(2, 2, figsize=(8, 8.3), layout="constrained")
for ax, (title, labels) in zip(axes.flat, panels.items(), strict=True):
    if labels is None:
        ax.imshow(image[256:, :256], cmap="gray")
    else:
        shown = in_colors(labels)
        shown = np.where(shown > 0, 1 + shown % 7, 0)
        ax.imshow(shown, cmap=ListedColormap(palette), vmin=0, vmax=7, interpolation="nearest")
    ax.set_title(title, fontsize=11)
    ax.set(xticks=[], yticks=[])
plt.show()

temporary.cleanup()
