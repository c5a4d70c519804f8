"""Isolation of fits and predictions from torch's global settings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

_AUTOCAST = ("cpu", "cuda", "mps", "xpu")


@contextlib.contextmanager
def usual_torch() -> Iterator[None]:
    """Temporarily leave inference mode, autocast and a default device set by the caller."""
    with contextlib.ExitStack() as stack:
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        for device_type in _AUTOCAST:
            if torch.is_autocast_enabled(device_type):
                stack.enter_context(torch.autocast(device_type, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        yield


def check_default_dtype() -> None:
    """Raise an error unless new tensors are float32, like networks and images.

    Raises
    ------
    ValueError
        If they are not. The setting applies to the whole process, so one of several
        parallel fits cannot change it for itself.
    """
    dtype = torch.get_default_dtype()
    if dtype != torch.float32:
        raise ValueError(
            f"torch's default dtype is {dtype}, but networks are trained in float32. Call "
            f"torch.set_default_dtype(torch.float32) first."
        )
