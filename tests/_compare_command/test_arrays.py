"""Arrays in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .helpers import Refused, prepare

RNG = np.random.default_rng(0)
MASKS = RNG.integers(0, 3, (6, 8, 9))


def save(folder: Path, **arrays: Any) -> Path:
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return folder


@pytest.mark.parametrize(
    ("shape", "channels"),
    [((6, 8, 9), "first"), ((6, 3, 8, 9), "first"), ((6, 8, 9, 3), "last")],
)
def test_channels_are_found_beside_masks(
    tmp_path: Path, shape: tuple[int, ...], channels: str
) -> None:
    data = prepare(save(tmp_path, X=RNG.normal(size=shape), y=MASKS))
    assert (data.task, data.channels, data.labels) == ("segmentation", channels, [0, 1, 2])
    assert isinstance(data.X, np.memmap)
    assert data.X.shape == shape


def test_volumes_get_a_channel_axis(tmp_path: Path) -> None:
    data = prepare(
        save(
            tmp_path,
            X=RNG.normal(size=(2, 4, 4, 4)),
            y=np.eye(32).reshape(-1, 8)[:16].reshape(2, 4, 4, 4),
        )
    )
    assert data.X.shape == (2, 1, 4, 4, 4)
    assert data.y.shape == (2, 4, 4, 4)


@pytest.mark.parametrize("axis", [1, -1])
def test_masks_may_have_a_channel_axis(tmp_path: Path, axis: int) -> None:
    X = RNG.integers(0, 255, (6, 3, 8, 9), dtype=np.uint8)
    data = prepare(save(tmp_path, X=X, y=np.expand_dims(MASKS, axis)))
    np.testing.assert_array_equal(data.y, MASKS)
    bare = prepare(save(tmp_path, X=X[:, 0], y=np.expand_dims(MASKS, axis)))
    np.testing.assert_array_equal(bare.y, MASKS)
    alike = prepare(save(tmp_path, X=X[:, :1], y=MASKS[:, None]))
    np.testing.assert_array_equal(alike.y, MASKS)
    assert alike.X.shape == (6, 1, 8, 9)


def test_an_archive_holds_classes_and_groups(tmp_path: Path) -> None:
    file = tmp_path / "data.npz"
    X = RNG.integers(0, 255, (4, 16, 16, 3), dtype=np.uint8)
    np.savez(file, X=X, y=np.array(["a", "b", "a", "b"]), groups=[0, 0, 1, 1])
    data = prepare(file)
    assert (data.task, data.channels, data.labels) == ("classification", "last", ["a", "b"])
    assert data.description.endswith("2 groups: 0 (2), 1 (2)")
    assert data.tested == [[0, 1], [2, 3]]


@pytest.mark.parametrize("shape", [(6, 16, 16, 13), (6, 3, 3, 3), (6, 4, 9, 4), (6, 8, 8, 9, 9)])
def test_channels_that_may_be_elsewhere_are_asked_for(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    save(tmp_path, X=RNG.normal(size=shape), y=[0, 1] * 3)
    with pytest.raises(Refused, match="channels come first or last: pass --channels first, or"):
        prepare(tmp_path)
    assert prepare(tmp_path, "--channels", "first").channels == "first"
    assert prepare(tmp_path, "--channels", "last").channels == "last"


def test_a_mask_that_fits_in_two_ways_does_not_decide(tmp_path: Path) -> None:
    save(tmp_path, X=RNG.normal(size=(4, 8, 8, 8)), y=RNG.integers(0, 2, (4, 8, 8)))
    with pytest.raises(
        Refused, match=r"\(8, 8, 8\) and its mask's shape \(8, 8\) do not show whether"
    ):
        prepare(tmp_path)
    assert prepare(tmp_path, "--channels", "last").channels == "last"
    assert prepare(tmp_path, "--channels", "first").channels == "first"


def test_channels_that_do_not_fit_the_masks_are_refused(tmp_path: Path) -> None:
    save(tmp_path, X=RNG.normal(size=(6, 8, 9, 3)), y=MASKS)
    with pytest.raises(Refused, match=r"its mask .*8, 9\), which does not fit --channels first"):
        prepare(tmp_path, "--channels", "first")


def test_damaged_arrays_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=np.zeros((2, 4, 4)), y=[0, 1])
    whole = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(whole[:-80])
    with pytest.raises(Refused, match="a.npz' cannot be read: "):
        prepare(tmp_path / "a.npz")
    save(tmp_path, X=np.zeros((2, 4, 4)), y=[0, 1])
    (tmp_path / "X.npy").write_bytes(b"")
    with pytest.raises(Refused, match="X.npy' cannot be read: it is empty"):
        prepare(tmp_path)


def test_groups_lie_beside_the_arrays(tmp_path: Path) -> None:
    save(tmp_path, X=np.zeros((4, 8, 8)), y=[0, 1, 1, 0])
    assert prepare(tmp_path).question["groups"] is None
    (tmp_path / "groups.csv").write_text("p\np\nq\np\n")
    data = prepare(tmp_path)
    assert data.description.endswith("2 groups: p (3), q (1)")
    assert data.tested == [[0, 1, 3], [2]]
    np.save(tmp_path / "groups.npy", [1, 2, 2, 2])
    data = prepare(tmp_path)
    assert data.description.endswith("2 groups: 1 (1), 2 (3)")
    assert data.tested == [[0], [1, 2, 3]]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": np.zeros((3, 8, 8))}, r"holds X.npy, but no y.npy\."),
        ({"X": np.zeros((3, 8, 8)), "y": [0, 1]}, r"X holds 3 images, but y holds 2 targets\."),
        ({"X": np.zeros((3, 64)), "y": [0, 1, 0]}, r"X has shape \(3, 64\).*Expected images"),
        ({"X": np.full((2, 4, 4), np.nan), "y": [0, 1]}, r"X holds NaN or infinity\."),
        (
            {"X": np.zeros((6, 8, 8)), "y": MASKS},
            r"the image has shape \(8, 8\), its mask has shape \(8, 9\)",
        ),
        ({"X": np.zeros((6, 8, 9)), "y": MASKS * 0}, r"The masks hold only one label, 0\."),
        (
            {"X": np.zeros((6, 8, 9)), "y": np.arange(432).reshape(6, 8, 9)},
            r"hold 432 labels, \[0, 1, 2, 3, ..., 431\]\. Expected at most 64 classes.*mask > 0",
        ),
        ({"X": np.zeros((6, 8, 9)), "y": MASKS + 0.5}, r"y holds fractions, but masks hold"),
        (
            {"X": np.zeros((2, 8, 8)), "y": [0, 1], "groups": [1, 2, 3]},
            r"groups has shape \(3,\), expected \(2,\)",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    with pytest.raises(Refused, match=message):
        prepare(save(tmp_path, **arrays))


def test_an_archive_without_labels_says_what_it_holds(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=np.zeros((2, 4, 4)), masks=np.zeros((2, 4, 4)))
    with pytest.raises(Refused, match=r"lacks y: it holds X, masks\. Expected X, y and"):
        prepare(tmp_path / "a.npz")


@pytest.mark.parametrize("n_bytes", [0, 100, 700])
def test_files_that_end_too_early_are_named(tmp_path: Path, n_bytes: int) -> None:
    np.savez(tmp_path / "a.npz", X=np.zeros((2, 4, 4)), y=[0, 1])
    whole = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(whole[:n_bytes])
    with pytest.raises(Refused, match=r"a\.npz' cannot be read: (it is empty|File is not a zip)"):
        prepare(tmp_path / "a.npz")
    save(tmp_path, X=np.zeros((2, 16, 16)), y=[0, 1])
    whole = (tmp_path / "X.npy").read_bytes()
    (tmp_path / "X.npy").write_bytes(whole[:n_bytes])
    with pytest.raises(Refused, match=r"X\.npy' cannot be read: \w+"):
        prepare(tmp_path)


def test_what_is_no_array_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=np.array([None, 1]), y=[0, 1])
    with pytest.raises(
        Refused, match=r"a\.npz' .*it holds Python objects, not an array of numbers"
    ):
        prepare(tmp_path / "a.npz")
    np.save(tmp_path / "b.npy", np.zeros(3))
    (tmp_path / "b.npy").rename(tmp_path / "b.npz")
    with pytest.raises(Refused, match=r"b\.npz' .*it does not start like a .npz file"):
        prepare(tmp_path / "b.npz")
    (tmp_path / "c.npz").write_text("hello")
    with pytest.raises(Refused, match=r"c\.npz' .*it does not start like a .npz file"):
        prepare(tmp_path / "c.npz")
    save(tmp_path, X=np.zeros((1, 4, 4)), y=np.array(3))
    with pytest.raises(Refused, match=r"X holds 1 images, but y is a single number\."):
        prepare(tmp_path)


def test_groups_beside_the_arrays_may_be_left_alone(tmp_path: Path) -> None:
    save(tmp_path, X=np.zeros((3, 8, 8)), y=[0, 1, 1], groups=[1.0, np.nan, 2.0])
    with pytest.raises(Refused, match=r"groups holds nan at position 1\."):
        prepare(tmp_path)
    (tmp_path / "other.csv").write_text("p\np\nq\n")
    data = prepare(tmp_path, "--groups", str(tmp_path / "other.csv"))
    assert data.tested == [[0, 1], [2]]
