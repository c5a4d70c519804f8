"""Exported files give what the estimators give."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sklearnloss import FileReader, ImageSegmenter, UNetSegmenter
from sklearnloss._predict.onnx_file import KEY
from sklearnloss._predict.onnx_model import OnnxModel
from sklearnloss.estimators._export import mixin, network

from ..conftest import Data, classifier, segmenter

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


def images_of(spatial: tuple[int, ...], n_channels: int = 1) -> np.ndarray:
    """Return two images."""
    values = np.random.default_rng(sum(spatial)).normal(0.3, 1, (2, n_channels, *spatial))
    return values.astype(np.float32)


def check(model: Any, path: Path, sizes: list[tuple[int, ...]], n_channels: int = 1) -> None:
    """Compare a file with its estimator on images of several sizes."""
    session = onnxruntime.InferenceSession(path)
    exported = OnnxModel(path)
    for spatial in sizes:
        images = images_of(spatial, n_channels)
        proba, labels = model.predict_proba(images), model.predict(images)
        found, codes = session.run(["probabilities", "labels"], {"images": images})
        np.testing.assert_allclose(found, proba, rtol=0, atol=1e-5)
        if labels.dtype.kind == "U":
            codes = model.classes_[codes]
        np.testing.assert_array_equal(codes, labels)
        for image, expected in zip(images, proba, strict=True):
            ((start, band),) = exported.probabilities(image)
            assert start == 0
            np.testing.assert_allclose(band, expected, rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exported")


@pytest.fixture(scope="module")
def binary(folder: Path, binary_scenes: Data) -> tuple[UNetSegmenter, Path]:
    """A segmenter of two classes whose labels are 3 and 7, and its file."""
    X, y = binary_scenes
    model = segmenter(depth=1, max_epochs=2).fit(X, y * 4 + 3)
    model.export(folder / "binary.onnx")
    return model, folder / "binary.onnx"


@pytest.mark.slow
def test_images_of_twenty_odd_sizes(binary: tuple[UNetSegmenter, Path]) -> None:
    rng = np.random.default_rng(0)
    sizes = [(1, 1), (1, 7), (2, 2), *(tuple(rng.integers(3, 70, 2)) for _ in range(17))]
    check(*binary, sizes)


@pytest.mark.slow
def test_tiles_mirrored_images_and_masked_pixels(binary: tuple[UNetSegmenter, Path]) -> None:
    model, path = binary
    exported = OnnxModel(path)
    image = images_of((45, 70))[0]
    masked = np.ma.masked_greater(image, 1.0)
    try:
        for tile, tta in ((16, None), ((20, 33), "flip"), (None, "mirror")):
            expected = model.set_params(tile=tile, tta=tta).predict_proba(masked[None])[0]
            bands = list(exported.probabilities(masked, tile=tile, tta=tta))
            found = np.concatenate([band for _, band in bands], 1)
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
            assert (len(bands) > 1) == (tile is not None)
    finally:
        model.set_params(tile=None, tta=None)


@pytest.mark.slow
def test_metadata_say_what_is_needed_to_predict(binary: tuple[UNetSegmenter, Path]) -> None:
    session = onnxruntime.InferenceSession(binary[1])
    found = json.loads(session.get_modelmeta().custom_metadata_map[KEY])
    expected = {"task": "segmentation", "classes": [3, 7], "n_axes": 2, "n_channels": 1}
    assert expected.items() <= found.items()
    assert found["padding"] == {"multiple": 2, "least": 2, "only_size": None}
    assert found["versions"]["torch"] == torch.__version__
    (image,) = session.get_inputs()
    assert (image.name, image.shape) == ("images", ["n", 1, "height", "width"])
    assert [each.name for each in session.get_outputs()] == ["probabilities", "labels", "scores"]


@pytest.mark.slow
def test_three_classes_of_volumes(tmp_path: Path) -> None:
    X = images_of((8, 8, 8))
    model = segmenter(depth=1, norm="batch", max_epochs=2).fit(X, np.digitize(X[:, 0], [-0.3, 0.3]))
    model.export(tmp_path / "model.onnx")
    check(model, tmp_path / "model.onnx", [(5, 9, 12), (1, 2, 3)])


@pytest.mark.slow
def test_multilabel_masks_of_pictures_scaled_as_imagenet(tmp_path: Path) -> None:
    X = np.random.default_rng(0).integers(0, 256, (2, 3, 16, 16)).astype(np.uint8)
    model = segmenter(depth=1, multilabel=True, normalize="imagenet", norm="none")
    model.fit(X, (X > 99).astype(np.uint8) * 255).export(tmp_path / "model.onnx")
    (labels,) = onnxruntime.InferenceSession(tmp_path / "model.onnx").run(
        ["labels"], {"images": X.astype(np.float32)}
    )
    np.testing.assert_array_equal(labels, model.predict(X))
    exported = OnnxModel(tmp_path / "model.onnx")
    ((_, band),) = exported.probabilities(X[0])
    np.testing.assert_allclose(band, model.predict_proba(X)[0], rtol=0, atol=1e-5)
    assert exported.mask_values == [0, 255]
    with pytest.raises(ValueError, match="another value for white"):
        next(exported.probabilities(X[0] / 255))


@pytest.mark.slow
def test_classifiers_of_names(tmp_path: Path) -> None:
    reader = FileReader(nodata=np.nan, colors={(255, 0, 0): 1})
    X = np.concatenate([images_of((8, 9))] * 3)[:, 0]
    model = classifier(reader=reader).fit(X, list("abcabc"))
    model.export(tmp_path / "model.onnx")
    check(model, tmp_path / "model.onnx", [(8, 9)])
    exported = OnnxModel(tmp_path / "model.onnx")
    assert exported.classes == ["a", "b", "c"]
    assert repr(exported.reader.get_params()) == repr(reader.get_params())


class OnlySize(nn.Module):
    """A network for images of one size."""

    def __init__(self, in_channels: int, n_outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, n_outputs, 1)
        self.position = nn.Parameter(torch.randn(1, 1, 16, 16))

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.conv(x) + self.position
        return scores


@pytest.mark.slow
def test_a_network_for_one_size_refuses_larger_images(tmp_path: Path, scenes: Data) -> None:
    model = ImageSegmenter(OnlySize, max_epochs=1, random_state=0).fit(*scenes)
    model.export(tmp_path / "model.onnx")
    check(model, tmp_path / "model.onnx", [(16, 16), (5, 11)])
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    with pytest.raises(Exception, match="must be >= 0"):
        session.run(["labels"], {"images": images_of((17, 16))})
    image = images_of((40, 30))[0]
    found = [band for _, band in OnnxModel(tmp_path / "model.onnx").probabilities(image)]
    expected = model.set_params(tile=16).predict_proba(image[None])[0]
    np.testing.assert_allclose(np.concatenate(found, 1), expected, rtol=0, atol=1e-5)


class Undecided(nn.Module):
    """A network that torch cannot export."""

    def __init__(self, in_channels: int, n_outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, n_outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.conv(x)
        return scores if scores.mean() > 0 else 2 * scores


@pytest.mark.slow
def test_a_network_that_torch_cannot_export_is_named(
    tmp_path: Path, scenes: Data, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ImageSegmenter(Undecided, max_epochs=1).fit(*scenes)
    (tmp_path / "model.onnx").write_bytes(b"older")
    with pytest.raises(ValueError, match="network Undecided cannot be exported.*data-dependent"):
        model.export(tmp_path / "model.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    assert (tmp_path / "model.onnx").read_bytes() == b"older"
    assert "forward" not in capsys.readouterr().out


@pytest.fixture(scope="module")
def fitted(binary_scenes: Data) -> UNetSegmenter:
    model = segmenter(depth=1)
    model.fit(*binary_scenes)
    return model


@pytest.mark.slow
def test_a_file_with_other_probabilities_is_not_written(
    tmp_path: Path, binary: tuple[UNetSegmenter, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, path = binary
    module = copy.deepcopy(model.module_)
    exported = network.Exported(None, module, multiple=2, least=2)
    monkeypatch.setattr(mixin, "export_network", lambda model: exported)
    monkeypatch.setattr(mixin, "_file", lambda model, exported: path.read_bytes())
    model.export(tmp_path / "right.onnx")
    with torch.no_grad():
        list(module.parameters())[-1].add_(1e-3)
    with pytest.raises(ValueError, match="differ from the estimator's by up to"):
        model.export(tmp_path / "model.onnx")
    assert [each.name for each in tmp_path.iterdir()] == ["right.onnx"]


def test_a_path_that_cannot_be_written_is_refused_first(
    tmp_path: Path, fitted: UNetSegmenter
) -> None:
    with pytest.raises(IsADirectoryError, match="is a folder"):
        fitted.export(tmp_path)
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        fitted.export(tmp_path / "none" / "model.onnx")


def test_too_large_a_network_is_refused(
    tmp_path: Path, fitted: UNetSegmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "MOST_BYTES", 1000)
    with pytest.raises(ValueError, match="cannot be larger than 2 GB"):
        fitted.export(tmp_path / "model.onnx")


def test_a_missing_library_is_named(
    tmp_path: Path, fitted: UNetSegmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearnloss\[onnx\]'"):
        fitted.export(tmp_path / "model.onnx")


def test_without_onnx_runtime_the_file_is_not_compared(
    tmp_path: Path, fitted: UNetSegmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.warns(UserWarning, match="not compared with the estimator"):
        mixin._verify(fitted, network.Exported(None, fitted.module_), tmp_path)


def test_an_estimator_must_be_fitted(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="not fitted"):
        UNetSegmenter().export(tmp_path / "model.onnx")
