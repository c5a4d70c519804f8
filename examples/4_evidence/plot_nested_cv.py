"""
Nested cross-validation of a search
===================================

A search is an estimator, so it can be cross-validated as a whole: each outer fold is scored by a
search that has never seen it.

That is the score of the *procedure*, search included.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, cross_validate
from torch import nn

from sklearnloss import ImageClassifier, LossSearchCV

# %%
# A small study: 150 handwritten digits to learn from, and a tiny network. The other digits are used
# only at the end, to see which of two scores was right.
images, labels = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8)
order = np.random.default_rng(0).permutation(len(labels))
study, world = order[:150], order[150:]
X, y = images[study], labels[study]


def small_net(in_channels, n_outputs):
    """Return a network that trains in a tenth of a second."""
    return nn.Sequential(
        nn.Conv2d(in_channels, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128, n_outputs),
    )


search = LossSearchCV(
    ImageClassifier(small_net, max_epochs=8, batch_size=20),
    ["cross_entropy", "focal", "poly1", "generalized_ce"],
    param_distributions={"lr": (3e-3, 5e-2, "log")},
    n_trials=8,
    cv=2,
    random_state=0,
)

# %%
# Outside, five folds; inside, each search has two folds of its own. ``return_estimator`` keeps
# the searches, to see what each has chosen.
outer = StratifiedKFold(5, shuffle=True, random_state=1)
nested = cross_validate(search, X, y, cv=outer, return_estimator=True)
inner = np.array([each.best_score_ for each in nested["estimator"]])
for each, score in zip(nested["estimator"], nested["test_score"], strict=True):
    rate = each.best_params_.get("lr", 3e-3)
    print(f"{each.best_loss_:15} lr {rate:.3f}  inside {each.best_score_:.3f}  outside {score:.3f}")

# %%
# The search on all 150 digits, whose model is the one to use, and its score on 1,600 others.
search.fit(X, y)
unseen = search.score(images[world], labels[world])
print(f"best_score_        {search.best_score_:.3f}")
print(f"nested             {nested['test_score'].mean():.3f}")
print(f"on unseen digits   {unseen:.3f}")

# %%
fig, ax = plt.subplots(figsize=(8.5, 4), layout="constrained")
for k, (a, b) in enumerate(zip(inner, nested["test_score"], strict=True)):
    ax.plot([k, k], [a, b], color="#9ca3af", lw=1.5, zorder=1)
ax.scatter(
    range(5), inner, 70, marker="o", color="#E69F00", label="best_score_ of the inner search"
)
ax.scatter(range(5), nested["test_score"], 70, marker="s", color="#0072B2", label="outer score")
ax.axhline(nested["test_score"].mean(), color="#0072B2", lw=1.2, label="mean outer score (nested)")
ax.axhline(unseen, color="black", lw=1.2, ls="--", label="model of all data, unseen digits")
names = [f"fold {k + 1}\n{each.best_loss_}" for k, each in enumerate(nested["estimator"])]
ax.set_xticks(range(5), names)
ax.set(ylabel="accuracy", xlim=(-0.5, 4.5))
ax.grid(axis="y", alpha=0.3)
ax.legend(frameon=False, fontsize="small", ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1))
plt.show()

# %%
# Which score is right?
# ---------------------
#
# Two errors are in ``best_score_``, in opposite directions. It is the best of eight, which makes
# it too high. And its models were trained on half of the data, which makes it too low: with
# so few images the second one can be the larger one, see above. The nested score has only a small
# part of the second, since each search was trained on four fifths, and none of the first: no image
# of an outer fold had a say in what was chosen. It is the one to report, with its spread:
error = nested["test_score"].std(ddof=1) / np.sqrt(5)
print(f"nested: {nested['test_score'].mean():.3f}, standard error {error:.3f}")

# %%
# That error is itself a little too small, since the training sets of the folds overlap.

# %%
# What to remember
# ----------------
#
# - Nested cross-validation scores the procedure, not one loss: each outer fold may choose another
#   one. If the choices differ, the losses are close, and it matters little which is taken.
# - It costs as many searches as there are outer folds. With plenty of images, keep a part of them
#   aside instead.
# - With ``storage``, a nested search can be resumed, too: see :doc:`/how_to/search`.
# - Why the best of many is too high:
#   :ref:`sphx_glr_examples_4_evidence_plot_selection_bias.py`.
