"""How the parts depend on each other, and what importing them costs."""

from __future__ import annotations

import ast
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import sklearnloss
from sklearnloss import __all__ as public
from sklearnloss import __file__ as package
from sklearnloss import __version__

ROOT = Path(package).parent
PARTS = {
    "_files": set(),
    "_predict": {"_files"},
    "losses": set(),
    "networks": set(),
    "metrics": set(),
    "datasets": set(),
    "estimators": {"_files", "_predict", "losses", "networks", "metrics"},
    "tuning": {"_files", "losses", "networks", "metrics", "estimators"},
}
LIBRARIES = {
    "_files": {"numpy"},
    "_predict": {"numpy"},
    "losses": {"torch"},
    "networks": {"torch"},
    "metrics": {"numpy", "scipy", "sklearn"},
}
LATE = {"numpy", "scipy", "matplotlib"}
# What reads and writes kinds of files, and runs exported models.
READERS = {"PIL", "SimpleITK", "nibabel", "onnxruntime", "tifffile", "tqdm", "zarr"}
# What has networks of its own, imported when one of them is asked for.
OTHERS = {"monai", "segmentation_models_pytorch", "timm", "torchvision"}


def imports(path: Path) -> list[tuple[str, bool]]:
    """Return (module, whether late or only for type checking) of all a file imports."""
    found = []
    package = path.relative_to(ROOT.parent).with_suffix("").parts[:-1]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    late = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.FunctionDef)
        or (isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test))
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            names = [".".join([*base, *filter(None, [node.module])])]
        found += [(name, id(node) in late) for name in names]
    return found


@pytest.mark.parametrize("part", PARTS)
def test_imports_only_look_downwards(part: str) -> None:
    for path in (ROOT / part).rglob("*.py"):
        for module, _ in imports(path):
            package, _, rest = module.partition(".")
            if package != "sklearnloss" or not rest:
                continue
            used = rest.partition(".")[0]
            assert used in {part, "_utils", "_version", *PARTS[part]}, f"{path} imports {module}"


@pytest.mark.parametrize("part", LIBRARIES)
def test_lower_parts_need_few_libraries(part: str) -> None:
    for path in (ROOT / part).rglob("*.py"):
        for module, late in imports(path):
            package = module.partition(".")[0]
            own = package == "sklearnloss" or package in sys.stdlib_module_names
            allowed = LIBRARIES[part] | (LATE | OTHERS | READERS if late else set())
            assert own or package in allowed, f"{path} imports {module}"


SUBPACKAGES = {
    "losses": ["_core", "", "_checks"],
    "networks": ["_adapt", ""],
    "estimators": ["_data", "_training", "_inference", "_persistence", "_export", "", "_displays"],
    "tuning": [
        "_evaluation",
        "_space",
        "_workers",
        "_ensemble",
        "_comparison",
        "_race",
        "_search",
    ],
}


@pytest.mark.parametrize("part", SUBPACKAGES)
def test_rooms_import_only_lower_rooms(part: str) -> None:
    for path in (ROOT / part).rglob("*.py"):
        if path.parent.parent != ROOT / part and path.name == "__init__.py":
            continue
        subpackage = "" if path.parent == ROOT / part else path.parent.name
        allowed = SUBPACKAGES[part][: SUBPACKAGES[part].index(subpackage) + 1]
        for module, _ in imports(path):
            names = module.split(".")[1:]
            if names and names[0] == part and len(names) > 1:
                used = names[1] if (ROOT / part / names[1]).is_dir() else ""
                assert used in allowed, f"{path} imports {module}"


@pytest.mark.parametrize("part", SUBPACKAGES)
def test_a_room_says_what_is_in_it(part: str) -> None:
    for folder in (path for path in (ROOT / part).iterdir() if (path / "__init__.py").exists()):
        tree = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
        assert folder.name in SUBPACKAGES[part]
        plan = ast.get_docstring(tree) or ""
        for module in (path.stem for path in folder.glob("*.py") if path.stem != "__init__"):
            assert f"``{module}``" in plan, f"{folder} does not name {module}"


def test_the_picture_of_the_rooms_is_that_of_the_imports() -> None:
    docs = ROOT.parent / "docs"
    graph = runpy.run_path(str(docs / "draw_subpackages.py"))["graph"]()
    page = (docs / "explanation" / "architecture.md").read_text(encoding="utf-8")
    assert graph in page, "run python docs/draw_subpackages.py --write"


def test_relative_imports_inside_the_package() -> None:
    for path in ROOT.rglob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert not line.startswith(("import sklearnloss", "from sklearnloss")), path


def run(code: str) -> str:
    """Run code in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT.parent, check=True
    )
    return done.stdout.strip()


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, sklearnloss; print(sorted({'torch', 'sklearn', 'optuna'} & set(sys.modules)))"
    )
    assert run(code) == "[]"


@pytest.mark.slow
def test_a_fit_needs_neither_optuna_nor_plotting() -> None:
    code = """
import sys, numpy as np
from sklearnloss import UNetSegmenter
X = np.random.default_rng(0).normal(size=(4, 8, 8))
UNetSegmenter(width=4, depth=1, max_epochs=1).fit(X, (X > 0).astype(int)).predict(X)
print(sorted({"optuna", "matplotlib", "monai", "kornia"} & set(sys.modules)))
"""
    assert run(code) == "[]"


def test_public_names_are_there() -> None:
    for name in public:
        assert getattr(sklearnloss, name) is not None
    assert set(public) == set(dir(sklearnloss))
    with pytest.raises(AttributeError, match="has no attribute 'LossSearch'"):
        _ = sklearnloss.LossSearch


def test_shortcuts_lead_to_the_parts() -> None:
    for name in ("estimators", "tuning"):
        shortcut = ROOT.parent / name
        if shortcut.exists() and shortcut.is_symlink():
            assert shortcut.resolve() == (ROOT / name).resolve()


def test_versions_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    sklearnloss.show_versions()
    shown = capsys.readouterr().out
    assert f"sklearnloss: {__version__}" in shown
    assert "torch: " in shown
