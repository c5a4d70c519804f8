"""The losses that are tried if none are named."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import Tensor, nn

from sklearnloss import LossSearchCV, ResNetClassifier, UNetSegmenter
from sklearnloss.losses import (
    DiceLoss,
    FocalLoss,
    Loss,
    TverskyLoss,
    get_loss,
    list_losses,
    register_loss,
)
from sklearnloss.losses._core import names
from sklearnloss.losses._core.foreign import loss_form
from sklearnloss.tuning import suggest_loss
from sklearnloss.tuning._space.menu import LARGEST, MENUS
from sklearnloss.tuning._space.parse import read_space
from sklearnloss.tuning._space.search_space import Space

from ...estimators.conftest import Data, classifier, digits, scenes, segmenter  # noqa: F401

GUIDE = Path(__file__).parents[3] / "docs" / "losses" / "index.md"
MODELS = {"segmentation": UNetSegmenter(), "classification": ResNetClassifier()}
SHAPES = {"boundary", "hausdorff", "cl_dice"}


def menu(model: Any) -> list[str]:
    return list(read_space(model, None, None).branches)


def first_params(space: Space, label: str) -> dict[str, Any]:
    """Return the estimator's parameters of a loss's first candidate."""
    ((values, _),) = [each for each in space.first() if each[0]["loss"] == label]
    return space.params(values)


def choices(trial: optuna.Trial) -> Any:
    """Return the losses that a trial chose from."""
    distribution: Any = trial.distributions["loss"]
    return distribution.choices


@pytest.fixture
def registered() -> Iterator[str]:
    def mine(logits: Tensor, target: Tensor) -> Tensor:
        return (logits.sigmoid() - target).abs().mean()

    register_loss("mine", mine)
    yield "mine"
    names.USER_LOSSES.pop("mine")
    names.USER_SPACES.pop("mine")


def test_the_default_loss_and_the_best_sums_come_first() -> None:
    assert menu(UNetSegmenter())[:4] == [
        "dice+cross_entropy",
        "dice+bce",
        "dice+focal",
        "tversky",
    ]
    assert menu(ResNetClassifier())[:3] == ["cross_entropy", "label_smoothing", "focal"]


@pytest.mark.parametrize("task", MODELS)
def test_the_menu_is_that_of_the_table(task: str) -> None:
    assert menu(MODELS[task]) == [entry.name for entry in MENUS[task]]
    text = GUIDE.read_text(encoding="utf-8")
    rows = [f"| `{e.name}` | {e.reason} | [{e.source}]({e.link}) |" for e in MENUS[task]]
    assert "|---|---|---|\n" + "\n".join(rows) + "\n\n" in text


@pytest.mark.parametrize("task", MODELS)
def test_every_entry_has_a_short_reason_and_a_source(task: str) -> None:
    for entry in MENUS[task]:
        assert 0 < len(entry.reason) <= 80
        assert re.search(r"(19|20)\d\d$", entry.source)
        assert entry.link.startswith("https://")


@pytest.mark.parametrize(
    "model",
    [
        *MODELS.values(),
        UNetSegmenter("jaccard"),
        UNetSegmenter(nn.CrossEntropyLoss()),
        UNetSegmenter(multilabel=True),
        ResNetClassifier("cross_entropy+1e-4*l2"),
    ],
)
def test_the_menu_is_short_and_shapes_are_beside_a_region_loss(model: Any) -> None:
    found = menu(model)
    assert 10 < len(found) <= LARGEST == 16
    assert not SHAPES & set(found)
    if isinstance(model, UNetSegmenter):
        assert {f"dice+{name}" for name in SHAPES} <= set(found)


def test_a_name_that_is_the_estimators_own_comes_first_and_once() -> None:
    found = menu(UNetSegmenter("tversky"))
    assert found[:2] == ["tversky", "dice+cross_entropy"]
    assert found.count("tversky") == 1
    in_other_order = menu(UNetSegmenter("topk+dice"))
    assert in_other_order[0] == "topk+dice"
    assert "dice+topk" not in in_other_order
    assert menu(UNetSegmenter("0.5*dice+topk"))[0] == "0.5*dice+topk"
    assert "dice+topk" in menu(UNetSegmenter("0.5*dice+topk"))


def test_a_loss_of_no_menu_comes_first() -> None:
    assert menu(UNetSegmenter("jaccard"))[:2] == ["jaccard", "dice+cross_entropy"]
    assert menu(ResNetClassifier("cross_entropy+1e-4*l2"))[1] == "cross_entropy"


def test_in_a_pipeline_the_loss_of_the_last_step_comes_first() -> None:
    model = make_pipeline(FunctionTransformer(), UNetSegmenter("tversky", loss__alpha=0.2))
    space = read_space(model, None, None)
    assert next(iter(space.branches)) == "tversky"
    assert first_params(space, "tversky") == {
        "unetsegmenter__loss": "tversky",
        "unetsegmenter__loss__alpha": 0.2,
        "unetsegmenter__loss__beta": 0.5,
    }


def test_an_object_comes_first_as_it_is() -> None:
    loss = FocalLoss(gamma=3)
    space = read_space(UNetSegmenter(loss), None, None)
    assert list(space.branches)[:2] == ["focal_2", "dice+cross_entropy"]
    assert space.branches["focal_2"].fixed["loss"] is loss
    assert space.branches["focal"].free
    assert menu(UNetSegmenter(nn.CrossEntropyLoss()))[0] == "cross_entropy_2"


def test_an_object_or_class_that_is_a_named_loss_is_not_tried_twice() -> None:
    for loss in (DiceLoss(), DiceLoss):
        found = menu(UNetSegmenter(loss))
        assert found[0] == "dice"
        assert "dice_2" not in found


def test_the_estimators_own_settings_are_tried_first_and_kept() -> None:
    model = UNetSegmenter("tversky", loss__alpha=0.2, loss__class_weight="balanced")
    space = read_space(model, None, None)
    params = first_params(space, "tversky")
    assert params["loss__alpha"] == 0.2
    assert {"loss__alpha", "loss__beta"} == {f.key for f in space.branches["tversky"].free.values()}
    for values in ({"tversky__alpha": 0.7, "tversky__beta": 0.4}, {}):
        chosen = space.params({"loss": "tversky", **values})
        assert chosen["loss__class_weight"] == "balanced"
        assert chosen["loss__alpha"] == values.get("tversky__alpha", 0.2)


def test_a_setting_outside_of_its_range_is_tried_first() -> None:
    space = read_space(UNetSegmenter("tversky", loss__alpha=3.0), None, None)
    assert first_params(space, "tversky")["loss__alpha"] == 3.0


def test_settings_of_the_default_loss_say_which_sum_it_is() -> None:
    found = read_space(UNetSegmenter(loss__weights__bce=0.5), None, None)
    assert list(found.branches)[:2] == ["dice+bce", "dice+cross_entropy"]
    assert first_params(found, "dice+bce")["loss__weights__bce"] == 0.5
    both = read_space(UNetSegmenter(loss__dice__eps=0.5), None, None)
    for label in ("dice+cross_entropy", "dice+bce"):
        assert first_params(both, label)["loss__dice__eps"] == 0.5


def test_tversky_does_not_start_as_dice() -> None:
    space = read_space(UNetSegmenter(), None, None)
    assert first_params(space, "tversky") == {
        "loss": "tversky",
        "loss__alpha": 0.3,
        "loss__beta": 0.7,
    }


def test_overlapping_labels_have_losses_of_a_sigmoid() -> None:
    found = menu(UNetSegmenter(multilabel=True))
    assert found[:5] == ["dice+bce", "dice+focal", "tversky", "dice", "bce"]
    assert "lovasz_hinge" in found
    assert not {"lovasz_softmax", "cross_entropy", "topk", "dice+topk"} & set(found)
    assert menu(UNetSegmenter("cross_entropy", multilabel=True))[0] == "dice+bce"
    assert menu(UNetSegmenter("jaccard", multilabel=True))[0] == "jaccard"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (UNetSegmenter("dise"), "Unknown loss 'dise'.*Did you mean 'dice'"),
        (UNetSegmenter(5), "loss=5 is not a loss"),
        (UNetSegmenter("focal", loss__gama=1.0), "'gama'"),
        (UNetSegmenter(loss__gama=1.0), "'gama'"),
        (ResNetClassifier("auto"), "Unknown loss 'auto'"),
    ],
)
def test_an_estimator_without_a_legal_loss_is_refused(model: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_space(model, None, None)


@pytest.mark.parametrize("task", MODELS)
def test_all_is_the_menu_and_then_the_others(task: str, registered: str) -> None:
    model = MODELS[task]
    found = list(read_space(model, "all", None).branches)
    assert found[: len(menu(model))] == menu(model)
    assert {*list_losses(task), registered} <= set(found)
    assert registered not in menu(model)
    assert len(found) == len(set(found))
    own = list(read_space(type(model)(FocalLoss), "all", None).branches)
    assert own[0] == "focal"
    assert sorted(own) == sorted(found)


def test_no_loss_may_be_called_all_or_auto() -> None:
    for name in ("all", "auto"):
        with pytest.raises(ValueError, match=f"'{name}' cannot name a loss.*'all', 'auto'"):
            register_loss(name, DiceLoss)


def test_a_label_may_be_all() -> None:
    assert list(read_space(UNetSegmenter(), {"all": TverskyLoss()}, None).branches) == ["all"]


@pytest.mark.parametrize("task", MODELS)
def test_suggestions_are_of_the_menu_or_of_all(task: str) -> None:
    expected = [entry.name for entry in MENUS[task]]
    trial = optuna.create_study().ask()
    suggest_loss(trial, task)
    assert list(choices(trial)) == expected
    trial = optuna.create_study().ask()
    suggest_loss(trial, task, "all")
    everything = choices(trial)
    assert set(everything) == {*expected, *list_losses(task)}
    with pytest.raises(ValueError, match="pass task= as well"):
        suggest_loss(trial, losses="all")


def gradient(name: str, n_classes: int, shape: tuple[int, ...]) -> Tensor:
    """Return the direction of a loss's gradient on masks or classes, as in the estimators."""
    start: dict[str, Any] = {
        e.name: e.start for e in MENUS["segmentation" if shape else "classification"]
    }
    loss = get_loss(name, **start[name])
    assert isinstance(loss, Loss)
    torch.manual_seed(0)
    n_channels = 1 if shape and n_classes == 2 else n_classes
    z = torch.randn(4, n_channels, *shape, dtype=torch.float64, requires_grad=True)
    y = torch.rand(4, *shape).pow(3).mul(n_classes).long()
    y.view(-1)[:n_classes] = torch.arange(n_classes)
    loss.bind(nn.Linear(1, 1), torch.bincount(y.flatten(), minlength=n_classes))
    if n_channels == n_classes:
        value = loss(z, y)
    elif loss_form(loss) == "softmax":
        value = loss(torch.cat([torch.zeros_like(z), z], 1), y)
    else:
        value = loss(z, y[:, None].double())
    found: Tensor = torch.autograd.grad(value, z)[0].flatten()
    return found / float(found.norm())


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("task", MODELS)
def test_no_two_losses_of_the_menu_are_the_same(task: str, n_classes: int) -> None:
    shape = (16, 16) if task == "segmentation" else ()
    found = {name: gradient(name, n_classes, shape) for name in menu(MODELS[task])}
    same = [
        (one, other)
        for one, other in itertools.combinations(found, 2)
        if float((found[one] - found[other]).norm()) < 1e-4
    ]
    # The hinges differ only in the wrong classes that they look at.
    two_hinges = (task, n_classes) == ("classification", 2)
    assert same == ([("weston_watkins", "hinge")] if two_hinges else [])


def train_all(model: Any, X: Any, y: Any) -> list[str]:
    """Train each loss of the menu in one fold; return the losses that scored."""
    folds = [(np.arange(0, len(X), 2), np.arange(1, len(X), 2))]
    search = LossSearchCV(
        model,
        n_trials=len(menu(model)),
        cv=folds,
        refit=False,
        random_state=0,
        pruner=optuna.pruners.NopPruner(),
        error_score="raise",
    ).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    losses: list[str] = search.cv_results_["loss"].tolist()
    return losses


@pytest.mark.slow
@pytest.mark.parametrize("n_classes", [2, 3])
def test_every_loss_of_the_menu_trains_on_masks(scenes: Data, n_classes: int) -> None:  # noqa: F811
    X, y = scenes[0][:6], np.minimum(scenes[1][:6], n_classes - 1)
    model = segmenter(width=2, depth=1)
    assert train_all(model, X, y) == menu(model)


@pytest.mark.slow
def test_every_loss_of_the_menu_trains_on_overlapping_masks(scenes: Data) -> None:  # noqa: F811
    X, y = scenes[0][:6], np.stack([scenes[1][:6] > 0, scenes[1][:6] > 1], axis=1)
    model = segmenter(width=2, depth=1, multilabel=True)
    assert train_all(model, X, y) == menu(model)


@pytest.mark.slow
def test_every_loss_of_the_menu_trains_on_classes(digits: Data) -> None:  # noqa: F811
    X, y = digits[0][:24], digits[1][:24]
    model = classifier(width=2)
    assert train_all(model, X, y) == menu(model)


def test_a_few_trials_are_for_the_first_of_the_menu(scenes: Data, tmp_path: Path) -> None:  # noqa: F811
    X, y = scenes[0][:6], scenes[1][:6]
    model = segmenter(width=2, depth=1)
    options: dict[str, Any] = {"cv": 2, "refit": False, "storage": tmp_path / "s.journal"}
    search = LossSearchCV(model, n_trials=3, random_state=0, **options)
    with pytest.warns(
        UserWarning, match=r"^n_trials=3 tries the 3 most promising of 16 losses.*"
    ) as w:
        search.fit(X, y)
    assert [len(str(each.message).splitlines()) for each in w] == [1]
    assert search.cv_results_["loss"].tolist() == menu(model)[:3]
    assert search.untried_losses_ == menu(model)[3:]
    other = LossSearchCV(model.set_params(loss="jaccard"), n_trials=3, random_state=0, **options)
    with pytest.raises(ValueError, match="estimator: loss 'auto' -> 'jaccard'"):
        other.fit(X, y)
