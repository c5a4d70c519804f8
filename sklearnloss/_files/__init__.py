"""Image files, read as arrays, without torch or scikit-learn.

``read`` opens a file and returns ``Pixels`` (``pixels``): an array with its axes. ``formats`` lists
the kinds of files and what reads them: ``arrays`` (NumPy), ``pictures`` (Pillow), ``tiff`` with
``tiff_tags``, ``nifti``, ``dicom`` and ``zarr_arrays``. ``place`` compares where images and masks
are in space. ``limits`` refuses sizes that cannot be true, and ``dtypes`` chooses integers for
labels. ``scene`` reads parts of an image that does not fit into memory, with ``tiff_pages`` for
TIFF. ``write`` saves labels and probabilities, ``row_writer`` row by row; ``output`` has what both
need for TIFF. ``reader`` turns files into the images and masks that a model is trained on:
:class:`FileReader`. It uses ``channels`` (which axis holds them), ``colors`` (gray levels, RGB,
colors of labels), ``resize`` (sizes and padding), ``objects`` (numbered objects and their border),
``mask_files`` (a file per object: :class:`MaskFiles`) and ``channel_files`` (a file per channel),
which are both a ``file_list``; ``reader_check`` checks its parameters.
"""

from .mask_files import MaskFiles
from .reader import FileReader

__all__ = ["FileReader", "MaskFiles"]
