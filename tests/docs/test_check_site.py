"""The check of the built site finds what is wrong with a small one."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "check_site.py"


@pytest.fixture(scope="module")
def check_site() -> Any:
    spec = importlib.util.spec_from_file_location("check_site", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_site(folder: Path, **pages: str) -> Path:
    """Write pages of a body each; "a__b" is the page b in the folder a."""
    for name, body in pages.items():
        path = folder.joinpath(*name.split("__")).with_suffix(".html")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"<html><body>{body}</body></html>", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "link",
    ["b.html", "sub/c.html", "b.html#here", "#top", "sub/", "b.html?q=1", "https://example.org/x"],
)
def test_links_that_hold(check_site: Any, tmp_path: Path, link: str) -> None:
    body = f'<p id="top"><a href="{link}">link</a></p>'
    pages = {"index": body, "b": '<p id="here"></p>', "sub__c": "", "sub__index": ""}
    assert list(check_site.Site(write_site(tmp_path, **pages)).broken_links()) == []


@pytest.mark.parametrize(
    "tag",
    [
        '<a href="absent.html">x</a>',
        '<a href="b.html#absent">x</a>',
        '<a href="#absent">x</a>',
        '<a href="../outside.html">x</a>',
        '<img src="absent.png">',
        '<script src="absent.js"></script>',
        '<link rel="stylesheet" href="absent.css">',
    ],
)
def test_links_that_lead_nowhere(check_site: Any, tmp_path: Path, tag: str) -> None:
    site = check_site.Site(write_site(tmp_path / "site", index=tag, b='<p id="here"></p>'))
    found = list(site.broken_links())
    assert len(found) == 1
    assert found[0].startswith("index.html: ")


def test_a_page_whose_state_is_in_its_address_has_no_anchors_to_check(
    check_site: Any, tmp_path: Path
) -> None:
    body = '<a href="laboratory.html#losses=dice">x</a>'
    site = check_site.Site(write_site(tmp_path, index=body, laboratory=""))
    assert list(site.broken_links()) == []


def test_names_are_counted_by_clicks(check_site: Any, tmp_path: Path) -> None:
    chain = {
        "index": '<p id="zero"></p><a href="a.html">a</a>',
        "a": '<p id="one"></p><a href="b.html">b</a>',
        "b": '<p id="two"></p><a href="c.html">c</a>',
        "c": '<p id="three"></p>',
    }
    site = check_site.Site(write_site(tmp_path, **chain))
    assert [sorted(site.near(n)) for n in (0, 1, 2)] == [
        ["zero"],
        ["one", "zero"],
        ["one", "two", "zero"],
    ]


def test_questions_are_followed_by_the_words_of_links(check_site: Any, tmp_path: Path) -> None:
    pages = {
        "index": '<a href="a.html">Which <b>loss</b>?</a>',
        "a": '<a href="b.html" title="thin vessels"><img src="b.html"></a>',
        "b": "Use cl_dice.",
    }
    site = check_site.Site(write_site(tmp_path, **pages))
    assert site.walk(["which loss?", "Thin"], ["CL_dice"]) == ""
    assert site.walk(["which loss?", "thin"], ["hinge"]) == "b.html does not say ['hinge']"
    assert site.walk(["which loss?", "thick"], []) == "no link 'thick' on a.html"


def test_the_script_fails_for_a_site_without_its_pages(
    check_site: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    site = write_site(tmp_path, index='<a href="absent.html">x</a>')
    monkeypatch.setattr(sys, "argv", ["check_site.py", str(site)])
    assert check_site.main() == 1
    printed = capsys.readouterr().out
    assert "broken link: index.html: absent.html" in printed
    assert "not within two clicks: sklearnloss.UNetSegmenter" in printed
    assert "what is gamma? no link" in printed
