"""Networks from images to scores, for one, two or three axes: our own, and others by name.

``_unet`` and ``_resnet`` are our own, of ``_axes``. ``_registry`` knows networks by name, also
those of ``_libraries``, of which ``_torchvision`` has one; ``_build`` makes one for the images at
hand, and ``_adapt`` has what makes those of others fit.
"""

from ._registry import list_networks, register_network
from ._resnet import ResNet
from ._unet import UNet

__all__ = ["ResNet", "UNet", "list_networks", "register_network"]
