"""Image files, with the mask or the class of each, as a layout of folders describes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .._files.channel_files import ChannelFiles
from .._files.mask_files import MaskFiles

#: Layouts that need not be named in a description.
TWO_FOLDERS, CLASS_FOLDERS = "images and masks in two folders", "a folder of images per class"

ImageItem = Path | ChannelFiles
MaskItem = Path | MaskFiles


@dataclass
class ImageFiles:
    """Image files, with the mask or the class of each.

    Attributes
    ----------
    images : list of Path or ChannelFiles
        The file of each image, or the files of its channels.
    masks : list of Path or MaskFiles, or None
        Their masks, for segmentation.
    labels : list of str or None
        Their classes, for classification.
    names : list of str
        POSIX paths relative to the folder.
    others : list of str
        Files and folders that are left out.
    layout : str
        The layout that was recognized, in words.
    objects : bool
        Whether the layout says that masks number objects.
    notes : list of str
        What was decided about files, in words.
    ignore_index : int or None
        The label of ignored pixels, if the layout defines it.
    label_names : dict of int to str
        Names of labels, if the layout defines them.
    channel_names : list of str
        Names of channels, if the layout defines them.
    """

    images: list[ImageItem]
    masks: list[MaskItem] | None
    labels: list[str] | None
    names: list[str]
    others: list[str]
    layout: str = ""
    objects: bool = False
    notes: list[str] = field(default_factory=list)
    ignore_index: int | None = None
    label_names: Mapping[int, str] = field(default_factory=dict)
    channel_names: list[str] = field(default_factory=list)

    @property
    def task(self) -> str:
        """What can be learned from the files."""
        return "classification" if self.masks is None else "segmentation"

    @property
    def names_in_class(self) -> list[str]:
        """Names without the folder of their class, which does not identify groups."""
        return self.names if self.labels is None else [n.partition("/")[2] for n in self.names]

    @property
    def has_object_files(self) -> bool:
        """Whether some image has a mask file for each object."""
        return any(isinstance(mask, MaskFiles) for mask in self.masks or ())


def files_of(items: Sequence[ImageItem | MaskItem]) -> list[Path]:
    """Return all files of images or masks."""
    return [
        path
        for item in items
        for path in ([item] if isinstance(item, Path) else map(Path, item.paths))
    ]
