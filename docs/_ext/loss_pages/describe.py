"""What classes and their docstrings say about themselves."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import Any

from loss_facts import FACTS, Fact

from sklearnloss.losses import Loss, RegionLoss, get_loss

#: What parameters do that most losses share, and whose docstrings refer to the base classes.
SHARED = {
    "reduction": 'How values are reduced: a weighted mean, a sum, none, or one value per "sample".',
}


@dataclass(frozen=True)
class Setting:
    """A parameter of a loss: a row of the page's table.

    Attributes
    ----------
    name, default, valid, ranges, text : str
        ``valid`` is the type or interval as documented, ``ranges`` what a search tries.
    """

    name: str
    default: str
    valid: str
    ranges: str
    text: str


def settings(cls: type[Loss], fact: Fact) -> list[Setting]:
    """Return all parameters of a loss, in the order of its constructor."""
    documented = parameters(cls)
    if issubclass(cls, RegionLoss):
        documented = {**parameters(RegionLoss), **documented}
    found = []
    for name, parameter in list(inspect.signature(cls.__init__).parameters.items())[1:]:
        kind, text = documented.get(name, ("", ""))
        default = parameter.default
        text = SHARED.get(name, text)
        effect = fact.effects.get(name, "")
        if effect:
            text = f"{text} **If it grows:** {effect}" if is_number(default) else f"{text} {effect}"
        found.append(
            Setting(
                name,
                "required" if default is parameter.empty else repr(default),
                "" if name == "reduction" else valid(cls, name, kind),
                ranges(cls.search_space[name]) if name in cls.search_space else "",
                text.strip(),
            )
        )
    return found


def is_number(value: Any) -> bool:
    """Return whether a default is a number, so that "if it grows" makes sense."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def valid(cls: type[Loss], name: str, kind: str) -> str:
    """Return the interval that a class checks, or else the documented type."""
    interval = cls._intervals.get(name)
    if interval is not None:
        return f"`{interval}`"
    return kind.partition(", default=")[0].replace("ndarray", "array")


def ranges(space: Any) -> str:
    """Write a range of the search space."""
    if isinstance(space, list):
        return ", ".join(f"`{value!r}`" for value in space)
    low, high, *scale = space
    return f"{low:g} to {high:g}" + (" (log)" if scale else "")


def sections(cls: type) -> dict[str, str]:
    """Return the sections of a docstring by title; "" is what comes before the first."""
    parts = re.split(r"\n\n(?=[A-Z][A-Za-z ]+\n-{3,}\n)", inspect.getdoc(cls) or "")
    found = {"": parts[0]}
    for part in parts[1:]:
        title, _, body = part.partition("\n")
        found[title] = body.partition("\n")[2]
    return found


def parameters(cls: type) -> dict[str, tuple[str, str]]:
    """Return the type and the description of each documented parameter."""
    found = {}
    body = sections(cls).get("Parameters", "")
    for entry in re.split(r"\n(?=\S)", body):
        head, _, text = entry.partition("\n")
        names, _, kind = head.partition(" : ")
        if kind:
            for name in names.split(", "):
                found[name] = (plain(kind), plain(text))
    return found


def introduction(cls: type) -> tuple[str, str]:
    """Return the summary of a docstring, and the paragraph after it, up to the formula."""
    summary, *more = sections(cls)[""].partition("::")[0].strip().split("\n\n")
    return plain(summary), plain(more[0]) if more else ""


def notes(cls: type) -> str:
    """Return a docstring's notes."""
    return plain(sections(cls).get("Notes", ""))


def papers(cls: type) -> list[str]:
    """Return the references of a docstring, with their addresses as links."""
    entries = sections(cls).get("References", "").split("\n\n")
    return [linked(" ".join(entry.split())) for entry in entries if entry.strip()]


def linked(entry: str) -> str:
    """Turn the title of a reference into a link to its address."""
    match = re.search(r'"([^"]+)"(.*?)(https?://\S+)', entry)
    if match is None:
        return entry
    title, between, url = match.groups()
    title = title.rstrip(",")
    before, after = entry[: match.start()], entry[match.end() :]
    return f"{before}[{title}](<{url}>), {between.lstrip(', ').rstrip('. ')}{after}."


def plain(text: str | None) -> str:
    """Turn reStructuredText of docstrings into Markdown."""
    text = " ".join((text or "").split())
    text = re.sub(r":\w+:`~?([^`]+)`", link_to_class, text)
    text = re.sub(r"``(.+?)``", r"`\1`", text)
    return re.sub(r"(?<![`*\\])\*(?=\w)", r"\\*", text)


def link_to_class(role: re.Match[str]) -> str:
    """Return a link to the page of a loss, or to the reference of any other class."""
    name = role.group(1).rpartition(".")[2]
    by_class = {type(get_loss(each)).__name__: each for each in FACTS}
    if name in by_class:
        return f"[{name}]({by_class[name]}.md)"
    return f"{{py:class}}`~sklearnloss.losses.{name}`"


def call(name: str, params: dict[str, Any]) -> str:
    """Write a loss as code, with its class."""
    given = ", ".join(f"{key}={value!r}" for key, value in params.items())
    return f"{type(get_loss(name)).__name__}({given})"
