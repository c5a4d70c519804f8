"""Folders of images, as the estimators take them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sklearnloss import ResNetClassifier, UNetSegmenter

from .helpers import Refused, prepare

RNG = np.random.default_rng(0)


def write(path: Path, array: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix in (".tif", ".tiff"):
        pytest.importorskip("tifffile").imwrite(path, array)
    else:
        pytest.importorskip("PIL.Image").fromarray(array).save(path)


def masked_folder(
    root: Path, *, kind: str = ".npy", shape: tuple[int, ...] = (8, 8), masks: str = "masks"
) -> tuple[list[Any], list[Any]]:
    """Write four images and masks; return them."""
    X, y = [], []
    for k in range(4):
        X.append(RNG.integers(0, 255, shape, dtype=np.uint8))
        y.append((RNG.random((8, 8)) > 0.5).astype(np.uint8) * 255)
        write(root / "images" / f"{k}{kind}", X[-1])
        write(root / masks / f"{k}_mask{kind}", y[-1])
    return X, y


def class_folder(root: Path, *, kind: str = ".npy", n: int = 3) -> None:
    for name in ("cat", "dog"):
        for k in range(n):
            write(root / name / f"p{k}" / f"{name}{kind}", RNG.integers(0, 255, (8, 8), np.uint8))


@pytest.mark.parametrize("kind", [".npy", ".png", ".tif"])
@pytest.mark.parametrize("masks", ["masks", "labels", "Annotations"])
def test_images_and_masks_become_arrays(tmp_path: Path, kind: str, masks: str) -> None:
    X, y = masked_folder(tmp_path, kind=kind, masks=masks)
    data = prepare(tmp_path)
    np.testing.assert_array_equal(data.X, X)
    np.testing.assert_array_equal(data.y, y)
    assert (data.task, data.channels) == ("segmentation", "first")
    assert data.question["groups"] is None
    share = np.mean(np.stack(y) == 0)
    assert data.description == (
        f"4 images, 1 channel, uint8, 8 x 8 pixels; masks of the labels 0 ({share:.0%}), 255 "
        f"({1 - share:.0%})"
    ).replace("%", " %")


@pytest.mark.parametrize("kind", [".npy", ".png", ".tif"])
def test_colors_are_channels_first(tmp_path: Path, kind: str) -> None:
    X, _ = masked_folder(tmp_path, kind=kind, shape=(8, 8, 3))
    np.testing.assert_array_equal(prepare(tmp_path).X, np.moveaxis(np.stack(X), -1, 1))


@pytest.mark.parametrize("kind", [".npy", ".png"])
def test_folders_are_classes(tmp_path: Path, kind: str) -> None:
    class_folder(tmp_path, kind=kind)
    (tmp_path / "cat" / "notes.txt").write_text("lovely")
    (tmp_path / ".cache").mkdir()
    data = prepare(tmp_path, "--groups", "folder", "--folds", "3")
    assert data.X.shape == (6, 8, 8)
    assert data.y.tolist() == ["cat"] * 3 + ["dog"] * 3
    assert data.tested == [[0, 3], [1, 4], [2, 5]]
    assert data.description == (
        "6 images, 1 channel, uint8, 8 x 8 pixels; 2 classes: cat (3), dog (3); 3 groups: p0 (2), "
        "p1 (2), p2 (2); other files left out: notes.txt"
    )


@pytest.mark.parametrize("kind", [".npy", ".png"])
def test_images_of_unlike_sizes_are_read_batch_by_batch(tmp_path: Path, kind: str) -> None:
    masked_folder(tmp_path, kind=kind)
    write(tmp_path / "images" / f"4{kind}", np.zeros((12, 16), np.uint8))
    write(tmp_path / "masks" / f"4{kind}", np.zeros((12, 16), np.uint8))
    data = prepare(tmp_path)
    assert [file.name for file in data.X] == [f"{k}{kind}" for k in range(5)]
    assert [file.name for file in data.y] == [*(f"{k}_mask{kind}" for k in range(4)), f"4{kind}"]
    assert "uint8, 8 x 8 to 12 x 16 pixels" in data.description
    assert "read from files batch by batch" in data.description
    model = UNetSegmenter(width=2, depth=1, max_epochs=1, batch_size=2).fit(data.X, data.y)
    assert 0 <= model.score(data.X, data.y) <= 1


def test_more_than_fits_into_memory_is_read_batch_by_batch(
    tmp_path: Path, nothing_in_memory: None
) -> None:
    masked_folder(tmp_path / "masked")
    class_folder(tmp_path / "classes")
    data = prepare(tmp_path / "masked")
    assert [file.name for file in data.X] == [f"{k}.npy" for k in range(4)]
    data = prepare(tmp_path / "classes")
    assert len(data.X) == len(data.y) == 6
    model = ResNetClassifier(width=2, max_epochs=1, random_state=0).fit(data.X, data.y)
    assert set(model.predict(data.X)) <= {"cat", "dog"}


def test_masks_of_one_gray_in_three_channels_are_read(tmp_path: Path) -> None:
    masked_folder(tmp_path, kind=".png")
    y = prepare(tmp_path).y
    write(tmp_path / "masks" / "0_mask.png", np.stack([y[0]] * 3, -1))
    np.testing.assert_array_equal(prepare(tmp_path).y, y)
    write(tmp_path / "images" / "4.png", np.zeros((12, 16), np.uint8))
    write(tmp_path / "masks" / "4.png", np.zeros((12, 16), np.uint8))
    data = prepare(tmp_path)
    assert [path.name for path in data.y[:2]] == ["0_mask.png", "1_mask.png"]
    model = UNetSegmenter(width=2, depth=1, max_epochs=1, batch_size=2).fit(data.X, data.y)
    assert model.classes_.tolist() == [0, 255]


def test_resizing_makes_classes_of_one_size(tmp_path: Path) -> None:
    class_folder(tmp_path)
    write(tmp_path / "dog" / "large.npy", np.full((32, 16), 7, np.uint8))
    with pytest.raises(
        Refused, match=r"1 of 7 do not: dog/large.npy \(32, 16\).*pass --resize PIXELS"
    ):
        prepare(tmp_path)
    data = prepare(tmp_path, "--resize", "12")
    assert data.X.shape == (7, 12, 12)
    assert data.X.dtype == np.uint8
    # Sorted: dog/large.npy comes first among dogs. Its shape is kept.
    np.testing.assert_array_equal(data.X.mask[3].all(0), np.repeat([1, 0, 1], [3, 6, 3]))
    assert (data.X[3].compressed() == 7).all()


def test_arrays_in_classes_say_where_their_channels_are(tmp_path: Path) -> None:
    for k in range(4):
        write(tmp_path / "ab"[k % 2] / f"{k}.npy", RNG.normal(size=(6, 7, 5)))
    with pytest.raises(Refused, match=r"4 of 4 .*a/0.npy, a/2.npy.*pass --channels first, or"):
        prepare(tmp_path)
    assert prepare(tmp_path, "--channels", "last").X.shape == (4, 5, 6, 7)
    assert prepare(tmp_path, "--channels", "first").X.shape == (4, 6, 7, 5)


def test_pages_in_classes_are_channels_if_that_is_said(tmp_path: Path) -> None:
    for k in range(4):
        write(tmp_path / "ab"[k % 2] / f"{k}.tif", RNG.normal(size=(6, 7, 5)))
    with pytest.raises(Refused, match=r"6 pages, which may be channels or slices .*--channels f"):
        prepare(tmp_path)
    assert prepare(tmp_path, "--channels", "first").X.shape == (4, 6, 7, 5)


@pytest.mark.parametrize("n_pages", [2, 3, 5])
def test_stacks_of_pages_are_volumes(tmp_path: Path, n_pages: int) -> None:
    tifffile = pytest.importorskip("tifffile")
    for k in range(3):
        pixels = RNG.normal(size=(n_pages, 8, 9)).astype(np.float32)
        for name, values in (("images", pixels), ("masks", (pixels > 0).astype(np.uint8))):
            (tmp_path / name).mkdir(exist_ok=True)
            tifffile.imwrite(tmp_path / name / f"{k}.tif", values, photometric="minisblack")
    data = prepare(tmp_path)
    assert (data.X.shape, data.y.shape) == ((3, 1, n_pages, 8, 9), (3, n_pages, 8, 9))


def test_channels_in_a_file_are_no_slices_of_a_mask(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    for name, axes in (("images", "CYX"), ("masks", "ZYX")):
        (tmp_path / name).mkdir()
        for k in range(2):
            pixels = RNG.integers(0, 2, (3, 8, 9), np.uint8)
            options = {"photometric": "minisblack", "metadata": {"axes": axes}}
            tifffile.imwrite(tmp_path / name / f"{k}.tif", pixels, **options)
    with pytest.raises(Refused, match="first axis holds channels, not slices"):
        prepare(tmp_path)


def test_files_that_are_read_again_are_read_as_before(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    tifffile = pytest.importorskip("tifffile")
    for k in range(3):
        pixels = RNG.normal(size=(8, 8, 2)).astype(np.float32)
        write(tmp_path / "images" / f"{k}.npy", pixels)
        write(tmp_path / "masks" / f"{k}.npy", (pixels[..., 0] > 0).astype(np.uint8))
    tifffile.imwrite(tmp_path / "images" / "0.tif", np.load(tmp_path / "images" / "0.npy"))
    (tmp_path / "images" / "0.npy").unlink()
    kept = prepare(tmp_path).X
    request.getfixturevalue("nothing_in_memory")
    listed = prepare(tmp_path)
    model = UNetSegmenter(width=2, depth=1, max_epochs=1).fit(listed.X, listed.y)
    np.testing.assert_array_equal(model.predict(listed.X), model.predict(kept))


def test_8_and_16_bit_files_are_pointed_out(tmp_path: Path) -> None:
    class_folder(tmp_path, kind=".png")
    write(tmp_path / "dog" / "z.png", RNG.integers(0, 65535, (8, 8), np.uint16))
    with pytest.warns(UserWarning, match=r"cat.png is of uint8 and dog/z.png is of uint16"):
        prepare(tmp_path)


def test_gray_among_colored_pictures_is_named_with_what_to_do(tmp_path: Path) -> None:
    for k in range(4):
        write(tmp_path / "ab"[k % 2] / f"{k}.jpg", RNG.integers(0, 255, (8, 8, 3), np.uint8))
    write(tmp_path / "a" / "gray.jpg", RNG.integers(0, 255, (8, 8), np.uint8))
    message = r"1 of 5 do not: a/gray.jpg .*Gray and colored pictures do not mix"
    with pytest.raises(Refused, match=message) as error:
        prepare(tmp_path, "--resize", "4")
    assert "--resize" not in str(error.value)
    image = pytest.importorskip("PIL.Image")
    cmyk = image.open(tmp_path / "a" / "0.jpg").convert("CMYK")
    (tmp_path / "a" / "gray.jpg").unlink()
    cmyk.save(tmp_path / "a" / "cmyk.jpg")
    assert prepare(tmp_path).X.shape == (5, 3, 8, 8)


def test_a_picture_that_is_turned_against_its_mask_is_named(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    masked_folder(tmp_path, kind=".png")
    exif = image.Exif()
    exif[274] = 6
    pixels, mask = RNG.integers(0, 255, (6, 9), np.uint8), np.eye(6, 9, dtype=np.uint8)
    image.fromarray(pixels).save(tmp_path / "images" / "4.png", exif=exif)
    write(tmp_path / "masks" / "4.png", mask)
    with pytest.raises(Refused, match=r"4.png .*one of them is rotated, despite its EXIF orien"):
        prepare(tmp_path)
    write(tmp_path / "masks" / "4.png", np.rot90(mask, -1))
    assert prepare(tmp_path, "--ignore-index", "255").X[4].name == "4.png"


def test_masks_of_files_keep_their_dtype_in_predictions(tmp_path: Path) -> None:
    masked_folder(tmp_path, kind=".png")
    write(tmp_path / "masks" / "0_mask.png", np.full((8, 8), 255, np.uint16))
    data = prepare(tmp_path)
    assert data.y.dtype == np.uint8
    model = UNetSegmenter(width=2, depth=1, max_epochs=1, classes=data.labels).fit(data.X, data.y)
    assert model.predict(data.X).dtype == np.uint8


def test_one_bit_masks_do_not_mix_with_255(tmp_path: Path) -> None:
    masked_folder(tmp_path, kind=".png")
    write(tmp_path / "masks" / "0_mask.png", RNG.random((8, 8)) > 0.5)
    with pytest.raises(Refused, match=r"one-bit masks.*with the labels \[0, 1, 255\]"):
        prepare(tmp_path)


def test_what_is_wrong_with_files_is_said_at_once(tmp_path: Path) -> None:
    masked_folder(tmp_path)
    write(tmp_path / "masks" / "1_mask.npy", np.zeros((8, 9), np.uint8))
    (tmp_path / "images" / "2.npy").write_bytes(b"not an array")
    write(tmp_path / "images" / "3.npy", np.full((8, 8), np.nan))
    with pytest.raises(Refused, match=r"3 of 4 images cannot be used: 1.npy .*2.npy .*3.npy ") as e:
        prepare(tmp_path)
    assert "1.npy (the image has shape (8, 8), its mask has shape (8, 9))" in str(e.value)
    assert "3.npy (NaN or infinity: pass --nodata nan" in str(e.value)


def test_broken_pictures_and_colors_as_classes_are_named(tmp_path: Path) -> None:
    masked_folder(tmp_path, kind=".png")
    write(tmp_path / "masks" / "0_mask.png", RNG.integers(0, 255, (8, 8, 3), np.uint8))
    whole = (tmp_path / "images" / "1.png").read_bytes()
    (tmp_path / "images" / "1.png").write_bytes(whole[:-30])
    with pytest.raises(
        Refused,
        match=r"1.png \(.*truncated\), 0.png \(masks in color, with the colors .* --colors FILE",
    ):
        prepare(tmp_path)


def test_jpeg_masks_are_refused_unless_they_kept_two_labels(tmp_path: Path) -> None:
    masked_folder(tmp_path, kind=".png")
    noisy = tmp_path / "masks" / "0_mask.jpg"
    (tmp_path / "masks" / "0_mask.png").unlink()
    write(noisy, RNG.integers(0, 2, (8, 8), np.uint8) * 200)
    with pytest.raises(Refused, match=r"some of which come from JPEG compression: 0_mask"):
        prepare(tmp_path)
    write(noisy, np.full((8, 8), 255, np.uint8))
    assert prepare(tmp_path).labels == [0, 255]


def test_masks_with_palettes_that_differ_are_refused(tmp_path: Path) -> None:
    masked_folder(tmp_path, kind=".png")
    image = pytest.importorskip("PIL.Image")
    for k, color in enumerate([200, 90]):
        picture = image.fromarray(np.eye(8, dtype=np.uint8))
        picture.putpalette([0, 0, 0, color, 0, 0])
        picture.save(tmp_path / "masks" / f"{k}_mask.png")
    with pytest.raises(Refused, match=r"1 is the color \(200, 0, 0\) in .*0_mask.*in Python"):
        prepare(tmp_path)


def test_a_class_of_two_values_may_be_masks(tmp_path: Path) -> None:
    for k in range(3):
        write(tmp_path / "photo" / f"photo{k}.npy", RNG.integers(0, 255, (8, 8), np.uint8))
        write(tmp_path / "outline" / f"outline{k}.npy", 255 * np.eye(8, k=k, dtype=np.uint8))
    with pytest.raises(Refused, match=r"outline/ have only two values.*--task classification"):
        prepare(tmp_path)
    assert prepare(tmp_path, "--task", "classification").labels == ["outline", "photo"]
    write(tmp_path / "photo" / "dark.npy", np.zeros((8, 8), np.uint8))
    assert prepare(tmp_path).task == "classification"


def test_two_channels_that_differ_are_no_mask(tmp_path: Path) -> None:
    masked_folder(tmp_path, kind=".tif", shape=(2, 8, 8))
    image = pytest.importorskip("PIL.Image")
    opaque = image.fromarray(np.eye(8, dtype=np.uint8)).convert("LA")
    (tmp_path / "masks" / "0_mask.tif").unlink()
    opaque.save(tmp_path / "masks" / "0_mask.png")
    data = prepare(tmp_path, "--ignore-index", "255")
    assert data.y[0].tolist() == np.eye(8).tolist()
    write(tmp_path / "masks" / "1_mask.tif", RNG.integers(0, 2, (2, 8, 8), np.uint8))
    # With its mask of two pages the image is read as two slices, unlike the others.
    with pytest.raises(Refused, match=r"1 of 4 do not: 1\.tif \(1, 2, 8, 8\)"):
        prepare(tmp_path)  # two slices, say


def test_numbers_of_objects_are_refused(tmp_path: Path) -> None:
    masked_folder(tmp_path)
    y = np.zeros((4, 8, 8), np.uint16)
    for k, (mask, n) in enumerate(zip(y, (3, 6, 8, 5), strict=True)):
        mask.reshape(4, 2, 8)[:, 0, ::4][np.arange(8).reshape(4, 2) < n] = np.arange(1, n + 1)
        write(tmp_path / "masks" / f"{k}_mask.npy", mask)
    message = r"look like object numbers.*mask > 0.*in Python, with UNetSegmenter\(classes=\["
    with pytest.raises(Refused, match=message.replace("mask > 0", "pass --labels objects")):
        prepare(tmp_path)
    np.savez(tmp_path / "a.npz", X=np.zeros((4, 8, 8)), y=y)
    with pytest.raises(Refused, match=message):
        prepare(tmp_path / "a.npz")


def test_compressed_tiffs_are_read(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    X, _ = masked_folder(tmp_path)
    for k, pixels in enumerate(X):
        (tmp_path / "images" / f"{k}.npy").unlink()
        image.fromarray(pixels).save(tmp_path / "images" / f"{k}.tif", compression="tiff_lzw")
    np.testing.assert_array_equal(prepare(tmp_path).X, X)
    pages = [image.fromarray(pixels) for pixels in X]
    options = {"save_all": True, "append_images": pages[1:], "compression": "tiff_lzw"}
    pages[0].save(tmp_path / "images" / "0.tif", **options)
    with pytest.raises(Refused, match=r"1 of 4 images cannot be used: 0.tif \("):
        prepare(tmp_path)  # never the first page alone


def test_images_of_other_channels_are_named(tmp_path: Path) -> None:
    masked_folder(tmp_path)
    write(tmp_path / "images" / "2.npy", np.zeros((3, 8, 8), np.uint8))
    with pytest.raises(Refused, match=r"shape \(8, 8\) .* 1 of 4 do not: 2.npy \(3, 8, 8\)"):
        prepare(tmp_path)


def test_pictures_need_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(b"")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Refused, match=r"Reading .png .*pip install 'sklearnloss\[images\]'"):
        prepare(tmp_path)


def test_other_layouts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"There is no file or folder '.*nowhere'\.$"):
        prepare(tmp_path / "nowhere")
    with pytest.raises(Refused, match=r"holds nothing\. Expected images/ and masks/"):
        prepare(tmp_path)
    masked_folder(tmp_path / "splits" / "train")
    masked_folder(tmp_path / "splits" / "test")
    with pytest.raises(Refused, match=r"holds test/, train/, which are not classes.*as DATA"):
        prepare(tmp_path / "splits")
    masked_folder(tmp_path / "truth", masks="truth")
    with pytest.raises(Refused, match=r"holds images/, truth/\. .*expected .*called masks, lab"):
        prepare(tmp_path / "truth")
    (tmp_path / "file.txt").write_text("")
    with pytest.raises(Refused, match=r"file.txt' is not a folder"):
        prepare(tmp_path / "file.txt")
    (tmp_path / "empty" / "images").mkdir(parents=True)
    (tmp_path / "empty" / "masks").mkdir()
    with pytest.raises(Refused, match=r"images' holds no images\. Expected files that end in"):
        prepare(tmp_path / "empty")


def test_a_class_without_images_is_named(tmp_path: Path) -> None:
    class_folder(tmp_path)
    (tmp_path / "emu").mkdir()
    with pytest.raises(Refused, match=r"there are no images in emu\. Expected files that end"):
        prepare(tmp_path)


def test_a_task_that_the_data_is_not_for_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=np.zeros((2, 4, 4)), y=[0, 1])
    with pytest.raises(Refused, match=r"data for classification, but --task is segmentation"):
        prepare(tmp_path / "a.npz", "--task", "segmentation")
    with pytest.raises(Refused, match=r"no file names to search\. Expected a .csv file"):
        prepare(tmp_path / "a.npz", "--groups", "folder")
    (tmp_path / "groups.csv").write_text("p\nq\n")
    data = prepare(tmp_path / "a.npz", "--groups", str(tmp_path / "groups.csv"))
    assert data.description.endswith("2 groups: p (1), q (1)")
    assert data.tested == [[0], [1]]
    masked_folder(tmp_path / "masked")
    assert prepare(tmp_path / "masked", "--resize", "4").X.shape == (4, 4, 4)
    with pytest.raises(Refused, match=r"--resize is for images in files, but '.*a\.npz' holds"):
        prepare(tmp_path / "a.npz", "--resize", "4")
