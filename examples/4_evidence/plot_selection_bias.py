"""
The winner looks better than it is
==================================

The best score of many candidates is partly luck, and the more candidates there are, the more luck.
Here this is measured: each candidate is also scored on 1,700 images that no search has seen.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import ParameterSampler, StratifiedKFold
from torch import nn

from sklearnloss import ImageClassifier
from sklearnloss.tuning import loss_param_distributions

# %%
# A small study: 60 handwritten digits to learn from. The other digits stand for the world.
images, labels = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8)
order = np.random.default_rng(0).permutation(len(labels))
study, world = order[:60], order[60:]


def small_net(in_channels, n_outputs):
    """Return a network that trains in a tenth of a second."""
    return nn.Sequential(
        nn.Conv2d(in_channels, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128, n_outputs),
    )


# %%
# Forty candidates: five losses, with settings drawn from their ranges. Each is trained on three
# folds and scored on the held-out part of the study, as a search does, and on the world.
names = ["cross_entropy", "focal", "label_smoothing", "poly1", "generalized_ce"]
space = loss_param_distributions(names)
candidates = list(ParameterSampler(space, n_iter=40, random_state=0))
folds = list(StratifiedKFold(3, shuffle=True, random_state=0).split(study, labels[study]))
model = ImageClassifier(small_net, max_epochs=15, batch_size=10, lr=1e-2, random_state=0)

seen, unseen = [], []
for params in candidates:
    scores = []
    for train, test in folds:
        model.set_params(**params).fit(images[study[train]], labels[study[train]])
        parts = study[test], world
        scores.append([model.score(images[part], labels[part]) for part in parts])
    cross_validated, true = np.mean(scores, axis=0)
    seen.append(cross_validated)
    unseen.append(true)
seen, unseen = np.array(seen), np.array(unseen)
winner = int(np.argmax(seen))
print("winner:", candidates[winner])
print(f"cross-validated {seen[winner]:.3f}, on the world {unseen[winner]:.3f}")
print(f"correlation of the two scores: {np.corrcoef(seen, unseen)[0, 1]:.2f}")

# %%
# To draw how the luck grows, a search among n candidates is repeated 2,000 times, with n drawn at
# random among the forty. Nothing is trained for that.
rng = np.random.default_rng(0)
counts = np.array([1, 2, 3, 5, 8, 12, 20, 30, 40])
promised, kept = [], []
for n in counts:
    drawn = np.argsort(rng.random((2000, 40)), axis=1)[:, :n]
    best = drawn[np.arange(2000), np.argmax(seen[drawn], axis=1)]
    promised.append(seen[best].mean())
    kept.append(unseen[best].mean())
offset = seen.mean() - unseen.mean()
print(f"mean of all candidates: cross-validated {seen.mean():.3f}, on the world {unseen.mean():.3f}")

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
left.scatter(unseen, seen, 36, color="#56B4E9", edgecolors="white", lw=0.5, label="candidates")
left.scatter(
    unseen[winner], seen[winner], 90, marker="*", color="#D55E00", label="winner", zorder=3
)
ends = [min(unseen.min(), seen.min()) - 0.005, max(unseen.max(), seen.max()) + 0.005]
left.plot(ends, ends, color="#6b7280", lw=1, ls="--", label="equal")
left.set(xlabel="accuracy on unseen digits", ylabel="cross-validated accuracy")
left.set_title("40 candidates", loc="left")
left.legend(frameon=False)
left.grid(alpha=0.3)
right.plot(counts, promised, "o-", color="#D55E00", label="cross-validated score of the winner")
right.plot(counts, kept, "s-", color="#0072B2", label="its score on unseen digits")
right.fill_between(counts, kept, promised, color="#D55E00", alpha=0.1, lw=0)
right.set(xlabel="number of candidates", xscale="log", ylabel="accuracy")
right.set_xticks(counts, counts)
right.minorticks_off()
right.set_title("The more candidates, the more luck", loc="left")
right.grid(alpha=0.3)
_ = right.legend(frameon=False)

# %%
# How much of it is luck?
# -----------------------
#
# The gap between the two curves at 40 candidates, minus the gap at one candidate, which is no luck
# but the difference between these 60 digits and all others:
gap = (promised[-1] - kept[-1]) - (promised[0] - kept[0])
print(f"the winner of 40 looks better than it is by {gap:.3f}")
print(f"choosing among 40 gained {kept[-1] - kept[0]:.3f} in truth")
