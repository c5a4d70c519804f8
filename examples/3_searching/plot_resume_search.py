"""
Resume a search and add candidates
==================================

With a ``storage``, a search that was interrupted goes on where it stopped.

The same storage can then take more candidates and more losses. Nothing is trained twice.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from sklearnloss import LossSearchCV, UNetSegmenter
from sklearnloss.datasets import make_digit_scenes

X, y = make_digit_scenes(24, size=32, n_digits=4, classes=(0, 1), random_state=0)
folder = tempfile.TemporaryDirectory()
settings = {
    "losses": ["cross_entropy", "dice"],
    "n_trials": 4,
    "cv": 2,
    "scoring": "dice",
    "refit": False,
    "random_state": 0,
}
model = UNetSegmenter(width=4, depth=2, batch_size=4, max_epochs=4, lr=1e-2)

# %%
# An interruption
# ---------------
#
# A callback presses Ctrl-C after the second candidate. A killed process, a job that ends or a power
# cut are no different.


def press_ctrl_c(study, trial):
    """Interrupt the search once."""
    if trial.number == 1:
        raise KeyboardInterrupt


path = Path(folder.name) / "search.journal"
search = LossSearchCV(model, **settings, storage=path, callbacks=[press_ctrl_c])
try:
    search.fit(X, y)
except KeyboardInterrupt:
    print("interrupted, candidates so far:", len(search.cv_results_["params"]))

# %%
# The same call, without the callback, takes the candidates from the file and trains the others.
# The list notes which call has trained which candidate.
calls = []


def run(what, **changes):
    """Fit, and note the candidates that this call has added."""
    before = {number for _, number, *_ in calls}
    search.set_params(callbacks=None, **changes).fit(X, y)
    results = search.cv_results_
    rows = zip(results["loss"], results["last_report"], results["trial_state"], strict=True)
    for number, (loss, score, state) in enumerate(rows):
        if number not in before:
            calls.append((what, number, loss, score, state))
    print(f"{what}: {len(results['params'])} candidates, best {search.best_loss_}, ", end="")
    print(f"{search.best_score_:.3f}")


calls += [
    ("interrupted", number, *row)
    for number, row in enumerate(
        zip(
            search.cv_results_["loss"],
            search.cv_results_["last_report"],
            search.cv_results_["trial_state"],
            strict=True,
        )
    )
]
run("resumed")

# %%
# Is the table that of a search that was never interrupted?
whole = LossSearchCV(model, **settings).fit(X, y)
for key in ("loss", "trial_state", "last_report", "n_epochs"):
    print(key, np.array_equal(search.cv_results_[key], whole.cv_results_[key]))

# %%
# More candidates, more losses
# ----------------------------
#
# ``n_trials`` is the total number, so 6 adds two to four. A new loss begins with its defaults.
run("more candidates", n_trials=6)
run("one more loss", losses=["cross_entropy", "dice", "tversky"], n_trials=9)

# %%
# The picture shows each candidate in the order of the table, colored by the call that trained it.
# Hollow ones were stopped after the first fold, and show the score there.
looks = {
    "interrupted": "#6b7280",
    "resumed": "#56B4E9",
    "more candidates": "#0072B2",
    "one more loss": "#E69F00",
}
markers = {"cross_entropy": "o", "dice": "s", "tversky": "^"}
fig, ax = plt.subplots(figsize=(8.5, 4.2), layout="constrained")
for what, number, loss, score, state in calls:
    face = looks[what] if state == "COMPLETE" else "none"
    ax.plot(number + 1, score, markers[loss], color=looks[what], markerfacecolor=face, ms=9, mew=2)
for what, color in looks.items():
    places = [number + 1 for name, number, *_ in calls if name == what]
    ax.axvspan(min(places) - 0.5, max(places) + 0.5, color=color, alpha=0.12, lw=0)
    ax.text(
        np.mean(places), 1.02, what.replace(" ", "\n", 1), transform=ax.get_xaxis_transform(),
        ha="center", va="bottom", fontsize="small",
    )  # fmt: skip
for loss, marker in markers.items():
    ax.plot([], [], marker, color="black", label=loss)
ax.set(xlabel="candidate", ylabel="mean Dice over the finished folds", xlim=(0.5, len(calls) + 0.5))
ax.set_xticks(range(1, len(calls) + 1))
ax.grid(axis="y", alpha=0.3)
ax.legend(frameon=False, loc="lower left")
plt.show()

# %%
# What to remember
# ----------------
#
# - Pass ``storage="search.journal"`` to any search that takes longer than you can wait.
# - ``n_trials`` counts the candidates that are already there.
# - Another estimator, other folds, other data or another metric are refused, since their scores
#   could not be compared. Losses and ranges may change.
# - More in :doc:`/how_to/search`, also about databases and several machines.
folder.cleanup()
