"""
Dice loss, cross entropy and small objects
==========================================

How hard Dice and cross entropy pull on an object that is a small part of the image, and what that
changes in training.

The gradient of a mean over pixels shrinks with the object. That of Dice does not, because pixels
of the background that are right do not occur in it.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch

from sklearnloss import UNetSegmenter
from sklearnloss.datasets import make_digit_scenes
from sklearnloss.losses import BCEWithLogitsLoss, DiceLoss
from sklearnloss.metrics import dice_score

losses = {"Dice": DiceLoss(), "cross entropy": BCEWithLogitsLoss()}
colors = {"Dice": "#0072B2", "cross entropy": "#E69F00"}

# %%
# The pull on an object that is not found yet
# -------------------------------------------
# A disc of radius 4 in images of growing size. Two states of the network: undecided, p = .5
# everywhere, as at the beginning; and later, when the background is known (p = .001) and the
# disc is undecided (p = .2). The pull is the sum of the gradient's size over the pixels of
# the disc.
sides = np.array([16, 24, 32, 48, 64, 96, 128, 192, 256])


def pull(loss, side, on_background, on_object):
    """Return the pull on the disc, and the share of the disc in the image."""
    rows, columns = np.ogrid[:side, :side]
    disc = torch.as_tensor((rows - side / 2) ** 2 + (columns - side / 2) ** 2 <= 16)
    p = torch.where(disc, on_object, on_background).double()
    logits = p.logit()[None, None].requires_grad_()
    (gradient,) = torch.autograd.grad(loss(logits, disc[None, None].double()), logits)
    return float(gradient[0, 0][disc].abs().sum()), float(disc.double().mean())


fig, axes = plt.subplots(1, 2, figsize=(9, 3.9), sharey=True, layout="constrained")
states = {"undecided everywhere": (0.5, 0.5), "background already right": (0.001, 0.2)}
for ax, (title, state) in zip(axes, states.items(), strict=True):
    for name, loss in losses.items():
        pulls, shares = np.transpose([pull(loss, side, *state) for side in sides])
        ax.loglog(100 * shares, pulls, "o-", color=colors[name], lw=2, label=name)
        print(f"{title}, {name}: from {pulls[0]:.3f} (16 pixels) to {pulls[-1]:.4f} (256 pixels)")
    ax.set(title=title, xlabel="share of the object in the image, %")
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("pull on the object")
axes[0].legend(frameon=False, loc="upper left")
plt.show()

# %%
# As long as nothing is known, both shrink as the image grows: Dice contains the sum of all
# probabilities, so a wrong background dilutes it, too. Once the background is right, Dice pulls
# about as hard on an object of 0.1 % of the image as on one of 19 %. The pull of cross entropy
# is still proportional to that share.

# %%
# Training
# --------
# Scenes with one or two handwritten digits, 1 % of the pixels. After each epoch: Dice of
# held-out scenes. Two seeds each.
X, y = make_digit_scenes(96, size=64, n_digits=2, classes=(3,), noise=0.35, random_state=0)
curves = {name: [] for name in losses}
for name, loss in losses.items():
    for seed in (0, 1):
        model = UNetSegmenter(loss, width=8, depth=2, batch_size=4, lr=3e-3, random_state=seed)
        model.set_params(max_epochs=1, scheduler=None)
        scores = []
        for _ in range(8):
            model.partial_fit(X[:64], y[:64])
            scores.append(dice_score(y[64:], model.predict(X[64:]), labels=[1]))
        curves[name].append(scores)

fig, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
for name, runs in curves.items():
    for k, scores in enumerate(runs):
        ax.plot(range(1, 9), scores, "o-", color=colors[name], label=name if k == 0 else None)
    print(f"{name}: Dice {np.mean(runs, 0)[2]:.2f} after 3, {np.mean(runs, 0)[-1]:.2f} after 8")
ax.set(xlabel="epoch", ylabel="Dice of held-out scenes", ylim=(0, 1))
ax.legend(frameon=False, loc="lower right")
ax.grid(alpha=0.3)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# The gradients differ by a factor of a hundred, training does not. With both losses the digits
# are found within a few epochs; here cross entropy is faster at first, and the two seeds of Dice
# differ more than the losses. One reason: AdamW divides each step by the usual size of the
# gradient, so a small gradient alone does not slow training down. What remains is the balance
# between the pixels of the object and all others.

# %%
# What to remember
# ----------------
# * Dice weighs an object by its share of the wrong pixels, not by its share of the image. Images
#   or patches with much background therefore change little.
# * At the beginning, before the background is known, that is not so.
# * Its gradient is bounded, and its training is less steady; adding a cross entropy is the usual
#   remedy: :ref:`sphx_glr_examples_2_losses_explained_plot_sums_of_losses.py`.
# * See :class:`~sklearnloss.losses.DiceLoss`, and `Milletari et al. 2016
#   <https://arxiv.org/abs/1606.04797>`_.
