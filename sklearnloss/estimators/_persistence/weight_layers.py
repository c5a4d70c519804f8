"""The layers that weights are for: all, those of an encoder, or all but those for classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor, nn

COUNTER = "num_batches_tracked"
_LISTED = 4


class Part(NamedTuple):
    """The part of a network that weights are for.

    Attributes
    ----------
    prefix : str
        Prefix of the names of its tensors; empty for the whole network.
    given : dict of str to Tensor
        The weights, by the names of the whole network.
    skipped : list of str
        What starts at random or is not used, for the warning.
    """

    prefix: str
    given: dict[str, Tensor]
    skipped: list[str]


def find_part(module: nn.Module, given: Mapping[str, Tensor]) -> Part:
    """Find out whether weights are for a network or for an encoder in it.

    Parameters
    ----------
    module : nn.Module
        The network.
    given : dict of str to Tensor
        Weights. Those of an encoder may have its own names, or its names within the
        network. They may have a last layer that it lacks.

    Raises
    ------
    ValueError
        If they fit several parts.
    """
    expected = module.state_dict()
    known = [name for name in given if name in expected]
    # If there are names of the network's own, an encoder has those with the same prefix.
    own = bool(known)
    if own and len(known) < len(given):
        return Part("", dict(given), [])
    parts = []
    for name, child in module.named_modules():
        prefix = f"{name}."
        names = (
            [n for n in expected if n.startswith(prefix)]
            if name and len(list(child.children()))
            else []
        )
        renamed = dict(given) if own else {prefix + n: value for n, value in given.items()}
        if names and _fits(renamed, names) and len(names) < len(expected):
            parts.append((prefix, names, renamed))
    if own:  # the innermost part that has all
        parts = [each for each in parts if all(name in each[1] for name in given)][-1:]
    if not parts:
        return Part("", dict(given), [])
    if len(parts) > 1:
        raise ValueError(
            f"weights fit several parts of this {type(module).__name__}: "
            f"{', '.join(prefix for prefix, *_ in parts)}. Put the name of one before their names."
        )
    prefix, names, renamed = parts[0]
    unused = [name for name in renamed if name not in names]
    rest = [n for n, child in module.named_children() if _outside(n, child, prefix)]
    skipped = [f"all but {prefix.rstrip('.')} ({', '.join(rest)})"] if rest else []
    if unused:
        skipped.append(
            f"the weights {', '.join(n.removeprefix(prefix) for n in unused)} are not used"
        )
    return Part(prefix, {n: v for n, v in renamed.items() if n in names}, skipped)


def _fits(given: Mapping[str, Tensor], names: list[str]) -> bool:
    """Return whether all tensors of a part are given, with at most a last layer in addition."""
    if any(name not in given for name in names if not name.endswith(COUNTER)):
        return False
    wanted = set(names)
    left = [name for name in given if name not in wanted]
    layers = {name.rpartition(".")[0] for name in left}
    last = [*given][-len(left) :] if left else []
    return len(layers) <= 1 and left == last


def _outside(name: str, child: nn.Module, prefix: str) -> bool:
    return not prefix.startswith(f"{name}.") and any(True for _ in child.parameters())


def skip_heads(
    given: dict[str, Tensor], expected: Mapping[str, Tensor], n_outputs: int, first: str
) -> list[str]:
    """Replace layers for other classes by the network's own.

    Parameters
    ----------
    given : dict of str to Tensor
        Weights; changed in place.
    expected : dict of str to Tensor
        The network's own tensors.
    n_outputs : int
        Its number of scores.
    first : str
        The first layer, which is never one for classes.

    Returns
    -------
    skipped : list of str
        The layers, for the warning.
    """
    layers: dict[str, list[str]] = {}
    for name, value in expected.items():
        if n_outputs in value.shape[:2]:
            layers.setdefault(name.rpartition(".")[0], []).append(name)
    changed = {
        (theirs, ours)
        for names in layers.values()
        for name in names
        if name in given and given[name].ndim == expected[name].ndim
        for theirs, ours in zip(given[name].shape[:2], expected[name].shape[:2], strict=True)
        if theirs != ours
    }
    others = {theirs for theirs, ours in changed if ours == n_outputs}
    skipped = []
    for layer, names in layers.items():
        theirs = [name for name in given if name.startswith(f"{layer}.")]
        lacking = not theirs and layer == [*expected][-1].rpartition(".")[0]
        differ = (
            len(others) == 1
            and layer != first
            and _of_other_classes(
                [(given[n], expected[n]) for n in names if n in given], n_outputs, others
            )
        )
        if not (lacking or differ):
            continue
        for name in theirs:
            del given[name]
        given |= {name: value for name, value in expected.items() if name.startswith(f"{layer}.")}
        why = "no such layer" if lacking else "other classes than these"
        skipped.append(f"{layer} ({n_outputs} outputs; weights have {why})")
    return skipped


def _of_other_classes(pairs: list[tuple[Tensor, Tensor]], n_outputs: int, others: set[int]) -> bool:
    """Return whether tensors differ only in the number of classes."""
    differ = [(theirs.shape, ours.shape) for theirs, ours in pairs if theirs.shape != ours.shape]
    return bool(differ) and all(
        len(theirs) == len(ours)
        and all(
            a == b or (a in others and b == n_outputs) for a, b in zip(theirs, ours, strict=True)
        )
        for theirs, ours in differ
    )


def shapes(given: Tensor, expected: Tensor) -> str:
    """Describe the shape of a tensor and the expected one."""
    return f"{tuple(given.shape)} instead of {tuple(expected.shape)}"
