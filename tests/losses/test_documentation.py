"""What every loss says about itself."""

from __future__ import annotations

import inspect
import re

import pytest
import torch

from sklearnloss.losses import Loss, get_loss, list_losses

from .cases import CASES, DATA_LOSSES, LOSSES, PENALTIES, PIXEL_LOSSES, build

# Losses whose cost, or whose gradient, is bounded: they say that it fades on confident mistakes.
FADES = {
    name for name in DATA_LOSSES if "gradient fades" in " ".join(str(LOSSES[name].__doc__).split())
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_names_formula_paper_and_an_example(name: str) -> None:
    text = inspect.getdoc(LOSSES[name]) or ""
    assert re.search(r"::\n\n    \S", text), "no formula"
    references = text.split("References\n---")[1].split("Examples\n---")[0]
    assert re.search(r"\b(19|20)\d\d\b", references), "no year"
    assert "https://" in references, "no link"
    assert f">>> {LOSSES[name].__name__}" in text or f"{LOSSES[name].__name__}(" in text
    assert len(text.splitlines()[0]) < 90


@pytest.mark.parametrize("name", DATA_LOSSES)
def test_a_loss_names_its_domain_and_its_relatives(name: str) -> None:
    text = " ".join((inspect.getdoc(LOSSES[name]) or "").split())
    domain = text.split("Domain: ")[1].split(" Parameters ---")[0]
    assert len(domain) > 60
    assert "where" in text


@pytest.mark.parametrize("name", LOSSES)
def test_every_parameter_is_documented_in_order(name: str) -> None:
    text = inspect.getdoc(LOSSES[name]) or ""
    section = text.split("Parameters\n----------\n")[1].split("\n\n")[0]
    named = re.findall(r"^(\w[\w, ]*?)(?: : |$)", section, flags=re.MULTILINE)
    documented = [each for line in named for each in line.split(", ")]
    loss = get_loss(name)
    assert isinstance(loss, Loss)
    assert documented == list(loss.get_params(deep=False))


@pytest.mark.parametrize("name", DATA_LOSSES)
def test_gradients_on_confident_mistakes_vanish_only_where_that_is_said(name: str) -> None:
    z, t = CASES["two_classes" if name in PIXEL_LOSSES else "binary"]()
    sign = 2.0 * (t if z.shape[1] == 1 else torch.nn.functional.one_hot(t)) - 1
    wrong = (-1e3 * sign).float().requires_grad_()
    build(name)(wrong, t).backward()
    assert wrong.grad is not None
    steep = wrong.grad.abs().amax() > 1e-4
    assert steep == (name not in FADES)


def test_penalties_are_the_only_losses_without_data() -> None:
    assert PENALTIES == ["l1", "l2"]
    assert set(list_losses()) == {*DATA_LOSSES, *PENALTIES}
