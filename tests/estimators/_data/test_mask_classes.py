"""Masks whose labels are not classes are refused, and those whose labels are pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from scipy.ndimage import label
from torch.utils.data import Dataset

from sklearnloss import UNetSegmenter
from sklearnloss.datasets import load_nuclei, make_digit_scenes

RNG = np.random.default_rng(0)


def fit(y: Any, X: Any = None, **params: Any) -> UNetSegmenter:
    """Train as little as can be on masks."""
    X = [RNG.normal(size=np.shape(mask)).astype(np.float32) for mask in y] if X is None else X
    model = UNetSegmenter(width=2, depth=1, max_epochs=1, random_state=0, **params)
    return cast(UNetSegmenter, model.fit(X, y))


def noise(labels: Any, n: int = 3) -> np.ndarray:
    """Return masks of labels without any shape."""
    masks: np.ndarray = RNG.permutation(np.resize(labels, n * 64)).reshape(n, 8, 8)
    return masks


def numbered(counts: Any, size: int = 20) -> np.ndarray:
    """Return masks with some squares, numbered from 1."""
    masks = np.zeros((len(counts), size, size), np.uint16)
    for mask, count in zip(masks, counts, strict=True):
        for k in range(count):
            row, column = 4 * (k // 5), 4 * (k % 5)
            mask[row : row + 3, column : column + 3] = k + 1
    return masks


def save(masks: Any, folder: Path, suffix: str) -> list[Path]:
    paths = [folder / f"{k}{suffix}" for k in range(len(masks))]
    for path, mask in zip(paths, masks, strict=True):
        if suffix == ".npy":
            np.save(path, mask)
        else:
            pytest.importorskip("PIL.Image").fromarray(mask).save(path)
    return paths


class DataOfPairs(Dataset):  # type: ignore[type-arg]
    """A torch data set of paths."""

    def __init__(self, pairs: list[tuple[Path, str]]) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Path, str]:
        return self.pairs[index]


OBJECTS = "look like object numbers.*one class: mask > 0.*pass classes="


@pytest.mark.parametrize("counts", [[3, 7, 5, 9], [6, 8], [2, 0, 9, 4, 5], [18, 19, 20, 22]])
def test_numbers_of_objects_are_refused(counts: list[int], tmp_path: Path) -> None:
    y = numbered(counts)
    with pytest.raises(ValueError, match=f"{OBJECTS}.*1, 2, 3"):
        fit(y)
    with pytest.raises(ValueError, match=f"1 to n, with n from {min(counts)} to {max(counts)}"):
        fit(save(y, tmp_path, ".npy"), X=RNG.normal(size=y.shape))
    marked = np.where(RNG.random(y.shape) < 0.01, 255, y)
    with pytest.raises(ValueError, match=OBJECTS):
        fit(marked, ignore_index=255)


def test_a_few_objects_may_be_cut_in_two() -> None:
    y = numbered([3, 7, 5, 9])
    y[0, 18, 18] = 1
    with pytest.raises(ValueError, match=OBJECTS):
        fit(y)
    y[:, 18, 18] = 1  # one label of each mask: these may be classes
    assert len(fit(y).classes_) == 10


def test_phases_of_signals_are_classes() -> None:
    y = np.repeat(np.arange(9), 4)[:32]
    phases = np.stack([np.minimum(y, n) for n in (3, 7, 5, 6)])
    assert len(fit(phases, image_shape=(32,)).classes_) == 8
    assert len(fit(phases).classes_) == 8


def test_the_user_may_say_that_numbers_are_classes() -> None:
    y = numbered([3, 7, 5, 9])
    assert len(fit(y, classes=range(10)).classes_) == 10
    model = UNetSegmenter(width=2, depth=1, max_epochs=1)
    model.partial_fit(RNG.normal(size=y.shape), y, classes=range(10))
    model.partial_fit(RNG.normal(size=y.shape), y)
    assert fit(y > 0).classes_.tolist() == [False, True]


def test_tiles_of_numbered_objects_are_refused() -> None:
    image, numbers = load_nuclei(instances=True)
    tiles = [numbers[64 * k : 64 * k + 64, :64] for k in range(6)]
    X = [image[64 * k : 64 * k + 64, :64] for k in range(6)]
    assert len(np.unique(tiles)) < 64
    with pytest.raises(ValueError, match="object.*hardly any label occurs in two masks"):
        fit(tiles, X=X)
    with pytest.raises(ValueError, match="hold 126 labels.*at most 64 classes.*mask > 0"):
        fit([numbers[:256], numbers[256:]])


def organs(missing: list[list[int]]) -> np.ndarray:
    """Return masks of eight classes, each a single blob, some of which are missing."""
    masks = numbered([8] * len(missing))
    for mask, labels in zip(masks, missing, strict=True):
        mask[np.isin(mask, labels)] = 0
    return masks


@pytest.mark.parametrize(
    "y",
    [
        load_nuclei(tile=32)[1],
        make_digit_scenes(8, size=24, n_digits=2, classes=tuple(range(10)), random_state=0)[1],
        make_digit_scenes(3, size=32, n_digits=5, classes=tuple(range(10)), random_state=0)[1],
        organs([[], [], [], []]),
        organs([[4], [], [], [2, 5]]),
        organs([[8], [], [], [], [7, 8]]),  # most have them all
        organs([[1, 2, 3, 4, 5], [1, 2, 3], [6, 7, 8], [2, 5, 7]]),  # slices
        numbered([1, 2, 2, 1, 3]),  # a liver, its tumours and their core
        numbered([1, 2, 3, 4, 5]),
        np.concatenate([numbered([3, 7, 5, 9])] * 2, 2),  # two of each
        noise(range(20)),
        noise(range(64)),
    ],
    ids=[
        *("nuclei", "digits", "few digits", "organs", "rare organs", "last organs", "slices"),
        *("tumours", "few labels", "pairs", "noise", "many classes"),
    ],
)
def test_masks_of_classes_pass(y: np.ndarray) -> None:
    assert len(fit(y).classes_) == len(np.unique(y))


def test_numbers_of_objects_in_volumes_are_refused() -> None:
    y = np.zeros((3, 6, 12, 12), np.uint8)
    for mask, seed in zip(y, range(3), strict=True):
        spots = np.random.default_rng(seed).random((3, 6, 6)) > 0.9
        mask[:, :, :] = label(spots.repeat(2, 0).repeat(2, 1).repeat(2, 2))[0]
    assert sorted(int(mask.max()) for mask in y) == [6, 7, 11]
    with pytest.raises(ValueError, match=OBJECTS):
        fit(y, X=RNG.normal(size=(3, 1, 6, 12, 12)))


def test_more_labels_than_64_are_refused() -> None:
    with pytest.raises(ValueError, match=r"hold 65 labels, \[0, 1, 2, 3, ..., 64\].*gray levels"):
        fit(noise(range(65)))


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize(
    ("labels", "void"),
    [
        ([0, 1, 255], 255),
        ([1, 2, 255], 255),
        ([0, 2, 5, 11, 255], 255),
        ([*range(19), 255], 255),
        ([0, 1, 65535], 65535),
        ([-1, 0, 1], -1),
        ([-9, 0, 3, 7], -9),
    ],
)
def test_a_label_that_often_marks_ignored_pixels_is_asked_about(
    labels: list[int], void: int, lazy: bool, tmp_path: Path
) -> None:
    y = noise(labels)
    masks = save(y, tmp_path, ".npy") if lazy else y
    X = RNG.normal(size=y.shape)
    with pytest.raises(
        ValueError, match=rf"label {void} alongside .*Pass ignore_index={void} if .*pass classes=\["
    ):
        fit(masks, X=X)
    assert void not in fit(masks, X=X, ignore_index=void).classes_
    assert void in fit(masks, X=X, classes=labels).classes_


@pytest.mark.parametrize(
    "labels",
    [
        [0, 255],
        [1, 255],
        [0, 128, 255],
        [0, 100, 255],
        [0, 85, 170, 255],
        [0, 1, 254],
        [-1, 1],
        [-2, -1, 0, 1, 2],
        [0, 65535],
        [False, True],
    ],
)
def test_labels_that_can_only_be_classes_are_not_asked_about(labels: list[int]) -> None:
    assert fit(noise(labels)).classes_.tolist() == labels


def test_score_asks_about_ignored_pixels_that_fit_has_not_seen() -> None:
    X, y = RNG.normal(size=(3, 8, 8)), noise([0, 1])
    model = fit(y, X=X)
    void = np.where(np.arange(8) < 2, 255, y)
    with pytest.raises(ValueError, match=r"y holds the label 255, .*classes \[0, 1\].*Set ignore_"):
        model.score(X, void)
    with pytest.raises(ValueError, match="y holds the label 255"):
        model.score(list(X), [void[0], *y[1:]])
    assert model.score(X, np.where(void == 255, 2, y)) < 1  # a class that fit has not seen
    assert model.set_params(ignore_index=255).score(X, void) <= 1


def jpeg(mask: np.ndarray, path: Path) -> Path:
    pytest.importorskip("PIL.Image").fromarray(mask).save(path, quality=95)
    return path


def test_masks_in_jpeg_files_are_refused(tmp_path: Path) -> None:
    y = numbered([1, 2, 2]).astype(np.uint8)
    files = [jpeg(100 * mask, tmp_path / f"{k}.jpg") for k, mask in enumerate(y)]
    X = list(RNG.normal(size=y.shape))
    message = r"some of which come from JPEG.*: 0.jpg, 1.jpg, 2.jpg. Save masks as PNG"
    with pytest.raises(ValueError, match=message):
        fit(files, X=X)
    images = save(np.stack(X), tmp_path, ".npy")
    pairs = list(zip(images, map(str, files), strict=True))
    for data in (pairs, DataOfPairs(pairs)):
        with pytest.raises(ValueError, match=message):
            fit(None, X=data)
    with pytest.raises(ValueError, match=message):
        fit([str(file).encode() for file in files], X=X)


def test_what_jpeg_makes_of_two_labels_is_refused(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    y = [
        np.asarray(image.open(jpeg(255 * (m > 0).astype(np.uint8), tmp_path / "a.jpg")))
        for m in numbered([3, 5, 6])
    ]
    assert 6 < len(np.unique(y)) <= 64
    with pytest.raises(
        ValueError, match=r"near 0 and near 255, as JPEG.*Threshold them: mask > 12"
    ):
        fit(y)


def test_jpeg_files_of_two_labels_are_masks(tmp_path: Path) -> None:
    y = np.zeros((2, 8, 8), np.uint8)
    y[1] = 255
    files = [jpeg(mask, tmp_path / f"{k}.jpg") for k, mask in enumerate(y)]
    assert fit(files, X=list(RNG.normal(size=y.shape))).classes_.tolist() == [0, 255]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_pictures_of_grey_masks_are_read_and_others_refused(mode: str, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    y = noise([0, 7]).astype(np.uint8)
    for k, mask in enumerate(y):
        image.fromarray(mask).convert(mode).save(tmp_path / f"{k}.png")
    files = [tmp_path / f"{k}.png" for k in range(3)]
    X = list(RNG.normal(size=y.shape))
    model = fit(files, X=X)
    assert model.classes_.tolist() == [0, 7]
    assert model.score(X, files) == model.score(np.stack(X), y)
    image.fromarray(RNG.integers(0, 255, (8, 8, 3), np.uint8)).save(files[0])
    with pytest.raises(ValueError, match=r"0\.png.*a mask in color. Store the number of the class"):
        fit(files, X=X)
