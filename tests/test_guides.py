"""Messages, reports and notebooks name guides that exist, and link published ones."""

from __future__ import annotations

from email.message import Message
from pathlib import Path

import numpy as np
import pytest
from sklearn.utils import estimator_html_repr

from sklearnloss import ImageClassifier, LossSearchCV, UNetSegmenter, compare_losses
from sklearnloss._utils import guides
from sklearnloss._utils.guides import MY_DATA, REPORT, Guide
from sklearnloss.datasets import load_nuclei
from sklearnloss.estimators import LossEnsemble

DOCS = Path(__file__).parent.parent / "docs"
GUIDES = [guide for guide in vars(guides).values() if isinstance(guide, Guide)]


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SKLEARNLOSS_DOCS_URL", "https://docs.test/stable")
    return "https://docs.test/stable/"


@pytest.fixture
def _unpublished(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SKLEARNLOSS_DOCS_URL", raising=False)
    monkeypatch.setattr(guides, "_published", lambda: "")


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.page)
def test_guides_are_pages_with_these_titles(guide: Guide) -> None:
    text = (DOCS / f"{guide.page}.md").read_text(encoding="utf-8")
    assert text.partition("\n")[0] == f"# {guide.title}"


def test_a_message_links_the_guide(site: str) -> None:
    with pytest.raises(ValueError, match=rf"guide 'My data' \({site}how_to/my_data.html\)"):
        UNetSegmenter().fit(*_numbered_objects())


@pytest.mark.usefixtures("_unpublished")
def test_a_message_only_names_the_guide_if_its_address_is_unknown() -> None:
    assert str(MY_DATA) == "the guide 'My data'"
    with pytest.raises(ValueError, match=r"See the guide 'My data'\.$"):
        UNetSegmenter().fit(*_numbered_objects())


@pytest.mark.parametrize(
    ("estimator", "page"),
    [
        (UNetSegmenter(), "sklearnloss.UNetSegmenter"),
        (ImageClassifier(), "sklearnloss.ImageClassifier"),
        (LossSearchCV(UNetSegmenter()), "sklearnloss.LossSearchCV"),
        (LossEnsemble([UNetSegmenter()]), "sklearnloss.estimators.LossEnsemble"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_html_boxes_link_the_reference(estimator: object, page: str, site: str) -> None:
    assert f'href="{site}reference/generated/{page}.html"' in estimator_html_repr(estimator)


@pytest.mark.usefixtures("_unpublished")
def test_html_boxes_have_no_link_if_the_address_is_unknown() -> None:
    assert "reference/generated" not in estimator_html_repr(UNetSegmenter())


def test_html_boxes_of_subclasses_elsewhere_have_no_link(site: str) -> None:
    class OwnSegmenter(UNetSegmenter):
        pass

    assert site not in estimator_html_repr(OwnSegmenter())


@pytest.mark.slow
def test_reports_link_their_guide(
    site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y, _ = load_nuclei(border=False)
    comparison = compare_losses(
        UNetSegmenter(width=4, depth=1, max_epochs=1), ["dice", "bce"], X[:8], y[:8], n_repeats=1
    )
    link = f'href="{site}how_to/reading_the_report.html"'
    report = tmp_path / "report.html"
    assert link in comparison.to_html(report).read_text(encoding="utf-8")
    assert link in comparison._repr_html_()
    monkeypatch.delenv("SKLEARNLOSS_DOCS_URL")
    monkeypatch.setattr(guides, "_published", lambda: "")
    assert REPORT.title not in comparison._repr_html_()


@pytest.mark.parametrize(
    ("links", "address"),
    [
        (["Source, https://code.test", "Documentation, https://docs.test"], "https://docs.test/"),
        (["Source, https://code.test"], ""),
        ([], ""),
    ],
)
def test_the_address_is_that_of_the_release(
    monkeypatch: pytest.MonkeyPatch, links: list[str], address: str
) -> None:
    described = Message()
    for link in links:
        described["Project-URL"] = link
    monkeypatch.delenv("SKLEARNLOSS_DOCS_URL", raising=False)
    monkeypatch.setattr(guides, "metadata", {"sklearnloss": described}.__getitem__)
    assert guides.site() == address


def _numbered_objects() -> tuple[object, object]:
    X, _, _ = load_nuclei(border=False)
    return X[:4], np.arange(4 * 64 * 64).reshape(4, 64, 64) // 64 + 1000
