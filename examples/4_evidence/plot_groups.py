"""
Images that belong together
===========================

If a scene was captured several times, random folds put some captures into the training set and
others into the held-out part. The score is then that of images the network has seen. Folds by
group avoid it.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GroupKFold, KFold

from sklearnloss import UNetSegmenter
from sklearnloss.datasets import load_nuclei, make_digit_scenes
from sklearnloss.metrics import dice_score

# %%
# Eight scenes of digits, each captured four times, with fresh noise. The network has to find the
# pixels of the threes and those of the eights.
rng = np.random.default_rng(0)
scenes, masks = make_digit_scenes(8, size=32, n_digits=5, classes=(3, 8), noise=0, random_state=0)
X = np.repeat(scenes, 4, axis=0)
X = X + 0.2 * rng.standard_normal(X.shape)
y = np.repeat(masks, 4, axis=0)
scene = np.repeat(np.arange(8), 4)

# %%
# The truth, which a real study does not have: 60 other scenes.
X_new, y_new = make_digit_scenes(60, size=32, n_digits=5, classes=(3, 8), noise=0.2, random_state=1)


# %%
# Four folds, at random and by scene. The network is trained long enough to learn the scenes by
# heart.
def evaluate(splits, model):
    """Return the Dice of the digits on each held-out part, and on new scenes."""
    scores = []
    for train, test in splits:
        model.fit(X[train], y[train])
        scores.append(
            [
                dice_score(truth, model.predict(images), labels=[1, 2])
                for images, truth in ((X[test], y[test]), (X_new, y_new))
            ]
        )
    return np.array(scores).T


at_random = list(KFold(4, shuffle=True, random_state=0).split(X))
by_scene = list(GroupKFold(4).split(X, groups=scene))
lengths = [4, 12, 24]
scores = np.zeros((len(lengths), 2, 2))  # epochs, kind of folds, held out or new
for k, epochs in enumerate(lengths):
    model = UNetSegmenter(
        "dice", width=8, depth=2, batch_size=4, max_epochs=epochs, lr=1e-2, random_state=0
    )
    for kind, splits in enumerate((at_random, by_scene)):
        scores[k, kind] = evaluate(splits, model).mean(axis=1)
    print(f"{epochs:2} epochs: random folds {scores[k, 0, 0]:.3f}", end=", ")
    print(f"by scene {scores[k, 1, 0]:.3f}, new scenes {scores[k, 0, 1]:.3f}")

# %%
# To the left the captures of two scenes, with the part of a random split that they are in. To the
# right what the two kinds of folds promise, and what is true.
figure = plt.figure(figsize=(9, 4.4), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=[1, 1.15])
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
ax.plot(lengths, scores[:, 0, 0], "o-", color="#E69F00", lw=2.5, label="random folds")
ax.plot(lengths, scores[:, 1, 0], "s-", color="#0072B2", lw=2.5, label="folds by scene")
ax.plot(lengths, scores[:, 0, 1], "^--", color="black", lw=1.5, label="new scenes: the truth")
ax.set(xlabel="epochs", ylabel="Dice of the digits", ylim=(0.2, 1))
ax.set_xticks(lengths)
ax.grid(alpha=0.3)
_ = ax.legend(frameon=False, loc="lower right")

# %%
# Random folds reward learning by heart: the longer the training, the farther their score is from
# the truth. Whatever memorizes faster wins such a comparison, be it a loss, a network or a number
# of epochs. Folds by scene are a little too low, since their networks see six scenes and the final
# one would see eight.

# %%
# Does it matter for tiles of one image?
# --------------------------------------
#
# The tiles of :func:`~sklearnloss.datasets.load_nuclei` come from one image, and neighbors may
# share a nucleus. Its groups are the four quadrants.
X, y, groups = (each[::2] for each in load_nuclei(border=False))
model = UNetSegmenter("dice", width=4, depth=2, batch_size=4, max_epochs=4, lr=2e-2, random_state=0)
for name, splitter in (
    ("random folds", KFold(4, shuffle=True, random_state=0)),
    ("by quadrant", GroupKFold(4)),
):
    found = [
        dice_score(y[test], model.fit(X[train], y[train]).predict(X[test]), labels=[1])
        for train, test in splitter.split(X, groups=groups)
    ]
    print(f"{name:12} {np.mean(found):.3f}, folds {np.round(found, 3).tolist()}")

# %%
# If the two differ by less than the folds do, as they should where tiles share little and the
# training is short, that is no proof that there is no leak. Keep the groups anyway: it costs
# nothing.

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
