"""A skorch net whose pickle contains plain arrays and can be loaded without a GPU."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from torch import Tensor, nn

from ...losses import Loss
from .._data.arrays import Scaling
from .memory_format import align_state, lay_out
from .optimizers import available_device


class PortableNet(NeuralNet):  # type: ignore[misc]
    """A net that pickles its weights and its optimizer's state as numpy arrays.

    A net is restored to the device it was trained on, or to the CPU if that is missing.
    skorch's own pickle is not sufficient: it contains the bytes of another pickle,
    which cannot be inspected from outside; it moves tensors from CUDA, but not from
    other devices; penalties lose their network; and it includes the data's
    augmentation, which may hold tensors on a GPU.

    Attributes
    ----------
    autocast_ : torch.dtype or None
        The dtype of the network's arithmetic, if it differs from that of its weights.
    class_counts_ : Tensor of shape (n_classes,), or None
        How often each class occurred in ``fit``.
    initial_weights_ : tuple
        The weights that the network started from, if known.
    scaling_ : Scaling or None
        The scaling of the images for the network.
    """

    device: Any
    autocast_: torch.dtype | None
    class_counts_: Tensor | None = None
    initial_weights_: tuple[Any, ...] = ()
    scaling_: Scaling | None

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        if not getattr(self, "initialized_", False):
            return state
        module, criterion = state.pop("module_"), on_cpu(state.pop("criterion_"))
        state["criterion_"] = criterion
        state["criterion__loss"] = criterion.loss  # the same object once, not twice
        optimizer = state["optimizer_"]  # None after trim_for_prediction
        state["optimizer_"] = optimizer and as_arrays(optimizer.state_dict())
        state["generator_"] = as_arrays(state["generator_"].get_state())
        state["scaling_"] = self.scaling_ and as_arrays(tuple(self.scaling_))
        state["class_counts_"] = as_arrays(self.class_counts_)
        # The former is recreated for the next training, the latter may hold tensors on a GPU.
        state["augment_"], state["initial_weights_"] = None, ()
        if self._is_as_built(module):
            state["weights"] = as_arrays(dict(module.state_dict()))
            state["frozen"] = [n for n, p in module.named_parameters() if not p.requires_grad]
            state["training"] = module.training
        else:  # the user replaced the network
            state["module_"] = on_cpu(module)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = state.copy()
        weights, frozen = state.pop("weights", None), state.pop("frozen", ())
        training = state.pop("training", True)
        self.__dict__.update(state)
        if not state.get("initialized_", False):
            return
        trained_on, self.device = self.device, str(available_device(self.device))
        if self.device == "cpu" != trained_on:
            self.autocast_ = None  # bfloat16 is slow there
        if weights is not None:
            module = self._empty_module()
            module.load_state_dict(as_tensors(weights), assign=True)
            for name in frozen:
                module.get_parameter(name).requires_grad_(False)
            lay_out(module, self.optimizer)
            self.__dict__["module_"] = module.train(training)
        self.module_.to(self.device)
        self.criterion_.to(self.device)
        self.scaling_ = self.scaling_ and Scaling(*as_tensors(self.scaling_))
        self.class_counts_ = as_tensors(self.class_counts_)
        self.generator_ = torch.Generator()
        self.generator_.set_state(as_tensors(state["generator_"]))
        if state["optimizer_"] is not None:
            self.initialize_optimizer()
            self.optimizer_.load_state_dict(as_tensors(state["optimizer_"]))
            align_state(self.optimizer_)
        if isinstance(self.criterion_.loss, Loss):
            # Restore the networks of penalties, which pickles omit.
            self.criterion_.loss.bind(self.module_, self.class_counts_)

    def _empty_module(self) -> nn.Module:
        """Return a network like that of :meth:`initialize`, without memory for its weights."""
        with torch.device("meta"):
            built: nn.Module = self.initialized_instance(self.module, self.get_params_for("module"))
        return built

    def _is_as_built(self, module: nn.Module) -> bool:
        if type(module) is not self.module:
            return False
        built = self._empty_module().state_dict()
        return {k: v.shape for k, v in module.state_dict().items()} == {
            k: v.shape for k, v in built.items()
        }


def on_cpu(value: Any) -> Any:
    """Return a value with all its tensors on the CPU: the value itself if they already are.

    Parameters
    ----------
    value : object
        A tensor, a module, a container of these, or anything else, which is returned
        unchanged.
    """
    if isinstance(value, Tensor):
        return value.cpu()
    if isinstance(value, nn.Module):
        return module_on_cpu(value) if is_elsewhere(value) else value
    if isinstance(value, dict):
        moved = {key: on_cpu(each) for key, each in value.items()}
        return moved if any(moved[key] is not value[key] for key in value) else value
    if type(value) in (list, tuple):
        parts = [on_cpu(each) for each in value]
        same = all(new is old for new, old in zip(parts, value, strict=True))
        return value if same else type(value)(parts)
    return value


def module_on_cpu(module: nn.Module) -> Any:
    """Return a copy of a module with its tensors on the CPU, including those in its settings."""
    moved = copy.deepcopy(module).cpu()
    # Settings such as class weights are plain attributes. Innermost modules come first,
    # so that a list of modules contains the moved ones.
    for part in reversed(list(moved.modules())):
        for name, value in _settings(part).items():
            part.__dict__[name] = on_cpu(value)
    return moved


def is_elsewhere(value: Any) -> bool:
    """Return whether something holds a tensor that is not on the CPU."""
    if isinstance(value, Tensor):
        return value.device.type != "cpu"
    if isinstance(value, nn.Module):
        own = [*value.parameters(), *value.buffers()]
        own += [each for part in value.modules() for each in _settings(part).values()]
        return any(map(is_elsewhere, own))
    if isinstance(value, dict):
        value = list(value.values())
    return type(value) in (list, tuple) and any(map(is_elsewhere, value))


def _settings(module: nn.Module) -> dict[str, Any]:
    """Return a module's plain attributes, without a penalty's ``_network``."""
    return {k: v for k, v in vars(module).items() if k not in _NOT_SETTINGS}


_NOT_SETTINGS = {"_parameters", "_buffers", "_modules", "_network"}


def as_arrays(value: Any) -> Any:
    """Replace the tensors in nested dicts, lists and tuples by numpy arrays."""
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        # numpy has no bfloat16.
        return value if value.dtype == torch.bfloat16 else value.numpy().copy()
    if isinstance(value, dict):
        return {key: as_arrays(each) for key, each in value.items()}
    return type(value)(map(as_arrays, value)) if type(value) in (list, tuple) else value


def as_tensors(value: Any) -> Any:
    """Replace the numpy arrays in nested dicts, lists and tuples by tensors."""
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())  # an unpickled array may be read-only
    if isinstance(value, dict):
        return {key: as_tensors(each) for key, each in value.items()}
    return type(value)(map(as_tensors, value)) if type(value) in (list, tuple) else value
