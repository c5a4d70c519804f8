"""The user's transforms: functions, and transforms of torchvision, albumentations and kornia."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .._data.arrays import Scaling
from .augment_masks import MaskLabels
from .random_state import seeded

Pair = tuple[Tensor, Any]  # images, and masks in any form that a transform returns

# Transforms that mix several images, which here have individual labels.
_MIXING = {
    *("CutMix", "MixUp", "Mixup", "Mosaic"),
    *("RandomCutMixV2", "RandomMixUpV2", "RandomMosaic"),
}
# Its sequence passes on one value, which may be a pair.
_OLD = "torchvision.transforms.transforms"
# Modules of transforms that move masks with their images, and of sequences of these.
_TRUSTED = (
    *("torchvision.transforms", "albumentations.", "kornia.augmentation"),
    "torch.nn.modules.container",
)
_REFUSED_LIBRARIES = {"monai", "torchio", "imgaug"}


class CallableChange:
    """A user's transform as a change of batches.

    Parameters
    ----------
    transform : callable
        The user's function or object, which is called with a batch; or a library
        transform, a copy of which is called in the library's way.
    labels : MaskLabels or None
        The labels of the masks; None if there is one label per image.
    scaling : Scaling or None
        The scaling of the images. Libraries expect them in [0, 1].
    """

    def __init__(self, transform: Any, labels: MaskLabels | None, scaling: Scaling | None) -> None:
        self.labels = labels
        self.scaling = scaling
        self.library = library_of(transform)
        self.name = getattr(transform, "__name__", type(transform).__name__)
        #: Whether only library transforms move images; these move masks with them.
        self.is_trusted = self.library is not None and all(
            type(member).__module__.startswith(_TRUSTED) and type(member).__name__ != "Lambda"
            for member in _members(transform)
        )
        self._check_members(transform)
        if self.library is None:
            self._check_arguments(transform)
            self.transform = transform
        else:
            self.transform = copy.deepcopy(transform)  # some store their last draws

    def __call__(
        self,
        images: Tensor,
        masks: Tensor | None,
        generator: torch.Generator,
        dtype: torch.dtype = torch.float32,
        *,
        strict: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Change a batch.

        Parameters
        ----------
        images : Tensor of shape (n, C, *spatial), float32
            Scaled images.
        masks : Tensor of shape (n, *spatial) or (n, K, *spatial), or None
            Codes.
        generator : torch.Generator
            Seeds the global generators while the transform is called.
        dtype : torch.dtype
            The dtype of the images before scaling.
        strict : bool
            Whether to check all values of masks on GPUs, too.
        """
        seed = int(torch.randint(2**31, (), generator=generator))
        shown = None if masks is None else _labels(self.labels).from_codes(masks)
        with seeded(seed, images.device):
            if self.library is None:
                changed, given = self._call(images, shown)
            else:
                changed, given = self._call_library(images, shown, dtype, seed)
        changed = self._check_images(changed, images)
        if masks is None:
            return changed, None
        strict = strict or images.device.type == "cpu"
        return changed, _labels(self.labels).to_codes(given, changed, strict=strict)

    def _call(self, images: Tensor, masks: Tensor | None) -> Pair:
        if masks is None:
            return self.transform(images), None
        changed = self.transform(images, masks)
        if not isinstance(changed, (tuple, list)) or len(changed) != 2:
            raise ValueError(
                f"augment={self.name} returns {_kind(changed)}. Expected a pair: images, masks."
            )
        return changed[0], changed[1]

    def _call_library(
        self, images: Tensor, masks: Tensor | None, dtype: torch.dtype, seed: int
    ) -> Pair:
        if images.ndim < 4:
            raise ValueError(
                f"augment={self.name} from {self.library} is for images, but these are signals."
            )
        unit = UnitRange(images, self.scaling, dtype)
        try:
            changed, given = _CALLS[str(self.library)](self.transform, unit.images, masks, seed)
        except (MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            what = "images" if masks is None else "images and masks"
            raise ValueError(
                f"augment={self.name} from {self.library} fails on {what} of shape "
                f"{tuple(images.shape[1:])} (channels first), float32 in [0, 1]: "
                f"{type(error).__name__}: {error}"
            ) from error
        return unit.back(self._check_images(changed, images)), given

    def _check_arguments(self, transform: Any) -> None:
        """Raise an error unless a function accepts the arguments that will be passed."""
        expected = ("images",) if self.labels is None else ("images", "masks")
        try:
            called = transform.forward if isinstance(transform, nn.Module) else transform
            signature = inspect.signature(called)
        except (TypeError, ValueError):  # functions written in C
            return
        try:
            signature.bind(*expected)
        except TypeError as error:
            both = "" if self.labels is None else ", since both have to move together"
            raise ValueError(
                f"augment={self.name} takes {signature}, but is called with "
                f"({', '.join(expected)}){both}."
            ) from error

    def _check_members(self, transform: Any) -> None:
        """Raise an error for transforms that cannot work here."""
        for member in _members(transform):
            name = type(member).__name__
            if name in _MIXING:
                raise ValueError(
                    f"augment holds {name}, which mixes images and their labels. Here each image "
                    f"has its own labels: leave it out."
                )
            if name == "Normalize" and self.library is not None:
                raise ValueError(
                    "augment holds Normalize, but only training images are augmented: images to "
                    "predict would not be normalized. Leave it out; normalize='auto' scales all "
                    "images."
                )
            if self.labels is not None and _is_old_torchvision(member):
                raise ValueError(
                    f"augment holds {name} from torchvision.transforms, which ignores masks. Use "
                    f"the one from torchvision.transforms.v2."
                )

    def _check_images(self, changed: Any, images: Tensor) -> Tensor:
        if isinstance(changed, np.ndarray):
            changed = torch.from_numpy(np.ascontiguousarray(changed))
        if not isinstance(changed, Tensor):
            raise ValueError(f"augment={self.name} returns {_kind(changed)}. Expected images.")
        if changed.ndim != images.ndim or changed.shape[:2] != images.shape[:2]:
            raise ValueError(
                f"augment changed images of shape {tuple(images.shape)} to "
                f"{tuple(changed.shape)}: their number and channels must not change."
            )
        return changed.as_subclass(Tensor).to(images)


class UnitRange:
    """Images in [0, 1], where libraries of transforms expect them, and the inverse mapping.

    8-bit images are divided by 255. Other images are kept if all their values are in
    [0, 1], and are otherwise shifted and scaled by their smallest and largest value.

    Parameters
    ----------
    images : Tensor of shape (n, C, *spatial), float32
        Scaled images.
    scaling : Scaling or None
        Their scaling.
    dtype : torch.dtype
        The dtype of the images before.
    """

    def __init__(self, images: Tensor, scaling: Scaling | None, dtype: torch.dtype) -> None:
        self.scaling = scaling
        raw = images if scaling is None else scaling.undo(images)
        axes = tuple(range(1, raw.ndim))
        if dtype == torch.uint8:
            low, high = raw.new_zeros(1), raw.new_full((1,), 255.0)
        else:
            low, high = raw.amin(axes, keepdim=True), raw.amax(axes, keepdim=True)
            # Scaling back and forth changes values slightly, by rounding.
            inside = (low >= -1e-4 * (high - low)) & (high <= 1 + 1e-4)
            low, high = torch.where(inside, 0.0, low), torch.where(inside, 1.0, high)
        self.low, self.span = low, torch.where(high > low, high - low, 1.0)
        self.images = ((raw - self.low) / self.span).clamp(0, 1)

    def back(self, images: Tensor) -> Tensor:
        """Return images in the scale that the network sees."""
        raw = images * self.span + self.low
        return raw if self.scaling is None else self.scaling.apply(raw)


def library_of(transform: Any) -> str | None:
    """Return the library of a transform, without importing it.

    Raises
    ------
    ValueError
        If it is a library whose transforms are not supported.
    """
    if isinstance(transform, nn.Sequential) and type(transform) is nn.Sequential:
        libraries = {library_of(child) for child in transform}
        return libraries.pop() if len(libraries) == 1 else None
    packages = {cls.__module__.partition(".")[0] for cls in type(transform).__mro__}
    refused = packages & _REFUSED_LIBRARIES
    if refused:
        raise ValueError(
            f"augment={type(transform).__name__} is from {refused.pop()}, whose transforms are not "
            f"supported. Expected one from torchvision, albumentations or kornia, or a function "
            f"that applies it to each image and its mask: (images, masks) -> (images, masks)."
        )
    return next((library for library in _CALLS if library in packages), None)


def _call_torchvision(transform: Any, images: Tensor, masks: Tensor | None, seed: int) -> Pair:
    """Call a torchvision transform once per image, so that each gets its own random draws."""
    from torchvision import tv_tensors

    if masks is None:
        pure = _is_old_torchvision(transform)
        return _stacked([transform(x if pure else tv_tensors.Image(x)) for x in images]), None
    pairs = [
        (tv_tensors.Image(image), tv_tensors.Mask(mask))
        for image, mask in zip(images, masks, strict=True)
    ]
    passes_on = type(transform).__module__ in (nn.Sequential.__module__, _OLD)
    pairs = [transform(pair) if passes_on else transform(*pair) for pair in pairs]
    return _stacked([x for x, _ in pairs]), torch.stack([m.as_subclass(Tensor) for _, m in pairs])


def _call_albumentations(transform: Any, images: Tensor, masks: Tensor | None, seed: int) -> Pair:
    """Call an albumentations transform with each image as an array, with channels last."""
    if hasattr(transform, "set_random_seed"):  # newer versions have their own generators
        transform.set_random_seed(seed)
    image_key, mask_key = ("image", "mask") if images.ndim == 4 else ("volume", "mask3d")
    arrays = images.movedim(1, -1).cpu().numpy()
    if masks is None:
        done = [transform(**{image_key: np.ascontiguousarray(image)}) for image in arrays]
        return _stacked([each[image_key] for each in done]), None
    multilabel = masks.ndim == images.ndim
    layers = (masks.movedim(1, -1) if multilabel else masks).cpu().numpy()
    if layers.dtype != np.uint8:  # OpenCV supports few types
        layers = layers.astype(np.float32)
    done = [
        transform(**{image_key: np.ascontiguousarray(i), mask_key: np.ascontiguousarray(m)})
        for i, m in zip(arrays, layers, strict=True)
    ]
    given = torch.stack([torch.as_tensor(each[mask_key]) for each in done])
    if multilabel:
        given = given.movedim(-1, 1)
    elif given.ndim == images.ndim and given.shape[-1] == 1:
        given = given[..., 0]
    return _stacked([each[image_key] for each in done]), given


def _call_kornia(transform: Any, images: Tensor, masks: Tensor | None, seed: int) -> Pair:
    """Call a kornia transform with the batch; it draws for each image."""
    from kornia.augmentation import AugmentationSequential

    if not isinstance(transform, AugmentationSequential):
        parts: list[Any] = [*transform] if type(transform) is nn.Sequential else [transform]
        transform = AugmentationSequential(*parts)
    if masks is None:
        return transform(images, data_keys=["input"]), None
    layers = masks if masks.ndim == images.ndim else masks.unsqueeze(1)
    changed, given = transform(images, layers.float(), data_keys=["input", "mask"])
    return changed, given if masks.ndim == images.ndim else given.squeeze(1)


_CALLS: dict[str, Callable[[Any, Tensor, Tensor | None, int], Pair]] = {
    "torchvision": _call_torchvision,
    "albumentations": _call_albumentations,
    "kornia": _call_kornia,
}


def _stacked(images: Sequence[Any]) -> Tensor:
    """Return images (C, *spatial) as one float32 tensor; arrays have channels last."""
    tensors = [_as_image(image) for image in images]
    shapes = list(dict.fromkeys(tuple(each.shape) for each in tensors))
    if len(shapes) > 1:
        raise ValueError(
            f"it returns images of different shapes, {shapes[0]} and {shapes[1]}; add a crop to "
            f"one size at the end"
        )
    return torch.stack(tensors)


def _as_image(image: Any) -> Tensor:
    if not isinstance(image, Tensor):
        array = np.array(image)
        image = torch.from_numpy(array[..., None] if array.ndim == 2 else array).movedim(-1, 0)
    whole = image.dtype == torch.uint8
    tensor: Tensor = image.as_subclass(Tensor).float()
    return tensor / 255 if whole else tensor


def _members(transform: Any) -> Iterator[Any]:
    """Yield a transform and all of its parts."""
    yield transform
    children = getattr(transform, "transforms", ())
    if isinstance(transform, nn.Module):
        children = [*transform.children(), *(() if callable(children) else children)]
    for child in children if isinstance(children, (list, tuple, nn.ModuleList)) else ():
        yield from _members(child)


def _is_old_torchvision(transform: Any) -> bool:
    """Return whether something is from torchvision.transforms, but not from its v2."""
    modules = [cls.__module__ for cls in type(transform).__mro__]
    if any(module.startswith("torchvision.transforms.v2") for module in modules):
        return False
    parts = getattr(transform, "transforms", None)
    if type(transform).__name__ == "Compose" and isinstance(parts, (list, tuple)):
        return any(map(_is_old_torchvision, parts))  # it passes any input to its members
    return any(module.startswith("torchvision.transforms") for module in modules)


def _labels(labels: MaskLabels | None) -> MaskLabels:
    assert labels is not None
    return labels


def _kind(value: Any) -> str:
    return f"an object of type {type(value).__name__}"
