from __future__ import annotations

import pytest
from sklearn.pipeline import make_pipeline

from sklearnloss import LossSearchCV, ResNetClassifier, UNetSegmenter, compare_losses
from sklearnloss.datasets import load_nuclei
from sklearnloss.metrics import dice_score, dice_scorer, iou_scorer
from sklearnloss.metrics._named import named_scorers
from sklearnloss.metrics._scorers import NAMED


def test_our_names_stand_beside_scikit_learns() -> None:
    assert named_scorers("dice") is dice_scorer
    assert named_scorers("accuracy") == "accuracy"
    assert named_scorers(["dice", "iou"]) == {"dice": dice_scorer, "iou": iou_scorer}
    assert named_scorers(["accuracy", "f1_macro"]) == ["accuracy", "f1_macro"]
    assert named_scorers({"a": "iou", "b": dice_score}) == {"a": iou_scorer, "b": dice_score}
    assert named_scorers(None) is None
    assert named_scorers(dice_score) is dice_score


@pytest.mark.parametrize("scoring", ["dise", ["iou", "dise"], {"a": "dise"}, ["accuracy", "dise"]])
def test_the_nearest_name_is_said(scoring: object) -> None:
    with pytest.raises(ValueError, match=r"scoring='dise' is unknown.*'dice'.*Did you mean 'dice'"):
        named_scorers(scoring)


@pytest.mark.parametrize("scoring", ["accuracy", ["accuracy", "dice"], {"a": "accuracy"}])
def test_scores_of_labels_are_refused_for_masks(scoring: object) -> None:
    message = r"scoring='accuracy' scores one label per image, but UNetSegmenter .*'dice', 'iou'"
    for model in (UNetSegmenter(), make_pipeline("passthrough", UNetSegmenter())):
        with pytest.raises(ValueError, match=message):
            named_scorers(scoring, model)
        with pytest.raises(ValueError, match=message):
            LossSearchCV(model, ["dice"], scoring=scoring).fit([[1]], [[1]])
        with pytest.raises(ValueError, match=message):
            compare_losses(model, ["dice", "bce"], [[1]] * 4, [[1]] * 4, scoring=scoring)
    assert named_scorers(scoring, ResNetClassifier()) == named_scorers(scoring)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMED if name != "calibration"])
def test_searches_and_comparisons_take_the_names(name: str) -> None:
    X, y, _ = load_nuclei(tile=128, border=False)
    X, y = X[:4], y[:4]
    model = UNetSegmenter(width=2, depth=1, max_epochs=1, random_state=0)
    search = LossSearchCV(model, ["dice"], n_trials=1, cv=2, scoring=name, random_state=0).fit(X, y)
    assert search.get_params()["scoring"] == name
    assert search.scorer_ is NAMED[name]
    comparison = compare_losses(model, ["dice", "bce"], X, y, cv=2, scoring=name, per_image=False)
    assert comparison.scores_.shape == (2, 2, 1)


def test_several_metrics_by_name() -> None:
    X, y, _ = load_nuclei(tile=128, border=False)
    model = UNetSegmenter(width=2, depth=1, max_epochs=1)
    scoring = ["dice", "iou"]
    search = LossSearchCV(model, ["bce"], n_trials=1, cv=2, scoring=scoring, refit="dice")
    search.fit(X[:4], y[:4])
    assert {"mean_test_dice", "mean_test_iou"} <= set(search.cv_results_)


def test_an_unknown_name_is_refused_before_anything_is_trained() -> None:
    search = LossSearchCV(UNetSegmenter(), ["dice"], scoring="dise")
    with pytest.raises(ValueError, match="Did you mean 'dice'"):
        search.fit([[1]], [[1]])
