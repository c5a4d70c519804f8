"""Folders as users have them are read right, or refused with what to do about it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sklearnloss import FileReader, UNetSegmenter, load
from sklearnloss._compare_command._image_files import files_of
from sklearnloss._compare_command._layout import find_files

from ..command_line import main
from . import odd_folders as odd
from .helpers import Refused, prepare

# Names that such a system refuses, and links that need a privilege.
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="names and links of other systems")

Make = Callable[[Path], None]

GRAY = "images, 1 channel, uint8, 8 x 8 pixels; masks of the labels"
HALVES = f"4 {GRAY} 0 (50 %), 1 (50 %)"
BORDER_HINT = "--labels border would also separate objects that touch"
OBJECTS = "read as object / background; labels 0 background"


def same(names: str, end: str = ".png") -> dict[str, str]:
    return {f"images/{name}{end}": f"masks/{name}{end}" for name in names}


def named(text: str) -> dict[str, str]:
    return dict(pair.split(":") for pair in text.split())


READ: list[tuple[Make, str, str, dict[str, str]]] = [
    (
        odd.nnunet,
        "",
        "2 images, 2 channels (T1, T2), int16, 4 x 4 x 3 voxels, spacing 2 x 2 x 3; masks of the "
        "labels 0 background (91 %), 1 edema (9 %); 2 is ignored (8 % of pixels); layout: nnU-Net; "
        "--ignore-index 2 is used, which nnU-Net defines; other files left out: imagesTs/",
        {
            f"imagesTr/c{k}_0000.nii.gz+imagesTr/c{k}_0001.nii.gz": f"labelsTr/c{k}.nii.gz"
            for k in range(2)
        },
    ),
    (
        odd.mmsegmentation,
        "",
        "4 images, 3 channels, uint8, 8 x 8 pixels; masks of the labels 0 (50 %), 1 (50 %); "
        "layout: mmsegmentation; train and val joined, since folds split them anew; other files "
        "left out: img_dir/test/",
        {
            f"img_dir/{name}.jpg": f"ann_dir/{name}.png"
            for name in ("train/a", "train/b", "val/a", "val/c")
        },
    ),
    (
        odd.data_science_bowl,
        "",
        "3 images, 1 channel, uint8, 8 x 8 pixels; masks: a number per object, 1 to 3 objects; "
        f"{OBJECTS} (97 %), 1 object (3 %); layout: a folder per image, with a mask file per "
        f"object; {BORDER_HINT}",
        named(
            "id0/images/id0.png:id0/masks/001.png "
            "id1/images/id1.png:id1/masks/001.png+id1/masks/002.png "
            "id2/images/id2.png:id2/masks/001.png+id2/masks/002.png+id2/masks/003.png"
        ),
    ),
    (
        odd.voc,
        "",
        "2 images, 3 channels, uint8, 8 x 8 pixels; masks of the labels 0 (50 %), 15 (50 %); 255 "
        "is ignored (12 % of pixels); layout: Pascal VOC; 1 image without a mask of classes left "
        "out; --ignore-index 255 is used, which Pascal VOC defines; other files left out: "
        "Annotations/, SegmentationObject/",
        {f"JPEGImages/{name}.jpg": f"SegmentationClass/{name}.png" for name in "ab"},
    ),
    (
        odd.cellpose,
        "",
        "3 images, 1 channel, uint16, 8 x 8 pixels; masks: a number per object, 3 to 5 objects; "
        f"{OBJECTS} (94 %), 1 object (6 %); layout: Cellpose; {BORDER_HINT}; other files left "
        "out: f0_flows.tif, f1_flows.tif, f2_flows.tif, f0_seg.npy, f1_seg.npy and 1 more",
        {f"f{k}.tif": f"f{k}_cp_masks.png" for k in range(3)},
    ),
    (
        odd.stardist,
        "--labels objects",
        "4 images, 1 channel, uint8, 8 x 8 pixels; masks: a number per object, 3 to 9 objects; "
        f"{OBJECTS} (91 %), 1 object (9 %)",
        same("0123", ".tif"),
    ),
    (
        odd.stardist,
        "--labels border",
        "4 images, 1 channel, uint8, 8 x 8 pixels; masks: a number per object, 3 to 9 objects; "
        "read as object / border / background; labels 0 background (67 %), 1 object (9 %), 2 "
        "border (23 %)",
        same("0123", ".tif"),
    ),
    (
        odd.one_folder_of_numbers,
        "",
        f"3 {GRAY} 0 (50 %), 255 (50 %); layout: images beside their masks",
        {f"img_{k}.png": f"mask_{k}.png" for k in range(3)},
    ),
    (
        odd.one_folder_of_ends,
        "",
        f"3 {GRAY} 0 (50 %), 1 (50 %); layout: images beside their masks; other files left out: "
        "Thumbs.db",
        {f"p{k}.png": f"p{k}_mask.png" for k in range(3)},
    ),
    (
        odd.folders_of_patients,
        "--groups folder",
        f"3 {GRAY} 0 (50 %), 1 (50 %); 2 groups: p1 (2), p2 (1); layout: images beside their masks",
        {f"{name}.tif": f"{name}_mask.tif" for name in ("p1/a", "p1/b", "p2/c")},
    ),
    (
        odd.several_masks_per_image,
        "--labels objects",
        "3 images, 1 channel, uint8, 8 x 8 pixels; masks: a number per object, 1 to 3 objects; "
        f"{OBJECTS} (97 %), 1 object (3 %)",
        {
            f"images/a{k}.png": "+".join(f"masks/a{k}_mask_{n}.png" for n in range(1, k + 2))
            for k in range(3)
        },
    ),
    (
        odd.several_masks_per_image,
        "--images images/*.png --masks masks/*_mask_*.png --labels objects",
        "3 images, 1 channel, uint8, 8 x 8 pixels; masks: a number per object, 1 to 3 objects; "
        f"{OBJECTS} (97 %), 1 object (3 %); layout: images/*.png with masks/*_mask_*.png",
        {
            f"images/a{k}.png": "+".join(f"masks/a{k}_mask_{n}.png" for n in range(1, k + 2))
            for k in range(3)
        },
    ),
    (
        odd.names_for_patterns,
        "--images raw/*_ch.png --masks drawn/*.out.png",
        f"3 {GRAY} 0 (50 %), 1 (50 %); layout: raw/*_ch.png with drawn/*.out.png; other files left "
        "out: raw/notes.png",
        {f"raw/x{k}_ch.png": f"drawn/x{k}.out.png" for k in range(3)},
    ),
    (
        odd.hyperstacks_with_drawn_masks,
        r"--groups ctrl|siRNA",
        "12 images, 2 channels, uint16, 90 x 130 to 128 x 128 pixels; masks of the labels 0 (94 "
        "%), 255 (6 %); 2 groups: ctrl (6), siRNA (6); read from files batch by batch",
        {},
    ),
    (
        odd.hyperstacks,
        "--labels objects --resize 32 --groups ctrl|siRNA",
        "12 images, 2 channels, uint16, 90 x 130 to 128 x 128 pixels; masks: a "
        f"number per object, 3 to 9 objects; {OBJECTS} (94 %), 1 object (6 %); 2 groups: ctrl (6), "
        "siRNA (6); resized to 32 pixels on the longest side and padded to 32 x 32, without "
        "changing proportions",
        {},
    ),
    (
        odd.photographs,
        "--resize 12 --color rgb",
        "10 images, 3 channels, uint8, 18 x 36 to 30 x 20 pixels; 2 classes: "
        "plane (3), ship (7); pictures converted to RGB; resized to 12 pixels on the longest side "
        "and padded to 12 x 12, without changing proportions",
        {},
    ),
    (
        odd.tiles,
        "--ignore-index 255 --nodata -9999",
        "4 images, 5 channels, float32 from 0.001 to 0.199, 8 x 8 pixels, 12 % of pixels without "
        "data (-9999); masks of the labels 0 (45 %), 1 (48 %), 2 (7 %); 255 "
        "is ignored (12 % of pixels)",
        {f"images/{k}.tif": f"masks/{k}.png" for k in range(4)},
    ),
    (
        odd.masks_in_color,
        "--colors DATA/colors.csv",
        f"4 {GRAY} 0 void (50 %), 1 road (50 %); colors of masks read as labels, from "
        "DATA/colors.csv; other files left out: colors.csv",
        same("abcd"),
    ),
    (odd.control_characters, "", HALVES, {}),
    (odd.unicode_forms, "", HALVES, {}),
    (odd.upper_case, "", f"3 {GRAY} 0 (50 %), 1 (50 %)", {"images/C.PNG": "masks/c.png"}),
    (odd.links_out_of_the_folder, "", HALVES, same("abcd")),
    (odd.thumbnails, "", f"{HALVES}; other files left out: Thumbs.db", same("abcd")),
    (odd.empty_masks, "", f"4 {GRAY} 0 (75 %), 1 (25 %); 2 empty masks", same("abcd")),
    (
        odd.not_a_number,
        "--nodata nan",
        "4 images, 1 channel, float32 from 1 to 199, 8 x 8 pixels, 6 % of pixels without data "
        "(nan); masks of the labels 0 (50 %), 1 (50 %)",
        same("0123", ".tif"),
    ),
]

REFUSED: list[tuple[Make, str, str]] = [
    (odd.nnunet_without_a_channel, "", r"_0000 to _0001, but lacks c1_0001\. Expected all chan"),
    (odd.nnunet_of_other_channels, "", r"names 1 channel, but images have 2 files\. Correct one"),
    (odd.nnunet_with_a_mask_in_another_order, "", r"c1_0000.*labelsTr/c1\.nii\.gz' is up to 3 pix"),
    (odd.nnunet_with_a_broken_description, "", r"cannot be read as the description .*Correct it"),
    (odd.data_science_bowl_without_masks, "", r"1 of 4 lack .*: id9/ \(no mask\)\. Move them"),
    (odd.data_science_bowl_of_classes, "", r"id1.png \(.*labels \[1, 2\]\. Expected one object in"),
    (odd.cellpose_pickles_alone, "", r"f0_seg\.npy.*pickle, which can run code .*--save_tif"),
    (odd.cellpose_pickles_in_masks, "", r"a_seg\.npy.*pickle, which can run code .*--save_tif"),
    (odd.stardist, "", r"look like object numbers.*pass --labels objects, or --labels border"),
    (odd.hyperstacks, "", r"look like object numbers.*pass --labels objects, or --labels border"),
    (odd.one_folder_without_some_masks, "", r"beside their masks\..*Without a mask: p9\.png\."),
    (odd.several_masks_per_image, "", r"a2_mask_1\.png, a2_mask_2.*pass --labels objects, or"),
    (odd.names_for_patterns, "", r"or pass --images and --masks with patterns\.$"),
    (
        odd.names_for_patterns_unpaired,
        "--images raw/*_ch.png --masks drawn/*.out.png",
        r"do not pair\. Without a mask: raw/x1_ch\.png\. Expected the same text in place of each",
    ),
    (odd.names_for_patterns, "--images raw/*_ch.png", r"--images needs --masks, too"),
    (
        odd.names_for_patterns,
        "--images raw/x.png --masks drawn/*.out.png",
        r"--images 'raw/x\.png' has no \*\. Expected a pattern .* in quotes",
    ),
    (
        odd.names_for_patterns,
        "--images raw/*.tif --masks drawn/*.out.png",
        r"--images 'raw/\*\.tif' matches no images below .* which holds drawn/x0\.out\.png",
    ),
    (
        odd.names_for_patterns,
        "--images ../*.png --masks drawn/*.out.png",
        r"--images '\.\./\*\.png': expected a path relative to DATA",
    ),
    (
        odd.names_for_patterns,
        "--images */*_ch.png --masks drawn/*.out.png",
        r"has 2 wildcards and .* has 1\. Expected as many",
    ),
    (
        odd.photographs,
        "",
        r"7 of 10 do not.*pass --color gray, or --color rgb\. Images of other sizes: .*--resize",
    ),
    (odd.photographs, "--resize 8", r"1 of 10 do not: ship/8.jpg .*pass --color gray, or"),
    (odd.photographs, "--resize 8 --labels objects", r"--labels is for masks, but the images"),
    (odd.tiles, "", r"label 255 alongside \[0, 1, 2\].*Pass --ignore-index 255 if it does"),
    (odd.masks_in_color, "", r"colors 0,0,0 \(50\.0 %\); 128,64,128 .*Pass --colors FILE\.csv"),
    (odd.names_that_differ_in_case, "", r"A\.PNG and a\.png have the same name except .*Expected"),
    (odd.broken_links, "", r"1 of 4 images .* missing files: a\.png\. Fetch them \(git annex"),
    (odd.linked_folders, "", r"links to folders, which are not followed: more\. Put the folders"),
    (odd.truncated, "", r"1 of 4 images cannot be used: b\.png \(image file is truncated"),
    (odd.all_masks_empty, "", r"hold only one label, 0\. Expected two or more"),
    (
        odd.one_class,
        "",
        r"holds cat/\. Expected images/ and masks/ .* a folder of images per class",
    ),
    (odd.masks_of_another_size, "", r"b\.png \(the image has shape \(8, 8\), its mask .* \(6, 8\)"),
    (odd.decompression_bomb, "", r"a\.png \(.*400000000 pixels.*If you trust the file, set PIL"),
    (odd.void_labels, "", r"label 255 alongside \[0, 1, 2\].*Pass --ignore-index 255 if it does"),
    (odd.boxes_in_text, "", r"0\.txt, 1\.txt, 2\.txt may hold boxes or outlines: draw them into"),
    (odd.placeholders, "", r"a\.png \(it is a Git LFS pointer: fetch the file with git lfs pull"),
    (odd.not_a_number, "", r"0\.tif.*NaN or infinity: pass --nodata nan if these are pixels with"),
    (odd.other_names, "", r"photos/ hold the same file names\..*pass --images and --masks with"),
    (odd.a_folder_in_a_folder, "", r"holds VOC2012/\..*pass the folder in it as DATA: '.*VOC2012'"),
    (odd.pickled_image, "", r"a\.npy \(it does not start like a \.npy file"),
]


def identity(value: Any) -> str | None:
    return getattr(value, "__name__", None)


def pairs(folder: Path, options: list[str]) -> dict[str, str]:
    """Return the files of each image's mask."""
    given: dict[str, Any] = {
        key: options[options.index(f"--{key}") + 1]
        for key in ("images", "masks")
        if f"--{key}" in options
    }
    files = find_files(folder, **given)
    masks = files.masks or []

    def spoken(item: Any) -> str:
        return "+".join(path.relative_to(folder).as_posix() for path in files_of([item]))

    return {spoken(image): spoken(mask) for image, mask in zip(files.images, masks, strict=True)}


@pytest.mark.parametrize(("make", "options", "description", "expected"), READ, ids=identity)
def test_it_is_read(
    tmp_path: Path, make: Make, options: str, description: str, expected: dict[str, str]
) -> None:
    folder = tmp_path / "data"
    make(folder)
    given = options.replace("DATA", str(folder)).split()
    data = prepare(folder, *given)
    assert data.description.replace(str(folder), "DATA") == description
    if expected:
        found = pairs(folder, given)
        assert {image: found[image] for image in expected} == expected
        assert make is odd.upper_case or len(found) == len(expected)


@pytest.mark.parametrize(("make", "options", "message"), REFUSED, ids=identity)
def test_it_is_refused(tmp_path: Path, make: Make, options: str, message: str) -> None:
    folder = tmp_path / "data"
    make(folder)
    with pytest.raises(Refused) as error:
        prepare(folder, *options.split())
    assert re.search(message, str(error.value)), str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "options"),
    [
        (odd.nnunet, ""),
        (odd.data_science_bowl, ""),
        (odd.hyperstacks, "--labels border --resize 16"),
        (odd.masks_in_color, "--colors DATA/colors.csv"),
        (odd.tiles, "--ignore-index 255 --nodata -9999"),
    ],
    ids=identity,
)
def test_estimators_read_the_same_from_files(
    tmp_path: Path, make: Make, options: str, request: pytest.FixtureRequest
) -> None:
    folder = tmp_path / "data"
    make(folder)
    given = options.replace("DATA", str(folder)).split()
    kept = prepare(folder, *given)
    request.getfixturevalue("nothing_in_memory")
    listed = prepare(folder, *given)
    assert isinstance(kept.X, np.ndarray)
    assert not any(isinstance(item, np.ndarray) for item in [*listed.X, *listed.y])
    assert listed.description == f"{kept.description}; read from files batch by batch" or (
        "; read from files batch by batch; " in listed.description
    )
    model = UNetSegmenter(
        width=2,
        depth=1,
        max_epochs=1,
        random_state=0,
        reader=listed.search.estimator.reader,
        ignore_index=listed.search.estimator.ignore_index,
        classes=listed.labels,
    )
    scores = [model.fit(data.X, data.y).score(data.X, data.y) for data in (kept, listed)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-3)
    assert model.scaling_ is not None
    assert not model.scaling_.mean.isnan().any()


def test_a_stack_of_channels_is_in_order(tmp_path: Path) -> None:
    odd.nnunet(tmp_path)
    second = odd.image(7, (4, 4, 3), np.int16)
    odd.save(tmp_path / "imagesTr" / "c0_0001.nii.gz", second)
    X = prepare(tmp_path).X
    assert X.shape == (2, 2, 4, 4, 3)
    np.testing.assert_array_equal(X[0], [odd.image(0, (4, 4, 3), np.int16), second])


def test_layouts_that_are_stacks_of_files_are_images(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    for k in range(4):
        for kind, values in (("images", odd.image(k)), ("masks", odd.halves())):
            (tmp_path / kind).mkdir(exist_ok=True)
            zarr.save_array(str(tmp_path / kind / f"{k}.zarr"), values)
    data = prepare(tmp_path)
    assert data.description == odd_description(4)
    np.testing.assert_array_equal(data.X, [odd.image(k) for k in range(4)])


def odd_description(n: int) -> str:
    return f"{n} {GRAY} 0 (50 %), 1 (50 %)"


def test_describe_says_what_is_there_and_trains_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    odd.hyperstacks(tmp_path / "exp")
    assert main(["compare", "exp", "--labels", "objects", "--groups", "[^_]+", "--describe"]) == 0
    assert capsys.readouterr().out == (
        "exp: 12 images, 2 channels, uint16, 90 x 130 to 128 x 128 pixels; masks: a number per "
        "object, 3 to 9 objects; read as object / background; labels 0 background (94 %), 1 object "
        "(6 %); 2 groups: ctrl (6), siRNA (6); read from files batch by batch.\n"
        "It cannot be compared yet: --folds 5: there are only 2 groups. Pass --folds 2, or "
        "--groups with a pattern that tells more of them apart.\n"
    )
    assert main(["compare", "exp", "--labels", "objects", "--scoring", "typo", "--describe"]) == 0
    assert "It cannot be compared yet: --scoring 'typo' is not a score" in capsys.readouterr().out
    assert os.listdir() == ["exp"]


@pytest.mark.slow
def test_the_model_keeps_how_files_are_read_and_what_they_were(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd.hyperstacks(tmp_path / "exp")
    small = "--losses dice --folds 2 --trials 1 --repeats 1 --epochs 1 --width 2 --device cpu"
    reading = "--labels objects --resize 32 --groups ctrl|siRNA"
    output = ["--output", str(tmp_path / "results")]
    arguments = ["compare", str(tmp_path / "exp"), *small.split(), *reading.split(), *output]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "masks: a number per object, 3 to 9 objects; read as object / background" in printed
    assert "2 groups: ctrl (6), siRNA (6)" in (tmp_path / "results" / "summary.txt").read_text()
    model = load(tmp_path / "results" / "best_model.safetensors")
    assert model.reader == FileReader(masks="objects", resize=32)
    described = model.data_description_
    assert described["groups"] == {"group 1": 6, "group 2": 6}  # names may be those of patients
    assert described["n_objects"] == [3, 9]
    assert described["sizes"] == [[90, 130], [128, 128]]
    new = sorted((tmp_path / "exp" / "images").iterdir())
    data = prepare(tmp_path / "exp", *reading.split())
    np.testing.assert_allclose(model.predict_proba(new), model.predict_proba(data.X), atol=1e-5)
    assert main([*arguments, "--labels", "instances", "--describe"]) == 0
    assert "read as object / background" in capsys.readouterr().out
    assert main([*arguments, "--labels", "border"]) == 2
    assert "holds a run with --labels objects, but now it is --labels border" in (
        capsys.readouterr().err
    )


def test_values_that_stand_for_missing_data_can_be_seen(tmp_path: Path) -> None:
    odd.tiles(tmp_path)
    assert (
        "float32 from -9999 to 0.199, 8 x 8"
        in prepare(tmp_path, "--ignore-index", "255").description
    )
