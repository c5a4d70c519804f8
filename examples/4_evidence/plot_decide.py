"""
Decide between losses on fresh folds
====================================

A search may end with losses between which it cannot decide. ``resume(decide=True)`` trains only
these, on fresh folds with new seeds, until they are decided or it is clear that they will not be.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearnloss import LossSearchCV, UNetSegmenter
from sklearnloss.datasets import make_digit_scenes

X, y = make_digit_scenes(30, size=32, n_digits=4, classes=(0, 1), random_state=0)
search = LossSearchCV(
    UNetSegmenter(width=4, depth=2, batch_size=4, max_epochs=6, lr=1e-2),
    ["dice", "dice+cross_entropy", "cross_entropy", "focal"],
    n_trials=8,
    scoring="dice",
    refit=False,
    random_state=0,
)
search.fit(X, y)
print(search.verdict_)

# %%
# What is there to decide?
before = search.verdict_
print(before.to_decide, "repeats that would decide:", before.repeats_needed)

# %%
# The decision. ``n_repeats`` is the most it may take; after a quarter and a half of the repeats it
# looks at the scores, and trains only what is still undecided.
search.resume(X, y, decide=True, n_repeats=4)
after = search.verdict_
print(after)
print(search.decision_.scores_.shape, "losses, splits, seeds")
