"""
Define the search space of a loss
=================================

A search takes ranges for the settings of a loss, losses of your own, the learning rate beside the
loss, and candidates to try first.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearnloss import LossSearchCV, UNetSegmenter
from sklearnloss.datasets import make_digit_scenes
from sklearnloss.losses import DiceLoss, FocalLoss, get_search_space

# %%
# Each loss brings ranges of its own:
for name in ("focal", "tversky", "dice+focal"):
    print(name, get_search_space(name))


# %%
# The entries of ``losses`` may be names, objects, functions, and pairs of a loss and its ranges. In
# a dict, the keys are labels of your own. A range is ``(low, high)`` or ``(low, high, "log")``, and
# a list holds choices.
def error_power(logits, target, power=2.0):
    """Return the mean power of the probability that the true class lacks."""
    probability = logits.softmax(1).gather(1, target[:, None].long())
    return (1 - probability).pow(power).mean()


losses = {
    "focal": {"gamma": (0.5, 4.0)},  # a range of our own
    "dice + focal": 0.5 * DiceLoss() + FocalLoss(gamma=1),  # tried as it is
    "error power": (error_power, {"power": (1.0, 3.0)}),  # a function with a setting
}

# %%
# The best learning rate depends on the loss, whose gradients may be many times larger than those of
# another one. So it is searched with the loss, on a logarithmic scale. ``initial_candidates`` come
# first; what they do not name has its default.
X, y = make_digit_scenes(24, size=32, n_digits=4, classes=(0, 1), random_state=0)
search = LossSearchCV(
    UNetSegmenter(width=4, depth=2, batch_size=4, max_epochs=5),
    losses,
    param_distributions={"lr": (1e-3, 1e-1, "log")},
    initial_candidates=[{"loss": "focal", "loss__gamma": 1.0, "lr": 0.02}],
    n_trials=12,
    cv=2,
    scoring="dice",
    refit=False,
    random_state=0,
)
search.fit(X, y)
for label, entry in search.best_per_loss_.items():
    settings = {key: value for key, value in entry["params"].items() if key != "loss"}
    print(f"{label}: {entry['score']:.3f}", settings)

# %%
# Scores against the learning rate: filled dots were trained on all folds; hollow ones were stopped,
# and show the mean over the folds that they finished.
results = search.cv_results_
rates = np.array([params.get("lr", 3e-3) for params in results["params"]])
scores, complete = results["last_report"], results["trial_state"] == "COMPLETE"
looks = {
    "focal": ("#0072B2", "o"),
    "dice + focal": ("#E69F00", "s"),
    "error power": ("#009E73", "^"),
}
fig, ax = plt.subplots(figsize=(8.5, 4.2), layout="constrained")
for label, (color, marker) in looks.items():
    for done, face in ((True, color), (False, "none")):
        chosen = (results["loss"] == label) & (complete == done)
        ax.scatter(
            rates[chosen],
            scores[chosen],
            60,
            marker=marker,
            facecolors=face,
            edgecolors=color,
            label=label if done else None,
        )
ax.set(xscale="log", xlabel="learning rate", ylabel="mean Dice on held-out images")
ax.set_title("Candidates of the search", loc="left")
ticks = [0.001, 0.003, 0.01, 0.03, 0.1]
ax.set_xticks(ticks, ticks)
ax.minorticks_off()
ax.grid(alpha=0.3)
ax.legend(frameon=False, loc="upper left")
plt.show()

# %%
# The first rows of the table: our own candidate, and then the defaults.
for k in range(4):
    settings = {key: value for key, value in results["params"][k].items() if key != "loss"}
    print(f"{results['loss'][k]}: {scores[k]:.3f}", settings)

# %%
# What to remember
# ----------------
#
# - Search ``lr`` together with the loss; else the loss that suits the given ``lr`` wins.
# - ``loss__gamma`` in ``param_distributions`` replaces the range of each loss that has a ``gamma``.
# - Ranges may be changed later, also in a search that is stored:
#   :ref:`sphx_glr_examples_3_searching_plot_resume_search.py`. More in :doc:`/how_to/search`.
