"""Plain networks from images to logits, for one, two or three axes."""

from ._resnet import ResNet
from ._unet import UNet

__all__ = ["ResNet", "UNet"]
