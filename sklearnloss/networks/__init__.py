"""Networks that map images to scores, for one, two or three axes: our own, and others by name.

``_unet`` and ``_resnet`` are our own, built from the layers in ``_axes``. ``_registry`` looks up
networks by name, including those in ``_libraries``, with torchvision's in ``_torchvision``.
``_build`` makes a network for given images, and ``_adapt`` makes third-party networks fit.
"""

from ._registry import list_networks, register_network
from ._resnet import ResNet
from ._unet import UNet

__all__ = ["ResNet", "UNet", "list_networks", "register_network"]
