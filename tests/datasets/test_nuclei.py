from __future__ import annotations

import numpy as np
import pytest

from sklearnloss.datasets import load_nuclei


def test_tiles_are_the_image_cut_up() -> None:
    image, labels = load_nuclei(instances=True)
    X, y, groups = load_nuclei(tile=128)
    assert X.shape == y.shape == (16, 128, 128)
    np.testing.assert_array_equal(X[5], image[128:256, 128:256])
    np.testing.assert_array_equal(y[5] > 0, labels[128:256, 128:256] > 0)
    assert np.bincount(groups).tolist() == [4, 4, 4, 4]
    assert groups[[0, 3, 12, 15]].tolist() == [0, 1, 2, 3]


def test_there_are_125_nuclei() -> None:
    image, labels = load_nuclei(instances=True)
    assert image.dtype == labels.dtype == np.uint8
    assert np.unique(labels).tolist() == list(range(126))


def test_border_is_a_rare_class_inside_the_nuclei() -> None:
    _, three, _ = load_nuclei()
    _, two, _ = load_nuclei(border=False)
    np.testing.assert_array_equal(three > 0, two > 0)
    shares = np.bincount(three.ravel()) / three.size
    assert shares == pytest.approx([0.80, 0.16, 0.04], abs=0.01)
    assert set(np.unique(two)) == {0, 1}


@pytest.mark.parametrize("tile", [0, 100, 512])
def test_tiles_fit_the_quadrants(tile: int) -> None:
    with pytest.raises(ValueError, match="expected a divisor of 256"):
        load_nuclei(tile=tile)
