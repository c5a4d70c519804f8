"""Instructions for using the saved model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sklearnloss._compare_command._data import ImageData
from sklearnloss._compare_command._options import Options
from sklearnloss._compare_command._usage import describe_usage

MODEL = Path("out/best_model.safetensors")


def data(task: str = "segmentation", **changes: Any) -> ImageData:
    X = np.zeros((2, 3, 8, 8), np.uint8)
    given: dict[str, Any] = {
        "X": X,
        "y": None,
        "groups": None,
        "channels": "first",
        "labels": [0, 1],
    }
    given |= {"names": ["a/0.png", "a/1.png"], "description": "", **changes}
    return ImageData(task, **given)


def test_two_lines_predict_files_and_arrays() -> None:
    loaded = "load('out/best_model.safetensors')"
    note, first, second = describe_usage(data(), Options(data=""), MODEL, "dice")
    assert note == "To predict other files:"
    assert first == "  from sklearnloss import load"
    assert second == f'  masks = {loaded}.predict(["new.png"])'
    arrays = data("classification", in_files=False)
    note, _, second = describe_usage(arrays, Options(data=""), MODEL, "focal")
    assert note == "To predict other images in an array X:"
    assert second == f"  classes = {loaded}.predict(X)"


@pytest.mark.parametrize("name", ["a/0.npy", "a/0.NPZ"])
def test_arrays_in_files_are_resized_as_the_user_can(name: str) -> None:
    lines = describe_usage(
        data("classification", names=[name]), Options(data="", resize=8), MODEL, ""
    )
    assert lines[0] == "To predict other images, resize them to 8 x 8 pixels, as was done here:"
    assert lines[-1].endswith(".predict(images)  # of shape (n, 3, 8, 8)")
    assert not any("Image" in line for line in lines)
