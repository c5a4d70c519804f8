"""What the page of each loss says is true of the loss."""

from __future__ import annotations

import importlib
import inspect
import logging
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from sklearnloss.losses import Loss, get_loss, list_losses

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "docs" / "_ext"))
FACTS: dict[str, Any] = importlib.import_module("loss_facts").FACTS
loss_pages: Any = importlib.import_module("loss_pages")
describe: Any = importlib.import_module("loss_pages.describe")
page: Any = importlib.import_module("loss_pages.page")
costs: Any = importlib.import_module("loss_pages.costs")
gallery: Any = importlib.import_module("loss_pages.gallery")

NAMES = list_losses()
DATA_LOSSES = [name for name in NAMES if name not in ("l1", "l2")]
BENCHMARKS = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
MEASURED = {name for table in costs.read_tables(BENCHMARKS) for name in table.rows}


def loss_of(name: str, **settings: Any) -> Loss:
    """Return a loss, with class counts if it needs some."""
    loss = get_loss(name)
    assert isinstance(loss, Loss)
    if "class_counts" in loss.get_params():
        settings = {"class_counts": [50, 30, 20], **settings}
    return loss.set_params(**settings)


def example(form: str, seed: int, n_classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits and targets of one image of 6 x 6 pixels."""
    rng = np.random.default_rng(seed)
    channels = n_classes if form == "softmax" else 2
    z = torch.as_tensor(2 * rng.normal(size=(1, channels, 6, 6)))
    if form == "softmax":
        return z, torch.as_tensor(rng.integers(channels, size=(1, 6, 6)))
    t = torch.as_tensor(rng.integers(2, size=(1, channels, 6, 6)).astype(float))
    t[0, :, 0, :2] = torch.tensor([0.0, 1.0], dtype=t.dtype)  # both occur
    return z, t


def settings_of(name: str) -> list[dict[str, Any]]:
    """Return the defaults, and others: the values of the curves, and ends of the search space."""
    fact, loss = FACTS[name], loss_of(name)
    found: list[dict[str, Any]] = [{}]
    if fact.vary is not None:
        key, values = fact.vary
        found += [{key: value} for value in values]
    for key, space in loss.search_space.items():
        found += [{key: space[0]}, {key: space[1]}]
    return found


def test_every_registered_loss_has_facts_and_no_other() -> None:
    assert sorted(FACTS) == sorted(NAMES)


@pytest.mark.parametrize("name", DATA_LOSSES)
def test_formulas_equal_the_loss_on_random_images(name: str) -> None:
    loss, formulas = loss_of(name), FACTS[name].formulas
    rel = 1e-7 if name in ("boundary", "hausdorff") else 1e-9  # their distances are float32
    assert {each.form for each in formulas} == (
        {"sigmoid", "softmax"} if loss.form == "any" else {loss.form}
    )
    for formula in formulas:
        names = set(inspect.signature(formula.value).parameters)
        for seed, settings in enumerate(settings_of(name)):
            z, t = example(formula.form, seed)
            configured = loss_of(name, **settings)
            used = {k: v for k, v in configured.get_params().items() if k in names}
            if not settings.keys() <= names | {"batch"}:
                assert formula.form == "softmax", f"the formula does not know {settings}"
                assert set(settings) <= set(loss._sigmoid_only)
                continue
            expected = float(np.mean(formula.value(z[0].numpy(), t[0].numpy(), **used)))
            assert float(configured(z, t)) == pytest.approx(expected, rel=rel, abs=1e-12), settings


@pytest.mark.parametrize("name", ["l1", "l2"])
def test_formulas_of_penalties_equal_them(name: str) -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)).double()
    (formula,) = FACTS[name].formulas
    weights = [layer.weight.detach().numpy() for layer in network if isinstance(layer, nn.Linear)]
    assert loss_of(name).bind(network)().item() == pytest.approx(formula.value(weights))


@pytest.mark.parametrize(
    ("name", "number"), [(name, k) for name in FACTS for k in range(len(FACTS[name].equals))]
)
def test_losses_that_are_said_to_be_equal_are(name: str, number: int) -> None:
    equality = FACTS[name].equals[number]
    z, t = example(equality.form, number, n_classes=2 if equality.two_classes else 3)
    other = float(loss_of(equality.other, **equality.theirs)(z, t))
    mine = float(loss_of(name, **equality.mine)(z, t))
    assert mine == pytest.approx(equality.factor * other, rel=1e-9)


def test_jaccard_and_dice_are_related_as_their_pages_say() -> None:
    z, t = example("softmax", 0)
    z, t = z[:, :1], (t[:, None] > 0).double()  # one class, so that means do not mix
    dice, jaccard = (float(loss_of(name, eps=0.0)(z, t)) for name in ("dice", "jaccard"))
    assert jaccard == pytest.approx(2 * dice / (1 + dice))
    assert dice == pytest.approx(jaccard / (2 - jaccard))


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_is_described(name: str) -> None:
    cls = type(loss_of(name))
    rows = {row.name: row for row in describe.settings(cls, FACTS[name])}
    assert list(rows) == [*inspect.signature(cls.__init__).parameters][1:]
    assert all(row.text and row.default for row in rows.values())
    assert set(cls.search_space) <= set(FACTS[name].effects)
    assert set(FACTS[name].effects) <= set(rows)
    for key in cls.search_space:
        assert rows[key].ranges


@pytest.mark.parametrize("name", NAMES)
def test_advice_is_complete(name: str) -> None:
    fact = FACTS[name]
    assert 1 <= len(fact.use) <= 4
    assert 1 <= len(fact.avoid) <= 4
    assert fact.neighbors
    assert fact.demos
    assert fact.vary is None or len(fact.vary[1]) == 3
    get_loss(fact.in_sum)
    get_loss(fact.shown_as or name)


@pytest.mark.parametrize("name", NAMES)
def test_links_to_other_losses_lead_to_their_pages(name: str) -> None:
    fact = FACTS[name]
    assert set(fact.neighbors) <= set(FACTS) - {name}
    prose = " ".join([*fact.use, *fact.avoid, *fact.limits, *fact.effects.values()])
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", prose):
        assert target.removesuffix(".md") in FACTS
    names = set(re.findall(r":class:`~?([^`]+)`", describe.plain(inspect.getdoc(get_loss(name)))))
    assert not names


@pytest.mark.parametrize("name", sorted(MEASURED))
def test_duration_of_an_epoch_is_that_of_the_benchmarks(name: str) -> None:
    (passage,) = re.findall(r"An epoch of 32 masks.*?takes most of the time\.", BENCHMARKS, re.S)
    passage = " ".join(passage.split())
    epoch = FACTS[name].epoch
    if epoch == "0.99 to 1.02":
        passage = passage.partition("1.04 for")[0]
    else:
        passage = passage.partition("and ldam;")[2]
        assert epoch in passage
    assert re.search(rf"\b{name}\b", passage)


def test_costs_are_read_from_the_tables_of_the_benchmarks() -> None:
    assert len(MEASURED) >= 28
    assert set(DATA_LOSSES) >= MEASURED
    for table in costs.read_tables(BENCHMARKS):
        for contenders in table.rows.values():
            assert "ours" in contenders
            assert all(cost.passes > 0 and cost.memory >= 0 for cost in contenders.values())


def test_a_page_does_not_invent_the_cost_of_a_loss_that_was_not_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "Not measured yet" not in page.write("dice", {})
    monkeypatch.setattr(page, "_tables", list)
    assert "## Cost\n\nNot measured yet" in page.write("dice", {})
    assert "Not measured" not in page.write("l2", {})


def test_costs_of_the_dice_loss_as_the_table_has_them() -> None:
    small, large, classes = costs.read_tables(BENCHMARKS)
    (line,) = re.findall(r"\| dice \| \*\*ours\*\* 1\.00 / (\S+) / (\S+);", BENCHMARKS)
    ours = large.rows["dice"]["ours"]
    assert (ours.passes, ours.memory) == (float(line[0]), float(line[1]))
    assert "hausdorff" in small.rows
    assert "hausdorff" not in large.rows
    assert "kornia pooled" in classes.rows["dice"]


@pytest.mark.parametrize("name", NAMES)
def test_a_page_says_everything(name: str) -> None:
    text = page.write(name, {})
    for title in ("Formula", "Curves", "When to use it", "When not", "Settings", "In code"):
        assert f"\n## {title}\n" in text
    for use in (*FACTS[name].use, *FACTS[name].avoid):
        assert use in text
    for block in re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE):
        exec(compile(block, name, "exec"), {})
    assert "arxiv.org" in text or "doi.org" in text or "https://" in text


@pytest.mark.parametrize("name", ["boundary", "hausdorff", "cl_dice", "l1", "l2"])
def test_a_loss_that_makes_no_sense_alone_is_shown_in_a_sum(name: str) -> None:
    text = page.write(name, {})
    assert f'loss="{name}"' not in text
    assert f'loss="{FACTS[name].in_sum}"' in text


@pytest.mark.parametrize("name", DATA_LOSSES)
def test_the_setting_in_the_code_is_within_the_ranges_to_tune(name: str) -> None:
    fact, loss = FACTS[name], loss_of(name)
    code = page.write(name, {}).partition("## In code")[2].partition("## ")[0]
    for key, value in re.findall(r"\.set_params\(loss__(?:\w+__)?(\w+)=(.+)\)", code):
        if key == name:  # the weight in a sum
            continue
        value = eval(value)
        assert value != loss.get_params()[key]
        space = loss.search_space.get(key, [value])
        assert value in space if isinstance(space, list) else space[0] <= value <= space[1]
    assert "set_params" in code or not (fact.vary or loss.search_space)


def test_the_first_lines_on_focal_say_what_gamma_does() -> None:
    start = " ".join(page.write("focal", {}).partition("\n- Name:")[0].split())
    for words in ("easy elements count less", "`gamma=0` is cross entropy", "With 2, the usual"):
        assert words in start


def test_pages_lead_to_the_reference_and_to_the_laboratory() -> None:
    text = page.write("tversky", {})
    assert "{py:class}`sklearnloss.losses.TverskyLoss`" in text
    assert 'href="../laboratory.html#losses=tversky;cross_entropy"' in text
    assert "laboratory.html" not in page.write("l1", {})
    assert len(gallery.in_laboratory()) >= 28
    assert gallery.in_laboratory() <= set(NAMES)


def test_the_formula_of_a_docstring_is_not_in_the_introduction() -> None:
    class Made(Loss):
        """A summary. ::

            l = p - t

        where

        - p: a probability
        """

    assert describe.introduction(Made) == ("A summary.", "")
    for name in NAMES:
        assert "::" not in page.write(name, {}).partition("\n- Name:")[0]


def test_pages_lead_to_the_examples_that_use_the_loss() -> None:
    script = """
from sklearnloss.losses import DiceLoss, get_loss
model = UNetSegmenter("focal+0.3*cl_dice")
search = GridSearchCV(model, {"loss": [DiceLoss(), get_loss("bce")]}, scoring=["mcc"])
"""
    assert gallery.used(script) == {"focal", "cl_dice", "dice", "bce"}
    for name in NAMES:
        assert len(gallery.using(name)) <= 6
        for path in gallery.using(name):
            assert (ROOT / path).exists()
            assert f"../{path}" in page.write(name, {})
    assert "examples/2_losses_explained/plot_thin_structures.py" in gallery.using("cl_dice")


def test_the_reference_of_a_loss_leads_to_its_page() -> None:
    lines = ["Summary.", "", ":Parameters:", "", "**eps** : float"]
    loss_pages.link_class(None, "class", "", type(get_loss("dice")), None, lines)
    assert lines[:2] == ["Summary.", ""]
    assert "</losses/dice>" in lines[2]
    assert lines[3:] == ["", ":Parameters:", "", "**eps** : float"]
    for other in (Loss, loss_of("dice").forward):
        untouched = ["Summary."]
        loss_pages.link_class(None, "class", "", other, None, untouched)
        assert untouched == ["Summary."]


def test_a_loss_without_facts_gets_a_warning_that_says_what_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "losses").mkdir()
    (tmp_path / "losses" / "index.md").write_text("# The losses")
    (tmp_path / "losses" / "removed.md").write_text("# A loss of an earlier version")
    monkeypatch.setattr(loss_pages, "list_losses", lambda: ["dice", "made_up"])
    monkeypatch.setattr(loss_pages, "drawn", lambda names, folder: {name: {} for name in names})
    with caplog.at_level(logging.WARNING):
        loss_pages.write_pages(tmp_path / "losses", logging.getLogger().warning)
    (message,) = caplog.messages
    assert "'made_up' has no page" in message
    (named,) = re.findall(r"docs/\S+\.py", message)
    assert (ROOT / named).exists()
    assert {path.name for path in (tmp_path / "losses").glob("*.md")} == {"index.md", "dice.md"}


def test_a_picture_is_drawn_anew_if_what_it_shows_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []

    def draw(names: list[str], folder: Path) -> dict[str, Any]:
        drawn.extend(names)
        return {name: {"nuclei": name} for name in names}

    def serial(n_jobs: int) -> Any:
        return lambda tasks: [function(*given) for function, given, _ in tasks]

    facts = dict(FACTS)
    monkeypatch.setattr(loss_pages, "Parallel", serial)
    monkeypatch.setattr(loss_pages, "draw_all", draw)
    monkeypatch.setattr(loss_pages, "FACTS", facts)
    for change, expected in (
        ({}, ["brier", "dice"]),
        ({"title": "Another title", "use": ("For all.",)}, []),
        ({"vary": ("eps", (0.1, 0.2, 0.3))}, ["dice"]),
        ({"demos": ("border",)}, ["dice"]),
    ):
        facts["dice"] = replace(facts["dice"], **change)
        drawn.clear()
        results = loss_pages.drawn(["dice", "brier"], tmp_path)
        assert sorted(drawn) == expected
        assert results == {name: {"nuclei": name} for name in ("dice", "brier")}
