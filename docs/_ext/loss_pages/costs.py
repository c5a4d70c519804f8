"""What losses cost, from the tables of benchmarks/README.md."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

README = Path(__file__).parents[3] / "benchmarks" / "README.md"

#: Names of the contenders.
LIBRARIES = {
    "smp": "segmentation-models-pytorch",
    "monai": "MONAI",
    "kornia": "kornia",
    "kornia pooled": "kornia, classes pooled",
    "torch": "torch",
    "torchvision": "torchvision",
    "timm": "timm",
    "exacta": "exacta",
}


@dataclass(frozen=True)
class Cost:
    """The cost of one implementation, forward and backward.

    Attributes
    ----------
    passes : float
        Time in units of one pass over the bytes.
    memory : float
        Peak memory beyond logits and target, in units of the logits.
    """

    passes: float
    memory: float


@dataclass
class Table:
    """A table of costs.

    Attributes
    ----------
    title : str
        What was measured, with the shape.
    rows : dict of str to dict of str to Cost
        By loss and contender.
    """

    title: str
    rows: dict[str, dict[str, Cost]] = field(default_factory=dict)


def read_tables(text: str) -> list[Table]:
    """Return the tables of the section on losses."""
    tables = []
    for part in re.split(r"^### ", text.partition("\n## Losses\n")[2], flags=re.MULTILINE)[1:]:
        table = Table(part.partition("\n")[0])
        for name, cells in re.findall(r"^\| (\w+) \| (.+) \|$", part, flags=re.MULTILINE):
            found = re.findall(r"(?:^|; )\**([\w ]+?)\** [\d.]+ / ([\d.]+) / ([\d.]+)", cells)
            if found:
                table.rows[name] = {who: Cost(float(t), float(m)) for who, t, m in found}
        if table.rows:
            tables.append(table)
    return tables


def compared(name: str, tables: list[Table]) -> list[str]:
    """Return rows of a Markdown table: each contender's cost relative to ours."""
    lines = []
    for table in tables:
        row = table.rows.get(name)
        if row is None:
            continue
        ours = row["ours"]
        entropy = table.rows["cross_entropy"]["ours"]
        others = sorted((cost.passes / ours.passes, who) for who, cost in row.items())
        peers = ", ".join(
            f"{LIBRARIES.get(who, who)} {ratio:.2g} (memory {row[who].memory:g})"
            for ratio, who in others
            if who != "ours"
        )
        lines.append(
            f"| {table.title.replace(': ', ', ')} | {ours.passes / entropy.passes:.2g} "
            f"| {ours.memory:g} | {peers or 'none has it in this form'} |"
        )
    return lines
