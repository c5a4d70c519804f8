"""U-Net as a scikit-learn estimator of masks."""

from __future__ import annotations

import numbers
from typing import Any, ClassVar

from torch import nn

from .._files import FileReader
from ..networks import UNet
from ._segmenter_base import SegmenterBase
from ._training.parameters import Mirrored, Number


class UNetSegmenter(SegmenterBase):
    """Segment images with a U-Net; the loss is a parameter.

    Parameters
    ----------
    loss : str, class, Loss, nn.Module or function, default="auto"
        The loss to minimize: a name from :func:`~sklearnloss.losses.list_losses`
        or a sum such as "dice+focal"; a loss class or object, ours or torch's; or
        a function ``(logits, target)``. "auto" is "dice+bce" for two classes and for
        multilabel masks, "dice+cross_entropy" otherwise.
    depth : int, default=4
        Number of times the network halves the resolution.
    width : int, default=32
        Channels at full resolution. 8 or 16 train fast on a CPU.
    norm : {"group", "batch", "instance", "none"}, default="group"
        Normalization. "group" learns within few steps.
    multilabel : bool, default=False
        Whether masks are (n, K, *spatial), one of 0 and 1 (or 0 and 255, or booleans)
        for each of K labels, which may overlap. The loss needs a sigmoid form.
    ignore_index : int, default=None
        A label whose pixels are ignored in training and in ``score``. It is never
        predicted. Pixels that are masked in a masked array are ignored as well.
    tile : int, tuple of int or None, default=None
        Largest side or sides, in pixels, of the overlapping tiles in which larger
        images are predicted; None means 1024 (128 for volumes) if an image has
        more than 2048 x 2048 pixels. See the notes.
    weights : str, path, dict of str to tensor, or nn.Module, default=None
        The initial weights, instead of random ones: a .safetensors file, including one
        from :meth:`save`; a file from ``torch.save`` (.pt, .pth), from which only tensors
        are read; or a state dict. Any number of channels and classes fits.
    freeze : str or list of str, default=None
        The part of the network that is not trained: "encoder", or patterns of parameter
        names such as ``"layer1.*"``. Norms in it keep their running statistics. See the
        notes.
    freeze_epochs : int, default=None
        Number of epochs, including those of earlier fits, after which the frozen part is
        trained as well; None means never.
    lr_scale : dict of str to float, or float, default=None
        Learning rate factors for "encoder" or for patterns, as in ``{"encoder": 0.1}``;
        the first match applies. Or one factor in (0, 1) for all layers, which is applied
        once more for each stage before the last. See the notes.
    image_shape : tuple of int, default=None
        Shape of one image, if X holds rows: (H, W), (C, H, W), (C, D, H, W), or
        (L,) for signals, (C, 1, L) if these have channels. Without it, rows are
        images of one row of pixels. It also resolves ambiguous shapes: with (D, H,
        W), D counts channels; with (1, D, H, W), slices of a volume.
    channels : {"first", "last"}, default="first"
        Position of the channel axis of the images.
    reader : FileReader, default=None
        How files among X and y become images and masks: colors, size, pixels without data,
        object numbers; None is ``FileReader()``. It is used by ``fit``, ``predict`` and
        ``score``, and has no effect on arrays. Its parameters can be set as
        ``reader__resize`` and so on. With ``resize``, predictions have the resized shape.
    optimizer : str, torch optimizer class or functools.partial of one, default="adamw"
        A name in ``torch.optim``. "sgd" has Nesterov momentum of 0.9.
    lr : float, default=3e-3
        Learning rate; the peak of the schedule.
    weight_decay : float, default=0.1
        The optimizer's weight decay.
    scheduler : {"onecycle", "cosine"}, callable or None, default="onecycle"
        How the learning rate changes during ``fit``. A callable maps progress in
        [0, 1) to a factor. None leaves it to an ``LRScheduler`` in ``callbacks``.
    max_epochs : int, default=20
        Passes over the data.
    batch_size : int, default=8
        Images per step.
    class_weight : "balanced", dict of label to weight, sequence or None, default=None
        Weights of the classes, passed to the loss. For multilabel masks, how much
        more a label's pixels count than the others. A sequence is in the order of
        ``classes_``; a pandas Series has the labels in its index.
    classes : array-like, default=None
        All labels, for data that may lack some, and for labels that do not look like
        classes; see the notes. For multilabel masks, the names of the K labels, in their
        order.
    augment : str, callable, list of them or None, default=None
        Random changes of the training images and their masks: "affine", "crop",
        "flip", "intensity", "mirror", "noise", "rot90", "shift"; a transform of
        torchvision (v2), albumentations or kornia, which receives images in [0, 1]
        and moves masks with them; or a function from (scaled images, masks of
        labels) to changed ones, of shapes (n, C, *spatial) and (n, *spatial), which is
        tried before training and refused if it moves only one of them.
    normalize : {"auto", "imagenet"} or None, default="auto"
        "auto" shifts and scales each channel by the training images' mean and
        standard deviation, regardless of sample weights. Ignored and masked pixels are
        left out.
        "imagenet" uses those of ImageNet, as pretrained networks expect, for three
        channels, or their average for one: white is 255 in uint8, 65535 in uint16, and 1
        in floating point, which must lie in [0, 1]. None leaves images unchanged.
    early_stopping : bool, default=False
        Hold out part of the images, stop when their loss no longer falls, and restore
        the best epoch.
    validation_fraction : float, default=0.1
        The fraction to hold out.
    n_iter_no_change : int, default=10
        Epochs to wait for a lower loss.
    clip_norm : float, default=None
        Largest norm of the gradient.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Arithmetic of the network; "auto" is bfloat16 on a CUDA GPU that has it.
    compile : bool, default=False
        Compile network and loss together with ``torch.compile``.
    deterministic : bool, default=False
        Use deterministic algorithms on CUDA GPUs, some of which are slower. On a CPU
        ``random_state`` is enough for bitwise reproducible training.
    device : str or torch.device, default="auto"
        "auto" is CUDA if a GPU is available.
    warm_start : bool, default=False
        Whether ``fit`` continues training the fitted network.
    tta : {"flip", "mirror"} or None, default=None
        Test-time augmentation: scores are averaged over images mirrored along all
        axes, or left to right only.
    random_state : int, RandomState or None, default=None
        Seeds the initial weights, batches, augmentation and held-out part. The same seed
        gives bitwise identical results on one machine with the same number of threads.
    callbacks : list, default=None
        skorch callbacks, functions without arguments that return one, or pairs of a
        name and one of these. Each fit uses copies, which share the objects that a
        callback holds, such as the run of a logger.
    net_params : dict, default=None
        Further arguments of ``skorch.NeuralNet``: those of the optimizer, such as
        ``{"optimizer__betas": (0.9, 0.95)}``, ``callbacks__<name>``,
        ``callbacks__<name>__<parameter>``, ``use_caching`` and ``torch_load_kwargs``.
    verbose : int, default=0
        1 shows a progress bar, 2 a line per epoch.
    **loss_params : dict
        Parameters of the loss, such as ``loss__gamma=3``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels; for multilabel masks their names, by default 0 to K - 1.
    loss_ : Loss, nn.Module or function
        The loss that was minimized.
    net_ : skorch.NeuralNet
        The trained net.
    module_ : nn.Module
        The trained network, from scaled images (n, C, *spatial) to logits.
    scaling_ : Scaling or None
        ``mean`` and ``scale`` of each channel, tensors (C,): the network receives
        ``(x - scaling_.mean) / scaling_.scale``. None with ``normalize=None``.
    history_ : skorch.history.History
        Losses by epoch.
    n_iter_ : int
        Number of epochs.
    n_features_in_ : int
        ``X.shape[1]`` in ``fit``.

    See Also
    --------
    ResNetClassifier : A label per image.

    Notes
    -----
    For two classes the network has one score per pixel and a sigmoid. With a loss that
    has only a softmax form, it has two; a custom loss declares this with an attribute
    ``form = "softmax"``. Image sizes may differ from those in training.

    The sides of tiles are multiples of ``2 ** depth``, rounded up, and no larger than
    the number of tiles requires. Each tile overlaps the next by an eighth or more,
    small tiles by 32 pixels or a quarter (tiles of ``2 ** depth`` pixels do not
    overlap). In the overlap, scores (logits) are blended smoothly; labels and
    probabilities are computed from the blended scores, band by band, so that memory
    stays bounded. Group and instance normalization compute their statistics over a
    tile: the larger it is, the closer the result is to that for the whole image.
    Predictions do not depend on ``batch_size``.

    ``freeze`` and ``lr_scale`` take "encoder", here the first half of the network,
    ``stem`` and ``down``, and ``fnmatch`` patterns for the names in
    ``module_.named_parameters()``. If it is a number, ``lr_scale`` is the factor of
    ``up.3`` (with a ``depth`` of 4), its square that of ``up.2``, and so on up to its
    eighth power for ``down.0`` and its ninth for ``stem``.

    Masks whose labels are probably not classes are refused before training, unless
    ``classes`` names them:

    - 255 or 65535 above two or more other labels, if its distance to them is more than
      twice the largest gap between them ({0, 1, 255}, but not {0, 255} or {0, 128, 255}),
      or one negative label below two or more others: pass it as ``ignore_index`` if it
      marks pixels to ignore;
    - object numbers in images or volumes: six or more labels, apart from 0, of which
      95 % form one connected blob each, where each mask has the labels 1 to n without a
      gap and n takes three or more values, the highest in at most half of the masks (or
      where four or more masks hardly share a label): make them one class, ``y > 0``;
    - more than 64 labels, or files whose palettes give one number different colors;
    - labels altered by JPEG compression or interpolation: more than two labels in JPEG
      files, or three or more labels within 15 of 0 and three or more within 15 of 255.

    References
    ----------
    O. Ronneberger, P. Fischer, T. Brox, "U-Net: Convolutional networks for
    biomedical image segmentation", MICCAI 2015. https://arxiv.org/abs/1505.04597

    Examples
    --------
    >>> from sklearnloss import UNetSegmenter
    >>> from sklearnloss.datasets import load_nuclei
    >>> X, y, groups = load_nuclei(border=False)
    >>> model = UNetSegmenter(loss="dice", width=8, depth=2, batch_size=4, max_epochs=4,
    ...                       lr=1e-2, random_state=0)
    >>> model.fit(X[groups < 3], y[groups < 3]).score(X[groups == 3], y[groups == 3]) > 0.8
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **SegmenterBase._parameter_constraints,
        "depth": [Number(numbers.Integral, 1, None, closed="left")],
        "width": [Number(numbers.Integral, 1, None, closed="left")],
    }

    depth: int
    width: int
    norm: str

    def __init__(
        self,
        loss: Any = "auto",
        *,
        depth: int = 4,
        width: int = 32,
        norm: str = "group",
        multilabel: bool = False,
        ignore_index: int | None = None,
        tile: int | tuple[int, ...] | None = None,
        weights: Any = None,
        freeze: str | list[str] | tuple[str, ...] | None = None,
        freeze_epochs: int | None = None,
        lr_scale: dict[str, float] | float | None = None,
        image_shape: tuple[int, ...] | None = None,
        channels: str = "first",
        reader: FileReader | None = None,
        optimizer: Any = "adamw",
        lr: float = 3e-3,
        weight_decay: float = 0.1,
        scheduler: Any = "onecycle",
        max_epochs: int = 20,
        batch_size: int = 8,
        class_weight: Any = None,
        classes: Any = None,
        augment: Any = None,
        normalize: str | None = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        clip_norm: float | None = None,
        precision: str = "auto",
        compile: bool = False,
        deterministic: bool = False,
        device: Any = "auto",
        warm_start: bool = False,
        tta: Mirrored = None,
        random_state: Any = None,
        callbacks: Any = None,
        net_params: dict[str, Any] | None = None,
        verbose: int = 0,
        **loss_params: Any,
    ) -> None:
        self._store_params(locals())

    def _network(self, n_channels: int) -> tuple[type[nn.Module], dict[str, Any]]:
        return UNet, {
            "in_channels": self.input_shape_[0],
            "out_channels": n_channels,
            "depth": self.depth,
            "width": self.width,
            "norm": self.norm,
            "n_axes": len(self.input_shape_) - 1,
        }
