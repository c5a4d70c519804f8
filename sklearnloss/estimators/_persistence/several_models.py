"""Several fitted estimators in one file, with what else is known about them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from .._training.torch_settings import check_default_dtype
from .codec import Names
from .file_format import write
from .half_precision import halve
from .mixin import _contents, _describe_params
from .restore import ENSEMBLE, load_models, member_prefix


def save_models(
    path: str | os.PathLike[str], models: Sequence[Any], about: Mapping[str, Any]
) -> None:
    """Write several fitted estimators to one file, or none at all.

    Weights that half precision represents exactly are stored in it. The file replaces an older
    one only after it has been read back.

    Parameters
    ----------
    path : str or path-like
        The file.
    models : list of fitted estimators
        Of any classes of ours.
    about : dict
        Further values that JSON can represent.

    Raises
    ------
    ValueError
        If one of them cannot be stored, or not be read back.
    """
    check_default_dtype()
    configs: list[dict[str, Any]] = []
    tensors: dict[str, Tensor] = {}
    custom: dict[str, Any] = {}
    for k, model in enumerate(models):
        config, own, objects = _contents(model)
        for name, value in objects.items():
            if not _is_alike(custom.setdefault(name, value), value):
                raise ValueError(
                    f"Cannot save: two different objects of your own are called {name!r}. Rename "
                    f"one of them."
                )
        configs.append(config)
        own, halves = halve({n: tensor.detach().cpu().contiguous() for n, tensor in own.items()})
        config["halves"] = halves
        tensors |= {f"{member_prefix(k)}{name}": tensor for name, tensor in own.items()}
    whole = {"class": ENSEMBLE, "members": configs, "about": about, "custom": sorted(custom)}
    classes = {type(model).__name__: type(model) for model in models}
    write(path, whole, tensors, lambda written: load_models(written, classes, custom, "cpu"))


def own_objects(model: Any) -> dict[str, Any]:
    """Return the user's own losses and networks among parameters, by their names in files.

    Parameters
    ----------
    model : estimator
        Fitted or not.
    """
    names = Names()
    _describe_params(model, names)
    return names.objects


def _is_alike(first: Any, second: Any) -> bool:
    """Return whether two objects of the user's are the same, or equal copies of a module."""
    modules = isinstance(first, nn.Module) and type(first) is type(second)
    return first is second or (modules and repr(first) == repr(second))
