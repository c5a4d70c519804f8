"""
Training logs: history, CSV and TensorBoard
===========================================

Every fit keeps its losses, learning rates and times in ``history_``.

From there they go into a table or a CSV file; callbacks send them to TensorBoard while the
training runs.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from skorch.callbacks import EpochScoring, TensorBoard
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from sklearnloss import UNetSegmenter
from sklearnloss.datasets import load_nuclei
from sklearnloss.estimators import FitCurveDisplay
from sklearnloss.metrics import iou_scorer

X, y, groups = load_nuclei(border=False)
train = groups < 3
settings = {
    "width": 8,
    "depth": 2,
    "batch_size": 8,
    "lr": 1e-2,
    "max_epochs": 8,
    "early_stopping": True,
    "validation_fraction": 0.2,
    "random_state": 0,
}

# %%
# The history
# -----------
# ``history_`` is a list with a dict for each epoch. With ``early_stopping=True`` it also has the
# loss of the images that are held out, and an ``EpochScoring`` adds scores of them.

score = EpochScoring(iou_scorer, name="valid_iou", lower_is_better=False)
models = {
    loss: UNetSegmenter(loss, callbacks=[score], **settings).fit(X[train], y[train])
    for loss in ["dice", "bce"]
}
FitCurveDisplay.from_estimator(models).figure_.set_size_inches(8.5, 4)
plt.show()

# %%
# The losses themselves have different scales and cannot be compared; scores can.
#
# A table, and CSV
# ----------------

columns = ["epoch", "train_loss", "valid_loss", "valid_iou", "lr"]
table = pd.concat(
    {loss: pd.DataFrame(list(model.history_))[columns] for loss, model in models.items()},
    names=["loss", None],
).reset_index("loss")
print(table.groupby("loss").tail(2).round(3).to_string(index=False))

folder = tempfile.TemporaryDirectory()
table.to_csv(Path(folder.name) / "history.csv", index=False)

# %%
# TensorBoard
# -----------
# ``callbacks=[board]`` gets a *function* that makes the callback, so that each fit writes a run
# of its own, also in a search, in cross-validation, and in other processes.


def board():
    """Return a callback with a new run."""
    return TensorBoard(SummaryWriter(tempfile.mkdtemp(dir=folder.name)))


UNetSegmenter("dice", callbacks=[board], **settings).fit(X[train], y[train])

# %%
# ``tensorboard --logdir FOLDER`` shows the curves in a browser. The same numbers can be read in
# Python:

run = next(Path(folder.name).glob("*/events.out.*")).parent
events = EventAccumulator(str(run)).Reload()
print(events.Tags()["scalars"])
print([round(event.value, 3) for event in events.Scalars("Loss/train_loss")])

folder.cleanup()

# %%
# What to remember
# ----------------
# - ``pd.DataFrame(list(model.history_))`` is a table with a row per epoch.
# - Pass a function to ``callbacks`` if the callback writes files or holds a connection.
# - A search records every epoch of every candidate in its ``storage``, without a callback.
#
# More: :doc:`/how_to/callbacks`, also for Weights & Biases and other loggers, and
# :doc:`/how_to/search`.
