from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import KFold
from torch import Tensor, nn

from sklearnloss import ImageClassifier, ImageSegmenter, UNetSegmenter, compare_losses
from sklearnloss.tuning import LossComparison, NetworkComparison

from ...estimators.conftest import Data

LOSSES = ["dice", "focal"]


def plain(in_channels: int, n_classes: int, width: int = 4) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(in_channels, width, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(width, n_classes, 3, padding=1),
    )


def broken(in_channels: int, n_classes: int) -> nn.Module:
    raise RuntimeError("out of order")


def pooled(in_channels: int, n_classes: int) -> nn.Module:
    return nn.Sequential(plain(in_channels, n_classes), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def nan_loss(logits: Tensor, target: Tensor) -> Tensor:
    return logits.sum() * float("nan")


def model(**params: Any) -> ImageSegmenter:
    return ImageSegmenter(plain, max_epochs=1, batch_size=4, device="cpu", **params)


def compare(data: Data, estimator: Any = None, losses: Any = LOSSES, **options: Any) -> Any:
    defaults = {"cv": KFold(3), "random_state": 0, "per_image": False}
    return compare_losses(estimator or model(), losses, *data, **{**defaults, **options})


def labels(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    return [json.loads(line)["loss"] for line in lines]


NETWORKS = {"thin": plain, "wide": {"network": plain, "network__width": 8, "lr": 1e-2}}


@pytest.mark.slow
def test_a_network_among_others_has_the_scores_that_it_has_alone(scenes: Data) -> None:
    found = compare(scenes, networks=NETWORKS, n_seeds=2)
    assert isinstance(found, NetworkComparison)
    assert found.scores_.shape == (2, 2, 3, 2)
    assert list(found.comparisons_) == found.networks_ == ["thin", "wide"]
    assert found.labels_ == LOSSES
    alone = compare(scenes, model(network__width=8, lr=1e-2), n_seeds=2)
    assert isinstance(alone, LossComparison)
    np.testing.assert_array_equal(found.scores_[1], alone.scores_)
    assert found.comparisons_["wide"].table_[0]["mean"] == alone.table_[0]["mean"]
    assert found.comparisons_["wide"].baseline_ == alone.baseline_
    assert found.comparisons_["wide"].settings_["dice"]["network__width"] == 8


def test_parameters_of_other_estimators_may_be_networks(scenes: Data) -> None:
    estimator = UNetSegmenter(width=2, max_epochs=1, batch_size=4)
    depths = {"shallow": {"depth": 1}, "deep": {"depth": 2}}
    found = compare(scenes, estimator, networks=depths, cv=KFold(2))
    assert found.scores_.shape == (2, 2, 2, 1)
    assert not np.array_equal(found.scores_[0], found.scores_[1])


@pytest.mark.slow
def test_classifiers_are_compared_with_their_images(digits: Data, tmp_path: Path) -> None:
    estimator = ImageClassifier(max_epochs=1, device="cpu")
    networks = {"a": {"network__width": 2}, "b": {"network__width": 4}}
    found = compare(
        digits, estimator, ["cross_entropy", "brier"], networks=networks, per_image=True, cv=2
    )
    for each in found.comparisons_.values():
        assert each.image_scores_.shape == (2, 60)
        assert len(each.pictures_) == 10
    text = found.to_html(tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.count("<h3>Single images</h3>") == 2


def test_finished_fits_are_kept_by_network_and_loss(scenes: Data, tmp_path: Path) -> None:
    path = tmp_path / "fits.jsonl"
    first = compare(scenes, networks={"thin": plain}, storage=path)
    assert sorted(set(labels(path))) == ["thin: dice", "thin: focal"]
    more = compare(scenes, networks=NETWORKS, storage=path)
    assert len(labels(path)) == 2 * 2 * 3
    np.testing.assert_array_equal(more.scores_[0], first.scores_[0])
    again = compare(scenes, networks=NETWORKS, storage=path)
    assert len(labels(path)) == 2 * 2 * 3
    np.testing.assert_array_equal(again.scores_, more.scores_)
    assert again.summary() != first.summary()


def test_a_network_that_cannot_be_trained_is_reported(scenes: Data) -> None:
    found = compare(scenes, networks=[plain, broken, pooled])
    assert found.notes_ == [
        "left out: broken (no loss finished all its fits)",
        "left out: pooled (no loss finished all its fits)",
    ]
    assert found.comparisons_["broken"].table_[0]["failed"] == 3
    assert "out of order" in found.summary()
    assert found.verdict_.startswith("no verdict")
    with pytest.raises(ValueError, match="out of order"):
        compare(scenes, networks=[plain, broken], error_score="raise")


@pytest.mark.slow
def test_a_loss_that_diverges_is_reported(scenes: Data) -> None:
    losses = {"dice": "dice", "focal": "focal", "nan": nan_loss}
    found = compare(scenes, losses=losses, networks=NETWORKS)
    parts = [f"diverged in 3 of 3 fits with {name}" for name in NETWORKS]
    assert found.notes_ == [f"left out: nan ({', '.join(parts)})"]
    assert [row["loss"] for row in found.best_losses_] != ["nan", "nan"]
    scored = compare(scenes, losses=losses, networks=NETWORKS, error_score=0.0)
    assert scored.notes_[0].startswith("counted with a bad score: nan")
    assert scored.ranks_[-1]["loss"] == "nan"


def test_mistakes_are_found_before_any_fit(scenes: Data, tmp_path: Path) -> None:
    path = tmp_path / "fits.jsonl"
    with pytest.raises(ValueError, match="network='unett' is unknown"):
        compare(scenes, networks=["unet", "unett"], storage=path)
    assert not path.exists()


@pytest.mark.slow
def test_networks_are_fitted_in_parallel(scenes: Data) -> None:
    alone = compare(scenes, networks=NETWORKS)
    several = compare(scenes, networks=NETWORKS, n_jobs=2)
    np.testing.assert_allclose(several.scores_, alone.scores_, atol=1e-3)
