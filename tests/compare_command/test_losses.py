"""Losses by name, and of the user's own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sklearnloss import ResNetClassifier, UNetSegmenter
from sklearnloss._compare_command._losses import digest_losses, find_losses, labels_to_try

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
    assert find_losses(None) is None
    found = find_losses(["dice", "losses_of_mine:squared", "losses_of_mine:Module"])
    assert found is not None
    assert list(found) == ["dice", "losses_of_mine:squared", "losses_of_mine:Module"]
    assert found["dice"] == "dice"
    module = sys.modules["losses_of_mine"]
    assert found["losses_of_mine:squared"] is module.squared
    assert isinstance(found["losses_of_mine:Module"], module.Module)
    assert labels_to_try(UNetSegmenter(), found) == list(found)


def test_a_module_that_lacks_its_arguments_is_refused(losses_of_mine: Path) -> None:
    with pytest.raises(ValueError, match=r"missing 1 .*'size'.*such as loss = Sized\(\.\.\.\)\."):
        find_losses(["losses_of_mine:Sized"])


def test_a_penalty_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="has only penalties"):
        labels_to_try(ResNetClassifier(), find_losses(["l2"]))


def test_code_of_ones_own_is_told_from_other_code(losses_of_mine: Path) -> None:
    names = ["dice", "losses_of_mine:squared"]
    first = digest_losses(find_losses(names))
    assert list(first) == ["losses_of_mine:squared"]
    assert digest_losses(find_losses(names)) == first
    losses_of_mine.write_text(SOURCE.replace("logits.sigmoid()", "1 - logits.sigmoid()"))
    del sys.modules["losses_of_mine"]
    assert digest_losses(find_losses(names)) != first


@pytest.mark.parametrize("task", ["classification", "segmentation"])
def test_by_default_all_that_suit_are_tried(task: str) -> None:
    model = UNetSegmenter() if task == "segmentation" else ResNetClassifier()
    assert "focal" in labels_to_try(model, None)
    assert ("boundary" in labels_to_try(model, None)) == (task == "segmentation")
