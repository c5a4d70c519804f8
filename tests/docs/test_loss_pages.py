"""What the page of each loss says is true of the loss."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
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
describe: Any = importlib.import_module("loss_pages.describe")
page: Any = importlib.import_module("loss_pages.page")
costs: Any = importlib.import_module("loss_pages.costs")

NAMES = list_losses()
DATA_LOSSES = [name for name in NAMES if name not in ("l1", "l2")]
BENCHMARKS = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")


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


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_is_described(name: str) -> None:
    cls = type(get_loss(name))
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


@pytest.mark.parametrize("name", DATA_LOSSES)
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


@pytest.mark.parametrize("name", DATA_LOSSES)
def test_costs_are_read_from_the_tables_of_the_benchmarks(name: str) -> None:
    tables = costs.read_tables(BENCHMARKS)
    rows = [table.rows[name] for table in tables if name in table.rows]
    assert rows
    for contenders in rows:
        assert "ours" in contenders
        assert all(cost.passes > 0 and cost.memory >= 0 for cost in contenders.values())


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


def test_a_loss_without_facts_is_reported() -> None:
    assert page.missing([*NAMES, "made_up"]) == ["made_up"]
    assert page.missing(NAMES) == []
