"""The laboratory in a real browser: the page's own HTML without the site around it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By

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


@pytest.fixture
def lab(browser: Browser, page: Path) -> Browser:
    """Return a browser that shows the laboratory, trained."""
    open_page(browser, page, LINK)
    return browser


def open_page(browser: Browser, page: Path, link: str) -> None:
    browser.open(f"{page.as_uri()}#{link}")
    browser.wait(DONE)


def hash_with(text: str) -> str:
    return f"location.hash.includes({text!r})"


def test_a_slider_moves_its_curve_its_mask_and_the_line_of_python(lab: Browser) -> None:
    curve = lab.run(CURVE.format(1))
    pictures = [lab.run(PICTURE.format(i)) for i in (0, 1)]
    lab.focus("#lab-1-0-beta")
    lab.press(Keys.ARROW_RIGHT, 10)
    lab.wait(f"{DONE} && {CURVE.format(1)} !== {curve!r}")
    assert lab.run(PICTURE.format(0)) == pictures[0]
    assert lab.run(PICTURE.format(1)) != pictures[1]
    python = lab.run("document.querySelectorAll('.lab-python')[1].textContent")
    assert "UNetSegmenter(loss=TverskyLoss(alpha=0.3, beta=0.89))" in python


def test_the_state_survives_a_reload(lab: Browser) -> None:
    lab.focus("#lab-0-0-name")
    lab.click("#lab-add-0")
    lab.focus("#lab-mask")
    lab.press(Keys.SPACE)
    lab.wait(hash_with("dice+bce"))
    lab.wait(f"{MASK}[16 * 32 + 16] === 1")
    lab.wait(DONE)
    address = lab.run("location.href")
    pictures = [lab.run(PICTURE.format(i)) for i in (0, 1)]
    lab.refresh()
    lab.wait(DONE)
    assert lab.run("location.href") == address
    assert [lab.run(PICTURE.format(i)) for i in (0, 1)] == pictures


def test_a_new_link_in_the_same_page_is_followed(lab: Browser) -> None:
    lab.click("a[href*=focal]")
    lab.wait("document.querySelectorAll('.lab-result').length === 3")
    lab.wait(DONE)
    assert lab.run("document.querySelector('input[value=probability]').checked")
    assert "focal(gamma=5, alpha=0.5)" in lab.run(
        "document.getElementById('lab-legend').textContent"
    )


def test_the_keyboard_alone_is_enough(lab: Browser) -> None:
    lab.focus("#lab-brush")
    reached = []
    for _ in range(40):
        lab.press(Keys.TAB)
        reached.append(lab.run("document.activeElement.id || document.activeElement.textContent"))
    for control in ("lab-play", "lab-step", "lab-copy-link", "lab-lr", "lab-mask", "lab-1-0-alpha"):
        assert control in reached
    lab.focus("#lab-mask")
    lab.press(Keys.ARROW_RIGHT, 2)
    lab.press(Keys.ARROW_UP)
    lab.press(Keys.SPACE)
    lab.wait(f"{MASK}[15 * 32 + 18] === 1")
    lab.press(Keys.ARROW_RIGHT, 2, shift=True)
    lab.wait(f"{MASK}[15 * 32 + 20] === 1")
    assert lab.run(f"{MASK}[15 * 32 + 17]") == 0
    lab.press(Keys.SPACE)
    lab.wait(f"{MASK}[15 * 32 + 20] === 0")
    lab.wait(DONE)
    lab.focus("#lab-step")
    lab.press(Keys.ENTER)
    lab.wait("document.getElementById('lab-live').textContent.includes('step 301')")


def test_the_mouse_paints_lines_and_erases_them(lab: Browser) -> None:
    mask = lab.find_element(By.ID, "lab-mask")
    pixel = mask.size["width"] / 32
    line = f"{MASK}.slice(16 * 32 + 10, 16 * 32 + 21).every((x) => x === {{}})"
    for value in (1, 0):
        # Offsets are from the middle, which is the corner of pixel 16 of row 16.
        pen = ActionChains(lab, duration=0)
        pen.move_to_element_with_offset(mask, round(-5.5 * pixel), round(0.5 * pixel))
        pen.click_and_hold().move_by_offset(round(10 * pixel), 0).release().perform()
        lab.wait(line.format(value))
    lab.wait(DONE)


def test_play_pause_step_and_reset(lab: Browser) -> None:
    step = "document.querySelector('.lab-step dd').textContent"
    assert lab.run(step) == "300"
    lab.click("#lab-reset")
    assert lab.run(step) == "0"
    lab.click("#lab-step")
    assert lab.run(step) == "1"
    lab.click("#lab-play")
    assert lab.run("document.getElementById('lab-play').textContent") == "Pause"
    lab.wait(DONE)
    assert lab.run(step) == "300"
    assert "misses" in lab.run("document.getElementById('lab-live').textContent")


def test_losses_and_terms_are_added_and_removed(lab: Browser) -> None:
    lab.click("#lab-add-loss")
    lab.wait(hash_with(";bce&"))
    assert lab.run("document.getElementById('lab-add-loss').hidden")
    # A sum of a sigmoid loss cannot have a softmax loss as its other term.
    lab.click("#lab-add-2")
    disabled = "document.querySelector('#lab-2-1-name option[value=cross_entropy]').disabled"
    assert lab.run(disabled)
    lab.click('[aria-label="Remove loss A"]')
    lab.wait(hash_with("losses=tversky(alpha:0.3,beta:0.7);bce+dice&"))
    assert lab.run("document.querySelectorAll('.lab-result').length") == 2
    lab.wait(DONE)


def test_a_weight_goes_with_its_sum(lab: Browser) -> None:
    lab.click("#lab-add-0")
    lab.focus("#lab-0-1-weight")
    lab.press(Keys.ARROW_RIGHT)
    lab.wait(hash_with("dice+1.1*bce;"))
    lab.click('[aria-label="Remove dice from loss A"]')
    lab.wait(hash_with("losses=bce;"))
    assert lab.run("document.activeElement.id") == "lab-0-0-name"
    lab.wait(DONE)


@pytest.mark.parametrize("setting", ["lr", "noise"])
def test_a_setting_changes_every_result(lab: Browser, setting: str) -> None:
    pictures = [lab.run(PICTURE.format(i)) for i in (0, 1)]
    lab.focus(f"#lab-{setting}")
    lab.press(Keys.ARROW_LEFT, 20)
    lab.wait(hash_with(f"&{setting}="))
    lab.wait(DONE)
    for before, i in zip(pictures, (0, 1), strict=True):
        assert lab.run(PICTURE.format(i)) != before


def test_the_axis_is_the_score_or_the_probability(lab: Browser) -> None:
    axis = "[...document.querySelectorAll('#lab-values-0 text[text-anchor=middle]')]"
    places = (
        f"Object.fromEntries({axis}.map((each) => [each.textContent, each.x.baseVal[0].value]))"
    )
    ends = "[...document.querySelector('#lab-values-0 polyline').points].map(({ x }) => x)"
    shown, curve = lab.run(places), lab.run(ends)
    assert (shown["\u22128"], shown["8"]) == pytest.approx((curve[0], curve[-1]), abs=0.1)
    assert shown["0"] == pytest.approx(curve[32], abs=0.1)
    lab.click("input[value=probability][name=lab-axis]")
    lab.wait(hash_with("axis=probability"))
    shown, curve = lab.run(places), lab.run(ends)
    assert (shown["0"], shown["1"]) == pytest.approx((curve[0], curve[-1]), abs=0.2)
    assert shown["0.5"] == pytest.approx(curve[32], abs=0.1)


def test_an_empty_mask_has_no_curve_of_the_object(lab: Browser) -> None:
    lab.click("#lab-preset-empty")
    lab.wait("document.querySelector('#lab-values-1').textContent.includes('no such pixel')")
    assert lab.run("document.querySelectorAll('#lab-values-0 polyline').length") == 2
    lab.wait(DONE)


def test_a_link_that_cannot_be_read_says_so(lab: Browser, page: Path) -> None:
    open_page(lab, page, "losses=nonsense&mask=ring")
    status = lab.run("document.getElementById('lab-status').textContent")
    assert status == "The link's losses could not be read."


def test_a_screen_reader_meets_names_and_each_number_once(lab: Browser) -> None:
    nodes = lab.accessible_nodes()
    roles = {"button", "slider", "combobox", "radio", "link", "image", "application", "figure"}
    controls = {(role, name) for role, name in nodes if role in roles}
    assert {role for role, _ in controls} == roles
    assert [role for role, name in controls if not name] == []
    assert ("slider", "beta of tversky, loss B") in controls
    assert (
        "image",
        "Errors of the predicted mask, loss B, tversky(alpha=0.3, beta=0.7)",
    ) in controls
    assert [role for role, _ in nodes].count("status") == 1
    value = "document.getElementById('lab-1-0-beta').getAttribute('aria-valuetext')"
    assert lab.run(value) == "0.7"
    lab.focus("#lab-1-0-beta")
    lab.press(Keys.ARROW_RIGHT)
    assert lab.run(value) == "0.72"
    lab.click("#lab-preset-empty")
    lab.wait(DONE)
    assert ("image", "The mask has no such pixel.") in lab.accessible_nodes()


def test_probabilities_have_their_own_key(lab: Browser) -> None:
    key = (
        "[...document.querySelectorAll('.lab-key')].filter((each) => each.checkVisibility())"
        ".map((each) => each.innerText).join('')"
    )
    assert lab.run(key).startswith("Colors: found")
    errors = lab.run(PICTURE.format(0))
    lab.click("input[value=probability][name=lab-view]")
    assert lab.run(key).startswith("Black: probability 0")
    assert lab.run(PICTURE.format(0)) != errors
    lab.wait(hash_with("view=probability"))
    assert ("image", "Probabilities, loss A, dice") in lab.accessible_nodes()


def test_long_names_are_whole_and_pictures_stay_side_by_side(lab: Browser, page: Path) -> None:
    link = "losses=bce;0.5*dice+focal(gamma:3)+tversky(alpha:0.3,beta:0.7)&mask=ring"
    open_page(lab, page, link)
    shown, whole = lab.run(
        "(({ clientHeight, scrollHeight }) => [clientHeight, scrollHeight])"
        "(document.querySelectorAll('.lab-result figcaption')[1])"
    )
    assert shown == whole
    tops = lab.run(
        "[...document.querySelectorAll('.lab-panel canvas')]"
        ".map((canvas) => canvas.getBoundingClientRect().top)"
    )
    assert max(tops) - min(tops) < 1


def test_dark_colors_and_a_narrow_window(lab: Browser) -> None:
    light = lab.run(PICTURE.format(0))
    lab.run("document.documentElement.dataset.theme = 'dark'")
    lab.wait(f"{PICTURE.format(0)} !== {light!r}")
    lab.resize(390, 844)
    lab.wait("innerWidth === 390")
    assert lab.run("document.documentElement.scrollWidth") <= 390


def test_with_reduced_motion_only_the_result_is_drawn(lab: Browser, page: Path) -> None:
    lab.prefer_motion("reduce")
    open_page(lab, page, LINK)
    drawn = "window.drawn.push(document.querySelector('.lab-step dd').textContent)"
    lab.execute_script(
        "window.drawn = []; new MutationObserver(() => " + drawn + ").observe("
        "document.querySelector('.lab-step dd'), { childList: true, characterData: true });"
    )
    lab.focus("#lab-1-0-beta")
    lab.press(Keys.ARROW_LEFT)
    lab.click("#lab-preset-blob")
    lab.wait(f"{DONE} && window.drawn.length > 0")
    assert set(lab.run("window.drawn")) == {"300"}
