"""Lists of images and masks in different orders."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from sklearnloss.estimators._data.file_order import warn_of_order

from ..conftest import Data, segmenter


def test_masks_in_another_order_than_their_images_are_pointed_out(
    binary_scenes: Data, tmp_path: Path
) -> None:
    images, masks = ([tmp_path / f"{k}{end}.npy" for k in range(4)] for end in ("", "_mask"))
    for k, (image, mask) in enumerate(zip(*binary_scenes, strict=True)):
        if k < 4:
            np.save(images[k], image)
            np.save(masks[k], mask)
    model = segmenter(max_epochs=1).fit(images, masks)  # a warning would be an error
    masks[1], masks[2] = masks[2], masks[1]
    with pytest.warns(UserWarning, match=r"X\[1\] is '1.npy', but y\[1\] is '2_mask.npy': .*Sort"):
        model.fit(images, masks)


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        (["a1.png", "a2.png"], ["1.png", "2.png"]),
        (["img_1.png", "img_10.png"], ["1_mask.gif", "10_mask.gif"]),
        (["cat.png", "dog.png"], ["x.png", "y.png"]),
        (["1/image.png", "2/image.png"], ["2/mask.png", "1/mask.png"]),
        (["a.png"], ["b.png"]),
    ],
)
def test_names_that_fit_or_tell_nothing_are_no_reason(images: list[str], masks: list[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_order([Path(name) for name in images], [Path(name) for name in masks])
