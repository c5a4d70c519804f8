"""Checkpoints hold what they are asked for, and a fit continues from them exactly."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import cross_val_score
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    LoadInitState,
    LRScheduler,
    TrainEndCheckpoint,
)
from torch import Tensor

from ..conftest import Data, classifier, segmenter


class PowerCut(Exception):
    pass


class Cut(Callback):  # type: ignore[misc]
    """Ends the process, so to speak, in the middle of an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_batch_end(self, net: Any, **kwargs: Any) -> None:
        if len(net.history) == self.epoch:
            raise PowerCut


def weights(model: Any) -> Tensor:
    return torch.cat([tensor.detach().double().ravel() for tensor in state(model).values()])


def state(model: Any) -> dict[str, Tensor]:
    return dict(model.module_.state_dict())


def saved_in(folder: Path, **params: Any) -> Checkpoint:
    return Checkpoint(dirname=str(folder), **{"monitor": None, **params})


def every_epoch(folder: Path) -> list[Any]:
    saved = saved_in(folder)
    return [saved, LoadInitState(saved)]


def best_epoch(folder: Path) -> list[Any]:
    saved = saved_in(folder, monitor="valid_loss_best")
    return [LoadInitState(saved), saved]


def with_scheduler(folder: Path) -> list[Any]:
    return [*every_epoch(folder), LRScheduler("StepLR", step_size=1, gamma=0.5)]


def falling(net: Any, X: Any, y: Any) -> int:
    """Return a score that is best in the first epoch."""
    return -len(net.history)


def patience(**params: Any) -> list[Any]:
    scoring = EpochScoring(falling, name="score", on_train=True, lower_is_better=False)
    stop = EarlyStopping("score", patience=3, lower_is_better=False, **params)
    return [scoring, stop]


def with_patience(folder: Path) -> list[Any]:
    return [*patience(), *every_epoch(folder)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("params", "callbacks"),
    [
        ({}, every_epoch),
        ({"augment": ["flip", "noise"], "clip_norm": 1.0}, every_epoch),
        ({"loss": "ldam+1e-4*l2", "optimizer": "sgd", "scheduler": "cosine"}, every_epoch),
        ({"early_stopping": True, "lr": 0.05, "n_iter_no_change": 1, "max_epochs": 9}, best_epoch),
        ({"scheduler": None}, with_scheduler),
        ({"max_epochs": 9}, with_patience),
        ({"random_state": np.random.RandomState(0)}, every_epoch),
    ],
)
def test_an_interrupted_fit_ends_like_one_that_was_not(
    params: dict[str, Any], callbacks: Any, digits: Data, tmp_path: Path
) -> None:
    params = {"max_epochs": 4, **params}

    def fit(folder: str, *others: Any) -> Any:
        model = classifier(**params, callbacks=[*callbacks(tmp_path / folder), *others])
        return pickle.loads(pickle.dumps(model)).fit(*digits)

    whole = fit("whole")
    with pytest.raises(PowerCut):
        fit("cut", Cut(3))
    again = fit("cut")
    assert torch.equal(weights(again), weights(whole))
    for key in ("epoch", "train_loss", "lr"):
        assert again.history_[:, key] == whole.history_[:, key]
    rate, expected = (m.net_.optimizer_.param_groups[0]["lr"] for m in (again, whole))
    assert rate == expected
    assert torch.equal(again.net_.generator_.get_state(), whole.net_.generator_.get_state())


def test_a_segmenter_continues(scenes: Data, tmp_path: Path) -> None:
    params: dict[str, Any] = {"max_epochs": 3, "augment": "rot90"}
    whole = segmenter(**params).fit(*scenes)
    with pytest.raises(PowerCut):
        segmenter(**params, callbacks=[*every_epoch(tmp_path), Cut(2)]).fit(*scenes)
    again = segmenter(**params, callbacks=every_epoch(tmp_path)).fit(*scenes)
    assert torch.equal(weights(again), weights(whole))
    assert again.n_iter_ == 3


def test_a_complete_fit_is_loaded_and_can_be_made_longer(digits: Data, tmp_path: Path) -> None:
    model = classifier(max_epochs=2, callbacks=every_epoch(tmp_path)).fit(*digits)
    again = classifier(max_epochs=2, callbacks=every_epoch(tmp_path)).fit(*digits)
    assert again.n_iter_ == 2
    assert torch.equal(weights(again), weights(model))
    longer = classifier(max_epochs=4, callbacks=every_epoch(tmp_path)).fit(*digits)
    rates = classifier(max_epochs=4).fit(*digits).history_[:, "lr"]
    assert longer.history_[:, "lr"] == [*model.history_[:, "lr"], *rates[2:]]


def test_a_training_that_continues_does_not_load_again(digits: Data, tmp_path: Path) -> None:
    saved = saved_in(tmp_path)
    classifier(callbacks=[saved]).fit(*digits)
    model = classifier(max_epochs=2, warm_start=True, callbacks=[LoadInitState(saved)])
    assert model.fit(*digits).n_iter_ == 2
    assert model.fit(*digits).n_iter_ == 4
    assert model.partial_fit(*digits).n_iter_ == 6


def test_partial_fit_trains_all_its_epochs_after_loading(digits: Data, tmp_path: Path) -> None:
    saved = saved_in(tmp_path)
    classifier(callbacks=[saved], max_epochs=2).partial_fit(*digits)
    model = classifier(callbacks=[LoadInitState(saved)], max_epochs=2)
    assert model.partial_fit(*digits).n_iter_ == 4


def test_a_checkpoint_of_the_end_is_loaded(digits: Data, tmp_path: Path) -> None:
    saved = TrainEndCheckpoint(dirname=str(tmp_path))
    loading = LoadInitState(saved)
    classifier(max_epochs=2, callbacks=[saved, loading]).fit(*digits)
    assert classifier(max_epochs=3, callbacks=[saved, loading]).fit(*digits).n_iter_ == 3
    assert classifier(max_epochs=4, callbacks=[loading]).fit(*digits).n_iter_ == 4


def test_a_training_that_a_callback_ended_stays_ended(digits: Data, tmp_path: Path) -> None:
    for _ in range(2):
        model = classifier(max_epochs=9, callbacks=with_patience(tmp_path)).fit(*digits)
        assert model.n_iter_ == 4


def test_the_best_weights_have_to_be_in_the_checkpoint(digits: Data, tmp_path: Path) -> None:
    callbacks = [*patience(load_best=True), *every_epoch(tmp_path)]
    classifier(max_epochs=2, callbacks=callbacks).fit(*digits)
    with pytest.raises(
        ValueError, match=r"from epoch 2, but score was best in epoch 1.*score_best"
    ):
        classifier(max_epochs=3, callbacks=callbacks).fit(*digits)


def test_the_best_epoch_is_known_after_loading(digits: Data, tmp_path: Path) -> None:
    classifier(callbacks=every_epoch(tmp_path)).fit(*digits)
    history = json.loads((tmp_path / "history.json").read_text())
    history[0]["train_loss"] = 0.0
    (tmp_path / "history.json").write_text(json.dumps(history))
    model = classifier(max_epochs=2, callbacks=every_epoch(tmp_path)).fit(*digits)
    assert model.history_[:, "train_loss_best"] == [True, False]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"loss": "focal"}, "other parameters"),
        ({"lr": 0.1}, "other parameters"),
        ({"augment": "flip"}, "other parameters"),
        ({"random_state": 1}, "other random_state"),
        ({"width": 8}, "cannot be loaded.*another network: .*size mismatch"),
    ],
)
def test_the_checkpoint_of_another_fit_is_refused(
    changed: dict[str, Any], reason: str, digits: Data, tmp_path: Path
) -> None:
    classifier(callbacks=every_epoch(tmp_path)).fit(*digits)
    with pytest.raises(ValueError, match=reason):
        classifier(callbacks=every_epoch(tmp_path), max_epochs=2, **changed).fit(*digits)


def test_another_fold_does_not_continue_the_first(digits: Data, tmp_path: Path) -> None:
    model = classifier(callbacks=every_epoch(tmp_path), normalize=None)
    with pytest.warns(FitFailedWarning, match="from a fit with other data"):
        scores = cross_val_score(model, *digits, cv=3)
    assert np.isnan(scores).tolist() == [False, True, True]


def test_a_checkpoint_that_another_fit_overwrote_is_not_taken_for_the_best(
    digits: Data, tmp_path: Path
) -> None:
    class Other(Callback):  # type: ignore[misc]
        def on_train_end(self, net: Any, **kwargs: Any) -> None:
            classifier(callbacks=[saved_in(tmp_path)], random_state=1).fit(*digits)

    best = saved_in(tmp_path, monitor="train_loss_best", load_best=True)
    with pytest.raises(
        ValueError, match="overwritten by another fit. Give each fit its own dirname"
    ):
        classifier(callbacks=[Other(), best]).fit(*digits)


def test_incomplete_and_damaged_checkpoints_are_refused(digits: Data, tmp_path: Path) -> None:
    model = classifier(callbacks=every_epoch(tmp_path), max_epochs=2).fit(*digits)
    history = json.loads((tmp_path / "history.json").read_text())
    (tmp_path / "history.json").write_text(json.dumps(history[:1]))
    with pytest.raises(ValueError, match="optimizer of epoch 2, but the history of 1 epochs"):
        model.fit(*digits)
    (tmp_path / "params.pt").write_bytes(b"garbage")
    with pytest.raises(ValueError, match="is damaged. Remove it"):
        model.fit(*digits)
    (tmp_path / "params.pt").unlink()
    with pytest.raises(ValueError, match="is incomplete: there is no .*params.pt"):
        model.fit(*digits)
    (tmp_path / "history.json").unlink()
    assert model.fit(*digits).n_iter_ == 2


def test_safetensors_hold_the_weights(scenes: Data, tmp_path: Path) -> None:
    file = tmp_path / "params.safetensors"
    saved = saved_in(tmp_path, f_params=file.name, use_safetensors=True, f_optimizer=None)
    model = segmenter(callbacks=[saved]).fit(*scenes)
    loaded = load_file(file)
    assert loaded.keys() == state(model).keys()
    for name, tensor in state(model).items():
        assert torch.equal(loaded[name], tensor)
    segmenter(weights=file).fit(*scenes)


@pytest.mark.parametrize("use_safetensors", [False, True])
def test_the_best_checkpoint_is_loaded_at_the_end(
    use_safetensors: bool, digits: Data, tmp_path: Path
) -> None:
    X, y = digits
    best = saved_in(
        tmp_path,
        monitor=lambda net: len(net.history) == 2,
        load_best=True,
        use_safetensors=use_safetensors,
        f_optimizer=None,
    )
    model = classifier(callbacks=[best], scheduler=None, max_epochs=3).fit(X, y)
    second = classifier(scheduler=None, max_epochs=2).fit(X, y)
    assert torch.equal(weights(model), weights(second))
    assert model.n_iter_ == 2


def test_a_checkpoint_may_go_to_files_that_are_open(digits: Data) -> None:
    file = io.BytesIO()
    saved = Checkpoint(
        monitor=None, f_params=file, f_optimizer=None, f_criterion=None, f_history=None
    )
    model = classifier(callbacks=[saved]).fit(*digits)
    file.seek(0)
    assert torch.load(file).keys() == state(model).keys()


def test_the_net_is_pickled_during_training(digits: Data, tmp_path: Path) -> None:
    model = classifier(
        callbacks=[saved_in(tmp_path, f_pickle="net.pkl")], verbose=1, early_stopping=True
    ).fit(*digits)
    net = pickle.loads((tmp_path / "net.pkl").read_bytes())
    for name, tensor in net.module_.state_dict().items():
        assert torch.equal(tensor, state(model)[name])
    assert net.history[:, "train_loss"] == model.history_[:, "train_loss"]


def test_a_file_that_cannot_be_written_is_reported(digits: Data, tmp_path: Path) -> None:
    (tmp_path / "params.pt").mkdir()
    with pytest.warns(UserWarning, match="params.pt was not saved: IsADirectoryError"):
        classifier(callbacks=[saved_in(tmp_path)]).fit(*digits)
    assert not list(tmp_path.glob("*.part"))


def test_an_older_file_stays_where_writing_fails(digits: Data, tmp_path: Path) -> None:
    path = tmp_path / "optimizer.pt"
    model = classifier().fit(*digits)
    model.net_.save_params(f_optimizer=path)
    before = path.read_bytes()
    with (
        pytest.raises(ValueError, match="Safetensors can only store tensors"),
        pytest.warns(UserWarning, match="optimizer.pt was not saved"),
    ):
        model.net_.save_params(f_optimizer=str(path), use_safetensors=True)
    assert path.read_bytes() == before
    torch.optim.AdamW(model.module_.parameters()).load_state_dict(torch.load(path))


@pytest.mark.parametrize(
    ("callback", "params", "message"),
    [
        (LoadInitState(3), {}, "LoadInitState holds 3. Expected a Checkpoint"),
        (LoadInitState(Checkpoint(f_history=None)), {}, "but f_history=None.*set weights="),
        (
            LoadInitState(Checkpoint(use_safetensors=True, f_optimizer=None)),
            {},
            "needs files of.*but f_optimizer=None",
        ),
        (
            LoadInitState(Checkpoint(monitor=None)),
            {"early_stopping": True},
            r"needs a checkpoint of the best epoch: Checkpoint\(monitor='valid_loss_best'\)",
        ),
    ],
)
def test_what_a_fit_cannot_continue_from_is_refused(
    callback: Any, params: dict[str, Any], message: str, digits: Data
) -> None:
    with pytest.raises(ValueError, match=message):
        classifier(callbacks=[callback], **params).fit(*digits)


def test_the_progress_bar_begins_where_the_fit_continues(
    digits: Data, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    classifier(max_epochs=2, callbacks=every_epoch(tmp_path)).fit(*digits)
    classifier(max_epochs=3, callbacks=every_epoch(tmp_path), verbose=1).fit(*digits)
    shown = capsys.readouterr().err
    assert " 3/3 " in shown
    assert " 0/3 " not in shown


def test_who_is_told_of_epochs_is_told_their_numbers(digits: Data, tmp_path: Path) -> None:
    classifier(max_epochs=2, callbacks=every_epoch(tmp_path)).fit(*digits)
    model, epochs = classifier(max_epochs=4, callbacks=every_epoch(tmp_path)), []
    model._epoch_hook = lambda _, epoch: epochs.append(epoch)
    model.fit(*digits)
    assert epochs == [3, 4]
