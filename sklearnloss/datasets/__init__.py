"""Small data sets of real images to start with; nothing is downloaded."""

from ._digits import make_digit_scenes
from ._nuclei import load_nuclei

__all__ = ["load_nuclei", "make_digit_scenes"]
