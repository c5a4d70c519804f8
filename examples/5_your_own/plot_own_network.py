"""
Use any PyTorch network
=======================

``ImageSegmenter`` and ``ImageClassifier`` train any torch module: a class, a function, a module,
or the name of a library's network.

The loss is as independent of the network as ever.
"""

import matplotlib.pyplot as plt
from torch import nn

from sklearnloss import ImageSegmenter
from sklearnloss.datasets import load_nuclei
from sklearnloss.networks import list_networks

X, y, groups = load_nuclei(border=False)
train, test = groups < 3, groups == 3
settings = {"loss": "dice+bce", "batch_size": 4, "random_state": 0}

# %%
# A class
# -------
# The number of image channels and of scores are passed under the names that it uses, such as
# ``in_channels`` and ``n_classes``; everything else is a parameter, ``network__<name>``. This one
# has no halving of the resolution: each layer looks farther instead, with dilated kernels.


class Dilated(nn.Module):
    """Convolutions with growing gaps between the pixels that they see."""

    def __init__(self, in_channels, n_classes, width=16, dilations=(1, 2, 4)):
        super().__init__()
        layers = []
        for dilation in dilations:
            layers += [
                nn.Conv2d(in_channels, width, 3, padding=dilation, dilation=dilation),
                nn.GroupNorm(4, width),
                nn.ReLU(),
            ]
            in_channels = width
        self.features = nn.Sequential(*layers)
        self.scores = nn.Conv2d(width, n_classes, 1)

    def forward(self, x):
        """Map images to scores."""
        return self.scores(self.features(x))


dilated = ImageSegmenter(Dilated, network__width=8, max_epochs=4, lr=1e-2, **settings)
dilated.fit(X[train], y[train])

# %%
# A function
# ----------
# It returns a module. This one sees only 5 x 5 pixels, and so can hardly know more than how bright
# they are.


def patch(in_channels, n_classes, kernel=5):
    """One hidden layer per pixel, over a small neighborhood."""
    return nn.Sequential(
        nn.Conv2d(in_channels, 8, kernel, padding=kernel // 2),
        nn.ReLU(),
        nn.Conv2d(8, n_classes, 1),
    )


small = ImageSegmenter(patch, max_epochs=4, lr=1e-2, **settings).fit(X[train], y[train])

# %%
# A name
# ------
# Networks of segmentation_models_pytorch, torchvision, timm and MONAI are built by name if that
# library is installed. Weights are random; nothing is downloaded unless you ask for it, with
# ``network__encoder_weights="imagenet"``. For a network in an odd format the class or the function
# above would do as well.

print(list_networks("smp:*/resnet18")[:4])
resnet = ImageSegmenter("smp:Unet/resnet18", max_epochs=4, lr=2e-3, **settings)
resnet.fit(X[train], y[train])

# %%
# Result
# ------
# All three are scikit-learn estimators, with the same methods.

models = {"patch": small, "Dilated": dilated, "smp:Unet/resnet18": resnet}
k = y[test].mean((1, 2)).argmax()
fig, axes = plt.subplots(1, 4, figsize=(9, 2.9), layout="constrained")
axes[0].imshow(X[test][k], cmap="gray")
axes[0].contour(y[test][k], [0.5], colors="#56B4E9", linewidths=1.2)
axes[0].set_title("held-out image, truth", fontsize=10)
for ax, (name, model) in zip(axes[1:], models.items(), strict=True):
    probability = model.predict_proba(X[test][[k]])[0, 1]
    ax.imshow(probability, cmap="cividis", vmin=0, vmax=1)
    ax.contour(y[test][k], [0.5], colors="white", linewidths=1.2)
    n = sum(p.numel() for p in model.module_.parameters())
    ax.set_title(name, fontsize=10)
    ax.set_xlabel(f"{n:,} weights\nmean IoU {model.score(X[test], y[test]):.2f}", fontsize=9)
for ax in axes:
    ax.set(xticks=[], yticks=[])
plt.show()

# %%
# The panels show the probability of a nucleus, from dark blue (0) to yellow (1), with the outline
# of the truth. Nuclei are bright, so two layers with some two hundred weights are not far behind
# the fourteen million of the largest network, which is the best one after 48 steps.
#
# Sizes
# -----
# ResNet-18 halves the resolution five times, so it needs sides that are multiples of 32. That is
# found out by trying the network before training; images of other sizes are padded, and the scores
# are cropped.

print(resnet.predict(X[test][:2, :45, :37]).shape)

# %%
# A network that returns scores of a wrong shape is refused, with the shapes in the message:


class TooSmall(nn.Module):
    """Forgets to restore the resolution."""

    def __init__(self, in_channels, n_classes):
        super().__init__()
        self.scores = nn.Conv2d(in_channels, n_classes, 3, stride=2, padding=1)

    def forward(self, x):
        """Map images to scores."""
        return self.scores(x)


try:
    ImageSegmenter(TooSmall, **settings).fit(X[train], y[train])
except ValueError as error:
    print(error)

# %%
# What to remember
# ----------------
# - A class or a function as ``network=``; its arguments are ``network__<name>``, also in a search.
# - ``"smp:..."``, ``"torchvision:..."``, ``"timm:..."`` and ``"monai:..."`` are networks of
#   libraries.
# - The network returns raw scores, without sigmoid or softmax.
#
# More: :doc:`/how_to/networks`. Training starts from weights of your own in
# :ref:`sphx_glr_examples_5_your_own_plot_fine_tuning.py`.
