"""U-Net as a scikit-learn estimator of masks."""

from __future__ import annotations

import numbers
from typing import Any, ClassVar

from torch import nn

from ..networks import UNet
from ._segmentation import Segmentation
from ._training.parameters import Mirrored, Number


class UNetSegmenter(Segmentation):
    """Segment images with a U-Net; the loss is a parameter.

    Parameters
    ----------
    loss : str, class, Loss, nn.Module or function, default="auto"
        What training minimizes: a name of :func:`~sklearnloss.losses.list_losses`
        or a sum such as "dice+focal"; a loss class or object, ours or torch's; or
        a function ``(logits, target)``. "auto" is "dice+bce" for two classes and for
        multilabel masks, "dice+cross_entropy" otherwise.
    depth : int, default=4
        How often the network halves the resolution.
    width : int, default=32
        Channels at full resolution. 8 or 16 train fast on a CPU.
    norm : {"group", "batch", "instance", "none"}, default="group"
        Normalization. "group" learns from few steps.
    multilabel : bool, default=False
        Masks are (n, K, *spatial): one of 0 and 1 (or 0 and 255, or booleans) for
        each of K labels, which may overlap. The loss needs a sigmoid form.
    ignore_index : int, default=None
        A label of pixels that do not count, in training and in ``score``. It is
        never predicted. Pixels that are masked in a masked array do not count either.
    tile : int, tuple of int or None, default=None
        Largest side or sides, in pixels, of the overlapping tiles in which larger
        images are predicted; None takes 1024 (128 for volumes) where an image has
        more than 2048 x 2048 pixels. See the notes.
    weights : str, path, dict of str to tensor, or nn.Module, default=None
        Where training starts, instead of at random: a .safetensors file, also one
        of :meth:`save`; a file of ``torch.save`` (.pt, .pth), of which only tensors
        are read; or a state dict. Any number of channels and classes fits.
    freeze : str or list of str, default=None
        What is not trained: "encoder", or patterns of the names of parameters, as in
        "layer1.*". Norms in it keep their running statistics. See the notes.
    freeze_epochs : int, default=None
        After how many epochs, those of earlier fits included, what was frozen is trained
        as well; None is never.
    lr_scale : dict of str to float, or float, default=None
        Factors of the learning rate by "encoder" or pattern, ``{"encoder": 0.1}``; the
        first that matches counts. Or one in (0, 1) for all layers: it is multiplied once
        more with each stage away from the last. See the notes.
    image_shape : tuple of int, default=None
        Shape of one image, if X holds rows: (H, W), (C, H, W), (C, D, H, W), or
        (L,) for signals, (C, 1, L) if these have channels. Rows without it are
        images of one row of pixels. It also says what is read in two ways: (D, H,
        W) are channels, (1, D, H, W) slices of a volume.
    channels : {"first", "last"}, default="first"
        Where images have their channels.
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
        Weights of the classes, handed to the loss. For multilabel masks, how much
        more a label's pixels count than the others. A sequence is in the order of
        ``classes_``; a pandas Series has the labels in its index.
    classes : array-like, default=None
        All labels, for data that may lack some, and for labels that do not look like
        classes; see the notes. For multilabel masks, the names of the K labels, in their
        order.
    augment : str, callable, list of them or None, default=None
        Random changes of the training images and their masks: "affine", "crop",
        "flip", "intensity", "mirror", "noise", "rot90", "shift"; a transform of
        torchvision (v2), albumentations or kornia, which is given images in [0, 1]
        and moves masks with them; or a function from (scaled images, masks of
        labels) to such, of shapes (n, C, *spatial) and (n, *spatial), which is
        tried before training and refused if it moves one of them alone.
    normalize : {"auto", "imagenet"} or None, default="auto"
        "auto" shifts and scales each channel by the training images' mean and
        standard deviation, whatever their weights. Ignored and masked pixels do not
        count.
        "imagenet" takes ImageNet's, as pretrained networks expect, for three channels,
        or their mean for one: white is 255 in uint8, 65535 in uint16, and 1 in floating
        point, which has to lie in [0, 1]. None takes images as they are.
    early_stopping : bool, default=False
        Hold out a part of the images, stop when their loss no longer falls, and
        go back to the best epoch.
    validation_fraction : float, default=0.1
        The part that is held out.
    n_iter_no_change : int, default=10
        Epochs to wait for a lower loss.
    clip_norm : float, default=None
        Largest norm of the gradient.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Arithmetic of the network; "auto" is bfloat16 on a CUDA GPU that has it.
    compile : bool, default=False
        Compile network and loss together with ``torch.compile``.
    deterministic : bool, default=False
        Train with algorithms that give the same bits twice on a CUDA GPU too, where
        some are slower. On a CPU ``random_state`` is enough.
    device : str or torch.device, default="auto"
        "auto" is CUDA where there is a GPU.
    warm_start : bool, default=False
        Go on training at the next ``fit``.
    tta : {"flip", "mirror"} or None, default=None
        Test-time augmentation: scores are averaged over images mirrored along all
        axes, or left to right only.
    random_state : int, RandomState or None, default=None
        Seeds initial weights, batches, augmentation and the held-out part. The same
        one gives the same bits on one machine with the same number of threads.
    callbacks : list, default=None
        skorch callbacks, functions without arguments that return one, or pairs of a
        name and one of these. Each fit uses copies, which share what a callback
        holds, such as the run of a logger.
    net_params : dict, default=None
        Further arguments of ``skorch.NeuralNet``: those of the optimizer, such as
        ``{"optimizer__betas": (0.9, 0.95)}``, ``callbacks__<name>``,
        ``callbacks__<name>__<parameter>``, ``use_caching`` and ``torch_load_kwargs``.
    verbose : int, default=0
        1 shows a progress bar, 2 a line per epoch.
    **loss_params : dict
        Parameters of the loss, as ``loss__gamma=3``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels; for multilabel masks their names, by default 0 to K - 1.
    loss_ : Loss, nn.Module or function
        What was minimized.
    net_ : skorch.NeuralNet
        The trained net.
    module_ : nn.Module
        The trained network, from scaled images (n, C, *spatial) to logits.
    scaling_ : Scaling or None
        ``mean`` and ``scale`` of each channel, tensors (C,): the network is given
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
    For two classes the network has one score per pixel and a sigmoid; a loss that
    only has a softmax form, which a loss of one's own says by an attribute
    ``form = "softmax"``, gets two. Images of other sizes than in training are
    welcome.

    The sides of tiles are multiples of ``2 ** depth``, rounded up, and no larger than
    their number asks for. Each overlaps the next by an eighth or more, small ones by
    32 pixels or a quarter (those of ``2 ** depth`` pixels not at all). Where they do,
    scores (logits) are blended smoothly; labels and probabilities are made of the
    blended ones, band by band, so that memory stays bounded. Group and instance
    normalization take their statistics over a tile: the larger it is, the closer
    the result is to that of the whole image. Predictions do not depend on
    ``batch_size``.

    ``freeze`` and ``lr_scale`` take "encoder", here the first half of the network, ``stem`` and
    ``down``, and patterns of ``fnmatch`` for the names in ``module_.named_parameters()``. As
    a number, ``lr_scale`` is the factor of ``up.3`` (with a ``depth`` of 4), its square
    that of ``up.2``, and so on to its eighth power for ``down.0`` and its ninth for ``stem``.

    Masks whose labels are more likely something else than classes are refused before
    training, unless ``classes`` names them:

    - 255 or 65535 above two or more other labels, if it is more than twice as far from
      them as any of them from the next ({0, 1, 255}, but not {0, 255} or {0, 128, 255}),
      or one negative label below two or more others: pass it as ``ignore_index``, if it
      marks pixels that do not count;
    - numbers of single objects in images or volumes: six labels or more, apart from 0,
      that are one connected blob each (95 % of them), where each mask has the labels 1
      to n without a gap and n takes three values or more, the highest in at most half of
      the masks (or where four or more masks hardly share a label): make them one class,
      ``y > 0``;
    - more than 64 labels, or files whose palettes give one number different colors;
    - what JPEG or interpolation makes of labels: more than two labels in JPEG files, or
      three and more near 0 and near 255 both, within 15.

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
        **Segmentation._parameter_constraints,
        "depth": [Number(numbers.Integral, 1, None, closed="left")],
    }

    depth: int
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
