"""A plot of losses as functions of one score."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .._utils.optional import import_optional
from .._utils.text import describe, unique_name
from ._core.base import Loss
from ._core.foreign import AnyLoss, call, loss_form

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D


class LossDisplay:
    """Curves of a loss and its gradient against the logit of one pixel.

    Make one with :meth:`from_loss`. Needs matplotlib: ``pip install
    'sklearnloss[plot]'``.

    Parameters
    ----------
    logits : Tensor of shape (n_points,)
        Where the curves are computed.
    values : dict of str to Tensor of shape (n_points,)
        The loss, by label.
    gradients : dict of str to Tensor of shape (n_points,)
        The derivative of the loss, by label.
    target : float
        The target of the pixel.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        The axes of the values and of the gradients.
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D

    Examples
    --------
    >>> from sklearnloss.losses import FocalLoss, LossDisplay
    >>> display = LossDisplay.from_loss(
    ...     FocalLoss(), param_name="gamma", param_range=[0, 1, 2, 5]
    ... )
    >>> list(display.values)
    ['gamma=0', 'gamma=1', 'gamma=2', 'gamma=5']
    """

    axes_: list[Axes]
    figure_: Figure
    lines_: list[Line2D]

    def __init__(
        self,
        logits: Tensor,
        values: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        target: float,
    ) -> None:
        self.logits = logits
        self.values = values
        self.gradients = gradients
        self.target = target

    @classmethod
    def from_loss(
        cls,
        loss: AnyLoss | Sequence[AnyLoss] | Mapping[str, AnyLoss],
        *,
        param_name: str | None = None,
        param_range: Iterable[Any] | None = None,
        target: float = 1.0,
        limits: tuple[float, float] = (-6.0, 6.0),
        n_points: int = 241,
        ax: Sequence[Axes] | None = None,
        **line_kwargs: Any,
    ) -> LossDisplay:
        """Compute the curves of one loss or of several, and draw them.

        Parameters
        ----------
        loss : loss, sequence of losses or dict of str to loss
            Several are drawn together. A region loss gets an image of one pixel.
        param_name : str, default=None
            A parameter to vary; needs a single :class:`Loss`.
        param_range : iterable, default=None
            Its values, one curve each.
        target : float, default=1.0
            The target of the pixel, in [0, 1].
        limits : tuple of float, default=(-6.0, 6.0)
            Range of the logits.
        n_points : int, default=241
            Points per curve.
        ax : sequence of two matplotlib Axes, default=None
            Where to draw; new axes by default.
        **line_kwargs : dict
            For ``Axes.plot``.

        Returns
        -------
        display : LossDisplay
        """
        losses = _as_dict(loss, param_name, param_range)
        logits = torch.linspace(*limits, n_points, dtype=torch.float64)
        curves = {label: _curve(each, logits, target) for label, each in losses.items()}
        display = cls(
            logits,
            {label: value for label, (value, _) in curves.items()},
            {label: gradient for label, (_, gradient) in curves.items()},
            target,
        )
        return display.plot(ax, **line_kwargs)

    def plot(self, ax: Sequence[Axes] | None = None, **line_kwargs: Any) -> LossDisplay:
        """Draw the curves.

        Parameters
        ----------
        ax : sequence of two matplotlib Axes, default=None
            For the values and for the gradients; new axes by default.
        **line_kwargs : dict
            For ``Axes.plot``.

        Returns
        -------
        self : LossDisplay
        """
        if ax is None:
            ax = _new_axes()
        if len(ax) != 2:
            raise ValueError(f"ax has {len(ax)} axes, expected two: for values and gradients.")
        self.axes_ = list(ax)
        self.figure_ = self.axes_[0].figure  # type: ignore[assignment]
        self.lines_ = []
        titles = ("loss", "gradient")
        for axes, title, curves in zip(ax, titles, (self.values, self.gradients), strict=True):
            for label, curve in curves.items():
                self.lines_ += axes.plot(
                    self.logits.tolist(), curve.tolist(), label=label, **line_kwargs
                )
            axes.set(xlabel="logit z", title=f"{title}, target {self.target:g}")
            axes.grid(alpha=0.3)
        self.axes_[0].legend()
        return self


def _as_dict(
    loss: Any, param_name: str | None, param_range: Iterable[Any] | None
) -> dict[str, Any]:
    if (param_name is None) != (param_range is None):
        raise ValueError("param_name and param_range go together: pass both or none.")
    if param_name is not None and param_range is not None:
        if not isinstance(loss, Loss):
            raise ValueError(f"param_name needs a single Loss with parameters, got {loss!r}.")
        return {
            f"{param_name}={value}": copy.deepcopy(loss).set_params(**{param_name: value})
            for value in param_range
        }
    if isinstance(loss, Mapping):
        return dict(loss)
    losses: dict[str, Any] = {}
    for each in loss if isinstance(loss, Sequence) else [loss]:
        losses[unique_name(describe(each), losses)] = each
    return losses


def _curve(loss: AnyLoss, logits: Tensor, target: float) -> tuple[Tensor, Tensor]:
    """Return the loss of one pixel and its derivative at each logit."""
    values, gradients = [], []
    softmax = loss_form(loss) == "softmax" and not isinstance(loss, Loss)
    for logit in logits:
        z = logit.reshape(1, 1).requires_grad_()
        if softmax:  # a torch loss over two classes scores (0, z)
            scores = torch.cat([torch.zeros_like(z), z], 1)
            value = call(loss, scores, torch.tensor([round(target)]))
        else:
            value = loss(z, torch.full((1, 1), target, dtype=z.dtype))
        value = value.sum()
        values.append(value.detach())
        gradients.append(torch.autograd.grad(value, z)[0].squeeze())
    return torch.stack(values), torch.stack(gradients)


def _new_axes() -> Sequence[Axes]:
    plt = import_optional("matplotlib.pyplot", "LossDisplay", "plot")
    _, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    return list(axes)
