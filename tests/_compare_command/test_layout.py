"""Layouts of folders."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from sklearnloss._compare_command._image_files import ImageFiles
from sklearnloss._compare_command._layout import find_files


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def pairs(files: ImageFiles) -> list[tuple[str, str]]:
    masks = [] if files.masks is None else files.masks
    paired = zip(files.images, masks, strict=True)
    return [(os.path.basename(i), os.path.basename(m)) for i, m in paired]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("images", "masks"),
        ("imagesTr", "labelsTr"),
        ("img_dir/train", "ann_dir/train"),
        ("inputs", "targets"),
        ("Image", "GT"),
    ],
)
def test_folders_of_images_and_masks_have_many_names(
    tmp_path: Path, images: str, masks: str
) -> None:
    touch(tmp_path / images, "a_0000.png", "b_0000.png")
    touch(tmp_path / masks, "a.png", "b.png")
    assert pairs(find_files(tmp_path)) == [("a_0000.png", "a.png"), ("b_0000.png", "b.png")]


def test_masks_follow_their_images_whatever_their_order(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.png", "images/a1.png", "masks/a_mask.png", "masks/a1_mask.png")
    assert sorted(["a_mask.png", "a1_mask.png"])[0] == "a1_mask.png"
    files = find_files(tmp_path)
    assert pairs(files) == [("a.png", "a_mask.png"), ("a1.png", "a1_mask.png")]
    assert files.names == ["a.png", "a1.png"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("outlines", "photos"),
        ("train_images", "train_masks"),
        ("slices", "slices_gt"),
    ],
)
def test_folders_of_the_same_names_may_hold_masks(tmp_path: Path, first: str, second: str) -> None:
    touch(tmp_path / first, "a.png", "b.png")
    touch(tmp_path / second, "a_mask.png", "b_mask.png")
    message = rf"{first}/ and {second}/ hold the same file names\..* pass --task classification\."
    with pytest.raises(ValueError, match=message):
        find_files(tmp_path)
    with pytest.raises(ValueError, match=r"a folder called images, and one called masks"):
        find_files(tmp_path, "segmentation")
    assert find_files(tmp_path, "classification").labels == [first] * 2 + [second] * 2


def test_folders_of_masks_may_lack_some(tmp_path: Path) -> None:
    touch(tmp_path / "photos", "a.png", "b.png", "c.png")
    touch(tmp_path / "outlines", "a.png", "b.png")
    with pytest.raises(ValueError, match=r"outlines/ and photos/ hold the same file names"):
        find_files(tmp_path)
    # Of many folders with numbers for names these are classes.
    touch(tmp_path, "third/a.png", "third/d.png", "fourth/a.png", "fourth/e.png")
    assert len(set(find_files(tmp_path).labels or ())) == 4


@pytest.mark.parametrize("end", ["_mask", " mask", "-seg", "_GT"])
def test_masks_among_the_images_of_a_class_are_refused(tmp_path: Path, end: str) -> None:
    touch(tmp_path, "cat/a.png", "cat/b.png", "dog/c.png", "dog/d.png", "dog/e_mask.png")
    assert find_files(tmp_path).labels == ["cat"] * 2 + ["dog"] * 3
    touch(tmp_path, f"dog/d{end}.png")
    for task in ("auto", "classification"):
        with pytest.raises(ValueError, match=rf"holds masks as well as images: d{end}\.png\. For"):
            find_files(tmp_path, task)


@pytest.mark.parametrize(
    "name",
    [
        "image_files",
        "my_masks",
        "LabelMaps",
        "annots",
        "gt_png",
        "gtFine",
        "target2",
        "seg",
        "ROIs",
    ],
)
def test_a_folder_called_after_masks_may_be_no_class(tmp_path: Path, name: str) -> None:
    touch(tmp_path / "cat", "a.png")
    touch(tmp_path / name, "b.png")
    with pytest.raises(ValueError, match=rf"{name} sounds like images or masks\. If they"):
        find_files(tmp_path)
    assert set(find_files(tmp_path, "classification").labels or ()) == {"cat", name}


def test_names_of_classes_are_left_alone(tmp_path: Path) -> None:
    names = ["GTI", "cat", "lab", "tumor"]
    for k, name in enumerate(names):
        touch(tmp_path / name, f"{k}.png")
    assert find_files(tmp_path).labels == names


def test_folders_with_several_images_and_masks_each_are_refused(tmp_path: Path) -> None:
    for name in ("site1", "site2"):
        touch(tmp_path / name, "images/a.png", "images/b.png", "masks/a.png", "masks/b.png")
    for task in ("auto", "segmentation", "classification"):
        with pytest.raises(ValueError, match=r"2 folders with separate images and masks.*site1"):
            find_files(tmp_path, task)
    files = find_files(tmp_path, images="*/images/*", masks="*/masks/*")
    assert files.names == [f"site{k}/images/{name}.png" for k in (1, 2) for name in "ab"]
    (tmp_path / "site1").rename(tmp_path.parent / f"{tmp_path.name}-site1")
    with pytest.raises(ValueError, match=r"holds only site2/\. Pass that as DATA: '.*site2'\."):
        find_files(tmp_path)


def test_of_two_folders_of_masks_one_must_go(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.png", "masks/a.png", "labels/a.txt")
    files = find_files(tmp_path)
    assert pairs(files) == [("a.png", "a.png")]
    assert files.others == ["labels/"]
    touch(tmp_path, "labels/a.png")
    with pytest.raises(
        ValueError, match=r"labels/, masks/ could all be the folder of masks\. Move"
    ):
        find_files(tmp_path)


def test_what_lies_beside_is_left_out_by_name(tmp_path: Path) -> None:
    touch(tmp_path, "imagesTr/a.png", "labelsTr/a.png", "imagesTs/b.png", "notes.json")
    assert find_files(tmp_path).others == ["imagesTs/", "notes.json"]
    touch(tmp_path / "classes", "cat/a.png", "dog/b.png", "stray.png", "cat/notes.txt")
    assert find_files(tmp_path / "classes").others == ["stray.png", "notes.txt"]


def test_results_are_no_data(tmp_path: Path) -> None:
    touch(tmp_path, "cat/a.png", "dog/b.png")
    touch(tmp_path, "mine/comparison.png", "cat/deep/comparison.png")
    files = find_files(tmp_path, output=tmp_path / "mine")
    assert files.labels == ["cat", "cat", "dog"]
    for folder in ("mine", "cat/deep"):  # of an earlier run
        (tmp_path / folder / "settings.json").write_text('{"question": {}}')
    assert find_files(tmp_path).labels == ["cat", "dog"]
    assert find_files(tmp_path).others == []


@pytest.mark.skipif(sys.platform == "win32", reason="making links needs a privilege")
def test_links_to_nothing_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.png", "masks/a.png", "masks/b.png")
    (tmp_path / "images" / "b.png").symlink_to(tmp_path / "annex" / "b.png")
    with pytest.raises(ValueError, match=r"1 of 2 images in .* missing files: b\.png\. Fetch them"):
        find_files(tmp_path)
    touch(tmp_path, "annex/b.png")
    assert len(find_files(tmp_path).images) == 2
    (tmp_path / "images" / "notes.txt").symlink_to(tmp_path / "annex" / "notes.txt")
    assert "notes.txt (a broken link)" in find_files(tmp_path).others


@pytest.mark.skipif(sys.platform == "win32", reason="making links needs a privilege")
def test_links_to_folders_are_refused_inside_and_followed_at_the_top(tmp_path: Path) -> None:
    touch(tmp_path, "store/cat/a.png", "store/dog/b.png")
    (tmp_path / "data").mkdir()
    for name in ("cat", "dog"):
        (tmp_path / "data" / name).symlink_to(tmp_path / "store" / name)
    assert find_files(tmp_path / "data").labels == ["cat", "dog"]
    (tmp_path / "store" / "cat" / "more").symlink_to(tmp_path / "store" / "dog")
    with pytest.raises(ValueError, match=r"holds links to folders, which are not followed: more\."):
        find_files(tmp_path / "data")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="reads everything")
def test_a_folder_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    touch(tmp_path, "cat/deep/a.png", "cat/b.png", "dog/b.png")
    (tmp_path / "cat" / "deep").chmod(0)
    with pytest.raises(PermissionError, match="deep"):
        find_files(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="names are text there")
def test_bytes_that_are_no_text_are_escaped_in_labels(tmp_path: Path) -> None:
    for name in (b"caf\xe9", b"tea"):
        folder = os.fsencode(tmp_path) + b"/" + name
        os.mkdir(folder)
        with open(folder + b"/" + name + b".png", "wb"):
            pass
    assert find_files(tmp_path).labels == ["caf\\xe9", "tea"]
    touch(tmp_path, "caf\\xe9/a.png")
    with pytest.raises(ValueError, match=r"Two folders of .* are shown as caf\\xe9\. Rename one"):
        find_files(tmp_path)


def test_images_and_masks_may_write_letters_in_two_ways(tmp_path: Path) -> None:
    touch(tmp_path, "images/e\u0301.png", "masks/\u00e9.png")
    assert len(find_files(tmp_path).images) == 1


def test_channels_in_files_of_their_own_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "images/a_0000.png", "images/a_0001.png", "labels/a.png")
    with pytest.raises(ValueError, match=r"a_0001\.png: further channels of an image\? Expected"):
        find_files(tmp_path)
