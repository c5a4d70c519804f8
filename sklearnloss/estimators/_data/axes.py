"""The axes of images, as determined by their masks and shapes."""

from __future__ import annotations

import itertools
import math
import operator


def mask_fits(mask: tuple[int, ...], spatial: tuple[int, ...], *, multilabel: bool) -> bool:
    """Return whether a mask of one shape can belong to an image of another."""
    if multilabel:
        return len(mask) == len(spatial) + 1 and mask[1:] == spatial
    return mask in (spatial, (1, *spatial), (*spatial, 1), (math.prod(spatial),))


def n_axes_by_mask(
    pages: tuple[int, ...], mask: tuple[int, ...], *, multilabel: bool
) -> int | None:
    """Return the number of spatial axes of an image whose pages may be slices or channels.

    Parameters
    ----------
    pages : tuple of int
        (n_pages, H, W), or with a leading color axis.
    mask : tuple of int
        Shape of the mask.
    multilabel : bool
        Whether masks have one channel per label.
    """
    fitting = [n for n in (2, 3) if mask_fits(mask, pages[-n:], multilabel=multilabel)]
    return fitting[0] if len(fitting) == 1 else None


def axes_hint(image: tuple[int, ...], mask: tuple[int, ...], channels: str) -> str:
    """Return a hint about the axes of an image whose mask does not fit.

    Parameters
    ----------
    image : tuple of int
        (C, *spatial), as the image was read.
    mask : tuple of int
        (*spatial), if known.
    channels : {"first", "last"}
        The channel position that was assumed.

    Returns
    -------
    hint : str
        Empty, or a sentence that starts with a space.
    """
    n_channels, *rest = image
    spatial = tuple(rest)
    given = image if channels == "first" else (*spatial, n_channels)
    other = "last" if channels == "first" else "first"
    if mask == (given[:-1] if other == "last" else given[1:]):
        return f" The channels seem to be {other}: set channels={other!r}."
    if mask == given:
        volume, axis = ((1, *given), "[:, None]") if channels == "first" else ((*given, 1), None)
        return (
            f" It is read as {n_channels} channels. If it is a volume, add a channel axis: "
            f"X{axis or '[..., None]'}, or image_shape={volume}."
        )
    if len(spatial) == 2 and mask == spatial[::-1]:
        return " One of them is rotated: files are read according to their EXIF orientation."
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
        The channel position that was passed.
    multilabel : bool
        Whether masks have one channel per label.
    names : tuple of str
        Names of image and mask.
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
    """Raise a ValueError if masks of all images show that their axes were misinterpreted.

    Parameters
    ----------
    masks : tuple of int
        The shape of all masks together.
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
    """Return what images that are read as (C, H, W) may be instead, None if nothing.

    Parameters
    ----------
    image : tuple of int
        (C, *spatial).

    Returns
    -------
    advice : str or None
        A sentence.

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
    if n_channels > max(height, width):  # probably not slices
        return None
    return (
        f"If they are volumes, give them a channel axis: X[:, None], or image_shape={(1, *image)}."
    )


def splits_or_joins(old: tuple[int, ...], new: tuple[int, ...]) -> bool:
    """Return whether a new shape only splits axes, or only joins them, without mixing any.

    Examples
    --------
    >>> from sklearnloss.estimators._data.axes import splits_or_joins
    >>> splits_or_joins((3, 1024), (3, 32, 32)), splits_or_joins((16, 24), (24, 16))
    (True, False)
    """
    before, after = (set(itertools.accumulate(shape, operator.mul)) for shape in (old, new))
    return math.prod(old) == math.prod(new) and (before <= after or after <= before)


def channels_advice(one: int, other: int) -> str:
    """Return advice on different numbers of channels, starting with a space.

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
        f" {what} do not mix: make all alike, with reader=FileReader(color='rgb') in Python, or as "
        f"with Pillow's ImageOps.exif_transpose(Image.open(file)).convert('RGB').save(copy)."
    )
