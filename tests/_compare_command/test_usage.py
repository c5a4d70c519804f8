"""Instructions for using the saved model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sklearnloss import FileReader
from sklearnloss._compare_command._data import ImageData
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
    given |= {"names": ["a/0.png", "a/1.png"], "description": None, **changes}
    return ImageData(task, **given)


def test_two_lines_predict_files_and_arrays() -> None:
    loaded = "load('out/best_model.safetensors')"
    note, first, second = describe_usage(data(), MODEL, "dice")
    assert note == "To predict other files:"
    assert first == "  from sklearnloss import load"
    assert second == f'  masks = {loaded}.predict(["new.png"])'
    arrays = data("classification", in_files=False)
    note, _, second = describe_usage(arrays, MODEL, "focal")
    assert note == "To predict other images in an array X:"
    assert second == f"  classes = {loaded}.predict(X)"


def test_the_model_resizes_files_itself() -> None:
    lines = describe_usage(data("classification", reader=FileReader(resize=8)), MODEL, "")
    assert lines[0] == "To predict other files, which are resized to 8 pixels as here:"
    assert lines[-1].endswith('.predict(["new.png"])')
