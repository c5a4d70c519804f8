from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import optuna
import pytest
from sklearn.model_selection import (
    GridSearchCV,
    ParameterGrid,
    ParameterSampler,
    RandomizedSearchCV,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearnloss import UNetSegmenter
from sklearnloss.losses import CompoundLoss, DiceLoss, Loss, get_loss, list_losses, register_loss
from sklearnloss.metrics import dice_scorer
from sklearnloss.tuning import loss_param_distributions, loss_param_grid, suggest_loss

from ...estimators.conftest import Data, classifier, digits, scenes, segmenter  # noqa: F401

optuna.logging.set_verbosity(optuna.logging.WARNING)

NAMES = [*list_losses("segmentation"), "dice+bce", "dice+cross_entropy", "focal+l2"]


def settable(params: dict[str, Any]) -> Loss:
    """Build a loss from estimator parameters, so that illegal values raise."""
    own = {key.removeprefix("loss__"): value for key, value in params.items() if key != "loss"}
    loss = get_loss(params["loss"], **own)
    assert isinstance(loss, Loss)
    loss._check_params()
    return loss


@pytest.mark.parametrize("name", NAMES)
def test_every_point_of_a_grid_is_a_legal_loss(name: str) -> None:
    (grid,) = loss_param_grid(name, n_values=2)
    assert grid["loss"] == [name]
    for params in ParameterGrid(grid):
        settable(params)


@pytest.mark.parametrize("name", NAMES)
def test_every_sample_of_a_distribution_is_a_legal_loss(name: str) -> None:
    (space,) = loss_param_distributions([name])
    finite = all(isinstance(choices, list) for choices in space.values())
    n_points = len(ParameterGrid(space)) if finite else 10  # a sampler asked for more warns
    samples = list(ParameterSampler(space, min(n_points, 10), random_state=0))
    for params in samples:
        settable(params)
    assert len(samples) == min(n_points, 10)


@pytest.mark.parametrize("task", ["classification", "segmentation"])
def test_every_suggestion_is_a_legal_loss(task: str) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = set()
    for _ in range(60):
        trial = study.ask()
        params = suggest_loss(trial, task)
        settable(params)
        seen.add(params["loss"])
        own = {key.removeprefix("loss__") for key in params if key != "loss"}
        assert set(trial.params) == {"loss", *(f"{params['loss']}__{key}" for key in own)}
    assert len(seen) >= 5
    assert ("dice" in seen) == (task == "segmentation")


def test_grid_runs_from_one_end_of_the_range_to_the_other() -> None:
    (grid,) = loss_param_grid("dice")
    assert grid["loss__eps"] == [1e-6, 1e-3, 1.0]
    assert grid["loss__batch"] == [False, True]
    (grid,) = loss_param_grid(["focal"], prefix="unetsegmenter__", n_values=5)
    assert grid["unetsegmenter__loss__gamma"] == [0.0, 1.25, 2.0, 3.75, 5.0]
    assert grid["unetsegmenter__loss"] == ["focal"]


@pytest.mark.parametrize("n_values", [1, 2, 3, 6])
def test_the_defaults_of_a_loss_are_a_point_of_its_grid(n_values: int) -> None:
    for name in NAMES[:-1]:
        (grid,) = loss_param_grid(name, n_values=n_values)
        defaults = UNetSegmenter(name).get_params()
        for key, values in grid.items():
            assert defaults[key] in values
            assert len(values) == len(set(values))


def test_a_default_outside_of_its_range_is_not_a_point_of_the_grid() -> None:
    (grid,) = loss_param_grid("focal+l2")  # a penalty of weight 1 is too strong
    assert grid["loss__weights__l2"] == [1e-6, 3.162e-4, 0.1]


def test_a_grid_of_one_value_holds_the_defaults_alone() -> None:
    (grid,) = loss_param_grid("focal", n_values=1)
    assert grid == {"loss": ["focal"], "loss__gamma": [2.0], "loss__alpha": ["auto"]}


def test_a_parameter_without_a_default_is_in_the_middle_of_a_grid_of_one_value() -> None:
    class Scaled(Loss):
        def __init__(self, scale: float) -> None:
            self.scale = scale

    register_loss("scaled", Scaled, search_space={"scale": (0.1, 10.0, "log")})
    assert loss_param_grid("scaled", n_values=1) == [{"loss": ["scaled"], "loss__scale": [1.0]}]


@pytest.mark.parametrize("n_values", [0, -1, 2.5, True, "3"])
def test_a_grid_needs_a_positive_number_of_values(n_values: Any) -> None:
    with pytest.raises(ValueError, match=f"n_values={n_values!r}: expected an int of at least 1"):
        loss_param_grid("focal", n_values=n_values)


def test_a_trial_chooses_a_loss_for_each_prefix() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    pairs = set()
    for _ in range(20):
        trial = study.ask()
        one = suggest_loss(trial, losses=["dice", "focal"], prefix="a__")
        other = suggest_loss(trial, losses=["focal", "bce"], prefix="b__")
        pairs.add((one["a__loss"], other["b__loss"]))
        gammas = [one.get("a__loss__gamma"), other.get("b__loss__gamma")]
        assert None in gammas or gammas[0] != gammas[1]
        assert {"a__loss", "b__loss"} < set(trial.params)
    assert len(pairs) == 4


@pytest.fixture
def _own_loss() -> None:
    class Stepped(DiceLoss):
        pass

    register_loss("stepped", Stepped, search_space={"eps": (1, 4), "batch": [True]})


@pytest.mark.usefixtures("_own_loss")
def test_integer_ranges_stay_integers() -> None:
    (grid,) = loss_param_grid("stepped")
    assert grid["loss__eps"] == [1, 2, 4]
    samples = ParameterSampler(loss_param_distributions("stepped"), 20, random_state=0)
    assert {int(s["loss__eps"]) for s in samples} == {1, 2, 3, 4}
    trial = optuna.create_study().ask()
    assert suggest_loss(trial, losses=["stepped"])["loss__eps"] in (1, 2, 3, 4)


def test_integers_of_a_grid_are_rounded() -> None:
    register_loss("spaced", DiceLoss, search_space={"eps": (1, 1000, "log")})
    (grid,) = loss_param_grid("spaced", n_values=4)
    assert grid["loss__eps"] == [1, 10, 100, 1000]
    (grid,) = loss_param_grid("spaced", n_values=3)
    assert grid["loss__eps"] == [1, 32, 1000]  # the square root of 1000 is 31.6


def test_what_cannot_be_chosen_from_is_named() -> None:
    trial = optuna.create_study().ask()
    with pytest.raises(ValueError, match=r"pass task= or losses="):
        suggest_loss(trial)
    with pytest.raises(ValueError, match=r"Unknown task 'detection'"):
        suggest_loss(trial, "detection")
    with pytest.raises(ValueError, match=r"Unknown loss 'dise'"):
        loss_param_grid(["dise"])
    with pytest.raises(TypeError, match=r"is not a name. Give the loss a name with register_loss"):
        loss_param_distributions([DiceLoss()])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="losses is empty"):
        loss_param_grid([])


def test_grid_search_over_losses_and_their_parameters(scenes: Data) -> None:  # noqa: F811
    X, y = scenes
    grid = [{"loss": ["dice"], "loss__eps": [1e-6, 1.0]}, {"loss": ["focal"], "loss__gamma": [1.0]}]
    search = GridSearchCV(segmenter("focal", loss__gamma=3.0), grid, cv=2, error_score="raise")
    search.fit(X, y)
    assert len(search.cv_results_["params"]) == 3
    assert search.best_estimator_.loss == search.best_params_["loss"]
    assert search.predict(X).shape == y.shape


def test_randomized_search_over_losses(digits: Data) -> None:  # noqa: F811
    X, y = digits
    space = loss_param_distributions(["cross_entropy", "hinge"])
    search = RandomizedSearchCV(
        classifier(), space, n_iter=3, cv=2, random_state=0, error_score="raise"
    )
    assert search.fit(X, y).score(X, y) >= 0


@pytest.mark.slow
def test_a_grid_of_names_objects_and_functions_in_two_processes(digits: Data) -> None:  # noqa: F811
    X, y = digits
    losses = ["cross_entropy", get_loss("focal", gamma=1.0), lambda z, t: z.logsumexp(1).mean()]
    search = GridSearchCV(classifier(), {"loss": losses}, cv=2, n_jobs=2, error_score="raise")
    search.fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.slow
def test_losses_in_a_pipeline_whose_first_step_is_a_transformer(scenes: Data) -> None:  # noqa: F811
    X, y = scenes
    pipe = make_pipeline(FunctionTransformer(np.sqrt, kw_args={"where": X > 0}), segmenter())
    pipe = make_pipeline(FunctionTransformer(lambda images: images - images.mean()), segmenter())
    grid = loss_param_grid(["dice", "cross_entropy"], prefix="unetsegmenter__", n_values=1)
    search = GridSearchCV(pipe, grid, cv=2, scoring=dice_scorer, error_score="raise").fit(X, y)
    assert search.best_params_["unetsegmenter__loss"] in ("dice", "cross_entropy")
    assert 0 < search.best_score_ < 1


def test_cross_val_score_takes_our_scorers(scenes: Data) -> None:  # noqa: F811
    X, y = scenes
    scores = cross_val_score(segmenter(), X, y, cv=3, scoring=dice_scorer, error_score="raise")
    assert scores.shape == (3,)
    assert np.isfinite(scores).all()


@pytest.mark.slow
def test_a_plain_optuna_study(scenes: Data) -> None:  # noqa: F811
    X, y = scenes
    model = segmenter()

    def objective(trial: optuna.Trial) -> float:
        model.set_params(**suggest_loss(trial, losses=["dice", "focal", "dice+cross_entropy"]))
        return float(np.mean(cross_val_score(model, X, y, cv=2, error_score="raise")))

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.optimize(objective, n_trials=4)
    assert len(study.trials) == 4
    assert study.best_params["loss"] in ("dice", "focal", "dice+cross_entropy")


def test_a_flat_grid_over_unlike_losses_says_what_to_do(scenes: Data) -> None:  # noqa: F811
    X, y = scenes
    grid = {"loss": ["focal", "dice"], "loss__gamma": [1.0, 2.0]}
    with pytest.raises(ValueError, match=r"'loss__gamma' for loss 'dice'.*use a list of grids"):
        GridSearchCV(segmenter(), grid, cv=2).fit(X, y)


def test_compound_parameters_in_a_grid(scenes: Data) -> None:  # noqa: F811
    X, y = scenes
    grid = {"loss__weights__dice": [0.1, 1.0], "loss__focal__gamma": [1.0]}
    loss = CompoundLoss([DiceLoss(), get_loss("focal")])
    search = GridSearchCV(segmenter(loss), grid, cv=2, error_score="raise").fit(X, y)
    assert search.best_estimator_.loss.get_params()["focal__gamma"] == 1.0
    assert loss.weights is None


@pytest.mark.filterwarnings("ignore:.*optuna.terminator:FutureWarning")
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_optuna_s_own_search_tunes_a_loss_in_a_pipeline(digits: Data) -> None:  # noqa: F811
    OptunaSearchCV = pytest.importorskip("optuna_integration").OptunaSearchCV

    X, y = digits
    pipe = make_pipeline(FunctionTransformer(np.sqrt), classifier("focal"))
    space = {"resnetclassifier__loss__gamma": optuna.distributions.FloatDistribution(0, 5)}
    search = OptunaSearchCV(pipe, space, n_trials=2, cv=2, random_state=0).fit(X, y)
    tuned = search.best_estimator_[-1]
    assert tuned.loss_.gamma == search.best_params_["resnetclassifier__loss__gamma"]
    assert pipe[-1].get_params()["loss__gamma"] == 2.0  # the user's own is left alone
