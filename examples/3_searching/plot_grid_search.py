"""
Grid search over losses and their settings
==========================================

The loss is a parameter of the estimator, so :class:`~sklearn.model_selection.GridSearchCV` can
choose it, also in a pipeline.

A grid is a list of dicts here: each loss has its own settings.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearnloss import UNetSegmenter
from sklearnloss.datasets import load_nuclei
from sklearnloss.metrics import dice_score, make_mask_scorer
from sklearnloss.tuning import loss_param_grid

# %%
# Microscopy tiles with two classes: background, and nuclei, which are 20 % of the pixels. The
# groups are the quadrants of the image.
X, y, groups = (each[::2] for each in load_nuclei(border=False))  # half of the tiles
model = UNetSegmenter(width=4, depth=2, batch_size=4, max_epochs=6, lr=2e-2, random_state=0)
pipe = make_pipeline(FunctionTransformer(np.sqrt), model)

# %%
# In a pipeline the names of parameters begin with that of the step. ``loss__alpha`` weighs false
# alarms in :class:`~sklearnloss.losses.TverskyLoss`, and ``loss__beta`` misses.
weights = [0.2, 0.5, 0.8]
grid = [
    {"unetsegmenter__loss": ["bce"], "unetsegmenter__loss__label_smoothing": [0.0, 0.1]},
    {"unetsegmenter__loss": ["focal"], "unetsegmenter__loss__gamma": [1.0, 2.0]},
    {
        "unetsegmenter__loss": ["tversky"],
        "unetsegmenter__loss__alpha": weights,
        "unetsegmenter__loss__beta": weights,
    },
]

# %%
# A scorer for the Dice coefficient of the nuclei. The share of pixels that is right would not do:
# calling every pixel background is right for 80 % of them.
dice = make_mask_scorer(dice_score, labels=[1])
search = GridSearchCV(pipe, grid, scoring=dice, cv=GroupKFold(2), refit=False)
search.fit(X, y, groups=groups)

results = search.cv_results_
short = [
    {key.removeprefix("unetsegmenter__"): value for key, value in params.items()}
    for params in results["params"]
]
order = np.argsort(results["rank_test_score"])
for k in order[:5]:
    print(f"{results['mean_test_score'][k]:.3f}", short[k])

# %%
# All candidates
# --------------
#
# To the left one dot per candidate, to the right the grid of the Tversky loss.
fig, (left, right) = plt.subplots(
    1, 2, figsize=(9, 4), layout="constrained", width_ratios=[1, 1.15]
)
names = ["bce", "focal", "tversky"]
for column, (name, color) in enumerate(zip(names, ["#0072B2", "#E69F00", "#009E73"], strict=True)):
    scores = np.sort(
        [
            score
            for params, score in zip(short, results["mean_test_score"], strict=True)
            if params["loss"] == name
        ]
    )
    places = column + np.linspace(-0.2, 0.2, len(scores))
    left.plot(places, scores, "o", color=color, alpha=0.8)
left.set(xticks=range(3), xlim=(-0.5, 2.5), ylabel="Dice of the nuclei")
left.set_xticklabels(names)
left.set_title("One dot per setting", loc="left")
left.grid(axis="y", alpha=0.3)

table = np.array(
    [
        [
            next(
                score
                for params, score in zip(short, results["mean_test_score"], strict=True)
                if params.get("loss__alpha") == alpha and params.get("loss__beta") == beta
            )
            for beta in weights
        ]
        for alpha in weights
    ]
)
image = right.imshow(table, origin="lower", cmap="viridis")
for i, j in np.ndindex(table.shape):
    color = "white" if table[i, j] < (table.min() + table.max()) / 2 else "black"
    right.text(j, i, f"{table[i, j]:.2f}", ha="center", va="center", color=color, fontsize=10)
right.set(xlabel="beta, weight of misses", ylabel="alpha, weight of false alarms")
right.set_xticks(range(3), weights)
right.set_yticks(range(3), weights)
right.set_title("Tversky", loc="left")
fig.colorbar(image, label="Dice")
plt.show()

# %%
# A grid without typing
# ---------------------
#
# :func:`~sklearnloss.tuning.loss_param_grid` writes the grid of the known ranges of each loss.
for entry in loss_param_grid(["bce", "focal"], prefix="unetsegmenter__"):
    print(entry)

# %%
# What to remember
# ----------------
#
# - A grid is a list of dicts, one per loss, so that no loss gets another one's settings.
# - The score is a metric on held-out images, never the value of the loss.
# - The best of 13 candidates on two folds looks better than it is:
#   :ref:`sphx_glr_examples_4_evidence_plot_selection_bias.py`.
# - A grid trains all candidates on all folds.
#   :ref:`sphx_glr_examples_3_searching_plot_loss_search.py` needs fewer epochs.
