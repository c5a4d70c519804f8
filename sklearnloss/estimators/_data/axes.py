"""The axes of images, as far as their masks and shapes tell."""

from __future__ import annotations

import itertools
import math
import operator


def mask_fits(mask: tuple[int, ...], spatial: tuple[int, ...], *, multilabel: bool) -> bool:
    """Return whether a mask of one shape belongs to an image of another."""
    if multilabel:
        return len(mask) == len(spatial) + 1 and mask[1:] == spatial
    return mask in (spatial, (1, *spatial), (*spatial, 1), (math.prod(spatial),))


def n_axes_by_mask(
    pages: tuple[int, ...], mask: tuple[int, ...], *, multilabel: bool
) -> int | None:
    """Return how many spatial axes an image has whose pages are slices or channels.

    Parameters
    ----------
    pages : tuple of int
        (n_pages, H, W), or with colors before.
    mask : tuple of int
        Shape of its mask.
    multilabel : bool
        Whether masks have a channel per label.
    """
    fitting = [n for n in (2, 3) if mask_fits(mask, pages[-n:], multilabel=multilabel)]
    return fitting[0] if len(fitting) == 1 else None


def axes_hint(image: tuple[int, ...], mask: tuple[int, ...], channels: str) -> str:
    """Return what may be wrong with the axes of an image whose mask does not fit.

    Parameters
    ----------
    image : tuple of int
        (C, *spatial), as it is read.
    mask : tuple of int
        (*spatial), as far as is known.
    channels : {"first", "last"}
        Where the image was said to have them.

    Returns
    -------
    hint : str
        Empty, or a sentence with a space before it.
    """
    n_channels, *rest = image
    spatial = tuple(rest)
    given = image if channels == "first" else (*spatial, n_channels)
    other = "last" if channels == "first" else "first"
    if mask == (given[:-1] if other == "last" else given[1:]):
        return f" The channels seem to come {other}: set channels={other!r}."
    if mask == given:
        volume, axis = ((1, *given), "[:, None]") if channels == "first" else ((*given, 1), None)
        return (
            f" It is read as {n_channels} channels. If it is a volume, give it a channel axis: "
            f"X{axis or '[..., None]'}, or image_shape={volume}."
        )
    if len(spatial) == 2 and mask == spatial[::-1]:
        return " One of them is turned: files are read as their EXIF orientation shows them."
    return ""


def check_mask_shape(
    mask: tuple[int, ...],
    image: tuple[int, ...],
    *,
    channels: str,
    multilabel: bool,
    names: tuple[str, str],
) -> None:
    """Raise a ValueError unless a mask fits its image.

    Parameters
    ----------
    mask : tuple of int
        Its shape.
    image : tuple of int
        (C, *spatial).
    channels : {"first", "last"}
        Where images are said to have their channels.
    multilabel : bool
        Whether masks have a channel per label.
    names : tuple of str
        What to call image and mask.
    """
    spatial = image[1:]
    if mask_fits(mask, spatial, multilabel=multilabel):
        return
    bare = mask[1:] if multilabel or mask[:1] == (1,) else mask
    hint = axes_hint(image, bare, channels)
    expected = f"(K, {', '.join(map(str, spatial))}), as multilabel=True" if multilabel else spatial
    raise ValueError(
        f"{names[1]} has shape {mask}, but {names[0]} is an image of shape {spatial} with "
        f"{image[0]} channel(s): expected a mask of shape {expected}.{hint}"
    )


def check_masks_shape(
    masks: tuple[int, ...], images: tuple[int, ...], *, channels: str, multilabel: bool
) -> None:
    """Raise a ValueError if masks of all images tell that their axes are others than thought.

    Parameters
    ----------
    masks : tuple of int
        Shape of all.
    images : tuple of int
        (n, C, *spatial).
    channels, multilabel
        As for :func:`check_mask_shape`.
    """
    spatial = tuple(images[2:])
    if mask_fits(masks[1:], spatial, multilabel=multilabel) or len(masks) < 2:
        return
    bare = masks[2:] if multilabel or masks[1] == 1 else masks[1:]
    hint = axes_hint(images[1:], bare, channels)
    if hint:
        raise ValueError(
            f"y has shape {masks}, but X holds {images[0]} images of shape {spatial} with "
            f"{images[1]} channel(s).{hint}"
        )


def looks_like(image: tuple[int, ...]) -> str | None:
    """Return what else images may be that are read as (C, H, W), None if nothing.

    Parameters
    ----------
    image : tuple of int
        (C, *spatial).

    Returns
    -------
    advice : str or None
        In words.

    Examples
    --------
    >>> from sklearnloss.estimators._data.axes import looks_like
    >>> looks_like((64, 64, 3))
    "If the channels come last, set channels='last'."
    >>> looks_like((16, 64, 64))
    'If they are volumes, give them a channel axis: X[:, None], or image_shape=(1, 16, 64, 64).'
    >>> looks_like((3, 64, 64))
    """
    if len(image) != 3 or image[0] <= 4:
        return None
    n_channels, height, width = image
    if height > 4 and (width in (1, 3, 4) or (width < n_channels == height)):
        return "If the channels come last, set channels='last'."
    if n_channels > max(height, width):  # hardly slices
        return None
    return (
        f"If they are volumes, give them a channel axis: X[:, None], or image_shape={(1, *image)}."
    )


def splits_or_joins(old: tuple[int, ...], new: tuple[int, ...]) -> bool:
    """Return whether a new shape only divides axes, or only joins them, and mixes none.

    Examples
    --------
    >>> from sklearnloss.estimators._data.axes import splits_or_joins
    >>> splits_or_joins((3, 1024), (3, 32, 32)), splits_or_joins((16, 24), (24, 16))
    (True, False)
    """
    before, after = (set(itertools.accumulate(shape, operator.mul)) for shape in (old, new))
    return math.prod(old) == math.prod(new) and (before <= after or after <= before)


def channels_advice(one: int, other: int) -> str:
    """Return what to do about different numbers of channels, with a space before the sentence.

    Examples
    --------
    >>> from sklearnloss.estimators._data.axes import channels_advice
    >>> print(channels_advice(1, 3))
     Gray and colored pictures do not mix: ...
    >>> channels_advice(5, 6)
    ''
    """
    both = {one, other}
    if len(both) < 2 or not both <= {1, 2, 3, 4}:
        return ""
    what = "Gray and colored pictures" if both == {1, 3} else "Pictures with and without alpha"
    return (
        f" {what} do not mix: make all alike, as with Pillow's "
        f"ImageOps.exif_transpose(Image.open(file)).convert('RGB').save(copy)."
    )
