"""How much each preset does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from sklearnloss import ResNetClassifier, UNetSegmenter
from sklearnloss._compare_command._options import Options
from sklearnloss._compare_command._presets import AMOUNTS, PRESETS, fill_in
from sklearnloss.tuning._space.menu import default_menu

from ..command_line import main
from .helpers import prepare, save_masks


def question(**given: Any) -> dict[str, Any]:
    return Options(data="x", **given).question


def test_a_run_continues_from_quick_to_medium_and_on() -> None:
    quick, medium = (fill_in({}, name) for name in ("quick", "medium"))
    assert question(**quick) == question(**medium) == question()
    assert all(quick[name] < medium[name] < PRESETS["best"][name] for name in AMOUNTS)
    best = fill_in({"epochs": medium["epochs"]}, "best")
    assert question(**best) == question(**medium)


def test_medium_is_the_default() -> None:
    assert fill_in({}, None) == PRESETS["medium"]
    preset: dict[str, Any] = {**PRESETS["medium"]}
    assert Options(data="x") == Options(data="x", **preset)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_tries_every_loss_of_the_menu(preset: str) -> None:
    for estimator in (UNetSegmenter(), ResNetClassifier()):
        assert PRESETS[preset]["trials"] >= len(default_menu(estimator))


def test_an_option_wins_over_a_preset(tmp_path: Path) -> None:
    data = save_masks(tmp_path, labels=(0, 255))
    given = prepare(data, "--quick", "--trials", "7", "--epochs", "3")  # and --folds 2
    assert given.search.n_trials == 7
    assert given.search.estimator.max_epochs == 3
    assert given.search.estimator.width == PRESETS["quick"]["width"]
    assert len(given.search.cv) == 2
    assert len(given.other_folds) == 2 * PRESETS["quick"]["repeats"]


def test_help_says_what_a_preset_sets(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["compare", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    for name, options in PRESETS.items():
        said = re.findall(rf"--{name} [a-z][^:]*: ((?:--\w+ \d+ ?)+)", told)
        assert [each.strip() for each in said] == [
            " ".join(f"--{option} {value}" for option, value in options.items())
        ]
