"""
Save and load a model
=====================

``save`` writes one file in the safetensors format, with weights and parameters but no code, and
``load`` reads it.

The file also holds classes, scaling and history. Opening a file from someone else runs nothing.
"""

import json
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from safetensors import safe_open

from sklearnloss import UNetSegmenter, load
from sklearnloss.datasets import load_nuclei

X, y, groups = load_nuclei(border=False)
train, test = groups < 3, groups == 3
model = UNetSegmenter("dice+focal", width=8, depth=2, max_epochs=5, lr=1e-2, random_state=0)
model.fit(X[train], y[train])

folder = tempfile.TemporaryDirectory()
file = Path(folder.name) / "model.safetensors"
model.save(file)
again = load(file)

print(again)
print("the same probabilities:", (again.predict_proba(X) == model.predict_proba(X)).all())

# %%
# What is in it
# -------------
# Any program that reads safetensors can open it. Tensors are named; the rest is JSON.

with safe_open(file, "numpy") as opened:
    tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    metadata = opened.metadata()
print(len(tensors), "tensors; metadata:", list(metadata))
content = json.loads(metadata["sklearnloss"])
print(list(content))
print({name: content["params"][name] for name in ("loss", "width", "depth", "lr", "max_epochs")})
print(content["learnt"]["classes_"]["values"])

# %%
# The largest part are the network's weights:

weights = {
    name.removeprefix("network."): tensor
    for name, tensor in tensors.items()
    if name.startswith("network.") and tensor.ndim == 4
}
parts = {"stem": "#56B4E9", "down": "#0072B2", "up": "#E69F00", "head": "#D55E00"}
names = sorted(weights, key=lambda name: list(parts).index(name.split(".")[0]))
fig, (left, right) = plt.subplots(
    1, 2, figsize=(9, 4.3), width_ratios=[1.7, 1], layout="constrained"
)
left.barh(
    names,
    [weights[name].nbytes / 1024 for name in names],
    color=[parts[name.split(".")[0]] for name in names],
)
left.invert_yaxis()
left.tick_params(axis="y", labelsize=9)
left.set(xlabel="KiB", title=f"convolutions in a file of {file.stat().st_size / 1024:.0f} KiB")
left.spines[["top", "right"]].set_visible(False)

kernels = weights["stem.0.weight"][:, 0]  # the first layer, (8, 1, 3, 3)
grid = np.full((4 * 4 + 1, 2 * 4 + 1), np.nan)
for k, kernel in enumerate(kernels):
    row, column = 1 + 4 * (k // 2), 1 + 4 * (k % 2)
    grid[row : row + 3, column : column + 3] = kernel
limit = np.abs(kernels).max()
shown = right.imshow(grid, cmap="PuOr", vmin=-limit, vmax=limit)
right.set(xticks=[], yticks=[], title="stem.0.weight")
right.spines[:].set_visible(False)
fig.colorbar(shown, ax=right, shrink=0.8)
plt.show()

# %%
# A loss of your own
# ------------------
# It is code, so only its name is in the file. Pass it to ``load``:


def squared_error(logits, target):
    """Brier score of the pixels."""
    return (logits.sigmoid() - target).square().flatten(1).mean(1)


model.set_params(loss=squared_error, max_epochs=1).fit(X[train], y[train]).save(file)
try:
    load(file)
except ValueError as error:
    print(str(error).replace(folder.name, "FOLDER"))
again = load(file, custom={"squared_error": squared_error})
print(again.loss is squared_error)

# %%
# Damaged files
# -------------
# A checksum covers everything, so a changed byte is noticed.

damaged = bytearray(file.read_bytes())
damaged[-1000] ^= 1
file.write_bytes(damaged)
try:
    load(file, custom={"squared_error": squared_error})
except ValueError as error:
    print(str(error).replace(folder.name, "FOLDER"))

folder.cleanup()

# %%
# What to remember
# ----------------
# - ``model.save(file)`` and ``sklearnloss.load(file)``; the same bits are predicted.
# - The file is also a source of ``weights=`` for a new model:
#   :ref:`sphx_glr_examples_5_your_own_plot_fine_tuning.py`.
# - Pickle and joblib work too, but opening such a file runs code, and needs the same versions.
#
# More: :doc:`/how_to/saving`. For other programs:
# :ref:`sphx_glr_examples_5_your_own_plot_export_onnx.py`.
