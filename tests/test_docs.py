"""The guides' code runs, their commands work, and what they list is complete."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from matplotlib import pyplot as plt

from sklearnloss._compare_command._layout import find_files
from sklearnloss._utils.guides import MY_DATA
from sklearnloss.losses import Loss, get_loss, list_losses

from .command_line import main

DOCS = Path(__file__).parent.parent / "docs"
BUILT = {"_build", "examples"}
#: Pages that the build writes, and those that are written by hand.
MADE = {DOCS / "losses" / f"{name}.md" for name in list_losses()}
GUIDES = sorted(p for p in DOCS.rglob("*.md") if not BUILT.intersection(p.parts) and p not in MADE)
LOSS_TABLE = (DOCS / "losses" / "index.md").read_text(encoding="utf-8")


def blocks(guide: Path, language: str) -> list[str]:
    """Return a guide's code blocks in one language."""
    text = guide.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


@pytest.fixture(autouse=True)
def _scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let examples write their files, and draw without a screen."""
    plt.switch_backend("agg")
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_every_python_block_runs(guide: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scope: dict[str, Any] = {}
    for block in blocks(guide, "python"):
        exec(compile(block, str(guide), "exec"), scope)
        expected = re.search(r"^print\(.*\)  # (.+)$", block, flags=re.MULTILINE)
        shown = capsys.readouterr().out
        assert expected is None or expected.group(1) in shown
    plt.close("all")


def test_the_command_of_the_guide_checks_the_file_of_the_guide(tmp_path: Path) -> None:
    guide = DOCS / "how_to" / "write_your_own_loss.md"
    (source,) = [block for block in blocks(guide, "python") if block.startswith("# my_losses.py")]
    (tmp_path / "my_losses.py").write_text(source, encoding="utf-8")
    (command,) = blocks(guide, "bash")
    program, *arguments = command.split()
    assert program == "sklearnloss"
    assert main(arguments) == 0


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_links_lead_somewhere(guide: Path) -> None:
    for target in re.findall(
        r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", guide.read_text(encoding="utf-8")
    ):
        path = (guide.parent / target).resolve()
        assert path.exists() or path in MADE, target


def test_messages_name_guides_that_exist(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    titles = {guide.read_text(encoding="utf-8").partition("\n")[0][2:] for guide in GUIDES}
    for command in ("compare", "predict"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        shown = " ".join(capsys.readouterr().out.split())
        named = re.findall(r"the guide '([^']+)'", shown)
        assert "My data" in named
        assert titles.issuperset(named)
    with pytest.raises(ValueError, match=f"see {MY_DATA}"):
        find_files(tmp_path)


@pytest.mark.parametrize("name", list_losses())
def test_every_loss_is_in_the_table_with_its_ranges(name: str) -> None:
    loss = get_loss(name)
    assert isinstance(loss, Loss)
    cls = type(loss)
    (row,) = re.findall(rf"^\| `{name}` \| `{cls.__name__}` \| .*$", LOSS_TABLE, flags=re.MULTILINE)
    shown = row.rstrip(" |").rpartition("| ")[2]
    assert shown == ("; ".join(in_words(*item) for item in cls.search_space.items()) or "none")


def in_words(key: str, ranges: Any) -> str:
    """Write a tuning range as the table does."""
    if isinstance(ranges, list):
        return f"`{key}` {', '.join(map(str, ranges))}"
    low, high, *scale = ranges
    return f"`{key}` {low:g} to {high:g}" + (" (log)" if scale else "")


@pytest.mark.slow
def test_the_picture_is_small_and_drawn_by_the_code_beside_it(tmp_path: Path) -> None:
    (code,) = [
        block for block in blocks(DOCS / "losses" / "index.md", "python") if "savefig" in block
    ]
    exec(compile(code, "losses.md", "exec"), {})
    plt.close("all")
    drawn = (tmp_path / "focal_curves.png").read_bytes()
    committed = (DOCS / "images" / "focal_curves.png").read_bytes()
    assert len(committed) < 100_000
    assert drawn[16:24] == committed[16:24]  # width and height


def test_a_registered_loss_of_an_example_is_forgotten() -> None:
    for name in list_losses():
        assert f"| `{name}` |" in LOSS_TABLE
