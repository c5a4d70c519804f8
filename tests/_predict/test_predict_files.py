"""Fitted estimators, and files of them, predict files."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import nn

from sklearnloss import FileReader, ResNetClassifier, UNetSegmenter, predict_files
from sklearnloss._predict import read_input
from sklearnloss._predict_files import open_model

from ..command_line import main
from ..optional import import_or_skip
from .helpers import files_in, folder_of, picture


class SquaredError(nn.Module):
    """A loss of the user."""

    def forward(self, logits: Any, targets: Any) -> Any:
        return (logits.sigmoid() - targets.float()).square().mean()


def fitted(**params: Any) -> UNetSegmenter:
    X = np.stack([picture(seed, (16, 24)) for seed in range(3)])
    model = UNetSegmenter(width=4, depth=2, max_epochs=1, random_state=0, **params)
    model.fit(X, np.where(X > 127, 7, 0).astype(np.uint8))
    return model


@pytest.fixture(scope="module")
def model() -> UNetSegmenter:
    return fitted()


@pytest.fixture(scope="module")
def saved(model: UNetSegmenter, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    model.save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return folder_of(tmp_path / "in", "a.png", "sub/b.png")


def test_masks_are_what_the_estimator_predicts(
    model: UNetSegmenter, folder: Path, tmp_path: Path
) -> None:
    found = predict_files(model, folder, tmp_path / "out", probabilities=True, format="npy")
    for seed, row in enumerate(found):
        X = picture(seed)[None]
        mask = np.load(row["mask"])
        assert mask.dtype == np.uint8
        assert mask.tolist() == model.predict(X)[0].tolist()
        assert (np.load(row["probabilities"]) == model.predict_proba(X)[0]).all()


def test_a_file_of_the_model_is_the_same_model(
    model: UNetSegmenter, saved: Path, folder: Path, tmp_path: Path
) -> None:
    first = predict_files(model, folder, tmp_path / "out")
    assert predict_files(saved, folder, tmp_path / "out").n_skipped == len(first) == 2
    other = fitted(class_weight={0: 1, 7: 3})
    with pytest.raises(ValueError, match="by another model"):
        predict_files(other, folder, tmp_path / "out")


def test_options_reach_the_estimator(model: UNetSegmenter, tmp_path: Path) -> None:
    X = picture(4, (1, 40, 50))
    np.save(tmp_path / "a.npy", X[0])

    def proba(**options: Any) -> np.ndarray:
        (row,) = predict_files(model, tmp_path / "a.npy", probabilities=True, **options)
        return np.asarray(row["probabilities"])

    for name, value in (("tta", "flip"), ("tile", 16)):
        changed = fitted(**{name: value})
        assert (proba(**{name: value}) == changed.predict_proba(X)[0]).all()
        assert (proba(**{name: value}) != proba()).any()


def test_the_models_own_threshold_is_used(folder: Path) -> None:
    model = fitted()
    X = picture(0)[None]
    model.threshold_ = float(np.quantile(model.predict_proba(X)[0, 1], 0.8))
    (row, _) = predict_files(model, folder)
    assert row["mask"].tolist() == model.predict(X)[0].tolist()
    assert 0.1 < (row["mask"] == 7).mean() < 0.3


def test_images_are_read_as_in_training(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    image = picture(2, (20, 30, 3))
    Image.fromarray(image).save(folder / "a.png")
    reader = FileReader(color="gray", resize=16)
    model = fitted(reader=reader)
    (row,) = predict_files(model, folder, tmp_path / "out", probabilities=True, format="npy")
    small = reader.image(folder / "a.png").values
    expected = reader.restore(model.predict_proba(small[None])[0], (20, 30))
    np.testing.assert_allclose(np.load(row["probabilities"]), expected, atol=1e-6)


@pytest.mark.parametrize("tile", [16, None])  # None: it has many channels rather than pixels
def test_a_scene_is_predicted_as_a_whole_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tile: int | None
) -> None:
    model = fitted(tile=tile)
    X = picture(6, (1, 70, 50))
    np.save(tmp_path / "a.npy", X[0])
    monkeypatch.setattr(read_input, "SCENE_BYTES", 5000)
    monkeypatch.setattr(read_input, "read_image", None)
    (row,) = predict_files(model, tmp_path / "a.npy", tmp_path / "out", probabilities=True)
    assert (np.load(row["probabilities"]) == model.predict_proba(X)[0]).all()
    assert (np.load(row["mask"]) == model.predict(X)[0]).all()


def test_masks_of_several_labels(tmp_path: Path) -> None:
    tifffile = import_or_skip("tifffile")
    X = np.stack([picture(seed, (16, 24)) for seed in range(3)])
    y = np.stack([X > 127, X > 60], 1).astype(np.uint8) * 255
    model = UNetSegmenter(width=4, depth=2, max_epochs=1, multilabel=True, random_state=0).fit(X, y)
    folder = folder_of(tmp_path / "in", "a.png")
    (row,) = predict_files(model, folder, tmp_path / "out", instances=True, overlays=True)
    mask = tifffile.imread(row["mask"])
    assert mask.tolist() == model.predict(picture(0)[None])[0].tolist()
    assert set(np.unique(mask)) <= {0, 255}
    assert tifffile.imread(row["objects"]).shape == (2, 13, 17)


def test_classifiers_write_a_table(tmp_path: Path) -> None:
    X = np.stack([picture(seed, (13, 17)) for seed in range(4)])
    model = ResNetClassifier(width=4, max_epochs=1, random_state=0).fit(X, ["cat", "dog"] * 2)
    folder = folder_of(tmp_path / "in", "a.png", "b.png")
    Image.fromarray(picture(0, (5, 5))).save(folder / "c.png")
    found = predict_files(model, folder, tmp_path / "out")
    assert [row["label"] for row in found] == model.predict(X[:2]).tolist()
    proba = [[row["probability_cat"], row["probability_dog"]] for row in found]
    np.testing.assert_allclose(proba, model.predict_proba(X[:2]), rtol=1e-6)
    (reason,) = found.errors.values()
    assert "fitted on images of shape (1, 13, 17)" in reason


def test_a_worker_process_opens_the_same_model(model: UNetSegmenter, saved: Path) -> None:
    for given in (model, saved):
        again = pickle.loads(open_model(given).reopen())(1)
        ((_, proba),) = again.probabilities(picture(0)[None])
        assert (proba == model.predict_proba(picture(0)[None])[0]).all()


def test_what_is_not_a_model_is_refused(model: UNetSegmenter, folder: Path) -> None:
    with pytest.raises(TypeError, match="model is a int"):
        predict_files(3, folder)
    with pytest.raises(ValueError, match="not a model"):
        predict_files(folder / "a.png", folder)
    with pytest.raises(FileNotFoundError, match="no file"):
        predict_files("missing.safetensors", folder)
    with pytest.raises(AttributeError, match="not fitted"):
        predict_files(UNetSegmenter(), folder)


def test_the_command_says_what_it_did(
    saved: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    command = ["predict", str(saved), str(folder), "--output", str(output), "--instances"]
    assert main(command) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == f"2 masks of labels 0, 7 in {output}."
    assert printed[3].startswith("file,number,class,area_pixels,area,centroid_y")
    (folder / "bad\n.png").write_bytes(b"\x89PNG")
    assert main(command) == 1
    captured = capsys.readouterr()
    assert captured.out.startswith(f"2 masks of labels 0, 7 in {output}, 2 of them by an earlier")
    assert "1 file could not be predicted:" in captured.err
    assert "bad\\n.png: it is not a picture" in captured.err
    only_bad = ["predict", str(saved), str(folder / "bad\n.png"), "--output", f"{output}2"]
    assert main(only_bad) == 1
    assert not capsys.readouterr().out
    assert main([*command, "--threshold", "0.9"]) == 2
    assert "Pass another output, or overwrite=True (--overwrite)" in capsys.readouterr().err
    assert main([*command, "--threshold", "0.9", "--overwrite", "--format", "tiff"]) == 1
    assert "sub/b.tif" in files_in(output)


def test_own_losses_are_named_in_the_command(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fitted(loss=SquaredError()).save(tmp_path / "own.safetensors")
    command = ["predict", str(tmp_path / "own.safetensors"), str(folder), "--output"]
    assert main([*command, str(tmp_path / "1")]) == 2
    assert "needs objects of your own: 'SquaredError'" in capsys.readouterr().err
    own = f"{__name__}:SquaredError()"
    assert main([*command, str(tmp_path / "2"), "--custom", own]) == 0
    assert main([*command, str(tmp_path / "3"), "--custom", "SquaredError"]) == 2
    assert "expected module:attribute" in capsys.readouterr().err


_WITHOUT_TORCH = """
import sys
from sklearnloss._cli import main
status = main(sys.argv[1:])
print(status, sorted({"torch", "sklearn", "optuna"} & set(sys.modules)))
"""


@pytest.mark.slow
def test_an_exported_model_needs_no_torch(
    model: UNetSegmenter, folder: Path, tmp_path: Path
) -> None:
    for name in ("onnx", "onnxscript", "onnxruntime"):
        import_or_skip(name)
    model.export(tmp_path / "model.onnx")
    output = tmp_path / "out"
    arguments = ["predict", str(tmp_path / "model.onnx"), str(folder), "--output", str(output)]
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_TORCH, *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.splitlines()[-1] == "0 []"
    expected = predict_files(model, folder)
    for row in expected:
        mask = np.asarray(Image.open(output / row["file"]))
        assert (mask != row["mask"]).mean() < 0.01
