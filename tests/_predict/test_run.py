"""Files become masks and tables, in a folder that knows what is finished."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sklearnloss._files import FileReader
from sklearnloss._files.read import read_image, read_mask
from sklearnloss._predict import predict_one, read_input
from sklearnloss._predict.writing import OutputError

from ..optional import import_or_skip
from .helpers import BrightModel, files_in, folder_of, picture, predict

RECORDS = ["predictions.json", "predictions.jsonl"]


def read(path: Any) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_masks_have_the_labels_and_the_size_of_their_image(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", "a.png", "sub/b.bmp")
    found = predict(BrightModel((3, 200)), folder, tmp_path / "out")
    assert [row["file"] for row in found] == ["a.png", "sub/b.bmp"]
    for seed, row in enumerate(found):
        mask = read(row["mask"])
        assert mask.dtype == np.uint8
        assert mask.tolist() == np.where(picture(seed) > 127, 200, 3).tolist()
    assert files_in(tmp_path / "out") == ["a.png", *RECORDS, "sub/b.png"]


def test_labels_of_16_bits_are_written_as_tiff(tmp_path: Path) -> None:
    tifffile = import_or_skip("tifffile")
    folder = folder_of(tmp_path / "in", "a.png")
    (row,) = predict(BrightModel((0, 300)), folder, tmp_path / "out")
    assert row["mask"].endswith("a.tif")
    assert tifffile.imread(row["mask"]).dtype == np.uint16


def test_inputs_that_differ_in_their_ending_keep_it(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", "a.png", "a.bmp", "b.png")
    predict(BrightModel(), folder, tmp_path / "out")
    assert files_in(tmp_path / "out") == ["a.bmp.png", "a.png.png", "b.png", *RECORDS]


def test_the_output_of_one_file_is_not_taken_for_that_of_another(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", "a.png", "a.bmp")
    first = predict(BrightModel(), folder / "a.bmp", tmp_path / "out")
    second = predict(BrightModel(), folder / "a.png", tmp_path / "out")
    assert second.n_skipped == 0
    assert first[0]["mask"] != second[0]["mask"]
    assert read(second[0]["mask"]).tolist() == (picture(0) > 127).tolist()
    assert read(first[0]["mask"]).tolist() == (picture(1) > 127).tolist()


def test_no_image_is_replaced_by_its_mask(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", "a.png")
    for overwrite in (False, True):
        with pytest.raises(ValueError, match="would be replaced by its mask"):
            predict(BrightModel(), folder, folder, overwrite=overwrite)
    assert read(folder / "a.png").tolist() == picture(0).tolist()


def test_a_file_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    folder, output = folder_of(tmp_path / "in", "a.png"), tmp_path / "out"
    output.mkdir()
    (output / "a.png").write_text("precious")
    for _ in range(2):  # the first call must not make the folder one of predictions
        with pytest.raises(ValueError, match="exists and was not written by predict"):
            predict(BrightModel(), folder, output)
        assert (output / "a.png").read_text() == "precious"
        assert files_in(output) == ["a.png"]
    predict(BrightModel(), folder, output, overwrite=True)
    assert read(output / "a.png").shape == (13, 17)


def test_a_table_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    folder, output = folder_of(tmp_path / "in", "a.png"), tmp_path / "out"
    output.mkdir()
    for name, model, options in (
        ("objects.csv", BrightModel(), {"instances": True}),
        ("labels.csv", BrightModel(task="classification"), {}),
    ):
        (output / name).write_text("precious")
        with pytest.raises(ValueError, match=f"{name}' exists and was not written by predict"):
            predict(model, folder, output, **options)
        assert (output / name).read_text() == "precious"
    assert files_in(output) == ["labels.csv", "objects.csv"]
    predict(BrightModel(), folder, output)


def test_files_that_came_later_are_not_replaced(tmp_path: Path) -> None:
    folder, output = folder_of(tmp_path / "in", "a.png"), tmp_path / "out"
    predict(BrightModel(), folder, output)
    (output / "b.png").write_text("precious")
    folder_of(folder, "a.png", "b.png")
    with pytest.raises(ValueError, match="exists and was not written by predict"):
        predict(BrightModel(), folder, output)
    assert (output / "b.png").read_text() == "precious"


@pytest.mark.parametrize("killed", [False, True])
def test_masks_beside_the_images_are_no_images(tmp_path: Path, killed: bool) -> None:
    folder = folder_of(tmp_path, "a.bmp")
    predict(BrightModel(), folder, folder)
    log = folder / "predictions.jsonl"
    if killed:  # after the mask was written, before it was recorded
        log.write_bytes(log.read_bytes().splitlines(keepends=True)[0])
    for overwrite in (False, True):
        again = predict(BrightModel(), folder, folder, overwrite=overwrite)
        assert [row["file"] for row in again] == ["a.bmp"]
    assert files_in(folder) == ["a.bmp", "a.png", *RECORDS]
    with pytest.raises(ValueError, match="all of them were written by predict"):
        predict(BrightModel(), folder / "a.png", folder)


def test_a_record_without_its_model_finishes_nothing(tmp_path: Path) -> None:
    folder, output = folder_of(tmp_path / "in", "a.png"), tmp_path / "out"
    predict(BrightModel(), folder, output)
    (output / "predictions.json").unlink()
    found = predict(BrightModel(threshold=0.9), folder, output, digest="e")
    assert found.n_skipped == 0
    assert read(output / "a.png").tolist() == (picture(0) > 0.9 * 255).tolist()


def test_a_damaged_record_is_ignored_line_by_line(tmp_path: Path) -> None:
    folder, output = folder_of(tmp_path / "in", "a.png", "b.png"), tmp_path / "out"
    predict(BrightModel(), folder, output)
    log, name = output / "predictions.jsonl", json.dumps(str(folder / "a.png"))
    entry = '"state": [1], "row": {}, "objects": []'
    lines = ["[" * 100_000, '"ab"', '["x", 3]', '["x", {}]', '{"planned": [1]}', '{"a": 1, "b": 2}']
    lines += [f'[{name}, {{"file": "a", "outputs": {{"mask": 3}}, {entry}}}]']
    lines += [f'[{name}, {{"file": 1, "outputs": {{}}, {entry}}}]']
    log.write_text(log.read_text() + "\n".join(lines))
    assert predict(BrightModel(), folder, output).n_skipped == 2
    (output / "predictions.json").write_text("[" * 100_000)
    with pytest.raises(ValueError, match="is damaged, or was not written by predict"):
        predict(BrightModel(), folder, output)


def test_an_image_that_changes_during_its_prediction_is_not_finished(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", "a.png")
    change = BrightModel(hook=lambda: Image.fromarray(picture(9)).save(folder / "a.png"))
    predict(change, folder, tmp_path / "out")
    assert predict(BrightModel(), folder, tmp_path / "out").n_skipped == 0


def test_changes_inside_of_a_folder_that_is_an_image_are_seen(tmp_path: Path) -> None:
    zarr = import_or_skip("zarr")
    array = zarr.create_array(str(tmp_path / "in" / "a.zarr"), shape=(8, 8), dtype="u1")
    array[:] = 1
    predict(BrightModel(), tmp_path / "in", tmp_path / "out")
    assert predict(BrightModel(), tmp_path / "in", tmp_path / "out").n_skipped == 1
    (chunk,) = (tmp_path / "in" / "a.zarr").rglob("c/0/0")
    before = chunk.read_bytes()
    array[:] = 200
    assert chunk.read_bytes() != before
    found = predict(BrightModel(), tmp_path / "in", tmp_path / "out")
    assert found.n_skipped == 0
    assert read_mask(found[0]["mask"]).all()


def test_names_of_the_length_that_the_disk_allows(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", f"{'x' * 251}.png", "a.png", "=a.png")
    found = predict(BrightModel(), folder, tmp_path / "out", probabilities=True)
    assert [row["file"][:4] for row in found] == ["./=a", "a.pn", "xxxx"]  # no formula
    found = predict(BrightModel((0, 300)), folder, tmp_path / "other", format="png")
    assert found.errors == {}
    np.save(folder / f"{'x' * 251}.npy", picture(0))
    found = predict(BrightModel(), folder, tmp_path / "both", overlays=True, format="tiff")
    assert len(found) == 2
    assert "too long to be written" in "".join(found.errors.values())


def test_options_may_be_numbers_of_numpy(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", "a.png")
    numpy = {"min_size": np.int64(2), "border": np.int64(2), "tile": (np.int64(8), 8)}
    predict(BrightModel((0, 1, 2)), folder, tmp_path / "out", instances=True, **numpy)
    plain = {"min_size": 2, "border": 2, "tile": (8, 8)}
    again = predict(BrightModel((0, 1, 2)), folder, tmp_path / "out", instances=True, **plain)
    assert again.n_skipped == 1


def test_a_scene_has_the_colors_of_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tifffile = import_or_skip("tifffile")
    np.save(tmp_path / "bool.npy", picture(0) > 127)
    colors = np.stack([picture(k) for k in range(4)], -1)
    tifffile.imwrite(tmp_path / "alpha.tif", colors, photometric="rgb")
    channels = {"photometric": "minisblack", "metadata": {"axes": "CYX"}}
    tifffile.imwrite(tmp_path / "channels.tif", np.moveaxis(colors, -1, 0).copy(), **channels)
    model = BrightModel(reader=FileReader(color="gray"))
    whole = predict(model, tmp_path, tmp_path / "whole", probabilities=True)
    monkeypatch.setattr(read_input, "SCENE_BYTES", 0)
    bands = predict(model, tmp_path, tmp_path / "bands", probabilities=True)
    assert list(whole.errors.values()) == list(bands.errors.values())
    assert ["channels.tif" in path for path in whole.errors] == [True]
    assert [row["file"] for row in whole] == ["alpha.tif", "bool.npy"]
    for one, other in zip(whole, bands, strict=True):
        expected = read_image(one["probabilities"]).values
        assert (read_image(other["probabilities"]).values == expected).all()


def test_the_output_may_be_below_the_images(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "a.png")
    predict(BrightModel(), folder, folder / "masks")
    again = predict(BrightModel(), folder, folder / "masks")
    assert (len(again), again.n_skipped) == (1, 1)
    other = predict(BrightModel(), folder, folder / "others", threshold=0.9)
    assert [row["file"] for row in other] == ["a.png"]


def test_finished_files_are_skipped_unless_the_image_changed(tmp_path: Path) -> None:
    folder, output = folder_of(tmp_path / "in", "a.png", "b.png", "c.png"), tmp_path / "out"
    calls: list[int] = []
    model = BrightModel(hook=lambda: calls.append(0))
    first = predict(model, folder, output, instances=True)
    Image.fromarray(picture(9)).save(folder / "b.png")
    (output / "c.png").unlink()
    second = predict(model, folder, output, instances=True)
    assert (len(calls), second.n_skipped) == (5, 1)
    assert second[0] == first[0]
    assert read(output / "b.png").tolist() == (picture(9) > 127).tolist()
    rows = list(csv.DictReader((output / "objects.csv").read_text().splitlines()))
    assert len(rows) == len(second.objects)
    assert {row["file"] for row in rows} == {"a.png", "b.png", "c.png"}


def test_other_models_and_options_need_overwrite(tmp_path: Path) -> None:
    folder, output = folder_of(tmp_path / "in", "a.png"), tmp_path / "out"
    predict(BrightModel(), folder, output)
    with pytest.raises(ValueError, match="by another model.*--overwrite"):
        predict(BrightModel(), folder, output, digest="e")
    with pytest.raises(ValueError, match="with threshold=None.*--overwrite"):
        predict(BrightModel(), folder, output, threshold=0.9)
    found = predict(BrightModel(), folder, output, threshold=0.9, overwrite=True)
    assert found.n_skipped == 0
    assert read(output / "a.png").tolist() == (picture(0) > 0.9 * 255).tolist()


def test_an_interrupted_call_keeps_what_is_finished(tmp_path: Path) -> None:
    folder, output = folder_of(tmp_path / "in", *(f"{k}.png" for k in range(4))), tmp_path / "out"
    calls: list[int] = []

    def interrupt_third() -> None:
        calls.append(0)
        if len(calls) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict(BrightModel(hook=interrupt_third), folder, output, instances=True)
    assert files_in(output / "objects") == ["0.tif", "1.tif"]
    assert (output / "objects.csv").exists()
    found = predict(BrightModel(hook=interrupt_third), folder, output, instances=True)
    assert (len(calls), found.n_skipped, len(found)) == (5, 2, 4)


_KILLED = """
import sys
from pathlib import Path
from tests._predict.helpers import BrightModel, predict
calls = []
def block_third():
    calls.append(0)
    if len(calls) == 3:
        print("third", flush=True)
        sys.stdin.read()
folder = Path(sys.argv[1])
predict(BrightModel(hook=block_third), folder / "in", folder / "out")
"""


@pytest.mark.slow
def test_a_killed_process_is_resumed(tmp_path: Path) -> None:
    folder, output = folder_of(tmp_path / "in", *(f"{k}.png" for k in range(4))), tmp_path / "out"
    with subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"third\n"
        if os.name == "posix":
            with pytest.raises(ValueError, match="Another process is writing"):
                predict(BrightModel(), folder, output)
        process.send_signal(signal.SIGKILL)
    with (output / "predictions.jsonl").open("ab") as file:
        file.write(b'["cut off')
    found = predict(BrightModel(), folder, output)
    assert (found.n_skipped, len(found)) == (2, 4)
    assert predict(BrightModel(), folder, output).n_skipped == 4
    assert [name for name in files_in(output) if name.endswith(".png")] == [
        f"{k}.png" for k in range(4)
    ]


def test_a_hostile_folder_does_not_stop_the_good_files(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", "good.png", "truncated.png", "new\nline\x1b[2J.png")
    data = (folder / "truncated.png").read_bytes()
    (folder / "truncated.png").write_bytes(data[:60])
    (folder / "empty.png").touch()
    (folder / "text.tif").write_text("not an image")
    (folder / "notes.txt").write_text("no image, and not named like one")
    (folder / "missing.png").symlink_to(tmp_path / "nowhere")
    Image.fromarray(picture(0, (4, 5, 3))).save(folder / "color.png")
    found = predict(BrightModel(), folder, tmp_path / "out", instances=True)
    assert [row["file"] for row in found] == ["good.png", "new\\nline\\x1b[2J.png"]
    names = ["color.png", "empty.png", "missing.png", "text.tif", "truncated.png"]
    assert sorted(Path(path).name for path in found.errors) == names
    reasons = {Path(path).name: reason for path, reason in found.errors.items()}
    assert reasons["empty.png"] == "it is empty."
    assert "trained on images of 2 axes and 1 channel" in reasons["color.png"]
    table = (tmp_path / "out" / "objects.csv").read_text()
    assert "\x1b" not in table
    assert "new\\nline\\x1b[2J.png,1,1," in table


def test_a_disk_that_cannot_be_written_ends_the_call(tmp_path: Path) -> None:
    folder, output = folder_of(tmp_path / "in", "a.png"), tmp_path / "out"
    output.mkdir()
    (output / "probabilities").write_text("in the way")
    with pytest.raises(OutputError, match="probabilities.*cannot be written"):
        predict(BrightModel(), folder, output, probabilities=True)
    with pytest.raises(ValueError, match="is a file"):
        predict(BrightModel(), folder, output / "probabilities")


def test_labels_of_images_are_a_table(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name, level in [("dark", 30), ("light", 240)]:
        Image.fromarray(np.full((4, 4), level, np.uint8)).save(folder / f"{name}.png")
    model = BrightModel(("night", "day"), task="classification")
    found = predict(model, folder, tmp_path / "out")
    assert [row["label"] for row in found] == ["night", "day"]
    with (tmp_path / "out" / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [list(row) for row in rows[:1]] == [
        ["file", "label", "probability_night", "probability_day"]
    ]
    assert [float(row["probability_day"]) for row in rows] == pytest.approx(
        [30 / 255, 240 / 255], abs=1e-5
    )
    sure = predict(model, folder, tmp_path / "sure", threshold=0.99)
    assert [row["label"] for row in sure] == ["night", "night"]
    assert predict(model, folder, tmp_path / "out").n_skipped == 2


def test_without_an_output_arrays_are_returned(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "a.png")
    (row,) = predict(BrightModel(), folder, None, probabilities=True, instances=True)
    assert row["mask"].tolist() == (picture(0) > 127).tolist()
    assert row["probabilities"].shape == (2, 13, 17)
    assert row["objects"].max() == row["n_objects"]
    assert files_in(tmp_path) == ["a.png"]


def test_the_size_of_the_file_comes_back_after_resizing(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    image = np.repeat(np.repeat(picture(3, (6, 9)), 7, 0), 7, 1)
    Image.fromarray(image).save(folder / "a.png")
    reader = FileReader(resize=16)
    found = predict(
        BrightModel(reader=reader), folder, tmp_path / "out", probabilities=True, format="npy"
    )
    proba = np.load(found[0]["probabilities"])
    assert proba.shape == (2, 42, 63)
    small = reader.image(folder / "a.png").values
    expected = reader.restore((np.ma.filled(small, 0) / 255).astype(np.float32), (42, 63))
    np.testing.assert_allclose(proba[1], expected, atol=1e-6)
    assert np.load(found[0]["mask"]).tolist() == (proba[1] > 0.5).tolist()


@pytest.mark.parametrize("kind", ["tif", "npy"])
def test_a_scene_in_bands_equals_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    tifffile = import_or_skip("tifffile")
    image = picture(5, (43, 37))
    (tmp_path / "in").mkdir()
    source = tmp_path / "in" / f"a.{kind}"
    if kind == "tif":
        tifffile.imwrite(source, image, tile=(16, 16))
    else:
        np.save(source, image)
    load = tifffile.imread if kind == "tif" else np.load
    options: dict[str, Any] = {"probabilities": True, "instances": True, "min_size": 2}
    whole = predict(BrightModel(), source, tmp_path / "whole", **options)
    monkeypatch.setattr(read_input, "SCENE_BYTES", 1000)
    monkeypatch.setattr(read_input, "read_image", None)  # it must not be read whole
    bands = predict(BrightModel(), source, tmp_path / "bands", **options)
    assert whole.errors == bands.errors == {}
    for key in ("mask", "probabilities", "objects"):
        one, other = load(whole[0][key]), load(bands[0][key])
        assert one.dtype == other.dtype
        assert (one == other).all()
    assert whole.objects == bands.objects
    assert len(whole.objects) > 3


@pytest.mark.parametrize("in_bands", [False, True])
@pytest.mark.parametrize(
    ("classes", "label"), [((0, 1), 255), ((0, 255), 254), ((-1, 3), 127), ((1, 300), 65535)]
)
def test_masks_say_where_there_are_no_data(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    in_bands: bool,
    classes: tuple[int, int],
    label: int,
) -> None:
    tifffile = import_or_skip("tifffile")
    image = picture(5, (43, 37)).clip(1)
    image[:7, 5:30] = image[20:, 30:] = 200
    nodata = (42113, "s", 0, "200", True)
    tifffile.imwrite(tmp_path / "a.tif", image, tile=(16, 16), extratags=[nodata])
    if in_bands:
        monkeypatch.setattr(read_input, "SCENE_BYTES", 1000)
    model = BrightModel(classes)
    model.masked_value = 255  # so it predicts objects where there are no data
    found = predict(model, tmp_path / "a.tif", tmp_path / "out", instances=True)
    assert found.errors == {}
    expected = np.where(image > 127, classes[1], classes[0])
    expected[image == 200] = label
    with tifffile.TiffFile(found[0]["mask"]) as file:
        assert (file.asarray() == expected).all()
        assert int(file.pages.first.tags[42113].value) == label
    assert (tifffile.imread(found[0]["objects"])[image == 200] == 0).all()
    # Other kinds of files cannot declare it: they hold what the model predicts there.
    found = predict(model, tmp_path / "a.tif", tmp_path / "npy", format="npy")
    assert set(np.unique(np.load(found[0]["mask"]))) == set(classes)


def test_what_a_scene_cannot_get_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "a.npy", picture(0, (40, 40)))
    monkeypatch.setattr(read_input, "SCENE_BYTES", 1000)
    monkeypatch.setattr(predict_one, "OBJECT_BYTES", 1000)

    def reason(output: str | None, **options: Any) -> str:
        where = None if output is None else tmp_path / output
        (text,) = predict(BrightModel(), tmp_path / "a.npy", where, **options).errors.values()
        return text

    assert "Leave out overlays" in reason("1", overlays=True)
    assert "Leave out instances" in reason("2", instances=True)
    assert "Pass format='tiff'" in reason("3", format="png")
    assert "Pass an output folder" in reason(None)
    assert not [name for name in files_in(tmp_path) if name.endswith((".png", "unfinished"))]


def test_a_georeference_is_kept(tmp_path: Path) -> None:
    tifffile = import_or_skip("tifffile")
    scale, tie = (0.5, 0.5, 0.0), (0.0, 0.0, 0.0, 400000.0, 5600000.0, 0.0)
    tags = [(33550, 12, 3, scale, True), (33922, 12, 6, tie, True)]
    tifffile.imwrite(tmp_path / "a.tif", picture(1), extratags=tags)
    (row,) = predict(
        BrightModel(), tmp_path / "a.tif", tmp_path / "out", probabilities=True, instances=True
    )
    for key in ("mask", "probabilities", "objects"):
        with tifffile.TiffFile(row[key]) as file:
            page = file.pages.first
            assert page.tags[33550].value == scale
            assert page.tags[33922].value == tie


def test_a_position_in_space_and_the_size_of_voxels_are_kept(tmp_path: Path) -> None:
    nibabel = import_or_skip("nibabel")
    affine = np.array([[-0.5, 0, 0, 11], [0, 2, 0, -7], [0, 0, 3, 5], [0, 0, 0, 1.0]])
    volume = picture(2, (7, 8, 9))
    nibabel.save(nibabel.Nifti1Image(volume, affine), tmp_path / "a.nii.gz")
    model = BrightModel(n_axes=3)
    found = predict(model, tmp_path / "a.nii.gz", tmp_path / "out", instances=True, overlays=True)
    assert found.errors == {}
    mask = nibabel.load(found[0]["mask"])
    assert found[0]["mask"].endswith("a.nii.gz")
    np.testing.assert_allclose(mask.affine, affine)
    assert (np.asarray(mask.dataobj) == (volume > 127)).all()
    assert read(found[0]["overlays"]).ndim == 3
    first = found.objects[0]
    assert first["area"] == pytest.approx(3.0 * first["area_pixels"])


def test_overlays_outline_regions_of_dim_images(tmp_path: Path) -> None:
    tifffile = import_or_skip("tifffile")
    image = np.full((20, 20), 100, np.uint8)
    image[5:12, 5:12] = 250
    folder = tmp_path / "in"
    folder.mkdir()
    tifffile.imwrite(folder / "a.tif", image)
    (row,) = predict(BrightModel(), folder, tmp_path / "out", overlays=True)
    drawn = read(row["overlays"])
    assert drawn.shape == (20, 20, 3)
    colored = (drawn != drawn[..., :1]).any(-1)
    expected = np.zeros((20, 20), bool)
    expected[5:12, 5:12] = True
    expected[6:11, 6:11] = False
    assert colored.tolist() == expected.tolist()


def test_objects_without_scipy_are_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(tmp_path / "in", "a.png")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install scipy"):
        predict(BrightModel(), folder, tmp_path / "out", instances=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "pgn"}, "format='pgn'.*Did you mean 'png'"),
        ({"tta": "rotate"}, "tta='rotate'"),
        ({"tile": 0}, "tile=0: expected a positive number"),
        ({"threshold": 2}, "threshold=2"),
        ({"n_jobs": 0}, "n_jobs=0: expected a number of processes"),
        ({"min_size": 3}, "also set instances=True"),
        ({"min_size": -1, "instances": True}, "min_size=-1"),
        ({"border": 1}, "also set instances=True"),
        ({"border": 7, "instances": True}, "border=7 is not the label"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    folder = folder_of(tmp_path / "in", "a.png")
    with pytest.raises((ValueError, TypeError), match=message):
        predict(BrightModel(), folder, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_classifiers_and_volumes_refuse_what_is_for_masks(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", "a.png")
    with pytest.raises(ValueError, match="overlays=True is for masks"):
        predict(BrightModel(task="classification"), folder, tmp_path / "out", overlays=True)
    with pytest.raises(ValueError, match="format='png' cannot hold volumes"):
        predict(BrightModel(n_axes=3), folder, tmp_path / "out", format="png")


def test_a_model_with_borders_separates_objects(tmp_path: Path) -> None:
    image = np.array([[0, 255, 255, 255, 0]] * 3, np.uint8)
    np.save(tmp_path / "a.npy", image)

    class BorderModel(BrightModel):
        def probabilities(self, image: Any, **_: Any) -> Any:
            yield 0, np.eye(3, dtype=np.float32)[:, np.array([[0, 1, 2, 1, 0]] * 3)]

    model = BorderModel((0, 1, 2), reader=FileReader(masks="border"))
    (row,) = predict(model, tmp_path / "a.npy", None, instances=True)
    assert row["n_objects"] == 2
    plain = BorderModel((0, 1, 2))
    (row,) = predict(plain, tmp_path / "a.npy", None, instances=True)
    assert row["n_objects"] == 3
    (row,) = predict(plain, tmp_path / "a.npy", None, instances=True, border=2)
    assert row["objects"].tolist() in ([[0, 1, 1, 2, 0]] * 3, [[0, 1, 2, 2, 0]] * 3)


def test_the_record_says_what_was_done(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", "a.png")
    predict(BrightModel(threshold=0.25), folder, tmp_path / "out")
    record = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert (record["model"], record["threshold"]) == ("d", 0.25)
