"""Instructions for using the saved model."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sklearnloss._compare_command._data import ImageData
from sklearnloss._compare_command._usage import describe_usage
from sklearnloss._files import FileReader

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


def test_a_command_and_two_lines_of_python_predict_files() -> None:
    lines = describe_usage(data(), MODEL, "dice")
    assert lines[0] == "To write the masks of other images, of a folder IMAGES, into a folder:"
    command = "sklearnloss predict out/best_model.safetensors IMAGES --output predictions"
    assert lines[1].strip() == command
    assert [line.strip() for line in lines[3:]] == [
        "from sklearnloss import predict_files",
        "predict_files('out/best_model.safetensors', 'IMAGES', 'predictions')",
    ]


@pytest.mark.parametrize("masks", ["objects", "border"])
def test_objects_are_numbered(masks: Any) -> None:
    lines = describe_usage(data(reader=FileReader(masks=masks)), MODEL, "dice")
    assert "a table of their objects" in lines[0]
    assert shlex.split(lines[1])[-1] == "--instances"
    assert lines[-1].endswith("'predictions', instances=True)")


def test_two_lines_of_python_predict_arrays() -> None:
    lines = describe_usage(data("classification", in_files=False), MODEL, "focal")
    assert lines[-2:] == [
        "  from sklearnloss import load",
        "  labels = load('out/best_model.safetensors').predict(X)",
    ]


def test_the_command_is_quoted_for_the_shell() -> None:
    path = Path("my results; rm -rf/it's/best_model.safetensors")
    _, command, *_ = describe_usage(data(), path, "dice")
    assert shlex.split(command)[2] == str(path)
