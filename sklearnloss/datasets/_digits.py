"""Scenes composed of scikit-learn's digits, with exact masks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.utils import check_random_state

Array = NDArray[Any]


def make_digit_scenes(
    n_scenes: int = 100,
    *,
    size: int = 48,
    n_digits: int = 5,
    classes: tuple[int, ...] = (0, 1, 2),
    noise: float = 0.1,
    random_state: Any = None,
) -> tuple[Array, Array]:
    """Compose handwritten digits into larger images, with a label per pixel.

    Parameters
    ----------
    n_scenes : int, default=100
        Number of images.
    size : int, default=48
        Side of the images in pixels; >= 8.
    n_digits : int, default=5
        Digits per image. They do not overlap; fewer are placed if no more fit.
    classes : tuple of int, default=(0, 1, 2)
        Which digits to use.
    noise : float, default=0.1
        Standard deviation of the noise added to intensities in [0, 1].
    random_state : int, RandomState or None, default=None
        Seeds the choice and the position of the digits, and the noise.

    Returns
    -------
    X : ndarray of shape (n_scenes, size, size), float32
        The images.
    y : ndarray of shape (n_scenes, size, size), uint8
        0 is background, k + 1 is a pixel of the digit ``classes[k]``.

    Examples
    --------
    >>> from sklearnloss.datasets import make_digit_scenes
    >>> X, y = make_digit_scenes(2, random_state=0)
    >>> X.shape, sorted(set(y.ravel().tolist()))
    ((2, 48, 48), [0, 1, 2, 3])
    """
    if size < 8:
        raise ValueError(f"size={size!r}: a digit needs 8 pixels.")
    rng = check_random_state(random_state)
    digits, names = load_digits(return_X_y=True)
    digits = digits.reshape(-1, 8, 8).astype(np.float32) / 16
    chosen = [np.flatnonzero(names == name) for name in classes]
    if not all(map(len, chosen)):
        raise ValueError(f"classes={classes!r}: expected digits from 0 to 9.")
    X = np.zeros((n_scenes, size, size), dtype=np.float32)
    y = np.zeros((n_scenes, size, size), dtype=np.uint8)
    for image, mask in zip(X, y, strict=True):
        taken = np.zeros((size, size), dtype=bool)
        for _ in range(n_digits):
            corner = _free_corner(taken, rng)
            if corner is None:
                break
            k = rng.randint(len(chosen))
            digit = digits[rng.choice(chosen[k])]
            window = np.s_[corner[0] : corner[0] + 8, corner[1] : corner[1] + 8]
            taken[window] = True
            image[window] = digit
            mask[window][digit > 0.25] = k + 1
    X += noise * rng.standard_normal(X.shape).astype(np.float32)
    return X, y


def _free_corner(taken: Array, rng: np.random.RandomState) -> tuple[int, int] | None:
    for _ in range(100):
        row, column = rng.randint(taken.shape[0] - 7, size=2)
        if not taken[row : row + 8, column : column + 8].any():
            return int(row), int(column)
    return None
