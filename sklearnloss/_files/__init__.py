"""Image files, read as arrays, without torch or scikit-learn.

``read`` opens a file by its content, with ``pictures`` (Pillow) or ``tiff``, and returns ``Pixels``
(``pixels``): an array with its axes. ``reader`` turns files into the images and masks that a model
is trained on: :class:`FileReader`. It uses ``channels`` (which axis holds them), ``colors`` (gray
levels, RGB, colors of labels), ``resize`` (sizes and padding), ``objects`` (numbered objects and
their border) and ``mask_files`` (a file per object: :class:`MaskFiles`); ``reader_check`` checks
its parameters.
"""

from .mask_files import MaskFiles
from .reader import FileReader

__all__ = ["FileReader", "MaskFiles"]
