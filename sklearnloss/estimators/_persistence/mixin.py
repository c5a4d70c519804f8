"""Saves fitted estimators to one file that runs nothing when it is loaded, and as pickles."""

from __future__ import annotations

import contextlib
import inspect
import os
import platform
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
import sklearn
import skorch
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from ..._version import __version__
from .._data.arrays import Scaling
from .._training.parameters import MAY_BE_CODE
from .._training.portable_net import on_cpu
from .._training.torch_settings import check_default_dtype
from .codec import CannotDescribe, Names, describe
from .file_format import NETWORK, to_json, write
from .restore import HISTORY, LEARNT, LOSS, SCALING, load_estimator, loss_state


class PersistenceMixin(BaseEstimator):  # type: ignore[misc]
    """Save a fitted estimator to a file, load it, and pickle it without GPU tensors."""

    loss_: Any
    net_: Any
    scaling_: Scaling | None
    _fitted_loss_key: str

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to one file, without pickle.

        The file is in the safetensors format, with the parameters as JSON in its
        metadata: one format with one well-tested reader, whose memory is bounded by the
        size of the file, and other tools can read the weights. It replaces an older
        file only when it is complete and has been read back.

        Everything that predictions need is kept, as is the history. The state of the
        optimizer is not: further training starts with a new one. Parameters that only
        matter for training and are code or random generators (callbacks, functions in
        ``augment``, ``scheduler`` or ``net_params``, an optimizer class that is not
        from torch, a ``RandomState``) and a state dict in ``weights`` are left out,
        with a warning: they get their defaults when the file is loaded.

        Parameters
        ----------
        path : str or path-like
            The file to write; the extension ".safetensors" is recommended.

        Raises
        ------
        ValueError
            If a parameter, other than those above, cannot be stored; the message names
            it.

        See Also
        --------
        load : Read the file.
        """
        check_is_fitted(self, "net_")
        check_default_dtype()
        config, tensors, custom = _contents(self)
        cls = type(self)
        write(path, config, tensors, lambda written: _verify(written, {cls.__name__: cls}, custom))

    @classmethod
    def load(cls, path: str | os.PathLike[str], custom: Mapping[str, Any] | None = None) -> Self:
        """Load a fitted estimator that was written by :meth:`save`.

        Nothing in the file is run or imported, no matter who wrote it: it only names
        losses and networks of this package, losses of torch and networks of installed
        libraries, for which no weights are fetched. Your own objects are named in the
        file, and have to be passed in. The checksum shows whether the file is damaged,
        not who wrote it.

        Parameters
        ----------
        path : str or path-like
            The file.
        custom : dict of str to object, default=None
            Your own losses by name: the class of a :class:`~sklearnloss.losses.Loss`, a
            function, or a torch module as it was created for ``fit``; and networks: the
            class, the function, or a module like the one that was passed. Anything that was
            registered with :func:`~sklearnloss.losses.register_loss` or
            :func:`~sklearnloss.networks.register_network` is already known.

        Returns
        -------
        estimator : estimator
            Predicts the same as the one that was saved.

        Raises
        ------
        ValueError
            If the file is damaged, from a newer version or of another kind, contains
            another class, or needs something that is not in ``custom``.
        """
        loaded: Self = load_estimator(path, {cls.__name__: cls}, custom or {})
        return loaded

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        state.pop("_epoch_hook", None)
        if "net_" in state:  # net_ has them, too
            if self.net_.criterion_.loss is self.loss_:
                del state["loss_"]
            if self.net_.scaling_ is self.scaling_:
                del state["scaling_"]
        return {key: value if key == "net_" else on_cpu(value) for key, value in state.items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "net_" in state:
            self.__dict__.setdefault("loss_", self.net_.criterion_.loss)
            self.__dict__.setdefault("scaling_", self.net_.scaling_)


def _contents(model: Any) -> tuple[dict[str, Any], dict[str, Tensor], dict[str, Any]]:
    """Return the contents of an estimator's file, and the user's own objects by name."""
    net, names, loss_names = model.net_, Names(), Names()
    config = {
        "versions": _versions(),
        "class": type(model).__name__,
        "params": _describe_params(model, names),
        "loss": _describe_fitted_loss(model.loss_, loss_names),
        "same_loss": model._loss_key() == model._fitted_loss_key,
        "class_counts": describe(net.class_counts_),
        "frozen": [name for name, p in net.module_.named_parameters() if not p.requires_grad],
        "learnt": {
            key: describe(vars(model)[key]) for key in LEARNT if vars(model).get(key) is not None
        },
    }
    custom = names.objects | loss_names.objects
    for name, ours in names.objects.items():
        # A module that is trained is a copy of the one that was passed.
        if custom[name] is not ours and not isinstance(ours, nn.Module):
            raise ValueError(f"Cannot save: loss and loss_ differ, both called {name!r}.")
    config["custom"] = sorted(custom)
    tensors = {NETWORK + name: tensor for name, tensor in _apart(net.module_.state_dict())}
    tensors |= {LOSS + name: tensor for name, tensor in loss_state(model.loss_).items()}
    tensors[HISTORY] = to_json([_describe_row(row) for row in net.history])
    if model.scaling_ is not None:
        tensors |= zip(SCALING, model.scaling_, strict=True)
    return config, tensors, custom


def _apart(state: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield names and tensors, with a copy of each that shares its memory: a file has no ties."""
    seen: set[int] = set()
    for name, tensor in state.items():
        where = tensor.untyped_storage().data_ptr()
        yield name, tensor.clone() if where in seen else tensor
        seen.add(where)


def _versions() -> dict[str, str]:
    return {
        "sklearnloss": __version__,
        "python": platform.python_version(),
        **{each.__name__: each.__version__ for each in (torch, skorch, sklearn, np)},
    }


def _describe_params(model: Any, names: Names) -> dict[str, Any]:
    params, left_out = {}, []
    for key, value in model.get_params(deep=False).items():
        may_be_code = key in MAY_BE_CODE
        try:
            if key == "weights" and isinstance(value, Mapping):
                raise CannotDescribe("a state dict")
            params[key] = describe(value, None if may_be_code else names)
        except CannotDescribe as error:
            if not may_be_code:
                raise ValueError(
                    f"Cannot save {type(model).__name__}: {key} holds {error}, which is neither "
                    f"data nor a {_kind(key)}. Change it with set_params({key}=...)."
                ) from error
            left_out.append(f"{key} ({error})")
            params[key] = describe(inspect.signature(type(model)).parameters[key].default)
    if left_out:
        warnings.warn(
            f"Left out of the file, since only training needs them: {', '.join(left_out)}. Before "
            f"training the loaded estimator, set them again with set_params.",
            UserWarning,
            stacklevel=4,
        )
    return params


def _kind(key: str) -> str:
    return "network" if key.partition("__")[0] in ("network", "adapter") else "loss"


def _describe_fitted_loss(loss: Any, names: Names) -> Any:
    try:
        return describe(loss, names)
    except CannotDescribe as error:
        raise ValueError(
            f"Cannot save the loss {loss!r}: it holds {error}, which is neither data nor a loss."
        ) from error


def _describe_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the history, without values from callbacks that are not plain data."""
    described = {}
    for key, value in row.items():
        if key == "batches":
            described[key] = [_describe_row(batch) for batch in value]
            continue
        with contextlib.suppress(CannotDescribe):
            described[key] = describe(value.item() if isinstance(value, np.generic) else value)
    return described


def _verify(path: Any, classes: Mapping[str, Any], custom: Mapping[str, Any]) -> None:
    """Raise an error unless a file that was just written can be read."""
    try:
        load_estimator(path, classes, custom, device="cpu")
    except ValueError as error:
        raise ValueError(
            f"Cannot save: the file could not be loaded again. Were parameters changed, or the "
            f"network replaced, since fit? ({error.__cause__})"
        ) from error
