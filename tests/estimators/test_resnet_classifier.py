from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearnloss.losses import list_losses

from .conftest import Data, classifier


@pytest.mark.slow
@pytest.mark.parametrize("loss", list_losses("classification"))
def test_every_loss_learns_digits(loss: str) -> None:
    X, y = load_digits(n_class=3, return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    model = classifier(loss, width=8, max_epochs=4, batch_size=32, image_shape=(8, 8))
    assert model.fit(X_train, y_train).score(X_test, y_test) > 0.9


@pytest.mark.slow
def test_every_layout_gives_the_same_model(digits: Data) -> None:
    X, y = digits
    expected = classifier().fit(X, y).predict_proba(X)
    layouts: list[tuple[Any, dict[str, Any]]] = [
        (X[:, None], {}),
        (X[..., None], {"channels": "last"}),
        (X.reshape(60, 64), {"image_shape": (8, 8)}),
        (X.reshape(60, 64), {"image_shape": (1, 8, 8)}),
        (X.reshape(60, 64), {"image_shape": (8, 8, 1), "channels": "last"}),
        (torch.from_numpy(X), {}),
        (X.astype(np.float64), {}),
        (X.astype(np.uint8), {}),
        (X.astype(np.uint16), {}),
        (X.astype(np.int64), {}),
        (X[:, ::-1][:, ::-1], {}),
        (pd.DataFrame(X.reshape(60, 64)), {"image_shape": (8, 8)}),
    ]
    for layout, params in layouts:
        model = classifier(**params).fit(layout, y)
        np.testing.assert_array_equal(model.predict_proba(layout), expected)


def test_memory_mapped_images_are_not_copied_or_written(digits: Data, tmp_path: Any) -> None:
    X, y = digits
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    expected = classifier().fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(classifier().fit(mapped, y).predict_proba(mapped), expected)
    np.testing.assert_array_equal(mapped, X)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(16,), (4, 4), (2, 4, 4), (2, 4, 4, 4)])
def test_signals_images_and_volumes(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(20) % 2
    X = rng.normal(size=(20, int(np.prod(shape)))) + 5 * y[:, None]
    model = classifier(image_shape=shape, normalize=None, max_epochs=15, batch_size=4, lr=0.01)
    assert model.fit(X, y).score(X, y) > 0.9
    assert model.module_.get_parameter("conv1.weight").ndim == 2 + max(
        len(shape) - (len(shape) > 2), 1
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "names",
    [
        np.array(["ant", "bee", "cat"]),
        np.array([10, -3, 7]),
        np.array([0.5, 1.0, 2.0]).astype("U"),
        pd.array(["ant", "bee", "cat"], dtype="category"),
    ],
)
def test_predictions_speak_the_user_s_labels(names: Any, digits: Data) -> None:
    X, y = digits
    model = classifier(max_epochs=10, width=8, lr=0.01).fit(X, names[y])
    assert set(model.predict(X)) == set(names)
    assert model.classes_.tolist() == sorted(names)
    assert model.score(X, names[y]) > 0.9


def test_boolean_labels(digits: Data) -> None:
    X, y = digits
    model = classifier().fit(X, y > 0)
    assert model.classes_.tolist() == [False, True]
    assert model.predict(X).dtype == bool


def test_probabilities_are_probabilities_whatever_the_loss(digits: Data) -> None:
    X, y = digits
    for loss in ("cross_entropy", "hinge", "bce", "bce+focal"):
        model = classifier(loss).fit(X, y)
        proba = model.predict_proba(X)
        assert proba.dtype == np.float64
        np.testing.assert_allclose(proba.sum(1), 1, rtol=1e-12)
        assert (proba >= 0).all()
        np.testing.assert_array_equal(model.classes_[proba.argmax(1)], model.predict(X))
    logits = torch.from_numpy(classifier("bce").fit(X, y).decision_function(X)).double()
    expected = logits.sigmoid() / logits.sigmoid().sum(1, keepdim=True)
    np.testing.assert_allclose(classifier("bce").fit(X, y).predict_proba(X), expected)


def test_decision_function_is_the_network_s_scores(digits: Data) -> None:
    X, y = digits
    model = classifier(normalize=None).fit(X, y)
    with torch.no_grad():
        logits = model.module_.eval()(torch.from_numpy(X)[:, None])
    np.testing.assert_allclose(model.decision_function(X), logits, rtol=1e-4, atol=1e-5)
    two = classifier(normalize=None).fit(X, y > 0)
    scores = two.decision_function(X)
    assert scores.shape == (60,)
    np.testing.assert_array_equal(scores > 0, two.predict(X))


def test_classes_that_a_fold_lacks_have_a_column(digits: Data) -> None:
    X, y = digits
    model = classifier(classes=[0, 1, 2, 9]).fit(X[y != 1], y[y != 1])
    assert model.predict_proba(X).shape == (60, 4)
    assert model.classes_.tolist() == [0, 1, 2, 9]


def test_balanced_class_weights_become_the_loss_s_own(digits: Data) -> None:
    X, y = digits
    few = np.concatenate([np.flatnonzero(y == 0)[:2], np.flatnonzero(y > 0)])
    model = classifier(class_weight="balanced").fit(X[few], y[few])
    counts = np.bincount(y[few])
    np.testing.assert_allclose(model.loss_.class_weight, counts.sum() / (3 * counts), rtol=1e-6)
    model = classifier("focal", class_weight={0: 5.0}).fit(X, y)
    assert model.loss_.alpha.tolist() == [5.0, 1.0, 1.0]


def test_class_weights_weigh_samples_where_the_loss_has_none(digits: Data) -> None:
    X, y = digits
    weight = np.where(y == 0, 5.0, 1.0)
    for loss in ("hinge", torch.nn.MultiMarginLoss()):
        weighted = classifier(loss, class_weight={0: 5.0}).fit(X, y)
        expected = classifier(loss).fit(X, y, sample_weight=weight)
        np.testing.assert_array_equal(weighted.predict_proba(X), expected.predict_proba(X))


def test_class_weights_equal_sample_weights(digits: Data) -> None:
    X, y = digits
    by_class = classifier(class_weight={0: 5.0}).fit(X, y)
    by_sample = classifier().fit(X, y, sample_weight=np.where(y == 0, 5.0, 1.0))
    np.testing.assert_allclose(by_class.predict_proba(X), by_sample.predict_proba(X), rtol=1e-4)


def test_string_labels_in_class_weight(digits: Data) -> None:
    X, y = digits
    names = np.array(["ant", "bee", "cat"])[y]
    model = classifier(class_weight={"bee": 2.0}).fit(X, names)
    assert model.loss_.class_weight.tolist() == [1.0, 2.0, 1.0]


def test_weight_zero_is_as_good_as_absent(digits: Data) -> None:
    X, y = digits
    model = classifier(max_epochs=10, width=8, lr=0.01).fit(
        X, y, sample_weight=(y != 1).astype(float)
    )
    assert 1 not in model.predict(X)


def test_same_seed_same_model_other_seed_other_model(digits: Data) -> None:
    X, y = digits
    first = classifier(random_state=3).fit(X, y).predict_proba(X)
    torch.manual_seed(99)
    np.testing.assert_array_equal(classifier(random_state=3).fit(X, y).predict_proba(X), first)
    assert (classifier(random_state=4).fit(X, y).predict_proba(X) != first).any()
    state = torch.random.get_rng_state()
    classifier().fit(X, y)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.slow
def test_fitted_models_pickle(digits: Data) -> None:
    X, y = digits
    model = classifier("focal+1e-4*l2").fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.partial_fit(X, y).n_iter_ == 2
    larger = classifier("focal+1e-4*l2").fit(np.tile(X, (9, 1, 1)), np.tile(y, 9))
    assert len(pickle.dumps(larger)) < 1.1 * len(pickle.dumps(model))


def test_labels_of_images_like_columns_warn(digits: Data) -> None:
    X, y = digits
    with pytest.warns(UserWarning, match="column-vector y was passed"):
        classifier().fit(X, y[:, None])


def test_channels_that_look_last_are_pointed_out() -> None:
    X = np.zeros((4, 8, 8, 3), np.float32)
    with pytest.warns(UserWarning, match="set channels='last'"):
        classifier().fit(X, [0, 1, 0, 1])


@pytest.mark.cuda
def test_cuda_gives_what_the_cpu_gives(digits: Data) -> None:
    X, y = digits
    on_gpu = classifier(device="cuda", precision="float32").fit(X, y)
    on_cpu = classifier(device="cpu").fit(X, y)
    np.testing.assert_allclose(on_gpu.predict_proba(X), on_cpu.predict_proba(X), atol=1e-2)
    assert on_gpu.module_.get_parameter("fc.weight").is_cuda
    pickle.loads(pickle.dumps(on_gpu)).predict(X)
