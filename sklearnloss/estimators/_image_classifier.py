"""Any network as a scikit-learn classifier."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

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

        - a name of :func:`~sklearnloss.networks.list_networks`: "resnet"; or those
          of timm and torchvision, as "timm:convnext_atto", and of MONAI;
        - a class, or a function that returns a module: it is called with the numbers
          of channels and outputs under the names that it has for them
          (``in_channels``, ``in_chans``, ``n_channels``, ...; ``out_channels``,
          ``classes``, ``num_classes``, ...), and with ``spatial_dims`` where it asks;
        - an ``nn.Module`` from images (n, C, *spatial) to scores (n, n_classes): a copy of
          it is trained, from the weights that it has.
    loss : str, class, Loss, nn.Module or function, default="cross_entropy"
        What training minimizes: a name of :func:`~sklearnloss.losses.list_losses`
        or a sum such as "focal+1e-4*l2"; a loss class or object, ours or torch's;
        or a function ``(logits, target)``.
    adapter : callable, default=None
        Makes the module where the names are others: ``adapter(network, *, in_channels,
        n_outputs, image_shape, **network_params)`` returns an ``nn.Module``.
    output_weights : sequence of float, default=None
        Of networks with several outputs (deep supervision, auxiliary heads), how much
        the loss of each counts in training; None takes 1, 1/2, 1/4, ... Predictions
        are made of the first.
    weights : str, path, dict of str to tensor, or nn.Module, default=None
        Where training starts, instead of at random: a .safetensors file, also one
        of :meth:`save`; a file of ``torch.save`` (.pt, .pth), of which only tensors
        are read; or a state dict, for the network or for its encoder. The first
        kernel is adapted to the number of channels; layers for other classes start at
        random, as a warning says.
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
    batch_size : int, default=32
        Images per step.
    class_weight : "balanced", dict of label to weight, sequence or None, default=None
        Weights of the classes. They become the loss's own where it has such a
        parameter, and weights of the samples otherwise. A sequence is in the order
        of ``classes_``; a pandas Series has the labels in its index.
    classes : array-like, default=None
        All labels, for data that may lack some.
    augment : str, callable, list of them or None, default=None
        Random changes of the training images: "affine", "crop", "flip",
        "intensity", "mirror", "noise", "rot90", "shift"; a transform of torchvision,
        albumentations or kornia, which is given images in [0, 1]; or a function from
        scaled images (n, C, *spatial) to such.
    normalize : {"auto", "imagenet"} or None, default="auto"
        "auto" shifts and scales each channel by the training images' mean and
        standard deviation, whatever their weights. Masked pixels do not count.
        "imagenet" takes ImageNet's, as pretrained networks expect, for three channels,
        or their mean for one: white is 255 in uint8, 65535 in uint16, and 1 in floating
        point, which has to lie in [0, 1]. None takes images as they are.
    early_stopping : bool, default=False
        Hold out a part of the data, stop when its loss no longer falls, and go
        back to the best epoch.
    validation_fraction : float, default=0.1
        The part that is held out, stratified.
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
    **params : dict
        Parameters of the loss and the network, as ``loss__gamma=3`` and
        ``network__dropout=0.1``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
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
    ResNetClassifier : A ResNet, with its parameters as the estimator's own.
    ImageSegmenter : A label per pixel.

    Notes
    -----
    Before training, the network is tried on noise: which sizes of images it takes,
    and how many outputs it has. Smaller images than it takes are enlarged.

    The libraries' own weights are parameters of the network:
    ``network__pretrained=True`` for timm, ``network__weights="DEFAULT"`` or another name
    of theirs for torchvision. The first kernel is adapted to the channels, the layer for
    classes starts at random if their number differs. They are fetched by each ``fit``, and
    not when a model is loaded, unpickled or trained on.

    Networks with pretrained weights want images as in their training:
    ``normalize="imagenet"``, and a lower ``lr`` than the default, such as 3e-4.

    ``freeze`` and ``lr_scale`` take patterns of ``fnmatch`` for the names in
    ``named_parameters()`` of the network, and "encoder": all but the last layers of our
    ResNet and of the libraries' networks; of others the child ``encoder`` or
    ``backbone``, or all but ``fc``, ``classifier`` or ``head``.
    For others of several parts, a class says it by an attribute ``encoder_parts``, the
    names of these children. As a number, ``lr_scale`` goes by stages: 1 for the last
    child of the network, ``lr_scale`` for the one before, its square for the next, and
    so on. Lists of modules, and children called backbone, blocks, encoder, features,
    layers or stages, are as many stages as they have children; norms belong to the
    layer before.

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
            self.stem_ = "large"  # as theirs, for small images too
