"""
Thresholds and calibration
==========================

After training, two numbers can still be adjusted on images that the model has not seen: the
temperature, which makes probabilities agree with frequencies, and the threshold above which a pixel
belongs to the object. Neither needs another training.
"""

import copy

import matplotlib.pyplot as plt
import numpy as np

from sklearnloss import UNetSegmenter
from sklearnloss.datasets import load_nuclei
from sklearnloss.metrics import dice_score, expected_calibration_error

# %%
# Three parts of the data: two quadrants of the image to train, one to adjust, one to evaluate. The
# loss gives misses eight times the weight of false alarms.

X, y, groups = load_nuclei(border=False)
train, adjust, test = groups < 2, groups == 2, groups == 3
model = UNetSegmenter(
    "tversky",
    loss__alpha=0.1,
    loss__beta=0.8,
    width=8,
    depth=2,
    batch_size=4,
    max_epochs=10,
    lr=1e-2,
    random_state=0,
)
model.fit(X[train], y[train])

# %%
# Temperature
# -----------
# Region losses make probabilities extreme. ``fit_temperature`` divides all scores by one number, so
# that the log loss is lowest; masks stay the same.

raw = copy.deepcopy(model)
model.fit_temperature(X[adjust], y[adjust])
print(f"temperature: {model.temperature_:.2f}")

# %%
# Threshold
# ---------
# ``fit_threshold`` finds the threshold with the highest score, here Dice of the nuclei. Calibrate
# first, because the threshold refers to the calibrated probabilities.

model.fit_threshold(X[adjust], y[adjust], scoring="dice")
print(f"threshold: {model.threshold_:.3f}")

# %%
# On the last quadrant
# --------------------
truth = y[test]
bins = np.linspace(0, 1, 11)


def curve(probability):
    """Return the mean probability and the frequency of nuclei in each tenth."""
    which = np.digitize(probability, bins[1:-1])
    kept = [k for k in range(10) if (which == k).sum() > 100]
    return np.array(
        [(probability[which == k].mean(), truth[which == k].mean()) for k in kept]
    ).T
for n,m in (("raw",raw),("adj",model)):
    p=m.predict_proba(X[test]); 
    print(n, expected_calibration_error(truth,p), dice_score(truth,m.predict(X[test])), curve(p[:,1]))
