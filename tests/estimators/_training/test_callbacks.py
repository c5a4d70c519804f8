"""skorch's callbacks in fits, copies, cross-validation and searches."""

from __future__ import annotations

import copy
import pickle
import sys
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import cloudpickle
import numpy as np
import pytest
import skorch.callbacks as sc
import torch
from optuna.pruners import NopPruner
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate

from sklearnloss import LossSearchCV
from sklearnloss.losses import FocalLoss

from ...optional import import_or_skip
from ..conftest import Data, classifier

EPOCHS = 2


class Run:
    """Stands in for what Weights & Biases, MLflow, Sacred and Neptune log to."""

    def __init__(self, folder: str) -> None:
        self.dir = folder
        self.records: list[Any] = []
        self.info = types.SimpleNamespace(run_id="run")

    def watch(self, module: Any) -> None:
        assert isinstance(module, torch.nn.Module)

    def log(self, values: dict[str, float]) -> None:
        self.records.append(values["train_loss"])

    def log_metric(self, run_id: str, key: str, value: float, step: int) -> None:
        if key == "train_loss":
            self.records.append(value)

    def log_artifact(self, run_id: str, path: Path) -> None:
        assert path.stat().st_size

    def set_terminated(self, run_id: str) -> None:
        pass

    def log_scalar(self, key: str, value: float, step: int) -> None:
        if key == "train_loss":
            self.records.append(value)


class NeptuneRun:
    """Neptune's runs are nested mappings."""

    def __init__(self, records: list[Any] | None = None, path: str = "") -> None:
        self.records: list[Any] = [] if records is None else records
        self.path = path

    def __getitem__(self, key: str) -> NeptuneRun:
        return NeptuneRun(self.records, f"{self.path}/{key}")

    def __setitem__(self, key: str, value: Any) -> None:
        pass

    def append(self, value: Any) -> None:
        if self.path == "/training/train/epoch/loss":
            self.records.append(value)

    def stop(self) -> None:
        pass


class Writer:
    """Stands in for TensorBoard's SummaryWriter, which holds a lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.records: list[float] = []

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        if tag == "Loss/train_loss":
            self.records.append(scalar_value)

    def close(self) -> None:
        pass


class Recorder(sc.Callback):  # type: ignore[misc]
    """Adds each epoch's loss to a list that the user has."""

    def __init__(self, out: list[float]) -> None:
        self.out = out

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self.out.append(net.history[-1, "train_loss"])


@pytest.fixture(autouse=True)
def _neptune(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for Neptune's package, of which skorch imports two classes."""
    names = ("neptune", "neptune.types", "neptune.handler")
    neptune, kinds, handler = map(types.ModuleType, names)
    kinds.File = MagicMock()  # type: ignore[attr-defined]
    handler.Handler = type("Handler", (), {})  # type: ignore[attr-defined]
    for name, module in zip(names, (neptune, kinds, handler), strict=True):
        monkeypatch.setitem(sys.modules, name, module)


def loggers(folder: Path) -> tuple[list[Any], dict[str, Callable[[], int]]]:
    """Return callbacks that record each epoch, and how many records each has."""
    out: list[float] = []
    lines: list[str] = []
    writer, runs = Writer(), [Run(str(folder)) for _ in range(3)]
    neptune = NeptuneRun()
    callbacks = [
        Recorder(out),
        sc.TensorBoard(writer),
        sc.WandbLogger(runs[0], save_model=False),
        sc.MlflowLogger(runs[1], client=runs[1]),
        sc.SacredLogger(runs[2]),
        sc.NeptuneLogger(neptune),
        sc.PrintLog(sink=lines.append),
    ]
    counts = {
        "list": lambda: len(out),
        "TensorBoard": lambda: len(writer.records),
        "W&B": lambda: len(runs[0].records),
        "MLflow": lambda: len(runs[1].records),
        "Sacred": lambda: len(runs[2].records),
        "Neptune": lambda: len(neptune.records),
        "PrintLog": lambda: len([line for line in lines if line.strip()[0].isdigit()]),
    }
    return callbacks, counts


def others(folder: Path) -> list[Any]:
    """Return skorch's callbacks that change or watch the training."""
    return [
        sc.Checkpoint(dirname=str(folder / "all"), monitor=None, f_pickle="net.pkl"),
        sc.TrainEndCheckpoint(dirname=str(folder / "end")),
        sc.EpochScoring("neg_log_loss", on_train=True, name="log_loss", lower_is_better=False),
        sc.BatchScoring("accuracy", on_train=True, name="accuracy", lower_is_better=False),
        sc.PassthroughScoring("train_batch_size", on_train=True),
        sc.EarlyStopping("train_loss", load_best=True),
        sc.GradientNormClipping(1.0),
        sc.Freezer("conv1.*"),
        sc.ParamMapper("fc.bias", fn=torch.nn.init.zeros_),
        sc.LRScheduler("StepLR", step_size=1, gamma=0.5),
        sc.EpochTimer(),
        sc.ProgressBar(),
    ]


def check_effects(model: Any, folder: Path) -> None:
    """Raise unless each callback of ``others`` did what it is for."""
    files = {"params.pt", "optimizer.pt", "criterion.pt", "history.json"}
    assert {path.name for path in (folder / "all").iterdir()} == {*files, "net.pkl"}
    assert {path.name for path in (folder / "end").iterdir()} == {f"train_end_{f}" for f in files}
    history = model.history_
    assert all(value < 0 for value in history[:, "log_loss"])
    assert all(0 <= value <= 1 for value in history[:, "accuracy"])
    assert all(value > 0 for value in history[:, "train_batch_size"])
    assert history[:, "lr"] == pytest.approx([3e-3, 1.5e-3])
    assert not model.module_.conv1.weight.requires_grad


def fit_once(model: Any, X: np.ndarray, y: np.ndarray) -> Any:
    return model.fit(X, y)


def fit_a_clone(model: Any, X: np.ndarray, y: np.ndarray) -> Any:
    return clone(clone(model)).fit(X, y)


def fit_a_deep_copy(model: Any, X: np.ndarray, y: np.ndarray) -> Any:
    return copy.deepcopy(model).fit(X, y)


def validate(model: Any, X: np.ndarray, y: np.ndarray) -> Any:
    return cross_validate(model, X, y, cv=2, return_estimator=True)["estimator"][0]


def search_grid(model: Any, X: np.ndarray, y: np.ndarray) -> Any:
    search = GridSearchCV(model, {"loss": ["cross_entropy", "focal"]}, cv=2)
    return search.fit(X, y).best_estimator_


def search_losses(model: Any, X: np.ndarray, y: np.ndarray) -> Any:
    search = LossSearchCV(model, ["cross_entropy", "brier"], n_trials=2, cv=2, pruner=NopPruner())
    return search.fit(X, y).best_estimator_


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "n_fits"),
    [
        (fit_once, 1),
        (fit_a_clone, 1),
        (fit_a_deep_copy, 1),
        (validate, 2),
        (search_grid, 5),
        (search_losses, 5),
    ],
)
def test_callbacks_work(way: Any, n_fits: int, digits: Data, tmp_path: Path) -> None:
    callbacks, counts = loggers(tmp_path)
    model = classifier(callbacks=[*callbacks, *others(tmp_path)], scheduler=None, max_epochs=EPOCHS)
    fitted = way(model, *digits)
    n_epochs = {name: count() for name, count in counts.items()}
    assert n_epochs == dict.fromkeys(counts, n_fits * EPOCHS)
    check_effects(fitted, tmp_path)


def test_the_users_callbacks_are_not_changed(digits: Data, tmp_path: Path) -> None:
    callbacks, _ = loggers(tmp_path)
    callbacks += others(tmp_path)
    before = [dict(vars(callback)) for callback in callbacks]
    classifier(callbacks=callbacks, scheduler=None).fit(*digits)
    assert [vars(callback) for callback in callbacks] == before


def test_what_cannot_be_copied_is_shared(digits: Data) -> None:
    run = MagicMock(dir="")  # a deep copy of it never ends
    model = classifier(callbacks=[sc.WandbLogger(run, save_model=False)])
    cross_val_score(model, *digits, cv=2)
    assert run.log.call_count == 2


def test_a_callback_that_holds_another_one_holds_its_copy() -> None:
    saved = sc.Checkpoint(dirname="folder")
    model = classifier(callbacks=[("saved", saved), sc.LoadInitState(saved)])
    for copied in (clone(model), copy.deepcopy(model), copy.copy(model)):
        (_, checkpoint), loading = copied.callbacks
        assert loading.checkpoint is checkpoint
    assert checkpoint is saved  # a shallow copy of the estimator shares its parameters
    assert clone(model).callbacks[0][1] is not saved


@pytest.mark.slow
def test_workers_get_copies_and_call_functions(digits: Data, tmp_path: Path) -> None:
    out: list[float] = []
    callbacks = [Recorder(out), lambda: sc.TensorBoard(Writer()), *others(tmp_path)]
    model = classifier(callbacks=callbacks, scheduler=None)
    results = cross_validate(model, *digits, cv=2, n_jobs=2, return_estimator=True)
    assert out == []
    assert all(fitted.n_iter_ == 1 for fitted in results["estimator"])
    again = cross_val_score(model, *digits, cv=2)
    np.testing.assert_array_equal(again, results["test_score"])
    assert len(out) == 2


def test_what_cannot_be_pickled_is_refused_by_name(digits: Data) -> None:
    model = classifier(callbacks=[("board", sc.TensorBoard(Writer()))]).fit(*digits)
    message = "callbacks holds TensorBoard, which cannot be pickled.*_thread.lock.*function without"
    for dumps in (pickle.dumps, cloudpickle.dumps):
        with pytest.raises(TypeError, match=message):
            dumps(model)
    with pytest.raises(pickle.PicklingError) as refused:  # joblib's, with our reason
        cross_val_score(model, *digits, cv=2, n_jobs=2)
    assert "callbacks holds TensorBoard" in str(refused.value.__cause__)
    again = pickle.loads(pickle.dumps(model.set_params(callbacks=None)))
    np.testing.assert_array_equal(again.predict(digits[0]), model.predict(digits[0]))


def test_a_search_with_workers_refuses_what_cannot_be_pickled(digits: Data) -> None:
    model = classifier(callbacks=[sc.TensorBoard(Writer())])
    with pytest.raises(TypeError, match="callbacks holds TensorBoard, which cannot be pickled"):
        LossSearchCV(model, ["focal"], n_trials=2, cv=2, n_jobs=2).fit(*digits)


def test_a_callback_may_hold_the_estimator(digits: Data) -> None:
    model = classifier()
    recorder = Recorder([])
    recorder.model = model
    model.set_params(callbacks=[recorder]).fit(*digits)
    again = pickle.loads(pickle.dumps(model))
    assert again.callbacks[0].model is again


def test_a_function_makes_a_callback_for_each_fit(digits: Data) -> None:
    writers: list[Writer] = []

    def board() -> sc.TensorBoard:
        writers.append(Writer())
        return sc.TensorBoard(writers[-1])

    model = classifier(callbacks=[("board", board), sc.EpochTimer], max_epochs=EPOCHS)
    cross_val_score(model, *digits, cv=3)
    assert [len(writer.records) for writer in writers] == [EPOCHS] * 3
    names = [name for name, _ in model.fit(*digits).net_.callbacks_]
    assert names[-3:] == ["board", "EpochTimer", "print_log"]
    with pytest.raises(
        TypeError, match="function board.*cannot be pickled.*Create what the callback needs"
    ):
        cloudpickle.dumps(model)  # the writers are in the function's variables


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (sc.TensorBoard, "TensorBoard.*cannot be called without arguments.*writer.*an instance"),
        (lambda: 3, "callbacks holds 3. Expected skorch callbacks, functions without arguments"),
        (dict, "callbacks holds <class 'dict'>"),
        ((3, sc.EpochTimer()), "Expected a string as the name of a callback"),
    ],
)
def test_what_makes_no_callback_is_refused(item: Any, message: str, digits: Data) -> None:
    with pytest.raises(ValueError, match=message):
        classifier(callbacks=[item]).fit(*digits)


def test_scikit_learns_callbacks_are_pointed_to_their_place(digits: Data) -> None:
    callback = pytest.importorskip("sklearn.callback")
    with pytest.raises(ValueError, match=r"scikit-learn's callbacks to set_callbacks\(\)"):
        classifier(callbacks=[callback.ScoringMonitor(scoring="accuracy")]).fit(*digits)


def test_tensorboard_writes_events(digits: Data, tmp_path: Path) -> None:
    import_or_skip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    def board() -> sc.TensorBoard:
        return sc.TensorBoard(SummaryWriter(str(tmp_path / "function")))

    shared = sc.TensorBoard(SummaryWriter(str(tmp_path / "shared")))
    cross_val_score(classifier(callbacks=[board, shared]), *digits, cv=2)
    for folder in ("function", "shared"):
        assert len(list((tmp_path / folder).glob("events.*"))) == 2


def test_a_loss_that_a_callback_sets_is_trained(digits: Data) -> None:
    class Exchange(sc.Callback):  # type: ignore[misc]
        def on_train_begin(self, net: Any, **kwargs: Any) -> None:
            net.set_params(criterion__loss=FocalLoss())

    model = classifier(callbacks=[Exchange()]).fit(*digits)
    expected = classifier("focal").fit(*digits)
    assert model.history_[-1, "train_loss"] == expected.history_[-1, "train_loss"]


def test_callbacks_of_the_training_end_with_the_best_weights(digits: Data) -> None:
    class Last(sc.Callback):  # type: ignore[misc]
        def on_train_end(self, net: Any, **kwargs: Any) -> None:
            self.weights = copy.deepcopy(net.module_.state_dict())

    model = classifier(
        early_stopping=True, n_iter_no_change=1, lr=0.3, max_epochs=9, callbacks=[("last", Last())]
    ).fit(*digits)
    assert model.n_iter_ < 9
    seen = dict(model.net_.callbacks_)["last"].weights
    for name, tensor in model.module_.state_dict().items():
        assert torch.equal(tensor, seen[name])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"callbacks__stop__patience": 3}, "callbacks is a list.*Set the whole list"),
        ({"optimizer__betas": (0.5, 0.6)}, r"net_params=\{'optimizer__betas': ...\}"),
        ({"net_params__betas": 3}, "net_params has no parameters of its own"),
    ],
)
def test_parameters_of_what_is_set_as_a_whole_are_refused(
    params: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        classifier(callbacks=[("stop", sc.EarlyStopping())]).set_params(**params)
