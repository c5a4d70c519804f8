"""Exported files predict in tiles, mirrored, and without torch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sklearnloss._predict.onnx_model import OnnxModel

from ..optional import import_or_skip
from .exported import BIAS, WEIGHT, proto, write

pytest.importorskip("onnxruntime")


def opened(folder: Path, n_scores: int = 1, n_axes: int = 2, **description: Any) -> OnnxModel:
    """Return a model with pixelwise scores."""
    path = write(folder / "model.onnx", proto(n_scores, n_axes), n_axes=n_axes, **description)
    return OnnxModel(path)


def joined(bands: Iterator[tuple[int, np.ndarray]]) -> np.ndarray:
    """Return the bands of an image as one array; they follow each other without gaps."""
    parts, row = [], 0
    for start, band in bands:
        assert start == row
        row += band.shape[1]
        parts.append(band)
    return np.concatenate(parts, 1)


def scores_of(image: np.ndarray, n_scores: int = 1) -> np.ndarray:
    """Return the scores of an image (1, *spatial), in float64."""
    along = (-1, *[1] * (image.ndim - 1))
    weight, bias = WEIGHT[:n_scores].reshape(along), BIAS[:n_scores].reshape(along)
    return np.asarray(weight.astype(float) * image + bias)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(1, 37, 50)).astype(np.float32)


def test_two_classes_have_the_probabilities_of_both(tmp_path: Path, image: np.ndarray) -> None:
    p = joined(opened(tmp_path).probabilities(image))
    assert p.dtype == np.float32
    np.testing.assert_allclose(p[1], sigmoid(scores_of(image)[0]), rtol=1e-6)
    np.testing.assert_allclose(p.sum(0), 1, rtol=1e-6)


def test_softmax_sigmoids_and_normalized_sigmoids(tmp_path: Path, image: np.ndarray) -> None:
    z = scores_of(image, 3)
    expected = {
        "softmax": np.exp(z) / np.exp(z).sum(0),
        "normalized_sigmoid": sigmoid(z) / sigmoid(z).sum(0),
        "sigmoid": sigmoid(z),
    }
    for activation, p in expected.items():
        several = activation == "sigmoid"
        model = opened(
            tmp_path, 3, activation=activation, multilabel=several, classes=["a", "b", "c"]
        )
        np.testing.assert_allclose(joined(model.probabilities(image)), p, rtol=1e-5)


def test_log_probabilities_are_divided_by_the_temperature(
    tmp_path: Path, image: np.ndarray
) -> None:
    z = scores_of(image, 3)
    expected = {"softmax": np.exp(z / 2.5), "normalized_sigmoid": sigmoid(z) ** (1 / 2.5)}
    for activation, p in expected.items():
        model = opened(tmp_path, 3, activation=activation, classes=[0, 1, 2], temperature=2.5)
        np.testing.assert_allclose(joined(model.probabilities(image)), p / p.sum(0), rtol=1e-5)
    p = joined(opened(tmp_path, temperature=2.5).probabilities(image))[1]
    np.testing.assert_allclose(p, sigmoid(scores_of(image)[0] / 2.5), rtol=1e-6)


def test_scores_of_any_size_have_finite_probabilities(tmp_path: Path) -> None:
    image = np.array([[[-1e30, -1e3, 0, 1e3, 1e30]]], np.float32)
    for activation in ("softmax", "normalized_sigmoid"):
        model = opened(tmp_path, 3, activation=activation, classes=[0, 1, 2])
        p = joined(model.probabilities(image))
        assert np.isfinite(p).all()
        np.testing.assert_allclose(p.sum(0), 1, rtol=1e-5)
    assert joined(opened(tmp_path).probabilities(image))[1].tolist()[0][0] == 0


@pytest.mark.parametrize("n_axes", [1, 2, 3])
def test_tiles_and_mirrored_images_leave_pixelwise_scores_alone(
    tmp_path: Path, n_axes: int
) -> None:
    image = np.random.default_rng(0).normal(size=(1, *(41, 30, 9)[:n_axes])).astype(np.float32)
    model = opened(tmp_path, n_axes=n_axes)
    for tta in (None, "flip", "mirror"):
        bands = list(model.probabilities(image, tile=16, tta=tta))
        assert len(bands) == 4
        p = joined(iter(bands))[1]
        np.testing.assert_allclose(p, sigmoid(scores_of(image)[0]), rtol=1e-4, atol=1e-6)


def test_tiles_and_mirroring_of_the_estimator_are_the_default(
    tmp_path: Path, image: np.ndarray
) -> None:
    model = opened(tmp_path, tile={"tile": [12, 50], "multiple": 4}, tta="flip")
    starts = [start for start, _ in model.probabilities(image)]
    assert len(starts) > 2
    n_runs, run = 0, model._session.run

    class Counted:
        def run(self, *arguments: Any) -> Any:
            nonlocal n_runs
            n_runs += 1
            return run(*arguments)

    model._session = Counted()
    list(model.probabilities(image))
    assert n_runs == 4 * len(starts)


def test_parts_of_a_scene_are_read_one_at_a_time(tmp_path: Path) -> None:
    whole = np.random.default_rng(0).integers(0, 9, (1, 60, 70)).astype(np.uint8)

    class Scene:
        shape = whole.shape
        largest = 0

        def __getitem__(self, window: Any) -> np.ndarray:
            part = whole[window]
            self.largest = max(self.largest, part.size)
            return np.asarray(part)

    scene = Scene()
    p = joined(opened(tmp_path).probabilities(scene, tile=16))
    np.testing.assert_allclose(p[1], sigmoid(scores_of(whole)[0]), rtol=1e-4)
    assert scene.largest <= 16 * 16


def test_masked_pixels_are_filled_by_the_graph(tmp_path: Path, image: np.ndarray) -> None:
    masked = np.ma.masked_greater(image, 0.3)
    p = joined(opened(tmp_path).probabilities(masked))
    np.testing.assert_allclose(p[1], sigmoid(scores_of(masked.filled(0))[0]), rtol=1e-6)
    model = opened(tmp_path, fills_masked=False)
    with pytest.raises(ValueError, match="normalize=None"):
        next(model.probabilities(masked))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e39])
def test_values_that_are_no_numbers_are_refused(tmp_path: Path, value: float) -> None:
    image = np.ones((1, 8, 8))
    image[0, 3, 3] = value
    with pytest.raises(ValueError, match="NaN, infinity or a value too large"):
        next(opened(tmp_path).probabilities(image))


@pytest.mark.parametrize("shape", [(2, 8, 8), (8, 8), (1, 4, 8, 8), (1, 0, 8)])
def test_images_of_other_axes_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="1 channels and 2 spatial axes"):
        next(opened(tmp_path).probabilities(np.zeros(shape)))


def test_classifiers_take_images_of_their_shape_only(tmp_path: Path) -> None:
    model = opened(tmp_path, task="classification", input_shape=[1, 8, 8])
    with pytest.raises(ValueError, match=r"images of the shape \(1, 8, 8\)"):
        next(model.probabilities(np.zeros((1, 8, 9))))


def test_white_must_be_the_value_that_it_was_in_training(tmp_path: Path) -> None:
    model = opened(tmp_path, white=255.0)
    joined(model.probabilities(np.full((1, 8, 8), 200, np.uint8)))
    joined(model.probabilities(np.full((1, 8, 8), 200.0)))
    for wrong in (np.full((1, 8, 8), 200, np.uint16), np.full((1, 8, 8), 0.5)):
        with pytest.raises(ValueError, match="another value for white"):
            next(model.probabilities(wrong))


def test_unknown_options_and_devices_are_refused(tmp_path: Path, image: np.ndarray) -> None:
    model = opened(tmp_path)
    with pytest.raises(ValueError, match="tta='rot90'"):
        next(model.probabilities(image, tta="rot90"))
    with pytest.raises(ValueError, match="tile=0"):
        next(model.probabilities(image, tile=0))
    wrong: Any = "tpu"
    with pytest.raises(ValueError, match="device='tpu'"):
        OnnxModel(tmp_path / "model.onnx", device=wrong)


@pytest.mark.parametrize(
    "wrong", [{"task": "regression"}, {"n_axes": "two"}, {"tile": None}, {"classes": 3}]
)
def test_metadata_that_make_no_sense_are_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    path = write(tmp_path / "model.onnx", proto(), **wrong)
    with pytest.raises(ValueError, match="The metadata of .* are damaged"):
        OnnxModel(path)


def test_a_graph_that_onnx_runtime_refuses_is_named(tmp_path: Path) -> None:
    model = proto()
    model.graph.node[0].op_type = "NoSuchOperator"
    path = write(tmp_path / "model.onnx", model)
    with pytest.raises(ValueError, match="ONNX Runtime .* cannot load .*model.onnx"):
        OnnxModel(path)


def test_parameters_of_the_reader_are_read(tmp_path: Path) -> None:
    reader = {"resize": 64, "nodata": "nan", "colors": [[[255, 0, 0], 1], [[0, 0, 0], 0]]}
    found = opened(tmp_path, reader=reader).reader
    assert found.resize == 64
    assert np.isnan(found.nodata or 0)
    assert found.colors == {(255, 0, 0): 1, (0, 0, 0): 0}


_WITHOUT_TORCH = """
import sys
from importlib.abc import MetaPathFinder

class Blocked(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "sklearn", "scipy", "skorch", "optuna", "onnx"}:
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocked())
import numpy as np
from sklearnloss._files import FileReader
from sklearnloss._predict.onnx_model import OnnxModel
model = OnnxModel(sys.argv[1])
for path in sys.argv[2:]:
    image = FileReader().image(path)
    for start, band in model.probabilities(np.asarray(image.values)[None]):
        print(start, band.shape, int((band[1] > 0.5).sum()))
"""


@pytest.mark.slow
def test_files_are_predicted_without_torch(tmp_path: Path) -> None:
    picture = import_or_skip("PIL.Image")
    opened(tmp_path)
    image = np.zeros((20, 30), np.uint8)
    image[5:9] = 1
    paths = [tmp_path / f"{k}.png" for k in range(2)]
    for path in paths:
        picture.fromarray(image).save(path)
    files = [str(path) for path in (tmp_path / "model.onnx", *paths)]
    arguments = [sys.executable, "-c", _WITHOUT_TORCH, *files]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # 2 x + .5 is positive everywhere.
    assert done.stdout.splitlines() == ["0 (2, 20, 30) 600"] * 2
