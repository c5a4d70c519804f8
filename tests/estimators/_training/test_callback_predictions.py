"""What the net predicts during training, for scoring callbacks and for users' own."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss, make_scorer, roc_auc_score
from skorch.callbacks import BatchScoring, Callback, EpochScoring
from torch.nn import functional as F

from sklearnloss.metrics import dice_score, dice_scorer, iou_score, iou_scorer

from ..conftest import Data, classifier, segmenter


class Asks(Callback):  # type: ignore[misc]
    """Asks the net for predictions at the end of each epoch."""

    def __init__(self, question: Any) -> None:
        self.question = question
        self.answers: list[Any] = []

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self.answers.append(self.question(net))


def held_out(model: Any, X: Any, y: Any) -> tuple[Any, Any]:
    """Return what early stopping held out."""
    seed = int(np.random.RandomState(model.random_state).randint(2**31 - 1))
    rows = model._split(model._read_training(X, y, None, again=True), seed)[1]
    return X[rows], y[rows]


def scored(model: Any, scoring: Any, X: Any, y: Any, kind: Any = EpochScoring) -> tuple[Any, float]:
    """Return a model after one epoch, and the score of what was held out."""
    callback = kind(scoring, name="score", lower_is_better=False)
    model.set_params(callbacks=[callback], early_stopping=True, validation_fraction=0.4)
    score = model.fit(X, y).history_[-1, "score"]
    return model, score


def test_scores_of_probabilities(digits: Data) -> None:
    X, y = digits
    labels = np.array(["a", "b", "c"])[y]
    for name, metric in {
        "neg_log_loss": lambda y, p: -log_loss(y, p),
        "roc_auc_ovr": lambda y, p: roc_auc_score(y, p, multi_class="ovr"),
    }.items():
        model, score = scored(classifier("brier"), name, X, labels)
        X_valid, y_valid = held_out(model, X, labels)
        assert score == pytest.approx(metric(y_valid, model.predict_proba(X_valid)), rel=1e-4)


def test_scores_of_probabilities_after_sigmoid_losses(digits: Data) -> None:
    X, y = digits
    model, score = scored(classifier("bce"), "neg_log_loss", X, y)
    X_valid, y_valid = held_out(model, X, y)
    expected = -log_loss(y_valid, model.predict_proba(X_valid))
    assert score == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ["roc_auc", "average_precision", "neg_brier_score", "f1"])
def test_scores_of_two_classes(name: str, digits: Data) -> None:
    X, y = digits[0], (digits[1] > 0).astype(int)
    _, score = scored(classifier(), name, X, y)
    assert np.isfinite(score)


@pytest.mark.parametrize("kind", [EpochScoring, BatchScoring])
def test_the_score_by_default_is_the_estimators(kind: Any, digits: Data, scenes: Data) -> None:
    for model, (X, y) in ((classifier(), digits), (segmenter(), scenes)):
        model.set_params(batch_size=100)
        fitted, score = scored(model, None, X, y, kind)
        assert score == pytest.approx(fitted.score(*held_out(fitted, X, y)), rel=1e-4)


@pytest.mark.parametrize("use_caching", [True, False])
def test_scores_of_batches(use_caching: bool, digits: Data) -> None:
    X, y = digits
    scoring = BatchScoring("accuracy", name="score", use_caching=use_caching)
    model = classifier(callbacks=[scoring], early_stopping=True, validation_fraction=0.4)
    weight = np.ones(len(X))
    score = model.fit(X, y, sample_weight=weight).history_[-1, "score"]
    X_valid, y_valid = held_out(model, X, y)
    assert score == pytest.approx(accuracy_score(y_valid, model.predict(X_valid)))


def test_scores_of_masks(scenes: Data, binary_scenes: Data) -> None:
    for X, y in (scenes, binary_scenes):
        model, score = scored(segmenter(), iou_scorer, X, y)
        X_valid, y_valid = held_out(model, X, y)
        assert score == pytest.approx(iou_score(y_valid, model.predict(X_valid)))


@pytest.mark.parametrize("n_labels", [1, 2])
def test_scores_of_multilabel_masks(n_labels: int, scenes: Data) -> None:
    X, y = scenes
    masks = np.stack([y == 1, y == 2], 1)[:, :n_labels].astype(np.uint8) * 255
    scorer = make_scorer(dice_score, multilabel=True)
    model, score = scored(segmenter(multilabel=True), scorer, X, masks)
    X_valid, y_valid = held_out(model, X, masks)
    expected = dice_score(y_valid > 0, model.predict(X_valid) > 0, multilabel=True)
    assert score == pytest.approx(expected)


def test_scorers_are_told_what_masks_mean(scenes: Data) -> None:
    X, y = scenes
    seen: list[Any] = []

    def spy(net: Any, dataset: Any, codes: np.ndarray) -> float:
        seen.append((net.ignore_index, net.multilabel, np.unique(codes).tolist()))
        return 0.0

    masks = np.where(y == 2, 99, y + 5)
    scored(segmenter(ignore_index=99), spy, X, masks)
    assert seen == [(255, False, [0, 1, 255])]
    _, score = scored(segmenter(ignore_index=99), None, X, masks)
    assert 0 < score <= 1


@pytest.mark.parametrize("layout", ["first", "last", "rows"])
def test_other_images_are_predicted_as_by_the_estimator(layout: str, digits: Data) -> None:
    X, y = digits
    X = 1000 + 9 * X  # in need of scaling
    labels = np.array(["zero", "one", "two"])[y]
    params: dict[str, Any] = {"image_shape": (8, 8)} if layout == "rows" else {}
    if layout == "rows":
        X = X.reshape(len(X), -1)
    elif layout == "last":
        X, params = np.stack([X, X[:, ::-1]], -1), {"channels": "last"}
    asks = Asks(
        lambda net: (
            net.predict(X[:7]),
            net.predict_proba(X[:7]),
            net.forward(X[:7]),
            net.score(X[:7], labels[:7]),
        )
    )
    model = classifier(**params, callbacks=[asks]).fit(X, labels)
    ((predicted, proba, logits, score),) = dict(model.net_.callbacks_)["Asks"].answers
    np.testing.assert_array_equal(predicted, model.predict(X[:7]))
    np.testing.assert_array_equal(proba, model.predict_proba(X[:7]))
    expected = model.decision_function(X[:7])
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-4)
    assert score == model.score(X[:7], labels[:7])


def test_asking_for_predictions_leaves_the_training_as_it_is(scenes: Data) -> None:
    X, y = scenes
    asks = [
        Asks(lambda net: (net.predict(X[:2]), net.forward(list(X[:2]), training=False))),
        BatchScoring(
            lambda net, _, codes: float(net.predict(X[:1]).mean()), on_train=True, name="a"
        ),
    ]
    settings: dict[str, Any] = {"norm": "batch", "max_epochs": 2, "augment": "flip"}
    alone = segmenter(**settings).fit(X, y)
    asked = segmenter(**settings, callbacks=asks).fit(X, y)
    for name, tensor in alone.module_.state_dict().items():
        assert torch.equal(tensor, asked.module_.state_dict()[name])


def test_images_in_a_scoring_function_are_not_taken_for_the_batch(digits: Data) -> None:
    X, y = digits

    def outside(net: Any, dataset: Any, codes: Any) -> float:
        return float((net.predict(X[:20]) == y[:20]).mean())

    scoring = EpochScoring(outside, on_train=True, name="score")
    model = classifier(callbacks=[scoring]).fit(X, y)
    assert model.history_[-1, "score"] == model.score(X[:20], y[:20])


def test_forward_keeps_the_order_of_images(digits: Data) -> None:
    X, _ = digits
    asks = Asks(lambda net: (net.forward(X, training=True), net.forward(X)))
    model = classifier(callbacks=[asks], augment="flip", lr=1e-9).fit(*digits)
    ((trained, evaluated),) = dict(model.net_.callbacks_)["Asks"].answers
    alike = F.cosine_similarity(trained - trained.mean(0), evaluated - evaluated.mean(0))
    assert alike.mean() > 0.5


@pytest.mark.parametrize("method", ["predict", "predict_proba", "forward"])
def test_the_net_alone_refers_to_the_estimator(method: str, digits: Data) -> None:
    X, y = digits
    copies: list[Any] = []
    model = classifier(callbacks=[Asks(lambda net: copies.append(copy.deepcopy(net)))]).fit(X, y)
    for net in (model.net_, *copies):
        with pytest.raises(RuntimeError, match="in callbacks only.*Use the estimator's predict"):
            getattr(net, method)(X)
    assert torch.equal(copies[0].module_.fc.weight, model.module_.fc.weight)


def test_scorers_ask_nets_of_all_kinds(binary_scenes: Data) -> None:
    model, score = scored(segmenter("cross_entropy"), dice_scorer, *binary_scenes)
    assert model.net_.n_channels_ == 2
    X_valid, y_valid = held_out(model, *binary_scenes)
    assert score == pytest.approx(dice_score(y_valid, model.predict(X_valid)))
