"""The page of the command line is complete, and its examples are valid."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

import pytest

from sklearnloss._cli import _parser
from sklearnloss._compare_command._presets import PRESETS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "command_line.md"
TEXT = PAGE.read_text(encoding="utf-8")
HEADING = re.compile(r"^## sklearnloss ([\w-]+)\n(.*?)(?=^## |\Z)", flags=re.DOTALL | re.MULTILINE)
SECTIONS: dict[str, str] = dict(HEADING.findall(TEXT))


def commands() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command."""
    (action,) = [
        each for each in _parser()._actions if isinstance(each, argparse._SubParsersAction)
    ]
    return dict(action.choices)


def options(command: str) -> list[argparse.Action]:
    """Return the options of a command that begin with dashes, without --help."""
    actions = commands()[command]._actions
    return [each for each in actions if each.option_strings and each.dest != "help"]


def rows(command: str) -> dict[str, str]:
    """Return the last cell of the row of each option in a command's tables."""
    found: dict[str, str] = {}
    for line in SECTIONS[command].splitlines():
        if line.startswith("| `--"):
            cells = [cell.strip() for cell in line.strip("| ").replace(" |  |", " | |").split(" |")]
            for name in re.findall(r"`(--[\w-]+)[^`]*`", line.split(" |")[0]):
                found[name] = cells[-1] if len(cells) > 2 else ""
    return found


def test_every_command_has_a_section_and_a_row() -> None:
    assert set(SECTIONS) == set(commands())
    for command in commands():
        assert f"| [`{command}`](#sklearnloss-{command}) |" in TEXT


@pytest.mark.parametrize("command", sorted(commands()))
def test_the_tables_of_a_command_list_its_options_and_no_others(command: str) -> None:
    listed = set(rows(command)) | set(re.findall(r"`(--output) \w+`", SECTIONS[command]))
    assert listed == {each.option_strings[0] for each in options(command)}


@pytest.mark.parametrize("command", sorted(commands()))
def test_values_and_choices_are_written_as_in_the_help(command: str) -> None:
    for option in options(command):
        name = option.option_strings[0]
        if option.nargs == 0:
            assert f"`{name}`" in SECTIONS[command]
            continue
        value = option.metavar or option.dest.upper()
        if option.choices:
            value = "{" + ",".join(map(str, option.choices)) + "}"
        assert f"`{name} {value}`" in SECTIONS[command]


@pytest.mark.parametrize("command", sorted(commands()))
def test_the_defaults_are_those_of_the_parser(command: str) -> None:
    shown = {name: cell.strip("`") for name, cell in rows(command).items()}
    for option in options(command):
        name, default = option.option_strings[0], option.default
        if isinstance(default, bool) or default in (None, -1, "auto") or name not in shown:
            continue
        assert shown[name] == f"{default:g}" if isinstance(default, float) else str(default)


def test_the_presets_and_their_defaults_are_on_the_page() -> None:
    shown = rows("compare")
    for name, amounts in PRESETS.items():
        settings = " ".join(f"--{key} {value}" for key, value in amounts.items())
        assert f"| `--{name}` | `{settings}` |" in SECTIONS["compare"]
    for key, value in PRESETS["medium"].items():
        assert shown[f"--{key}"] == str(value)


@pytest.mark.parametrize("command", sorted(commands()))
def test_the_examples_of_a_command_can_be_parsed(command: str) -> None:
    (block,) = re.findall(r"```sh\n(.*?)```", SECTIONS[command], flags=re.DOTALL)
    for line in block.splitlines():
        words = shlex.split(line, comments=True)
        start = words.index("sklearnloss")
        assert words[start + 1] == command
        _parser().parse_args(words[start + 1 :])


def test_the_exit_statuses_are_those_of_main() -> None:
    rows = re.findall(r"^\| (\d+) \|", TEXT, flags=re.MULTILINE)
    from sklearnloss._cli import main

    assert rows == sorted(set(re.findall(r"\b(\d+) if\b", main.__doc__ or "")), key=int)
