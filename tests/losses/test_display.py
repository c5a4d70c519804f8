from __future__ import annotations

import builtins
from typing import Any

import matplotlib as mpl
import pytest
import torch
from torch import nn

from sklearnloss.losses import BCEWithLogitsLoss, CrossEntropyLoss, DiceLoss, FocalLoss, LossDisplay

mpl.use("agg")
from matplotlib import pyplot as plt


@pytest.fixture(autouse=True)
def _close_figures() -> Any:
    yield
    plt.close("all")


def test_curves_are_the_loss_and_its_derivative() -> None:
    display = LossDisplay.from_loss(BCEWithLogitsLoss())
    z = display.logits
    label = "BCEWithLogitsLoss()"
    torch.testing.assert_close(display.values[label], nn.functional.softplus(-z), atol=1e-8, rtol=0)
    torch.testing.assert_close(display.gradients[label], z.sigmoid() - 1)


def test_a_parameter_gives_a_curve_each_and_leaves_the_loss_alone() -> None:
    loss = FocalLoss()
    display = LossDisplay.from_loss(loss, param_name="gamma", param_range=[0, 2])
    assert list(display.values) == ["gamma=0", "gamma=2"]
    assert loss.gamma == 2.0
    expected = FocalLoss(0, reduction="none")(display.logits.reshape(-1, 1), torch.ones(241, 1))
    torch.testing.assert_close(display.values["gamma=0"], expected[:, 0])


def test_several_losses_are_overlaid() -> None:
    losses = [DiceLoss(), nn.CrossEntropyLoss(), CrossEntropyLoss(), nn.BCEWithLogitsLoss()]
    display = LossDisplay.from_loss(losses, target=0.0, limits=(-2, 2), n_points=5)
    assert len(display.lines_) == 8
    torch.testing.assert_close(
        display.values["CrossEntropyLoss()"], display.values["CrossEntropyLoss()_2"]
    )
    display = LossDisplay.from_loss({"a": DiceLoss(), "b": FocalLoss()})
    assert list(display.gradients) == ["a", "b"]


def test_a_softmax_loss_of_ones_own_scores_two_classes() -> None:
    def cross_entropy(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(logits, target)

    cross_entropy.form = "softmax"  # type: ignore[attr-defined]
    display = LossDisplay.from_loss({"mine": cross_entropy, "regression": nn.MSELoss()})
    z = display.logits
    expected = nn.functional.softplus(-z)
    torch.testing.assert_close(display.values["mine"], expected, atol=1e-6, rtol=0)
    # Of the masks of both classes, where training has a score for each.
    torch.testing.assert_close(display.values["regression"], (z - 1).square() / 2)


def test_it_draws_on_given_axes() -> None:
    _, axes = plt.subplots(1, 2)
    display = LossDisplay.from_loss(DiceLoss(), ax=axes, color="red")
    assert display.axes_ == list(axes)
    assert display.figure_ is axes[0].figure
    assert {line.get_color() for line in display.lines_} == {"red"}
    assert axes[0].get_title() == "loss, target 1"
    display.plot(axes)
    assert len(axes[1].lines) == 2
    with pytest.raises(ValueError, match="ax has 1 axes, expected two"):
        display.plot(axes[:1])


@pytest.mark.parametrize(
    ("loss", "params", "message"),
    [
        (DiceLoss(), {"param_name": "eps"}, "param_name and param_range go together"),
        (nn.MSELoss(), {"param_name": "x", "param_range": [1]}, "needs a single Loss"),
        (DiceLoss(), {"param_name": "x", "param_range": [1]}, "Invalid parameter 'x'"),
    ],
)
def test_what_cannot_be_varied_is_named(loss: Any, params: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LossDisplay.from_loss(loss, **params)


def test_without_matplotlib_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def no_matplotlib(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_matplotlib)
    with pytest.raises(ImportError, match=r"pip install 'sklearnloss\[plot\]'"):
        LossDisplay.from_loss(DiceLoss())
