"""Networks of timm, segmentation-models-pytorch, torchvision and MONAI, by name."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Mapping
from fnmatch import fnmatch
from typing import Any, NamedTuple

import torch
from torch import nn

from .._utils.text import did_you_mean
from ._adapt.arguments import call_factory
from ._adapt.wanted import Wanted

Params = Mapping[str, Any]


class Library(NamedTuple):
    """How to make the networks of a library.

    Attributes
    ----------
    module : str
        What is imported.
    package : str
        What is installed.
    build : callable
        From (name, wanted, parameters) to a network.
    names : callable
        Returns the names of all networks.
    weights : dict of str to object
        The parameters that fetch weights, and their values for none.
    signature : callable
        From a name to what has the parameters in its signature, None if anything goes.
    """

    module: str
    package: str
    build: Callable[[str, Wanted, Params], nn.Module]
    names: Callable[[], list[str]]
    weights: dict[str, Any]
    signature: Callable[[str], Any]


def import_library(prefix: str) -> Any:
    """Import a library; say what to install if it is missing or broken.

    Raises
    ------
    ImportError
        If it cannot be imported.
    """
    library = LIBRARIES[prefix]
    try:
        return importlib.import_module(library.module)
    except Exception as error:  # a torchvision for another torch raises RuntimeError
        raise ImportError(
            f"Networks whose names begin with '{prefix}:' need {library.package}, which cannot be "
            f"imported ({type(error).__name__}: {error}). Install it with: pip install "
            f"'sklearnloss[networks]' or pip install {library.package}"
        ) from error


def build_library_network(name: str, wanted: Wanted, params: Params) -> nn.Module:
    """Make a network by a name such as "timm:resnet18".

    Raises
    ------
    ImportError
        If the library is missing.
    ValueError
        If it has no such network, or none for these images.
    """
    prefix, _, own = name.partition(":")
    import_library(prefix)
    return LIBRARIES[prefix].build(own, wanted, params)


def list_library_networks(pattern: str) -> list[str]:
    """Return the names that match a pattern such as "timm:convnext*"."""
    prefix = pattern.partition(":")[0]
    import_library(prefix)
    names = (f"{prefix}:{name}" for name in LIBRARIES[prefix].names())
    return sorted(name for name in names if fnmatch(name, pattern))


def without_weights(name: str, params: Params) -> dict[str, Any]:
    """Return parameters by which no weights are fetched."""
    defaults = LIBRARIES[name.partition(":")[0]].weights
    return {**params, **{key: value for key, value in defaults.items() if key in params}}


def library_signature(name: str) -> Any:
    """Return what has a network's parameters in its signature, None if anything goes."""
    prefix, _, own = name.partition(":")
    import_library(prefix)
    return LIBRARIES[prefix].signature(own)


def _unknown(prefix: str, name: str, names: list[str]) -> ValueError:
    return ValueError(
        f"network='{prefix}:{name}' is unknown: {LIBRARIES[prefix].package} has no network "
        f"{name!r}. list_networks('{prefix}:*') lists them.{did_you_mean(name, names)}"
    )


def _two_axes(name: str, wanted: Wanted) -> None:
    if wanted.n_axes != 2:
        raise ValueError(
            f"network={name!r} takes images of two axes, but these have {wanted.n_axes}: "
            f"{' x '.join(map(str, wanted.image_shape))}. Networks of 'monai:' and our own take "
            f"one to three."
        )


def _build_timm(name: str, wanted: Wanted, params: Params) -> nn.Module:
    import timm

    if name not in timm.list_models() and not timm.is_model(name.partition(".")[0]):
        raise _unknown("timm", name, timm.list_models())
    if wanted.per_pixel:
        raise ValueError(
            f"network='timm:{name}' classifies images. As the encoder of a network for masks it is "
            f"'smp:Unet/tu-{name}'."
        )
    _two_axes(f"timm:{name}", wanted)
    numbers = {"in_chans": wanted.in_channels, "num_classes": wanted.n_outputs}
    network: nn.Module = timm.create_model(name, **{**numbers, **params})
    return network


def _timm_names() -> list[str]:
    import timm

    return list(timm.list_models())


def _smp_architectures() -> dict[str, Any]:
    import segmentation_models_pytorch as smp

    return {cls.__name__: cls for cls in smp.MODEL_ARCHITECTURES_MAPPING.values()}


def _smp_class(name: str) -> tuple[Any, str]:
    """Return the class and the encoder of "Unet/resnet18"."""
    architecture, _, encoder = name.partition("/")
    known = _smp_architectures()
    if architecture not in known:
        raise _unknown("smp", architecture, list(known))
    if not encoder:
        raise ValueError(
            f"network='smp:{name}' lacks an encoder. Say it after a slash, as in "
            f"'smp:{architecture}/resnet18'."
        )
    return known[architecture], encoder


def _build_smp(name: str, wanted: Wanted, params: Params) -> nn.Module:
    import segmentation_models_pytorch as smp

    cls, encoder = _smp_class(name)
    known = smp.encoders.get_encoder_names()
    if encoder not in known and not encoder.startswith("tu-"):
        raise ValueError(
            f"network='smp:{name}': segmentation-models-pytorch has no encoder {encoder!r}."
            f"{did_you_mean(encoder, known)} Those of timm are named 'tu-' and their name."
        )
    if not wanted.per_pixel:
        raise ValueError(
            f"network='smp:{name}' is for masks. ImageClassifier takes 'timm:' and 'torchvision:'."
        )
    _two_axes(f"smp:{name}", wanted)
    return call_factory(cls, wanted, {"encoder_name": encoder, "encoder_weights": None, **params})


def _smp_names() -> list[str]:
    import segmentation_models_pytorch as smp

    encoders = smp.encoders.get_encoder_names()
    return [f"{arch}/{encoder}" for arch in _smp_architectures() for encoder in encoders]


def _build_torchvision(name: str, wanted: Wanted, params: Params) -> nn.Module:
    from torchvision import models

    if name not in models.list_models():
        raise _unknown("torchvision", name, models.list_models())
    masks = name in models.list_models(models.segmentation)
    if masks != wanted.per_pixel or not (masks or name in models.list_models(models)):
        task = "masks" if wanted.per_pixel else "labels of images"
        raise ValueError(f"network='torchvision:{name}' is not for {task}.")
    _two_axes(f"torchvision:{name}", wanted)
    silent = {"weights": None, "weights_backbone": None} if masks else {"weights": None}
    given = {**silent, **params}
    with warnings.catch_warnings():
        # That Inception's initial weights will be others: these are the ones of the paper.
        warnings.simplefilter("ignore", FutureWarning)
        fetched = given["weights"] is not None
        network: nn.Module = models.get_model(
            name, **{**given, **({} if fetched else {"num_classes": wanted.n_outputs})}
        )
        if fetched:
            theirs, given["weights"] = network.state_dict(), None
            network = models.get_model(name, **{**given, "num_classes": wanted.n_outputs})
    _adapt_first(network, wanted.in_channels)
    if fetched:
        _take_weights(network, theirs)
    return network


def _adapt_first(network: nn.Module, in_channels: int) -> None:
    """Exchange the first convolution for one of another number of channels."""
    name, first = next((n, m) for n, m in network.named_modules() if isinstance(m, nn.Conv2d))
    if first.in_channels == in_channels:
        return
    other = nn.Conv2d(
        in_channels,
        first.out_channels,
        first.kernel_size,  # type: ignore[arg-type]
        first.stride,  # type: ignore[arg-type]
        first.padding,  # type: ignore[arg-type]
        first.dilation,  # type: ignore[arg-type]
        bias=first.bias is not None,
    )
    parent, _, last = name.rpartition(".")
    setattr(network.get_submodule(parent), last, other)
    if getattr(network, "transform_input", False):  # Inception's, of three channels
        vars(network)["transform_input"] = False


def _take_weights(network: nn.Module, theirs: Mapping[str, torch.Tensor]) -> None:
    """Copy weights, but for the layers of another number of outputs.

    The first kernel is summed over its channels for one, and otherwise repeated.
    """
    own = network.state_dict()
    first = next(name for name, value in own.items() if value.ndim == 4)
    for name, value in own.items():
        given = theirs[name]
        if name == first and given.shape != value.shape:
            n = value.shape[1]
            repeated = given[:, torch.arange(n) % given.shape[1]] * (given.shape[1] / n)
            given = given.sum(1, keepdim=True) if n == 1 else repeated
        if given.shape == value.shape:
            value.copy_(given)
        elif given.shape[1:] != value.shape[1:]:
            raise ValueError(
                f"The weights have {name} of shape {tuple(given.shape)}, but the network's is "
                f"{tuple(value.shape)}."
            )


def _torchvision_names() -> list[str]:
    from torchvision import models

    return [*models.list_models(models), *models.list_models(models.segmentation)]


def _monai_class(name: str) -> Any:
    from monai.networks import nets

    cls = getattr(nets, name, None)
    if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
        raise _unknown("monai", name, _monai_names())
    return cls


def _build_monai(name: str, wanted: Wanted, params: Params) -> nn.Module:
    return call_factory(_monai_class(name), wanted, params)


def _monai_names() -> list[str]:
    from monai.networks import nets

    return [n for n, v in vars(nets).items() if isinstance(v, type) and issubclass(v, nn.Module)]


LIBRARIES = {
    "timm": Library(
        "timm", "timm", _build_timm, _timm_names, {"pretrained": False}, lambda name: None
    ),
    "smp": Library(
        "segmentation_models_pytorch",
        "segmentation-models-pytorch",
        _build_smp,
        _smp_names,
        {"encoder_weights": None},
        lambda name: _smp_class(name)[0],
    ),
    "torchvision": Library(
        "torchvision.models",
        "torchvision",
        _build_torchvision,
        _torchvision_names,
        {"weights": None, "weights_backbone": None},
        lambda name: None,
    ),
    "monai": Library(
        "monai.networks.nets",
        "monai",
        _build_monai,
        _monai_names,
        {"pretrained": False},
        _monai_class,
    ),
}
