from __future__ import annotations

import pytest

from sklearnloss._compare_command import _images


@pytest.fixture
def nothing_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep next to nothing in memory: files are read again, batch by batch."""
    monkeypatch.setattr(_images, "IN_MEMORY", 200)
