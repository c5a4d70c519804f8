"""Losses by name, and of the user's own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sklearnloss import ResNetClassifier, UNetSegmenter
from sklearnloss.losses import list_losses
from sklearnloss.tuning._space.parse import read_space

from .helpers import Refused, prepare, save_classes, save_masks

SOURCE = """
from torch import nn

def squared(logits, target, power=2.0):
    return (logits.sigmoid() - target).abs().pow(power).mean()

class Module(nn.Module):
    def forward(self, logits, target):
        return squared(logits, target)

class Sized(Module):
    def __init__(self, size):
        super().__init__()
"""


@pytest.fixture
def losses_of_mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a module in the current folder that defines losses."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "losses_of_mine", raising=False)
    (tmp_path / "losses_of_mine.py").write_text(SOURCE)
    return tmp_path / "losses_of_mine.py"


def test_losses_are_names_or_objects_of_modules(losses_of_mine: Path) -> None:
    data = save_masks(losses_of_mine.parent, labels=(0, 255))
    names = ["dice", "losses_of_mine:squared", "losses_of_mine:Module"]
    prepared = prepare(data, "--top", "1000", losses=",".join(names))
    found = prepared.search.losses
    assert isinstance(found, dict)
    assert list(found) == names
    assert found["dice"] == "dice"
    module = sys.modules["losses_of_mine"]
    assert found["losses_of_mine:squared"] is module.squared
    assert isinstance(found["losses_of_mine:Module"], module.Module)
    assert "each of the best 3 losses" in prepared.told


def test_a_module_that_lacks_its_arguments_is_refused(losses_of_mine: Path) -> None:
    data = save_masks(losses_of_mine.parent, labels=(0, 255))
    with pytest.raises(Refused, match=r"missing 1 .*'size'.*such as loss = Sized\(\.\.\.\)\."):
        prepare(data, losses="losses_of_mine:Sized")


def test_a_penalty_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="has only penalties"):
        prepare(save_classes(tmp_path, ["a", "b"] * 2), losses="l2")


def test_code_of_ones_own_is_told_from_other_code(losses_of_mine: Path) -> None:
    data = save_masks(losses_of_mine.parent, labels=(0, 255))

    def digests() -> dict[str, str]:
        prepared = prepare(data, losses="dice,losses_of_mine:squared")
        return dict(prepared.question["own_losses"])

    first = digests()
    assert list(first) == ["losses_of_mine:squared"]
    assert digests() == first
    losses_of_mine.write_text(SOURCE.replace("logits.sigmoid()", "1 - logits.sigmoid()"))
    del sys.modules["losses_of_mine"]
    assert digests() != first


def test_by_default_the_menu_is_tried(tmp_path: Path) -> None:
    for model in (UNetSegmenter(), ResNetClassifier()):
        if isinstance(model, UNetSegmenter):
            data = save_masks(tmp_path, labels=(0, 255))
        else:
            data = save_classes(tmp_path, ["a", "b"] * 2)
        prepared = prepare(data, "--top", "1000", losses=None)
        assert prepared.search.losses is None
        n_losses = len(read_space(model, None, None).branches)
        assert f"each of the best {n_losses} losses" in prepared.told


def test_a_misspelled_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"Unknown loss 'al'.*Did you mean 'all'"):
        prepare(save_classes(tmp_path, ["a", "b"] * 2), losses="al")


def test_all_stands_for_all_that_suit_beside_those_of_ones_own(losses_of_mine: Path) -> None:
    data = save_masks(losses_of_mine.parent, labels=(0, 255))
    found = prepare(data, losses="all").search.losses
    assert isinstance(found, dict)
    suiting = list(read_space(UNetSegmenter(), "all", None).branches)
    assert list(found) == suiting
    found = prepare(data, losses="all,losses_of_mine:squared,focal").search.losses
    assert isinstance(found, dict)
    assert list(found)[-2:] == ["losses_of_mine:squared", "focal"]
    assert {*list_losses("segmentation"), "dice+bce"} < set(found)
    assert len(found) == len(suiting) + 1
