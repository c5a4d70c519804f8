"""
Tversky loss: weigh false alarms against misses
===============================================

The Tversky loss has a weight for false alarms, ``alpha``, and one for misses, ``beta``, which Dice
counts alike.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearnloss import UNetSegmenter
from sklearnloss.datasets import load_nuclei
from sklearnloss.metrics import dice_score

X, y, groups = load_nuclei(border=False)
train, test = groups < 3, groups == 3

# %%
# Five values of beta
# -------------------
# ``alpha`` is 1 - ``beta``; both are .5 in Dice. Same network, seeds and order of images.
betas = [0.05, 0.2, 0.5, 0.8, 0.95]
masks, precision, recall = [], [], []
for beta in betas:
    model = UNetSegmenter("tversky", loss__alpha=1 - beta, loss__beta=beta, width=8, depth=2)
    model.set_params(max_epochs=8, batch_size=4, lr=1e-2, random_state=0)
    mask = model.fit(X[train], y[train]).predict(X[test])
    found = np.logical_and(mask, y[test]).sum()
    masks.append(mask)
    precision.append(found / mask.sum())
    recall.append(found / y[test].sum())
    dice = dice_score(y[test], mask, labels=[1])
    print(f"beta {beta}: precision {precision[-1]:.3f}, recall {recall[-1]:.3f}, Dice {dice:.3f}")

# %%
# Precision, recall, and the pixels behind them
# ---------------------------------------------
# Orange pixels are false alarms, blue ones are misses. A large beta draws masks that are too
# large, a small beta masks that are too small.


def errors(mask):
    """Color a part of the held-out quadrant by kind of error, over the image."""
    picture = np.repeat(np.minimum(X[test], 110)[..., None] / 200, 3, axis=-1)
    picture[(mask == 1) & (y[test] == 1)] += 0.25
    picture[(mask == 1) & (y[test] == 0)] = [0.90, 0.62, 0.0]
    picture[(mask == 0) & (y[test] == 1)] = [0.34, 0.71, 0.91]
    whole = picture.reshape(4, 4, 64, 64, 3).swapaxes(1, 2).reshape(256, 256, 3)
    return np.clip(whole[100:228, 100:228], 0, 1)


fig = plt.figure(figsize=(9, 5.6), layout="constrained")
above, below = fig.subfigures(2, 1, height_ratios=[1.2, 1])
curve, scores = above.subplots(1, 2)
curve.plot(recall, precision, "o-", color="#1d2433", lw=2)
for k, beta in enumerate(betas):
    at = (recall[k], precision[k])
    curve.annotate(f"{beta}", at, (-7, -13), textcoords="offset points", ha="right")
curve.set(xlabel="recall", ylabel="precision", title="one point for each beta")
curve.margins(0.12)
scores.plot(betas, precision, "o-", color="#E69F00", lw=2, label="precision")
scores.plot(betas, recall, "s-", color="#0072B2", lw=2, label="recall")
scores.set(xlabel="beta", title="the same, by beta")
scores.legend(frameon=False)
for ax in (curve, scores):
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
panels = below.subplots(1, 3)
for ax, k in zip(panels, (0, 2, 4), strict=True):
    ax.imshow(errors(masks[k]))
    ax.set_title(f"beta {betas[k]}", fontsize=10)
    ax.set_axis_off()
plt.show()

# %%
# What to remember
# ----------------
# * Raise ``beta`` if misses cost more than false alarms, lower it if they cost less. Dice is
#   highest near .5; it is the price of what you ask for.
# * Most of the difference is at the rims. Extreme values fail: at .95 the mask spills over.
# * If the masks are for counting or measuring, choose ``beta`` by that number on held-out images:
#   ``loss__beta`` is a parameter for :class:`~sklearn.model_selection.GridSearchCV` and
#   :class:`~sklearnloss.LossSearchCV`. A threshold of the probabilities is an alternative that
#   needs no training: see ``fit_threshold`` of :class:`~sklearnloss.UNetSegmenter`.
# * These are four quadrants of one image, and one seed. See
#   :class:`~sklearnloss.losses.TverskyLoss`, and `Salehi et al. 2017
#   <https://arxiv.org/abs/1706.05721>`_ for lesions in brain images.
