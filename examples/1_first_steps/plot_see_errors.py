"""
Plot the errors and the learning curve of a model
=================================================

Two displays show what a model finds and misses, and how its training went.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone

from sklearnloss import UNetSegmenter
from sklearnloss.datasets import load_nuclei
from sklearnloss.estimators import FitCurveDisplay, SegmentationDisplay
from sklearnloss.metrics import dice_score

X, y, groups = load_nuclei(border=False)
train, test = groups < 3, groups == 3
model = UNetSegmenter(
    "dice+bce",
    width=8,
    depth=2,
    max_epochs=12,
    batch_size=4,
    lr=1e-2,
    early_stopping=True,
    validation_fraction=0.2,
    random_state=0,
)
model.fit(X[train], y[train])

# %%
# The best, the median and the worst image
# ----------------------------------------
# ``select`` takes "best", "worst", or the numbers of images. Here these are the best, the
# median and the worst of the held-out quadrant, among the tiles with at least 100 pixels of
# nuclei.
masks = model.predict(X[test])
scores = dice_score(y[test], masks, labels=[1], average=None, per_image=True).ravel()
scores[y[test].sum((1, 2)) < 100] = np.nan
order = np.argsort(scores)[: np.isfinite(scores).sum()]
chosen = [order[-1], order[len(order) // 2], order[0]]
SegmentationDisplay.from_estimator(
    model, X[test], y[test], select=chosen, n_images=3, display_labels=["background", "nucleus"]
)
plt.show()

# %%
# False positives and false negatives have different colors. A mask that is too large
# everywhere looks different from one with a missing nucleus, even if both have the same score.

# %%
# How training went
# -----------------
# Training and validation loss by epoch, and the learning rate. ``early_stopping`` held out a
# fifth of the training tiles, and the weights of the epoch with the lowest validation loss
# were kept; it is marked.
other = clone(model).set_params(lr=1e-3).fit(X[train], y[train])
FitCurveDisplay.from_estimator({"lr=.01": model, "lr=.001": other})
plt.show()

# %%
# If both curves still fall at the end, train longer or with a larger learning rate; if the
# validation loss rises while the training loss falls, use augmentation or fewer epochs. Curves
# of different losses have different scales, so compare only their shapes.

# %%
# What to remember
# ----------------
# * Look at the worst images first: often their annotation is wrong.
# * ``SegmentationDisplay.from_predictions`` draws masks from any source.
# * The report of ``sklearnloss compare`` lists the worst images as well:
#   :doc:`/how_to/reading_the_report`.
