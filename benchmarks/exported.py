"""Exported ONNX files beside the estimators: agreement, time and peak memory.

    python benchmarks/exported.py [--quick] [--json PATH] [--rounds N] [--images N] [--side N]

First each kind of model predicts images of random sizes. Then one large image is predicted in
tiles, by the estimator and by ONNX Runtime, each time in a process of its own.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from children import result, start
from memory import memory_mb
from rounds import measure, parse_options, print_machine, print_table, write_json

from sklearnloss import ImageSegmenter, ResNetClassifier, UNetSegmenter, load
from sklearnloss._predict.onnx_model import OnnxModel


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the tables and write JSON if asked to."""
    options = parse_options(__doc__, arguments, rounds=3, images=100, side=4096)
    print_machine()
    n_images, side = (2, 40) if options.quick else (options.images, options.side)
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            agree(name, model, Path(folder) / "model.onnx", n_images)
            for name, model in models(quick=options.quick).items()
        ]
        print_table("Images of random sizes", rows)
        scene = [compare(Path(folder), side, 1 if options.quick else options.rounds)]
    print_table("One large image", scene)
    write_json(options.json, {"agreement": rows, "scene": scene})


def models(*, quick: bool) -> dict[str, Any]:
    """Return fitted estimators of several kinds."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(6, 2, 32, 32)).astype(np.float32)
    y = np.digitize(X[:, 0], [-0.5, 0.5])
    settings: dict[str, Any] = {"width": 4, "depth": 2, "max_epochs": 2, "random_state": 0}
    found: dict[str, Any] = {"two classes": UNetSegmenter(**settings).fit(X, y > 0)}
    if quick:
        return found
    found["three classes"] = UNetSegmenter(**settings).fit(X, y)
    found["multilabel"] = UNetSegmenter(multilabel=True, **settings).fit(X, (X > 0).astype(int))
    volumes = rng.normal(size=(3, 1, 12, 12, 12)).astype(np.float32)
    found["volumes"] = UNetSegmenter(**settings).fit(volumes, (volumes[:, 0] > 0).astype(int))
    pictures = rng.integers(0, 256, (4, 3, 32, 32)).astype(np.uint8)
    imagenet = UNetSegmenter(normalize="imagenet", **settings)
    found["imagenet"] = imagenet.fit(pictures, (pictures[:, 0] > 99).astype(int))
    found["ResNet"] = ResNetClassifier(width=4, max_epochs=1, random_state=0).fit(X, [0, 1, 2] * 2)
    C = rng.normal(size=(4, 3, 64, 64)).astype(np.float32)
    smp = ImageSegmenter("smp:FPN/resnet18", max_epochs=1, random_state=0)
    found["smp FPN"] = smp.fit(C, (C[:, 0] > 0).astype(int))
    return found


def agree(name: str, model: Any, path: Path, n_images: int) -> dict[str, Any]:
    """Return how far a file's predictions are from the estimator's."""
    model.export(path)
    exported, rng = OnnxModel(path), np.random.default_rng(0)
    n_channels, *spatial = model.input_shape_
    worst, n_wrong, n_labels = 0.0, 0, 0
    for _ in range(n_images):
        if exported.task == "segmentation":
            spatial = rng.integers(1, 20 if exported.n_axes == 3 else 100, exported.n_axes).tolist()
        image = rng.normal(size=(1, n_channels, *spatial)).astype(np.float32)
        if name == "imagenet":
            image = rng.integers(0, 256, image.shape).astype(np.uint8)
        ((_, found),) = exported.probabilities(image[0])
        expected = model.predict_proba(image)[0]
        worst = max(worst, float(np.abs(found - expected).max()))
        labels = found > 0.5 if exported.multilabel else found.argmax(0)
        right = expected > 0.5 if exported.multilabel else expected.argmax(0)
        n_wrong += int((labels != right).sum())
        n_labels += labels.size
    return {"model": name, "largest difference": worst, "other labels": n_wrong, "of": n_labels}


def compare(folder: Path, side: int, n_rounds: int) -> dict[str, Any]:
    """Return what one image costs, medians over fresh processes that take turns."""
    rng = np.random.default_rng(0)
    X = rng.normal(128, 60, size=(4, 1, 64, 64)).astype(np.float32)
    model = UNetSegmenter(width=16, depth=4, max_epochs=2, random_state=0)
    model.fit(X, (X[:, 0] > 128).astype(int))
    model.save(folder / "model.safetensors")
    model.export(folder / "model.onnx")
    found: dict[str, list[dict[str, float]]] = {"ours": [], "onnx": []}
    for _ in range(n_rounds):
        for contender, results in found.items():
            code = f"import exported; exported.report({str(folder)!r}, {contender!r}, {side})"
            results.append(result(start(code, {"OMP_NUM_THREADS": "1"})))
    row: dict[str, Any] = {"side": side}
    for key in ("seconds", "CPU seconds", "MB beyond"):
        ours, onnx = (statistics.median(each[key] for each in found[who]) for who in found)
        row |= {f"ours, {key}": ours, f"ONNX, {key}": onnx}
    row["x ours, CPU"] = row["ONNX, CPU seconds"] / row["ours, CPU seconds"]
    row["x ours, MB"] = row["ONNX, MB beyond"] / row["ours, MB beyond"]
    return row


def report(folder: str, contender: str, side: int) -> None:
    """Predict one image in this process, and print what it cost."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    image = np.random.default_rng(0).integers(0, 256, (1, side, side)).astype(np.uint8)
    predict = _estimator(folder) if contender == "ours" else _file(folder)
    predict(image[:, :64, :64])
    before = memory_mb("VmRSS")
    cost = measure(lambda: predict(image))
    beyond = memory_mb("VmHWM") - before
    print(json.dumps({"seconds": cost.wall, "CPU seconds": cost.cpu, "MB beyond": beyond}))


def _estimator(folder: str) -> Any:
    model = load(f"{folder}/model.safetensors")
    return lambda image: model.predict_proba(image[None])[0]


def _file(folder: str) -> Any:
    model = OnnxModel(f"{folder}/model.onnx")

    def predict(image: np.ndarray) -> np.ndarray:
        p = np.empty((2, *image.shape[1:]), np.float32)
        for row, band in model.probabilities(image):
            p[:, row : row + band.shape[1]] = band
        return p

    return predict


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
