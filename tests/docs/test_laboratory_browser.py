"""The laboratory in a real browser: the page's own HTML without the site around it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from .browser import Browser

DOCS = Path(__file__).parents[2] / "docs"
DONE = "document.getElementById('laboratory')?.dataset.playing === 'false'"
LINK = "losses=dice;tversky(alpha:0.3,beta:0.7)&lr=0.3&mask=ring"
CURVE = "document.querySelector('#lab-gradients-1 polyline.lab-color-{}').getAttribute('points')"
PICTURE = "document.getElementById('lab-result-{}').toDataURL()"
MASK = "LossLab.readLink(location.hash).mask"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a page with the raw HTML of the laboratory, as it is opened without a server."""
    folder = tmp_path_factory.mktemp("site")
    source = (DOCS / "laboratory.md").read_text()
    found = re.search(r"```\{raw\} html\n(.*?)\n```", source, re.DOTALL)
    assert found
    shutil.copytree(DOCS / "_static", folder / "_static")
    html = folder / "laboratory.html"
    html.write_text(
        '<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>Laboratory</title></head>'
        f"<body><main>{found[1]}</main></body></html>"
    )
    return html


@pytest.fixture(scope="module")
def shared_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def browser(shared_browser: Browser, page: Path) -> Iterator[Browser]:
    """Return a browser that shows the laboratory, trained; the console must stay empty."""
    shared_browser.problems.clear()
    set_window(shared_browser, 1300)
    set_media(shared_browser, "no-preference")
    open_page(shared_browser, page, LINK)
    yield shared_browser
    assert shared_browser.problems == []


def set_window(browser: Browser, width: int) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.send("Emulation.setDeviceMetricsOverride", **size)


def set_media(browser: Browser, motion: str) -> None:
    feature = {"name": "prefers-reduced-motion", "value": motion}
    browser.send("Emulation.setEmulatedMedia", features=[feature])


def open_page(browser: Browser, page: Path, link: str) -> None:
    browser.send("Page.navigate", url="about:blank")
    browser.wait("location.href === 'about:blank'")
    browser.send("Page.navigate", url=f"{page.as_uri()}#{link}")
    browser.wait("location.href !== 'about:blank'")
    browser.wait(DONE)


def hash_with(text: str) -> str:
    return f"location.hash.includes({text!r})"


def test_a_slider_moves_its_curve_its_mask_and_the_line_of_python(browser: Browser) -> None:
    curve = browser.run(CURVE.format(1))
    pictures = [browser.run(PICTURE.format(i)) for i in (0, 1)]
    browser.run("document.getElementById('lab-1-0-beta').focus()")
    browser.press("ArrowRight", 10)
    browser.wait(f"{DONE} && {CURVE.format(1)} !== {curve!r}")
    assert browser.run(PICTURE.format(0)) == pictures[0]
    assert browser.run(PICTURE.format(1)) != pictures[1]
    python = browser.run("document.querySelectorAll('.lab-python')[1].textContent")
    assert "UNetSegmenter(loss=TverskyLoss(alpha=0.3, beta=0.89))" in python


def test_the_state_survives_a_reload(browser: Browser) -> None:
    browser.run("document.getElementById('lab-0-0-name').focus()")
    browser.run("document.getElementById('lab-add-0').click()")
    browser.run("document.getElementById('lab-mask').focus()")
    browser.press(" ")
    browser.wait(hash_with("dice+bce"))
    browser.wait(f"{MASK}[16 * 32 + 16] === 1")
    browser.wait(DONE)
    address = browser.run("location.href")
    pictures = [browser.run(PICTURE.format(i)) for i in (0, 1)]
    browser.run("window.before = true")
    browser.send("Page.reload")
    browser.wait(f"!window.before && {DONE}")
    assert browser.run("location.href") == address
    assert [browser.run(PICTURE.format(i)) for i in (0, 1)] == pictures


def test_a_new_link_in_the_same_page_is_followed(browser: Browser) -> None:
    browser.run("document.querySelector('a[href*=focal]').click()")
    browser.wait("document.querySelectorAll('.lab-result').length === 3")
    browser.wait(DONE)
    assert browser.run("document.querySelector('input[value=probability]').checked")
    assert "focal(gamma=5, alpha=0.5)" in browser.run(
        "document.getElementById('lab-legend').textContent"
    )


def test_the_keyboard_alone_is_enough(browser: Browser) -> None:
    browser.run("document.getElementById('lab-brush').focus()")
    reached = []
    for _ in range(40):
        browser.press("Tab")
        reached.append(
            browser.run("document.activeElement.id || document.activeElement.textContent")
        )
    for control in ("lab-play", "lab-step", "lab-copy-link", "lab-lr", "lab-mask", "lab-1-0-alpha"):
        assert control in reached
    browser.run("document.getElementById('lab-mask').focus()")
    browser.press("ArrowRight", 2)
    browser.press("ArrowUp")
    browser.press(" ")
    browser.wait(f"{MASK}[15 * 32 + 18] === 1")
    browser.press("ArrowRight", 2, shift=True)
    browser.wait(f"{MASK}[15 * 32 + 20] === 1")
    assert browser.run(f"{MASK}[15 * 32 + 17]") == 0
    browser.press(" ")
    browser.wait(f"{MASK}[15 * 32 + 20] === 0")
    browser.wait(DONE)
    browser.run("document.getElementById('lab-step').focus()")
    browser.press("Enter")
    browser.wait("document.getElementById('lab-live').textContent.includes('step 301')")


def test_the_mouse_paints_lines_and_erases_them(browser: Browser) -> None:
    box = browser.run(
        "(() => { const mask = document.getElementById('lab-mask'); mask.scrollIntoView();"
        " const { x, y, width } = mask.getBoundingClientRect(); return [x, y, width / 32]; })()"
    )
    x, y, pixel = box
    row = y + 16.5 * pixel
    ends = (x + 10.5 * pixel, row), (x + 20.5 * pixel, row)
    line = f"{MASK}.slice(16 * 32 + 10, 16 * 32 + 21).every((x) => x === {{}})"
    browser.drag(*ends)
    browser.wait(line.format(1))
    browser.drag(*ends)
    browser.wait(line.format(0))
    browser.wait(DONE)


def test_play_pause_step_and_reset(browser: Browser) -> None:
    step = "document.querySelector('.lab-step dd').textContent"
    assert browser.run(step) == "300"
    browser.run("document.getElementById('lab-reset').click()")
    assert browser.run(step) == "0"
    browser.run("document.getElementById('lab-step').click()")
    assert browser.run(step) == "1"
    browser.run("document.getElementById('lab-play').click()")
    assert browser.run("document.getElementById('lab-play').textContent") == "Pause"
    browser.wait(DONE)
    assert browser.run(step) == "300"
    assert "misses" in browser.run("document.getElementById('lab-live').textContent")


def test_losses_and_terms_are_added_and_removed(browser: Browser) -> None:
    browser.run("document.getElementById('lab-add-loss').click()")
    browser.wait(hash_with(";bce&"))
    assert browser.run("document.getElementById('lab-add-loss').hidden")
    # A sum of a sigmoid loss cannot have a softmax loss as its other term.
    browser.run("document.getElementById('lab-add-2').click()")
    disabled = "document.querySelector('#lab-2-1-name option[value=cross_entropy]').disabled"
    assert browser.run(disabled)
    browser.run("document.querySelector('[aria-label=\"Remove loss A\"]').click()")
    browser.wait(hash_with("losses=tversky(alpha:0.3,beta:0.7);bce+dice&"))
    assert browser.run("document.querySelectorAll('.lab-result').length") == 2
    browser.wait(DONE)


def test_an_empty_mask_has_no_curve_of_the_object(browser: Browser) -> None:
    browser.run("document.getElementById('lab-preset-empty').click()")
    browser.wait("document.querySelector('#lab-values-1').textContent.includes('no such pixel')")
    assert browser.run("document.querySelectorAll('#lab-values-0 polyline').length") == 2
    browser.wait(DONE)


def test_a_link_that_cannot_be_read_says_so(browser: Browser, page: Path) -> None:
    open_page(browser, page, "losses=nonsense&mask=ring")
    status = browser.run("document.getElementById('lab-status').textContent")
    assert status == "The link's losses could not be read."


def test_every_control_has_a_name(browser: Browser) -> None:
    roles = {"button", "slider", "combobox", "radio", "link", "image", "application", "figure"}
    controls = {
        (node["role"]["value"], node.get("name", {}).get("value", "").strip())
        for node in browser.send("Accessibility.getFullAXTree")["nodes"]
        if not node["ignored"] and node["role"]["value"] in roles
    }
    assert {role for role, _ in controls} >= roles - {"image"}
    assert [role for role, name in controls if not name] == []
    assert ("slider", "beta of tversky, loss B") in controls


def test_dark_colors_and_a_narrow_window(browser: Browser) -> None:
    light = browser.run(PICTURE.format(0))
    browser.run("document.documentElement.dataset.theme = 'dark'")
    browser.wait(f"{PICTURE.format(0)} !== {light!r}")
    set_window(browser, 390)
    browser.wait("innerWidth === 390")
    assert browser.run("document.documentElement.scrollWidth") <= 390


def test_with_reduced_motion_only_the_result_is_drawn(browser: Browser, page: Path) -> None:
    set_media(browser, "reduce")
    open_page(browser, page, LINK)
    drawn = "window.drawn.push(document.querySelector('.lab-step dd').textContent)"
    browser.run(
        "window.drawn = []; new MutationObserver(() => " + drawn + ").observe("
        "document.querySelector('.lab-step dd'), { childList: true, characterData: true });"
        "document.getElementById('lab-1-0-beta').focus()"
    )
    browser.press("ArrowLeft")
    browser.run("document.getElementById('lab-preset-blob').click()")
    browser.wait(f"{DONE} && window.drawn.length > 0")
    assert set(browser.run("window.drawn")) == {"300"}
