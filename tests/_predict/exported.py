"""ONNX files made by hand, without torch, in the form that ``export`` writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sklearnloss._predict.onnx_file import KEY, graph_digest

DESCRIPTION: dict[str, Any] = {
    "format": 1,
    "task": "segmentation",
    "classes": [0, 1],
    "multilabel": False,
    "mask_values": None,
    "n_axes": 2,
    "n_channels": 1,
    "channels": "first",
    "input_shape": None,
    "reader": {},
    "fills_masked": True,
    "white": None,
    "padding": {"multiple": 1, "least": 1, "only_size": None},
    "tile": {"tile": None, "multiple": 4},
    "tta": None,
    "activation": "sigmoid",
    "temperature": None,
    "threshold": None,
    "versions": {"sklearnloss": "0"},
}
#: The weights of the scores that each file computes: w x + b, with NaN as 0.
WEIGHT, BIAS = np.array([[2.0], [-1.0], [0.5]], np.float32), np.array([0.5, 0.0, -1.0], np.float32)


def proto(n_scores: int = 1, n_axes: int = 2) -> Any:
    """Return a model with pixelwise scores."""
    onnx = pytest.importorskip("onnx")
    helper, to_proto = onnx.helper, onnx.numpy_helper.from_array
    ones = [1] * n_axes
    weight = to_proto(WEIGHT[:n_scores].reshape(n_scores, 1, *ones), "weight")
    constants = [weight, to_proto(BIAS[:n_scores], "bias"), to_proto(np.float32(0), "zero")]
    nodes = [
        helper.make_node("IsNaN", ["images"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "images"], ["filled"]),
        helper.make_node("Conv", ["filled", "weight", "bias"], ["scores"]),
    ]
    sides = [f"side{axis}" for axis in range(n_axes)]
    declared = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "pixelwise",
        [declared("images", onnx.TensorProto.FLOAT, ["n", 1, *sides])],
        [declared("scores", onnx.TensorProto.FLOAT, ["n", n_scores, *sides])],
        constants,
    )
    opset = helper.make_opsetid("", 18)
    return helper.make_model(graph, ir_version=10, opset_imports=[opset])


def write(path: Path, model: Any, **description: Any) -> Path:
    """Write a model with metadata."""
    metadata = {**DESCRIPTION, **description}
    metadata.setdefault("graph_sha256", graph_digest(model.SerializeToString()))
    del model.metadata_props[:]
    entry = model.metadata_props.add()
    entry.key, entry.value = KEY, json.dumps(metadata)
    path.write_bytes(model.SerializeToString())
    return path
