"""The README's code runs, and its commands are the ones that CI runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

from sklearnloss.losses import list_losses

README = Path(__file__).parent.parent / "README.md"
TEXT = README.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_every_python_block_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mpl.use("agg")
    monkeypatch.chdir(tmp_path)
    scope: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL):
        exec(compile(block, str(README), "exec"), scope)
    shown = capsys.readouterr().out
    score = re.search(r"held-out quadrant: (0\.\d+)", shown)
    assert score is not None
    assert float(score.group(1)) > 0.8
    assert scope["masks"].shape == (16, 64, 64)
    search = scope["search"]
    assert set(search.cv_results_["loss"]) == {"dice", "tversky", "focal"}
    assert f"{search.best_loss_} {{'loss': '{search.best_loss_}'" in shown
    assert "2 losses, 4 splits x 1 seed, 64 images, scored by mean IoU" in shown


def test_the_readme_is_short() -> None:
    assert len(TEXT.splitlines()) <= 180


def test_every_loss_is_in_the_list() -> None:
    for name in list_losses():
        assert f"`{name}`" in TEXT


def test_commands_need_nothing_but_python() -> None:
    commands = re.findall(r"```bash\n(.*?)```", TEXT, flags=re.DOTALL)
    assert len(commands) == 2
    assert "<!-- test command -->\n```bash\n" + commands[1] in TEXT
    assert all(command.startswith("python3 -m venv .venv && ") for command in commands)
