"""
Export a model to ONNX
======================

An ONNX file holds everything from raw images to labels, and runs without torch and scikit-learn.

It runs in C++, C#, Java, in a browser, or in Python with ONNX Runtime. This example exports a
model, runs the file, and compares every pixel.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import onnxruntime

from sklearnloss import UNetSegmenter, predict_files
from sklearnloss.datasets import load_nuclei

X, y, groups = load_nuclei(border=False)
train, test = groups < 3, groups == 3
model = UNetSegmenter("dice+bce", width=8, depth=2, max_epochs=6, lr=1e-2, random_state=0)
model.fit(X[train], y[train])

folder = tempfile.TemporaryDirectory()
file = Path(folder.name) / "model.onnx"
model.export(file)
print(f"{file.stat().st_size / 1024:.0f} KiB")

# %%
# Run it
# ------
# The input is float32 of shape (n, channels, height, width), with the values of your images: the
# scaling is part of the file. So are the padding to sizes that the network needs, and the decision
# between the classes; labels are your own.

session = onnxruntime.InferenceSession(file)
for value in [*session.get_inputs(), *session.get_outputs()]:
    print(f"{value.name:14} {value.type:15} {value.shape}")

images = X[test, None].astype("float32")
probabilities, labels = session.run(["probabilities", "labels"], {"images": images})

# %%
# The same masks
# --------------
expected = model.predict_proba(X[test])
print("different labels:", int((labels != model.predict(X[test])).sum()))
print(f"largest difference of a probability: {np.abs(probabilities - expected).max():.1e}")

k = y[test].mean((1, 2)).argmax()
panels = {
    "image": X[test][k],
    "sklearnloss": expected[k, 1],
    "ONNX Runtime": probabilities[k, 1],
    "difference": np.abs(probabilities - expected)[k, 1] * 1e6,
}
fig, axes = plt.subplots(1, 4, figsize=(9, 3.4), layout="constrained")
axes[0].imshow(panels["image"], cmap="gray")
for ax in axes[1:3]:
    probability = panels["sklearnloss" if ax is axes[1] else "ONNX Runtime"]
    shown = ax.imshow(probability, cmap="cividis", vmin=0, vmax=1)
different = axes[3].imshow(panels["difference"], cmap="magma")
fig.colorbar(shown, ax=axes[1:3], label="probability of a nucleus", location="bottom", shrink=0.6)
fig.colorbar(different, ax=axes[3], label="millionths", location="bottom", shrink=0.8)
for ax, name in zip(axes, panels, strict=True):
    ax.set_title(name, fontsize=10)
    ax.set(xticks=[], yticks=[])
plt.show()

# %%
# ``export`` does this comparison by itself, on random images of several sizes, before the file gets
# its name. If a probability differs by more than 0.0001, there is no file, but an error.
#
# Other sizes
# -----------
# Segmenters take images of any size, and any number of them at once.

(labels,) = session.run(["labels"], {"images": images[:3, :, :45, :61]})
print(labels.shape)

# %%
# Files of images
# ---------------
# :func:`~sklearnloss.predict_files` and ``sklearnloss predict`` take the ONNX file, too. They then
# need neither torch nor scikit-learn.

np.save(Path(folder.name) / "new.npy", X[test][k])
found = predict_files(file, Path(folder.name) / "new.npy", instances=True)
print(found[0]["mask"].shape, found[0]["n_objects"], "objects")

folder.cleanup()

# %%
# What to remember
# ----------------
# - ``model.export("model.onnx")`` needs ``pip install 'sklearnloss[onnx]'``; running the file only
#   needs ``onnxruntime``.
# - The file cannot be trained further, so keep that of ``save`` as well.
#
# More: :doc:`/how_to/saving` and :doc:`/how_to/using_the_best_model`.
