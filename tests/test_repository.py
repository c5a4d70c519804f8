"""The pages beside the package: links, versions, forms for issues, and what PyPI shows."""

from __future__ import annotations

import importlib
import re
import runpy
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

import sklearnloss
from sklearnloss import datasets, losses, metrics, networks, tuning
from sklearnloss.losses import Loss, check_loss

yaml: Any = importlib.import_module("yaml")  # Optuna needs it

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob(".github/**/*.md"))]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
SCRIPT = runpy.run_path(str(ROOT / ".ci" / "absolute_links.py"))


def without_code(text: str) -> str:
    """Leave out fenced code."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Return the anchors that code hosts give to the headings of a page."""
    titles = re.findall(r"^#+ (.+)$", without_code(page.read_text(encoding="utf-8")), re.MULTILINE)
    plain = [re.sub(r"\]\([^)]*\)", "", title).lower() for title in titles]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    text = without_code(page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        path, _, heading = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), target
        assert not heading or heading in anchors(file), target


def test_the_pages_are_there() -> None:
    names = {page.name for page in PAGES}
    wanted = {"README", "CONTRIBUTING", "CODE_OF_CONDUCT", "SECURITY", "RELEASING", "CHANGELOG"}
    assert {f"{name}.md" for name in wanted} <= names


def test_the_citation_has_the_version_of_the_package() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == sklearnloss.__version__
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert citation["license"] == project["license"]
    assert [each["name"] for each in citation["authors"]] == [
        each["name"] for each in project["authors"]
    ]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.stem)
def test_a_form_has_what_code_hosts_require(form: Path) -> None:
    read = yaml.safe_load(form.read_text(encoding="utf-8"))
    if form.stem == "config":
        assert read == {"blank_issues_enabled": True}
        return
    assert {"name", "description", "body"} <= set(read)
    fields = [each for each in read["body"] if each["type"] != "markdown"]
    assert len({each["id"] for each in fields}) == len(fields)
    assert any(each.get("validations", {}).get("required") for each in fields)
    for each in read["body"]:
        assert each["type"] in {"markdown", "input", "textarea", "checkboxes"}
        assert each["attributes"].get("label") or each["type"] == "markdown"


def test_reports_of_faults_ask_for_versions_and_an_example() -> None:
    for name in ("bug_report", "wrong_result"):
        (form,) = [form for form in FORMS if form.stem == name]
        fields = {each.get("id"): each for each in yaml.safe_load(form.read_text())["body"]}
        for each in ("versions", "example"):
            assert fields[each]["validations"] == {"required": True}
        assert "sklearnloss versions" in fields["versions"]["attributes"]["description"]


def blocks_of_contributing() -> list[str]:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.slow
def test_the_loss_of_the_contributing_guide_obeys_all_laws(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module, test, formula, facts = blocks_of_contributing()
    package = {"__package__": "sklearnloss.losses", "__name__": "sklearnloss.losses._log_dice"}
    # check_loss pickles the loss, which has to be found in its module for that.
    made = type(sklearnloss)(package["__name__"])
    monkeypatch.setitem(importlib.import_module("sys").modules, package["__name__"], made)
    made.__dict__.update(package)
    exec(compile(module, "_log_dice.py", "exec"), made.__dict__)
    loss = made.__dict__["LogDiceLoss"]
    assert issubclass(loss, Loss)
    report = check_loss(loss(), task="segmentation")
    assert report.passed
    monkeypatch.setattr(losses, "LogDiceLoss", loss, raising=False)
    scope: dict[str, Any] = {"__package__": "tests.losses", "__name__": "tests.losses.guide"}
    exec(compile(test, "test_log_dice.py", "exec"), scope)
    for case in ("binary", "multiclass"):
        for gamma in (0.5, 1.0, 2.0):
            scope["test_equals_the_formula"](case, gamma)
    monkeypatch.syspath_prepend(ROOT / "docs" / "_ext")
    shared = vars(importlib.import_module("loss_facts.regions"))
    made_facts: dict[str, Any] = {}
    exec(compile(formula + facts, "regions_sorted.py", "exec"), {**shared, "FACTS": made_facts})
    fact = made_facts["log_dice"]
    assert set(loss.search_space) <= set(fact.effects)
    z, t = torch.randn(1, 2, 6, 6, dtype=torch.float64), torch.zeros(1, 2, 6, 6).double()
    t[..., 2:, 3:] = 1
    for gamma in fact.vary[1]:
        expected = fact.formulas[0].value(z[0].numpy(), t[0].numpy(), gamma).mean()
        assert loss(gamma)(z, t).item() == pytest.approx(expected)


def test_paths_that_the_contributing_guide_names_exist() -> None:
    text = without_code((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    named = set(re.findall(r"`((?:sklearnloss|tests|docs|examples|\.ci)/[\w./]+)`", text))
    assert len(named) > 10
    new = {"sklearnloss/losses/_log_dice.py", "tests/losses/test_log_dice.py"}
    assert new <= named
    for name in named - new:
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("part", [sklearnloss, datasets, losses, metrics, networks, tuning])
def test_every_public_name_is_in_the_reference(part: Any) -> None:
    page = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    for name in part.__all__:
        assert name.startswith("__") or re.search(rf"\b{name}\b", page), name


def test_links_become_absolute_and_code_stays() -> None:
    text = (
        "[a](docs/faq.md#x) ![p](docs/images/demo.png) [d](examples) [h](#install)\n"
        "[web](https://pytorch.org)\n```sh\n[no](docs/faq.md)\n```\n[`b`](LICENSE)"
    )
    assert SCRIPT["relative_links"](text) == [
        "docs/faq.md#x",
        "docs/images/demo.png",
        "examples",
        "#install",
        "LICENSE",
    ]
    made = SCRIPT["make_absolute"](text, "https://host/us/it/", "v1")
    assert made == (
        "[a](https://host/us/it/blob/v1/docs/faq.md#x) "
        "![p](https://host/us/it/raw/v1/docs/images/demo.png) "
        "[d](https://host/us/it/tree/v1/examples) "
        "[h](https://host/us/it/blob/v1/README.md#install)\n"
        "[web](https://pytorch.org)\n```sh\n[no](docs/faq.md)\n```\n"
        "[`b`](https://host/us/it/blob/v1/LICENSE)"
    )
    assert SCRIPT["relative_links"](made) == []


def test_all_links_of_the_readme_become_absolute() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(SCRIPT["relative_links"](text)) > 20
    made = SCRIPT["make_absolute"](text, "https://host/us/it", "v1")
    assert SCRIPT["relative_links"](made) == []
    assert len(made.splitlines()) == len(text.splitlines())


@pytest.mark.parametrize(("link", "status"), [("docs", 1), ("https://host/docs", 0)])
def test_built_files_with_relative_links_are_refused(
    tmp_path: Path, link: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    metadata = tmp_path / "PKG-INFO"
    metadata.write_text(f"Name: x\n\n[guides]({link})\n", encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "x-1-py3-none-any.whl", "w") as wheel:
        wheel.write(metadata, "x-1.dist-info/METADATA")
    with tarfile.open(tmp_path / "x-1.tar.gz", "w:gz") as sdist:
        sdist.add(metadata, "x-1/PKG-INFO")
    for built in ("x-1-py3-none-any.whl", "x-1.tar.gz"):
        assert SCRIPT["main"](["--check", str(tmp_path / built)]) == status
    assert ("all links are absolute" in capsys.readouterr().out) == (status == 0)
