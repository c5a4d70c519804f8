"""Import paths of worker processes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sklearnloss.tuning._search import worker_process
from sklearnloss.tuning._workers.pool import FAILED, Pool


@pytest.mark.slow
@pytest.mark.parametrize("searched", [False, True], ids=["not searched", "searched"])
def test_the_current_folder_is_searched_only_where_it_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, searched: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    here = [""] if searched else []
    monkeypatch.setattr(sys, "path", [*here, *(path for path in sys.path if path)])
    Path("optuna.py").write_text("raise SystemExit(77)")
    with Pool(tmp_path / "none", "s.journal", 1, "no digest", worker_process.__name__) as pool:
        status = pool.processes[0].wait()
    assert status == (77 if searched else FAILED)  # as there is no job
