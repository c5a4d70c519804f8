"""Check the built site: every link holds, every name is near, and questions find their answers.

python docs/check_site.py docs/_build/html
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

#: A question, words of the links that are followed from the front page, and words of the answer.
WALKS = [
    ("which loss for thin vessels?", ["Which loss?", "thin"], ["cl_dice", "vessels"]),
    ("how do I use my network?", ["how do I use my network?"], ["nn.Module", "ImageSegmenter("]),
    ("why undecided?", ["why is the verdict"], ["undecided"]),
    ("masks for new images?", ["how do I get masks of new images?"], ["sklearnloss predict"]),
    ("what is gamma?", ["what is gamma?"], ["gamma", "easy"]),
]
#: Pages whose state is in the address after the #.
STATEFUL = {"laboratory.html", "report_browser.html"}
MODULES = ["losses", "metrics", "estimators", "tuning", "networks", "datasets"]

Link = tuple[str, str]


class Page(HTMLParser):
    """The links, anchors and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[Link] = []
        self.anchors: set[str] = set()
        self.text = ""
        self._href: str | None = None
        self._label = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note links, what pictures and scripts are loaded, and anchors."""
        given = dict(attrs)
        self.anchors |= {given[key] or "" for key in ("id", "name") if given.get(key)}
        if tag == "a" and given.get("href"):
            self._href, self._label = given["href"], given.get("title") or ""
        elif tag in {"img", "script"} and given.get("src"):
            self.links.append((given["src"] or "", ""))
        elif tag == "link" and given.get("rel") == "stylesheet":
            self.links.append((given.get("href") or "", ""))

    def handle_endtag(self, tag: str) -> None:
        """End a link."""
        if tag == "a" and self._href is not None:
            self.links.append((self._href, " ".join(self._label.split())))
            self._href = None

    def handle_data(self, data: str) -> None:
        """Collect text."""
        self.text += data
        if self._href is not None:
            self._label += data


class Site:
    """All pages of a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.pages = {
            path: Page(path.read_text(encoding="utf-8"))
            for path in self.root.rglob("*.html")
            if "_static" not in path.relative_to(self.root).parts
        }

    def targets(self, path: Path) -> Iterator[tuple[Path, str, Link]]:
        """Yield the files and anchors that a page links to, inside of the site."""
        for href, label in self.pages[path].links:
            address, anchor = urldefrag(href)
            if "://" in href or href.startswith(("mailto:", "data:", "javascript:", "//")):
                continue
            target = (path.parent / unquote(address.partition("?")[0])).resolve()
            target = path if not address else target / "index.html" if target.is_dir() else target
            yield target, unquote(anchor), (href, label)

    def broken_links(self) -> Iterator[str]:
        """Yield the links that lead nowhere."""
        for path in self.pages:
            for target, anchor, (href, _) in self.targets(path):
                page = self.pages.get(target)
                absent = anchor and page and anchor not in page.anchors
                if not target.exists() or (absent and target.name not in STATEFUL):
                    yield f"{path.relative_to(self.root)}: {href}"

    def near(self, n_clicks: int) -> set[str]:
        """Return the anchors of the pages that are this many clicks from the front page."""
        front = self.root / "index.html"
        pages = {front}
        for _ in range(n_clicks):
            pages |= {
                target
                for page in pages
                for target, _, _ in self.targets(page)
                if target in self.pages
            }
        return set().union(*(self.pages[page].anchors for page in pages))

    def walk(self, labels: list[str], answer: list[str]) -> str:
        """Follow links by their words; return what is wrong, or ""."""
        path = self.root / "index.html"
        for label in labels:
            following = [
                target
                for target, _, (_, words) in self.targets(path)
                if label.lower() in words.lower() and target in self.pages
            ]
            if not following:
                return f"no link {label!r} on {path.relative_to(self.root)}"
            path = following[0]
        text = self.pages[path].text
        missing = [word for word in answer if word.lower() not in text.lower()]
        return f"{path.relative_to(self.root)} does not say {missing}" if missing else ""


def public_names() -> Iterator[str]:
    """Yield each class and function that can be imported, by its first name."""
    package = importlib.import_module("sklearnloss")
    seen = set()
    for module in [package, *(getattr(package, name) for name in MODULES)]:
        for name in module.__all__:
            item = getattr(module, name)
            if (inspect.isclass(item) or inspect.isfunction(item)) and id(item) not in seen:
                seen.add(id(item))
                yield f"{module.__name__}.{name}"


def main() -> int:
    """Print what is wrong, and return 1 if anything is."""
    site = Site(Path(sys.argv[1]))
    faults = [f"broken link: {text}" for text in sorted(set(site.broken_links()))]
    near = site.near(2)
    faults += [f"not within two clicks: {name}" for name in public_names() if name not in near]
    for question, labels, answer in WALKS:
        wrong = site.walk(labels, answer)
        faults += [f"{question} {wrong}"] if wrong else []
    print("\n".join(faults) or f"{len(site.pages)} pages, no faults")
    return bool(faults)


if __name__ == "__main__":
    raise SystemExit(main())
