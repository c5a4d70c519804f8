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
scenes, masks = make_digit_scenes(
    8, size=32, n_digits=5, classes=(3, 8), noise=0, random_state=0
)
X = np.repeat(scenes, 4, axis=0)
X = X + 0.2 * rng.standard_normal(X.shape)
y = np.repeat(masks, 4, axis=0)
scene = np.repeat(np.arange(8), 4)

# %%
# The truth, which a real study does not have: 100 other scenes.
X_new, y_new = make_digit_scenes(
    60, size=32, n_digits=5, classes=(3, 8), noise=0.2, random_state=1
)


# %%
# Four folds, at random and by scene. The network is trained long enough to learn the scenes by
# heart.
def evaluate(splits, model):
    """Return the mean Dice of the digits on each held-out part, and on new scenes."""
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
found = {}
for epochs in (4, 12, 30):
    model = UNetSegmenter(
        "dice", width=8, depth=2, batch_size=4, max_epochs=epochs, lr=1e-2, random_state=0
    )
    found[epochs] = evaluate(at_random, model), evaluate(by_scene, model)
    random_score, group_score = (each.mean(axis=1) for each in found[epochs])
    print(f"{epochs} epochs: random folds {random_score[0]:.3f}, by scene {group_score[0]:.3f}, ", end="")
    print(f"new scenes {random_score[1]:.3f} and {group_score[1]:.3f}")
