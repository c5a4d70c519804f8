from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from sklearn.base import is_classifier
from sklearn.exceptions import NotFittedError

from sklearnloss import UNetSegmenter, load, predict_files
from sklearnloss.estimators import LossEnsemble
from sklearnloss.estimators._persistence.half_precision import round_weights
from sklearnloss.metrics import dice_score, iou_score, make_mask_scorer

from .conftest import Data, classifier, segmenter

WEIGHTS = [2.0, 1.0]


def data(kind: str, scenes: Data, digits: Data) -> Data:
    X, y = scenes
    if kind == "classifier":
        return digits[0], np.array(["zero", "one", "two"])[digits[1]]
    if kind == "binary":
        return X, (y > 0).astype(np.uint8)
    if kind == "multilabel":
        return X, np.stack([y == 1, y > 0], 1).astype(np.uint8) * 255
    return X, y


KINDS = ["masks", "binary", "multilabel", "classifier"]


@pytest.fixture(scope="module", params=KINDS)
def case(request: Any, scenes: Data, digits: Data) -> tuple[LossEnsemble, Any, Any]:
    """Two models of different losses, and what they were fitted on."""
    kind = request.param
    X, y = data(kind, scenes, digits)
    # One with a sigmoid, one with a softmax where classes exclude each other.
    losses = ["bce", "dice" if kind == "multilabel" else "cross_entropy"]
    options = {} if kind == "classifier" else {"multilabel": kind == "multilabel", "width": 2}
    make: Any = classifier if kind == "classifier" else segmenter
    models = [make(losses[0], **options), make(losses[1], normalize=None, **options)]
    return LossEnsemble([model.fit(X, y) for model in models], WEIGHTS).fit(), X, y


def test_probabilities_are_averaged_whatever_scaling_and_loss(case: Any) -> None:
    ensemble, X, y = case
    first, second = (model.predict_proba(X) for model in ensemble.models)
    average = (2 * first + second) / 3
    np.testing.assert_allclose(ensemble.predict_proba(X), average, atol=2e-6)
    labels = ensemble.predict(X)
    assert labels.dtype == ensemble.models[0].predict(X).dtype
    if getattr(ensemble.models[0], "multilabel", False):
        assert (labels == np.where(average > 0.5, 255, 0)).all()
    else:
        assert (labels == ensemble.classes_[average.argmax(1)]).all()
    score = ensemble.score(X, y)
    multilabel = labels.ndim == y.ndim == 4
    expected = (
        float((labels == y).mean())
        if y.ndim == 1
        else iou_score(y > 0, labels > 0, multilabel=True)
        if multilabel
        else iou_score(y, labels)
    )
    assert score == pytest.approx(expected)


def test_the_disagreement_is_the_weight_of_models_that_decide_otherwise(case: Any) -> None:
    ensemble, X, _ = case
    first, second = (model.predict(X) for model in ensemble.models)
    labels = ensemble.predict(X)
    expected = ((first != labels) * 2 + (second != labels)) / 3
    np.testing.assert_allclose(ensemble.disagreement(X), expected, atol=1e-6)
    assert 0 < expected.mean() < 1
    alone = LossEnsemble([ensemble.models[0]] * 3).fit()
    assert (alone.disagreement(X) == 0).all()


def test_a_saved_ensemble_and_a_pickled_one_predict_the_same(case: Any, tmp_path: Path) -> None:
    ensemble, X, _ = case
    expected = ensemble.predict_proba(X)
    ensemble.save(tmp_path / "e.safetensors")
    again = load(tmp_path / "e.safetensors")
    assert isinstance(again, LossEnsemble)
    assert (again.predict_proba(X) == expected).all()
    assert (again.disagreement(X) == ensemble.disagreement(X)).all()
    assert again.members_[1]["label"] == ensemble.members_[1]["label"]
    assert [m["weight"] for m in again.members_] == pytest.approx([2 / 3, 1 / 3])
    assert (pickle.loads(pickle.dumps(ensemble)).predict_proba(X) == expected).all()


def test_it_is_scored_like_its_models(case: Any) -> None:
    ensemble, X, y = case
    assert is_classifier(ensemble) == is_classifier(ensemble.models[0])
    if y.ndim > 1:
        scorer = make_mask_scorer(dice_score)
        multilabel = y.ndim == 4
        labels = ensemble.predict(X)
        expected = dice_score(y, labels, multilabel=multilabel)
        assert scorer(ensemble, X, y) == pytest.approx(expected)


def test_it_predicts_files(case: Any, tmp_path: Path) -> None:
    ensemble, X, _ = case
    np.save(tmp_path / "image.npy", X[0])
    (row,) = predict_files(ensemble, tmp_path / "image.npy")
    if "mask" in row:
        assert (row["mask"] == ensemble.predict(X[:1])[0]).all()
    else:
        assert row["label"] == ensemble.predict(X[:1])[0]


def test_weights_that_half_precision_holds_take_half_the_space(
    scenes: Data, tmp_path: Path
) -> None:
    model = segmenter().fit(*scenes)
    round_weights(model.net_.module_)
    expected = model.predict_proba(scenes[0])
    LossEnsemble([model]).fit().save(tmp_path / "half.safetensors")
    with safe_open(tmp_path / "half.safetensors", "pt") as file:
        dtypes = {name: file.get_tensor(name).dtype for name in file.keys()}  # noqa: SIM118
    weights = [n for n, p in model.module_.named_parameters() if p.ndim > 1]
    assert weights
    assert all(dtypes[f"0.network.{name}"] == torch.float16 for name in weights)
    assert (
        load(tmp_path / "half.safetensors").models[0].predict_proba(scenes[0]) == expected
    ).all()


def test_numbers_too_large_for_half_precision_stay(scenes: Data) -> None:
    module = torch.nn.Linear(2, 2)
    module.weight.data.fill_(1e6)
    module.bias.data.fill_(1 / 3)
    round_weights(module)
    assert module.weight.tolist() == [[1e6, 1e6], [1e6, 1e6]]
    assert module.bias.tolist() == [np.float32(1 / 3)] * 2


def test_a_model_that_does_not_know_a_class_gives_it_no_probability(scenes: Data) -> None:
    X, y = scenes
    models = [segmenter(width=2).fit(X, y), segmenter(width=2).fit(X, np.minimum(y, 1))]
    ensemble = LossEnsemble(models).fit()
    expected = models[0].predict_proba(X)
    expected[:, :2] += models[1].predict_proba(X)
    np.testing.assert_allclose(ensemble.predict_proba(X), expected / 2, atol=1e-6)


def test_a_damaged_file_is_refused(scenes: Data, tmp_path: Path) -> None:
    path = tmp_path / "e.safetensors"
    LossEnsemble([segmenter(width=2).fit(*scenes)]).fit().save(path)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match="its checksum is wrong"):
        load(path)
    with pytest.raises(ValueError, match="Cannot load"):
        UNetSegmenter.load(path)


def test_what_cannot_be_averaged_is_refused(scenes: Data, digits: Data) -> None:
    one = segmenter(width=2).fit(*scenes)
    tiled = segmenter(width=2, tile=8).fit(*scenes)
    other = classifier(width=2).fit(*digits)
    for models, weights, error, match in [
        ([], None, ValueError, "at least one fitted estimator"),
        ([one, "dice"], None, TypeError, "holds a str"),
        ([segmenter()], None, NotFittedError, "not fitted"),
        ([one, other], None, ValueError, "only classifiers, or only segmenters"),
        ([one, tiled], None, ValueError, "tile=None and tile=8"),
        ([one, one], [1.0], ValueError, "positive number for each of 2 models"),
        ([one], [0.0], ValueError, "positive number"),
    ]:
        with pytest.raises(error, match=match):
            LossEnsemble(models, weights).fit()
    with pytest.raises(NotFittedError, match=r"Call fit\(\) first"):
        LossEnsemble([one]).predict(scenes[0])
