"""Options that are refused before any work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .helpers import Refused, prepare, save_classes, save_masks

ACCEPTED = r"There is no file or folder 'nowhere'\."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], ACCEPTED),
        (["--folds", "1"], r"--folds 1: expected at least 2\."),
        (["--trials", "0"], r"--trials 0: expected at least 1\."),
        (["--trials", "1"], r"--trials 1: expected at least one for each of the 2"),
        (["--timeout", "0"], r"--timeout 0: expected a number of seconds above 0\."),
        (["--timeout", "nan"], r"--timeout nan: expected a number of seconds above 0\."),
        (["--seed", "-1"], r"--seed -1: expected 0 to 2147483647\."),
        (["--seed", str(2**31 - 1)], ACCEPTED),
        (["--losses", ""], r"--losses is empty\. Expected names such as dice"),
        (["--losses", "dice,bce,dice"], r"--losses: dice is given twice\."),
        (["--groups", ""], r"--groups is empty\."),
        (["--jobs", "0"], r"--jobs 0: expected a number of processes"),
        (["--losses", "dise"], r"Unknown loss 'dise'.* Did you mean 'dice'\?"),
    ],
)
def test_options_that_cannot_be_are_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(Refused, match=f"^{message}"):
        prepare(Path("nowhere"), *arguments, losses="dice,focal")


@pytest.mark.parametrize("task", ["classification", "segmentation"])
def test_by_default_each_loss_of_the_menu_is_tried(tmp_path: Path, task: str) -> None:
    is_classes = task == "classification"
    data = save_classes(tmp_path, ["a", "b"] * 2) if is_classes else save_masks(tmp_path)
    more = [] if is_classes else ["--ignore-index", "255"]
    prepared = prepare(data, "--top", "1000", *more, losses=None)
    (number,) = re.findall(r"each of the best (\d+) losses", prepared.told)
    assert prepared.search.losses is None
    assert prepared.search.n_trials is not None
    assert prepared.search.n_trials >= int(number) > 10
