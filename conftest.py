"""What a test or an example registers is forgotten after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sklearnloss.losses import _registry


@pytest.fixture(autouse=True)
def _forget_registered_losses() -> Iterator[None]:
    yield
    _registry._user_losses.clear()
    _registry._user_spaces.clear()
