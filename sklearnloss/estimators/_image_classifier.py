"""Any network as a scikit-learn classifier."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from .._files import FileReader
from ._label_estimator import LabelEstimator
from ._network_parameter import NETWORK_CONSTRAINTS, NetworkParameterMixin
from ._persistence.initial_weights import first_kernel
from ._training.parameters import Mirrored


class ImageClassifier(NetworkParameterMixin, LabelEstimator):
    """Classify images with any network; the loss is a parameter.

    Parameters
    ----------
    network : str, class, function or nn.Module, default="resnet"
        What is trained; see the notes.

        - a name from :func:`~sklearnloss.networks.list_networks`: "resnet"; or one
          from timm or torchvision, such as "timm:convnext_atto", or from MONAI;
        - a class, or a function that returns a module: it is called with the numbers
          of channels and outputs under the names of its parameters
          (``in_channels``, ``in_chans``, ``n_channels``, ...; ``out_channels``,
          ``classes``, ``num_classes``, ...), and with ``spatial_dims`` if it has it;
        - an ``nn.Module`` from images (n, C, *spatial) to scores (n, n_classes): a copy of
          it is trained, starting from its weights.
    loss : str, class, Loss, nn.Module or function, default="cross_entropy"
        The loss to minimize: a name from :func:`~sklearnloss.losses.list_losses`
        or a sum such as "focal+1e-4*l2"; a loss class or object, ours or torch's;
        or a function ``(logits, target)``.
    adapter : callable, default=None
        Makes the module if its parameters have other names: ``adapter(network, *,
        in_channels, n_outputs, image_shape, **network_params)`` returns an ``nn.Module``.
    output_weights : sequence of float, default=None
        For networks with several outputs (deep supervision, auxiliary heads), the weight
        of each output's loss in training; None means 1, 1/2, 1/4, ... Predictions
        use the first.
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
    batch_size : int, default=32
        Images per step.
    class_weight : "balanced", dict of label to weight, sequence or None, default=None
        Weights of the classes. They are passed to the loss if it has such a
        parameter, and become sample weights otherwise. A sequence is in the order
        of ``classes_``; a pandas Series has the labels in its index.
    classes : array-like, default=None
        All labels, for data that may lack some.
    augment : str, callable, list of them or None, default=None
        Random changes of the training images: "affine", "crop", "flip",
        "intensity", "mirror", "noise", "rot90", "shift"; a transform of torchvision,
        albumentations or kornia, which receives images in [0, 1]; or a function from
        scaled images (n, C, *spatial) to changed ones.
    normalize : {"auto", "imagenet"} or None, default="auto"
        "auto" shifts and scales each channel by the training images' mean and
        standard deviation, regardless of sample weights. Masked pixels are left out.
        "imagenet" uses those of ImageNet, as pretrained networks expect, for three
        channels, or their average for one: white is 255 in uint8, 65535 in uint16, and 1
        in floating point, which must lie in [0, 1]. None leaves images unchanged.
    early_stopping : bool, default=False
        Hold out part of the data, stop when its loss no longer falls, and restore the
        best epoch.
    validation_fraction : float, default=0.1
        The fraction to hold out, stratified.
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
        The labels.
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
    ResNetClassifier : A ResNet, with its parameters as the estimator's own.
    ImageSegmenter : A label per pixel.

    Notes
    -----
    Before training, the network is tried on noise to find out which image sizes it
    accepts and how many outputs it has. Images smaller than it accepts are enlarged.

    The libraries' own weights are selected by parameters of the network:
    ``network__pretrained=True`` for timm, and ``network__weights="DEFAULT"`` or another
    of its names for torchvision. The first kernel is adapted to the channels; the layer
    for classes starts at random if their number differs. They are fetched by each
    ``fit``, but not when a model is loaded, unpickled or trained further.

    Pretrained networks need images scaled as in their own training:
    ``normalize="imagenet"``, and a lower ``lr`` than the default, such as 3e-4.

    ``freeze`` and ``lr_scale`` take ``fnmatch`` patterns for the names in
    ``named_parameters()`` of the network, and "encoder": everything but the last layers
    for our ResNet and the libraries' networks; for others, the child ``encoder`` or
    ``backbone``, or everything but ``fc``, ``classifier`` or ``head``.
    If the encoder of another network has several parts, its class lists the names of
    these children in an attribute ``encoder_parts``. As a number, ``lr_scale`` works by
    stages: the factor is 1 for the last child of the network, ``lr_scale`` for the one
    before, its square for the next, and so on. Lists of modules, and children called
    backbone, blocks, encoder, features, layers or stages, form one stage per child;
    norms belong to the preceding layer.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from torch import nn
    >>> from sklearnloss import ImageClassifier
    >>> def network(in_channels, n_classes, width=16):
    ...     return nn.Sequential(
    ...         nn.Conv2d(in_channels, width, 3), nn.BatchNorm2d(width), nn.ReLU(),
    ...         nn.Conv2d(width, 2 * width, 3), nn.ReLU(), nn.Flatten(),
    ...         nn.LazyLinear(n_classes),
    ...     )
    >>> X, y = load_digits(n_class=3, return_X_y=True)
    >>> model = ImageClassifier(network, "focal", network__width=8, image_shape=(8, 8),
    ...                         max_epochs=3, random_state=0)
    >>> model.fit(X[::2], y[::2]).score(X[1::2], y[1::2]) > 0.9
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **LabelEstimator._parameter_constraints,
        **NETWORK_CONSTRAINTS,
    }

    def __init__(
        self,
        network: Any = "resnet",
        loss: Any = "cross_entropy",
        *,
        adapter: Any = None,
        output_weights: Any = None,
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
        batch_size: int = 32,
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

    def _network(self, n_channels: int) -> tuple[Any, dict[str, Any]]:
        module, arguments = super()._network(n_channels)
        if "stem_" in vars(self):
            arguments["params"] = {"stem": self.stem_, **arguments["params"]}
        return module, arguments

    def _look_at_weights(self, weights: dict[str, Tensor] | None) -> None:
        self.__dict__.pop("stem_", None)
        large = weights is not None and min(first_kernel(weights), default=0) >= 7
        if large and isinstance(self.network, str) and self.network == "resnet":
            self.stem_ = "large"  # like theirs, for small images, too
