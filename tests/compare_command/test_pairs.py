"""Masks find their images by name."""

from __future__ import annotations

import pytest

from sklearnloss._compare_command._pairs import pair


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        (["a.png", "b.png"], ["a.tif", "b.tif"]),
        (["a.png", "b.png"], ["a_mask.png", "b_mask.png"]),
        (["a_image.png", "b_image.png"], ["a_label.png", "b_label.png"]),
        (["a_0000.tif", "b_0000.tif"], ["a.tif", "b.tif"]),
        (["p/a.png", "q/a.png"], ["p/a-GT.png", "q/a-GT.png"]),
        (["a_mask.png", "b_mask.png"], ["a_mask.png", "b_mask.png"]),  # the same names anyway
        (["a.b.png", "a.c.png"], ["a.b.npy", "a.c.npy"]),
    ],
)
def test_names_may_differ_in_their_ends(images: list[str], masks: list[str]) -> None:
    assert pair(images, masks) == [0, 1]
    assert pair(images, masks[::-1]) == [1, 0]


def test_files_without_a_partner_are_named() -> None:
    images = [f"{k}.png" for k in range(9)]
    with pytest.raises(
        ValueError, match=r"Without a mask: 0.png, 1.png, 2.png, 3.png, 4.png and 3 more\."
    ):
        pair(images, ["8.png"])
    with pytest.raises(ValueError, match=r"Without an image: other_mask.png\. Expected the same"):
        pair(images, [*images, "other_mask.png"])


def test_two_files_for_one_image_are_refused() -> None:
    with pytest.raises(ValueError, match=r"a.png and a.tif have the same name except"):
        pair(["a.png", "a.tif"], ["a.png"])
    with pytest.raises(ValueError, match=r"a_mask.png and a_label.png have the same name"):
        pair(["a.png"], ["a_mask.png", "a_label.png"])
