"""A run is only continued with the options it was begun with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sklearnloss import ResNetClassifier, UNetSegmenter
from sklearnloss._compare_command._options import Options, Settings
from sklearnloss.tuning._read_space import read_space

OPTIONS = Options(data="images", losses=("dice", "focal"), epochs=3)


def test_the_same_options_go_on_and_end(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    assert not Settings(path, OPTIONS).is_finished
    assert not path.exists()
    first = Settings(path, OPTIONS)
    first.begin()
    assert not Settings(path, OPTIONS).is_finished
    first.finish()
    assert Settings(path, OPTIONS).is_finished
    assert [file.name for file in tmp_path.iterdir()] == ["settings.json"]


def test_other_options_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    Settings(path, OPTIONS).begin()
    changed = replace(OPTIONS, epochs=5, losses=None, groups="folder", data="elsewhere")
    with pytest.raises(
        ValueError,
        match=r"holds a run with DATA .*images, --losses dice,focal, no --groups, --epochs 3, but "
        r"now it is DATA .*elsewhere, no --losses, --groups folder, --epochs 5\. Use the same",
    ):
        Settings(path, changed)


def test_more_of_the_same_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    settings = Settings(path, OPTIONS)
    settings.begin()
    settings.finish()
    assert Settings(path, replace(OPTIONS, jobs=8)).is_finished
    assert not Settings(path, replace(OPTIONS, trials=99)).is_finished
    assert not Settings(path, replace(OPTIONS, repeats=3)).is_finished
    assert not Settings(path, replace(OPTIONS, timeout=60.0)).is_finished


@pytest.mark.parametrize("text", ["", "[]", '{"question": 3}', '{"quest'])
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "settings.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"settings.json' cannot be read .* Say another --output"):
        Settings(path, OPTIONS)


def test_options_that_cannot_be_are_refused() -> None:
    OPTIONS.check()
    with pytest.raises(ValueError, match=r"--folds 1: expected at least 2\."):
        replace(OPTIONS, folds=1).check()
    with pytest.raises(ValueError, match=r"--trials 0: expected at least 1\."):
        replace(OPTIONS, trials=0).check()
    with pytest.raises(ValueError, match=r"--trials 1: expected at least one for each of the 2"):
        replace(OPTIONS, trials=1).check()
    with pytest.raises(ValueError, match=r"--timeout 0: expected seconds above 0\."):
        replace(OPTIONS, timeout=0).check()
    with pytest.raises(ValueError, match=r"--jobs 0: expected a number of processes"):
        replace(OPTIONS, jobs=0).check()
    with pytest.raises(ValueError, match=r"Unknown loss 'dise'.* Did you mean 'dice'\?"):
        replace(OPTIONS, losses=("dise",)).check()


@pytest.mark.parametrize("task", ["classification", "segmentation"])
def test_by_default_each_loss_is_tried(task: str) -> None:
    model = UNetSegmenter() if task == "segmentation" else ResNetClassifier()
    assert Options(data="").trials >= len(read_space(model, None, None).branches)
