"""Make the links of README.md absolute, for the page of a release on PyPI.

Relative links and pictures lead nowhere there. A release rewrites the file in a clone that
is thrown away afterwards, builds, and checks what was built:

    python .ci/absolute_links.py v0.1.0
    python -m build
    python .ci/absolute_links.py --check dist/*

The address of the repository is ``Source`` in ``[project.urls]`` of pyproject.toml.
"""

from __future__ import annotations

import re
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
#: A link or a picture in Markdown: its exclamation mark, its text and its target.
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
FENCE = re.compile(r"(^```.*?^```$)", flags=re.DOTALL | re.MULTILINE)


def make_absolute(text: str, source: str, tag: str) -> str:
    """Return Markdown whose relative links lead to files of the repository at a tag.

    Parameters
    ----------
    text : str
        Markdown; fenced code stays as it is.
    source : str
        Address of the repository.
    tag : str
        Tag or commit.

    Returns
    -------
    text : str
    """

    def replace(match: re.Match[str]) -> str:
        mark, shown, target = match.groups()
        if "://" in target:
            return match.group()
        path, hash_sign, heading = target.partition("#")
        path = path or "README.md"
        kind = "raw" if mark else "tree" if (ROOT / path).is_dir() else "blob"
        return f"{mark}[{shown}]({source.rstrip('/')}/{kind}/{tag}/{path}{hash_sign}{heading})"

    parts = FENCE.split(text)
    return "".join(part if part.startswith("```") else LINK.sub(replace, part) for part in parts)


def relative_links(text: str) -> list[str]:
    """Return the targets of all links that are not absolute, outside of fenced code."""
    targets = [match.group(3) for match in LINK.finditer(FENCE.sub("", text))]
    return [target for target in targets if "://" not in target]


def description(built: Path) -> str:
    """Return the metadata of a wheel or an sdist, which end in the description."""
    if built.suffix == ".whl":
        with zipfile.ZipFile(built) as wheel:
            (name,) = [each for each in wheel.namelist() if each.endswith(".dist-info/METADATA")]
            return wheel.read(name).decode()
    with tarfile.open(built) as sdist:
        (info,) = [each for each in sdist.getnames() if each.count("/") == 1 and "PKG-INFO" in each]
        file = sdist.extractfile(info)
        assert file is not None
        return file.read().decode()


def main(arguments: list[str]) -> int:
    """Rewrite README.md, or check built files; return the exit status."""
    if arguments[:1] == ["--check"] and len(arguments) > 1:
        found = {name: relative_links(description(Path(name))) for name in arguments[1:]}
        for name, targets in found.items():
            print(f"{name}: {', '.join(targets) or 'all links are absolute'}")
        return int(any(found.values()))
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print(__doc__)
        return 2
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    source = project.get("urls", {}).get("Source")
    if source is None:
        print('pyproject.toml has no address: add Source = "https://..." to [project.urls].')
        return 2
    readme = ROOT / "README.md"
    text = make_absolute(readme.read_text(encoding="utf-8"), source, arguments[0])
    readme.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
