"""What an ONNX file says about the model in it."""

from __future__ import annotations

import math
from typing import Any

from ..._files import FileReader
from ..._predict.onnx_file import FORMAT
from ..._version import __version__
from ...networks._adapt.interface import as_network
from .._data.imagenet import white_of
from .graph import activation, threshold_of
from .network import Exported


def describe_model(model: Any, exported: Exported) -> dict[str, Any]:
    """Return the metadata of a fitted estimator, of which JSON can be made."""
    multilabel = bool(getattr(model, "multilabel", False))
    tile = getattr(model, "tile", None)
    scaling = model.scaling_
    white = None if scaling is None or model.normalize != "imagenet" else white_of(scaling)
    n_channels, *spatial = model.input_shape_
    return {
        "format": FORMAT,
        "description": _description(model),
        "task": "segmentation" if model._reads_masks else "classification",
        "classes": model.classes_.tolist(),
        "multilabel": multilabel,
        "mask_values": model.mask_values_.tolist() if multilabel else None,
        "n_axes": len(spatial),
        "n_channels": n_channels,
        "channels": model.channels,
        "input_shape": None if model._reads_masks else list(model.input_shape_),
        "reader": _describe_reader(getattr(model, "reader", None) or FileReader()),
        "fills_masked": scaling is not None,
        "white": white,
        "padding": {
            "multiple": exported.multiple,
            "least": exported.least,
            "only_size": exported.only_size,
        },
        "tile": {
            "tile": list(tile) if isinstance(tile, (list, tuple)) else tile,
            "multiple": as_network(exported.module).multiple,
        },
        "tta": model.tta,
        "activation": activation(model),
        "temperature": getattr(model, "temperature_", None),
        "threshold": threshold_of(model),
        "versions": _versions(),
    }


def _description(model: Any) -> str:
    what = "each pixel" if model._reads_masks else "each image"
    classes = ", ".join(map(str, model.classes_.tolist()[:10]))
    more = "" if len(model.classes_) <= 10 else f" and {len(model.classes_) - 10} more"
    return (
        f"{type(model).__name__} of sklearnloss: from raw images to the label of {what}. Classes: "
        f"{classes}{more}."
    )


def _describe_reader(reader: FileReader) -> dict[str, Any]:
    """Return the parameters of a reader, without dicts by color and NaN, which JSON lacks."""
    params = reader.get_params()
    if params.get("nodata") is not None and not math.isfinite(params["nodata"]):
        params["nodata"] = str(params["nodata"])
    if params.get("colors") is not None:
        params["colors"] = [[list(color), label] for color, label in params["colors"].items()]
    return params


def _versions() -> dict[str, str]:
    import onnx
    import onnxscript
    import torch

    modules = (torch, onnx, onnxscript)
    return {"sklearnloss": __version__, **{each.__name__: each.__version__ for each in modules}}
