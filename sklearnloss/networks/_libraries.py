"""Networks of timm, segmentation-models-pytorch, torchvision and MONAI, by name."""

from __future__ import annotations

import importlib
import textwrap
from collections.abc import Callable, Mapping
from fnmatch import fnmatch
from typing import Any, NamedTuple

from torch import nn

from .._utils.text import did_you_mean
from ._adapt.arguments import call_factory, parameters
from ._adapt.wanted import Wanted
from ._torchvision import LEGACY, build_torchvision, implied_by_weights, torchvision_names

Params = Mapping[str, Any]

# Modules whose errors indicate a failed download.
_DOWNLOADERS = {"http", "httpx", "huggingface_hub", "requests", "urllib", "urllib3"}


class Library(NamedTuple):
    """How to make the networks of a library.

    Attributes
    ----------
    module : str
        The module to import.
    package : str
        The package to install.
    build : callable
        Makes a network from (name, wanted, parameters).
    names : callable
        Returns the names of all networks.
    weights : dict of str to object
        The parameters that fetch weights or read files, and their values for no weights.
    signature : callable
        Returns the object whose signature has a network's parameters, by name; None if any
        are allowed.
    implied : callable, default
        Returns further parameters that weights imply, from (name, parameters).
    """

    module: str
    package: str
    build: Callable[[str, Wanted, Params], nn.Module]
    names: Callable[[], list[str]]
    weights: dict[str, Any]
    signature: Callable[[str], Any]
    implied: Callable[[str, Params], dict[str, Any]] = lambda name, params: {}


def import_library(prefix: str) -> Any:
    """Import a library; if it is missing or broken, say what to install.

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


def build_library_network(
    name: str, wanted: Wanted, params: Params, *, fetch_weights: bool = True
) -> nn.Module:
    """Make a network by a name such as "timm:resnet18".

    Parameters
    ----------
    name : str
        The library and the network.
    wanted : Wanted
        The data that it is for.
    params : dict of str to object
        Further arguments.
    fetch_weights : bool, default=True
        Whether pretrained weights may be loaded.

    Raises
    ------
    ImportError
        If the library is missing.
    ValueError
        If there is no such network, it is not for these images, or loading its weights fails.
    """
    prefix, _, own = name.partition(":")
    import_library(prefix)
    library = LIBRARIES[prefix]
    asked = [key for key, none in library.weights.items() if params.get(key) not in (None, none)]
    if not fetch_weights:
        params = _without_weights(library, own, params)
    try:
        return library.build(own, wanted, params)
    except Exception as error:  # a library may raise anything
        if asked and fetch_weights and _is_of_a_download(error):
            raise _not_fetched(name, {key: params[key] for key in asked}, error) from error
        if isinstance(error, ValueError | ImportError):
            raise
        raise ValueError(
            f"network={name!r} cannot be made: it raised {type(error).__name__}: {error}"
        ) from error


def _is_of_a_download(error: BaseException | None) -> bool:
    """Return whether an error comes from an unreadable file or server."""
    while error is not None:
        if isinstance(error, OSError) or type(error).__module__.partition(".")[0] in _DOWNLOADERS:
            return True
        error = error.__cause__ or error.__context__
    return False


def _not_fetched(name: str, asked: Params, error: BaseException) -> ValueError:
    given = ", ".join(f"network__{key}={value!r}" for key, value in asked.items())
    while error.__cause__ is not None:
        error = error.__cause__
    text = f"{type(error).__name__}: {error}".rstrip(".")
    reason = textwrap.shorten(text, 300, placeholder=" ...")
    return ValueError(
        f"The weights of network={name!r} ({given}) could not be fetched: {reason}. Check the name "
        f"of the weights and the connection; or fetch them on another machine and pass the file as "
        f"weights='...'; or leave out {', '.join(f'network__{key}' for key in asked)} to start "
        f"from random weights."
    )


def _without_weights(library: Library, name: str, params: Params) -> dict[str, Any]:
    """Return parameters for the same network that do not fetch weights."""
    kept = {key: value for key, value in params.items() if key not in library.weights}
    none = {key: v for key, v in library.weights.items() if key in params and v is not None}
    return {**library.implied(name, params), **kept, **none}


def list_library_networks(pattern: str) -> list[str]:
    """Return the names that match a pattern such as "timm:convnext*"."""
    prefix = pattern.partition(":")[0]
    import_library(prefix)
    names = (f"{prefix}:{name}" for name in LIBRARIES[prefix].names())
    return sorted(name for name in names if fnmatch(name, pattern))


def library_signature(name: str) -> Any:
    """Return the object whose signature has a network's parameters; None if any are allowed."""
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
            f"network={name!r} is for images with two axes, but these have {wanted.n_axes}: "
            f"{' x '.join(map(str, wanted.image_shape))}. Networks from 'monai:' and our own take "
            f"one to three."
        )


def _build_timm(name: str, wanted: Wanted, params: Params) -> nn.Module:
    import timm

    _check_timm("timm", name, name)
    if wanted.per_pixel:
        raise ValueError(
            f"network='timm:{name}' classifies images. As the encoder of a segmentation network it "
            f"is 'smp:Unet/tu-{name}'."
        )
    _two_axes(f"timm:{name}", wanted)
    numbers = {"in_chans": wanted.in_channels, "num_classes": wanted.n_outputs}
    network: nn.Module = timm.create_model(name, **{**numbers, **params})
    return network


def _check_timm(prefix: str, name: str, model: str) -> None:
    """Raise an error unless timm has a model; prefixes for hubs and folders are not allowed."""
    import timm

    if any(sign in model for sign in ":/\\") or not timm.is_model(model.partition(".")[0]):
        raise _unknown(prefix, name, timm.list_models())


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
            f"network='smp:{name}' lacks an encoder. Add one after a slash, as in "
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
            f"{did_you_mean(encoder, known)} For a timm encoder, add 'tu-' before its name."
        )
    if encoder.startswith("tu-"):
        _check_timm("timm", encoder.removeprefix("tu-"), encoder.removeprefix("tu-"))
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
    if name not in torchvision_names():
        raise _unknown("torchvision", name, torchvision_names())
    _two_axes(f"torchvision:{name}", wanted)
    return build_torchvision(name, wanted, params)


def _monai_class(name: str) -> Any:
    from monai.networks import nets

    if name not in _monai_names():
        raise _unknown("monai", name, _monai_names())
    return getattr(nets, name)


def _build_monai(name: str, wanted: Wanted, params: Params) -> nn.Module:
    cls = _monai_class(name)
    # Some would fetch weights by default.
    silent = {"pretrained": False} if "pretrained" in parameters(cls) else {}
    return call_factory(cls, wanted, {**silent, **params})


def _monai_names() -> list[str]:
    from monai.networks import nets

    classes = (n for n, v in vars(nets).items() if isinstance(v, type) and issubclass(v, nn.Module))
    return [name for name in classes if not name.startswith("TorchVision")]  # in torchvision


LIBRARIES = {
    "timm": Library(
        "timm",
        "timm",
        _build_timm,
        _timm_names,
        {"pretrained": False, "checkpoint_path": None},
        lambda name: None,
    ),
    "smp": Library(
        "segmentation_models_pytorch",
        "segmentation-models-pytorch",
        _build_smp,
        _smp_names,
        {"encoder_weights": None, "pretrained": None, "checkpoint_path": None},
        lambda name: _smp_class(name)[0],
    ),
    "torchvision": Library(
        "torchvision.models",
        "torchvision",
        _build_torchvision,
        torchvision_names,
        {"weights": None, "weights_backbone": None, **dict.fromkeys(LEGACY)},
        lambda name: None,
        implied_by_weights,
    ),
    "monai": Library(
        "monai.networks.nets",
        "monai",
        _build_monai,
        _monai_names,
        {"pretrained": False, "pretrained_url": None},
        _monai_class,
    ),
}
