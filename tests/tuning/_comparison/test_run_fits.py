"""A comparison that is ended by a timeout, and goes on later."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import joblib
import pytest
from numpy.testing import assert_array_equal
from sklearn.model_selection import KFold, RepeatedKFold

from sklearnloss import compare_losses
from sklearnloss.tuning import LossComparison
from sklearnloss.tuning._comparison.run_fits import count_stored
from sklearnloss.tuning._comparison.settings import read_losses
from sklearnloss.tuning._workers.deadline import Deadline

from ...estimators.conftest import Data, classifier

LOSSES = ["focal", "cross_entropy"]


def compare(data: Data, storage: Path | None = None, **more: Any) -> LossComparison:
    model = classifier(width=2, batch_size=64)
    cv = RepeatedKFold(n_splits=3, n_repeats=2, random_state=0)
    options: dict[str, Any] = {"cv": cv, "per_image": False, "random_state": 0, **more}
    found: LossComparison = compare_losses(model, LOSSES, *data, storage=storage, **options)
    return found


@pytest.fixture(scope="module")
def whole(digits: Data) -> LossComparison:
    return compare(digits)


def past_after(n_looks: int, patch: pytest.MonkeyPatch) -> None:
    """Let the deadline be past once somebody has looked this often."""
    looks = itertools.count()
    patch.setattr(Deadline, "is_past", lambda self: next(looks) >= n_looks)


# The fits of the first split are done in any case; then one for each look.
@pytest.mark.parametrize(
    ("n_looks", "n_fits", "n_splits"), [(0, 2, 1), (1, 3, 1), (3, 5, 2), (4, 6, 3), (9, 11, 3)]
)
def test_a_timeout_leaves_the_splits_that_all_losses_finished(
    digits: Data,
    whole: LossComparison,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    n_looks: int,
    n_fits: int,
    n_splits: int,
) -> None:
    storage = tmp_path / "fits.jsonl"
    with monkeypatch.context() as patch:
        past_after(n_looks, patch)
        told = rf"after {n_fits} of 12 fits\. The results are those of {n_splits} of 6 fits of each"
        with pytest.warns(UserWarning, match=told):
            found = compare(digits, storage, timeout=60)
    assert_array_equal(found.scores_, whole.scores_[:, :n_splits])
    lines = storage.read_text().splitlines()
    assert len(lines) == 1 + n_fits
    stored = count_stored(storage, read_losses(classifier(), LOSSES))
    assert sum(stored.values()) == n_fits
    assert max(stored.values()) - min(stored.values()) <= 1
    others = read_losses(classifier(), {"focal": {"loss": "focal", "loss__gamma": 5.0}})
    assert count_stored(storage, others) == {}
    again = compare(digits, storage)
    assert_array_equal(again.scores_, whole.scores_)
    assert storage.read_text().splitlines()[: len(lines)] == lines


@pytest.mark.parametrize(("n_looks", "shape"), [(1, (1, 1)), (3, (2, 1)), (4, (3, 1)), (9, (3, 1))])
def test_all_splits_come_before_a_second_seed(
    digits: Data, monkeypatch: pytest.MonkeyPatch, n_looks: int, shape: tuple[int, int]
) -> None:
    past_after(n_looks, monkeypatch)
    with pytest.warns(UserWarning, match="of 9 fits of each loss"):
        found = compare(digits, n_seeds=3, timeout=60, cv=KFold(3))
    assert found.scores_.shape[1:] == shape


def test_a_timeout_that_is_not_reached_changes_nothing(digits: Data, whole: LossComparison) -> None:
    assert_array_equal(compare(digits, timeout=math.inf).scores_, whole.scores_)


def test_fits_that_failed_are_not_counted_as_stored(tmp_path: Path, digits: Data) -> None:
    storage = tmp_path / "fits.jsonl"
    assert count_stored(storage, read_losses(classifier(), LOSSES)) == {}
    compare(digits, storage)
    header, first, *rest = storage.read_text().splitlines()
    failed = {**json.loads(first), "status": "failed", "reason": "x", "scores": {}}
    storage.write_text("\n".join([header, json.dumps(failed), *rest]) + "\n")
    stored = count_stored(storage, read_losses(classifier(), LOSSES))
    assert sorted(stored.values()) == [5, 6]


def test_a_timeout_ends_parallel_fits_too(digits: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    past_after(2, monkeypatch)
    with (
        joblib.parallel_config(backend="threading"),
        pytest.warns(UserWarning, match="after 4 of 12 fits"),
    ):
        assert compare(digits, n_jobs=2, timeout=60).scores_.shape[1] == 2


@pytest.mark.parametrize("timeout", [0, -1.0, math.nan, "1h"])
def test_a_timeout_that_cannot_be_is_refused(digits: Data, timeout: Any) -> None:
    with pytest.raises(ValueError, match=r"timeout=.*: expected a number of seconds above 0"):
        compare(digits, timeout=timeout)
