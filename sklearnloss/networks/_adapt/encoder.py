"""Parts of a network: its encoder, the parameters that patterns name, and its stages."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from ..._utils.text import did_you_mean

#: The pattern that stands for the encoder.
ENCODER = "encoder"
# Names of the last layers of classifiers, both main and auxiliary.
_HEADS = {
    *("classification_head", "class_layers", "classifier", "fc", "_fc", "head", "heads"),
    *("head_dist", "last_linear", "AuxLogits", "aux1", "aux2", "aux_classifier"),
}
# MONAI's segmentation networks whose encoder consists of several children.
_MONAI = {
    "BasicUNet": ("conv_0", "down_1", "down_2", "down_3", "down_4"),
    "DynUNet": ("input_block", "downsamples", "bottleneck"),
    "SegResNet": ("convInit", "down_layers"),
    "SegResNetVAE": ("convInit", "down_layers"),
    "VNet": ("in_tr", "down_tr32", "down_tr64", "down_tr128", "down_tr256"),
}
# Children whose own children are stages, and those that may contain such children.
_LISTS = {"blocks", "features", "layers", "stages"}
_AROUND = {"backbone", "encoder"}
_LISTED = 12


# What the names of an adapted network begin with.
_WRAPPED = "network."


def match_parameters(network: nn.Module, pattern: str, *, per_pixel: bool, where: str) -> list[str]:
    """Return the names of the parameters that a pattern matches.

    Parameters
    ----------
    network : nn.Module
        The network as the user knows it.
    pattern : str
        "encoder", or an ``fnmatch`` pattern for names such as "layer1.0.conv1.weight".
    per_pixel : bool
        Whether the network is for masks.
    where : str
        The estimator parameter that holds the pattern, for errors.

    Raises
    ------
    ValueError
        If no parameter matches; the message lists names.
    """
    names = [name for name, _ in network.named_parameters()]
    if pattern.startswith(_WRAPPED) and not any(name.startswith(_WRAPPED) for name in names):
        pattern = pattern.removeprefix(_WRAPPED)  # as module_.named_parameters() has it
    if pattern == ENCODER:
        return _encoder(network, names, per_pixel=per_pixel, where=where)
    matched = [name for name in names if fnmatchcase(name, pattern)]
    if matched:
        return matched
    inside = [name for name in names if name.startswith(f"{pattern}.")]
    if inside:
        advice = f" It is a part of the network: use '{pattern}.*' for its parameters."
    else:
        parts = {name.rpartition(".")[0] for name in names}
        advice = did_you_mean(pattern, [*names, *(f"{part}.*" for part in parts if part)])
    raise ValueError(
        f"{where} holds {pattern!r}, which matches no parameter of the network.{advice} The "
        f"network's parameters are {', '.join(names[:5])}, ..., {names[-1]}, in "
        f"{_children(network)}."
    )


def _encoder(network: nn.Module, names: Sequence[str], *, per_pixel: bool, where: str) -> list[str]:
    library = type(network).__module__.partition(".")[0]
    head = [] if per_pixel else _head(network)
    parts = _encoder_parts(network, library)
    if head and (not parts or library in ("monai", "timm", "torchvision")):
        return [name for name in names if not _is_under(name, head)]
    found = [name for name in names if _is_under(name, parts)]
    if found:
        return found
    raise ValueError(
        f"{where} holds 'encoder', but it is not known which part of {type(network).__name__} that "
        f"is. Pass name patterns instead, such as {_example(names)!r}. Its parts are "
        f"{_children(network)}. Or give its class an attribute encoder_parts, a list of names."
    )


def _encoder_parts(network: nn.Module, library: str) -> Sequence[str]:
    """Return the names of the children that make up the encoder, if they are known."""
    own = getattr(network, "encoder_parts", ())
    if own:
        return tuple(own)
    for name in ("encoder", "backbone"):
        if isinstance(getattr(network, name, None), nn.Module):
            return (name,)
    return _MONAI.get(type(network).__name__, ()) if library == "monai" else ()


def _head(network: nn.Module) -> list[str]:
    """Return the names of a classifier's last layers."""
    get_classifier: Any = getattr(network, "get_classifier", None)
    if callable(get_classifier):  # timm
        layers = get_classifier()
        own = {id(layer) for layer in (layers if isinstance(layers, tuple) else (layers,))}
        found = [name for name, module in network.named_modules() if id(module) in own]
        if found:
            return found
    return [name for name, _ in network.named_children() if name in _HEADS]


def _is_under(name: str, parts: Collection[str]) -> bool:
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def _children(network: nn.Module) -> str:
    names = _with_parameters(network)
    while len(names) == 1:
        inner = _with_parameters(network.get_submodule(names[0]))
        if not inner:
            break
        names = [f"{names[0]}.{each}" for each in inner]
    return ", ".join(map(repr, names[:_LISTED])) + ", ..." * (len(names) > _LISTED)


def _example(names: Sequence[str]) -> str:
    first, dot, _ = names[0].rpartition(".")
    return f"{first}.*" if dot else names[0]


def norms_of(network: nn.Module, frozen: Collection[str]) -> list[str]:
    """Return the layers with running statistics whose parameters are all frozen.

    A layer without parameters is included if everything next to it, in the same part of
    the network, is frozen.

    Parameters
    ----------
    network : nn.Module
        The network as the user knows it.
    frozen : collection of str
        Names of its parameters.
    """
    return [
        name
        for name, module in network.named_modules()
        if getattr(module, "running_mean", None) is not None and _is_frozen(network, name, frozen)
    ]


def _is_frozen(network: nn.Module, name: str, frozen: Collection[str]) -> bool:
    """Return whether all parameters of a part, or of the nearest part around it, are frozen."""
    while True:
        part = network.get_submodule(name)
        own = [f"{name}.{each}" if name else each for each, _ in part.named_parameters()]
        if own or not name:
            return bool(own) and all(each in frozen for each in own)
        name = name.rpartition(".")[0]


def find_stages(network: nn.Module) -> list[list[str]]:
    """Return the names of a network's parameters by stage, starting with the first layers.

    A stage is a child of the network, in the order in which the children were made.
    Lists of modules, an only child, and children called encoder, backbone, blocks,
    features, layers or stages form one stage per child of their own. Modules whose
    parameters are all vectors, such as norms, belong to the stage before, and tokens
    and positions to the one after; all heads of a classifier form the last stage.
    """
    found: dict[tuple[str, bool], list[str]] = {}
    for name, _ in network.named_parameters():
        found.setdefault(_stage_of(network, name), []).append(name)
    stages: list[list[str]] = []
    heads: list[str] = []
    waiting: list[str] = []
    for (stage, is_whole), names in found.items():
        only_vectors = all(network.get_parameter(name).ndim < 2 for name in names)
        if stage.partition(".")[0] in _HEADS:
            heads += names
        elif is_whole and only_vectors and stages:
            stages[-1] += names
        elif only_vectors or not is_whole:
            waiting += names
        else:
            stages.append(waiting + names)
            waiting = []
    return [each for each in (*stages, waiting + heads) if each]


def _stage_of(network: nn.Module, name: str) -> tuple[str, bool]:
    """Return the part of a network whose stage a parameter belongs to.

    Also return whether it is a single stage; otherwise it contains several.
    """
    stage: list[str] = []
    parent, in_list = network, False
    for part in name.split(".")[:-1]:
        child = parent.get_submodule(part)
        stage.append(part)
        if in_list or not any(True for _ in child.children()):
            return ".".join(stage), True
        in_list = type(child) in (nn.ModuleList, nn.ModuleDict) or part in _LISTS
        if not (in_list or part in _AROUND or len(_with_parameters(parent)) == 1):
            return ".".join(stage), True
        parent = child
    return ".".join(stage), False


def _with_parameters(module: nn.Module) -> list[str]:
    """Return the names of the children that have parameters."""
    return [
        name for name, child in module.named_children() if any(True for _ in child.parameters())
    ]
