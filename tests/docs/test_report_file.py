"""The file report.json, which the page that browses reports reads."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from ..command_line import main
from .reports import EXAMPLE, PAGE, node, report


@pytest.mark.slow
def test_the_file_of_the_command_is_complete(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for k in range(8):
        mask = np.zeros((16, 16), np.uint8)
        mask[k : k + 6, k : k + 6] = 1
        for kind, pixels in (
            ("images", mask * 99 + rng.integers(0, 60, mask.shape)),
            ("masks", mask),
        ):
            (tmp_path / "cells" / kind).mkdir(parents=True, exist_ok=True)
            np.save(tmp_path / "cells" / kind / f"{k}.npy", pixels.astype(np.uint8))
    small = "--losses dice,bce --folds 2 --trials 3 --repeats 1 --epochs 2 --width 2 --device cpu"
    output = tmp_path / "results"
    assert main(["compare", str(tmp_path / "cells"), *small.split(), "--output", str(output)]) == 0
    text = (output / "report.json").read_text(encoding="utf-8")
    told = json.loads(text)
    with (output / "losses.csv").open(newline="") as file:
        for row, expected in zip(told["losses"], csv.DictReader(file), strict=True):
            assert row["loss"] == expected["loss"]
            assert row["mean"] == float(expected["mean"])
            assert told["baseline"]["score"] == float(expected["baseline"])
    with (output / "images.csv").open(newline="") as file:
        listed = {row["image"]: row for row in csv.DictReader(file)}
    images = told["images"]
    assert set(images["names"]) == set(listed)
    for label, scores in zip(told["labels"], images["scores"], strict=True):
        for name, score in zip(images["names"], scores, strict=True):
            assert score == pytest.approx(float(listed[name][label]), rel=1e-5)
    assert told["command"].startswith("sklearnloss compare ")
    assert "--losses dice,bce" in told["command"]
    assert told["data"]["description"].startswith("8 images, 1 channel, uint8, 16 x 16 pixels")
    assert len(told["search"]["candidates"]) == 3
    assert any(len(curve) == 2 for curve in told["curves"]["score"])
    assert len(told["examples"]) == 2 * 3
    assert set(told["pictures"]) >= {str(row["image"]) for row in told["examples"]}
    assert any("sklearnloss predict" in line for line in told["usage"])
    if shutil.which("node"):
        assert "problem" not in node("reading.read(text, 'report.json')", text=text)


def test_the_example_is_small_and_in_the_current_format() -> None:
    assert EXAMPLE.stat().st_size < 200_000
    example = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    assert (example["format"], example["version"]) == ("sklearnloss report", 1)
    assert set(example) == set(report())


def test_the_page_describes_every_key_of_the_file() -> None:
    table = PAGE.partition("| key | value |")[2]
    described = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\|([^|]+)\|", table, re.M))))
    assert described == set(report())


def test_the_page_says_that_files_stay() -> None:
    assert "sends nothing" in PAGE
