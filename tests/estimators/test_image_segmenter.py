"""Any network with any loss, as an estimator of masks."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch import Tensor, nn

from sklearnloss import ImageSegmenter, UNetSegmenter, load
from sklearnloss.losses import DiceLoss

from .conftest import Data


class Net(nn.Module):
    """Halves the resolution twice, and so takes multiples of 4."""

    def __init__(self, n_channels: int, n_classes: int, width: int = 4) -> None:
        super().__init__()
        self.down = nn.Conv2d(n_channels, width, 4, stride=4)
        self.up = nn.ConvTranspose2d(width, n_classes, 4, stride=4)

    def forward(self, x: Tensor) -> Tensor:
        if any(side % 4 for side in x.shape[2:]):
            raise RuntimeError("sides must be multiples of 4")
        scores: Tensor = self.up(self.down(x).relu())
        return scores


def local(in_channels: int, out_channels: int, width: int = 4, kernel: int = 3) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(in_channels, width, kernel, padding=kernel // 2),
        nn.ReLU(),
        nn.Conv2d(width, out_channels, 1),
    )


def any_axes(in_channels: int, out_channels: int, spatial_dims: int) -> nn.Module:
    layer: Any = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}[spatial_dims]
    made: nn.Module = layer(in_channels, out_channels, 3, padding=1)
    return made


WAYS: dict[str, dict[str, Any]] = {
    "name": {"network": "unet", "network__width": 4, "network__depth": 1},
    "class": {"network": Net},
    "function": {"network": local, "network__kernel": 5},
    "module": {"network": Net(1, 3)},
}


def model_of(network: Any, loss: Any = "auto", **params: Any) -> ImageSegmenter:
    defaults: dict[str, Any] = {"max_epochs": 1, "batch_size": 4, "lr": 1e-2, "random_state": 0}
    return ImageSegmenter(network, loss, **{**defaults, **params})


@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_give_a_network_trains_and_is_saved(
    way: str, scenes: Data, tmp_path: Path
) -> None:
    X, y = scenes[0][:, :15, :13], scenes[1][:, :15, :13]
    model = clone(model_of(**WAYS[way])).fit(X, y)
    expected = model.predict_proba(X)
    assert expected.shape == (12, 3, 15, 13)
    model.save(tmp_path / "model")
    own = WAYS[way]["network"]
    custom = {} if way == "name" else {getattr(own, "__name__", type(own).__name__): own}
    np.testing.assert_array_equal(load(tmp_path / "model", custom).predict_proba(X), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), expected)


def test_unet_by_name_is_the_one_of_its_own_estimator(scenes: Data) -> None:
    X, y = scenes
    params: dict[str, Any] = {"max_epochs": 1, "batch_size": 4, "random_state": 0}
    by_name = ImageSegmenter("unet", network__width=4, network__depth=2, **params).fit(X, y)
    own = UNetSegmenter(width=4, depth=2, **params).fit(X, y)
    np.testing.assert_array_equal(by_name.predict_proba(X), own.predict_proba(X))


def test_sizes_are_found_out_and_images_padded_by_their_edge(scenes: Data) -> None:
    X, y = scenes[0][:, :15, :13], scenes[1][:, :15, :13]
    model = model_of(Net, normalize=None).fit(X, y)
    assert (model.module_.sizes.multiple, model.module_.sizes.least) == (4, 4)
    padded = torch.from_numpy(np.pad(X, ((0, 0), (0, 1), (0, 3)), mode="edge"))[:, None].float()
    with torch.no_grad():
        expected = model.module_.network.eval()(padded)[..., :15, :13]
    np.testing.assert_allclose(model.decision_function(X), expected, rtol=1e-4, atol=1e-5)


def test_tiles_make_the_whole() -> None:
    X = np.random.default_rng(0).normal(size=(2, 120, 150)).astype(np.float32)
    model = model_of(local, "dice", network__kernel=7).fit(X, X > 0)
    whole = model.decision_function(X)
    tiled = model.set_params(tile=96).decision_function(X)
    np.testing.assert_allclose(tiled, whole, atol=0.02)  # tiles end where others count more


def test_masks_that_are_ignored_and_multilabel_masks(scenes: Data) -> None:
    X, y = scenes[0], scenes[1].copy()
    y[:, :4] = 255
    model = model_of(local, "cross_entropy", ignore_index=255).fit(X, y)
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])
    both = np.stack([scenes[1] == 1, scenes[1] == 2], 1)
    model = model_of(local, "dice+bce", multilabel=True).fit(X, both)
    assert model.predict_proba(X).shape == (12, 2, 16, 16)


@pytest.mark.parametrize("shape", [(61,), (20, 23), (9, 12, 11)])
def test_the_number_of_axes_is_told_to_the_network(shape: tuple[int, ...]) -> None:
    X = np.random.default_rng(0).normal(size=(4, 1, *shape)).astype(np.float32)
    y = (X[:, 0] > 0).astype(np.uint8)
    rows = len(shape) == 1
    model = model_of(any_axes, "bce", image_shape=shape if rows else None)
    images = X[:, 0] if rows else X
    assert model.fit(images, y).predict_proba(images).shape == (4, 2, *shape)


def test_a_softmax_loss_has_as_many_scores_as_classes(binary_scenes: Data) -> None:
    X, y = binary_scenes
    assert model_of(local, "bce").fit(X, y).decision_function(X).shape == (12, 1, 16, 16)
    model = model_of(local, "cross_entropy").fit(X, y)
    assert model.predict_proba(X).shape == (12, 2, 16, 16)


def test_a_grid_over_networks_their_parameters_and_losses(binary_scenes: Data) -> None:
    X, y = binary_scenes
    grid: list[dict[str, Any]] = [
        {"network": [local], "network__kernel": [1, 3], "loss": ["dice", DiceLoss(batch=True)]},
        {"network": [Net, "unet"], "network__width": [2]},
    ]
    search = GridSearchCV(model_of(local), grid, cv=2, error_score="raise").fit(X, y)
    assert len(search.cv_results_["params"]) == 6
    assert search.predict(X).shape == y.shape
