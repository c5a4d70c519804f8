"""Parts of networks are frozen, or learn at other rates, as in a loop written by hand."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, Checkpoint, LoadInitState
from torch import Tensor, nn
from torch.nn import functional as F

from sklearnloss import ImageClassifier, ImageSegmenter, load
from sklearnloss.networks import ResNet, UNet

from ..conftest import Data, classifier, segmenter


class Recorder(Callback):  # type: ignore[misc]
    """Keeps what the network was trained with, and how it began."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, Tensor, Tensor]] = []
        self.initial: list[nn.Module] = []
        self.losses: list[nn.Module] = []

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self.initial.append(copy.deepcopy(net.module_))
        if isinstance(net.criterion_.loss, nn.Module):
            self.losses.append(copy.deepcopy(net.criterion_.loss))

    def on_batch_begin(self, net: Any, batch: Any, training: bool, **kwargs: Any) -> None:
        if training:
            x, codes = batch
            self.batches.append((len(net.history), x.clone(), codes.clone()))


Groups = Callable[[nn.Module], list[dict[str, Any]]]


def by_hand(
    seen: Recorder,
    optimizer: Callable[[list[dict[str, Any]]], torch.optim.Optimizer],
    groups: Groups,
    frozen: Callable[[int, str], bool] = lambda epoch, name: False,
    loss: Callable[[Tensor, Tensor], Tensor] = lambda z, t: F.cross_entropy(z, t.long()),
) -> dict[str, Tensor]:
    """Train the recorded network on the recorded batches; return its state."""
    network = seen.initial[0]
    steps = optimizer(groups(network))
    for epoch, x, codes in seen.batches:
        network.train()
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(not frozen(epoch, name))
        for name, module in network.named_modules():
            if isinstance(module, nn.BatchNorm2d) and frozen(epoch, f"{name}.weight"):
                module.eval()
        steps.zero_grad()
        loss(network(x), codes).backward()
        steps.step()
    return dict(network.state_dict())


def adamw(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    return torch.optim.AdamW(groups, lr=0.01, weight_decay=0.1, fused=True)


def sgd(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    return torch.optim.SGD(groups, lr=0.01, momentum=0.9, nesterov=True, weight_decay=0.1)


def everything(network: nn.Module) -> list[dict[str, Any]]:
    return [{"params": list(network.parameters())}]


def in_encoder(name: str) -> bool:
    return not name.startswith("fc.")


def assert_close(model: Any, expected: dict[str, Tensor]) -> None:
    for name, value in model.module_.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-6, msg=name)


def state(model: Any) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.module_.state_dict().items()}


def changed(model: Any, before: dict[str, Tensor]) -> set[str]:
    now = model.module_.state_dict()
    return {name for name, value in before.items() if not torch.equal(value, now[name])}


def tuned(seen: Recorder, **params: Any) -> Any:
    # Adam makes much of the last bits where gradients are almost 0.
    given = {"loss": nn.CrossEntropyLoss(), "lr": 0.01, "scheduler": None, "max_epochs": 2}
    given |= params
    return classifier(callbacks=[seen], **given)


def test_a_frozen_encoder_keeps_weights_and_statistics(digits: Data) -> None:
    seen = Recorder()
    model = tuned(seen, freeze="encoder").fit(*digits)
    initial = seen.initial[0].state_dict()
    assert changed(model, {k: v.clone() for k, v in initial.items()}) == {"fc.weight", "fc.bias"}
    assert_close(model, by_hand(seen, adamw, everything, lambda epoch, name: in_encoder(name)))


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_the_frozen_part_is_trained_after_some_epochs(digits: Data, optimizer: str) -> None:
    seen = Recorder()
    params: dict[str, Any] = {"freeze": "encoder", "freeze_epochs": 2, "max_epochs": 3}
    model = tuned(seen, optimizer=optimizer, **params).fit(*digits)
    steps = {"adamw": adamw, "sgd": sgd}[optimizer]
    late = by_hand(seen, steps, everything, lambda epoch, name: epoch < 3 and in_encoder(name))
    assert_close(model, late)
    assert model.module_.bn1.num_batches_tracked == 4  # of one epoch


def test_epochs_of_all_fits_count(digits: Data) -> None:
    model = classifier(freeze=["layer1.*"], freeze_epochs=2, warm_start=True)
    kept = state(model.fit(*digits))
    fitted = changed(model.partial_fit(*digits), kept)
    assert fitted
    assert not any(name.startswith("layer1.") for name in fitted)
    assert any(name.startswith("layer1.") for name in changed(model.fit(*digits), kept))
    assert model.n_iter_ == 3
    assert all(p.requires_grad for p in model.module_.parameters())


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_warm_start_may_freeze_and_release(digits: Data, optimizer: str) -> None:
    model = classifier(warm_start=True, optimizer=optimizer).fit(*digits)
    before = state(model)
    assert changed(model.set_params(freeze="encoder").fit(*digits), before) == {
        *("fc.weight", "fc.bias")
    }
    assert changed(model.set_params(freeze="fc.*").fit(*digits), before) > {"conv1.weight"}
    before = state(model)
    assert changed(model.set_params(freeze=None).fit(*digits), before) > {"fc.weight", "bn1.bias"}
    with pytest.raises(ValueError, match="matches no parameter"):
        model.set_params(freeze="fx.*").fit(*digits)
    assert model.n_iter_ == 4
    assert all(p.requires_grad for p in model.module_.parameters())


@pytest.mark.parametrize(
    ("others", "ends"),
    [
        ({"lr_scale": {"encoder": 0.1}, "freeze_epochs": 2}, (1, 2, 4)),
        ({"optimizer": "sgd", "freeze_epochs": 2}, (1, 2, 4)),
        pytest.param(
            {"optimizer": "lbfgs", "weight_decay": 0, "lr": 0.1, "freeze_epochs": 1},
            (1, 2),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_checkpoint_continues_with_the_frozen_part(
    others: dict[str, Any], ends: tuple[int, ...], digits: Data, tmp_path: Path
) -> None:
    params: dict[str, Any] = {"freeze": "encoder", **others}
    whole = classifier(max_epochs=ends[-1], scheduler=None, **params).fit(*digits)
    for epochs in ends:
        saved = Checkpoint(dirname=str(tmp_path), monitor=None)
        model = classifier(
            max_epochs=epochs, scheduler=None, callbacks=[saved, LoadInitState(saved)], **params
        ).fit(*digits)
    assert model.n_iter_ == ends[-1]
    assert changed(model, state(whole)) == set()


def test_statistics_stay_where_each_epoch_has_a_validation(digits: Data) -> None:
    params: dict[str, Any] = {"early_stopping": True, "validation_fraction": 0.3}
    weights = ResNet(1, 3, width=4, stem="tiny").state_dict()
    model = classifier(weights=weights, freeze="encoder", max_epochs=3, **params).fit(*digits)
    assert changed(model, weights) == {"fc.weight", "fc.bias"}


def test_early_stopping_goes_back_to_its_best_epoch(digits: Data) -> None:
    model = classifier(
        max_epochs=6,
        lr=0.05,
        freeze="encoder",
        freeze_epochs=1,
        early_stopping=True,
        n_iter_no_change=1,
        validation_fraction=0.3,
    ).fit(*digits)
    assert 1 < model.n_iter_ <= 6
    assert np.isfinite(model.predict_proba(digits[0])).all()


@pytest.mark.slow
def test_lbfgs_leaves_the_frozen_part_alone(digits: Data) -> None:
    params: dict[str, Any] = {"optimizer": "lbfgs", "weight_decay": 0, "lr": 0.1}
    model = classifier(freeze="encoder", freeze_epochs=2, **params).fit(*digits)
    before = state(model)
    assert changed(model.partial_fit(*digits), before) == {"fc.weight", "fc.bias"}
    assert changed(model.partial_fit(*digits), before) > {"conv1.weight"}


def scaled(network: nn.Module) -> list[dict[str, Any]]:
    named = list(network.named_parameters())
    return [
        {"params": [p for name, p in named if not in_encoder(name)]},
        {"params": [p for name, p in named if in_encoder(name)], "lr": 0.001},
    ]


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_scaled_groups_learn_as_those_of_a_torch_optimizer(digits: Data, optimizer: str) -> None:
    seen = Recorder()
    model = tuned(seen, optimizer=optimizer, lr_scale={"encoder": 0.1}).fit(*digits)
    assert_close(model, by_hand(seen, {"adamw": adamw, "sgd": sgd}[optimizer], scaled))


class Rates(Callback):  # type: ignore[misc]
    def __init__(self) -> None:
        self.seen: list[list[float]] = []

    def on_batch_end(self, net: Any, training: bool, **kwargs: Any) -> None:
        if training:
            self.seen.append([group["lr"] for group in net.optimizer_.param_groups])


def test_each_group_keeps_its_factor_in_a_schedule(digits: Data) -> None:
    rates = Rates()
    model = classifier(lr=0.1, lr_scale={"encoder": 0.1}, callbacks=[rates], max_epochs=2)
    model.fit(*digits)
    first, second = np.transpose(rates.seen)
    np.testing.assert_allclose(second, 0.1 * first)
    assert len(set(first)) == len(first)
    assert model.history_[-1, "lr"] == first[-1]


def factors(model: Any) -> dict[str, float]:
    by_id = {
        id(p): group["lr"] / model.lr
        for group in model.net_.optimizer_.param_groups
        for p in group["params"]
    }
    return {name: by_id[id(p)] for name, p in model.module_.named_parameters()}


def test_a_number_decays_from_the_head_backwards(digits: Data, binary_scenes: Data) -> None:
    found = factors(classifier(lr_scale=0.5, scheduler=None).fit(*digits))
    for power, name in enumerate(["fc.weight", "layer4.0.bn1.bias", "layer3.1.conv2.weight"]):
        assert found[name] == pytest.approx(0.5**power)
    assert found["conv1.weight"] == found["bn1.bias"] == pytest.approx(0.5**5)
    found = factors(segmenter(lr_scale=0.5).fit(*binary_scenes))
    assert found["head.bias"] == 1
    assert found["up.1.block.0.weight"] == pytest.approx(0.5)
    assert found["stem.0.weight"] == pytest.approx(0.5**5)


def test_the_first_pattern_that_matches_counts(digits: Data) -> None:
    scale = {"layer4.*": 0.5, "layer*": 0.1, "fc.*": 10}
    found = factors(classifier(lr_scale=scale).fit(*digits))
    assert found["layer4.0.conv1.weight"] == pytest.approx(0.5)
    assert found["layer1.0.conv1.weight"] == pytest.approx(0.1)
    assert found["conv1.weight"] == 1
    assert found["fc.bias"] == pytest.approx(10)
    with pytest.raises(ValueError, match=r"'layer4\.\*' has no effect"):
        classifier(lr_scale={"layer*": 0.1, "layer4.*": 0.5}).fit(*digits)


def test_a_warm_start_may_change_the_rates_and_keeps_the_state(digits: Data) -> None:
    seen = Recorder()
    model = tuned(seen, max_epochs=1, lr_scale={"encoder": 0.5}, warm_start=True).fit(*digits)
    model.set_params(lr=0.02).fit(*digits)
    assert [g["lr"] for g in model.net_.optimizer_.param_groups] == [0.02, 0.01]
    model.set_params(lr_scale={"layer1.*": 0.25}).fit(*digits)
    assert [g["lr"] for g in model.net_.optimizer_.param_groups] == [0.02, 0.005]

    network = seen.initial[0].train()
    one = {name: adamw([{"params": [p]}]) for name, p in network.named_parameters()}
    for epoch, x, codes in seen.batches:
        network.zero_grad()
        F.cross_entropy(network(x), codes.long()).backward()
        for name, each in one.items():
            factor = 0.5 if in_encoder(name) else 1.0
            if epoch == 3:
                factor = 0.25 if name.startswith("layer1.") else 1.0
            each.param_groups[0]["lr"] = (0.01 if epoch == 1 else 0.02) * factor
            each.step()
    assert_close(model, dict(network.state_dict()))


class Scaled(nn.Module):
    """A loss that learns a temperature."""

    form = "softmax"

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(self.scale * logits, target)


def test_what_a_loss_learns_has_no_weight_decay(digits: Data) -> None:
    seen = Recorder()
    model = tuned(seen, loss=Scaled()).fit(*digits)
    theirs = seen.losses[0]

    def groups(network: nn.Module) -> list[dict[str, Any]]:
        own = {"params": list(theirs.parameters()), "weight_decay": 0.0}
        return [{"params": list(network.parameters())}, own]

    expected = by_hand(seen, adamw, groups, loss=lambda z, t: theirs(z, t.long()))
    assert_close(model, expected)
    torch.testing.assert_close(model.loss_.scale, theirs.scale)
    assert model.loss_.scale != 2
    rest, own = model.net_.optimizer_.param_groups
    assert (rest["weight_decay"], own["weight_decay"]) == (0.1, 0.0)
    assert [id(p) for p in own["params"]] == [id(model.loss_.scale)]


def test_a_changed_weight_decay_is_not_the_losss(digits: Data) -> None:
    model = classifier(Scaled(), weight_decay=0, warm_start=True).fit(*digits)
    model.set_params(weight_decay=0.2).fit(*digits)
    assert [g["weight_decay"] for g in model.net_.optimizer_.param_groups] == [0.2, 0]
    model = classifier(Scaled(), lr_scale={"encoder": 0.1}).fit(*digits)
    groups = model.net_.optimizer_.param_groups
    assert [g["weight_decay"] for g in groups] == [0.1, 0.1, 0]
    assert groups[2]["lr"] == model.lr


def test_other_losses_leave_one_group(digits: Data) -> None:
    (group,) = classifier().fit(*digits).net_.optimizer_.param_groups
    assert group.keys() == adamw(everything(nn.Linear(1, 1))).param_groups[0].keys()


def test_a_file_keeps_what_is_frozen(digits: Data, tmp_path: Path) -> None:
    model = classifier(freeze="encoder", freeze_epochs=2, lr_scale={"encoder": 0.5})
    model.fit(*digits).save(tmp_path / "model.safetensors")
    read = load(tmp_path / "model.safetensors")
    assert read.get_params() == model.get_params()
    for each in (read, pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        frozen = [name for name, p in each.module_.named_parameters() if not p.requires_grad]
        assert len(frozen) == 60
        assert all(map(in_encoder, frozen))
        before = state(each)
        assert changed(each.partial_fit(*digits), before) == {"fc.weight", "fc.bias"}
        assert changed(each.partial_fit(*digits), before) > {"conv1.weight", "bn1.running_mean"}
        assert [g["lr_scale"] for g in each.net_.optimizer_.param_groups] == [1, 0.5]


def test_a_file_of_a_frozen_network_may_be_released(digits: Data, tmp_path: Path) -> None:
    classifier(freeze="encoder").fit(*digits).save(tmp_path / "model.safetensors")
    read = load(tmp_path / "model.safetensors").set_params(freeze=None)
    before = state(read)
    assert changed(read.partial_fit(*digits), before) > {"conv1.weight", "bn1.running_mean"}


class Network(nn.Module):
    def __init__(self, in_channels: int, n_classes: int) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(in_channels, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()
        )
        self.last = nn.Conv2d(4, n_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.last(self.backbone(x))
        return scores


@pytest.mark.slow
def test_a_compiled_fit_releases_the_frozen_part(binary_scenes: Data) -> None:
    params: dict[str, Any] = {"freeze": "encoder", "freeze_epochs": 1, "max_epochs": 2}
    params |= {"optimizer": "sgd", "batch_size": 4, "random_state": 0}
    plain = ImageSegmenter(Network, **params).fit(*binary_scenes)
    compiled = ImageSegmenter(Network, compile=True, **params).fit(*binary_scenes)
    assert_close(compiled, state(plain))
    assert plain.module_.network.backbone[1].num_batches_tracked == 3  # of one epoch


@pytest.mark.parametrize("freeze", ["encoder", "backbone.*", ("backbone.0.*", "backbone.1.*")])
def test_names_are_those_of_the_users_network(freeze: Any, binary_scenes: Data) -> None:
    seen = Recorder()
    given: dict[str, Any] = {"max_epochs": 2, "batch_size": 4, "random_state": 0}
    model = ImageSegmenter(Network, freeze=freeze, callbacks=[seen], **given).fit(*binary_scenes)
    before = dict(seen.initial[0].state_dict())
    assert changed(model, before) == {"network.last.weight", "network.last.bias"}
    model = ImageSegmenter(Network, lr_scale={"backbone.*": 0.1}, **given).fit(*binary_scenes)
    assert factors(model)["network.backbone.0.weight"] == pytest.approx(0.1)


def test_what_the_users_module_has_frozen_stays_so(digits: Data) -> None:
    class Pooled(Network):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).mean((2, 3))

    network = Pooled(1, 3)
    network.backbone[0].weight.requires_grad_(False)
    model = ImageClassifier(network, freeze="encoder", freeze_epochs=1, max_epochs=2).fit(*digits)
    inner = model.module_.network
    before = network.state_dict()
    after = inner.state_dict()
    assert torch.equal(after["backbone.0.weight"], before["backbone.0.weight"])
    assert not torch.equal(after["backbone.1.weight"], before["backbone.1.weight"])
    assert not network.backbone[0].weight.requires_grad
    with pytest.raises(ValueError, match="leaves nothing of the network to train"):
        ImageClassifier(network, freeze=["backbone.*", "last.*"]).fit(*digits)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"freeze": []}, r"freeze=\[\]. Expected 'encoder', a pattern"),
        ({"freeze": ["encoder", 3]}, "Expected 'encoder', a pattern"),
        ({"freeze": "*"}, "leaves nothing of the network to train"),
        ({"freeze": "layer1"}, r"use 'layer1\.\*' for its"),
        ({"freeze_epochs": 0}, "The 'freeze_epochs' parameter"),
        ({"lr_scale": {}}, "Expected factors above 0"),
        ({"lr_scale": {"encoder": 0}}, "use freeze"),
        ({"lr_scale": {"encoder": True}}, "Expected factors above 0"),
        ({"lr_scale": {"encoder": float("inf")}}, "Expected factors above 0"),
        ({"lr_scale": 1.5}, "The 'lr_scale' parameter"),
        ({"lr_scale": {"nothing*": 0.1}}, "lr_scale holds 'nothing"),
        ({"lr_scale": 0.5, "optimizer": "lbfgs"}, "LBFGS has one learning rate"),
        (
            {"lr_scale": 0.5, "net_params": {"optimizer__param_groups": [("fc*", {"lr": 1.0})]}},
            "also groups parameters",
        ),
    ],
)
def test_other_values_are_refused_before_training(
    params: dict[str, Any], message: str, digits: Data
) -> None:
    with pytest.raises(ValueError, match=message):
        classifier(**params).fit(*digits)


def test_pretrained_weights_may_be_the_frozen_ones(digits: Data, binary_scenes: Data) -> None:
    weights = ResNet(1, 3, width=4, stem="tiny").state_dict()
    model = classifier(weights=weights, freeze="encoder").fit(*digits)
    assert changed(model, weights) == {"fc.weight", "fc.bias"}
    weights = UNet(1, 1, width=4, depth=2, norm="batch").state_dict()
    model = segmenter(weights=weights, freeze="encoder", norm="batch").fit(*binary_scenes)
    assert {name.partition(".")[0] for name in changed(model, weights)} == {"up", "head"}
