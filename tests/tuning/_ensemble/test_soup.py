from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sklearnloss.tuning._ensemble.combine import Combination
from sklearnloss.tuning._ensemble.soup import averaged_weights

from ...estimators.conftest import Data, segmenter
from .test_refit_ensemble import make


def test_weights_are_averaged_and_models_stay(scenes: Data) -> None:
    models = [segmenter(loss, width=2, depth=1).fit(*scenes) for loss in ("dice", "hinge")]
    before = [{k: v.clone() for k, v in m.module_.state_dict().items()} for m in models]
    soup = averaged_weights(models, [0.25, 0.75])
    for name, found in soup.module_.state_dict().items():
        if found.is_floating_point():
            expected = 0.25 * before[0][name].numpy() + 0.75 * before[1][name].numpy()
            np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)
        assert (models[0].module_.state_dict()[name] == before[0][name]).all()
    assert soup.predict(scenes[0]).shape == scenes[1].shape


def test_networks_of_different_sizes_have_no_average(scenes: Data) -> None:
    models = [segmenter(width=width, depth=1).fit(*scenes) for width in (2, 3)]
    assert averaged_weights(models, [0.5, 0.5]) is None


@pytest.mark.parametrize(("value", "is_soup"), [(2.0, True), (-2.0, False)])
def test_a_soup_that_is_not_worse_replaces_the_average(
    value: float, is_soup: bool, scenes: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    def soups(self: Any, by_fold: Any, weights: Any, known: Any, scores: Any) -> Any:
        scores["soup"] = value
        return [models[0] for models in by_fold]

    monkeypatch.setattr(Combination, "_soups", soups)
    ensemble = make().fit(*scenes).best_estimator_
    assert ensemble.is_soup_ == is_soup
    n_models = 2 if is_soup else 2 * len(ensemble.members_)
    assert len(ensemble.models) == n_models
    assert ensemble.weights_.sum() == pytest.approx(1)
