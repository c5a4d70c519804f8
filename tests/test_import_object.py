"""Import of objects by ``module:attribute``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sklearnloss._utils.import_object import add_current_folder, import_object


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    return tmp_path


def test_the_current_folder_comes_last(folder: Path) -> None:
    before = list(sys.path)
    add_current_folder()
    add_current_folder()
    assert sys.path == [*before, str(folder)]
    (folder / "a_module_of_mine.py").write_text("value = 3")
    assert import_object("a_module_of_mine:value") == 3
    (folder / "colorsys.py").write_text("raise RuntimeError('a file of the user was run')")
    assert import_object("colorsys:rgb_to_hls").__module__ == "colorsys"


def test_python_may_forbid_the_current_folder(folder: Path) -> None:
    (folder / "a_module_of_mine.py").write_text("value = 3")
    root = Path(__file__).parent.parent
    code = (
        f"import sys; sys.path.append({str(root)!r})\n"
        "from sklearnloss._utils.import_object import import_object\n"
        "try: import_object('a_module_of_mine:value')\n"
        "except ValueError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    )
    assert "PYTHONSAFEPATH is set, so the current folder is not searched" in done.stdout


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere_to_be_found:x", r"No module named 'nowhere_to_be_found'\. Expected nowhere_to_"),
        ("lacks_another:x", r"Cannot find 'lacks_another:x': No module named 'not_there'\.$"),
        ("is_broken:x", r"Cannot import 'is_broken' for 'is_broken:x': NameError: name 'oops'"),
        ("colorsys:x", r"Cannot find 'colorsys:x': there is no 'x' in colorsys \(.*colorsys\.py\)"),
        (":x", r"Cannot import '' for ':x'"),
    ],
)
def test_what_cannot_be_imported_is_told(folder: Path, name: str, message: str) -> None:
    (folder / "lacks_another.py").write_text("import not_there")
    (folder / "is_broken.py").write_text("oops")
    with pytest.raises(ValueError, match=message):
        import_object(name)
