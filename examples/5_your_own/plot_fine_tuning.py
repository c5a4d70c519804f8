"""
Fine-tune from a file of weights
================================

A network that has seen many similar images needs few of the new ones.

The weights come from a file that this example writes itself: a network trained on the digits 0 to
4 is fine-tuned to find the digits 5 to 9, from twenty images.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.colors import ListedColormap

from sklearnloss import UNetSegmenter
from sklearnloss.datasets import make_digit_scenes

settings = {
    "loss": "dice+cross_entropy",
    "width": 8,
    "depth": 2,
    "batch_size": 4,
    "random_state": 0,
}

# %%
# Many images of the old task
# ---------------------------
X_old, y_old = make_digit_scenes(240, size=32, classes=(0, 1, 2, 3, 4), random_state=0)
old = UNetSegmenter(**settings, max_epochs=8, lr=1e-2).fit(X_old, y_old)

folder = tempfile.TemporaryDirectory()
file = Path(folder.name) / "digits_0_to_4.safetensors"
old.save(file)

# %%
# Few images of the new one
# -------------------------
X, y = make_digit_scenes(20, size=32, classes=(5, 6, 7, 8, 9), random_state=1)
X_test, y_test = make_digit_scenes(60, size=32, classes=(5, 6, 7, 8, 9), random_state=2)

ways = {
    "from random weights": {},
    "from the file": {"weights": file},
    "encoder frozen": {"weights": file, "freeze": "encoder"},
    "encoder at a tenth of lr": {"weights": file, "lr_scale": {"encoder": 0.1}},
}
# %%
# - ``weights`` are the initial weights: all layers of the same shape are taken over. The last one
#   fits as well, as both tasks have six classes; otherwise it would start from random weights.
# - ``freeze="encoder"`` does not train the part that halves the resolution; ``freeze_epochs=5``
#   would release it after five epochs.
# - ``lr_scale={"encoder": 0.1}`` trains it ten times more slowly than the rest.

models = {
    name: UNetSegmenter(**settings, max_epochs=20, lr=1e-2, **way).fit(X, y)
    for name, way in ways.items()
}
# %%
# What the networks find
# ----------------------
colors = ["black", "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#F0E442"]
names = ["from random weights", "from the file"]
columns = [X_test, y_test, *(models[name].predict(X_test[:10]) for name in names)]
titles = ["image", "truth", *names]

fig, axes = plt.subplots(2, 4, figsize=(8.5, 4.6), layout="constrained")
for row, k in zip(axes, [2, 7], strict=True):
    row[0].imshow(X_test[k], cmap="gray")
    for ax, masks in zip(row[1:], columns[1:], strict=True):
        ax.imshow(masks[k], cmap=ListedColormap(colors), vmin=0, vmax=5, interpolation="nearest")
for ax, title in zip(axes[0], titles, strict=True):
    ax.set_title(title, fontsize=10)
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
handles = [plt.Rectangle((0, 0), 1, 1, color=color) for color in colors[1:]]
fig.legend(
    handles, [f"digit {k}" for k in range(5, 10)], loc="outside lower center", ncols=5, fontsize=9
)
plt.show()

# %%
# And how fast they learn. The loss is that of the twenty training images.

fig, ax = plt.subplots(figsize=(8.5, 3.4), layout="constrained")
for (name, model), color in zip(
    models.items(), ["black", "#0072B2", "#E69F00", "#009E73"], strict=True
):
    ax.plot(
        model.history_[:, "epoch"],
        model.history_[:, "train_loss"],
        color=color,
        label=f"{name}: mean IoU {model.score(X_test, y_test):.2f} on new images",
    )
ax.set(xlabel="epoch", ylabel="training loss", ylim=(0, None), xticks=range(2, 21, 2))
ax.legend(frameon=False, fontsize=9)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

folder.cleanup()

# %%
# What to remember
# ----------------
# - Old weights help most if there are few new images that resemble the old ones. Here all weights
#   could be trained without harm; with fewer images, or a large network, freezing is worth a try:
#   ``freeze`` and ``lr_scale`` can be searched over like any parameter.
# - ``weights=`` also takes ``.pth`` files of torch and state dicts. Images should be scaled as they
#   were for the old training, with ``normalize="imagenet"`` for weights from ImageNet.
# - The file is only read by ``fit``. It is not needed again for the fitted model.
#
# More: :doc:`/how_to/networks`. What is in such a file:
# :ref:`sphx_glr_examples_5_your_own_plot_save_load.py`.
