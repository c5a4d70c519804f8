"""
Compare losses in five lines
============================

:func:`~sklearnloss.compare_losses` trains losses on the same splits and says which differences are
more than chance.
"""

import matplotlib.pyplot as plt

from sklearnloss import UNetSegmenter, compare_losses
from sklearnloss.datasets import load_nuclei
from sklearnloss.metrics import dice_score, make_mask_scorer

# Every second tile of a microscopy image: background, nucleus, and a thin border of nuclei.
X, y, groups = load_nuclei()
X, y, groups = X[::2], y[::2], groups[::2]

model = UNetSegmenter(width=8, depth=2, max_epochs=12, batch_size=4, lr=1e-2)
losses = ["cross_entropy", "dice"]
border = make_mask_scorer(dice_score, labels=[2])

# %%
# The comparison
# --------------
# ``groups`` are the quadrants of the image. Each is held out once, so that no tile is scored by
# a network that has seen its neighbors. The score is the Dice coefficient of the border.
comparison = compare_losses(
    model, losses, X, y, groups=groups, scoring=border, n_repeats=1, random_state=0
)
comparison.plot()
plt.show()

# %%
# On the left is a dot for each split; lines would connect the same split. On the right is the
# difference of each loss to the best one with its 95 % interval.

# %%
# The report
# ----------
print(comparison.summary())

# %%
# The verdicts account for the number of splits, for overlapping training sets and for the number
# of pairs. With four splits only a large difference is found; a smaller one is called
# "no evidence yet".
# ``comparison.to_frame("pairs")`` has the numbers behind the sentences.

# %%
# What to remember
# ----------------
# * Compare losses by a metric of held-out images, never by their values: these have
#   different scales.
# * More repeats or seeds: ``n_repeats``, ``n_seeds``. With ``storage="fits.journal"`` only the
#   fits that are missing are trained.
# * :doc:`/how_to/reading_the_report` explains each column and each verdict, and
#   :doc:`/how_to/search` how to choose the settings of each loss first.
