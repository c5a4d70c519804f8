"""Masks find their images by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from .helpers import Prepared, Refused, prepare


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, array)
    else:
        pytest.importorskip("PIL.Image").fromarray(array).save(path)


def prepared(folder: Path, images: list[str], masks: list[str]) -> Prepared:
    """Write images and masks, each with its number in the first pixel but one."""
    for kind, names in (("images", images), ("masks", masks)):
        for number, name in enumerate(names):
            array = np.eye(4, dtype=np.uint8)
            array[0, 1] = number
            save(folder / kind / name, array)
    return prepare(folder)


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
def test_names_may_differ_in_their_ends(
    tmp_path: Path, images: list[str], masks: list[str]
) -> None:
    for order in (1, -1):
        folder = tmp_path / str(order)
        data = prepared(folder, images, masks[::order])
        assert data.X[:, 0, 1].tolist() == [0, 1]
        assert data.y[:, 0, 1].tolist() == [0, 1][::order]


def test_masks_of_an_image_may_lie_in_a_folder_called_like_it(tmp_path: Path) -> None:
    for kind, names in (("images", ["a", "b"]), ("masks", ["a/1", "a/2", "b/1", "b/2", "b/3"])):
        for number, name in enumerate(names):
            array = np.zeros((16, 16), np.uint8)
            array[3 * number : 3 * number + 2, :5] = 255
            save(tmp_path / kind / f"{name}.png", array)
    with pytest.raises(Refused, match=r"several masks: 1.png, 2.png, 3.png\. .* --labels objects"):
        prepare(tmp_path)
    data = prepare(tmp_path, "--labels", "objects")
    assert "a number per object, 2 to 3 objects" in data.description
    save(tmp_path / "masks" / "c" / "1.png", np.zeros((16, 16), np.uint8))
    with pytest.raises(Refused, match=r"do not pair\. Without an image: c/1\.png\."):
        prepare(tmp_path, "--labels", "objects")


def test_files_without_a_partner_are_named(tmp_path: Path) -> None:
    images = [f"{k}.png" for k in range(9)]
    with pytest.raises(
        Refused, match=r"Without a mask: 0.png, 1.png, 2.png, 3.png, 4.png and 3 more\."
    ):
        prepared(tmp_path / "a", images, ["8.png"])
    with pytest.raises(Refused, match=r"Without an image: other_mask.png\. Expected the same"):
        prepared(tmp_path / "b", images, [*images, "other_mask.png"])


def test_two_files_for_one_image_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"a.png and a.tif have the same name except"):
        prepared(tmp_path / "a", ["a.png", "a.tif"], ["a.png"])
    with pytest.raises(Refused, match=r"a_label.png and a_mask.png have the same name"):
        prepared(tmp_path / "b", ["a.png"], ["a_mask.png", "a_label.png"])
