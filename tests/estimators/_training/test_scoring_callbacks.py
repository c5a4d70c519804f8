"""Metrics of masks in skorch's scoring callbacks, epoch by epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from skorch.callbacks import EpochScoring

from sklearnloss.metrics import dice_score, dice_scorer

from ..conftest import Data, segmenter


class Codes:
    """Keeps what a callback is given; skorch copies callbacks, but not this."""

    def __init__(self) -> None:
        self.pairs: list[tuple[np.ndarray, np.ndarray]] = []

    def __deepcopy__(self, memo: Any) -> Codes:
        return self

    def __call__(self, net: Any, X: Any, y: np.ndarray) -> float:
        self.pairs.append((y, net.predict(X)))
        return 0.0


@pytest.mark.parametrize("n_labels", [1, 2])
def test_labels_that_overlap_are_predicted_each(n_labels: int, scenes: Data) -> None:
    X, y = scenes[0], np.stack([scenes[1] > 0, scenes[1] == 1], 1)[:, :n_labels]
    codes = Codes()
    scoring = EpochScoring(codes, name="codes")
    model = segmenter(multilabel=True, batch_size=12, callbacks=[scoring], max_epochs=2, lr=0.05)
    model.set_params(early_stopping=True, validation_fraction=0.9, n_iter_no_change=5).fit(X, y)
    for true, predicted in codes.pairs:
        assert true.shape == predicted.shape == (11, n_labels, 16, 16)
        assert set(np.unique(predicted)) <= {0, 1}
    best = int(np.argmin(model.history_[:, "valid_loss"]))
    held_out = [k for k in range(12) if (y[k] == codes.pairs[0][0]).all((1, 2, 3)).any()]
    np.testing.assert_array_equal(codes.pairs[best][1], model.predict(X[held_out]))


def test_ignored_pixels_do_not_count(scenes: Data) -> None:
    X, y = scenes[0], np.where(np.arange(16) < 6, 99, scenes[1])
    codes = Codes()
    callbacks = [
        EpochScoring(codes, name="codes"),
        EpochScoring(dice_scorer, name="dice", lower_is_better=False),
    ]
    model = segmenter(ignore_index=99, early_stopping=True, callbacks=callbacks).fit(X, y)
    ((true, predicted),) = codes.pairs
    expected = dice_score(true[..., 6:], predicted[..., 6:])
    assert model.history_[-1, "dice"] == expected != dice_score(true, predicted)


def test_a_callback_without_masks_is_refused(scenes: Data) -> None:
    scoring = EpochScoring(dice_scorer, name="dice", use_caching=False)
    with pytest.raises(ValueError, match="use_caching=False, which passes no targets"):
        segmenter(early_stopping=True, callbacks=[scoring]).fit(*scenes)
