"""
Change the weight of a loss during training
===========================================

A callback of a few lines changes the weight of a term from epoch to epoch.

Some losses only help once the rest has been learned. The boundary loss was proposed as a term that
is added to a region loss with a small weight that grows during training.
"""

import matplotlib.pyplot as plt
import numpy as np
from skorch.callbacks import Callback

from sklearnloss import UNetSegmenter
from sklearnloss.datasets import load_nuclei
from sklearnloss.metrics import dice_score

X, y, groups = load_nuclei(border=False)
train, test = groups < 3, groups == 3
settings = {
    "width": 8,
    "depth": 2,
    "batch_size": 4,
    "lr": 1e-2,
    "max_epochs": 6,
    "random_state": 0,
}

# %%
# The callback
# ------------
# ``net.criterion_.loss`` is the loss that is being trained, here a sum. ``weights__boundary`` is
# the weight of its term ``boundary``. Other parameters change in the same way, such as
# ``focal__gamma``.


class Weight(Callback):
    """Sets the weight of one term at the start of each epoch."""

    def __init__(self, term, schedule):
        self.term = term
        self.schedule = schedule

    def on_epoch_begin(self, net, **kwargs):
        """Is called by the training."""
        progress = (len(net.history) - 1) / max(1, net.max_epochs - 1)
        weight = self.schedule(progress)
        net.criterion_.loss.set_params(**{f"weights__{self.term}": weight})
        net.history.record(f"weight_{self.term}", weight)


schedules = {
    "no boundary loss": lambda progress: 0.0,
    "1 from the start": lambda progress: 1.0,
    "growing to 1": lambda progress: progress,
}
models = {}
for name, schedule in schedules.items():
    model = UNetSegmenter("dice+boundary", callbacks=[Weight("boundary", schedule)], **settings)
    models[name] = model.fit(X[train], y[train])

# %%
# What it changes
# ---------------
masks = {name: model.predict(X[test]) for name, model in models.items()}
scores = {name: dice_score(y[test], mask, labels=[1]) for name, mask in masks.items()}
each = {name: (mask == y[test]).mean((1, 2)) for name, mask in masks.items()}
k = np.argmax(each["growing to 1"] - each["1 from the start"])

fig, axes = plt.subplots(1, 4, figsize=(9, 2.9), width_ratios=[1.25, 1, 1, 1], layout="constrained")
colors = ["#CC79A7", "#D55E00", "#0072B2"]
for model, color, line in zip(models.values(), colors, [":", "--", "-"], strict=True):
    axes[0].plot(
        model.history_[:, "epoch"], model.history_[:, "weight_boundary"], line, color=color
    )
axes[0].set(xlabel="epoch", ylim=(-0.05, 1.1))
axes[0].set_title("weight of the boundary loss", fontsize=10)
axes[0].spines[["top", "right"]].set_visible(False)
for ax, name, color in zip(axes[1:], masks, colors, strict=True):
    ax.imshow(X[test][k], cmap="gray")
    ax.contourf(masks[name][k], [0.5, 1.5], colors=[color], alpha=0.7)
    ax.contour(y[test][k], [0.5], colors="white", linewidths=1.5)
    ax.set_title(name, fontsize=10, color=color)
    ax.set_xlabel(f"Dice of all 16 tiles: {scores[name]:.3f}", fontsize=9)
    ax.set(xticks=[], yticks=[])
plt.show()

# %%
# The tile shown is the one on which the two schedules differ most; the white line is the outline of
# the truth. With the full weight from the start the masks are worse: the distances of far pixels
# dominate before the network knows what a nucleus is. With a growing weight this does not happen.
# In these short fits of one image the boundary loss does not improve Dice over Dice alone, either.
# Whether it does on your images is a question for a search, in which lists of callbacks can be
# candidates: ``param_distributions={"callbacks": [[...], [...]]}``.
#
# What to remember
# ----------------
# - In a callback, ``net.criterion_.loss.set_params(...)`` changes the loss that is being trained.
# - ``history_`` holds what was recorded. ``model.loss`` itself stays as it was passed.
# - The training loss may rise because its definition changes, so judge such a fit by a score.
#
# Reference: `Kervadec et al. 2019 <https://arxiv.org/abs/1812.07032>`_ for the boundary loss. More:
# :doc:`/how_to/callbacks` and :ref:`sphx_glr_examples_5_your_own_plot_callbacks.py`.
