"""
Callbacks: stopping, schedules, checkpoints
===========================================

``callbacks=`` takes callbacks of skorch and your own: early stopping, learning rates, checkpoints
and records.

This example stops a training when it no longer improves, changes the learning rate, resumes an
interrupted training, and records how a mask forms from epoch to epoch.
"""

import tempfile

import matplotlib.pyplot as plt
import numpy as np
from skorch.callbacks import Callback, Checkpoint, EpochScoring, LoadInitState, LRScheduler

from sklearnloss import UNetSegmenter
from sklearnloss.datasets import load_nuclei
from sklearnloss.metrics import dice_scorer

X, y, groups = load_nuclei(border=False)
train, test = groups < 3, groups == 3
settings = {"loss": "dice+bce", "width": 8, "depth": 2, "batch_size": 8, "random_state": 0}

# %%
# A callback of your own
# ----------------------
# It is a class with methods such as ``on_train_begin``, ``on_epoch_end`` or ``on_batch_end``. On
# images outside of the training, ``net.predict`` takes unscaled images and returns labels, like the
# estimator's ``predict``. What is recorded in ``net.history`` can be read from ``history_``.

# sphinx_gallery_thumbnail_number = 2


class Watch(Callback):
    """Keeps the mask of one image after each epoch, and records its changes."""

    def __init__(self, image):
        self.image = image
        self.masks = []

    def on_epoch_end(self, net, **kwargs):
        """Is called by the training."""
        mask = net.predict(self.image[None])[0]
        if self.masks:
            net.history.record("changed_pixels", int((mask != self.masks[-1]).sum()))
        self.masks.append(mask)


k = y[test].mean((1, 2)).argmax()
watch = Watch(X[test][k])
model = UNetSegmenter(callbacks=[watch], max_epochs=8, **settings).fit(X[train], y[train])

fig, axes = plt.subplots(1, 6, figsize=(9, 2), layout="constrained")
for ax, epoch in zip(axes, [1, 2, 3, 4, 6, 8], strict=True):
    ax.imshow(X[test][k], cmap="gray")
    ax.contourf(watch.masks[epoch - 1], [0.5, 1.5], colors=["#E69F00"], alpha=0.6)
    ax.contour(y[test][k], [0.5], colors="#56B4E9", linewidths=1.2)
    ax.set(xticks=[], yticks=[], title=f"epoch {epoch}")
    ax.title.set_size(10)
plt.show()

# %%
# Orange: what is predicted for a held-out image; blue: the outline of the truth. Each fit uses
# copies of the callbacks, which share the objects that they hold; so the list is filled.
#
# Early stopping
# --------------
# ``early_stopping=True`` holds out a part of the images, ends the training when their loss has not
# fallen for ``n_iter_no_change`` epochs, and restores the best weights. Together with it,
# ``EpochScoring`` computes any score on these images.

score = EpochScoring(dice_scorer, name="valid_dice", lower_is_better=False)
stopped = UNetSegmenter(
    callbacks=[score],
    early_stopping=True,
    validation_fraction=0.2,
    n_iter_no_change=4,
    max_epochs=40,
    lr=1e-2,
    scheduler=lambda progress: 1.0,  # a constant learning rate
    **settings,
).fit(X[train], y[train])

epochs = stopped.history_[:, "epoch"]
valid = stopped.history_[:, "valid_loss"]
best = int(np.argmin(valid))
fig, ax = plt.subplots(figsize=(8.5, 3.4), layout="constrained")
for values, color, label in [
    (stopped.history_[:, "train_loss"], "0.4", "training loss"),
    (valid, "#D55E00", "loss on held-out images"),
    (stopped.history_[:, "valid_dice"], "#0072B2", "Dice on held-out images"),
]:
    ax.plot(epochs, values, color=color, label=label)
ax.axvline(epochs[best], color="#D55E00", linestyle=":", label="weights of this epoch are kept")
ax.set(xlabel="epoch", ylim=(0, 1.2))
ax.legend(frameon=False, loc="center right", fontsize=9)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

print(f"stopped after {len(epochs)} of 40 epochs, best epoch {epochs[best]}")

# %%
# Learning rate
# -------------
# ``scheduler`` is "onecycle", "cosine" or a function of the progress from 0 to 1. Any schedule of
# torch is an ``LRScheduler`` among the callbacks, with ``scheduler=None``.

steps = LRScheduler("StepLR", step_size=2, gamma=0.1)
model = UNetSegmenter(scheduler=None, callbacks=[steps], lr=1e-2, max_epochs=5, **settings)
model.fit(X[train], y[train])
print([f"{lr:.4f}" for lr in model.history_[:, "lr"]])

# %%
# Checkpoints
# -----------
# With a ``Checkpoint`` and a ``LoadInitState``, the same call of ``fit`` resumes an interrupted
# training. Here it is interrupted in epoch 3.


class Interrupt(Callback):
    """Stands for a power cut."""

    def on_epoch_begin(self, net, **kwargs):
        """Is called by the training."""
        if len(net.history) == 3:
            raise RuntimeError("interrupted")


def make(folder, *more):
    """Return a model that saves and resumes its training."""
    saved = Checkpoint(dirname=folder, monitor=None)  # None: every epoch
    return UNetSegmenter(callbacks=[saved, LoadInitState(saved), *more], max_epochs=5, **settings)


with tempfile.TemporaryDirectory() as folder:
    try:
        make(folder, Interrupt()).fit(X[train], y[train])
    except RuntimeError as error:
        print(error)
    resumed = make(folder).fit(X[train], y[train])

straight = UNetSegmenter(max_epochs=5, **settings).fit(X[train], y[train])
same = (resumed.predict_proba(X[test]) == straight.predict_proba(X[test])).all()
print("epochs:", resumed.n_iter_, " same as without an interruption:", same)

# %%
# What to remember
# ----------------
# - A callback of your own is a class of a few lines; ``net.history.record`` keeps a number per
#   epoch.
# - ``early_stopping=True`` needs no callback.
# - In searches and cross-validation, pass a *function* that returns a callback, so that each fit
#   gets its own.
#
# More: :doc:`/how_to/callbacks`. A loss that changes during the training:
# :ref:`sphx_glr_examples_5_your_own_plot_changing_weights.py`. Logs for other programs:
# :ref:`sphx_glr_examples_5_your_own_plot_logging.py`.
