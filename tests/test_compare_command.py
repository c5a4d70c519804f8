"""``sklearnloss compare``, from a folder of images to a report."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sklearnloss import ResNetClassifier, UNetSegmenter, load
from sklearnloss._cli import main

TABLES = {"table.csv", "losses.csv", "images.csv", "summary.txt", "best_model.safetensors"}
STORED = {"settings.json", "search.journal", "comparison.jsonl"}
PICTURES = {"comparison.png", "report.html"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of eight images of blobs and their masks."""
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (tmp_path / "data" / name).mkdir(parents=True)
    for k in range(8):
        mask = np.zeros((16, 16), np.uint8)
        row, column = rng.integers(0, 9, 2)
        mask[row : row + 7, column : column + 7] = 255
        image = (mask / 2 + rng.integers(0, 60, mask.shape)).astype(np.uint8)
        np.save(tmp_path / "data" / "images" / f"p{k // 2}_{k}.npy", image)
        np.save(tmp_path / "data" / "masks" / f"p{k // 2}_{k}_mask.npy", mask)
    return tmp_path / "data"


def command(data: Path, *more: str, output: str = "results") -> list[str]:
    small = ["--losses", "dice,bce", "--folds", "2", "--trials", "3", "--repeats", "1"]
    small += ["--epochs", "1", "--width", "2", "--device", "cpu"]
    return ["compare", str(data), *small, "--output", str(data.parent / output), *more]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def files(path: Path) -> set[str]:
    return {file.name for file in path.iterdir()}


def test_it_writes_tables_a_report_a_picture_and_a_model(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(folder, "--groups", r"p\d")) == 0
    printed, progress = capsys.readouterr()
    results = folder.parent / "results"
    assert files(results) == TABLES | STORED | PICTURES
    assert printed == (results / "summary.txt").read_text()
    assert "8 images (16 x 16), masks of the labels 0, 255; 4 groups" in printed
    assert "Tried 3 settings of 2 losses: " in printed
    assert "Searching: 3 settings in 2 folds." in progress
    table = rows(results / "table.csv")
    assert len(table) == 3
    assert {row["param_loss"] for row in table} == {"dice", "bce"}
    compared = rows(results / "losses.csv")
    assert {row["loss"] for row in compared} == {"dice", "bce"}
    assert float(compared[0]["mean"]) >= float(compared[1]["mean"])
    images = rows(results / "images.csv")
    assert {row["image"] for row in images} == files(folder / "images")
    means = [float(row["mean"]) for row in images]
    assert means == sorted(means)
    assert means[0] == pytest.approx((float(images[0]["dice"]) + float(images[0]["bce"])) / 2)
    assert (results / "comparison.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    report = (results / "report.html").read_text()
    assert 'src="http' not in report
    model = load(results / "best_model.safetensors")
    assert isinstance(model, UNetSegmenter)
    assert model.get_params(deep=False)["loss"] == compared[0]["loss"]
    assert f"was trained on all images, with {compared[0]['loss']}." in printed
    pixels = [np.load(file) for file in sorted((folder / "images").iterdir())]
    assert set(np.unique(model.predict(np.stack(pixels)))) <= {0, 255}


def test_a_finished_run_is_printed_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command(folder)) == 0
    first = capsys.readouterr().out
    results = folder.parent / "results"
    times = {file: file.stat().st_mtime_ns for file in results.iterdir()}
    assert main(command(folder)) == 0
    again = capsys.readouterr()
    assert again.out == first
    assert "is finished. Nothing is left to do." in again.err
    assert {file: file.stat().st_mtime_ns for file in results.iterdir()} == times


def test_more_trials_and_repeats_go_on_with_what_is_there(folder: Path) -> None:
    assert main(command(folder)) == 0
    results = folder.parent / "results"
    before = rows(results / "table.csv")
    fits = (results / "comparison.jsonl").read_text().splitlines()
    assert main(command(folder, "--trials", "4", "--repeats", "2")) == 0
    after = rows(results / "table.csv")
    assert len(after) == 4
    scores = {row["mean_test_score"] for row in after}
    assert {row["mean_test_score"] for row in before} <= scores
    assert (results / "comparison.jsonl").read_text().splitlines()[: len(fits)] == fits
    assert main(command(folder, "--trials", "4", "--repeats", "2", output="other")) == 0
    other = folder.parent / "other"
    assert {row["mean_test_score"] for row in rows(other / "table.csv")} == scores


def test_classes_are_compared_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12, 8, 8, 3)) + np.repeat([0, 2], 6)[:, None, None, None]
    np.savez(tmp_path / "data.npz", X=X, y=np.repeat(["cat", "dog"], 6))
    options = ["--losses", "focal,hinge", "--scoring", "balanced_accuracy", "--top", "1"]
    assert main(command(tmp_path / "data.npz", *options)) == 0
    assert "scored by balanced_accuracy" in capsys.readouterr().out
    model = load(tmp_path / "results" / "best_model.safetensors")
    assert isinstance(model, ResNetClassifier)
    assert set(model.predict(X)) <= {"cat", "dog"}
    assert len(rows(tmp_path / "results" / "losses.csv")) == 1


def test_pictures_of_unlike_sizes_are_compared(folder: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for name, end in (("images", ""), ("masks", "_mask")):
        large = np.zeros((20, 24), np.uint8)
        large[4:14, 4:14] = 255
        image.fromarray(large).save(folder / name / f"p9_9{end}.png")
    assert main(command(folder, "--losses", "dice")) == 0
    model = load(folder.parent / "results" / "best_model.safetensors")
    (mask,) = model.predict([folder / "images" / "p9_9.png"])
    assert mask.shape == (20, 24)


def test_without_matplotlib_only_pictures_are_missing(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(command(folder)) == 0
    assert files(folder.parent / "results") == TABLES | STORED
    assert "pip install 'sklearnloss[plot]'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--losses", "dise"], "Unknown loss 'dise'"),
        (["--folds", "9"], "--folds 9: there are only 8 images."),
        (["--groups", "folder"], "--groups folder: 8 files lie in no subfolder"),
        (["--scoring", "accuracy"], "--scoring 'accuracy' is no score for segmentation."),
        (["--task", "classification", "--groups", "(x"], "is no regular expression"),
    ],
)
def test_mistakes_are_told_in_one_line_before_any_training(
    folder: Path, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    assert main(command(folder, *more)) == 2
    printed, told = capsys.readouterr()
    last = told.strip().splitlines()[-1]
    assert printed == ""
    assert last.startswith("sklearnloss compare: ")
    assert message in last
    assert "Traceback" not in told
    assert not (folder.parent / "results").exists()


def test_another_question_for_the_same_folder_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = folder.parent / "results"
    results.mkdir()
    (results / "settings.json").write_text(json.dumps({"question": {"epochs": 5}}))
    assert main(command(folder)) == 2
    assert "holds a run with " in capsys.readouterr().err
    assert files(results) == {"settings.json"}


def run_until(arguments: Sequence[str], done: Any, how: signal.Signals) -> tuple[int, str]:
    """Start the command, end it with a signal once something is there, and return its status."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sklearnloss", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heed_interrupts,
    )
    while not done() and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(how)
    _, told = process.communicate()
    return process.returncode, told


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever started the tests may ignore them


def has_scored(journal: Path) -> bool:
    return journal.exists() and b'"state":1,' in journal.read_bytes()


def n_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="processes end in another way there")
def test_what_was_interrupted_goes_on_and_ends_as_if_it_had_not_been(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = command(folder, "--trials", "6", "--repeats", "6")
    results = folder.parent / "results"
    journal, fits = results / "search.journal", results / "comparison.jsonl"
    status, told = run_until(long, lambda: has_scored(journal), signal.SIGINT)
    assert status == 130
    assert told.strip().splitlines()[-1].endswith("is kept: the same command goes on.")
    # Python itself prints what arrives while an object is being freed.
    assert "Traceback" not in told or "Exception ignored" in told
    assert not fits.exists()
    status, _ = run_until(long, lambda: n_lines(fits) > 4, signal.SIGKILL)
    assert status == -signal.SIGKILL
    kept = fits.read_text().splitlines()
    assert main(long) == 0
    printed = capsys.readouterr().out
    lines = fits.read_text().splitlines()
    assert lines[: len(kept) - 1] == kept[:-1]  # the last may have been torn
    assert len(lines) == 1 + 2 * 2 * 6  # a header, and a line for every fit, once
    assert main(command(folder, "--trials", "6", "--repeats", "6", output="unbroken")) == 0
    again = capsys.readouterr().out
    for name in ("mean", "sd_folds"):
        whole = {row["loss"]: row[name] for row in rows(results / "losses.csv")}
        assert whole == {
            row["loss"]: row[name] for row in rows(results.parent / "unbroken" / "losses.csv")
        }
    assert printed.splitlines()[:4] == again.splitlines()[:4]


def test_help_is_quick_and_names_the_layouts(capsys: pytest.CaptureFixture[str]) -> None:
    code = (
        "import sys; from sklearnloss._cli import main\n"
        "try: main(['compare', '--help'])\n"
        "except SystemExit: print('torch' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "images/ and masks/" in done.stdout
    assert done.stdout.splitlines()[-1] == "False False"
