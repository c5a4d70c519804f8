from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sklearnloss.losses import (
    CompoundLoss,
    CrossEntropyLoss,
    DiceLoss,
    FocalLoss,
    L2Penalty,
    LossCheckError,
    check_loss,
)

from ...command_line import main
from ..cases import DATA_LOSSES

# By definition: distances vanish without a boundary.
KNOWN = {
    ("boundary", "empty masks are finite, false alarms cost"),
    ("hausdorff", "more wrong elements cost more"),
    ("hausdorff", "empty masks are finite, false alarms cost"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DATA_LOSSES)
def test_our_losses_obey_all_laws(name: str) -> None:
    report = check_loss(name, verbose=False)
    assert {(name, failure.law) for failure in report.failures} <= KNOWN, str(report)
    assert sum(result.status == "passed" for result in report.results) > 20


@pytest.mark.parametrize(
    "loss",
    [
        DiceLoss() + 1e-3 * L2Penalty(),
        "dice+focal",
        FocalLoss,
        nn.BCEWithLogitsLoss(),
        nn.CrossEntropyLoss(),
        nn.CrossEntropyLoss,
        functools.partial(nn.functional.cross_entropy, label_smoothing=0.1),
        nn.MultiMarginLoss(),
        CompoundLoss([nn.CrossEntropyLoss(), DiceLoss()]),
    ],
)
def test_sound_losses_of_every_kind_pass(loss: Any) -> None:
    report = check_loss(loss, verbose=False)
    assert report.passed, str(report)


def bce(z: Tensor, t: Tensor) -> Tensor:
    return nn.functional.binary_cross_entropy_with_logits(z, t)


def vector_of_wrong_length(z: Tensor, t: Tensor) -> Tensor:
    return bce(z, t).expand(7)


def nan_on_ordinary(z: Tensor, t: Tensor) -> Tensor:
    return (z.sigmoid() - 2).log().mean() + bce(z, t)


def log_of_probability(z: Tensor, t: Tensor) -> Tensor:
    p = z.sigmoid()
    return -(t * p.log() + (1 - t) * (1 - p).log()).mean()


def wrong_gradient(z: Tensor, t: Tensor) -> Tensor:
    return bce(z, t) + (z.detach() - z).mean()


def rewards_mistakes(z: Tensor, t: Tensor) -> Tensor:
    return -bce(z, t)


def forgives_many_mistakes(z: Tensor, t: Tensor) -> Tensor:
    error = (z.sigmoid() - t).abs().mean()
    return error * (1.05 - error) + 0.06 * error


def target_first(a: Tensor, b: Tensor) -> Tensor:
    p = b.sigmoid()
    return 1 - 2 * (p * a).sum() / (p.sum() + a.sum())


def dice_of_products(z: Tensor, t: Tensor) -> Tensor:
    p = z.sigmoid()
    return 1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)


def in_the_order_of_keras(y_true: Tensor, y_pred: Tensor) -> Tensor:
    return bce(y_true, y_pred)


def first_sample_only(z: Tensor, t: Tensor) -> Tensor:
    return bce(z[:1], t[:1])


def left_half_only(z: Tensor, t: Tensor) -> Tensor:
    half = z.shape[-1] // 2
    return bce(z[..., :half], t[..., :half])


def forgets_false_alarms(z: Tensor, t: Tensor) -> Tensor:
    p = z.sigmoid()
    return 1 - (p * t).sum() / (t.sum() + 1e-6) + 0 * p.sum() if t.any() else 0 * p.sum()


def overflows_in_half(z: Tensor, t: Tensor) -> Tensor:
    return bce(z, t) * (1.0 if z.dtype != torch.bfloat16 else 2.0)


def weights_squared(z: Tensor, t: Tensor, sample_weight: Tensor | None = None) -> Tensor:
    each = (z.sigmoid() - t).square().mean((1, 2, 3))
    w = torch.ones_like(each) if sample_weight is None else sample_weight.square()
    return (w * each).sum() / w.sum()


def changes_inputs(z: Tensor, t: Tensor) -> Tensor:
    value = bce(z.clone(), t.clone())
    t.clamp_(0.1, 0.9)
    return value


BROKEN = [
    (vector_of_wrong_length, "returns a scalar or a value per sample"),
    (nan_on_ordinary, "finite on ordinary scores"),
    (log_of_probability, "finite on huge scores"),
    (wrong_gradient, "gradient agrees with finite differences"),
    (rewards_mistakes, "perfect scores cost least, wrong ones most"),
    (forgives_many_mistakes, "more wrong elements cost more"),
    (target_first, "no scores cost far less than perfect ones"),
    (dice_of_products, "targets of 0.5 do not reward certainty"),
    (in_the_order_of_keras, "takes logits first and the target second"),
    (first_sample_only, "order of samples does not matter"),
    (left_half_only, "order of pixels does not matter"),
    (forgets_false_alarms, "empty masks are finite, false alarms cost"),
    (overflows_in_half, "half precision and autocast"),
    (weights_squared, "sample weights count like copies"),
    (changes_inputs, "inputs stay as they are"),
]


@pytest.mark.parametrize(("loss", "law"), BROKEN)
def test_a_loss_that_breaks_a_law_is_told_so(loss: Any, law: str) -> None:
    report = check_loss(loss, "segmentation", verbose=False)
    assert law in {failure.law for failure in report.failures}, str(report)
    assert not report.passed


def test_every_law_has_a_loss_that_breaks_it() -> None:
    laws = {result.law for result in check_loss("dice", verbose=False).results}
    assert laws - {law for _, law in BROKEN} == {"pickles", "moves to CUDA"}
    assert {law for _, law in BROKEN} < laws


def test_a_loss_that_changes_in_pickling_is_told_so() -> None:
    class Forgetful(nn.Module):
        scale = 1.0

        def __getstate__(self) -> dict[str, Any]:
            return {key: value for key, value in self.__dict__.items() if key != "scale"}

        def forward(self, z: Tensor, t: Tensor) -> Tensor:
            return self.scale * bce(z, t)

    globals()["Forgetful"] = Forgetful
    Forgetful.__qualname__ = "Forgetful"
    loss = Forgetful()
    loss.scale = 2.0
    report = check_loss(loss, "segmentation", verbose=False)
    assert {failure.law for failure in report.failures} == {"pickles"}


def test_what_does_not_apply_is_skipped() -> None:
    report = check_loss(bce, verbose=False)
    assert report.passed
    skipped = {(r.target, r.law) for r in report.results if r.status == "skipped"}
    assert ("classes of images", "takes the target") in skipped
    assert ("binary masks", "sample weights count like copies") in skipped
    report = check_loss(lambda z, t: bce(z, t), "segmentation", verbose=False)
    assert ("binary masks", "pickles") in {(r.target, r.law) for r in report.results}
    assert report.passed


def test_raising_is_on_request() -> None:
    check_loss("dice", raises=True, verbose=False)
    with pytest.raises(LossCheckError, match="perfect scores cost least"):
        check_loss(rewards_mistakes, raises=True, verbose=False)


def test_the_report_can_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    check_loss(rewards_mistakes, "segmentation")
    shown = capsys.readouterr().out
    assert "rewards_mistakes: " in shown
    assert "FAILED  perfect scores cost least" in shown
    assert "ok      finite on ordinary scores" in shown


@pytest.mark.parametrize("loss", [3, "dise", None])
def test_what_is_no_loss_is_refused(loss: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="dise|is not a loss"):
        check_loss(loss, verbose=False)
    with pytest.raises(ValueError, match="Unknown task 'both'"):
        check_loss("dice", "both", verbose=False)


def test_what_a_loss_cannot_show_is_skipped() -> None:
    def in_single_precision(z: Tensor, t: Tensor) -> Tensor:
        return bce(z, t) * torch.ones(1, 1).matmul(z.reshape(-1, 1)[:1] * 0 + 1).squeeze()

    def unreduced(z: Tensor, t: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        values = (z.sigmoid() - t).square().mean((1, 2, 3))
        return values if sample_weight is None else sample_weight * values

    for loss, message in (
        (in_single_precision, "not in float64: "),
        (unreduced, "does not reduce the batch"),
    ):
        report = check_loss(loss, "segmentation", verbose=False)
        assert report.passed, str(report)
        assert any(r.status == "skipped" and message in r.message for r in report.results)


def test_a_loss_that_changes_on_the_gpu_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    # A GPU that is the CPU, and a module that does not stand the journey.
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(Tensor, "cuda", lambda self: self)
    monkeypatch.setattr(nn.Module, "cuda", lambda self: self)

    class Homesick(nn.Module):
        scale = 1.0

        def cuda(self, device: Any = None) -> Any:
            self.scale = 2.0
            return self

        def forward(self, z: Tensor, t: Tensor) -> Tensor:
            return self.scale * bce(z, t)

    report = check_loss(Homesick(), "segmentation", verbose=False)
    assert {failure.law for failure in report.failures} == {"moves to CUDA"}
    for loss in ("dice", bce, DiceLoss() + 1e-3 * L2Penalty()):
        report = check_loss(loss, "segmentation", verbose=False)
        assert report.passed, str(report)
        assert any(r.law == "moves to CUDA" and r.status == "passed" for r in report.results)


def test_a_loss_that_takes_nothing_fails() -> None:
    def needs_a_file(z: Tensor, t: Tensor) -> Tensor:
        raise OSError("no such file")

    for task in (None, "classification", "segmentation"):
        report = check_loss(needs_a_file, task, verbose=False)
        (failure,) = report.failures
        assert failure.message.startswith("no kind of target was accepted; ")
        assert "OSError: no such file" in failure.message


def test_a_loss_for_one_kind_of_target_is_checked_on_that() -> None:
    def of_class_indices(z: Tensor, t: Tensor) -> Tensor:
        if t.is_floating_point():
            raise TypeError("expected indices")
        return nn.functional.cross_entropy(z, t)

    report = check_loss(of_class_indices, "segmentation", verbose=False)
    assert report.passed, str(report)
    skipped = {r.target for r in report.results if r.law == "takes the target"}
    assert skipped == {"binary masks", "multilabel masks"}


def test_axes_are_not_mixed_up_by_chance() -> None:
    def squared_error(z: Tensor, t: Tensor) -> Tensor:
        return (z.sigmoid() - t).square().mean()

    report = check_loss(squared_error, verbose=False)
    assert report.passed, str(report)
    taken = {r.target for r in report.results if r.status == "passed"}
    assert taken == {"binary masks", "multilabel masks"}


@pytest.mark.parametrize("loss", ["l2", "0.1*l1", L2Penalty(), L2Penalty])
def test_a_penalty_alone_is_no_loss(loss: Any) -> None:
    with pytest.raises(TypeError, match="is a penalty, which does not use scores"):
        check_loss(loss, verbose=False)


@pytest.mark.parametrize("loss", [nn.NLLLoss(), nn.BCELoss, DiceLoss() + nn.BCELoss()])
def test_losses_of_probabilities_are_refused(loss: Any) -> None:
    with pytest.raises(ValueError, match="expects probabilities, but losses receive raw scores"):
        check_loss(loss, verbose=False)


def test_constant_losses_have_no_gradient() -> None:
    report = check_loss(lambda z, t: torch.ones(()), "segmentation", verbose=False)
    assert "does not depend on the scores" in report.failures[0].message


def test_the_command_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["check-loss", "dice+bce", "--task", "segmentation"]) == 0
    (tmp_path / "own_losses.py").write_text("def up(z, t):\n    return -(z * t).mean()\n")
    monkeypatch.chdir(tmp_path)
    assert main(["check-loss", "own_losses:up"]) == 1
    assert "up: " in capsys.readouterr().out
    assert main(["check-loss", "own_losses:down"]) == 2
    assert "Cannot find 'own_losses:down'" in capsys.readouterr().err


def test_random_generators_stay_as_they_are() -> None:
    def noisy(z: Tensor, t: Tensor) -> Tensor:
        return bce(z + 0.1 * torch.randn_like(z), t)

    before = torch.get_rng_state()
    check_loss("dice", verbose=False)
    reports = [str(check_loss(noisy, "segmentation", verbose=False)) for _ in range(2)]
    assert torch.equal(torch.get_rng_state(), before)
    assert reports[0] == reports[1]


def test_a_loss_is_checked_in_inference_mode_as_well() -> None:
    with torch.inference_mode():
        assert check_loss("dice", "segmentation", verbose=False).passed


def test_a_loss_is_checked_on_the_cpu_whatever_the_default_device() -> None:
    with torch.device("meta"):
        assert check_loss("dice", "classification", verbose=False).passed


def test_a_softmax_loss_of_ones_own_is_checked_with_a_channel_per_class() -> None:
    def cross_entropy(z: Tensor, t: Tensor) -> Tensor:
        return nn.functional.cross_entropy(z, t)

    assert not check_loss(cross_entropy, "segmentation", verbose=False).passed
    cross_entropy.form = "softmax"  # type: ignore[attr-defined]
    report = check_loss(cross_entropy, "segmentation", verbose=False)
    assert report.passed, str(report)
    assert {r.target for r in report.results if r.status == "skipped"} >= {"multilabel masks"}


def test_losses_of_torch_are_checked_on_what_they_read() -> None:
    report = check_loss(nn.BCEWithLogitsLoss(), verbose=False)
    assert report.passed, str(report)
    assert not [r for r in report.results if r.law == "takes the target"]


def test_unscalable_classes_are_built() -> None:
    assert check_loss(CrossEntropyLoss, "classification", verbose=False).passed
