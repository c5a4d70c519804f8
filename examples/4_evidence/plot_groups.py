"""
Groups: keep images of one scene in one fold
============================================

If captures of the same scene are in training and held-out parts, the score is too high; folds by
group avoid that.

Random folds put some captures of a scene into the training set and others into the held-out part.
The score is then that of images the network has seen.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GroupKFold, KFold

from sklearnloss import UNetSegmenter
from sklearnloss.datasets import make_digit_scenes
from sklearnloss.metrics import dice_score

# %%
# Six scenes of digits, each captured four times, with fresh noise. The network has to find the
# pixels of the threes and those of the eights.
rng = np.random.default_rng(0)
scenes, masks = make_digit_scenes(6, size=32, n_digits=5, classes=(3, 8), noise=0, random_state=0)
X = np.repeat(scenes, 4, axis=0)
X = X + 0.2 * rng.standard_normal(X.shape)
y = np.repeat(masks, 4, axis=0)
groups = np.repeat(np.arange(6), 4)  # the scene of each image

# %%
# The truth, which a real study does not have: 40 other scenes.
X_new, y_new = make_digit_scenes(40, size=32, n_digits=5, classes=(3, 8), noise=0.2, random_state=1)


# %%
# Three folds, at random and by scene. ``partial_fit`` goes on with a training; the scores are taken
# on the way, until the network has learned the scenes by heart.
lengths = [8, 16, 32]  # epochs


def evaluate(splits):
    """Return the Dice of held-out images and of new scenes, after each number of epochs."""
    scores = np.zeros((len(splits), 2, len(lengths)))
    for fold, (train, test) in enumerate(splits):
        model = UNetSegmenter("dice", width=8, depth=2, batch_size=8, lr=1e-2, scheduler=None)
        model.set_params(random_state=0)
        for k, epochs in enumerate(np.diff(lengths, prepend=0)):
            model.set_params(max_epochs=epochs).partial_fit(X[train], y[train])
            for row, (images, truth) in enumerate([(X[test], y[test]), (X_new, y_new)]):
                scores[fold, row, k] = dice_score(truth, model.predict(images), labels=[1, 2])
    return scores.mean(axis=0)


at_random = list(KFold(3, shuffle=True, random_state=0).split(X))
by_scene = list(GroupKFold(3).split(X, groups=groups))
random_score, new_score = evaluate(at_random)
scene_score, _ = evaluate(by_scene)
for k, epochs in enumerate(lengths):
    print(f"{epochs:2} epochs: random folds {random_score[k]:.3f}, ", end="")
    print(f"by scene {scene_score[k]:.3f}, new scenes {new_score[k]:.3f}")

# %%
# To the left the captures of two scenes, with the part of a random split that they are in. To the
# right what the two kinds of folds promise, and what is true.
fig = plt.figure(figsize=(9, 3.6), layout="constrained")
left, right = fig.subfigures(1, 2, width_ratios=[1.25, 1])
axes = left.subplots(2, 4)
for row, ax in enumerate(axes.ravel()):
    held_out = row in at_random[0][1]
    ax.imshow(X[row], cmap="gray", vmin=-0.4, vmax=1.2)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_title("held out" if held_out else "training", fontsize="small")
    for spine in ax.spines.values():
        spine.set_color("#E69F00" if held_out else "#9ca3af")
        spine.set_linewidth(3)
left.suptitle("Two scenes, four captures each", fontsize="medium")
ax = right.subplots()
ax.plot(lengths, random_score, "o-", color="#E69F00", lw=2.5, label="random folds")
ax.plot(lengths, scene_score, "s-", color="#0072B2", lw=2.5, label="folds by scene")
ax.plot(lengths, new_score, "^--", color="black", lw=1.5, label="new scenes: the truth")
ax.set(xlabel="epochs", ylabel="Dice of the digits", ylim=(0, 1))
ax.set_xticks(lengths)
ax.grid(alpha=0.3)
ax.legend(frameon=False, loc="lower right")
plt.show()

# %%
# Random folds reward learning by heart: the longer the training, the farther their score is from
# the truth. Whatever memorizes faster wins such a comparison, be it a loss, a network or a number
# of epochs. Folds by scene are too low, since their networks see four scenes and the final
# one would see six.

# %%
# What to remember
# ----------------
#
# - Images of one patient, slide, scene or film belong in one fold. Pass ``groups`` to ``fit`` of
#   :class:`~sklearnloss.LossSearchCV` and to :func:`~sklearnloss.compare_losses`; the default folds
#   respect them. With an integer ``cv``, groups are ignored: pass a ``GroupKFold``.
# - Duplicates are groups, too: augmented copies, other channels or exposures of the same place.
# - The command line reads groups from file names: ``--groups 'patient\d+'``, see
#   :doc:`/how_to/my_data`.
