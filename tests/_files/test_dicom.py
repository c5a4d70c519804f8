"""DICOM: files and folders with the slices of one series."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sklearnloss._files.read import FileError, read_image, read_mask

from .files import write_slice

itk = pytest.importorskip("SimpleITK")

PIXELS = np.arange(20, dtype=np.int16).reshape(4, 5)


def test_a_file_is_an_image_with_its_spacing(tmp_path: Path) -> None:
    write_slice(tmp_path / "a.dcm", PIXELS)
    image = read_image(tmp_path / "a.dcm")
    assert (image.axes, image.spacing) == ("YX", (0.5, 0.25))
    np.testing.assert_array_equal(image.values, PIXELS)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.dcm"), PIXELS)


def test_images_are_rescaled_and_masks_must_not_be(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    write_slice(path, PIXELS * 2 - 1000, tags={"0028|1053": "2", "0028|1052": "-1000"})
    np.testing.assert_array_equal(read_image(path).values, PIXELS * 2 - 1000)
    with pytest.raises(FileError, match="a mask with the rescale slope 2 and intercept -1000"):
        read_mask(path)


def test_frames_are_slices(tmp_path: Path) -> None:
    volume = np.stack([PIXELS, PIXELS + 30, PIXELS + 60])
    write_slice(tmp_path / "a.dcm", volume)
    image = read_image(tmp_path / "a.dcm")
    assert image.axes == "ZYX"
    np.testing.assert_array_equal(image.values, volume)


def test_a_series_is_sorted_by_position(tmp_path: Path) -> None:
    positions = [7.5, -2.5, 5.0, 0.0, 2.5]
    for name, position in zip("abcde", positions, strict=True):
        write_slice(tmp_path / "s" / f"{name}.dcm", PIXELS + int(position * 10), position=position)
    image = read_image(tmp_path / "s")
    assert (image.axes, image.spacing) == ("ZYX", (2.5, 0.5, 0.25))
    reader = itk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path / "s")))
    expected = reader.Execute()
    np.testing.assert_array_equal(image.values, itk.GetArrayFromImage(expected))
    assert image.spacing == expected.GetSpacing()[::-1]
    np.testing.assert_array_equal(image.values, read_mask(tmp_path / "s"))


def test_unequal_distances_are_no_spacing(tmp_path: Path) -> None:
    for k, position in enumerate([0, 1, 2, 5]):
        write_slice(tmp_path / "s" / f"{k}.dcm", PIXELS, position=position)
    image = read_image(tmp_path / "s")
    assert image.values.shape == (4, 4, 5)
    assert image.spacing is None


def test_what_is_not_one_volume_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    for k in range(3):
        write_slice(folder / f"{k}.dcm", PIXELS, position=k)
    write_slice(folder / "3.dcm", PIXELS, position=1)
    with pytest.raises(FileError, match=r"'1.dcm' and '3.dcm' are at the same position"):
        read_image(folder)
    write_slice(folder / "3.dcm", PIXELS[:3], position=3)
    with pytest.raises(FileError, match="its 4 files do not fit together"):
        read_image(folder)
    write_slice(folder / "3.dcm", PIXELS, position=3, normal="0\\1\\0\\1\\0\\0")
    with pytest.raises(FileError, match="do not fit together: their sizes or directions"):
        read_image(folder)
    write_slice(folder / "3.dcm", PIXELS, series="9.8.7")
    with pytest.raises(FileError, match=r"s' cannot be read: .*2 series: 1.2.3 \(3 files\), 9.8.7"):
        read_image(folder)


def test_frames_in_time_are_refused(tmp_path: Path) -> None:
    write_slice(
        tmp_path / "a.dcm", np.stack([PIXELS] * 2).astype(np.uint8), tags={"0008|0060": "US"}
    )
    content = (tmp_path / "a.dcm").read_bytes()
    # Frame time, in front of the next element: number of frames comes later in the file.
    element = b"\x18\x00\x63\x10" + (4).to_bytes(4, "little") + b"33.3"
    place = content.index(b"\x20\x00\x0d\x00")
    (tmp_path / "a.dcm").write_bytes(content[:place] + element + content[place:])
    with pytest.raises(FileError, match="it holds 2 points in time"):
        read_image(tmp_path / "a.dcm")


def test_damaged_files_are_named(tmp_path: Path) -> None:
    write_slice(tmp_path / "a.dcm", PIXELS)
    content = (tmp_path / "a.dcm").read_bytes()
    (tmp_path / "cut.dcm").write_bytes(content[:-10])
    (tmp_path / "text.dcm").write_text("no image, but a text of some length" * 9)
    (tmp_path / "empty.dcm").touch()
    for name in ("cut", "text", "empty"):
        with pytest.raises(FileError, match=rf"{name}.dcm' cannot be read: it is (not a D|empty)"):
            read_image(tmp_path / f"{name}.dcm")
    with pytest.raises(FileError, match=f"{tmp_path.name}' cannot be read: in it, 'cut.dcm'"):
        read_image(tmp_path)
    for tag in (b"\x28\x00\x10\x00", b"\x28\x00\x11\x00"):
        place = content.index(tag) + 8
        content = content[:place] + b"\x60\xea" + content[place + 2 :]
    (tmp_path / "huge.dcm").write_bytes(content)
    with pytest.raises(FileError, match=r"announces 6.706 GiB \(60000 x 60000.*file has only"):
        read_image(tmp_path / "huge.dcm")


def test_another_kind_with_the_suffix_is_not_read(tmp_path: Path) -> None:
    itk.WriteImage(itk.GetImageFromArray(PIXELS.astype(np.uint8)), str(tmp_path / "a.png"))
    (tmp_path / "a.png").rename(tmp_path / "b.dcm")
    with pytest.raises(FileError, match="it is not a DICOM file"):
        read_image(tmp_path / "b.dcm")
    (tmp_path / "secret.raw").write_bytes(bytes(20))
    header = "ObjectType = Image\nNDims = 2\nDimSize = 4 5\nElementType = MET_UCHAR\n"
    (tmp_path / "a.dcm").write_text(f"{header}ElementDataFile = {tmp_path / 'secret.raw'}\n")
    with pytest.raises(FileError, match="it is not a DICOM file"):
        read_image(tmp_path / "a.dcm")


def test_objects_that_are_no_images_are_refused(tmp_path: Path) -> None:
    write_slice(tmp_path / "a.dcm", PIXELS)
    content = (tmp_path / "a.dcm").read_bytes()
    old, new = b"1.2.840.10008.5.1.4.1.1.2\0", b"1.2.840.10008.5.1.4.1.1.66.4"
    place = content.rindex(old)
    size = int.from_bytes(content[place - 4 : place], "little") + len(new) - len(old)
    content = content[: place - 4] + size.to_bytes(4, "little") + new + content[place + len(old) :]
    (tmp_path / "a.dcm").write_bytes(content)
    with pytest.raises(FileError, match="it is a segmentation object.*NIfTI"):
        read_mask(tmp_path / "a.dcm")


def test_white_may_be_zero(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    write_slice(path, PIXELS.astype(np.uint16))
    path.write_bytes(path.read_bytes().replace(b"MONOCHROME2", b"MONOCHROME1"))
    np.testing.assert_array_equal(read_image(path).values, 65535 - PIXELS.astype(np.uint16))
    with pytest.raises(FileError, match="a mask in which white is 0"):
        read_mask(path)


def test_a_missing_spacing_is_none(tmp_path: Path) -> None:
    write_slice(tmp_path / "a.dcm", PIXELS)
    content = (tmp_path / "a.dcm").read_bytes()
    place = content.index(b"\x28\x00\x30\x00")  # PixelSpacing: tag, length, text
    size = 8 + int.from_bytes(content[place + 4 : place + 8], "little")
    (tmp_path / "a.dcm").write_bytes(content[:place] + content[place + size :])
    assert read_image(tmp_path / "a.dcm").spacing is None
