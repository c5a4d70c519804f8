"""
Choose a threshold and a temperature after training
===================================================

The threshold of a decision and the temperature of probabilities are chosen after training, on
images that the model has not seen.

The temperature makes probabilities agree with frequencies, and above the threshold a pixel belongs
to the object. Neither needs another training, and neither is always an improvement.
"""

import copy

import matplotlib.pyplot as plt
import numpy as np

from sklearnloss import UNetSegmenter
from sklearnloss.datasets import load_nuclei
from sklearnloss.losses import FocalLoss, TverskyLoss
from sklearnloss.metrics import dice_score, expected_calibration_error

# %%
# Three parts of the data: two quadrants of the image to train, one to adjust, one to evaluate.

X, y, groups = load_nuclei(border=False)
train, adjust, test = groups < 2, groups == 2, groups == 3
settings = {
    "width": 8,
    "depth": 2,
    "batch_size": 4,
    "max_epochs": 8,
    "lr": 1e-2,
    "random_state": 0,
}

# %%
# Temperature
# -----------
# The focal loss ignores pixels that are already easy, which makes its probabilities too unsure.
# ``fit_temperature`` divides all scores by one number such that the log loss is lowest. Below 1
# makes them surer. Masks stay the same, since a probability of one half remains one half.

focal = UNetSegmenter(FocalLoss(gamma=4, alpha=None), **settings).fit(X[train], y[train])
calibrated = copy.deepcopy(focal).fit_temperature(X[adjust], y[adjust])
print(f"temperature: {calibrated.temperature_:.2f}")
print("the same masks:", (focal.predict(X[test]) == calibrated.predict(X[test])).all())


def frequencies(probability, n_bins=10):
    """Return the mean probability and the share of nuclei, by tenths of the probability."""
    which = np.minimum((probability * n_bins).astype(int), n_bins - 1)
    kept = [which == k for k in range(n_bins) if (which == k).sum() >= 50]
    return [[values[mask].mean() for mask in kept] for values in (probability, y[test])]


fig, ax = plt.subplots(figsize=(5.5, 4.6), layout="constrained")
ax.plot([0, 1], [0, 1], color="0.6", linewidth=1)
for name, model, color, marker in [
    ("as trained", focal, "#D55E00", "s"),
    ("with temperature", calibrated, "#0072B2", "o"),
]:
    probability = model.predict_proba(X[test])
    error = expected_calibration_error(y[test], probability)
    label = f"{name}: error {error:.3f}"
    ax.plot(*frequencies(probability[:, 1]), color=color, marker=marker, label=label)
ax.set(
    title="calibration, focal loss",
    xlabel="predicted probability of a nucleus",
    ylabel="share of nuclei among these pixels",
    aspect="equal",
)
ax.legend(frameon=False, loc="lower right", fontsize=9)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# Threshold
# ---------
# A Tversky loss with a high cost of misses finds too much. ``fit_threshold`` looks for the
# threshold with the highest score, here Dice of the nuclei. It tries more than a thousand at
# once, from counts, and predicts the images only once. Curves of all thresholds, for comparison:

model = UNetSegmenter(TverskyLoss(alpha=0.1, beta=0.9), **settings).fit(X[train], y[train])
probabilities = {
    part: model.predict_proba(X[part_of])[:, 1]
    for part, part_of in [("adjust", adjust), ("test", test)]
}
thresholds = np.linspace(0.02, 0.98, 25)
fig, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
for (part, probability), truth, color in zip(
    probabilities.items(), (y[adjust], y[test]), ["0.5", "#0072B2"], strict=True
):
    dice = [dice_score(truth, (probability > t).astype(int), labels=[1]) for t in thresholds]
    ax.plot(thresholds, dice, color=color, label=f"quadrant to {part}")
before = dice_score(y[test], model.predict(X[test]), labels=[1])
model.fit_threshold(X[adjust], y[adjust], scoring="dice")
after = dice_score(y[test], model.predict(X[test]), labels=[1])
print(f"threshold: {model.threshold_:.3f}")
print(f"Dice on the last quadrant: {before:.3f} at .5, {after:.3f} at the threshold")

ax.plot([0.5, model.threshold_], [before, after], "o", color="#D55E00")
ax.annotate("default", (0.5, before), (8, -12), textcoords="offset points", fontsize=9)
ax.annotate("chosen", (model.threshold_, after), (-14, 8), textcoords="offset points", fontsize=9)
ax.set(title="threshold, Tversky loss", xlabel="threshold", ylabel="Dice of nuclei")
ax.legend(frameon=False, loc="lower right")
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# ``predict`` uses the threshold from now on; ``save`` keeps it. For a single call there is
# ``predict(X, threshold=0.3)``, and ``model.threshold_ = None`` undoes the choice.
#
# Where it does not help
# ----------------------
# The same steps for the other model of each pair:

shifted = copy.deepcopy(model)
shifted.threshold_ = None
errors = []
for _ in range(2):
    errors.append(expected_calibration_error(y[test], shifted.predict_proba(X[test])))
    shifted.fit_temperature(X[adjust], y[adjust])
print(f"Tversky, calibration error: {errors[0]:.3f} before, {errors[1]:.3f} with a temperature")

before = dice_score(y[test], calibrated.predict(X[test]), labels=[1])
calibrated.fit_threshold(X[adjust], y[adjust], scoring="dice")
after = dice_score(y[test], calibrated.predict(X[test]), labels=[1])
print(f"focal, Dice: {before:.3f} at .5, {after:.3f} at {calibrated.threshold_:.2f}")

# %%
# One number cannot repair probabilities that are too high everywhere: for the Tversky loss the
# temperature makes calibration worse. And a threshold that is best on 16 tiles need not be best
# on the next 16: for the focal loss it overfits the third quadrant. So keep some images for an
# evaluation, as here, and use as many as possible to adjust.
#
# What to remember
# ----------------
# - First ``fit_temperature``, then ``fit_threshold``, both on images outside of the training.
# - A threshold belongs to a score: that for IoU differs from that for precision.
# - Further training resets both.
#
# More: :doc:`/how_to/using_the_best_model`.
