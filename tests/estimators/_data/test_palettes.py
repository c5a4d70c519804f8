"""Masks with palettes of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ..conftest import segmenter

Image = pytest.importorskip("PIL.Image")

X = list(np.random.default_rng(0).normal(size=(2, 8, 8)))
RED, GREEN = (255, 0, 0), (0, 255, 0)


def save(path: Path, *colors: tuple[int, int, int]) -> Path:
    """Write a mask of black and colors, numbered in this order."""
    numbers = np.resize(range(len(colors) + 1), (8, 8)).astype(np.uint8)
    picture = Image.fromarray(numbers)
    picture.putpalette([0, 0, 0, *np.ravel(colors).tolist()])
    picture.save(path)
    return path


@pytest.mark.parametrize("suffix", [".png", ".gif", ".bmp"])
def test_palettes_that_number_colors_anew_are_refused(tmp_path: Path, suffix: str) -> None:
    one, other = save(tmp_path / f"1{suffix}", RED), save(tmp_path / f"2{suffix}", GREEN, RED)
    message = (
        r"palettes that differ: 1 is the color \(255, 0, 0\) in .*1\.\w+', but \(0, 255, 0\) in "
        r".*2\.\w+'. Store the number of the class in each pixel.* list them as classes="
    )
    with pytest.raises(ValueError, match=message):
        segmenter().fit(X, [one, other])
    with pytest.raises(ValueError, match="palettes that differ"):
        segmenter().fit(list(zip(X, [str(one), str(other)], strict=True)))
    assert segmenter(classes=[0, 1, 2]).fit(X, [one, other]).classes_.tolist() == [0, 1, 2]


def test_palettes_may_lack_colors_that_do_not_occur(tmp_path: Path) -> None:
    masks = [save(tmp_path / "1.png", RED), save(tmp_path / "2.png", RED, GREEN)]
    assert segmenter().fit(X, masks).classes_.tolist() == [0, 1, 2]
