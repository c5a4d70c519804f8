r"""
Focal loss: what gamma does
===========================

The focal loss multiplies cross entropy by :math:`(1 - p)^\gamma`, where p is the probability of
the true label.

Pixels that are already right count less, so the others count more.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch

from sklearnloss import UNetSegmenter
from sklearnloss.datasets import load_nuclei
from sklearnloss.losses import FocalLoss
from sklearnloss.metrics import dice_score, expected_calibration_error

X, y, groups = load_nuclei(border=False)
train, test = groups < 3, groups == 3
gammas = [0.0, 1.0, 2.0, 5.0]
colors = ["#1d2433", "#0072B2", "#E69F00", "#009E73"]

# %%
# The gradient of real pixels
# ---------------------------
# A network is trained for three epochs with cross entropy (``gamma=0``). Then, for each pixel of
# the held-out tiles, the size of the gradient is computed with several gammas. ``alpha`` weighs
# positives against negatives, a second question; ``alpha=None`` leaves it out.
start = UNetSegmenter("bce", width=8, depth=2, max_epochs=3, batch_size=4, lr=1e-2, random_state=0)
p = start.fit(X[train], y[train]).predict_proba(X[test])[:, 1]
right = np.where(y[test] == 1, p, 1 - p).ravel()
target = torch.as_tensor(y[test]).float().unsqueeze(1)
logits = torch.as_tensor(p).double().clamp(1e-6, 1 - 1e-6).logit().unsqueeze(1).requires_grad_()

fig, (left, middle) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
grid = np.linspace(0.005, 0.995, 200)
order = np.argsort(right)
hardest = np.arange(1, len(order) + 1) / len(order)
for gamma, color in zip(gammas, colors, strict=True):
    left.plot(grid, (1 - grid) ** gamma * -np.log(grid), color=color, lw=2, label=f"{gamma:g}")
    (gradient,) = torch.autograd.grad(FocalLoss(gamma, alpha=None)(logits, target), logits)
    size = gradient.abs().numpy().ravel()[order]
    middle.plot(hardest, size.cumsum() / size.sum(), color=color, lw=2)
    share = size[: len(size) // 20].sum() / size.sum()
    print(f"gamma {gamma:g}: the hardest 5 % of the pixels have {share:.0%} of the gradient")
left.set(title="loss of a pixel", xlabel="probability of the true label", ylim=(0, 4))
left.legend(title="gamma", frameon=False)
middle.set(title="share of the whole gradient", xlabel="share of pixels, hardest first")
middle.set(xlim=(0, 0.5), ylim=(0, 1.02))
for ax in (left, middle):
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# What training makes of it
# -------------------------
# The same fit with each gamma. The picture shows the probability of a nucleus.
probabilities = {}
for gamma in gammas:
    model = UNetSegmenter(FocalLoss(gamma, alpha=None), width=8, depth=2, max_epochs=8)
    model.set_params(batch_size=4, lr=1e-2, random_state=0).fit(X[train], y[train])
    probabilities[gamma] = model.predict_proba(X[test])
    dice = dice_score(y[test], model.predict(X[test]), labels=[1])
    error = expected_calibration_error(y[test], probabilities[gamma])
    print(f"gamma {gamma:g}: Dice {dice:.3f}, calibration error {error:.3f}")

# %%


def assemble(tiles):
    """Put the 16 tiles of a quadrant back where they were cut."""
    return tiles.reshape(4, 4, 64, 64).swapaxes(1, 2).reshape(256, 256)[100:, 100:]


fig, axes = plt.subplots(1, 5, figsize=(9, 2.3), layout="constrained")
axes[0].imshow(assemble(X[test]), cmap="gray", vmax=110)
axes[0].set_title("image", fontsize=10)
for ax, (gamma, p) in zip(axes[1:], probabilities.items(), strict=True):
    picture = ax.imshow(assemble(p[:, 1]), cmap="cividis", vmin=0, vmax=1)
    ax.set_title(f"gamma {gamma:g}", fontsize=10)
for ax in axes:
    ax.set_axis_off()
fig.colorbar(picture, ax=axes, label="probability", shrink=0.8)
plt.show()

# %%
# What to remember
# ----------------
# * ``gamma`` moves the gradient from easy pixels to hard ones: with 5 nearly all of it comes from
#   the hardest twentieth.
# * On these nuclei, which are neither rare nor hard to find, that brought no higher Dice, and
#   after eight epochs the probabilities are the less sure the larger gamma is. The calibration
#   error grew with it. After long training, when networks are too sure, the same effect is
#   welcome (`Mukhoti et al. 2020 <https://arxiv.org/abs/2002.09437>`_).
# * So try it for rare objects on an easy background, for which it was made
#   (`Lin et al. 2017 <https://arxiv.org/abs/1708.02002>`_), and tune ``gamma`` between 0 and 5.
# * The default ``alpha="auto"`` is 0.25 for masks, as in the paper: positives count a third as
#   much as negatives. Tune it together with ``gamma``. See :class:`~sklearnloss.losses.FocalLoss`.
