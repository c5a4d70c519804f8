"""
Noisy labels: losses that resist wrong labels
=============================================

Cross entropy learns wrong labels by heart; losses that bound the cost of a single image resist
them.

Here 40 % of the training labels are wrong.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from sklearnloss import ResNetClassifier
from sklearnloss.losses import get_loss

# %%
# Digits, many of them mislabeled
# -------------------------------
# Half of scikit-learn's digits are for training. Each label is replaced by another one, chosen
# at random, with a probability of 40 %. The labels of the other half, for the scores, are right.
X, true = load_digits(return_X_y=True)
X = X.reshape(-1, 8, 8).astype(np.float32)
train, test = np.arange(0, len(X), 2), np.arange(1, len(X), 2)
rng = np.random.default_rng(0)
wrong = rng.random(len(train)) < 0.4
labels = true[train].copy()
labels[wrong] = (labels[wrong] + rng.integers(1, 10, wrong.sum())) % 10
print(f"{wrong.sum()} of {len(train)} training labels are wrong")

# %%
# Three losses
# ------------
# Cross entropy has no bound. The other two are bounded, and their settings say how much:
# :class:`~sklearnloss.losses.GeneralizedCrossEntropyLoss` by ``q``,
# :class:`~sklearnloss.losses.BiTemperedLoss` by ``t1``, far below 1 here.
# :class:`~sklearnloss.losses.SymmetricCrossEntropyLoss` is another one.
losses = {
    "cross_entropy": {},
    "generalized_ce": {"q": 0.7},
    "bi_tempered": {"t1": 0.2, "t2": 2.0},
}
colors = dict(zip(losses, ["#1d2433", "#0072B2", "#009E73"], strict=True))

# %%
# Eight epochs with each loss
# ---------------------------
# Same network, seed and order of images. After each epoch: the accuracy on the held-out digits
# with right labels, and the share of wrong training labels that the network predicts.
accuracy = {name: [] for name in losses}
believed = {name: [] for name in losses}
for name, settings in losses.items():
    model = ResNetClassifier(
        get_loss(name, **settings), width=8, lr=5e-3, batch_size=32, max_epochs=1, random_state=0
    )
    model.set_params(scheduler=None)  # a constant learning rate, for training in steps
    for _ in range(8):
        model.partial_fit(X[train], labels)
        accuracy[name].append(model.score(X[test], true[test]))
        believed[name].append((model.predict(X[train][wrong]) == labels[wrong]).mean())

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
epochs = np.arange(1, 9)
for name in losses:
    left.plot(epochs, accuracy[name], color=colors[name], lw=2, label=name)
    right.plot(epochs, believed[name], color=colors[name], lw=2)
left.set(title="accuracy on held-out digits", xlabel="epoch", ylim=(0, 1))
left.legend(frameon=False, loc="lower right")
right.set(title="share of wrong labels learned", xlabel="epoch", ylim=(0, 1))
for ax in (left, right):
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
for name in losses:
    print(f"{name}: accuracy {accuracy[name][-1]:.2f}, learned {believed[name][-1]:.2f}")

# %%
# What to remember
# ----------------
# * In its first epochs cross entropy does as well as the others. Then it learns the wrong labels,
#   and its accuracy falls. The bounded losses learn few of them in the same time.
# * Stopping early is a remedy, too, but needs held-out images with right labels to see when.
# * The bound must be tight enough: ``bi_tempered`` with its mild default settings was hardly
#   better than cross entropy here (twelve epochs, two seeds).
# * Real errors are not random: look-alikes are confused, and no loss can tell a consistent error
#   from the truth. Look at the images on which labels and predictions disagree.
# * The papers: `Zhang and Sabuncu 2018 <https://arxiv.org/abs/1805.07836>`_, `Wang et al. 2019
#   <https://arxiv.org/abs/1908.06112>`_, `Amid et al. 2019 <https://arxiv.org/abs/1906.03361>`_.
