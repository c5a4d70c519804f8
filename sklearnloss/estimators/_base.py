"""The base class of all estimators: from arrays to a trained net and back."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import validate_parameter_constraints
from sklearn.utils.validation import _check_sample_weight, check_is_fitted
from skorch.helper import predefined_split
from torch import Tensor, nn

from .._utils.guides import DocLinkMixin
from ..losses import Loss
from ..losses._core.foreign import AnyLoss
from ..networks._adapt.adapted import inner_network
from ._data.dataset import TrainingData
from ._data.labels import IGNORED, check_classes
from ._data.reading import ImageReadingMixin, Images
from ._data.targets import Targets
from ._export.mixin import ExportMixin
from ._inference.predict import Scorer, as_numpy, predict_images
from ._loss_parameter import LossParameterMixin, module_settings
from ._persistence.initial_weights import load_weights, read_weights
from ._persistence.mixin import PersistenceMixin
from ._reader_parameter import ReaderParameterMixin
from ._threshold import ThresholdMixin
from ._training.augment_check import make_augmentation
from ._training.augment_masks import MaskLabels
from ._training.augmentations import Augmentation
from ._training.callback_checks import check_callbacks, check_schedule
from ._training.callbacks import CallbackParameterMixin
from ._training.checkpoints import fit_key, has_checkpoints
from ._training.class_weight import (
    check_class_order,
    check_own_ignore_index,
    check_weight_range,
    fill_class_weight,
    fill_ignore_index,
    read_class_weight,
    require_split_weight,
    require_weight,
)
from ._training.fine_tuning import check_fine_tuning
from ._training.net import LossNet
from ._training.net_settings import build_net
from ._training.optimizers import (
    SCHEDULES,
    check_net_params,
    deterministic_algorithms,
    resolve_device,
    resolve_optimizer,
)
from ._training.parameters import CONSTRAINTS, USED_AFTER_FIT, SharedParameters
from ._training.random_state import seeded
from ._training.rollback import UndoMixin
from ._training.sklearn_callbacks import CallbackSupportMixin, FitTasks, with_callbacks
from ._training.torch_settings import check_default_dtype, usual_torch
from ._training.warm_start import check_unchanged, update_net

# Parameters that are also used after fit, and may have changed since.
_TO_PREDICT = {"channels", "ignore_index", "image_shape", "multilabel", "tile", "tta"}


class ImageEstimator(
    DocLinkMixin,
    CallbackSupportMixin,  # type: ignore[misc]
    ReaderParameterMixin,
    CallbackParameterMixin,
    LossParameterMixin,
    ImageReadingMixin,
    PersistenceMixin,
    ThresholdMixin,
    ExportMixin,
    UndoMixin,
    SharedParameters,
    abc.ABC,
):
    """Read images, train one network with one loss, predict scores.

    A subclass defines how its labels become codes and which network it trains.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CONSTRAINTS

    classes_: np.ndarray
    loss_: Any
    net_: LossNet
    _fitted_loss_key: str

    # Called by ``fit`` after each epoch, with the estimator and the number of epochs; the
    # estimator can predict at that point. An exception ends the fit.
    _epoch_hook: Callable[[Any, int], object] | None = None

    @abc.abstractmethod
    def _read_targets(self, y: Any, images: Images, weight: Tensor | None, classes: Any) -> Targets:
        """Validate y, set ``classes_``, and return codes."""

    @abc.abstractmethod
    def _resolve_loss(self) -> AnyLoss:
        """Return a fresh copy of the loss to train with."""

    @abc.abstractmethod
    def _n_channels(self, loss: AnyLoss) -> int:
        """Return how many scores per sample or pixel a loss requires from the network."""

    @abc.abstractmethod
    def _is_masks(self, n_channels: int) -> bool:
        """Return whether targets are float masks per channel, not class indices."""

    @abc.abstractmethod
    def _network(self, n_channels: int) -> tuple[type[nn.Module], dict[str, Any]]:
        """Return the network's class and arguments."""

    @abc.abstractmethod
    def _as_probabilities(self, logits: Tensor) -> np.ndarray:
        """Turn the network's scores into probabilities."""

    @abc.abstractmethod
    def _split(self, data: TrainingData, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the indices for training and for early stopping."""

    @abc.abstractmethod
    def _weigh_classes_by_sample(self, data: TrainingData, weight: Tensor) -> None:
        """Turn class weights into sample weights if the loss has none, or raise a ValueError."""

    @with_callbacks  # type: ignore[untyped-decorator]
    @usual_torch()
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n, H, W), (n, C, H, W), (n, C, D, H, W) or (n, n_features)
            Images of any real dtype, with the channel axis as in ``channels``. For data
            larger than memory, a list of files (.npy, .npz or pictures) or of arrays, or
            a torch ``Dataset`` of images or (image, target) pairs: it is read once
            beforehand, and then batch by batch. In this form, images for the segmenter
            may have different sizes; those of one size form a batch.
            Pixels without a value can be masked, in a masked array: they are left out of
            the scaling, and become their channel's mean (0 when scaled). Pixels with the
            label ``ignore_index`` are also left out of the scaling, but keep their value.
            Pictures are rotated according to EXIF, and palettes become colors; ``reader``
            changes colors and sizes. The file, the masks or ``image_shape`` determine
            whether pages of a TIFF file are channels or slices.
        y : array-like, or list of files or arrays
            A label per image, or per pixel. Not needed if X has them.
        sample_weight : array-like of shape (n,), default=None
            Weights of the samples; 2 counts a sample twice.

        Returns
        -------
        self : estimator
        """
        again = self.warm_start and hasattr(self, "net_")
        with self._as_before_on_failure():
            check_schedule(self.callbacks, self.scheduler)
            data = self._read_training(X, y, sample_weight, again=again)
            tasks = FitTasks(self, X, y, sample_weight)
            schedule = SCHEDULES.get(self.scheduler, self.scheduler)
            self._train(data, schedule, again=again, tasks=tasks)
        tasks.end()
        return self

    @usual_torch()
    def partial_fit(
        self, X: Any, y: Any = None, classes: Any = None, sample_weight: Any = None
    ) -> Self:
        """Train for another ``max_epochs`` epochs, at a constant learning rate.

        Parameters
        ----------
        X : array-like
            Images, as in :meth:`fit`.
        y : array-like
            A label per image, or per pixel.
        classes : array-like of shape (n_classes,), default=None
            All labels. Needed in the first call if y lacks some.
        sample_weight : array-like of shape (n,), default=None
            Weights of the samples.

        Returns
        -------
        self : estimator
        """
        again = hasattr(self, "net_")
        with self._as_before_on_failure():
            data = self._read_training(X, y, sample_weight, again=again, classes=classes)
            self._train(data, None, again=again)
        return self

    @property
    def _ignored_label(self) -> Any:
        """The label of ignored pixels, None if there is none."""
        return None

    @property
    def module_(self) -> nn.Module:
        """The trained network: from ``(n, C, *spatial)`` float32 to logits."""
        module: nn.Module = self.net_.module_
        return module

    @property
    def history_(self) -> Any:
        """Skorch's history: a row per epoch."""
        return self.net_.history

    @property
    def n_iter_(self) -> int:
        """Number of epochs trained."""
        return len(self.net_.history)

    def _read_training(
        self, X: Any, y: Any, sample_weight: Any, *, again: bool, classes: Any = None
    ) -> TrainingData:
        """Check and read everything that training needs, before it starts."""
        self._validate_params()
        self._file_reader.check()
        check_default_dtype()
        check_net_params(self.net_params, resolve_optimizer(self.optimizer))
        check_fine_tuning(self)
        check_callbacks(self.callbacks, self)
        if self.augment is not None:
            Augmentation(self.augment, MaskLabels([0, 1]) if self._reads_masks else None)
        self._check_targets(X, y)
        if again:
            self._check_fitted()
            check_unchanged(self)
        images = self._training_images(X, y, reset=not again)
        if again:
            self._check_units(images)
        weight = None
        if sample_weight is not None:
            checked = _check_sample_weight(
                sample_weight, images, dtype=np.float32, ensure_non_negative=True
            )
            check_weight_range(checked, "sample_weight")
            weight = torch.from_numpy(checked)
        if again:
            self._check_image_shape(images)
            if classes is not None and not np.array_equal(
                np.unique(classes), np.unique(self.classes_)
            ):
                raise ValueError(
                    f"classes={np.unique(classes).tolist()} differs from the classes of the first "
                    f"call, {self.classes_.tolist()}."
                )
            classes = self.classes_
        elif classes is None:
            classes = self.classes
        if classes is not None:
            check_classes(classes)
        targets = self._read_targets(y, images, weight, classes)
        check_class_order(self.class_weight, classes, self.classes_)
        if not again:
            self.input_shape_ = tuple(images.shape[1:])
            self.scaling_ = self._learn_scaling(images, targets)
        return TrainingData(images.filled(self._fill).source, targets, weight)

    def _train(
        self,
        data: TrainingData,
        schedule: Callable[[float], float] | None,
        *,
        again: bool,
        tasks: FitTasks | None = None,
    ) -> None:
        self._reset_decisions(again=again)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        if not again or self._loss_key() != self._fitted_loss_key:
            self.loss_ = self._prepare_loss(data, again, seed, partial=tasks is None)
            self._fitted_loss_key = self._loss_key()
        elif self.class_weight is not None:
            # Turns class weights into sample weights if necessary.
            self._prepare_loss(data, again, seed, partial=tasks is None)
        valid = None
        if self.early_stopping:
            training, held_out = self._split(data, seed)
            require_split_weight(data.weight, training, held_out)
            data, valid = data.subset(training), data.subset(held_out)
        device = resolve_device(self.device)
        augmentation = make_augmentation(self, data, device, again=again)
        if again:
            self.net_.check_training_readiness()
            update_net(self, device)
        else:
            start = None if self.weights is None else read_weights(self.weights)
            self._look_at_weights(start)
            self.net_ = build_net(self, device, seed)
            self.net_.initial_weights_ = (self.weights,)  # in a tuple, so that it is not trained
            if start is not None:
                load_weights(inner_network(self.net_.module_), start, self.net_.n_channels_)
        net = self.net_
        check_schedule(net.callbacks_, None if schedule is None else self.scheduler)
        net.fit_key_ = fit_key(self, data, seed) if has_checkpoints(net.callbacks_) else None
        net.augment_ = augmentation
        if not again:
            net.class_counts_ = torch.from_numpy(np.atleast_2d(data.class_counts())[-1])
        if isinstance(self.loss_, Loss):
            self.loss_.bind(net.module_, net.class_counts_)
        ignores = self._ignored_label is not None
        net.ignore_code_ = IGNORED[data.code_dtype] if ignores else None
        net.train_split = None if valid is None else predefined_split(valid)
        try:
            with deterministic_algorithms(self.deterministic):
                net.train(data.to(device), self.max_epochs, schedule, tasks, self)
            net._set_training(False)  # so that module_ gives what predictions are made of
        finally:
            net.train_split = None

    def _look_at_weights(self, weights: dict[str, Tensor] | None) -> None:
        """Adapt to the initial weights; None means random ones."""

    def _mask_labels(self) -> MaskLabels | None:
        """Return what the codes of masks stand for, None if there are no masks."""
        return None

    def _loss_key(self) -> str:
        loss = self.loss
        if isinstance(loss, nn.Module) and not isinstance(loss, Loss):
            loss = module_settings(loss)  # torch's reprs omit them
        settings = sorted(self._loss_params.items())
        return repr((loss, settings, self.class_weight, self._ignored_label))

    def _prepare_loss(
        self, data: TrainingData, again: bool, seed: int, *, partial: bool
    ) -> AnyLoss:
        """Return the loss to train, with class weights and the ignored code filled in."""
        with seeded(seed):  # a class may draw its initial parameters
            loss = self._resolve_loss()
        n_channels = self._n_channels(loss)
        if again and n_channels != self._channels():
            raise ValueError(
                f"loss={self.loss!r} needs a network with {n_channels} output channels, but this "
                f"one was fitted with {self._channels()}. Refit with warm_start=False."
            )
        check_own_ignore_index(loss, self.classes_)
        if self._ignored_label is not None:
            fill_ignore_index(loss, IGNORED[data.code_dtype], self._ignored_label)
        if self.class_weight is None:
            return loss
        if again and partial and isinstance(self.class_weight, str):
            raise ValueError(
                f"class_weight={self.class_weight!r} cannot be computed from part of the data. "
                f"Pass a dict from label to weight."
            )
        counts = data.class_counts()
        weight = read_class_weight(self.class_weight, self.classes_, counts)
        if not partial:
            require_weight(weight, self.classes_, counts)
        multilabel = getattr(self, "multilabel", False)
        if not fill_class_weight(loss, weight, one_channel=n_channels == 1, multilabel=multilabel):
            self._weigh_classes_by_sample(data, weight)
        return loss

    def _channels(self) -> int:
        """Return the number of the fitted network's output channels."""
        n_channels: int = self.net_.n_channels_
        return n_channels

    @usual_torch()
    def _scores(self, X: Any) -> Tensor:
        """Return logits for images of the shape used in ``fit``."""
        self._check_fitted()
        scorer = Scorer(self.net_, self.scaling_, self.tta)
        images, check = self._new_images(X), self._check_image_shape
        return torch.from_numpy(predict_images(scorer, images, as_numpy, check=check))

    def _check_fitted(self) -> None:
        """Raise an error unless the estimator can predict with its parameters."""
        check_is_fitted(self, "net_")
        constraints = {
            name: allowed
            for name, allowed in self._parameter_constraints.items()
            if name in USED_AFTER_FIT
        }
        given = {name: getattr(self, name) for name in constraints}
        validate_parameter_constraints(constraints, given, type(self).__name__)
        self._file_reader.check()
