"""What torch was told by others changes neither fits nor predictions, or is refused."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sklearnloss import load

from ..conftest import Data, classifier, segmenter

SETTINGS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "inference mode": torch.inference_mode,
    "no gradients": torch.no_grad,
    "autocast": lambda: torch.autocast("cpu"),
    "another device": lambda: torch.device("meta"),
}


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_fits_and_predictions_are_as_without(
    setting: Callable[[], AbstractContextManager[Any]],
    digits: Data,
    binary_scenes: Data,
    tmp_path: Path,
) -> None:
    for make, (X, y) in ((classifier, digits), (segmenter, binary_scenes)):
        expected = make(augment="noise").fit(X, y).predict_proba(X)
        with setting():
            model = make(augment="noise").fit(X, y)
            model.save(tmp_path / "model.safetensors")
            for each in (
                model,
                pickle.loads(pickle.dumps(model)),
                load(tmp_path / "model.safetensors"),
            ):
                np.testing.assert_array_equal(each.predict_proba(X), expected)
            model.partial_fit(X, y)


def test_tensors_of_inference_mode_are_trained_on(digits: Data) -> None:
    X, y = digits
    with torch.inference_mode():
        model = classifier(normalize=None).fit(torch.from_numpy(X) * 1, torch.from_numpy(y) * 1)
    expected = classifier(normalize=None).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(model.predict_proba(X), expected)


@pytest.fixture
def _double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("_double")
def test_another_default_dtype_is_refused(digits: Data, tmp_path: Path) -> None:
    X, y = digits
    message = r"torch's default dtype is torch.float64, .* torch.set_default_dtype\(torch.float32\)"
    with pytest.raises(ValueError, match=message):
        classifier().fit(X, y)
    torch.set_default_dtype(torch.float32)
    model = classifier().fit(X, y)
    expected = model.predict_proba(X)
    torch.set_default_dtype(torch.float64)
    np.testing.assert_array_equal(model.predict_proba(X), expected)  # nothing is made anew
    for call in (
        lambda: model.partial_fit(X, y),
        lambda: model.save(tmp_path / "model"),
        lambda: load("nothing"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_deterministic_algorithms_are_as_before(digits: Data) -> None:
    try:
        for enabled, warn_only in ((True, True), (True, False), (False, False)):
            torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
            classifier(deterministic=True).fit(*digits)
            assert torch.are_deterministic_algorithms_enabled() == enabled
            assert torch.is_deterministic_algorithms_warn_only_enabled() == warn_only
    finally:
        torch.use_deterministic_algorithms(False)
