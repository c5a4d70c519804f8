from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.svm import SVC

from sklearnloss import LossSearchCV, ResNetClassifier, UNetSegmenter, compare_losses
from sklearnloss.tuning._comparison import fit_log as _fit_journal
from sklearnloss.tuning._comparison.fit_log import FitJournal, open_fit_journal

HEADER = {"random_state": 7, "data": "abc"}
DETAILS = {"data": {"n": 64, "unit": "images", "parts": {}}}
OLD = b'{"sklearnloss comparison": 1, "random_state": 7, "data": "abc"}\n'
FIRST = OLD[:-2] + b', "details": ' + json.dumps(DETAILS).encode() + b"}\n"
FIT: dict[str, Any] = {
    "loss": "dice",
    "settings": "s",
    "split": "p",
    "random_state": 1,
    "status": "ok",
    "reason": "",
    "scores": {"score": 0.5},
    "fit_seconds": 1.0,
    "images": None,
}


def _line(**changed: Any) -> bytes:
    return json.dumps({**FIT, **changed}).encode() + b"\n"


def test_a_journal_of_fits_is_read_back(tmp_path: Path) -> None:
    journal = FitJournal(tmp_path / "new" / "fits.jsonl")
    assert (journal.header, journal.lines) == (None, [])
    journal.begin(HEADER, DETAILS)
    journal.append(FIT)
    assert journal.path.read_bytes() == FIRST + _line()
    again = FitJournal(journal.path)
    assert (again.header, again.lines) == ({**HEADER, "details": DETAILS}, [FIT])


def test_a_second_equal_first_line_is_no_fit(tmp_path: Path) -> None:
    # Of two comparisons that began at once.
    (tmp_path / "f").write_bytes(FIRST + FIRST + _line())
    assert FitJournal(tmp_path / "f").lines == [FIT]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"\n", "blank"),
        (b"  \n", "blank"),
        (b"[1, 2]\n", r"not a JSON object, but '\[1, 2\]'"),
        (b"not JSON\n", "not a JSON object"),
        (b"\xff\n", "not a JSON object"),
        (b"[" * 100_000 + b"\n", "not a JSON object"),
        (b'{"a": 1}\n', "no fit of a comparison"),
        (_line(scores=[0.5]), "no fit of a comparison"),
        (_line(random_state="1"), "no fit of a comparison"),
        (_line().replace(b'"images"', b'"pictures"'), "no fit of a comparison"),
        (OLD.replace(b"7", b"8"), "no fit of a comparison"),
        (_line(scores={"score": "abc"}), "no fit of a comparison"),
        (_line(scores={"score": None}), "no fit of a comparison"),
        (_line(scores={"score": float("inf")}), "no fit of a comparison"),
        (_line(scores={}), "no fit of a comparison"),
        (_line(status="failed"), "no fit of a comparison"),
        (_line(status="other"), "no fit of a comparison"),
        (_line(images=["a"]), "no fit of a comparison"),
        (_line(images=[[1]]), "no fit of a comparison"),
        (_line(baseline=[1]), "no fit of a comparison"),
        (_line(baseline={"score": "x"}), "no fit of a comparison"),
        (_line(fit_seconds=True), "no fit of a comparison"),
        (_line(random_state=-1), "no fit of a comparison"),
    ],
)
def test_a_line_that_is_no_fit_is_named(line: bytes, what: str, tmp_path: Path) -> None:
    content = FIRST + _line() + line + _line()
    (tmp_path / "fits.jsonl").write_bytes(content)
    with pytest.raises(ValueError, match=rf"fits\.jsonl' is damaged: line 3 is {what}"):
        FitJournal(tmp_path / "fits.jsonl")
    assert (tmp_path / "fits.jsonl").read_bytes() == content


@pytest.mark.parametrize(
    ("first", "message"),
    [
        (b'{"sklearnloss comparison": "x", "random_state": 1}\n', "line 1 is not a header"),
        (b'{"sklearnloss comparison": true, "random_state": 1}\n', "line 1 is not a header"),
        (b'{"sklearnloss comparison": 1}\n', "line 1 is not a header of a comparison"),
        (OLD[:-2] + b', "details": 3}\n', "line 1 is not a header of a comparison"),
        (b'{"sklearnloss comparison": 9}\n', "has version 9 of the format, but"),
        (b'{"sklearnloss comparison": 1,\n', "line 1 is not a JSON object"),
        (b'{"a": 1}\n', "was not written by compare_losses, or is damaged: line 1 begins with"),
        (bytes(100) + b"a scan", "was not written by compare_losses"),
        (b"\n" + FIRST, "was not written by compare_losses"),
    ],
)
def test_a_first_line_of_something_else_is_named(
    first: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / "fits.jsonl").write_bytes(first)
    with pytest.raises(ValueError, match=rf"fits\.jsonl' .*{message}"):
        FitJournal(tmp_path / "fits.jsonl")
    assert (tmp_path / "fits.jsonl").read_bytes() == first


@pytest.mark.parametrize("torn", [b"", FIRST[:1], FIRST[:-1], bytes(100)])
def test_a_file_torn_in_its_first_line_is_new(torn: bytes, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(torn)
    journal = FitJournal(tmp_path / "f")
    journal.begin(HEADER, DETAILS)
    assert journal.path.read_bytes() == FIRST


@pytest.mark.parametrize("torn", [_line()[:-1], b"{", bytes(100)])
def test_a_torn_last_line_is_cut_off(torn: bytes, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(FIRST + _line() + torn)
    assert FitJournal(tmp_path / "f").lines == [FIT]
    assert (tmp_path / "f").read_bytes() == FIRST + _line()


@pytest.mark.parametrize(
    ("first", "what"),
    [
        (FIRST, "data: 64 -> 32 images"),
        (OLD, "other data"),  # files of older versions have no details
    ],
)
def test_another_comparison_is_refused(first: bytes, what: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(first + _line())
    now = {"data": {**DETAILS["data"], "n": 32}}
    journal = FitJournal(tmp_path / "f")
    with pytest.raises(ValueError, match=f"holds fits of another comparison: {what}. Pass"):
        journal.begin({**HEADER, "data": "xyz"}, now)
    journal.begin(HEADER, now)  # details are not compared
    assert (tmp_path / "f").read_bytes() == first + _line()


@pytest.mark.parametrize(
    "given",
    ["postgresql://me:secret@host/db", "sqlite:///s.db", Path("postgresql://me:secret@h/d")],
)
def test_the_address_of_a_database_is_refused_before_anything_is_written(
    given: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    search = LossSearchCV(SVC(), storage=given)
    for storage in (given, search.storage):
        with pytest.raises(ValueError, match="is the address of a database, which only") as caught:
            compare_losses(UNetSegmenter(), ["dice"], [0], [0], storage=storage)
        assert "secret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("torn", [b"", b"{"])
def test_a_journal_on_a_read_only_disk_is_read(
    torn: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "f").write_bytes(FIRST + _line() + torn)
    monkeypatch.setattr(_fit_journal, "open", _read_only, raising=False)
    monkeypatch.setattr(os, "truncate", _read_only)
    with open_fit_journal(tmp_path / "f") as journal:
        assert journal is not None
        assert journal.lines == [FIT]
        with pytest.raises(OSError, match="Read-only file system"):
            journal.append(FIT)
    with pytest.raises(OSError, match="Read-only file system"), open_fit_journal(tmp_path / "g"):
        pass


def _read_only(path: Any, mode: Any) -> None:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)


@pytest.mark.parametrize("images", [None, [0.5]])
def test_scores_of_other_images_than_those_of_the_split_are_refused(
    images: Any, tmp_path: Path
) -> None:
    path = tmp_path / "fits.jsonl"
    X, y = np.random.default_rng(0).random((8, 8, 8), dtype="f4"), np.arange(8) % 2
    model = ResNetClassifier(width=2, max_epochs=1)
    compare_losses(model, ["brier"], X, y, cv=2, random_state=0, storage=path)
    first, second, rest = path.read_bytes().split(b"\n", 2)
    changed = json.dumps({**json.loads(second), "images": images}).encode()
    path.write_bytes(b"\n".join([first, changed, rest]))
    with pytest.raises(ValueError, match=r"damaged: fit 1 has [01] scores of images, expected 4"):
        compare_losses(model, ["brier"], X, y, cv=2, random_state=0, storage=path)


@pytest.mark.parametrize("name", ["a" * 300, "file/in/a/file"])
def test_a_file_that_cannot_be_made_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(OSError, match="storage='.*' cannot be opened: .*Pass the path of a file"),
        open_fit_journal(tmp_path / name),
    ):
        pass


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (
        pytest.raises(ValueError, match="pipe' is a device or a pipe"),
        open_fit_journal(tmp_path / "pipe"),
    ):
        pass
