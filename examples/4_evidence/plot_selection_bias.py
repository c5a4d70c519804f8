"""
Selection bias: why the best score is too high
==============================================

The best score of many candidates is partly luck, and the more candidates there are, the more luck.

Here this is measured: each candidate is also scored on 600 images that no search has seen.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import ParameterSampler, StratifiedKFold, train_test_split
from torch import nn

from sklearnloss import ImageClassifier
from sklearnloss.tuning import loss_param_distributions

# %%
# Small studies: 90 handwritten digits to learn from. 600 other digits stand for the
# world. To see more than one draw of luck, there are three studies, each with digits of its own.
images, labels = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8)
N_STUDIES, N_CANDIDATES = 3, 16


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
# The candidates: three sensible losses, with settings drawn from their ranges. Each is trained on
# three folds and scored on the held-out part of the study, as a search does, and on the world.
space = loss_param_distributions(["cross_entropy", "focal", "poly1"])
candidates = list(ParameterSampler(space, n_iter=N_CANDIDATES, random_state=0))
model = ImageClassifier(small_net, max_epochs=8, batch_size=20, lr=1e-2, random_state=0)


def scores_of(study, world):
    """Return the cross-validated score and the true one of each candidate."""
    folds = list(StratifiedKFold(3, shuffle=True, random_state=0).split(study, labels[study]))
    table = np.zeros((2, N_CANDIDATES, len(folds)))
    for k, params in enumerate(candidates):
        for fold, (train, test) in enumerate(folds):
            model.set_params(**params).fit(images[study[train]], labels[study[train]])
            for row, part in enumerate((study[test], world)):
                table[row, k, fold] = model.score(images[part], labels[part])
    return table.mean(axis=2)


studies = []
for seed in range(N_STUDIES):
    study, world = train_test_split(
        np.arange(len(labels)),
        train_size=90,
        test_size=600,
        stratify=labels,
        random_state=seed,
    )
    seen, unseen = scores_of(study, world)
    studies.append((seen, unseen))
    best = int(np.argmax(seen))
    print(f"study {seed + 1}: winner {seen[best]:.3f}, mean of all {seen.mean():.3f}; ", end="")
    print(f"on the world {unseen[best]:.3f}, mean of all {unseen.mean():.3f}")

# %%
# How the luck grows with the number of candidates: a search among n of them is repeated 2,000
# times, with n drawn at random. Nothing is trained for that. Both curves are gains over a candidate
# taken blindly, so it does not matter whether the digits of a study are easier than the world.
rng = np.random.default_rng(0)
counts = np.array([1, 2, 3, 5, 8, 12, 16])
promised, kept = np.zeros((2, N_STUDIES, len(counts)))
for study, (seen, unseen) in enumerate(studies):
    for place, n in enumerate(counts):
        drawn = np.argsort(rng.random((2000, N_CANDIDATES)), axis=1)[:, :n]
        # Equal scores are common with 90 digits: the first one drawn is taken.
        best = drawn[np.arange(2000), np.argmax(seen[drawn], axis=1)]
        promised[study, place] = seen[best].mean() - seen.mean()
        kept[study, place] = unseen[best].mean() - unseen.mean()

fig, ax = plt.subplots(figsize=(8.5, 4.3), layout="constrained")
looks = [(promised, "#D55E00", "o", "cross-validated: what the search says")]
looks += [(kept, "#0072B2", "s", "on unseen digits: what there is")]
for gains, color, marker, label in looks:
    for gain in gains:
        ax.plot(counts, gain, color=color, lw=0.8, alpha=0.5)
    ax.plot(counts, gains.mean(axis=0), marker + "-", color=color, lw=2.5, label=label)
ax.fill_between(counts, kept.mean(axis=0), promised.mean(axis=0), color="#D55E00", alpha=0.12, lw=0)
middle = (kept.mean(axis=0)[-2] + promised.mean(axis=0)[-2]) / 2
ax.text(counts[-2], middle, "luck", ha="center", va="center", fontsize="large", color="#9a3412")
ax.axhline(0, color="#6b7280", lw=1)
ax.set(xscale="log", xlabel="number of candidates", ylabel="gain in accuracy over a blind choice")
ax.set_xticks(counts, counts)
ax.minorticks_off()
ax.set_title("Gain of the winner (thin: each of three studies, thick: mean)", loc="left")
ax.grid(alpha=0.3)
ax.legend(frameon=False, loc="upper left")
plt.show()

# %%
said, real = promised.mean(axis=0)[-1], kept.mean(axis=0)[-1]
print(f"the winner of {N_CANDIDATES} promises a gain of {said:.4f}, and keeps {real:.4f}")
print(f"so {1 - real / said:.0%} of the gain is luck")

# %%
# What to remember
# ----------------
#
# - ``best_score_`` of any search is too high, that of :class:`~sklearnloss.LossSearchCV` as well.
#   Report the score on images that the search has not seen, or that of nested cross-validation:
#   :ref:`sphx_glr_examples_4_evidence_plot_nested_cv.py`.
# - A loss with more settings has more candidates, and so more luck. To compare losses, give each
#   the same number of candidates, and train the best of each again on fresh folds:
#   :ref:`sphx_glr_examples_4_evidence_plot_decide.py`.
# - The fewer images and the more similar the candidates, the larger the part of luck.
