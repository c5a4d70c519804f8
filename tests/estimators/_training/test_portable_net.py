"""Pickles of fitted estimators are small, plain, and load where there is no GPU."""

from __future__ import annotations

import copy
import io
import pickle
import pickletools
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from skorch.callbacks import Freezer
from torch import nn

from sklearnloss.estimators._training.criterion import Criterion
from sklearnloss.estimators._training.net import LossNet
from sklearnloss.estimators._training.optimizers import available_device
from sklearnloss.estimators._training.portable_net import (
    as_arrays,
    as_tensors,
    is_elsewhere,
    module_on_cpu,
    on_cpu,
)
from sklearnloss.estimators._training.warm_start import _move
from sklearnloss.losses import CompoundLoss, CrossEntropyLoss, DiceLoss, FocalLoss, L2Penalty
from sklearnloss.networks import ResNet

from ..conftest import Data, classifier, segmenter

LOSSES: list[Any] = [
    "cross_entropy",
    "dice+ldam+1e-4*l2",
    DiceLoss() + 1e-4 * L2Penalty(),
    nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 3.0])),
]


def inverted(images: torch.Tensor) -> torch.Tensor:
    return -images


def pickled(model: Any) -> Any:
    return pickle.loads(pickle.dumps(model))


def joblibbed(model: Any) -> Any:
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


@pytest.mark.slow
@pytest.mark.parametrize("copied", [pickled, joblibbed, copy.deepcopy])
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_a_copy_predicts_and_trains_on_bit_for_bit(loss: Any, copied: Any, digits: Data) -> None:
    X, y = digits
    model = classifier(loss, augment="noise", max_epochs=2).fit(X, y)
    again = copied(model)
    assert vars(again).keys() == vars(model).keys()
    assert again.loss_ is again.net_.criterion_.loss
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    for _ in range(2):
        model.partial_fit(X, y)
        again.partial_fit(X, y)
        np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert list(again.history_[:, "train_loss"]) == list(model.history_[:, "train_loss"])


def test_a_segmenter_is_pickled(scenes: Data) -> None:
    X, y = scenes
    model = segmenter(early_stopping=True, optimizer="sgd").fit(X, y)
    again = pickled(model)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(
        again.partial_fit(X, y).predict_proba(X), model.partial_fit(X, y).predict_proba(X)
    )


def test_an_unfitted_estimator_is_pickled(digits: Data) -> None:
    model = classifier(DiceLoss())
    again = pickled(model)
    assert not hasattr(again, "loss_")
    np.testing.assert_array_equal(
        again.fit(*digits).predict(digits[0]), model.fit(*digits).predict(digits[0])
    )


def test_pickling_leaves_the_model_as_it_is(digits: Data) -> None:
    model = classifier("dice+1e-4*l2").fit(*digits)
    before = {name: id(value) for name, value in vars(model).items()}
    module = model.module_
    pickle.dumps(model)
    assert {name: id(value) for name, value in vars(model).items()} == before
    assert model.module_ is module
    model.partial_fit(*digits)


def test_unpickling_draws_no_random_numbers(digits: Data) -> None:
    content = pickle.dumps(classifier().fit(*digits))
    state = torch.get_rng_state()
    pickle.loads(content)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.slow
def test_another_process_predicts_the_same(digits: Data, tmp_path: Path) -> None:
    X, y = digits
    model = classifier().fit(X, y)
    joblib.dump((model, X), tmp_path / "model.joblib")
    code = (
        "import sys, joblib\n"
        "model, X = joblib.load(sys.argv[1], mmap_mode='r')\n"
        "sys.stdout.write(model.predict_proba(X).tobytes().hex())\n"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(tmp_path / "model.joblib")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == model.predict_proba(X).tobytes().hex()


def test_a_pickle_holds_no_training_data_and_weights_once(digits: Data) -> None:
    X, y = digits
    sizes = []
    for repeats in (1, 8):
        model = classifier(batch_size=10_000, optimizer="sgd", early_stopping=True)
        model.fit(np.tile(X, (repeats, 1, 1)), np.tile(y, repeats))
        sizes.append(len(pickle.dumps(model)))
    assert abs(sizes[1] - sizes[0]) < 500
    weights = sum(value.nbytes for value in model.module_.state_dict().values())
    assert sizes[0] < 2 * weights + 100_000  # the weights and the momentum


def test_a_pickle_holds_plain_arrays_and_no_other_pickle(digits: Data) -> None:
    def texts(value: Any) -> set[Any]:
        found = {value for _, value, _ in pickletools.genops(pickle.dumps(value))}
        return {text for text in found if isinstance(text, str)}

    within = {"_load_from_bytes", "__cuda_dependent_attributes__"}  # torch's way, and skorch's
    assert texts(torch.zeros(1)) & within == {"_load_from_bytes"}
    model = classifier("dice+focal+1e-4*l2", early_stopping=True).fit(*digits)
    assert not texts(model) & within


def test_frozen_weights_and_the_mode_of_training_are_kept(digits: Data) -> None:
    model = classifier(callbacks=[Freezer("conv1.*")]).fit(*digits)
    again = pickled(model)
    for (name, ours), (_, theirs) in zip(
        again.module_.named_parameters(), model.module_.named_parameters(), strict=True
    ):
        assert ours.requires_grad == theirs.requires_grad == (name != "conv1.weight")
    assert again.module_.training == model.module_.training
    model.module_.eval()
    assert not pickled(model).module_.training


def test_a_network_of_ones_own_is_pickled_whole(digits: Data) -> None:
    X, y = digits
    model = classifier().fit(X, y)
    for network in (
        nn.Sequential(nn.Flatten(), nn.Linear(64, 3)),
        ResNet(1, 3, width=2, stem="small"),
    ):
        model.net_.module_ = network
        model.net_.initialize_optimizer()
        np.testing.assert_array_equal(pickled(model).predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(
    ("device", "gpus", "expected"),
    [
        ("auto", 0, "cpu"),
        ("cuda", 0, "cpu"),
        (torch.device("cuda:1"), 0, "cpu"),
        ("cpu", 2, "cpu"),
        ("auto", 2, "cuda"),
        ("cuda:1", 2, "cuda:1"),
        ("cuda:1", 1, "cuda"),
    ],
)
def test_the_nearest_device_is_taken(
    device: Any, gpus: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    assert str(available_device(device)) == expected


def test_a_net_of_a_gpu_that_is_not_there_is_on_the_cpu(
    digits: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = digits
    model = classifier().fit(X, y)
    expected = model.predict_proba(X)
    model.net_.device, model.net_.autocast_ = "cuda:1", torch.bfloat16
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    again = pickled(model)
    assert again.net_.device == "cpu"
    assert again.net_.autocast_ is None
    np.testing.assert_array_equal(again.predict_proba(X), expected)


@pytest.mark.parametrize("device", ["mps", "xpu", "hpu"])
def test_a_net_of_a_device_that_is_not_there_is_on_the_cpu(device: str, digits: Data) -> None:
    if getattr(getattr(torch, device, None), "is_available", bool)():
        pytest.skip("it is there")
    X, y = digits
    model = classifier().fit(X, y)
    expected = model.predict_proba(X)
    model.net_.device = device
    again = pickled(model)
    assert again.net_.device == "cpu"
    np.testing.assert_array_equal(again.predict_proba(X), expected)


def test_an_augmentation_is_not_in_the_pickle_of_the_net(digits: Data) -> None:
    model = classifier(augment=inverted).fit(*digits)
    again = pickled(model)
    assert again.net_.augment_ is None
    np.testing.assert_array_equal(
        again.partial_fit(*digits).predict_proba(digits[0]),
        model.partial_fit(*digits).predict_proba(digits[0]),
    )


def test_penalties_know_their_network_again(digits: Data) -> None:
    again = pickled(classifier("cross_entropy+1e-4*l2").fit(*digits))
    (_, penalty) = again.loss_.members
    expected = sum(p.square().sum().item() for p in again.module_.parameters() if p.ndim > 1)
    assert penalty.loss().item() == pytest.approx(expected, rel=1e-5)


def test_arrays_and_tensors_replace_each_other() -> None:
    state: dict[str, Any] = {
        "step": torch.tensor(3.0),
        "list": [torch.arange(2), (torch.ones(1, 2), None)],
        "half": torch.tensor([1.5], dtype=torch.bfloat16),
        "name": "adam",
    }
    arrays = as_arrays(state)
    assert isinstance(arrays["list"][1][0], np.ndarray)
    again = as_tensors(arrays)
    assert torch.equal(again["step"], state["step"])
    assert torch.equal(again["list"][1][0], torch.ones(1, 2))
    assert torch.equal(again["half"], state["half"])
    assert again["name"] == "adam"
    arrays["list"][0][0] = 7
    assert state["list"][0][0] == 0  # no memory is shared


@pytest.mark.parametrize(
    "value",
    [
        torch.ones(2),
        {"weight": torch.ones(2)},
        [torch.ones(2), "text"],
        (DiceLoss(), 3),
        DiceLoss() + 0.5 * CrossEntropyLoss(class_weight=torch.ones(2)),
        nn.CrossEntropyLoss(torch.ones(2)),
        "text",
        None,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_on_the_cpu_stays_the_same_object(value: Any) -> None:
    assert on_cpu(value) is value


def test_a_tensor_elsewhere_is_found_wherever_it_is() -> None:
    there = torch.ones(2, device="meta")
    for value in (
        CrossEntropyLoss(class_weight=there),
        DiceLoss() + nn.CrossEntropyLoss(there),
        CompoundLoss([DiceLoss(), DiceLoss()], weights=[1.0, there[0]]),
        {"weights": [1, (there,)]},
    ):
        assert is_elsewhere(value)


def test_a_moved_sum_of_losses_has_its_members_once() -> None:
    loss = CompoundLoss([CrossEntropyLoss(class_weight=torch.ones(2)), ("b", DiceLoss())])
    moved = module_on_cpu(loss)
    assert repr(moved) == repr(loss)
    assert moved.losses[0] is moved._members[0]
    assert moved.losses[1][1] is moved._members[1]
    assert moved.losses[0] is not loss.losses[0]


def test_a_net_before_its_initialisation_is_pickled() -> None:
    net = pickled(LossNet(ResNet, Criterion, criterion__loss=DiceLoss(), module__n_classes=2))
    assert not net.initialized_
    assert net.module__n_classes == 2


@pytest.mark.cuda
def test_every_tensor_of_a_loss_leaves_the_gpu() -> None:
    weight = torch.ones(2, device="cuda")
    loss: Any = CompoundLoss(
        [CrossEntropyLoss(class_weight=weight), ("torch", nn.CrossEntropyLoss(weight))],
        weights=[weight[0], 1.0],
    )
    moved = on_cpu({"loss": loss, "weights": [weight], "pair": (weight, 1)})
    first, second = moved["loss"].members
    assert first.loss.class_weight.device.type == "cpu"
    assert second.loss.weight.device.type == "cpu"
    assert first.weight.device.type == "cpu"
    assert moved["loss"].losses[0] is moved["loss"]._members[0]
    assert moved["weights"][0].device.type == moved["pair"][0].device.type == "cpu"
    assert loss.members[0].loss.class_weight.is_cuda  # the user's own stays


@pytest.mark.cuda
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_a_model_from_a_gpu_goes_back_to_it_or_to_the_cpu(loss: Any, digits: Data) -> None:
    X, y = digits
    model = classifier(loss, device="cuda", early_stopping=True).fit(X, y)
    expected = model.predict_proba(X)
    content = pickle.dumps(model)
    again = pickle.loads(content)
    assert next(again.module_.parameters()).is_cuda
    np.testing.assert_allclose(again.predict_proba(X), expected, atol=1e-3)
    again.partial_fit(X, y)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        on_cpu_now = pickle.loads(content)
        assert not next(on_cpu_now.module_.parameters()).is_cuda
        np.testing.assert_allclose(on_cpu_now.predict_proba(X), expected, atol=0.05)
        on_cpu_now.set_params(device="cpu").partial_fit(X, y)


@pytest.mark.cuda
def test_a_model_from_a_gpu_loads_in_a_process_without_one(digits: Data, tmp_path: Path) -> None:
    X, y = digits
    model = classifier(LOSSES[-1], early_stopping=True, precision="float32").fit(X, y)
    joblib.dump((model, X), tmp_path / "model.joblib")
    code = (
        "import sys, joblib, torch\n"
        "assert not torch.cuda.is_available()\n"
        "model, X = joblib.load(sys.argv[1])\n"
        "joblib.dump(model.predict_proba(X), sys.argv[2])\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "model.joblib"), str(tmp_path / "proba")]
    subprocess.run(command, check=True, env={"CUDA_VISIBLE_DEVICES": "", "PATH": ""})
    np.testing.assert_allclose(joblib.load(tmp_path / "proba"), model.predict_proba(X), atol=1e-2)


def test_a_net_moves_with_all_that_it_has_learnt(digits: Data) -> None:
    model = classifier(FocalLoss(), optimizer="sgd").fit(*digits)
    before = model.net_.optimizer_.state_dict()
    _move(model.net_, torch.device("meta"))
    state = model.net_.optimizer_.state
    parameters = list(model.module_.parameters())
    assert {p.device.type for p in parameters} == {"meta"}
    assert set(state) == set(parameters)
    assert {state[p]["momentum_buffer"].device.type for p in parameters} == {"meta"}
    after = model.net_.optimizer_.state_dict()
    assert after["param_groups"] == before["param_groups"]
    assert model.net_.device == "meta"
