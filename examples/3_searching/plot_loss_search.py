"""
Search for the best loss
========================

:class:`~sklearnloss.LossSearchCV` tries several losses, each with its own settings, on the same
folds.

It stops candidates that fall behind, and says how sure its answer is.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearnloss import LossSearchCV, UNetSegmenter
from sklearnloss.datasets import load_nuclei
from sklearnloss.estimators import SegmentationDisplay
from sklearnloss.tuning import LossSearchDisplay

# %%
# The data are tiles of a microscopy image with a mask of the nuclei in each. One quadrant of the
# image is kept for the end; the search does not see it.
X, y, groups = load_nuclei(border=False)
seen, unseen = groups < 3, groups == 3
model = UNetSegmenter(width=4, depth=2, batch_size=4, max_epochs=4, lr=2e-2)

# %%
# Five losses, 10 candidates. The defaults of each loss are tried first; then an Optuna sampler
# proposes settings. ``groups`` keeps tiles of a quadrant in the same fold.
search = LossSearchCV(
    model,
    ["bce", "dice", "dice+bce", "focal", "tversky"],
    n_trials=10,
    scoring="dice",
    random_state=0,
)
search.fit(X[seen], y[seen], groups=groups[seen])
print(search.best_loss_, search.best_params_)
print(f"Dice {search.best_score_:.3f} in {search.n_splits_} folds")

# %%
# The picture of a search: to the left all candidates by loss, hollow if they were stopped; to the
# right the best score against the epochs that were trained.
LossSearchDisplay.from_search(search)
plt.show()

# %%
# How sure is it?
# ---------------
#
# ``verdict_`` says which losses are worse than the best one, and what is undecided. It takes into
# account that the winner was chosen among many, and that training sets overlap.
print(search.verdict_)

# %%
# The same as a table:
for row in search.verdict_.table:
    print(
        f"{row['loss']:20} {row['status']:14} {row['n_candidates']} tried, folds: {row['n_folds']}"
    )

# %%
# What was trained, and what not
# ------------------------------
#
# ``cv_results_`` has a row per candidate, as in scikit-learn, with further columns.
results = search.cv_results_
for k in np.argsort(results["rank_test_score"], kind="stable")[:8]:
    print(
        f"{results['loss'][k]:20} {results['trial_state'][k]:9} "
        f"{results['n_epochs'][k]:3} epochs, {results['last_report'][k]:.3f}",
        results["reason"][k] or "",
    )

# %%
# The best model
# --------------
#
# The best candidate is trained on all data that the search was given. Here is what it finds on
# the quadrant that was kept. The score there is the one to report; ``best_score_`` is that of the
# best of many.
print(f"Dice on the held-out quadrant: {search.score(X[unseen], y[unseen]):.3f}")
SegmentationDisplay.from_estimator(
    search.best_estimator_,
    X[unseen],
    y[unseen],
    n_images=2,
    select=[5, 10],
    display_labels=["background", "nucleus"],
)
plt.show()

# %%
# What to remember
# ----------------
#
# - ``fit`` needs the images, the masks, and the groups if there are any.
# - A stopped candidate has not been proved worse; the verdict says so.
# - To train what is undecided on fresh folds, call ``resume(decide=True)``:
#   :ref:`sphx_glr_examples_4_evidence_plot_decide.py`.
# - More in :doc:`/how_to/search`; how candidates are stopped is in
#   :ref:`sphx_glr_examples_3_searching_plot_race.py`.
