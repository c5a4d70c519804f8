"""
Does the best loss depend on the network?
=========================================

:func:`~sklearnloss.compare_losses` trains each loss with each network, and says how much of the
spread is loss, network, or both together.
"""

import matplotlib.pyplot as plt

from sklearnloss import ImageSegmenter, compare_losses
from sklearnloss.datasets import load_nuclei

# %%
# Three losses and two U-Nets, a narrow shallow one and one that is wider and deeper. Groups are the
# quadrants of the image, each held out once.
X, y, groups = (each[::2] for each in load_nuclei(border=False))  # half of the tiles
networks = {
    "narrow": {"network__width": 4, "network__depth": 1},
    "wide": {"network__width": 8, "network__depth": 2},
}
losses = ["dice", "bce", "focal"]
comparison = compare_losses(
    ImageSegmenter("unet", max_epochs=4, batch_size=4, lr=2e-2),
    losses,
    X,
    y,
    networks=networks,
    groups=groups,
    n_repeats=1,
    random_state=0,
)

# %%
# To the left the mean score of each loss with each network; to the right the shares of the spread,
# with intervals.
comparison.plot()
plt.show()

# %%
# The whole report:
print(comparison.summary())

# %%
# Is one loss good enough for both?
# ---------------------------------
#
# ``same_best_loss_`` is the probability that a single loss is the best, or as good within
# ``rope``, with each of the networks.
print(f"{comparison.same_best_loss_:.2f}")
for row in comparison.best_losses_:
    print(row["network"], row["loss"], f"{row['mean']:.3f}", "undecided:", row["undecided"])

# %%
# The comparison of one network has its own tables and verdicts:
for pair in comparison.comparisons_["wide"].pairs_[:3]:
    print(pair["verdict"])

# %%
# What to remember
# ----------------
#
# - If "loss x network" is a small share, a loss that was found with a fast network is also the one
#   for a slow network.
# - The result holds for these networks and losses, not for others.
# - ``networks`` takes whatever :class:`~sklearnloss.ImageSegmenter` takes: networks of other
#   libraries, your own modules, and their parameters. See :doc:`/how_to/networks` and
#   :doc:`/how_to/search`.
