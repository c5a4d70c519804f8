"""A description of a data set: what was found, how it is read, and what is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from .._utils.text import plural
from ._file_names import first_few
from ._image_files import CLASS_FOLDERS, TWO_FOLDERS

_PLAIN = ("", TWO_FOLDERS, CLASS_FOLDERS)
_READ_AS = {
    "objects": "object / background",
    "border": "object / border / background",
}


@dataclass(kw_only=True)
class DataDescription:
    """What is known about a data set before anything is trained.

    Attributes
    ----------
    task : {"classification", "segmentation"}
        What can be learned.
    n_images : int
        The number of images.
    sizes : list of list of int
        The smallest and the largest size of an image in pixels, without channels; one if
        all are the same.
    n_channels : int
        Channels of an image.
    channel_names : list of str
        Their names, if the data set has them.
    dtypes : dict of str to int
        Number of images of each dtype.
    values : list of float
        The lowest and the highest value in image files, without masked pixels.
    kinds : dict of str to int
        Number of image files of each extension; empty for arrays.
    spacing : list of list of float
        The smallest and the largest distance of pixels along each axis; empty if unknown.
    nodata : float or None
        The value of pixels without data.
    share_without_data : float
        Share of pixels of images that are masked, 0 to 1.
    masks : {"classes", "objects", "border"} or None
        What the numbers in masks are read as.
    n_objects : list of int
        The lowest and the highest number of objects in an image; empty if masks hold classes.
    labels : list of dict
        The "label", "name" and "share" (of pixels that are not ignored) of each label.
    ignore_index : int or None
        Label of ignored pixels.
    share_ignored : float
        Share of pixels of masks that are ignored, 0 to 1.
    n_empty : int
        Number of masks that hold nothing but the label 0.
    classes : dict of str to int
        Number of images of each class.
    groups : dict of str to int
        Number of images of each group.
    layout : str
        The layout of folders that was recognized.
    conversions : list of str
        How files are converted as they are read.
    notes : list of str
        What else was decided.
    left_out : list of str
        Files and folders that are not used.
    """

    task: str
    n_images: int
    sizes: list[list[int]]
    n_channels: int = 1
    channel_names: list[str] = field(default_factory=list)
    dtypes: dict[str, int] = field(default_factory=dict)
    values: list[float] = field(default_factory=list)
    kinds: dict[str, int] = field(default_factory=dict)
    spacing: list[list[float]] = field(default_factory=list)
    nodata: float | None = None
    share_without_data: float = 0.0
    masks: str | None = None
    n_objects: list[int] = field(default_factory=list)
    labels: list[dict[str, Any]] = field(default_factory=list)
    ignore_index: int | None = None
    share_ignored: float = 0.0
    n_empty: int = 0
    classes: dict[str, int] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    layout: str = ""
    conversions: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, all of them JSON."""
        return asdict(self)

    def without_names(self) -> dict[str, Any]:
        """Return the fields for a model, which may be shared: names of groups may be patients."""
        groups = {f"group {k}": n for k, n in enumerate(self.groups.values(), start=1)}
        return self.to_dict() | {"groups": groups, "left_out": []}

    def __str__(self) -> str:
        """Return the description in one line."""
        parts = [
            self._images(),
            self._targets(),
            _counted("group", self.groups) if self.groups else "",
            f"layout: {self.layout}" if self.layout not in _PLAIN else "",
            *self.conversions,
            *self.notes,
            f"other files left out: {first_few(self.left_out)}" if self.left_out else "",
        ]
        return "; ".join(part for part in parts if part)

    def _images(self) -> str:
        channels = plural(self.n_channels, "channel")
        if self.channel_names:
            channels += f" ({first_few(self.channel_names)})"
        pixels = " to ".join(" x ".join(map(str, size)) for size in self.sizes)
        parts = [plural(self.n_images, "image"), channels, " and ".join(self.dtypes)]
        if self.values and any(dtype.startswith("float") for dtype in self.dtypes):
            parts[-1] += f" from {self.values[0]:.4g} to {self.values[1]:.4g}"
        parts.append(f"{pixels} {'pixels' if len(self.sizes[0]) < 3 else 'voxels'}")
        if len(self.kinds) > 1:
            parts.append(" and ".join(f"{n} {kind}" for kind, n in self.kinds.items()))
        if self.spacing:
            spacing = [" x ".join(f"{each:.4g}" for each in one) for one in self.spacing]
            parts.append(f"spacing {' to '.join(spacing)}")
        if self.nodata is not None or self.share_without_data:
            said = "" if self.nodata is None else f" ({self.nodata:g})"
            parts.append(f"{_percent(self.share_without_data)} of pixels without data{said}")
        return ", ".join(parts)

    def _targets(self) -> str:
        if self.classes:
            return _counted("class", self.classes)
        parts = []
        if self.masks in _READ_AS:
            low, high = self.n_objects
            number = f"{low}" if low == high else f"{low} to {high}"
            parts.append(f"masks: a number per object, {number} objects")
            parts.append(f"read as {_READ_AS[self.masks]}")
        named = [self._name(label) for label in self.labels]
        parts.append(f"{'labels' if parts else 'masks of the labels'} {first_few(named)}")
        if self.ignore_index is not None:
            share = _percent(self.share_ignored)
            parts.append(f"{self.ignore_index} is ignored ({share} of pixels)")
        if self.n_empty:
            parts.append(plural(self.n_empty, "empty mask"))
        return "; ".join(parts)

    @staticmethod
    def _name(label: dict[str, Any]) -> str:
        name = f" {label['name']}" if label["name"] else ""
        return f"{label['label']}{name} ({_percent(label['share'])})"


def _counted(noun: str, numbers: dict[str, int]) -> str:
    many = {"class": "classes", "group": "groups"}[noun] if len(numbers) != 1 else noun
    return f"{len(numbers)} {many}: {first_few([f'{name} ({n})' for name, n in numbers.items()])}"


def _percent(share: float) -> str:
    """Return a share as a percentage that is 0 or 100 only if nothing is rounded away.

    Examples
    --------
    >>> from sklearnloss._compare_command._description import _percent
    >>> _percent(0.5), _percent(0.0001), _percent(0.9999), _percent(0.0)
    ('50 %', '< 1 %', '> 99 %', '0 %')
    """
    if 0 < share < 0.005:
        return "< 1 %"
    if 0.995 <= share < 1:
        return "> 99 %"
    return f"{share:.0%}".replace("%", " %")


def extent(shapes: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Return the smallest and the largest of several shapes, or the only one."""
    found = sorted(set(map(tuple, shapes)))
    return [list(shape) for shape in dict.fromkeys([found[0], found[-1]])] if found else []
