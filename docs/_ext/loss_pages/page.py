"""The text of a loss's page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from loss_facts import FACTS, Equality, Fact

from sklearnloss.losses import Loss, PixelLoss, get_loss

from . import costs, gallery, records
from .demos import DEMOS, rival
from .describe import call, introduction, notes, papers, settings

HOW_TO_ADD = (
    "The loss %r has no page: write FACTS[%r], a Fact (docs/_ext/loss_facts/fact.py), in one of "
    'the modules of docs/_ext/loss_facts. CONTRIBUTING.md, "Add a loss", has an example.'
)


def missing(names: Iterable[str]) -> list[str]:
    """Return the names of losses without facts."""
    return [name for name in names if name not in FACTS]


def write(name: str, results: Mapping[str, Any]) -> str:
    """Return the page of a loss in Markdown.

    Parameters
    ----------
    name : str
        The loss.
    results : dict of str to dict
        Scores and pictures of each fit, by demo, from :func:`loss_pages.fits.draw_demo`.
    """
    fact, cls = FACTS[name], type(get_loss(name))
    parts = [
        _head(name, cls, fact),
        _bullets("When to use it", fact.use),
        _bullets("When not", fact.avoid),
        _formula(cls, fact),
        _curves(name, fact),
        *(_demo(name, demo, results[demo]) for demo in fact.demos if demo in results),
        _longer(name),
        _settings(cls, fact),
        _code(name, fact),
        _cost(name, cls, fact),
        _relations(name, fact),
        _bullets("Papers", papers(cls)),
        _see_also(name, cls),
        _examples(name),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(name: str, cls: type[Loss], fact: Fact) -> str:
    summary, more = introduction(cls)
    tasks = "the network's weights" if fact.curve == "weights" else _tasks(cls)
    return (
        f"# {fact.title}\n\n{summary} {more}\n\n"
        f'- Name: `"{name}"`\n'
        f"- Class: {{py:class}}`~sklearnloss.losses.{cls.__name__}`\n"
        f"- For {tasks}"
    )


def _tasks(cls: type[Loss]) -> str:
    forms = {
        "any": "two classes, several labels at once, and classes that exclude each other",
        "sigmoid": "two classes, and several labels at once (class indices become masks)",
        "softmax": "classes that exclude each other; two of them, too",
    }
    tasks = " and ".join(cls.tasks)
    return f"{tasks}: {forms[cls.form]}"


def _formula(cls: type[Loss], fact: Fact) -> str:
    lines = ["## Formula"]
    for formula in fact.formulas:
        if formula.latex:
            lines.append(f"{formula.title}:\n\n```{{math}}\n{in_rows(formula.latex)}\n```")
    symbols = "\n".join(f"- ${symbol}$: {text}" for symbol, text in explained(cls, fact).items())
    limits = "\n".join(f"- {limit}" for limit in fact.limits)
    lines += [f"where\n\n{symbols}", f"Limits:\n\n{limits}"]
    return "\n\n".join(lines)


def in_rows(latex: str) -> str:
    """Return a formula with its parts below each other, so that it fits on a phone."""
    if "&=" not in latex:
        parts = re.split(r",?\s*\\qquad\s*", latex)
        if len(parts) == 1:
            return latex
        latex = " \\\\\n".join(f"& {part}" for part in parts)
    return f"\\begin{{aligned}}\n{latex}\n\\end{{aligned}}"


def explained(cls: type[Loss], fact: Fact) -> dict[str, str]:
    """Return all symbols, with that of a pixel's loss."""
    if not (issubclass(cls, PixelLoss) and r"\ell" in fact.formulas[0].latex):
        return dict(fact.symbols)
    mean = "the loss of one pixel, or of one image in classification; a batch has their mean"
    return {r"\ell": mean, **fact.symbols}


def both_modes(path: str, alt: str) -> str:
    """Return a picture that has a light and a dark version."""
    return "\n\n".join(
        f"```{{image}} pictures/{path}-{mode}.svg\n:alt: {alt}\n:class: only-{mode}\n```"
        for mode in ("light", "dark")
    )


def _curves(name: str, fact: Fact) -> str:
    cells = [
        f":::{{grid-item}}\n{both_modes(f'{name}-{what}', f'{fact.title}: {what}')}\n:::"
        for what in ("loss", "gradient")
    ]
    picture = "::::{grid} 1 1 2 2\n:gutter: 2\n\n" + "\n\n".join(cells) + "\n::::"
    how = {
        "pixel": "The loss of one pixel and its derivative, against the pixel's logit z. Solid: "
        "the pixel belongs to the object (t = 1). Dashed: it belongs to the background (t = 0).",
        "image": "This loss depends on all pixels, so one pixel of a small image is varied. The "
        "image has 12 x 12 pixels, of which 5 x 5 are the object; all others are right with a "
        "probability of 0.88 (z = 2 inside and z = -2 outside). Solid: the pixel in the middle of "
        "the object. Dashed: a background pixel far from it.",
        "line": "This loss depends on all pixels, so one pixel of a small image is varied. The "
        "image has 12 x 12 pixels and a line that is three pixels wide; all others are right with "
        "a probability of 0.98 (z = 4 on the line and z = -4 elsewhere). Solid: a pixel in the "
        "middle of the line, where a gap would break it. Dashed: a background pixel far from it.",
        "weights": "The penalty of one weight and its derivative.",
    }[fact.curve]
    fixed = ", ".join(f"`{key}={value!r}`" for key, value in fact.fixed.items())
    if "class_counts" in fact.fixed:
        how += " There are two classes, and t = 1 is the rare one."
    return f"## Curves\n\n{how}" + (f" Fixed: {fixed}." if fixed else "") + f"\n\n{picture}"


def _demo(name: str, demo: str, result: Mapping[str, Any]) -> str:
    task = DEMOS[demo]
    lines = [f"## {task.title}", task.text]
    if task.kind == "masks":
        cards = [
            f":::{{grid-item}}\n```{{image}} pictures/{path}\n:alt: {caption}\n"
            f":class: loss-page-panel\n:width: 100%\n```\n**{title}**<br>{caption}\n:::"
            for path, title, caption in result["panels"]
        ]
        columns = "2 2 4 4" if len(cards) == 4 else "2 2 3 3"
        grid = f"::::{{grid}} {columns}\n:gutter: 2\n\n"
        lines.append(grid + "\n\n".join(cards) + "\n::::")
        lines.append(task.legend)
    else:
        lines.append(both_modes(f"{name}-{demo}", task.alt))
    lines.append(
        "| loss | "
        + " | ".join(result["columns"])
        + " |\n|"
        + "---|" * (1 + len(result["columns"]))
    )
    lines[-1] += "".join(
        f"\n| `{label}` | " + " | ".join(values) + " |" for label, values in result["scores"]
    )
    if demo == FACTS[name].demos[-1]:
        lines.append(
            f"`lr={task.lr:g}`, the same initial weights and batches for each loss. These epochs "
            "are few: losses differ in how fast they learn, and the order may change with another "
            "learning rate, seed or data set. Look at the kinds of errors rather than at the third "
            "digit."
        )
    return "\n\n".join(lines)


def _longer(name: str) -> str:
    found = records.rows(name)
    if not found or name == "cross_entropy":
        return ""
    labels = [each for each in (name, f"dice+{name}") if any(each in row for _, _, row in found)]
    lines = [
        "## In longer fits",
        "Mean score on held-out folds after 12 epochs of a network of width 4, all losses at their "
        "defaults and with the same learning rate, two seeds; in brackets, the rank among all "
        "losses that were compared ([how it was measured](../reference/benchmarks.md)). Scores "
        "are mean IoU, for the labels of digits balanced accuracy.",
        f"| data | `cross_entropy` | {' | '.join(f'`{each}`' for each in labels)} |\n|---|---|"
        + "---|" * len(labels),
    ]
    for title, baseline, row in found:
        cells = " | ".join(row.get(label, "") for label in labels)
        lines[-1] += f"\n| {title} | {baseline} | {cells} |"
    return "\n\n".join(lines)


def _bullets(title: str, items: Iterable[str]) -> str:
    return f"## {title}\n\n" + "\n".join(f"- {item}" for item in items)


def _settings(cls: type[Loss], fact: Fact) -> str:
    entries = []
    for row in settings(cls, fact):
        facts = [f"default `{row.default}`", row.valid, row.ranges and f"to tune: {row.ranges}"]
        if row.default == "required":
            facts[0] = "required"
        entries.append(f"`{row.name}` ({'; '.join(each for each in facts if each)})\n: {row.text}")
    text = "## Settings\n\n"
    if cls.search_space:
        text += '`LossSearchCV` and `suggest_loss` choose from the ranges "to tune".\n\n'
    return text + "\n\n".join(entries)


def _code(name: str, fact: Fact) -> str:
    cls = type(get_loss(name))
    estimator = "UNetSegmenter" if "segmentation" in cls.tasks else "ResNetClassifier"
    lines = [
        f"from sklearnloss import {estimator}",
        f"from sklearnloss.losses import {cls.__name__}",
    ]
    key, value = _a_setting(name, fact)
    if in_sums_only(fact):
        lines[1:] = ["", f'model = {estimator}(loss="{fact.in_sum}")  # its weight is in the sum']
        lines += [f"model.set_params(loss__weights__{name}=1e-3)"]
        if key:
            lines += [f"model.set_params(loss__{name}__{key}={value!r})"]
    else:
        lines += ["", f'model = {estimator}(loss="{name}")']
        if key:
            lines += [f"model = {estimator}(loss={cls.__name__}({key}={value!r}))"]
            lines += [f'model = {estimator}(loss="{name}").set_params(loss__{key}={value!r})']
        lines += [f'model = {estimator}(loss="{fact.in_sum}")  # in a sum']
    code = "\n".join(lines)
    first = f"'{fact.in_sum},dice'" if in_sums_only(fact) else f"{name},{rival(name)}"
    shell = f"sklearnloss compare my-images --losses {first}"
    return f"## In code\n\n```python\n{code}\n```\n\nIn a shell: `{shell}`."


def in_sums_only(fact: Fact) -> bool:
    """Return whether a loss makes no sense alone, so that pages show it in a sum."""
    return bool(fact.shown_as)


def _a_setting(name: str, fact: Fact) -> tuple[str, Any]:
    """Return a setting worth trying: one of the curves, within the ranges to tune."""
    loss = get_loss(name)
    space = type(loss).search_space
    if fact.vary is not None:
        key, values = fact.vary
        tried = [value for value in values[::-1] if is_tried(value, space.get(key))]
        return key, next(value for value in tried if value != loss.get_params()[key])
    for key, values in space.items():
        return key, values[1]
    return "", None


def is_tried(value: Any, space: Any) -> bool:
    """Return whether a range of the search space holds a value."""
    if space is None or isinstance(space, list):
        return space is None or value in space
    return bool(space[0] <= value <= space[1])


@cache
def _tables() -> list[costs.Table]:
    return costs.read_tables(costs.README.read_text(encoding="utf-8"))


def _cost(name: str, cls: type[Loss], fact: Fact) -> str:
    if fact.curve == "weights":
        return "## Cost\n\nA pass over the network's weights in each step, however large the batch."
    rows = costs.compared(name, _tables())
    if not rows:
        return f"## Cost\n\nNot measured yet: `python benchmarks/losses.py --losses {name}` does."
    than = "most other losses take 0.99 to 1.02 times as long"
    if name != "bce":
        than = f"it takes {fact.epoch} times as long as with [`bce`](bce.md)"
    lines = [
        "## Cost",
        "In an epoch the network needs most of the time: with 32 masks of 64 x 64 pixels and a "
        f"U-Net of width 8, on a CPU, {than}. The loss alone, forward and backward, on one thread "
        "of a CPU; shapes are those of the logits; memory is the peak beyond logits and "
        "target, in multiples of the logits:",
        "| logits | time, x cross entropy | memory | other libraries: time, x ours |\n"
        "|---|---|---|---|\n" + "\n".join(rows),
        notes(cls),
        "Source: [benchmarks](../reference/benchmarks.md).",
    ]
    return "\n\n".join(line for line in lines if line)


def _relations(name: str, fact: Fact) -> str:
    equal = [_equality(name, each) for each in fact.equals]
    near = [f"[`{other}`]({other}.md): {text}." for other, text in fact.neighbors.items()]
    text = ""
    if equal:
        text = (
            "These equalities are tested on random images:\n\n"
            + "\n".join(f"- {each}" for each in equal)
            + "\n\nNeighbors:\n\n"
        )
    return "## Relations to other losses\n\n" + text + "\n".join(f"- {each}" for each in near)


def _equality(name: str, equality: Equality) -> str:
    factor = "" if equality.factor == 1 else f"{equality.factor:g} times "
    where = ", for two classes" if equality.two_classes else ""
    if equality.form == "sigmoid":
        where += ", on masks"
    other = call(equality.other, dict(equality.theirs))
    mine = call(name, dict(equality.mine))
    return f"`{mine}` is {factor}[`{other}`]({equality.other}.md){where}."


def _see_also(name: str, cls: type[Loss]) -> str:
    lines = [
        f"{{py:class}}`sklearnloss.losses.{cls.__name__}` in the reference, with the shapes that "
        "it takes",
        "[All losses](index.md), in tables",
        "[How to write your own](../how_to/write_your_own_loss.md)",
    ]
    if name in gallery.in_laboratory():
        link = f"../laboratory.html#losses={name};{rival(name)}"
        lines.insert(
            1,
            f'<a href="{link}">The laboratory with this loss</a>, beside `{rival(name)}`: change '
            "its settings, and see its curves and a mask change",
        )
    return _bullets("See also", lines)


def _examples(name: str) -> str:
    paths = [f"../{path}" for path in gallery.using(name)]
    if not paths:
        return ""
    return f"## Examples\n\n```{{eval-rst}}\n.. minigallery:: {' '.join(paths)}\n```"
