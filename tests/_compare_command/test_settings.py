"""Settings of a run, and refusal of different ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from sklearnloss._compare_command._options import Options
from sklearnloss._compare_command._settings import FITS, JOURNAL, Settings
from sklearnloss.tuning._workers.storage import open_storage, quiet_optuna

OPTIONS = Options(data="images", losses=("dice", "focal"), epochs=3)
ABOUT = {"path": "/here/images", "images": 12}
DIGESTS: dict[str, Any] = {"data": "abc", "groups": None, "own_losses": {}}


def begin(folder: Path, options: Options = OPTIONS, **digests: Any) -> Settings:
    settings = Settings(folder, options)
    settings.check_data({**DIGESTS, **digests}, ABOUT)
    settings.begin()
    return settings


def keep_result(folder: Path, folds: list[dict[str, float]]) -> None:
    """Write a candidate with these finished folds, as a search does."""
    with quiet_optuna():
        study = optuna.create_study(storage=open_storage(folder / JOURNAL), study_name="a")
        study.ask().set_user_attr("results", {"folds": folds})


def test_the_same_options_go_on_and_end(tmp_path: Path) -> None:
    assert not Settings(tmp_path, OPTIONS).is_finished
    assert not list(tmp_path.iterdir())
    first = begin(tmp_path)
    assert not Settings(tmp_path, OPTIONS).is_finished
    first.finish()
    assert Settings(tmp_path, OPTIONS).is_finished
    assert [file.name for file in tmp_path.iterdir()] == ["settings.json"]


def test_other_options_are_refused(tmp_path: Path) -> None:
    begin(tmp_path)
    keep_result(tmp_path, [{"scores": 0.5}])
    changed = replace(OPTIONS, epochs=5, losses=None)
    with pytest.raises(
        ValueError,
        match=r"holds a run with --losses dice,focal, --epochs 3, but now it is no --losses, "
        r"--epochs 5\. Use the same options to resume it, or another --output\.",
    ):
        Settings(tmp_path, changed)


def test_a_run_that_finished_nothing_gives_way(tmp_path: Path) -> None:
    begin(tmp_path).finish()
    keep_result(tmp_path, [])
    (tmp_path / FITS).write_text("")
    changed = replace(OPTIONS, epochs=5)
    settings = begin(tmp_path, changed)
    assert settings.is_replaced
    assert not settings.is_finished
    assert [file.name for file in tmp_path.iterdir()] == ["settings.json"]
    settings.finish()
    assert Settings(tmp_path, changed).is_finished


def test_every_option_that_changes_results_counts(tmp_path: Path) -> None:
    begin(tmp_path)
    keep_result(tmp_path, [{"scores": 0.5}])
    others: dict[str, Any] = {
        "task": "segmentation",
        "folds": 3,
        "epochs": 4,
        "width": 8,
        "scoring": "dice",
        "ignore_index": 255,
        "resize": 32,
        "seed": 1,
    }
    for name, value in others.items():
        with pytest.raises(ValueError, match=f"but now it is --{name.replace('_', '-')} {value}"):
            Settings(tmp_path, replace(OPTIONS, **{name: value}))


def test_more_of_the_same_goes_on(tmp_path: Path) -> None:
    begin(tmp_path).finish()
    keep_result(tmp_path, [{"scores": 0.5}])
    assert Settings(tmp_path, replace(OPTIONS, jobs=8, device="cpu")).is_finished
    assert not Settings(tmp_path, replace(OPTIONS, trials=99)).is_finished
    assert not Settings(tmp_path, replace(OPTIONS, repeats=3)).is_finished
    assert not Settings(tmp_path, replace(OPTIONS, top=1)).is_finished
    assert not Settings(tmp_path, replace(OPTIONS, timeout=60.0)).is_finished


def test_the_same_data_may_lie_elsewhere(tmp_path: Path) -> None:
    begin(tmp_path).finish()
    settings = Settings(tmp_path, replace(OPTIONS, data="elsewhere", groups=None))
    settings.check_data(DIGESTS, {"path": "/elsewhere", "images": 12})
    assert settings.is_finished


def test_other_data_are_refused(tmp_path: Path) -> None:
    begin(tmp_path)
    keep_result(tmp_path, [{"scores": 0.5}])
    settings = Settings(tmp_path, OPTIONS)
    with pytest.raises(
        ValueError,
        match=r"on other data: then 12 images in '/here/images', now 13 images in '/here/images'\. "
        r"Pass another --output for a new run, or undo the changes",
    ):
        settings.check_data({**DIGESTS, "data": "xyz"}, {**ABOUT, "images": 13})
    with pytest.raises(ValueError, match=r"run on other groups of images\. Pass another --output"):
        settings.check_data({**DIGESTS, "groups": "xyz"}, ABOUT)
    with pytest.raises(ValueError, match=r"a run on other code of your own losses"):
        settings.check_data({**DIGESTS, "own_losses": {"my:loss": "xyz"}}, ABOUT)


@pytest.mark.parametrize("text", ["", "[]", '{"question": 3}', '{"quest'])
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "settings.json").write_text(text)
    with pytest.raises(ValueError, match=r"settings.json' cannot be read .* Pass another --output"):
        Settings(tmp_path, OPTIONS)
