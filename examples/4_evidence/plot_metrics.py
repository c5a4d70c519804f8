"""
What metrics see, and what they do not
======================================

A search returns the loss that is best for the metric it is given. Seven kinds of errors in one true
mask show what each metric sees: overlap, outline, the farthest pixel, or the probabilities.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import binary_dilation, binary_erosion, gaussian_filter, shift

from sklearnloss.datasets import load_nuclei
from sklearnloss.metrics import (
    boundary_iou_score,
    dice_score,
    expected_calibration_error,
    hausdorff_distance,
    iou_score,
    surface_dice_score,
)

# %%
# The truth is a part of a microscopy image with numbered nuclei.
_, labels = load_nuclei(instances=True)
labels = labels[256:384, 128:256]
truth = labels > 0
numbers, sizes = np.unique(labels[truth], return_counts=True)
print(f"{len(numbers)} nuclei, {truth.mean():.0%} of the pixels")

# %%
# Errors that happen, made on purpose. Each is a mask.
rng = np.random.default_rng(0)
smallest = numbers[np.argsort(sizes)[:3]]
speck = truth.copy()
far = np.unravel_index(
    np.argmax(np.where(truth, 0, 1) * gaussian_filter((~truth).astype(float), 8)), truth.shape
)
speck[far[0] - 1 : far[0] + 2, far[1] - 1 : far[1] + 2] = True
rough = np.where(
    binary_dilation(truth) & ~binary_erosion(truth), rng.random(truth.shape) < 0.5, truth
)
errors = {
    "too large": binary_dilation(truth),
    "too small": binary_erosion(truth),
    "shifted": shift(truth.astype(float), (2, 2), order=0) > 0.5,
    "rough outline": rough,
    "small ones missed": truth & ~np.isin(labels, smallest),
    "one false speck": speck,
    "overconfident": truth,
}

# %%
# And a probability for each pixel, for the metric that needs one: a smooth step across the outline
# of the mask. That of "overconfident" is 0 or 1 everywhere, with the mask of a model that errs a
# little, "rough outline".
