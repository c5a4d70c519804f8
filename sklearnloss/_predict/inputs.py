"""The files to predict, and the names of what is written for them."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from .._files.formats import SUFFIXES, is_image_folder, kind_of, stem
from .._utils.printable import quoted
from .record import RECORD

Given = str | bytes | os.PathLike[Any] | Iterable[Any]


class Input(NamedTuple):
    """A file to predict.

    Attributes
    ----------
    path : Path
        The file.
    name : PurePath
        Its path relative to the folder that was given, or to the folder that all files share.
    """

    path: Path
    name: PurePath


def find_inputs(files: Given, output: Path | None = None) -> list[Input]:
    """Return the files that a folder, a pattern, a path or a list of these stands for.

    Parameters
    ----------
    files : path or list of paths
        A folder stands for the images in it and below it, without hidden ones and without
        folders of predictions; a text with
        ``*``, ``?`` or ``[`` that is not the name of a file is a pattern, in which ``**``
        stands for any folders.
    output : Path, default=None
        A folder whose files are left out.

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder, or nothing fits a pattern.
    ValueError
        If a folder holds no images.
    """
    given = [files] if isinstance(files, (str, bytes, os.PathLike)) else list(files)
    if not given:
        raise ValueError("There are no files to predict: the list is empty.")
    for each in given:
        if not isinstance(each, (str, bytes, os.PathLike)):
            raise TypeError(
                f"files holds a {type(each).__name__}. Expected paths of images. To predict "
                f"arrays, use the model's predict."
            )
    hidden = None if output is None else os.path.realpath(output)
    folders, single = [], []
    for text in map(os.fsdecode, given):
        found = _matches(text)
        folders += [path for path in found if _is_folder(path)]
        single += [path for path in found if not _is_folder(path)]
    several = len(folders) > 1 or bool(folders and single)
    inputs = [
        Input(path, PurePath(*([folder.resolve().name] if several else []), *path.parts[skip:]))
        for folder in folders
        for skip in [len(folder.parts)]
        for path in _images_below(folder, hidden)
    ]
    inputs += _named(single)
    unique = {os.path.abspath(each.path): each for each in inputs}
    return list(unique.values())


def _is_folder(path: Path) -> bool:
    """Return whether a path is a folder of images, not an image stored as a folder."""
    return path.is_dir() and not is_image_folder(path)


def _matches(text: str) -> list[Path]:
    path = Path(text)
    if path.exists() or path.is_symlink():
        return [path]
    if not glob.has_magic(text):
        raise FileNotFoundError(f"There is no file or folder {quoted(text)}.")
    found = [Path(each) for each in sorted(glob.glob(text, recursive=True))]
    found = [each for each in found if not _is_folder(each)]
    if not found:
        raise FileNotFoundError(f"There is no file like {quoted(text)}.")
    return found


def _images_below(folder: Path, hidden: str | None) -> list[Path]:
    images, links = [], []
    for where, folders, names in os.walk(folder, onerror=_raise):
        below = [Path(where, name) for name in folders if not name.startswith((".", "__"))]
        stored = [path for path in below if is_image_folder(path)]
        below = [
            path
            for path in below
            if path not in stored
            and os.path.realpath(path) != hidden
            and not (path / RECORD).is_file()
        ]
        links += [path for path in below if path.is_symlink()]
        folders[:] = [path.name for path in below]
        files = [Path(where, name) for name in names if not name.startswith(".")]
        # Neither pipes nor devices; broken links are named when they are read.
        files = [path for path in files if path.is_file() or not path.exists()]
        images += [*stored, *(path for path in files if kind_of(path) is not None)]
    if links:
        raise ValueError(
            f"{quoted(folder)} holds links to folders, which are not followed: "
            f"{', '.join(map(quoted, links[:3]))}. Put the folders "
            f"themselves there, or remove the links."
        )
    if not images:
        raise ValueError(
            f"{quoted(folder)} holds no images. Expected files of the kinds "
            f"{', '.join(sorted(SUFFIXES))}."
        )
    return sorted(images)


def _raise(error: OSError) -> None:
    raise error


def _named(paths: list[Path]) -> list[Input]:
    """Name files by what differs in their paths."""
    if not paths:
        return []
    whole = [Path(os.path.abspath(path)) for path in paths]
    try:
        shared = Path(os.path.commonpath([path.parent for path in whole]))
    except ValueError:  # on different drives
        return [Input(path, PurePath(path.name)) for path in paths]
    return [Input(path, each.relative_to(shared)) for path, each in zip(paths, whole, strict=True)]


def name_outputs(
    inputs: Iterable[Input],
    endings: Mapping[str, Mapping[str, str]],
    taken: Mapping[str, str],
) -> dict[str, dict[str, str]]:
    """Return the names of the files to write for each input, all different.

    They are called like the input, in the same folders; inputs that only differ in their
    ending keep it, as in ``a.png.tif`` and ``a.jpg.tif``.

    Parameters
    ----------
    inputs : iterable of Input
        The files.
    endings : dict of dict of str
        For each input, by its absolute path, the ending of each kind of output. Kinds other
        than "mask" are written to a folder of this name.
    taken : dict of str to str
        The names of files that stand for other inputs, and these inputs.

    Raises
    ------
    ValueError
        If two inputs would have the same output.
    """
    inputs = list(inputs)
    paths = [os.path.abspath(each.path) for each in inputs]
    short = [
        _names(each.name.with_name(stem(each.name)), endings[path])
        for each, path in zip(inputs, paths, strict=True)
    ]
    count = Counter(name.casefold() for names in short for name in names.values())
    others = {name.casefold(): path for name, path in taken.items()}
    outputs: dict[str, dict[str, str]] = {}
    for each, path, names in zip(inputs, paths, short, strict=True):
        if any(_is_other(name, path, count, others) for name in names.values()):
            names = _names(each.name, endings[path])
        for name in names.values():
            other = others.setdefault(name.casefold(), path)
            if other != path:
                raise ValueError(
                    f"{quoted(each.path)} and {quoted(other)} would both be "
                    f"predicted to {quoted(name)}. Predict them into different folders."
                )
        outputs[path] = names
    return outputs


def _is_other(name: str, path: str, count: Mapping[str, int], others: Mapping[str, str]) -> bool:
    """Return whether an output's name is wanted by another input, or taken by it."""
    return count[name.casefold()] > 1 or others.get(name.casefold(), path) != path


def _names(name: PurePath, endings: Mapping[str, str]) -> dict[str, str]:
    return {
        kind: (PurePath(*([] if kind == "mask" else [kind])) / f"{name}{ending}").as_posix()
        for kind, ending in endings.items()
    }
