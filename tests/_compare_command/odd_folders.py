"""Folders of tiny images as users have them: one function writes each."""

from __future__ import annotations

import json
import os
import pickle
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def image(k: int = 0, shape: tuple[int, ...] = (8, 8), dtype: Any = np.uint8) -> Any:
    """Return an image whose values depend on a number."""
    return np.random.default_rng(k).integers(1, 200, shape).astype(dtype)


def halves(*, low: int = 0, high: int = 1, shape: tuple[int, int] = (8, 8)) -> Any:
    """Return a mask of two halves."""
    mask = np.full(shape, low, np.uint8)
    mask[:, shape[1] // 2 :] = high
    return mask


def numbered(n: int) -> Any:
    """Return a mask of n objects of one pixel with a number each."""
    mask = np.zeros((8, 8), np.uint16)
    mask[::2, ::2].flat[:n] = np.arange(1, n + 1)
    return mask


def save(path: Path, values: Any, **options: Any) -> None:
    """Write an array in the way that the name of the file says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.name.lower()
    if name.endswith(".npy"):
        np.save(path, values)
    elif name.endswith((".tif", ".tiff")):
        pytest.importorskip("tifffile").imwrite(path, values, **options)
    elif name.endswith(".nii.gz"):
        nibabel = pytest.importorskip("nibabel")
        nibabel.save(nibabel.Nifti1Image(values, np.diag([2.0, 2.0, 3.0, 1.0])), path)
    else:
        pillow = pytest.importorskip("PIL.Image")
        pillow.fromarray(values).save(path, format=options.pop("format", None), **options)


def pairs(folder: Path, names: Sequence[str] = "abcd", *, end: str = ".png") -> None:
    """Write images and masks of the same names."""
    for k, name in enumerate(names):
        save(folder / "images" / f"{name}{end}", image(k))
        save(folder / "masks" / f"{name}{end}", halves())


def nnunet(folder: Path) -> None:
    labels = (np.eye(4)[..., None] * [1, 0, 2]).astype(np.uint8)
    for k in range(2):
        for channel in range(2):
            save(folder / "imagesTr" / f"c{k}_{channel:04d}.nii.gz", image(k, (4, 4, 3), np.int16))
        save(folder / "labelsTr" / f"c{k}.nii.gz", labels)
    save(folder / "imagesTs" / "c9_0000.nii.gz", image(9, (4, 4, 3), np.int16))
    description = {
        "channel_names": {"0": "T1", "1": "T2"},
        "labels": {"background": 0, "edema": 1, "ignore": 2},
    }
    (folder / "dataset.json").write_text(json.dumps(description))


def nnunet_without_a_channel(folder: Path) -> None:
    nnunet(folder)
    (folder / "imagesTr" / "c1_0001.nii.gz").unlink()


def nnunet_with_a_mask_in_another_order(folder: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    nnunet(folder)
    path = folder / "labelsTr" / "c1.nii.gz"
    mask = nibabel.load(path)
    flip = np.diag([-1.0, 1, 1, 1])
    flip[0, 3] = mask.shape[0] - 1
    turned = np.asarray(mask.dataobj)[::-1].copy()
    nibabel.Nifti1Image(turned, mask.affine @ flip).to_filename(path)


def nnunet_of_other_channels(folder: Path) -> None:
    nnunet(folder)
    (folder / "dataset.json").write_text('{"modality": {"0": "CT"}, "labels": {"0": "a"}}')


def nnunet_with_a_broken_description(folder: Path) -> None:
    nnunet(folder)
    (folder / "dataset.json").write_text("{")


def mmsegmentation(folder: Path) -> None:
    for k, name in enumerate(["train/a", "train/b", "val/a", "val/c"]):
        save(folder / "img_dir" / f"{name}.jpg", image(k, (8, 8, 3)))
        save(folder / "ann_dir" / f"{name}.png", halves())
    save(folder / "img_dir" / "test" / "z.jpg", image(9, (8, 8, 3)))


def data_science_bowl(folder: Path) -> None:
    for k in range(3):
        save(folder / f"id{k}" / "images" / f"id{k}.png", image(k))
        for number in range(1, k + 2):
            mask = (numbered(3) == number).astype(np.uint8) * 255
            save(folder / f"id{k}" / "masks" / f"{number:03d}.png", mask)


def data_science_bowl_without_masks(folder: Path) -> None:
    data_science_bowl(folder)
    save(folder / "id9" / "images" / "id9.png", image(9))


def data_science_bowl_of_classes(folder: Path) -> None:
    data_science_bowl(folder)
    save(folder / "id1" / "masks" / "001.png", np.eye(8, dtype=np.uint8) + halves())


def voc(folder: Path) -> None:
    pillow = pytest.importorskip("PIL.Image")
    for k, name in enumerate("abc"):
        save(folder / "JPEGImages" / f"{name}.jpg", image(k, (8, 8, 3)))
        (folder / "Annotations").mkdir(exist_ok=True)
        (folder / "Annotations" / f"{name}.xml").write_text("<annotation/>")
        if name == "c":
            continue
        mask = halves(high=15)
        mask[0] = 255
        picture = pillow.fromarray(mask)
        picture.putpalette([0, 0, 0] + [128, 0, 0] * 255)
        for kind in ("SegmentationClass", "SegmentationObject"):
            (folder / kind).mkdir(exist_ok=True)
            picture.save(folder / kind / f"{name}.png")


def cellpose(folder: Path) -> None:
    for k in range(3):
        save(folder / f"f{k}.tif", image(k, dtype=np.uint16))
        save(folder / f"f{k}_cp_masks.png", numbered(k + 3))
        save(folder / f"f{k}_flows.tif", image(k))
        save_pickle(folder / f"f{k}_seg.npy")


def save_pickle(path: Path) -> None:
    """Write what Cellpose does: a dict in an array, which only pickle can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.lib.format.write_array(file, np.array({"masks": 1}, object), allow_pickle=True)


def cellpose_pickles_alone(folder: Path) -> None:
    for k in range(3):
        save(folder / f"f{k}.tif", image(k))
        save_pickle(folder / f"f{k}_seg.npy")


def cellpose_pickles_in_masks(folder: Path) -> None:
    pairs(folder)
    for name in "abcd":
        (folder / "masks" / f"{name}.png").unlink()
        save_pickle(folder / "masks" / f"{name}_seg.npy")


def stardist(folder: Path) -> None:
    for k in range(4):
        save(folder / "images" / f"{k}.tif", image(k))
        save(folder / "masks" / f"{k}.tif", numbered(3 + 2 * k))


def one_folder_of_numbers(folder: Path) -> None:
    for k in range(3):
        save(folder / f"img_{k}.png", image(k))
        save(folder / f"mask_{k}.png", halves(high=255))


def one_folder_of_ends(folder: Path) -> None:
    for k in range(3):
        save(folder / f"p{k}.png", image(k))
        save(folder / f"p{k}_mask.png", halves())
    (folder / "Thumbs.db").write_bytes(b"")


def one_folder_without_some_masks(folder: Path) -> None:
    one_folder_of_ends(folder)
    save(folder / "p9.png", image(9))


def folders_of_patients(folder: Path) -> None:
    for name in ("p1/a", "p1/b", "p2/c"):
        save(folder / f"{name}.tif", image(len(name)))
        save(folder / f"{name}_mask.tif", halves())


def several_masks_per_image(folder: Path) -> None:
    for k in range(3):
        save(folder / "images" / f"a{k}.png", image(k))
        for number in range(1, k + 2):
            save(folder / "masks" / f"a{k}_mask_{number}.png", numbered(3) == number)


def names_for_patterns(folder: Path) -> None:
    for k in range(3):
        save(folder / "raw" / f"x{k}_ch.png", image(k))
        save(folder / "drawn" / f"x{k}.out.png", halves())
    save(folder / "raw" / "notes.png", image(9))


def names_for_patterns_unpaired(folder: Path) -> None:
    names_for_patterns(folder)
    (folder / "drawn" / "x1.out.png").unlink()


def hyperstacks(folder: Path) -> None:
    """Write what a microscope does: two channels of 16 bits, and masks of numbered cells."""
    for k in range(12):
        shape = (90, 130) if k % 2 else (128, 128)
        name = f"{'ctrl' if k < 6 else 'siRNA'}_slide{k % 2 + 1}_f{k + 1:02d}"
        stack = image(k, (2, *shape), np.uint16)
        save(folder / "images" / f"{name}.tif", stack, imagej=True, metadata={"axes": "CYX"})
        mask = np.zeros(shape, np.uint16)
        for number in range(1, 4 + k % 7):
            mask[10 * number : 10 * number + 8, 20:40] = number
        save(folder / "masks" / f"{name}.tif", mask)


def hyperstacks_with_drawn_masks(folder: Path) -> None:
    hyperstacks(folder)
    for path in sorted((folder / "masks").iterdir()):
        numbers = pytest.importorskip("tifffile").imread(path)
        path.unlink()
        save(path.with_name(f"{path.stem}_mask.png"), (numbers > 0).astype(np.uint8) * 255)


def photographs(folder: Path) -> None:
    """Write classes of photographs in four sizes, one of them gray, one for printing."""
    pillow = pytest.importorskip("PIL.Image")
    sizes = [(20, 30), (30, 20), (24, 24), (18, 36)]
    for k in range(8):
        save(folder / ("plane" if k < 3 else "ship") / f"{k}.jpg", image(k, (*sizes[k % 4], 3)))
    save(folder / "ship" / "8.jpg", image(8, sizes[0]))
    picture = pillow.fromarray(image(9, (*sizes[1], 3))).convert("CMYK")
    picture.save(folder / "ship" / "9.jpg")


def tiles(folder: Path) -> None:
    """Write tiles of five bands, with a stripe without data that is 255 in the mask."""
    for k in range(4):
        bands = image(k, (5, 8, 8), np.float32) / 1000
        mask = np.eye(8, dtype=np.uint8) + halves()
        if k < 2:
            bands[:, :2], mask[:2] = -9999, 255
        save(folder / "images" / f"{k}.tif", bands, metadata={"axes": "CYX"})
        save(folder / "masks" / f"{k}.png", mask)


def masks_in_color(folder: Path) -> None:
    pairs(folder)
    colors = np.array([[0, 0, 0], [128, 64, 128]], np.uint8)
    for name in "abcd":
        save(folder / "masks" / f"{name}.png", colors[halves()])
    (folder / "colors.csv").write_text("name,r,g,b\nvoid,0,0,0\nroad,128,64,128\n")


def control_characters(folder: Path) -> None:
    pairs(folder, ["a\x1b[2J", "b\n", "c", "d"])


def unicode_forms(folder: Path) -> None:
    pairs(folder, ["a", "b", "c"])
    save(folder / "images" / "e\u0301.png", image())
    save(folder / "masks" / "\u00e9.png", halves())


def upper_case(folder: Path) -> None:
    pairs(folder, ["a", "b"])
    save(folder / "images" / "C.PNG", image(), format="png")
    save(folder / "masks" / "c.png", halves())


def names_that_differ_in_case(folder: Path) -> None:
    pairs(folder, ["a", "b"])
    if (folder / "images" / "A.png").exists():
        pytest.skip("the file system ignores case")
    save(folder / "images" / "A.PNG", image(), format="png")


def broken_links(folder: Path) -> None:
    pairs(folder)
    (folder / "images" / "a.png").unlink()
    os.symlink(folder.parent / "annex" / "a.png", folder / "images" / "a.png")


def links_out_of_the_folder(folder: Path) -> None:
    pairs(folder)
    store = folder.parent / f"{folder.name}-store"
    store.mkdir()
    (folder / "images" / "a.png").rename(store / "7f3.png")
    os.symlink(store / "7f3.png", folder / "images" / "a.png")


def linked_folders(folder: Path) -> None:
    pairs(folder)
    store = folder.parent / f"{folder.name}-store"
    (folder / "images").rename(store)
    (folder / "images").mkdir()
    os.symlink(store, folder / "images" / "more")


def truncated(folder: Path) -> None:
    pairs(folder)
    path = folder / "images" / "b.png"
    path.write_bytes(path.read_bytes()[:-30])


def thumbnails(folder: Path) -> None:
    pairs(folder)
    (folder / "images" / "Thumbs.db").write_bytes(b"")
    (folder / ".DS_Store").write_bytes(b"")
    save(folder / "__MACOSX" / "images" / "a.png", image())


def empty_masks(folder: Path) -> None:
    pairs(folder)
    for name in "ab":
        save(folder / "masks" / f"{name}.png", np.zeros((8, 8), np.uint8))


def all_masks_empty(folder: Path) -> None:
    empty_masks(folder)
    for name in "cd":
        save(folder / "masks" / f"{name}.png", np.zeros((8, 8), np.uint8))


def one_class(folder: Path) -> None:
    for k in range(4):
        save(folder / "cat" / f"{k}.png", image(k))


def masks_of_another_size(folder: Path) -> None:
    pairs(folder)
    save(folder / "masks" / "b.png", halves(shape=(6, 8)))


def decompression_bomb(folder: Path) -> None:
    """Write a PNG that claims to have 400 million pixels."""
    pairs(folder)
    header = struct.pack(">IIBBBBB", 20000, 20000, 8, 0, 0, 0, 0)

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    (folder / "images" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)


def void_labels(folder: Path) -> None:
    pairs(folder)
    mask = np.eye(8, dtype=np.uint8) + halves()
    mask[0] = 255
    save(folder / "masks" / "a.png", mask)


def boxes_in_text(folder: Path) -> None:
    for k in range(3):
        save(folder / "images" / f"{k}.png", image(k))
        (folder / "labels").mkdir(exist_ok=True)
        (folder / "labels" / f"{k}.txt").write_text("0 .5 .5 .1 .1")


def placeholders(folder: Path) -> None:
    pairs(folder)
    (folder / "images" / "a.png").write_text("version https://git-lfs.github.com/spec/v1\n")


def not_a_number(folder: Path) -> None:
    for k in range(4):
        values = image(k, dtype=np.float32)
        values[0, :4] = np.nan
        save(folder / "images" / f"{k}.tif", values)
        save(folder / "masks" / f"{k}.tif", halves())


def other_names(folder: Path) -> None:
    for k in range(3):
        save(folder / "photos" / f"{k}.png", image(k))
        save(folder / "outlines" / f"{k}.png", halves())


def a_folder_in_a_folder(folder: Path) -> None:
    voc(folder / "VOC2012")


def pickled_image(folder: Path) -> None:
    pairs(folder, end=".npy")
    (folder / "images" / "a.npy").write_bytes(pickle.dumps([1]))
