"""Options that are refused before any work."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from sklearnloss import ResNetClassifier, UNetSegmenter
from sklearnloss._compare_command._options import Options
from sklearnloss.tuning._space.parse import read_space

OPTIONS = Options(data="images", losses=("dice", "focal"), epochs=3)


def test_options_that_cannot_be_are_refused() -> None:
    OPTIONS.check()
    with pytest.raises(ValueError, match=r"--folds 1: expected at least 2\."):
        replace(OPTIONS, folds=1).check()
    with pytest.raises(ValueError, match=r"--trials 0: expected at least 1\."):
        replace(OPTIONS, trials=0).check()
    with pytest.raises(ValueError, match=r"--trials 1: expected at least one for each of the 2"):
        replace(OPTIONS, trials=1).check()
    with pytest.raises(ValueError, match=r"--timeout 0: expected a number of seconds above 0\."):
        replace(OPTIONS, timeout=0).check()
    with pytest.raises(ValueError, match=r"--timeout nan: expected a number of seconds above 0\."):
        replace(OPTIONS, timeout=math.nan).check()
    with pytest.raises(ValueError, match=r"--seed -1: expected 0 to 2147483647\."):
        replace(OPTIONS, seed=-1).check()
    replace(OPTIONS, seed=2**31 - 1).check()
    with pytest.raises(ValueError, match=r"--losses is empty\. Expected names such as dice"):
        replace(OPTIONS, losses=()).check()
    with pytest.raises(ValueError, match=r"--losses: dice is given twice\."):
        replace(OPTIONS, losses=("dice", "bce", "dice")).check()
    with pytest.raises(ValueError, match=r"--groups is empty\."):
        replace(OPTIONS, groups="").check()
    with pytest.raises(ValueError, match=r"--jobs 0: expected a number of processes"):
        replace(OPTIONS, jobs=0).check()
    with pytest.raises(ValueError, match=r"Unknown loss 'dise'.* Did you mean 'dice'\?"):
        replace(OPTIONS, losses=("dise",)).check()


@pytest.mark.parametrize("task", ["classification", "segmentation"])
def test_by_default_each_loss_is_tried(task: str) -> None:
    model = UNetSegmenter() if task == "segmentation" else ResNetClassifier()
    assert Options(data="").trials >= len(read_space(model, None, None).branches)
