"""The files below a folder, with checks for links and for results among them."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from .._files.formats import SUFFIXES, is_image_folder, kind_of, suffix
from ._file_names import first_few

#: The file that marks a folder as the results of a run.
SETTINGS = "settings.json"


def is_hidden(name: str) -> bool:
    """Return whether a name is hidden, such as ``.cache`` and ``__MACOSX``."""
    return name.startswith((".", "__"))


def is_results(folder: Path) -> bool:
    """Return whether a folder was written by an earlier run."""
    try:
        return "question" in json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


class Walk:
    """Finds files, except those of results.

    Parameters
    ----------
    output : Path or None
        Folder of this run's results, which holds no data even if it is still empty.
    """

    def __init__(self, output: Path | None = None) -> None:
        self.output = None if output is None else os.path.realpath(output)

    def is_results(self, folder: Path) -> bool:
        """Return whether a folder holds results, of this run or another."""
        return os.path.realpath(folder) == self.output or is_results(folder)

    def is_folder(self, path: Path) -> bool:
        """Return whether a path is a folder of files, and not one that is itself an image."""
        return path.is_dir() and not is_image_folder(path)

    def children(self, folder: Path) -> list[Path]:
        """Return the contents of a folder, sorted, without results and hidden names."""
        return sorted(
            child
            for child in folder.iterdir()
            if not is_hidden(child.name) and not (child.is_dir() and self.is_results(child))
        )

    def images(self, folder: Path, *, deep: bool = True) -> tuple[list[Path], list[str]]:
        """Return the images below a folder, sorted, and the names of other files.

        Parameters
        ----------
        folder : Path
            The folder.
        deep : bool, default=True
            Whether to look into subfolders.

        Raises
        ------
        ValueError
            If an image is a broken link, or a folder is a link, which only the user can
            decide to follow.
        OSError
            If a folder cannot be read.
        """
        images: list[Path] = []
        others: list[Path] = []
        links: list[str] = []
        if is_image_folder(folder):
            return [folder], []
        for where, folders, files in os.walk(folder, onerror=_raise):
            folders[:] = [name for name in folders if not name.startswith(".")]
            linked = [path for name in folders if (path := Path(where, name)).is_symlink()]
            links += [path.relative_to(folder).as_posix() for path in linked]
            folders[:] = [name for name in folders if not self.is_results(Path(where, name))]
            whole = [name for name in folders if is_image_folder(Path(where, name))]
            images += [Path(where, name) for name in whole]
            folders[:] = [name for name in folders if name not in whole] if deep else []
            for path in [Path(where, name) for name in files if not name.startswith(".")]:
                (images if may_be_read(path) else others).append(path)
        _refuse_links(folder, links if deep else [])
        _refuse_broken(folder, images)
        return sorted(images), [describe(path) for path in sorted(others)]


def describe(path: Path) -> str:
    """Return the name of a path, marked if it is a folder or a broken link."""
    if path.is_dir():
        return f"{path.name}/"
    return path.name if path.exists() else f"{path.name} (a broken link)"


def listing(children: Sequence[Path]) -> str:
    """Return the first of several paths, for errors."""
    return first_few([describe(child) for child in children]) or "nothing"


def kinds() -> str:
    """Return which files are images, for errors."""
    return f"files that end in {', '.join(sorted(SUFFIXES))}"


def may_be_read(path: Path) -> bool:
    """Return whether a path may be an image, and is not a folder, a pipe or a device."""
    if suffix(path) in SUFFIXES:
        return path.is_file() or not path.exists()
    return path.is_file() and kind_of(path) is not None  # DICOM files may have any name


def _raise(error: OSError) -> None:
    raise error


def _refuse_links(folder: Path, links: Sequence[str]) -> None:
    if links:
        raise ValueError(
            f"{str(folder)!r} holds links to folders, which are not followed: {first_few(links)}. "
            f"Put the folders themselves there, or remove the links."
        )


def _refuse_broken(folder: Path, images: Sequence[Path]) -> None:
    broken = [path.relative_to(folder).as_posix() for path in images if not path.exists()]
    if broken:
        raise ValueError(
            f"{len(broken)} of {len(images)} images in {str(folder)!r} are links to missing files: "
            f"{first_few(broken)}. Fetch them (git annex get, dvc pull), or remove the links."
        )
