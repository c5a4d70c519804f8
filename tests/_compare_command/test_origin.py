"""What the report says of a run."""

from __future__ import annotations

import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sklearnloss._compare_command import Options
from sklearnloss._compare_command._description import DataDescription
from sklearnloss._compare_command._origin import candidate_rows, command_line, name_classes
from sklearnloss.tuning._comparison.html_training import tried_section
from sklearnloss.tuning._comparison.origin import Origin

from .test_best import results


def test_the_command_line_has_what_differs_from_the_defaults() -> None:
    options = Options(data="a b/$x", losses=("dice", "my:loss"), timeout=10.5, groups=r"p\d")
    words = shlex.split(command_line(options, Path("out put")))
    assert words[:3] == ["sklearnloss", "compare", "a b/$x"]
    given = dict(zip(words[3::2], words[4::2], strict=True))
    assert given == {
        "--losses": "dice,my:loss",
        "--timeout": "10.5",
        "--groups": r"p\d",
        "--output": "out put",
    }


def test_classes_have_the_names_of_the_description() -> None:
    example = {"image": 3, "names": ["0", "2"]}
    found: Any = SimpleNamespace(class_names_=["0", "1", "2"], examples_=[example])
    labels = [{"label": k, "name": name} for k, name in enumerate(["background", "", "border"])]
    described = DataDescription(task="segmentation", n_images=4, sizes=[[8, 8]], labels=labels)
    name_classes(found, described)
    assert found.class_names_ == ["background", "1", "border"]
    assert found.examples_ == [{"image": 3, "names": ["background", "border"]}]
    found.class_names_ = ["0", "1", "2"]
    labels[2]["name"] = "1"  # no two classes are called the same
    name_classes(found, described)
    assert found.class_names_ == ["0", "1", "2"]


def test_candidates_are_listed_with_how_they_ended() -> None:
    found = results(
        ("dice", "complete", "", 2, 10),
        ("<b>", "complete", "", 1, 10),
        ("focal", "pruned", "stopped in fold 1 after epoch 2", 3, 2),
        ("mcc", "error", "MemoryError in fold 1", 3, 0),
    )
    found["mean_test_score"] = [0.5, 0.75, float("nan"), float("nan")]
    found["last_report"] = [0.5, 0.75, 0.25, float("nan")]
    rows = candidate_rows(found)
    assert [row["loss"] for row in rows] == ["<b>", "dice", "focal", "mcc"]
    assert [row["score"] for row in rows] == [".750", ".500", ".250", "-"]
    assert [row["outcome"] for row in rows] == [
        "completed",
        "completed",
        "stopped in fold 1 after epoch 2",
        "failed: MemoryError in fold 1",
    ]
    text = tried_section(Origin(candidates=rows, not_tried=["<i>"], not_compared=["focal"]))
    assert "<b>" not in text
    assert "Not tried: &lt;i&gt;." in text
    assert "Not compared: focal." in text
    assert tried_section(Origin()) == ""
