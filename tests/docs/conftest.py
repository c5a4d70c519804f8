"""The browser that tests of pages share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .browser import Browser


@pytest.fixture(scope="session")
def shared_browser() -> Iterator[Browser]:
    """Start a browser, and end it."""
    with Browser() as browser:
        yield browser


@pytest.fixture
def browser(shared_browser: Browser) -> Iterator[Browser]:
    """Return a browser with a wide window, in which no page may complain."""
    shared_browser.get("about:blank")
    shared_browser.complaints()  # of an earlier test, which has failed
    shared_browser.requests()
    shared_browser.resize(1300, 900)
    shared_browser.prefer_motion("no-preference")
    yield shared_browser
    assert shared_browser.complaints() == []
