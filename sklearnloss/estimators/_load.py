"""Loading of any of our estimators from a file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ._base import ImageEstimator
from ._image_classifier import ImageClassifier
from ._image_segmenter import ImageSegmenter
from ._loss_ensemble import LossEnsemble
from ._persistence.restore import load_estimator
from ._resnet_classifier import ResNetClassifier
from ._unet_segmenter import UNetSegmenter

_OWN: dict[str, type] = {
    "ImageClassifier": ImageClassifier,
    "ImageSegmenter": ImageSegmenter,
    "LossEnsemble": LossEnsemble,
    "ResNetClassifier": ResNetClassifier,
    "UNetSegmenter": UNetSegmenter,
}


def load(
    path: str | os.PathLike[str],
    custom: Mapping[str, Any] | None = None,
    *,
    device: str | None = None,
) -> Any:
    """Load a fitted estimator that was written by its ``save``.

    Nothing in the file is run or imported, no matter who wrote it: it only names
    estimators, networks and losses of this package, losses and optimizers of torch, and
    networks of the installed libraries.
    The checksum shows whether the file is damaged, not who wrote it.

    Parameters
    ----------
    path : str or path-like
        The file.
    custom : dict of str to object, default=None
        Your own objects by name: losses, as for :meth:`ResNetClassifier.load`, networks
        (the class, the function, or a module like the one that was passed), and subclasses
        of the estimators.
    device : str, default=None
        Where the network is put, such as "cpu" or "cuda:1"; by default where the estimator's
        ``device`` says, or on the CPU if there is no such device.

    Returns
    -------
    estimator : ImageClassifier, ImageSegmenter, LossEnsemble, ResNetClassifier or UNetSegmenter
        Predicts the same as the one that was saved.

    Raises
    ------
    ValueError
        If the file is damaged, from a newer version or of another kind, or names
        something that is not in ``custom``.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import load_digits
    >>> from sklearnloss import ResNetClassifier, load
    >>> X, y = load_digits(n_class=2, return_X_y=True)
    >>> model = ResNetClassifier("focal", width=4, image_shape=(8, 8), max_epochs=1).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(f"{folder}/digits.safetensors")
    ...     again = load(f"{folder}/digits.safetensors")
    >>> again
    ResNetClassifier(image_shape=(8, 8), loss='focal', max_epochs=1, width=4)
    >>> bool((again.predict_proba(X) == model.predict_proba(X)).all())
    True
    """
    custom = custom or {}
    own = {k: v for k, v in custom.items() if isinstance(v, type) and issubclass(v, ImageEstimator)}
    return load_estimator(path, {**_OWN, **own}, custom, device)
