"""The README's code runs, and its commands are the ones that CI runs."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

from sklearnloss.losses import list_losses

README = Path(__file__).parent.parent / "README.md"
TEXT = README.read_text(encoding="utf-8")


def has_library(name: str) -> bool:
    """Return whether a library can be imported; one for another torch raises any error."""
    try:
        importlib.import_module(name)
    except Exception:
        return False
    return True


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_every_python_block_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mpl.use("agg")
    monkeypatch.chdir(tmp_path)
    scope: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL):
        if "smp:" not in block or has_library("segmentation_models_pytorch"):
            exec(compile(block, str(README), "exec"), scope)
    shown = capsys.readouterr().out
    score = re.search(r"held-out quadrant: (0\.\d+)", shown)
    assert score is not None
    assert float(score.group(1)) > 0.8
    assert "unetsegmenter__loss" in shown


def test_every_loss_is_in_the_table() -> None:
    for name in list_losses():
        assert f"`{name}`" in TEXT


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXT):
        assert (README.parent / target).exists(), target


def test_commands_need_nothing_but_python() -> None:
    commands = re.findall(r"```bash\n(.*?)```", TEXT, flags=re.DOTALL)
    assert len(commands) == 2
    assert all(command.startswith("python3 -m venv .venv && ") for command in commands)
