"""Every test runs on one torch thread with a fixed seed, and predicts in small batches."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from sklearnloss.estimators._inference import predict


@pytest.fixture(autouse=True)
def _one_thread_and_seed() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture(autouse=True, scope="session")
def _small_batches() -> Iterator[None]:
    """Predict 16 images at a time: the last batch is filled up, which takes time for nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predict, "_BATCH_IMAGES", 16)
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("cuda"):
            item.add_marker(pytest.mark.skip(reason="no CUDA GPU"))
