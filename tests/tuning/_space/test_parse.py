from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from scipy import stats
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, StandardScaler
from sklearn.svm import SVC, LinearSVC
from skorch import NeuralNetClassifier
from torch import Tensor, nn

from sklearnloss import ResNetClassifier, UNetSegmenter
from sklearnloss.losses import (
    BCEWithLogitsLoss,
    DiceLoss,
    FocalLoss,
    Loss,
    get_search_space,
    list_losses,
    register_loss,
)
from sklearnloss.losses._core import names
from sklearnloss.tuning import loss_param_distributions, loss_param_grid
from sklearnloss.tuning._evaluation.pipeline import loss_prefix
from sklearnloss.tuning._space.parse import read_space
from sklearnloss.tuning._space.search_space import Space


def plain(logits: Tensor, target: Tensor) -> Tensor:
    return (logits.sigmoid() - target).abs().mean()


def powered(logits: Tensor, target: Tensor, power: float = 1.0) -> Tensor:
    return (logits.sigmoid() - target).abs().pow(power).mean()


class Spaced(Loss):
    search_space = {"scale": (0.5, 2.0)}

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale


class Demanding(Loss):
    search_space = {"scale": (0.5, 2.0)}

    def __init__(self, scale: float) -> None:
        self.scale = scale


@pytest.fixture
def registered() -> Iterator[str]:
    register_loss("powered", powered, search_space={"power": (0.5, 2.0)})
    yield "powered"
    names.USER_LOSSES.pop("powered")
    names.USER_SPACES.pop("powered")


def ranges(space: Space, label: str) -> dict[str, Any]:
    """Return the distributions of a branch by the estimator's parameter."""
    return {free.key: free.distribution for free in space.branches[label].free.values()}


def losses_of(space: Space) -> dict[str, Any]:
    return {label: branch.fixed.get("loss") for label, branch in space.branches.items()}


@pytest.mark.parametrize("model", [UNetSegmenter(), ResNetClassifier()])
def test_all_is_every_loss_for_the_task_over_its_own_ranges(model: Any) -> None:
    task = "segmentation" if isinstance(model, UNetSegmenter) else "classification"
    space = read_space(model, "all", None)
    assert set(list_losses(task)) <= set(space.branches)
    assert ("dice+bce" in space.branches) == (task == "segmentation")
    for label in space.branches:
        names = {f"loss__{name}" for name in get_search_space(label, task)}
        assert set(ranges(space, label)) == names


def test_multilabel_masks_leave_out_losses_of_one_class_per_pixel() -> None:
    space = read_space(UNetSegmenter(multilabel=True), "all", None)
    assert "dice" in space.branches
    assert "bce" in space.branches
    assert not {"cross_entropy", "hinge", "dice+cross_entropy"} & set(space.branches)


@pytest.mark.parametrize("given", ["focal", ["focal"], ("focal",), {"focal": "focal"}, FocalLoss])
def test_a_name_or_class_is_searched_over_its_own_ranges(given: Any) -> None:
    space = read_space(ResNetClassifier(), given, None)
    (branch,) = space.branches.values()
    assert branch.fixed["loss"] in ("focal", FocalLoss)
    assert list(branch.free) == ["focal__gamma"]
    low, high = get_search_space("focal", "classification")["gamma"][:2]
    assert ranges(space, "focal")["loss__gamma"] == FloatDistribution(low, high)


def test_a_sum_by_name_is_searched_over_its_members_and_weights() -> None:
    space = read_space(UNetSegmenter(), ["dice+focal"], None)
    found = ranges(space, "dice+focal")
    assert {"loss__focal__gamma", "loss__weights__focal"} <= set(found)
    assert found["loss__weights__focal"] == FloatDistribution(0.1, 10.0, log=True)
    first = next(space.first())
    assert first[0]["dice+focal__weights__focal"] == 1.0


@pytest.mark.parametrize(
    ("loss", "label"),
    [
        (FocalLoss(gamma=3), "focal"),
        (0.5 * DiceLoss() + BCEWithLogitsLoss(), "dice+bce"),
        (nn.CrossEntropyLoss(label_smoothing=0.1), "cross_entropy"),
        (plain, "plain"),
        (powered, "powered"),
    ],
)
def test_objects_and_functions_are_tried_as_they_are(loss: Any, label: str) -> None:
    space = read_space(UNetSegmenter(), [loss], None)
    assert list(space.branches) == [label]
    assert space.branches[label].fixed["loss"] is loss
    assert space.branches[label].free == {}
    assert space.all_values() == [{"loss": label}]


def test_a_single_loss_needs_no_list() -> None:
    loss = FocalLoss(gamma=3)
    assert losses_of(read_space(UNetSegmenter(), loss, None)) == {"focal": loss}
    assert losses_of(read_space(UNetSegmenter(), plain, None)) == {"plain": plain}


def test_a_function_or_class_with_a_space_is_searched_over_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(powered, "search_space", {"power": (0.5, 2.0)}, raising=False)
    space = read_space(UNetSegmenter(), [powered, Spaced], None)
    assert ranges(space, "powered") == {"loss__power": FloatDistribution(0.5, 2.0)}
    assert ranges(space, "spaced") == {"loss__scale": FloatDistribution(0.5, 2.0)}
    assert [values for values, _ in space.first()] == [
        {"loss": "powered", "powered__power": 1.0},
        {"loss": "spaced", "spaced__scale": 1.0},
    ]


@pytest.mark.parametrize("by_name", [True, False])
def test_a_registered_loss_is_searched_over_its_space(registered: str, by_name: bool) -> None:
    space = read_space(UNetSegmenter(), [registered if by_name else powered], None)
    assert ranges(space, "powered") == {"loss__power": FloatDistribution(0.5, 2.0)}


@pytest.mark.parametrize("loss", ["focal", FocalLoss, FocalLoss(alpha=0.3)])
def test_a_pair_says_what_is_free(loss: Any) -> None:
    space = read_space(UNetSegmenter(), [(loss, {"gamma": (1.0, 3.0)})], None)
    assert ranges(space, "focal") == {"loss__gamma": FloatDistribution(1.0, 3.0)}
    assert space.branches["focal"].fixed["loss"] is loss
    assert list(space.first()) == [({"loss": "focal", "focal__gamma": 2.0}, [])]


def test_dict_keys_are_labels() -> None:
    space = read_space(
        UNetSegmenter(),
        {"mine": FocalLoss(gamma=3), "dice": {"eps": [1e-6, 1.0]}, "pair": ("focal", {})},
        None,
    )
    assert losses_of(space)["dice"] == "dice"
    assert losses_of(space)["pair"] == "focal"
    assert ranges(space, "mine") == ranges(space, "pair") == {}
    assert ranges(space, "dice") == {"loss__eps": CategoricalDistribution([1e-6, 1.0])}


def test_repeated_losses_are_numbered() -> None:
    given = [FocalLoss(), "focal", FocalLoss(gamma=3), ("focal", {"gamma": [1.0]}), "focal"]
    space = read_space(UNetSegmenter(), given, None)
    assert list(space.branches) == ["focal_2", "focal", "focal_3", "focal_4", "focal_5"]
    assert space.branches["focal_5"].free
    assert all(name.startswith("focal_5__") for name in space.branches["focal_5"].free)


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        (["focl"], "Unknown loss 'focl'.*Did you mean 'focal'"),
        ("focl", "Unknown loss 'focl'.*Did you mean 'focal'"),
        ("al", "Unknown loss 'al'.*Expected 'all'.*Did you mean 'all'"),
        (["dice+focl"], "Unknown loss 'focl'.*Did you mean 'focal'"),
        ({"focl": {"gamma": [1]}}, "Unknown loss 'focl'.*Did you mean 'focal'"),
        ([("focal", {"gama": [1]})], "no parameter 'gama'.*Did you mean 'gamma'"),
        ([("dice+focal", {"focal__gama": [1]})], "no parameter 'focal__gama'"),
        ([(nn.CrossEntropyLoss(), {"label_smoothing": [0.1]})], "no parameter 'label_smoothing'"),
        ([], "losses is empty"),
        (["l2"], "only penalties"),
        ([nn.NLLLoss], "NLLLoss"),
        ([nn.BCELoss()], "BCELoss"),
    ],
)
def test_losses_that_nothing_can_be_done_with_are_refused(losses: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_space(UNetSegmenter(), losses, None)


@pytest.mark.parametrize("losses", [[3], [None], [("focal", 3)]])
def test_what_is_no_loss_is_a_type_error(losses: Any) -> None:
    with pytest.raises(TypeError, match="which is not a loss. Expected names, loss classes"):
        read_space(UNetSegmenter(), losses, None)


def test_losses_for_an_estimator_without_any_are_refused() -> None:
    with pytest.raises(TypeError, match="has no loss to choose. Expected a UNetSegmenter"):
        read_space(LogisticRegression(), ["focal"], {"C": [1]})


def test_the_message_for_a_network_of_another_library_is_short() -> None:
    net = NeuralNetClassifier(nn.Sequential(*[nn.Linear(4, 4) for _ in range(50)]))
    for model in (net, make_pipeline(StandardScaler(), net)):
        with pytest.raises(TypeError, match="NeuralNetClassifier has no loss to choose") as error:
            read_space(model, ["focal"], None)
        assert len(str(error.value)) < 400
        assert "param_distributions={'criterion': [...]}" in str(error.value)
        with pytest.raises(TypeError, match="NeuralNetClassifier has no loss to choose") as error:
            loss_prefix(model)
        assert len(str(error.value)) < 400


@pytest.mark.parametrize("model", [UNetSegmenter, LogisticRegression])
def test_an_estimator_is_an_object(model: Any) -> None:
    with pytest.raises(TypeError, match=f"{model.__name__} is a class. Pass an object, such as"):
        read_space(model, None, {"C": [1]})


def test_a_class_that_needs_an_argument_is_searched_over_it() -> None:
    space = read_space(UNetSegmenter(), [Demanding], None)
    assert ranges(space, "demanding") == {"loss__scale": FloatDistribution(0.5, 2.0)}
    assert list(space.first()) == [({"loss": "demanding"}, [])]


def test_other_parameters_are_searched_beside_each_loss() -> None:
    given = {"lr": (1e-4, 1e-2, "log"), "width": [8, 16], "weight_decay": stats.uniform(0, 1)}
    space = read_space(UNetSegmenter(), ["dice", "bce"], given)
    for label in ("dice", "bce"):
        found = ranges(space, label)
        assert found["lr"] == FloatDistribution(1e-4, 1e-2, log=True)
        assert found["width"] == CategoricalDistribution([8, 16])
        assert found["weight_decay"] == FloatDistribution(0.0, 1.0)
        assert {"lr", "width"} <= set(space.branches[label].free)
    assert next(space.first())[0]["lr"] == UNetSegmenter().lr


def test_a_range_for_a_parameter_of_the_loss_goes_to_those_that_have_it() -> None:
    given = {"loss__gamma": (2.0, 3.0)}
    space = read_space(UNetSegmenter(), ["focal", "dice", "focal_tversky"], given)
    assert ranges(space, "focal")["loss__gamma"] == FloatDistribution(2.0, 3.0)
    assert ranges(space, "focal_tversky")["loss__gamma"] == FloatDistribution(2.0, 3.0)
    assert "loss__gamma" not in ranges(space, "dice")


def test_a_range_reaches_into_objects_and_sums() -> None:
    losses = [FocalLoss(alpha=0.3), DiceLoss() + FocalLoss()]
    space = read_space(UNetSegmenter(), [losses[0]], {"loss__gamma": (2.0, 3.0)})
    assert ranges(space, "focal") == {"loss__gamma": FloatDistribution(2.0, 3.0)}
    space = read_space(UNetSegmenter(), [losses[1]], {"loss__focal__gamma": (2.0, 3.0)})
    assert ranges(space, "dice+focal") == {"loss__focal__gamma": FloatDistribution(2.0, 3.0)}


@pytest.mark.parametrize("key", ["loss__gama", "loss__focal__gamma", "loss__dice__epss"])
def test_a_parameter_that_no_loss_has_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match=f"param_distributions has '{key}', but none of the"):
        read_space(UNetSegmenter(), ["focal", "dice+bce"], {key: [1.0]})


def test_a_parameter_that_the_estimator_has_not_is_refused() -> None:
    with pytest.raises(ValueError, match="UNetSegmenter has no parameter 'widht'.*'width'"):
        read_space(UNetSegmenter(), ["dice"], {"widht": [1]})


@pytest.mark.parametrize("given", [3, ["lr"], "lr", [["lr", 1]]])
def test_distributions_that_are_none_are_a_type_error(given: Any) -> None:
    with pytest.raises(TypeError, match="Expected a dict from parameter to distribution"):
        read_space(UNetSegmenter(), ["dice"], given)


@pytest.mark.parametrize("make", [loss_param_grid, loss_param_distributions])
def test_lists_of_dicts_for_scikit_learn_stand_for_losses(make: Any) -> None:
    space = read_space(UNetSegmenter(), None, make(["focal", "label_smoothing"]))
    assert losses_of(space) == {"focal": "focal", "label_smoothing": "label_smoothing"}
    assert "loss__gamma" in ranges(space, "focal")
    assert set(ranges(space, "label_smoothing")) == {"loss__eps"}


def test_in_a_dict_with_losses_only_what_it_names_is_free() -> None:
    grids = [{"loss": ["focal", DiceLoss()], "lr": [1e-3]}, {"loss": "focal", "width": [4]}]
    space = read_space(UNetSegmenter(), None, grids)
    assert {label: set(ranges(space, label)) for label in space.branches} == {
        "focal": {"lr"},
        "dice": {"lr"},
        "focal_2": {"width"},
    }


@pytest.mark.parametrize(
    "given",
    [
        ["dice", "focal"],
        np.array(["dice", "focal"]),
        pd.Series(["dice", "focal"]),
        CategoricalDistribution(["dice", "focal"]),
    ],
)
def test_losses_in_a_dict_may_be_any_choices(given: Any) -> None:
    space = read_space(UNetSegmenter(), None, {"loss": given})
    assert losses_of(space) == {"dice": "dice", "focal": "focal"}


def test_losses_given_twice_or_in_some_dicts_only_are_refused() -> None:
    with pytest.raises(ValueError, match="Losses are given twice"):
        read_space(UNetSegmenter(), ["dice"], {"loss": ["focal"]})
    with pytest.raises(ValueError, match="some of the dicts in param_distributions have 'loss'"):
        read_space(UNetSegmenter(), None, [{"loss": ["focal"]}, {"lr": [1.0]}])


def test_each_loss_meets_each_dict_without_losses() -> None:
    grids = [{"lr": [1e-3, 1e-2]}, {"lr": [1e-3], "width": [4, 8]}]
    space = read_space(UNetSegmenter(), ["dice", FocalLoss()], grids)
    assert list(space.branches) == ["dice", "dice_2", "focal", "focal_2"]
    names = [set(branch.free) for branch in space.branches.values()]
    # One range per name: "lr" has two.
    assert "dice__lr" in names[0]
    assert "dice_2__lr" in names[1]
    assert names[3] == {"focal_2__lr", "width"}


def test_a_pipelines_last_step_has_the_loss() -> None:
    model = make_pipeline(FunctionTransformer(), UNetSegmenter())
    given = {
        "unetsegmenter__lr": (1e-4, 1e-2),
        "unetsegmenter__loss__gamma": [1.0, 2.0],
        "functiontransformer__check_inverse": [True, False],
    }
    space = read_space(model, ["focal"], given)
    assert space.branches["focal"].fixed == {"unetsegmenter__loss": "focal"}
    assert set(given) <= set(ranges(space, "focal"))
    assert {"focal__gamma", "unetsegmenter__lr"} <= set(space.branches["focal"].free)
    values = next(space.first())[0]
    assert space.params(values)["unetsegmenter__loss__gamma"] == 2.0


@pytest.mark.parametrize("key", ["lr", "loss__gamma"])
def test_a_parameter_under_both_of_its_names_is_refused(key: str) -> None:
    model = make_pipeline(FunctionTransformer(), UNetSegmenter())
    given = {key: [0.1], f"unetsegmenter__{key}": [0.2]}
    with pytest.raises(ValueError, match=f"twice: as '{key}' and as 'unetsegmenter__{key}'"):
        read_space(model, ["focal"], given)


def test_names_of_parameters_are_texts() -> None:
    with pytest.raises(TypeError, match="has the key 3. Expected a str"):
        read_space(UNetSegmenter(), ["dice"], {3: [1]})


def test_parameters_of_a_step_that_the_search_sets_are_those_of_its_choices() -> None:
    model = Pipeline([("scale", "passthrough"), ("svc", SVC())])
    given = {"scale": [StandardScaler(), MaxAbsScaler()], "scale__copy": [True, False]}
    space = read_space(model, None, given)
    everything = space.all_values()
    assert everything is not None
    assert len(everything) == 4
    with pytest.raises(ValueError, match=r"'scale__with_mean', but the choice MaxAbsScaler\(\) of"):
        read_space(model, None, {**given, "scale__with_mean": [True]})
    with pytest.raises(ValueError, match="the choice 'passthrough' of 'scale' has no parameter"):
        read_space(model, None, {"scale": ["passthrough"], "scale__copy": [True]})
    with pytest.raises(ValueError, match="Pipeline has no parameter 'scala__copy' to search over"):
        read_space(model, None, {"scala__copy": [True]})


def test_the_innermost_part_that_the_search_sets_has_the_parameter() -> None:
    model = Pipeline([("pipe", make_pipeline(SVC()))])
    given = {"pipe": [make_pipeline(SVC())], "pipe__svc__degree": [2, 3]}
    assert read_space(model, None, given).all_values() is not None
    with pytest.raises(ValueError, match=r"choice LinearSVC\(\) of 'pipe__svc' has no parameter"):
        read_space(model, None, {**given, "pipe__svc": [LinearSVC()]})


def test_a_step_with_the_loss_may_be_searched_over_if_each_choice_has_one() -> None:
    model = Pipeline([("net", UNetSegmenter())])
    given = {"net": [UNetSegmenter(width=2), UNetSegmenter(width=4)], "lr": [0.1, 0.2]}
    assert set(ranges(read_space(model, ["dice"], given), "dice")) >= {"net", "net__lr"}
    with pytest.raises(ValueError, match=r"'net__loss', but the choice SVC\(\) of 'net' has no"):
        read_space(model, ["dice"], {"net": [SVC()]})


def test_any_estimator_is_searched_by_distributions_alone() -> None:
    space = read_space(SVC(), None, {"C": (0.1, 10.0), "degree": (2, 4)})
    assert not space.has_losses
    assert space.all_values() is None
    assert ranges(space, "") == {"C": FloatDistribution(0.1, 10.0), "degree": IntDistribution(2, 4)}
    assert list(space.first()) == [({"C": 1.0, "degree": 3}, [])]


def test_the_loss_of_another_estimator_is_a_parameter_like_others() -> None:
    grids = [{"loss": ["hinge", "log_loss"]}, {"alpha": [0.1, 1.0]}]
    space = read_space(SGDClassifier(), None, grids)
    everything = space.all_values()
    assert everything is not None
    assert [space.params(values) for values in everything] == [
        {"loss": "hinge"},
        {"loss": "log_loss"},
        {"alpha": 0.1},
        {"alpha": 1.0},
    ]
    one = read_space(make_pipeline(SGDClassifier()), None, {"sgdclassifier__loss": ["hinge"]})
    assert one.all_values() == [{"sgdclassifier__loss": "hinge"}]


def test_grids_with_unlike_choices_for_a_parameter_stand_side_by_side() -> None:
    grids = [{"kernel": ["linear"], "C": [1, 10]}, {"kernel": ["rbf"], "C": [1, 10, 100]}]
    space = read_space(SVC(), None, grids)
    assert set(space.branches["0"].free) == {"0__kernel", "0__C"}
    everything = space.all_values()
    assert everything is not None
    assert len(everything) == 5


@pytest.mark.parametrize("given", [None, {}, [], [{}]])
def test_nothing_to_search_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="There is nothing to search"):
        read_space(LogisticRegression(), None, given)


def test_losses_with_tensors_are_tried_as_they_are() -> None:
    loss = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 3.0]))
    weights = np.array([1.0, 2.0, 3.0])
    space = read_space(ResNetClassifier(), [loss], {"class_weight": [None, "balanced"]})
    assert space.branches["cross_entropy"].fixed["loss"] is loss
    assert np.array_equal(loss.weight.numpy(), weights)


@pytest.mark.parametrize("make", [set, frozenset])
def test_losses_in_a_set_have_one_order(make: Any) -> None:
    model, names = UNetSegmenter(), ["bce", "dice", "focal", "tversky"]
    assert list(read_space(model, make(names[::-1]), None).branches) == names
    assert list(read_space(model, None, {"loss": make(names[::-1])}).branches) == names


def test_in_a_pipeline_other_names_are_those_of_the_last_step() -> None:
    pipe = make_pipeline(FunctionTransformer(), UNetSegmenter())
    short = read_space(pipe, ["dice", "focal"], {"lr": (1e-3, 1e-2), "loss__gamma": (1.0, 2.0)})
    prefixed = {"unetsegmenter__lr": (1e-3, 1e-2), "unetsegmenter__loss__gamma": (1.0, 2.0)}
    assert short == read_space(pipe, ["dice", "focal"], prefixed)
    grids = [{"loss": ["dice"], "functiontransformer__validate": [True]}]
    assert list(read_space(pipe, None, grids).branches["dice"].free) == [
        "functiontransformer__validate"
    ]
    with pytest.raises(ValueError, match="no parameter 'depht'"):
        read_space(pipe, ["dice"], {"depht": [1, 2]})


def test_labels_may_be_numbers_if_they_differ_as_texts() -> None:
    assert list(read_space(UNetSegmenter(), {1: "dice", 2: "hinge"}, None).branches) == ["1", "2"]
    with pytest.raises(ValueError, match="losses holds '1' twice, once as str"):
        read_space(UNetSegmenter(), {1: "dice", "1": "hinge"}, None)
    with pytest.raises(ValueError, match="losses holds a blank name, ''"):
        read_space(UNetSegmenter(), {"": "dice"}, None)
