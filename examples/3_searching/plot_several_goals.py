"""
Several metrics at once: the Pareto front
=========================================

``refit="pareto"`` finds the candidates between which only a preference decides, here between good
masks and honest probabilities.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone

from sklearnloss import LossSearchCV, UNetSegmenter
from sklearnloss.datasets import load_nuclei
from sklearnloss.tuning import ParetoFrontDisplay

# %%
# Background, nuclei and their border, which is rare. The goals are the Dice coefficient, and the
# calibration error: how far probabilities are from the share of pixels that is right. With several
# goals no candidate is stopped early: being behind in one may mean being ahead in the other.
X, y, groups = (each[::2] for each in load_nuclei())
model = UNetSegmenter(width=4, depth=2, batch_size=2, max_epochs=4, lr=1e-2)
search = LossSearchCV(
    model,
    ["dice", "cross_entropy", "dice+cross_entropy", "focal"],
    n_trials=14,
    cv=2,
    scoring=["dice", "calibration"],
    refit="pareto",
    random_state=0,
)
search.fit(X, y)

# %%
# The front: no other candidate is at least as good in both and better in one. The line joins them;
# the ring marks the chosen one, whose worse goal is best, with each scaled to 0..1 on the front.
ParetoFrontDisplay.from_search(search)
plt.show()

# %%
# The same as numbers. Scorers are "higher is better", so errors have a minus sign.
for entry in search.pareto_front_:
    scores = ", ".join(
        f"{name} {entry['scores'][name]:.3f} ± {entry['std'][name]:.3f}" for name in entry["scores"]
    )
    print(f"{entry['loss']:14} {scores}")

# %%
# Where neighbors on the front differ by much less than the spread over the folds, their order may
# be chance.
ends = [search.pareto_front_[0], search.pareto_front_[-1]]
spread = np.mean([entry["std"]["dice"] for entry in search.pareto_front_])
gap = ends[0]["scores"]["dice"] - ends[1]["scores"]["dice"]
print(f"the ends of the front differ by {gap:.3f} in Dice; the folds by {spread:.3f}")

# %%
# Another choice
# --------------
#
# The chosen candidate is trained on all tiles as ``best_estimator_``. To use another point of the
# front, train it yourself, here the one with the best Dice:
other = clone(model).set_params(**search.pareto_front_[0]["params"], random_state=0)
other.fit(X, y)
print(other.loss, "instead of", search.best_loss_)

# %%
# What to remember
# ----------------
#
# - ``scoring`` is a list of metrics, and ``refit="pareto"`` optimizes all of them.
# - ``pareto_front_`` is the answer; ``best_params_`` is one point of it.
# - For a rule such as "the best Dice with an error below .05", pass a function as ``refit``.
# - More in :doc:`/how_to/search`, and what metrics see in
#   :ref:`sphx_glr_examples_4_evidence_plot_metrics.py`.
