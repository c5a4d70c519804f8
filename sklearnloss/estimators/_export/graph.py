"""The graph around the network: scaling and padding before it, probabilities and labels after."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._predict.onnx_file import KEY
from ...losses._core.foreign import loss_form
from .network import INPUT, OUTPUT, Exported

_AXES = {1: ["length"], 2: ["height", "width"], 3: ["depth", "height", "width"]}


def activation(model: Any) -> str:
    """Return how scores become probabilities: softmax, sigmoid, or sigmoids that sum to 1."""
    if getattr(model, "multilabel", False) or model.net_.n_channels_ == 1:
        return "sigmoid"
    return "normalized_sigmoid" if loss_form(model.loss_) == "sigmoid" else "softmax"


def threshold_of(model: Any) -> float | list[float] | None:
    """Return the threshold that an estimator predicts with, None if none was chosen."""
    if not hasattr(model, "_read_threshold"):
        return None
    threshold: float | list[float] | None = model._read_threshold(None)
    return threshold


def integer_classes(model: Any) -> list[int] | None:
    """Return the classes if they are integers that fit into int64."""
    classes = model.classes_
    if classes.dtype.kind not in "biu" or int(classes.max()) >= 2**63:
        return None
    return [int(each) for each in classes]


def complete(exported: Exported, model: Any) -> Any:
    """Return the model from raw images to probabilities and labels.

    Parameters
    ----------
    exported : Exported
        The network.
    model : estimator
        A fitted estimator.

    Returns
    -------
    proto : onnx.ModelProto
        With the input "images" and the outputs "probabilities", "labels" and "scores".
    """
    proto = exported.proto
    before, after = _Nodes("before"), _Nodes("after")
    spatial = _before(before, exported, model)
    _after(after, spatial, model)
    graph = proto.graph
    network = list(graph.node)
    del graph.node[:], graph.input[:], graph.output[:]
    graph.node.extend([*before.nodes, *network, *after.nodes])
    graph.initializer.extend([*before.constants, *after.constants])
    _declare(graph, model)
    return proto


class _Nodes:
    """Nodes of a graph, with names of our own."""

    def __init__(self, prefix: str) -> None:
        self.prefix = f"{KEY}/{prefix}"
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, values: Any, dtype: Any = np.int64) -> str:
        """Add a constant, and return its name."""
        from onnx import numpy_helper

        name = f"{self.prefix}/constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def add(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Add a node, and return the name of its output."""
        from onnx import helper

        output = output or f"{self.prefix}/{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output


def _before(nodes: _Nodes, exported: Exported, model: Any) -> str | None:
    """Scale and pad images; return the name of their spatial shape if they are padded."""
    x, n_axes = "images", len(model.input_shape_) - 1
    if model.scaling_ is not None:
        along = (-1, *[1] * n_axes)
        mean, scale = (each.numpy().reshape(along) for each in model.scaling_.to("cpu"))
        centered = nodes.add("Sub", x, nodes.constant(mean, np.float32))
        scaled = nodes.add("Div", centered, nodes.constant(scale, np.float32))
        missing = nodes.add("IsNaN", scaled)
        x = nodes.add("Where", missing, nodes.constant(0, np.float32), scaled)
    spatial = None
    only, multiple, least = exported.only_size, exported.multiple, exported.least
    if only is not None or max(multiple, least) > 1:
        spatial = nodes.add("Shape", "images", start=2)
        if only is not None:
            target = nodes.constant(only)
        else:
            one_less, m = nodes.constant(multiple - 1), nodes.constant(multiple)
            target = nodes.add("Div", nodes.add("Add", spatial, one_less), m)
            target = nodes.add("Max", nodes.add("Mul", target, m), nodes.constant(least))
        lacking = nodes.add("Sub", target, spatial)
        if only is not None:  # an error for larger images, which negative padding would cut
            lacking = nodes.add("Shape", nodes.add("ConstantOfShape", lacking))
        at_start = nodes.constant([0] * (n_axes + 4))
        pads = nodes.add("Concat", at_start, lacking, axis=0)
        x = nodes.add("Pad", x, pads, mode="edge")
    nodes.add("Identity", x, output=INPUT)
    return spatial


def _after(nodes: _Nodes, spatial: str | None, model: Any) -> None:
    """Crop the scores; turn them into probabilities and labels."""
    scores, n_axes = OUTPUT, len(model.input_shape_) - 1
    if spatial is not None:
        starts, axes = nodes.constant([0] * n_axes), nodes.constant(range(2, 2 + n_axes))
        scores = nodes.add("Slice", scores, starts, spatial, axes)
    nodes.add("Identity", scores, output="scores")
    kind = activation(model)
    binary = kind == "sigmoid" and not getattr(model, "multilabel", False)
    if kind == "normalized_sigmoid":  # softmax(log sigmoid(x)) = p / sum p
        scores = nodes.add("Neg", nodes.add("Softplus", nodes.add("Neg", scores)))
    temperature = getattr(model, "temperature_", None)
    if temperature is not None:
        scores = nodes.add("Div", scores, nodes.constant(temperature, np.float32))
    if binary:
        p = nodes.add("Sigmoid", scores)
        q = nodes.add("Sub", nodes.constant(1, np.float32), p)
        nodes.add("Concat", q, p, axis=1, output="probabilities")
    elif kind == "sigmoid":
        nodes.add("Sigmoid", scores, output="probabilities")
    else:
        nodes.add("Softmax", scores, axis=1, output="probabilities")
    _add_labels(nodes, model, binary=binary)


def _add_labels(nodes: _Nodes, model: Any, *, binary: bool) -> None:
    """Add the labels: without a threshold, those of the highest or of positive scores."""
    multilabel = getattr(model, "multilabel", False)
    threshold = threshold_of(model)
    if multilabel or binary or threshold is not None:
        from onnx import TensorProto

        limit: Any
        compared, limit = ("scores", 0.0) if threshold is None else ("probabilities", threshold)
        if multilabel and np.ndim(limit):
            n_axes = len(model.input_shape_) - 1
            limit = np.reshape(limit, (-1, *[1] * n_axes))
        elif not multilabel:
            second = nodes.constant(0 if threshold is None else 1)
            compared = nodes.add("Gather", compared, second, axis=1)
        above = nodes.add("Greater", compared, nodes.constant(limit, np.float32))
        codes = nodes.add("Cast", above, to=TensorProto.INT64)
    else:
        codes = nodes.add("ArgMax", "scores", axis=1, keepdims=0)
    values = model.mask_values_.tolist() if multilabel else integer_classes(model)
    if values is None or values == list(range(len(values))):
        nodes.add("Identity", codes, output="labels")
    else:
        nodes.add("Gather", nodes.constant(values), codes, output="labels")


def _declare(graph: Any, model: Any) -> None:
    """Declare the input and the outputs."""
    from onnx import TensorProto, helper

    n_channels, *spatial = model.input_shape_
    n_classes = len(model.classes_)
    sides: list[Any] = list(spatial)
    if model._reads_masks:
        sides = list(_AXES[len(spatial)])
    per_pixel = sides if model._reads_masks else []
    multilabel = getattr(model, "multilabel", False)
    labels = ["n", *([n_classes] if multilabel else []), *per_pixel]
    declared = helper.make_tensor_value_info
    graph.input.append(declared("images", TensorProto.FLOAT, ["n", n_channels, *sides]))
    graph.output.extend(
        [
            declared("probabilities", TensorProto.FLOAT, ["n", n_classes, *per_pixel]),
            declared("labels", TensorProto.INT64, labels),
            declared("scores", TensorProto.FLOAT, ["n", model.net_.n_channels_, *per_pixel]),
        ]
    )
