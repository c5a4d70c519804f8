"""A headless Chromium that is driven by Selenium."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import ActionChains, Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
#: Seconds after which a page hangs; the machine may be busy.
PATIENCE = 100.0


def find_programs() -> tuple[str, str]:
    """Return the paths of Chromium and of its driver; skip the test if one is absent."""
    found = [path for path in map(shutil.which, PROGRAMS) if path]
    driver = shutil.which("chromedriver")
    if not found or not driver:
        pytest.skip("needs Chromium and chromedriver")
    return found[0], driver


class Browser(Chrome):
    """Chromium with the few commands that tests of pages repeat."""

    def __init__(self) -> None:
        options = ChromeOptions()
        options.binary_location, driver = find_programs()
        for flag in FLAGS:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        super().__init__(options=options, service=Service(driver))

    def open(self, url: str) -> None:
        """Load a page anew, even if only what follows # in its address is different."""
        self.get("about:blank")
        self.get(url)

    def run(self, expression: str) -> Any:
        """Return the value of an expression of JavaScript."""
        return self.execute_script(f"return {expression}")

    def wait(self, condition: str) -> None:
        """Wait until an expression is true."""
        message = f"never true: {condition}"
        WebDriverWait(self, PATIENCE, 0.05).until(lambda _: self.run(condition), message)

    def click(self, selector: str) -> None:
        """Click on an element, which must be in sight and not covered."""
        self.find_element(By.CSS_SELECTOR, selector).click()

    def focus(self, selector: str) -> None:
        """Give an element the focus."""
        self.execute_script("arguments[0].focus()", self.find_element(By.CSS_SELECTOR, selector))

    def press(self, key: str, times: int = 1, shift: bool = False) -> None:
        """Press a key of `selenium.webdriver.Keys`."""
        actions = ActionChains(self, duration=0)
        if shift:
            actions.key_down(Keys.SHIFT)
        for _ in range(times):
            actions.send_keys(key)
        if shift:
            actions.key_up(Keys.SHIFT)
        actions.perform()

    def drop(self, paths: Iterable[Path], x: int, y: int) -> None:
        """Drop files or folders of the disk at a point of the window."""
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            event = {"type": kind, "x": x, "y": y, "data": data}
            self.execute_cdp_cmd("Input.dispatchDragEvent", event)

    def resize(self, width: int, height: int) -> None:
        """Show the page as a window of this size does, and a narrow one as a phone does."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def prefer_motion(self, choice: str) -> None:
        """Set the reader's preference to "reduce" or "no-preference"."""
        features = [{"name": "prefers-reduced-motion", "value": choice}]
        self.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def accessible_nodes(self) -> list[tuple[str, str]]:
        """Return role and name of what a screen reader meets, in its order."""
        nodes = self.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        return [
            (node["role"]["value"], str(node.get("name", {}).get("value", "")).strip())
            for node in nodes
            if not node["ignored"]
        ]

    def complaints(self) -> list[str]:
        """Return new errors and warnings of the console, and exceptions that nobody caught."""
        return [
            entry["message"]
            for entry in self.get_log("browser")
            if entry["level"] in ("SEVERE", "WARNING")
        ]

    def requests(self) -> list[str]:
        """Return the addresses that were asked for since the last call."""
        events = [json.loads(entry["message"])["message"] for entry in self.get_log("performance")]
        return [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]
