"""
Use Optuna with your own objective
==================================

In an Optuna study, :func:`~sklearnloss.tuning.suggest_loss` chooses a loss and then the settings
of that loss.

All else is Optuna's: samplers, pruners, storages, plots.
"""

import matplotlib.pyplot as plt
import numpy as np
import optuna
from sklearn.model_selection import KFold

from sklearnloss import UNetSegmenter
from sklearnloss.datasets import make_digit_scenes
from sklearnloss.metrics import dice_score
from sklearnloss.tuning import suggest_loss

optuna.logging.set_verbosity(optuna.logging.WARNING)
X, y = make_digit_scenes(24, size=32, n_digits=4, classes=(0, 1), random_state=0)
folds = list(KFold(3, shuffle=True, random_state=0).split(X))
losses = ["dice", "cross_entropy", "focal", "tversky"]


# %%
# The objective: after each fold the mean so far is reported, and the pruner may end the trial.
# ``lr`` is searched beside the loss; so could be the width, the augmentation or the threshold.
def objective(trial):
    """Return the mean Dice of the digits over three folds."""
    model = UNetSegmenter(width=4, depth=2, batch_size=4, max_epochs=6, random_state=0)
    model.set_params(**suggest_loss(trial, task="segmentation", losses=losses))
    model.set_params(lr=trial.suggest_float("lr", 3e-3, 5e-2, log=True))
    scores = []
    for step, (train, test) in enumerate(folds):
        model.fit(X[train], y[train])
        scores.append(dice_score(y[test], model.predict(X[test]), labels=[1, 2]))
        trial.report(np.mean(scores), step)
        if trial.should_prune():
            raise optuna.TrialPruned
    return np.mean(scores)


study = optuna.create_study(
    direction="maximize",
    sampler=optuna.samplers.TPESampler(seed=0),
    pruner=optuna.pruners.MedianPruner(n_startup_trials=4),
)

# %%
# Trials to begin with: names as in the study, ``<loss>__<parameter>``.
study.enqueue_trial({"loss": "dice", "lr": 0.02})
study.enqueue_trial({"loss": "tversky", "tversky__alpha": 0.3, "tversky__beta": 0.7, "lr": 0.02})
study.optimize(objective, n_trials=14)
print(f"{study.best_value:.3f}", study.best_params)

# %%
# Each line is a trial: the mean Dice after one, two and three folds. A cross is where a trial was
# pruned.
looks = dict(zip(losses, ["#0072B2", "#E69F00", "#009E73", "#CC79A7"], strict=True))
fig, (left, right) = plt.subplots(
    1, 2, figsize=(9, 4), layout="constrained", width_ratios=[1.2, 1], sharey=True
)
drawn = set()
for trial in study.trials:
    loss, values = trial.params["loss"], trial.intermediate_values
    pruned = trial.state == optuna.trial.TrialState.PRUNED
    left.plot(
        np.array(list(values)) + 1,
        list(values.values()),
        color=looks[loss],
        marker="x" if pruned else "o",
        markevery=[-1],
        ms=7,
        label=None if loss in drawn else loss,
    )
    drawn.add(loss)
    last = list(values.values())[-1]
    face = "none" if pruned else looks[loss]
    right.scatter(trial.params["lr"], last, 45, facecolors=face, edgecolors=looks[loss])
left.set(xlabel="folds trained", ylabel="mean Dice of the digits")
left.set_xticks([1, 2, 3])
left.set_title("Trials; a cross where one was pruned", loc="left")
right.set(xscale="log", xlabel="learning rate")
ticks = [0.003, 0.01, 0.03]
right.set_xticks(ticks, ticks)
right.minorticks_off()
right.set_title("Filled: all folds", loc="left")
handles, names = left.get_legend_handles_labels()
right.legend(handles, names, frameon=False, loc="upper left")
for ax in (left, right):
    ax.grid(alpha=0.3)
plt.show()

# %%
# How many fits were saved?
n_folds = sum(len(trial.intermediate_values) for trial in study.trials)
print(f"{n_folds} of {3 * len(study.trials)} fits were trained")

# %%
# The best model
# --------------
#
# The parameters of the study are turned into those of the estimator by the same function, with a
# fixed trial.
best = suggest_loss(optuna.trial.FixedTrial(study.best_params), task="segmentation", losses=losses)
print(best)

# %%
# What to remember
# ----------------
#
# - Report the metric to the pruner, not the training loss, whose values differ from loss to loss.
# - A median pruner compares the trial with earlier ones on the same folds, but knows nothing of
#   their noise. :class:`~sklearnloss.LossSearchCV` does:
#   :ref:`sphx_glr_examples_3_searching_plot_race.py`.
# - It also resumes, handles losses that diverge, and gives a verdict. A study of one's own is for
#   what it does not do.
