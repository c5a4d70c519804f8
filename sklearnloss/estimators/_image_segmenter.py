"""Any network as a scikit-learn estimator of masks."""

from __future__ import annotations

from typing import Any, ClassVar

from .._files import FileReader
from ._network_parameter import NETWORK_CONSTRAINTS, NetworkParameterMixin
from ._segmenter_base import SegmenterBase
from ._training.parameters import Mirrored


class ImageSegmenter(NetworkParameterMixin, SegmenterBase):
    """Segment images with any network; the loss is a parameter.

    Parameters
    ----------
    network : str, class, function or nn.Module, default="unet"
        What is trained; see the notes.

        - a name from :func:`~sklearnloss.networks.list_networks`: "unet"; or one
          from segmentation-models-pytorch, such as "smp:Unet/resnet18", from MONAI
          or from torchvision;
        - a class, or a function that returns a module: it is called with the numbers
          of channels and outputs under the names of its parameters
          (``in_channels``, ``in_chans``, ``n_channels``, ...; ``out_channels``,
          ``classes``, ``num_classes``, ...), and with ``spatial_dims`` if it has it;
        - an ``nn.Module`` from images (n, C, *spatial) to scores (n, K, *spatial): a copy of
          it is trained, starting from its weights.
    loss : str, class, Loss, nn.Module or function, default="auto"
        The loss to minimize: a name from :func:`~sklearnloss.losses.list_losses`
        or a sum such as "dice+focal"; a loss class or object, ours or torch's; or
        a function ``(logits, target)``. "auto" is "dice+bce" for two classes and for
        multilabel masks, "dice+cross_entropy" otherwise.
    adapter : callable, default=None
        Makes the module if its parameters have other names: ``adapter(network, *,
        in_channels, n_outputs, image_shape, **network_params)`` returns an ``nn.Module``.
    output_weights : sequence of float, default=None
        For networks with several outputs (deep supervision, auxiliary heads), the weight
        of each output's loss in training; None means 1, 1/2, 1/4, ... Predictions
        use the first.
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
        are read; or a state dict, for the network or for its encoder. The first
        kernel is adapted to the number of channels; layers for other classes start at
        random, with a warning.
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
    **params : dict
        Parameters of the loss and the network, such as ``loss__gamma=3`` and
        ``network__dropout=0.1``.

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
    UNetSegmenter : A U-Net, with its parameters as the estimator's own.
    ImageClassifier : A label per image.

    Notes
    -----
    For two classes the network has one score per pixel and a sigmoid. With a loss that
    has only a softmax form, it has two; a custom loss declares this with an attribute
    ``form = "softmax"``.

    Before training, the network is tried on noise to find out which image sizes it
    accepts, namely the smallest one and a number whose multiples they must be, and how
    many outputs it has. Images of other sizes are padded by repeating their edge, and
    the scores are cropped. Tiles work as for :class:`UNetSegmenter`.

    The libraries' own weights are selected by parameters of the network:
    ``network__encoder_weights="imagenet"`` for segmentation-models-pytorch, and
    ``network__weights="DEFAULT"`` or ``network__weights_backbone="DEFAULT"`` for
    torchvision. The first kernel is adapted to the channels; layers for classes start
    at random if their number differs. They are fetched by each ``fit``, but not when a
    model is loaded, unpickled or trained further.

    Pretrained networks need images scaled as in their own training:
    ``normalize="imagenet"``, and a lower ``lr`` than the default, such as 3e-4.

    ``freeze`` and ``lr_scale`` take ``fnmatch`` patterns for the names in
    ``named_parameters()`` of the network, and "encoder": its child ``encoder`` or
    ``backbone``, or the downsampling half of our own U-Net and of some MONAI networks.
    If the encoder of another network has several parts, its class lists the names of
    these children in an attribute ``encoder_parts``. As a number, ``lr_scale`` works by
    stages: the factor is 1 for the last child of the network, ``lr_scale`` for the one
    before, its square for the next, and so on. Lists of modules, and children called
    backbone, blocks, encoder, features, layers or stages, form one stage per child;
    norms belong to the preceding layer.

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

    Examples
    --------
    >>> from torch import nn
    >>> from sklearnloss import ImageSegmenter
    >>> from sklearnloss.datasets import load_nuclei
    >>> def network(in_channels, n_classes, width=16):
    ...     return nn.Sequential(
    ...         nn.Conv2d(in_channels, width, 5, padding=2), nn.ReLU(),
    ...         nn.Conv2d(width, n_classes, 5, padding=2),
    ...     )
    >>> X, y, groups = load_nuclei(border=False)
    >>> model = ImageSegmenter(network, loss="dice", network__width=8, max_epochs=3,
    ...                        lr=1e-2, random_state=0)
    >>> model.fit(X[groups < 3], y[groups < 3]).score(X[groups == 3], y[groups == 3]) > 0.7
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **SegmenterBase._parameter_constraints,
        **NETWORK_CONSTRAINTS,
    }

    def __init__(
        self,
        network: Any = "unet",
        loss: Any = "auto",
        *,
        adapter: Any = None,
        output_weights: Any = None,
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
        **params: Any,
    ) -> None:
        self._store_params(locals())
