"""
The loss as a parameter
=======================

One network, one image, two losses.
"""

from sklearnloss import UNetSegmenter
from sklearnloss.datasets import load_nuclei
from sklearnloss.estimators import SegmentationDisplay

X, y, groups = load_nuclei(border=False)
model = UNetSegmenter("dice", width=8, depth=2, max_epochs=2, random_state=0)
model.fit(X[groups < 3], y[groups < 3])

# %%
# What it finds on tiles that it has not seen:
SegmentationDisplay.from_estimator(model, X[groups == 3], y[groups == 3], select="worst")
