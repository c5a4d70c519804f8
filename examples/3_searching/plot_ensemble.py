"""
Ensemble of the models of a search
==================================

``refit="ensemble"`` averages models that a search has trained anyway, and shows where they
disagree.

A search trains a model for each fold of each candidate. An ensemble keeps them, and averages those
that are good together. Where they disagree, mistakes are more likely.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import roc_auc_score

from sklearnloss import LossSearchCV, UNetSegmenter
from sklearnloss.datasets import load_nuclei

# %%
# One quadrant of the image is kept for the end.
X, y, groups = load_nuclei(border=False)
seen, unseen = groups < 3, groups == 3
search = LossSearchCV(
    UNetSegmenter(width=4, depth=2, batch_size=4, max_epochs=6, lr=2e-2),
    ["dice", "cross_entropy", "focal"],
    n_trials=3,
    scoring="iou",
    refit="ensemble",
    random_state=0,
)
search.fit(X[seen], y[seen], groups=groups[seen])

# %%
# Who is in it, with which weight:
ensemble = search.best_estimator_
for member in ensemble.members_:
    print(f"{member['label']:20} weight {member['weight']:.2f}, {member['n_models']} models")

# %%
# The score of a selection on the images it was made on is too high. So the selection is repeated on
# all folds but one, and scored on that one; the same for the single best candidate.
for name in ("single_cross_validated", "cross_validated"):
    print(f"{name:24} {ensemble.scores_[name]:.3f}")
print(f"ensemble on the held-out quadrant: {search.score(X[unseen], y[unseen]):.3f}")

# %%
# The disagreement
# ----------------
#
# ``disagreement`` is, for each pixel, the weight of the models that decide otherwise than the
# ensemble.
predicted = ensemble.predict(X[unseen])
doubt = ensemble.disagreement(X[unseen])
wrong = predicted != y[unseen]
worst = np.argsort(-wrong.sum(axis=(1, 2)))[:3]
fig, axes = plt.subplots(3, 4, figsize=(9, 7), layout="constrained")
titles = ["image", "truth (line) and prediction", "disagreement", "wrong pixels"]
for row, k in zip(axes, worst, strict=True):
    image = X[unseen][k]
    row[0].imshow(image, cmap="gray")
    row[1].imshow(image, cmap="gray")
    row[1].imshow(np.ma.masked_equal(predicted[k], 0), cmap="cool", alpha=0.45, vmin=0, vmax=2)
    row[1].contour(y[unseen][k], [0.5], colors="#E69F00", linewidths=1.5)
    shown = row[2].imshow(doubt[k], cmap="magma", vmin=0, vmax=0.5)
    row[3].imshow(wrong[k], cmap="gray_r")
    for ax in row:
        ax.set_xticks([])
        ax.set_yticks([])
for ax, title in zip(axes[0], titles, strict=True):
    ax.set_title(title, fontsize="medium")
fig.colorbar(shown, ax=axes[:, 2], location="bottom", shrink=0.8, label="0: all agree")
plt.show()

# %%
# Does it find mistakes? The area under the ROC curve of the wrong pixels, .5 being chance:
probability = ensemble.predict_proba(X[unseen])
unsure = 1 - probability.max(axis=1)
print(f"disagreement         {roc_auc_score(wrong.ravel(), doubt.ravel()):.2f}")
print(f"averaged probability {roc_auc_score(wrong.ravel(), unsure.ravel()):.2f}")

# %%
# Most pixels are agreed on; the errors are where they are not:
for low, high in ((0, 0), (0.001, 0.2), (0.2, 1)):
    part = (doubt >= low) & (doubt <= high)
    print(f"disagreement {low} to {high}: {part.mean():.1%} of the pixels, ", end="")
    print(f"{wrong[part].mean():.1%} of them wrong")

# %%
# What to remember
# ----------------
#
# - Compare ``"cross_validated"`` with ``"single_cross_validated"``; ``best_score_`` is too high.
# - An ensemble is as slow as all of its models together.
# - The disagreement says where the losses differ. As a measure of doubt, the averaged probability
#   is the better one, here and in the measurements of :doc:`/how_to/ensemble`.
