"""Checks whether the labels of masks can be classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label

from .labels import distinct_labels

Array = NDArray[Any]

#: More distinct labels are not classes, unless the user says so.
MAX_CLASSES = 64

# Usual labels of pixels that do not count, beside negative ones.
_VOID = (255, 65535)
# Fewest labels in one mask, and in all masks, that can be told from classes.
_IN_ONE, _IN_ALL = 3, 6
# The part of the objects that are one blob: a few are cut in two, or have a stray pixel.
_SINGLE = 0.95


class Advice(NamedTuple):
    """How an error tells the user what to do, in Python or on the command line.

    Attributes
    ----------
    ignore : str
        What to do if pixels do not count; with ``{label}``.
    classes : str
        What to do if labels are classes after all; with ``{labels}``.
    any_classes : str
        The same where it is not known which labels there are.
    """

    ignore: str = "Pass ignore_index={label}"
    classes: str = "pass classes={labels}"
    any_classes: str = "list them as classes="

    def if_classes(self, labels: Sequence[int]) -> str:
        """Return what to do if all labels are classes."""
        return self.classes.format(labels=_listed(labels))


PYTHON = Advice()
COMMAND_LINE = Advice(
    ignore="Say --ignore-index {label}",
    classes="compare losses in Python, with UNetSegmenter(classes={labels})",
    any_classes="compare losses in Python, with UNetSegmenter(classes=...)",
)


def check_classes(
    labels: Sequence[int],
    numbers: ObjectNumbers,
    *,
    advice: Advice = PYTHON,
    jpegs: Sequence[str] = (),
) -> None:
    """Raise a ValueError if the labels of masks are more likely something else than classes.

    These are refused:

    - labels of which JPEG made some: more than two, if there are masks in JPEG files; or
      three and more near 0 and near 255 both, within 15;
    - more than 64 labels;
    - numbers of single objects, see :class:`ObjectNumbers`.

    Parameters
    ----------
    labels : sequence of int
        The sorted distinct labels of all masks, without an ignored one.
    numbers : ObjectNumbers
        What was seen of the masks.
    advice : Advice, default=PYTHON
        What to tell the user to do.
    jpegs : sequence of str, default=()
        Names of those masks that are JPEG files.
    """
    known = [int(each) for each in labels]  # True and False are classes too
    _check_jpeg(known, jpegs, advice)
    if len(known) > MAX_CLASSES:
        raise ValueError(
            f"The masks hold {len(known)} labels, {_listed(known)}. Expected at most {MAX_CLASSES} "
            f"classes. If they number single objects, make these one class: mask > 0. If they are "
            f"gray levels, from JPEG or from resizing, write masks as PNG and resize them without "
            f"interpolation. If they are classes, {advice.if_classes(known)}."
        )
    if numbers.found():
        raise ValueError(
            f"The masks hold {len(known)} labels, {_listed(known)}, which look like a number per "
            f"object, not classes: {numbers.reason}, and each is one connected blob. Make "
            f"objects one class: mask > 0. If the labels are classes, {advice.if_classes(known)}."
        )


def check_void(labels: Sequence[int], *, advice: Advice = PYTHON) -> None:
    """Raise a ValueError if a label is likely no class, but marks pixels that do not count.

    That is 255 or 65535 above two or more other labels, if it is more than twice as far
    from them as any of them from the next: {0, 1, 255}, but not {0, 255} and
    {0, 128, 255}; and one negative label below two or more others: {-1, 0, 1}, but not
    {-1, 1}.

    Parameters
    ----------
    labels : sequence of int
        Sorted, without an ignored one.
    advice : Advice, default=PYTHON
        What to tell the user to do.
    """
    void = void_label(labels)
    if void is not None:
        raise ValueError(
            f"The masks hold the label {void} beside {_listed([k for k in labels if k != void])}, "
            f"which often marks pixels that do not count. {advice.ignore.format(label=void)} if it "
            f"does; if it is a class, {advice.if_classes(labels)}."
        )


def void_label(labels: Sequence[int]) -> int | None:
    """Return the label that :func:`check_void` asks about, or None."""
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
            f"The masks hold {len(labels)} labels, {_listed(labels)}, and JPEG, which changes "
            f"labels, made some of them: {', '.join(jpegs[:3])}{' ...' * (len(jpegs) > 3)}. Write "
            f"masks as PNG, or as .npy. If all are classes, {advice.if_classes(labels)}."
        )
    low, high = (sum(a <= each <= b for each in labels) for a, b in ((0, 15), (240, 255)))
    if min(low, high) > 2 and labels[0] >= 0 and labels[-1] <= 255:
        raise ValueError(
            f"The masks hold the labels {_listed(labels)}, near 0 and near 255, as JPEG or "
            f"resizing makes of a mask of 0 and 255. Threshold them: mask > 127. If all are "
            f"classes, {advice.if_classes(labels)}."
        )


def _listed(labels: Sequence[int]) -> str:
    if len(labels) <= 8:
        return f"[{', '.join(map(str, labels))}]"
    return f"[{', '.join(map(str, labels[:4]))}, ..., {labels[-1]}]"


def jpeg_names(paths: Iterable[Path]) -> list[str]:
    """Return the names of those paths that are JPEG files."""
    return [path.name for path in paths if path.suffix.lower() in (".jpg", ".jpeg")]


class Blobs(NamedTuple):
    """The objects that a mask may number.

    Attributes
    ----------
    labels : tuple of int
        All but 0 and what marks pixels that do not count, or often does.
    n_seen : int
        How many of them were looked at; 0 if they are too few to tell.
    n_single : int
        How many of those are one connected blob.
    """

    labels: tuple[int, ...]
    n_seen: int
    n_single: int


def find_blobs(mask: Array, labels: Iterable[int], *, look: bool = True) -> Blobs:
    """Look whether the labels of a mask are single objects; stop when many are not.

    Parameters
    ----------
    mask : ndarray of int of shape (*spatial)
    labels : iterable of int
        Those that occur, without an ignored one.
    look : bool, default=True
        Whether blobs are to be counted.
    """
    objects = tuple(int(each) for each in labels if each > 0 and each not in _VOID)
    is_signal = sum(side > 1 for side in mask.shape) < 2
    if is_signal or not look or not _IN_ONE <= len(objects) <= MAX_CLASSES:
        return Blobs(objects, 0, 0)
    names, mask = np.array(sorted(objects)), np.ma.filled(mask, 0)
    codes = np.searchsorted(names, mask).clip(max=len(names) - 1)
    codes = np.where(names[codes] == mask, codes + 1, 0)
    boxes = find_objects(codes)
    order = sorted(range(len(boxes)), key=lambda k: codes[boxes[k]].size)  # the cheapest first
    touching = np.ones([3] * mask.ndim)
    single = 0
    for n_seen, k in enumerate(order, 1):
        single += label(codes[boxes[k]] == k + 1, touching)[1] == 1
        if n_seen - single > 2 and single < 0.8 * n_seen:
            break
    return Blobs(objects, n_seen, single)


class ObjectNumbers:
    """Evidence that labels number the single objects of each image.

    It is found where six or more labels, apart from 0, are one connected blob each (95 %
    of those in masks of three or more), and

    - each mask has the labels 1 to n without a gap, where n takes three values or
      more (both, of two masks), and the highest n is that of at most half of them; or
    - four or more masks, of three and more labels on average, hardly share any: a label
      occurs in fewer than 1.5 of them.

    Where classes are single blobs, such as organs, some masks lack one of them, which
    leaves a gap, and each occurs in many masks. Masks of signals are not looked at: their
    phases are intervals in one order.

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
        """Whether blobs need no longer be counted."""
        return self._n_seen - self._n_single > 2 and self._n_single < 0.8 * self._n_seen

    def add(self, blobs: Blobs) -> None:
        """Take note of a mask."""
        n = len(blobs.labels)
        self._largest.append(n)
        self._gaps |= n > 0 and (min(blobs.labels) < 1 or max(blobs.labels) != n)
        self._occurs.update(blobs.labels)
        self._n_seen += blobs.n_seen
        self._n_single += blobs.n_single

    def found(self) -> bool:
        """Return whether labels number objects, and note why."""
        n_masks, n_labels = len(self._largest), len(self._occurs)
        few = n_labels < _IN_ALL or self._n_seen < _IN_ALL or n_masks < 2
        if few or self._n_single < _SINGLE * self._n_seen:
            return False
        highest = max(self._largest)
        unlike = len(set(self._largest)) >= min(3, n_masks)
        if not self._gaps and unlike and 2 * self._largest.count(highest) <= n_masks:
            self.reason = f"each mask has 1 to n, with n from {min(self._largest)} to {highest}"
        elif (
            n_masks >= 4
            and self._occurs.total() >= _IN_ONE * n_masks
            and self._occurs.total() < 1.5 * n_labels
        ):
            self.reason = "hardly any label occurs in two masks"
        return bool(self.reason)


def number_objects(masks: Iterable[Array], labels: Array, ignore: int | None) -> ObjectNumbers:
    """Return the evidence of masks in memory, if there are enough distinct labels.

    Parameters
    ----------
    masks : iterable of ndarray of shape (*spatial)
    labels : ndarray of int
        The distinct labels of all.
    ignore : int or None
        One of them that does not count.
    """
    numbers = ObjectNumbers()
    if _IN_ALL <= len(labels) <= MAX_CLASSES:
        for mask in masks:
            here = [each for each in distinct_labels(mask[None]).tolist() if each != ignore]
            numbers.add(find_blobs(mask, here, look=not numbers.disproved))
    return numbers
