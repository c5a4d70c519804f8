"""
Write a loss as a function
==========================

Any function of ``(logits, target)`` is a loss that can be trained, added to others and searched
over.

This example writes one in which missed pixels cost more than false alarms, checks it, adds it to
Dice, gives it a name and searches over its parameter.
"""

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from sklearn.model_selection import GroupKFold

from sklearnloss import LossSearchCV, UNetSegmenter
from sklearnloss.datasets import load_nuclei
from sklearnloss.losses import DiceLoss, LossDisplay, check_loss, register_loss

X, y, groups = load_nuclei(border=False)
train, test = groups < 3, groups == 3
settings = {
    "width": 8,
    "depth": 2,
    "max_epochs": 6,
    "batch_size": 4,
    "lr": 1e-2,
    "random_state": 0,
}

# %%
# The loss
# --------
# A loss receives raw scores (logits) and the true mask, here 0 and 1 in the shape of the logits.
# Arguments after the first two are its parameters, if they have a default. There is no backward
# pass to write: torch differentiates the body. One value per image, instead of one per batch, makes
# sample weights possible.


def costly_misses(logits, target, miss_cost=2.0):
    """Squared error of the probability; nucleus pixels count ``miss_cost`` times."""
    weight = 1 + (miss_cost - 1) * target
    return (weight * (logits.sigmoid() - target) ** 2).flatten(1).mean(1)


# %%
# It is passed as it is, and its parameter is set as ``loss__miss_cost``. A higher cost of misses
# should give fewer misses and more false alarms.

costs = [0.25, 1.0, 8.0]
models = [
    UNetSegmenter(costly_misses, loss__miss_cost=cost, **settings).fit(X[train], y[train])
    for cost in costs
]
masks = [model.predict(X[test]) for model in models]

k = y[test].mean((1, 2)).argmax()  # the tile with most pixels of nuclei
fig, axes = plt.subplots(1, 4, figsize=(9, 3.2), layout="constrained")
axes[0].imshow(X[test][k], cmap="gray")
axes[0].set_title("held-out image", fontsize=10)
errors = ListedColormap(["black", "0.75", "#D55E00", "#56B4E9"])  # right: black and gray
for ax, cost, mask in zip(axes[1:], costs, masks, strict=True):
    truth, found = y[test][k] == 1, mask[k] == 1
    ax.imshow(np.select([truth & found, truth, found], [1, 2, 3], 0), cmap=errors, vmin=0, vmax=3)
    missed = ((y[test] == 1) & (mask == 0)).sum() / (y[test] == 1).sum()
    false = ((y[test] == 0) & (mask == 1)).sum() / (mask == 1).sum()
    ax.set_title(f"miss_cost={cost:g}", fontsize=10)
    ax.set_xlabel(f"{missed:.0%} of nuclei missed\n{false:.0%} of mask false", fontsize=9)
for ax in axes:
    ax.set(xticks=[], yticks=[])
handles = [plt.Rectangle((0, 0), 1, 1, color=color) for color in ("0.75", "#D55E00", "#56B4E9")]
fig.legend(handles, ["found", "missed", "false alarm"], loc="outside lower center", ncols=3)
plt.show()

# %%
# The percentages are over all 16 held-out tiles.
#
# Check it
# --------
# :func:`~sklearnloss.losses.check_loss` tries the loss on difficult inputs: huge scores, empty
# masks, half precision, sample weights, and others. It takes a second, and finds mistakes that
# would otherwise show up as ``nan`` in the middle of a training.

report = check_loss(costly_misses, "segmentation", verbose=False)
print(report.passed)

# %%
# A common mistake is the logarithm of a probability that is rounded to 0:


def log_of_probability(logits, target):
    """Cross entropy, as one would write it first."""
    p = logits.sigmoid()
    return -(target * p.log() + (1 - target) * (1 - p).log()).mean()


failure = check_loss(log_of_probability, "segmentation", verbose=False).failures[0]
print(f"{failure.law}: {failure.message}")

# %%
# :class:`~sklearnloss.losses.LossDisplay` plots what the loss and its gradient are for one pixel.
# The gradient fades where the score is confidently wrong: a weakness of all squared errors of
# probabilities.

display = LossDisplay.from_loss(
    {f"miss_cost={cost:g}": partial(costly_misses, miss_cost=cost) for cost in costs}
)
display.figure_.set_size_inches(8.5, 3.4)
plt.show()

# %%
# In a sum
# --------
# Losses of this library can be added to functions and scaled. Terms are called like the function,
# and keep their parameters.

model = UNetSegmenter(DiceLoss() + costly_misses, **settings)
model.set_params(loss__costly_misses__miss_cost=4.0, loss__weights__costly_misses=0.5)
model.fit(X[train], y[train])
print(f"mean IoU on the held-out quadrant: {model.score(X[test], y[test]):.3f}")

# %%
# With a name, in a search
# ------------------------
# A registered loss can be given by name, alone or in a sum of names, and it brings its search
# space. ``(0.25, 8.0, "log")`` means any number in this range, on a logarithmic scale.

register_loss("costly_misses", costly_misses, search_space={"miss_cost": (0.25, 8.0, "log")})

search = LossSearchCV(
    UNetSegmenter(**{**settings, "max_epochs": 2}),
    ["costly_misses", "dice"],
    n_trials=4,
    cv=GroupKFold(2),
    random_state=0,
)
search.fit(X[train], y[train], groups=groups[train])
print(search.best_loss_, search.best_params_)
print(search.verdict_)

# %%
# What to remember
# ----------------
# - ``loss=`` takes a function of ``(logits, target)``; its further arguments are parameters.
# - Run ``check_loss`` before a long training.
# - ``register_loss`` gives it a name, so that searches, grids and reports can use it.
#
# For losses with a softmax, with ignored pixels, or for several tasks, write a class:
# :ref:`sphx_glr_examples_5_your_own_plot_own_loss_class.py`. The guide is
# :doc:`/how_to/write_your_own_loss`.
