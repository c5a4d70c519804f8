"""Image files, read as arrays, without torch or scikit-learn.

``read`` opens a file by its content, with ``pictures`` (Pillow) or ``tiff``, and returns ``Pixels``
(``pixels``): an array with its axes. ``reader`` turns files into the images and masks that a model
is trained on: :class:`FileReader`.
"""

from .reader import FileReader

__all__ = ["FileReader"]
