"""``sklearnloss compare``, from a folder of images to a report."""

from __future__ import annotations

import csv
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sklearnloss import LossSearchCV, ResNetClassifier, UNetSegmenter, load

from ._compare_command.helpers import prepare
from .command_line import main

TABLES = {"table.csv", "losses.csv", "images.csv", "summary.txt", "best_model.safetensors"}
STORED = {"settings.json", "search.journal", "comparison.jsonl"}
REPORTS = {"report.html", "report.json"}
PICTURES = {"comparison.png", *REPORTS}


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


@pytest.fixture
def pictures() -> None:
    """Draw the pictures of reports, which takes as long as everything else."""


@pytest.fixture(autouse=True)
def _only_wanted_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "pictures" not in request.fixturenames:
        monkeypatch.setitem(sys.modules, "matplotlib", None)


def command(data: Path, *more: str, output: str = "results") -> list[str]:
    small = ["--losses", "dice,bce", "--folds", "2", "--trials", "3", "--repeats", "1"]
    small += ["--epochs", "1", "--width", "2", "--device", "cpu"]
    return ["compare", str(data), *small, "--output", str(data.parent / output), *more]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def files(path: Path) -> set[str]:
    return {file.name for file in path.iterdir()}


@pytest.mark.slow
def test_it_writes_tables_a_report_a_picture_and_a_model(
    folder: Path, capsys: pytest.CaptureFixture[str], pictures: None
) -> None:
    assert main(command(folder, "--groups", r"p\d")) == 0
    printed, progress = capsys.readouterr()
    results = folder.parent / "results"
    assert files(results) == TABLES | STORED | PICTURES
    assert printed == (results / "summary.txt").read_text()
    assert (
        "8 images, 1 channel, uint8, 16 x 16 pixels; masks of the labels 0 (81 %), 255 (19 %); "
        in printed
    )
    assert "; 4 groups: p0 (2), p1 (2)" in printed
    assert "Tried 3 settings of 2 losses: " in printed
    assert "Searching: 3 settings on 2 folds." in progress
    table = rows(results / "table.csv")
    assert len(table) == 3
    assert {row["param_loss"] for row in table} == {"dice", "bce"}
    compared = rows(results / "losses.csv")
    assert {row["loss"] for row in compared} == {"dice", "bce"}
    assert float(compared[0]["mean"]) >= float(compared[1]["mean"])
    assert 0 < float(compared[0]["baseline"]) < 0.5
    assert f"scores {float(compared[0]['baseline']):.3f}".replace(" 0.", " .") in printed
    images = rows(results / "images.csv")
    assert {row["image"] for row in images} == files(folder / "images")
    means = [float(row["mean"]) for row in images]
    assert means == sorted(means)
    assert means[0] == pytest.approx((float(images[0]["dice"]) + float(images[0]["bce"])) / 2)
    assert (results / "comparison.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert f"Worst predicted images: {images[0]['image']} (" in printed
    report = (results / "report.html").read_text()
    assert 'src="http' not in report
    assert "The report browser of the documentation reads this folder" in report
    assert f"{images[0]['image']}</th>" in report
    first = printed.splitlines()[0]
    box = report.partition("<h2>Scores")[0]
    shown = '<code class="command">sklearnloss predict '
    assert (shown in box) == (not first.startswith("Nothing was learned"))
    assert f"<strong>{first}" in report
    assert f"Which loss for {folder}?" in report
    assert f"sklearnloss compare {folder} --losses dice,bce --folds 2 --groups" in report
    for part in ("Predictions", "Classes", "Learning curves", "What was tried", "Using the model"):
        assert f"<h2>{part}</h2>" in report
    assert "Worst: " in report
    model = load(results / "best_model.safetensors")
    assert isinstance(model, UNetSegmenter)
    assert model.get_params(deep=False)["loss"] == compared[0]["loss"]
    assert f"was trained on all images, with {compared[0]['loss']}." in printed
    assert f"sklearnloss predict {results / 'best_model.safetensors'} IMAGES" in printed
    pixels = [np.load(file) for file in sorted((folder / "images").iterdir())]
    assert set(np.unique(model.predict(np.stack(pixels)))) <= {0, 255}


@pytest.mark.slow
def test_a_finished_run_is_printed_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command(folder)) == 0
    first = capsys.readouterr().out
    results = folder.parent / "results"
    times = {file: file.stat().st_mtime_ns for file in results.iterdir()}
    assert main(command(folder)) == 0
    again = capsys.readouterr()
    assert again.out == first
    assert "is finished. There is nothing left to do." in again.err
    assert {file: file.stat().st_mtime_ns for file in results.iterdir()} == times


@pytest.mark.slow
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
    # At once, the search may stop candidates that it has finished here.
    assert {row["mean_test_score"] for row in rows(other / "table.csv")} <= {*scores, ""}
    pixels = np.stack([np.load(file) for file in sorted((folder / "images").iterdir())])
    models = [load(path / "best_model.safetensors") for path in (results, other)]
    np.testing.assert_array_equal(*(model.predict_proba(pixels) for model in models))


@pytest.mark.slow
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


def test_a_constant_answer_that_no_loss_beats_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    X = np.repeat(np.random.default_rng(0).normal(size=(1, 8, 8)), 20, axis=0)
    np.savez(tmp_path / "data.npz", X=X, y=["ship"] * 16 + ["plane"] * 4)
    assert main(command(tmp_path / "data.npz", "--losses", "focal", "--trials", "1")) == 0
    printed = capsys.readouterr().out
    assert (
        "20 images, 1 channel, float64, 8 x 8 pixels; 2 classes: plane (4), ship (16)." in printed
    )
    assert "scored by balanced_accuracy" in printed
    (row,) = rows(tmp_path / "results" / "losses.csv")
    assert float(row["baseline"]) == float(row["mean"]) == 0.5
    assert "Nothing was learned: the best loss, focal, scores .500, and a constant" in printed
    assert "Train longer: --epochs 3 and another --output; so far 1." in printed
    assert "max_epochs" not in printed


@pytest.mark.slow
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


@pytest.mark.slow
def test_without_matplotlib_only_pictures_are_missing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(folder)) == 0
    assert files(folder.parent / "results") == TABLES | STORED | REPORTS
    assert "pip install 'sklearnloss[plot]'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--losses", "dise"], "Unknown loss 'dise'"),
        (["--folds", "9"], "--folds 9: there are only 8 images."),
        (["--groups", "folder"], "--groups folder: 8 files are not in a subfolder"),
        (["--scoring", "accuracy"], "--scoring 'accuracy' is not a score for segmentation."),
        (["--task", "classification", "--groups", "(x"], "is not a regular expression"),
        (
            ["--groups", "p"],
            "--folds 2: there is only 1 group. Pass --groups with a pattern that tells",
        ),
        (["--losses", "dice,l2"], "has only penalties."),
        (["--output", "o\udce9"], "which is not a valid name for a model file."),
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


@pytest.mark.slow
def test_another_question_for_the_same_folder_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(folder)) == 0
    results = folder.parent / "results"
    before = {file: file.read_bytes() for file in results.iterdir()}
    assert main(command(folder, "--epochs", "2")) == 2
    assert "holds a run with --epochs 1, but now it is --epochs 2." in capsys.readouterr().err
    assert main(command(folder.parent / "typo", "--epochs", "2")) == 2
    assert "There is no file or folder" in capsys.readouterr().err
    for name in ("images", "masks"):
        first = min((folder / name).iterdir())
        (folder / name / first.name.replace("p0", "p9")).write_bytes(first.read_bytes())
    for trials in ("3", "4"):
        assert main(command(folder, "--trials", trials)) == 2
        told = capsys.readouterr().err
        assert f"on other data: then 8 images in '{folder}', now 9 images" in told
        assert "Pass another --output" in told
        assert "study_name" not in told
    assert {file: file.read_bytes() for file in results.iterdir()} == before


@pytest.mark.slow
def test_a_search_of_something_else_is_refused_in_words_of_the_command(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(command(folder, "--losses", "dice", "--trials", "1")) == 0
    fit = LossSearchCV.fit

    def fit_other(search: LossSearchCV, X: Any, y: Any) -> Any:
        search.estimator.set_params(depth=2)
        return fit(search, X, y)

    monkeypatch.setattr(LossSearchCV, "fit", fit_other)
    assert main(command(folder, "--losses", "dice", "--trials", "2")) == 2
    told = capsys.readouterr().err
    assert "depth 4 -> 2" in told
    assert told.strip().endswith("Pass another --output.")
    assert "study_name" not in told


@pytest.mark.slow
def test_a_run_that_failed_does_not_lock_its_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    X = np.random.default_rng(0).normal(size=(8, 8, 8))
    np.savez(tmp_path / "data.npz", X=X, y=[0, 1] * 4)
    assert main(command(tmp_path / "data.npz", "--losses", "hausdorff")) == 2
    assert "Distances need spatial axes" in capsys.readouterr().err
    assert main(command(tmp_path / "data.npz", "--losses", "focal")) == 0
    printed, progress = capsys.readouterr()
    assert "holds a different run that finished nothing. It is replaced." in progress
    assert "Tried 3 settings of 1 loss" in printed


@pytest.mark.slow
def test_results_inside_the_data_are_no_data(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    for name in ("images", "masks"):  # become classes
        (folder / name).rename(folder / f"of_{name}")
    small = [*command(Path(), "--losses", "focal", "--task", "classification", "--trials", "1")]
    here = small[: small.index("--output")] + small[small.index("--output") + 2 :]
    assert main(here) == 0
    assert files(folder / "sklearnloss-results") > TABLES
    (folder / "sklearnloss-results" / "summary.txt").unlink()  # as if it had been interrupted
    assert main([*here, "--trials", "2"]) == 0
    assert main([*here, "--output", "second"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("16 x 16 pixels; 2 classes: of_images (8), of_masks (8).") == 3
    assert main([*here, "--output", "of_images"]) == 2
    assert "is a folder of DATA that holds something other" in capsys.readouterr().err
    (folder / "file").touch()
    for name in ("file", "file/below"):
        assert main([*here, "--output", name]) == 2
        assert "is a file, or is below one. Expected a folder." in capsys.readouterr().err


@pytest.mark.slow
def test_losses_for_which_there_is_no_time_are_listed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    losses = ["--losses", "focal,dice,bce", "--timeout", "0.001"]
    assert main(command(folder, *losses)) == 0
    printed, progress = capsys.readouterr()
    assert "Tried 1 setting of 1 loss: 1 completed.\nNot tried: dice, bce.\n" in printed
    assert "for at most 0.001 s. Then the comparison takes 2 fits of each of the best 3" in progress
    assert "which --timeout does not limit." in progress
    assert "dice, bce" in (folder.parent / "results" / "report.html").read_text()


@pytest.mark.slow
def test_the_comparison_is_on_other_folds_than_the_search(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: dict[str, Any] = {}
    compare = LossSearchCV.compare

    def noting(search: LossSearchCV, *args: Any, **options: Any) -> Any:
        used["search"], used["comparison"] = search.cv, options["cv"]
        assert options["random_state"] != search.random_state
        return compare(search, *args, **options)

    monkeypatch.setattr(LossSearchCV, "compare", noting)
    assert main(command(folder, "--losses", "dice", "--trials", "1", "--repeats", "3")) == 0
    searched, compared = (
        [frozenset(test.tolist()) for _, test in used[name]] for name in ("search", "comparison")
    )
    assert len(searched) == 2
    assert len(set(compared)) == 3 * 2
    assert not set(searched) & set(compared)


@pytest.mark.slow
def test_folds_that_are_all_there_are_get_other_seeds(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    four = ["--groups", r"p\d", "--folds", "4", "--repeats", "2"]
    assert main(command(folder, "--losses", "dice", "--trials", "1", *four)) == 0
    printed, progress = capsys.readouterr()
    assert "compared below with other seeds:" in printed
    assert "1 loss, 4 splits x 2 seeds" in printed
    assert "Comparing 1 loss: 8 fits each" in progress


@pytest.mark.slow
def test_the_winner_of_the_comparison_is_trained_with_its_settings(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare = LossSearchCV.compare
    winner = []

    def upset(search: LossSearchCV, *args: Any, **options: Any) -> Any:
        search.best_per_loss_["dice"]["params"]["loss__eps"] = 0.25
        search.best_per_loss_["bce"]["params"]["loss__label_smoothing"] = 0.25
        comparison = compare(search, *args, **options)
        comparison.best_ = options["losses"][-1]
        winner.append(comparison.best_)
        return comparison

    monkeypatch.setattr(LossSearchCV, "compare", upset)
    assert main(command(folder, "--trials", "2")) == 0
    model = load(folder.parent / "results" / "best_model.safetensors")
    assert [model.loss] == winner
    name = {"dice": "loss__eps", "bce": "loss__label_smoothing"}[model.loss]
    assert model.get_params()[name] == 0.25


@pytest.mark.slow
def test_a_loss_of_ones_own_is_compared(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    monkeypatch.setattr(sys, "path", [*sys.path])
    source = "def squared(z, t):\n    return (z.sigmoid() - t).square().mean()\n"
    (folder.parent / "losses_in_here.py").write_text(source)
    own = ["--losses", "losses_in_here:squared", "--trials", "1"]
    assert main(command(folder, *own)) == 0
    assert str(folder.parent) in sys.path  # which worker processes are given
    printed = capsys.readouterr().out
    results = folder.parent / "results"
    assert [row["loss"] for row in rows(results / "losses.csv")] == ["losses_in_here:squared"]
    assert [row["param_loss"] for row in rows(results / "table.csv")] == ["losses_in_here:squared"]
    code = [line.strip() for line in printed.splitlines() if line.startswith("  from")]
    assert code == [
        "from losses_in_here import squared",
        "from sklearnloss import predict_files",
    ]
    (line,) = [line for line in printed.splitlines() if "sklearnloss predict" in line]
    _, *arguments = shlex.split(line.replace("IMAGES", str(folder / "images")))
    assert main(arguments) == 0
    assert "masks of labels 0, 255 in predictions." in capsys.readouterr().out
    model = load(
        results / "best_model.safetensors", {"squared": sys.modules["losses_in_here"].squared}
    )
    assert model.loss == sys.modules["losses_in_here"].squared
    (folder.parent / "losses_in_here.py").write_text(source.replace("z.sig", "1 - z.sig"))
    del sys.modules["losses_in_here"]
    assert main(command(folder, *own)) == 2
    assert "holds a run on other code of your own losses." in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_names_that_are_no_text_lose_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], pictures: None
) -> None:
    names = [b"caf\xe9.npy", b"=1+1.npy", b"\x1b]0;owned\x07.npy"]
    for name in ("images", "masks"):
        for old, new in zip(sorted((folder / name).iterdir()), names, strict=False):
            old.rename(os.fsdecode(os.fsencode(folder / name) + b"/" + new))
    (folder / "images" / "\x1b]0;owned\x07.txt").write_text("")
    assert main(command(folder)) == 0
    printed, progress = capsys.readouterr()
    assert "\x1b]" not in printed + progress
    assert "other files left out: \\x1b]0;owned\\x07.txt." in printed
    results = folder.parent / "results"
    assert files(results) == TABLES | STORED | PICTURES
    shown = {row["image"] for row in rows(results / "images.csv")}
    assert {"caf\\xe9.npy", "'=1+1.npy", "\\x1b]0;owned\\x07.npy"} < shown


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_data_that_are_read_batch_by_batch_may_move(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("images", "masks"):
        first = min((folder / name).iterdir())
        first.rename(os.fsdecode(os.fsencode(folder / name) + b"/caf\xe9.npy"))
        np.save(folder / name / "wide.npy", np.eye(16, 20, dtype=np.uint8) * 255)
    assert main(command(folder, "--losses", "dice", "--trials", "1")) == 0
    assert "read from files batch by batch" in capsys.readouterr().out
    moved = folder.rename(folder.parent / "moved")
    assert main(command(moved, "--losses", "dice", "--trials", "1")) == 0
    assert "is finished. There is nothing left to do." in capsys.readouterr().err
    assert main(command(moved, "--losses", "dice", "--trials", "2")) == 0
    assert "Tried 2 settings of 1 loss" in capsys.readouterr().out


@pytest.mark.slow
def test_a_model_that_cannot_be_trained_costs_no_result(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(UNetSegmenter, "save", fail)
        assert main(command(folder)) == 2
    results = folder.parent / "results"
    assert files(results) == TABLES - {"best_model.safetensors"} | STORED
    kept = (results / "summary.txt").read_text()
    assert "scored by mean IoU" in kept
    assert main(command(folder)) == 0
    assert capsys.readouterr().out.startswith(kept)


@pytest.mark.slow
@pytest.mark.parametrize("colors", [(), (3,)], ids=["gray", "colors"])
def test_what_is_said_of_the_model_works(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    colors: tuple[int, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    for k in range(4):
        pixels = rng.integers(0, 200, (12 + k, 10, *colors), dtype=np.uint8)
        path = tmp_path / "data" / "ab"[k % 2] / f"{'ab'[k % 2]}{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.fromarray(pixels).save(path)
    one = ["--losses", "focal", "--trials", "1", "--resize", "8"]
    assert main(command(tmp_path / "data", *one)) == 0
    printed = capsys.readouterr().out
    (line,) = [line for line in printed.splitlines() if "sklearnloss predict" in line]
    monkeypatch.chdir(tmp_path)
    _, *arguments = shlex.split(line.replace("IMAGES", "data/b"))
    assert main(arguments) == 0
    trained_on = prepare(tmp_path / "data", "--resize", "8").X[-1]
    assert trained_on.shape[-2:] == (8, 8)
    model = load(next(tmp_path.rglob("best_model.safetensors")))
    row = rows(tmp_path / "predictions" / "labels.csv")[-1]
    assert row["file"] == "b3.png"
    found = [float(row[f"probability_{label}"]) for label in model.classes_]
    np.testing.assert_allclose(found, model.predict_proba(trained_on[None])[0], rtol=1e-4)
    assert row["label"] == model.predict(trained_on[None])[0]


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
    long = command(folder, "--trials", "4", "--repeats", "4")
    results = folder.parent / "results"
    journal, fits = results / "search.journal", results / "comparison.jsonl"
    status, told = run_until(long, lambda: has_scored(journal), signal.SIGINT)
    assert status == 130
    assert told.strip().splitlines()[-1].endswith("is saved: run the same command to resume.")
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
    assert len(lines) == 1 + 2 * 2 * 4  # a header, and a line for every fit, once
    assert main(command(folder, "--trials", "4", "--repeats", "4", output="unbroken")) == 0
    again = capsys.readouterr().out
    for name in ("mean", "sd_folds"):
        whole = {row["loss"]: row[name] for row in rows(results / "losses.csv")}
        assert whole == {
            row["loss"]: row[name] for row in rows(results.parent / "unbroken" / "losses.csv")
        }
    assert printed.splitlines()[:4] == again.splitlines()[:4]


def test_help_is_quick_and_names_the_layouts(capsys: pytest.CaptureFixture[str]) -> None:
    code = (
        "import runpy, sys; sys.argv[1:] = ['compare', '--help']\n"
        "try: runpy.run_module('sklearnloss', run_name='__main__')\n"
        "except SystemExit: print('torch' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "images/ and masks/" in done.stdout
    assert done.stdout.splitlines()[-1] == "False False"
