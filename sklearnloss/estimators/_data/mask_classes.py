"""Checks whether the labels of masks can be classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label

from ..._utils.guides import MY_DATA
from .labels import distinct_labels

Array = NDArray[Any]

#: More distinct labels than this are not classes, unless the user says so.
MAX_CLASSES = 64

# Typical labels of ignored pixels, besides negative ones.
_VOID = (255, 65535)
# Minimum number of labels, in one mask and in all masks, for which the check is reliable.
_IN_ONE, _IN_ALL = 3, 6
# Minimum share of single-blob objects: a few are cut in two, or have a stray pixel.
_SINGLE = 0.95


class Advice(NamedTuple):
    """Advice for the user in errors, for Python or for the command line.

    Attributes
    ----------
    ignore : str
        What to do if the label marks pixels to ignore; contains ``{label}``.
    classes : str
        What to do if labels are classes after all; contains ``{labels}``.
    any_classes : str
        The same if the labels are not known.
    objects : str
        How to make numbered objects one class.
    """

    ignore: str = "Pass ignore_index={label}"
    classes: str = "pass classes={labels}"
    any_classes: str = "list them as classes="
    objects: str = "mask > 0, or for files reader=FileReader(masks='objects')"

    def if_classes(self, labels: Sequence[int]) -> str:
        """Return what to do if all labels are classes."""
        return self.classes.format(labels=_listed(labels))


PYTHON = Advice()
COMMAND_LINE = Advice(
    ignore="Pass --ignore-index {label}",
    classes="compare losses in Python, with UNetSegmenter(classes={labels})",
    any_classes="compare losses in Python, with UNetSegmenter(classes=...)",
    objects="pass --labels objects, or --labels border, which also separates objects that touch",
)


def check_classes(
    labels: Sequence[int],
    numbers: ObjectNumbers,
    *,
    advice: Advice = PYTHON,
    jpegs: Sequence[str] = (),
) -> None:
    """Raise a ValueError if the labels of masks are probably not classes.

    These are refused:

    - labels that JPEG has altered: more than two, if there are masks in JPEG files; or
      three or more within 15 of 0, and three or more within 15 of 255;
    - more than 64 labels;
    - object numbers, see :class:`ObjectNumbers`.

    Parameters
    ----------
    labels : sequence of int
        The sorted distinct labels of all masks, without an ignored one.
    numbers : ObjectNumbers
        What was found in the masks.
    advice : Advice, default=PYTHON
        How to phrase the advice.
    jpegs : sequence of str, default=()
        Names of the masks that are JPEG files.
    """
    known = [int(each) for each in labels]  # True and False are classes too
    _check_jpeg(known, jpegs, advice)
    if len(known) > MAX_CLASSES:
        raise ValueError(
            f"The masks hold {len(known)} labels, {_listed(known)}. Expected at most {MAX_CLASSES} "
            f"classes. If they number objects, make these one class: {advice.objects}. If they are "
            f"gray levels, from JPEG or from resizing, save masks as PNG and resize them without "
            f"interpolation. If they are classes, {advice.if_classes(known)}. See {MY_DATA}."
        )
    if numbers.found():
        raise ValueError(
            f"The masks hold {len(known)} labels, {_listed(known)}, which look like object "
            f"numbers, not classes: {numbers.reason}, and each is one connected blob. Make objects "
            f"one class: {advice.objects}. If the labels are classes, {advice.if_classes(known)}. "
            f"See {MY_DATA}."
        )


def check_void(labels: Sequence[int], *, advice: Advice = PYTHON) -> None:
    """Raise a ValueError if a label is probably not a class, but marks pixels to ignore.

    Such a label is 255 or 65535 above two or more other labels, if its distance to them
    is more than twice the largest gap between them: {0, 1, 255}, but not {0, 255} and
    {0, 128, 255}; or one negative label below two or more others: {-1, 0, 1}, but not
    {-1, 1}.

    Parameters
    ----------
    labels : sequence of int
        Sorted, without an ignored label.
    advice : Advice, default=PYTHON
        How to phrase the advice.
    """
    void = void_label(labels)
    if void is not None:
        raise ValueError(
            f"The masks hold the label {void} alongside "
            f"{_listed([k for k in labels if k != void])}, which often marks pixels to ignore. "
            f"{advice.ignore.format(label=void)} if it does; if it is a class, "
            f"{advice.if_classes(labels)}."
        )


def void_label(labels: Sequence[int]) -> int | None:
    """Return the label that :func:`check_void` would report, or None."""
    if len(labels) < 3:
        return None
    *others, last = labels
    if labels[0] < 0 <= labels[1]:
        return labels[0]
    if last in _VOID and last - others[-1] > 2 * max(np.diff(others)):
        return last
    return None


def _check_jpeg(labels: Sequence[int], jpegs: Sequence[str], advice: Advice) -> None:
    if jpegs and len(labels) > 2:
        raise ValueError(
            f"The masks hold {len(labels)} labels, {_listed(labels)}, some of which come from JPEG "
            f"compression: {', '.join(jpegs[:3])}{' ...' * (len(jpegs) > 3)}. Save "
            f"masks as PNG, or as .npy. If all are classes, {advice.if_classes(labels)}."
        )
    low, high = (sum(a <= each <= b for each in labels) for a, b in ((0, 15), (240, 255)))
    if min(low, high) > 2 and labels[0] >= 0 and labels[-1] <= 255:
        raise ValueError(
            f"The masks hold the labels {_listed(labels)}, near 0 and near 255, as JPEG or "
            f"resizing produces from a mask of 0 and 255. Threshold them: mask > 127. If all are "
            f"classes, {advice.if_classes(labels)}."
        )


def _listed(labels: Sequence[int]) -> str:
    if len(labels) <= 8:
        return f"[{', '.join(map(str, labels))}]"
    return f"[{', '.join(map(str, labels[:4]))}, ..., {labels[-1]}]"


def jpeg_names(paths: Iterable[Path]) -> list[str]:
    """Return the names of the paths that are JPEG files."""
    return [path.name for path in paths if path.suffix.lower() in (".jpg", ".jpeg")]


class Blobs(NamedTuple):
    """The possible numbered objects in a mask.

    Attributes
    ----------
    labels : tuple of int
        All labels except 0 and labels that mark, or often mark, pixels to ignore.
    n_seen : int
        How many of them were checked; 0 if there are too few.
    n_single : int
        How many of the checked ones are one connected blob.
    """

    labels: tuple[int, ...]
    n_seen: int
    n_single: int


def find_blobs(mask: Array, labels: Iterable[int], *, look: bool = True) -> Blobs:
    """Check whether the labels of a mask are single objects; stop when many are not.

    Parameters
    ----------
    mask : ndarray of int of shape (*spatial)
    labels : iterable of int
        The labels that occur, without an ignored one.
    look : bool, default=True
        Whether to count blobs.
    """
    objects = tuple(int(each) for each in labels if each > 0 and each not in _VOID)
    is_signal = sum(side > 1 for side in mask.shape) < 2
    if is_signal or not look or not _IN_ONE <= len(objects) <= MAX_CLASSES:
        return Blobs(objects, 0, 0)
    names, mask = np.array(sorted(objects)), np.ma.filled(mask, 0)
    codes = np.searchsorted(names, mask).clip(max=len(names) - 1)
    codes = np.where(names[codes] == mask, codes + 1, 0)
    boxes = find_objects(codes)
    order = sorted(range(len(boxes)), key=lambda k: codes[boxes[k]].size)  # cheapest first
    touching = np.ones([3] * mask.ndim)
    single = 0
    for n_seen, k in enumerate(order, 1):
        single += label(codes[boxes[k]] == k + 1, touching)[1] == 1
        if n_seen - single > 2 and single < 0.8 * n_seen:
            break
    return Blobs(objects, n_seen, single)


class ObjectNumbers:
    """Evidence that labels number the individual objects of each image.

    This is the case if six or more labels, apart from 0, are one connected blob each (95 %
    of those in masks of three or more), and

    - each mask has the labels 1 to n without a gap, where n takes three values or
      more (two, if there are two masks), and at most half of the masks have the highest n; or
    - four or more masks, with three or more labels on average, hardly share any: a label
      occurs in fewer than 1.5 of them.

    If classes are single blobs, such as organs, some masks lack one of them, which
    leaves a gap, and each class occurs in many masks. Masks of signals are not checked:
    their phases are intervals in a fixed order.

    Attributes
    ----------
    reason : str
        What was found.
    """

    def __init__(self) -> None:
        self.reason = ""
        self._largest: list[int] = []
        self._gaps = False
        self._occurs: Counter[int] = Counter()
        self._n_seen = self._n_single = 0

    @property
    def disproved(self) -> bool:
        """Whether blobs no longer need to be counted."""
        return self._n_seen - self._n_single > 2 and self._n_single < 0.8 * self._n_seen

    def add(self, blobs: Blobs) -> None:
        """Take a mask into account."""
        n = len(blobs.labels)
        self._largest.append(n)
        self._gaps |= n > 0 and (min(blobs.labels) < 1 or max(blobs.labels) != n)
        self._occurs.update(blobs.labels)
        self._n_seen += blobs.n_seen
        self._n_single += blobs.n_single

    def found(self) -> bool:
        """Return whether labels number objects, and store the reason."""
        n_masks, n_labels = len(self._largest), len(self._occurs)
        few = n_labels < _IN_ALL or self._n_seen < _IN_ALL or n_masks < 2
        if few or self._n_single < _SINGLE * self._n_seen:
            return False
        highest = max(self._largest)
        differ = len(set(self._largest)) >= min(3, n_masks)
        if not self._gaps and differ and 2 * self._largest.count(highest) <= n_masks:
            self.reason = f"each mask has 1 to n, with n from {min(self._largest)} to {highest}"
        elif (
            n_masks >= 4
            and self._occurs.total() >= _IN_ONE * n_masks
            and self._occurs.total() < 1.5 * n_labels
        ):
            self.reason = "hardly any label occurs in two masks"
        return bool(self.reason)


def number_objects(masks: Iterable[Array], labels: Array, ignore: int | None) -> ObjectNumbers:
    """Return the evidence from masks in memory, if there are enough distinct labels.

    Parameters
    ----------
    masks : iterable of ndarray of shape (*spatial)
    labels : ndarray of int
        The distinct labels of all masks.
    ignore : int or None
        A label to leave out.
    """
    numbers = ObjectNumbers()
    if _IN_ALL <= len(labels) <= MAX_CLASSES:
        for mask in masks:
            here = [each for each in distinct_labels(mask[None]).tolist() if each != ignore]
            numbers.add(find_blobs(mask, here, look=not numbers.disproved))
    return numbers
