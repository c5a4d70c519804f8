"""
Classify images with rare classes
=================================

An image classifier finds rare classes more often if its loss accounts for how rare they are.

:class:`~sklearnloss.ResNetClassifier` takes the loss as a parameter. Here three of ten digits are
rare in training, and the question is how many of them are recognized.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import ConfusionMatrixDisplay, balanced_accuracy_score, recall_score

from sklearnloss import ResNetClassifier

# %%
# Data
# ----
# scikit-learn's digits, images of 8 x 8 pixels. Of the digits 3, 5 and 8, which look alike, only
# six training images each are kept, of the others about 90. All held-out images are used for
# the scores.
X, y = load_digits(return_X_y=True)
X = X.reshape(-1, 8, 8).astype(np.uint8)
rare = (3, 5, 8)
train, test = np.arange(0, len(y), 2), np.arange(1, len(y), 2)
kept = [train[~np.isin(y[train], rare)], *(train[y[train] == digit][:6] for digit in rare)]
train = np.sort(np.concatenate(kept))
print("training images of each digit:", np.bincount(y[train]))

# %%
# Three models
# ------------
# ``class_weight="balanced"`` gives each class the same total weight in the loss.
# ``logit_adjusted`` is a loss for such data: it shifts the scores by how frequent a class is.
models = {
    "cross entropy": {"loss": "cross_entropy"},
    "cross entropy, balanced": {"loss": "cross_entropy", "class_weight": "balanced"},
    "logit adjusted": {"loss": "logit_adjusted"},
}
predicted = {}
for name, settings in models.items():
    model = ResNetClassifier(width=8, max_epochs=8, lr=5e-3, random_state=0, **settings)
    predicted[name] = model.fit(X[train], y[train]).predict(X[test])

# %%
# Confusions
# ----------
# Each row is a true digit. Entries beside the diagonal are errors; columns 3, 5 and 8 are
# almost empty if the loss ignores how rare they are.
fig, axes = plt.subplots(1, 3, figsize=(9, 3.7), layout="constrained")
for ax, (name, labels) in zip(axes, predicted.items(), strict=True):
    ConfusionMatrixDisplay.from_predictions(
        y[test], labels, ax=ax, cmap="Blues", colorbar=False, text_kw={"fontsize": 7}
    )
    score = balanced_accuracy_score(y[test], labels)
    ax.set_title(f"{name}\nbalanced accuracy {score:.2f}", fontsize=10)
    ax.set_ylabel("true digit" if ax is axes[0] else "")
    ax.set_xlabel("predicted digit")
plt.show()

# %%
# Where the difference comes from
# -------------------------------
# The recall of the frequent digits is the same with every loss; that of the rare ones is not.
groups = {"rare digits": rare, "frequent digits": sorted(set(range(10)) - set(rare))}
for name, labels in predicted.items():
    recall = recall_score(y[test], labels, average=None)
    shares = ", ".join(f"{key} {recall[list(group)].mean():.2f}" for key, group in groups.items())
    print(f"{name}: {shares}, accuracy {(labels == y[test]).mean():.2f}")

# %%
# What to remember
# ----------------
# * For classes of different sizes score with ``"balanced_accuracy"``, in searches and
#   comparisons as ``scoring="balanced_accuracy"``.
# * ``class_weight="balanced"`` works with most losses; a long tail of classes has losses of its
#   own: :ref:`sphx_glr_examples_2_losses_explained_plot_long_tail.py`.
# * Labels may be strings or numbers. ``predict_proba`` gives probabilities with every loss.
