"""Errors and exit statuses of the command line."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from sklearnloss import LossSearchCV

from .command_line import main


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check-loss", "foo"], "check-loss: Unknown loss 'foo'."),
        (["check-loss", "l2"], "is a penalty, which does not use scores."),
        (["check-loss", "os:nothing"], "check-loss: Cannot find 'os:nothing': there is no"),
        (["demo", "--epochs", "0"], "demo: --epochs 0: expected at least 1."),
        (["demo", "--jobs", "0"], "demo: --jobs 0: expected a number of processes"),
        (["demo", "--seed", "-1"], "demo: --seed -1: expected 0 to"),
        (["demo", "--output", "/not/here/x.png"], "there is no folder '/not/here'."),
        (["demo", "--output", "."], "demo: --output .: is a folder."),
        (["demo", "--output", "x.doc"], "demo: --output x.doc: expected a name that ends in"),
        (["worker", "--storage", "x", "--wait", "nan"], "worker: --wait nan: expected seconds"),
        (["worker", "--storage", "x", "--wait", "-1"], "worker: --wait -1: expected seconds"),
        (["compare", "nowhere"], "compare: There is no file or folder 'nowhere'."),
    ],
)
def test_mistakes_are_told_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    printed, told = capsys.readouterr()
    assert printed == ""
    assert told.count("\n") == 1
    assert told.startswith("sklearnloss ")
    assert message in told


def test_no_message_reaches_the_terminal_unescaped(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["compare", "\x1b]0;owned\x07"], ["check-loss", "\x1b]0;owned:\x07"]):
        assert main(arguments) == 2
        assert capsys.readouterr().err.removesuffix("\n").isprintable()


def test_what_the_terminal_cannot_show_is_escaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    np.savez(tmp_path / "data.npz", X=np.random.default_rng(0).normal(size=(4, 8, 8)), y=[0, 1] * 2)
    results = tmp_path / "results"
    command = ["compare", str(tmp_path / "data.npz"), "--folds", "2", "--output", str(results)]
    with monkeypatch.context() as patch:
        patch.setattr(LossSearchCV, "fit", interrupt)
        assert main(command) == 130
    # As if it had been finished.
    settings = json.loads((results / "settings.json").read_text())
    settings["finished"] = {"trials": 45, "timeout": None, "top": 5, "repeats": 2}
    (results / "settings.json").write_text(json.dumps(settings))
    (results / "summary.txt").write_text("\u00b1.01 caf\u00e9\n", encoding="utf-8")
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    assert main(command) == 0
    terminal.flush()
    assert terminal.buffer.getvalue() == b"\\xb1.01 caf\\xe9\n"


def test_the_worker_looks_in_the_current_folder_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert main(["worker", "--storage", str(tmp_path / "none.journal"), "--wait", "0"]) == 2
    assert sys.path[-1] == str(tmp_path)
    assert "" not in sys.path
    assert "No search named" in capsys.readouterr().err
