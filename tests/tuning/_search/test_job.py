from __future__ import annotations

import stat
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from optuna.samplers import RandomSampler
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sklearnloss.losses import FocalLoss, get_loss, register_loss
from sklearnloss.losses._core import names as _names
from sklearnloss.tuning._search.evaluate import Task
from sklearnloss.tuning._search.job import FILE, PREFIX, Job, remove, remove_left_over, sign
from sklearnloss.tuning._search.worker import Budget
from sklearnloss.tuning._space.parse import read_space
from sklearnloss.tuning._workers.liveness import Owner, _start_of
from sklearnloss.tuning._workers.private_files import write_private

from ..processes import trap_of

DATA = np.arange(24.0).reshape(6, 4)

#: The type of texts that numpy 2 has.
TEXT: Any = getattr(np.dtypes, "StringDType", lambda: object)()


def _job(X: Any, y: Any = None, **fit_params: Any) -> Job:
    model = LogisticRegression()
    task = Task(model, X, y, None, fit_params, {}, [], None, 0)
    space = read_space(model, None, {"C": (0.1, 1.0)})
    return Job(task, space, "study", None, None, Budget(3, None), "call")


def _through(folder: Path, X: Any, **fit_params: Any) -> Job:
    _job(X, np.arange(6), **fit_params).write(folder)
    return Job.read(folder)


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_are_mapped(order: Any, tmp_path: Path) -> None:
    X = np.array(DATA, order=order)
    read = _through(tmp_path, X, sample_weight=np.ones(6))
    for array, name in [
        (read.task.X, "X"),
        (read.task.y, "y"),
        (read.task.fit_params["sample_weight"], "fit-sample_weight"),
    ]:
        assert isinstance(array, np.memmap)
        assert Path(str(array.filename)) == tmp_path / f"{name}.npy"
        assert not array.flags.writeable
    np.testing.assert_array_equal(read.task.X, X)
    assert read.task.X.flags.f_contiguous == (order == "F")
    assert read.task.X.dtype == X.dtype


def test_a_folder_may_be_seen_under_another_name(tmp_path: Path) -> None:
    _job(DATA).write(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    np.testing.assert_array_equal(Job.read(tmp_path / "there").task.X, DATA)


def test_what_is_in_a_file_stays_there(tmp_path: Path) -> None:
    np.save(tmp_path / "mine.npy", DATA)
    X = np.load(tmp_path / "mine.npy", mmap_mode="r")
    read = _through(tmp_path / "job", X)
    assert Path(read.task.X.filename) == tmp_path / "mine.npy"
    assert not (tmp_path / "job" / "X.npy").exists()
    np.testing.assert_array_equal(read.task.X, DATA)


@pytest.mark.parametrize("kind", ["rows", "columns", "changed", "reshaped"])
def test_a_part_of_a_file_or_a_changed_one_is_copied(kind: str, tmp_path: Path) -> None:
    np.save(tmp_path / "mine.npy", DATA)
    X = np.load(tmp_path / "mine.npy", mmap_mode="c" if kind == "changed" else "r")
    if kind == "changed":
        X[0] = -1.0
    X = {"rows": X[2:], "columns": X[:, ::2], "changed": X, "reshaped": X.reshape(3, 8)}[kind]
    np.testing.assert_array_equal(_through(tmp_path / "job", X).task.X, X)


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8, torch.bool])
def test_tensors_are_mapped(dtype: torch.dtype, tmp_path: Path) -> None:
    X = torch.arange(24).reshape(6, 4).to(dtype)
    read = _through(tmp_path, X).task.X
    assert read.dtype == dtype
    assert torch.equal(read, X)
    assert (tmp_path / "X.npy").exists()


@pytest.mark.parametrize(
    "X",
    [
        np.array(["a", "b"], TEXT),
        ["a.png", "b.png"],
        np.array(["a", None], dtype=object),
        np.ma.masked_array([1.0, 2.0], [True, False]),
        torch.ones(3, dtype=torch.bfloat16),
    ],
)
def test_other_data_travel_in_the_job(X: Any, tmp_path: Path) -> None:
    read = _through(tmp_path, X).task.X
    assert type(read) is type(X)
    assert str(read) == str(X)


def test_only_the_owner_can_read_a_job(tmp_path: Path) -> None:
    _job(DATA).write(tmp_path / "job")
    assert stat.S_IMODE((tmp_path / "job").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "job" / FILE).stat().st_mode) == 0o600


@pytest.mark.parametrize("which", ["folder", "file"])
def test_a_job_that_others_could_have_written_is_run_only_if_it_is_trusted(
    which: str, tmp_path: Path
) -> None:
    folder, sprung = tmp_path / "job", tmp_path / "sprung"
    folder.mkdir(mode=0o700)
    write_private(folder / FILE, trap_of(sprung))
    (folder if which == "folder" else folder / FILE).chmod(0o777)
    with pytest.raises(
        PermissionError, match=r"by others \(mode 777\)\. .* --job '.*job'"
    ) as caught:
        Job.read(folder)
    assert not sprung.exists()
    assert str(folder) in str(caught.value)
    with pytest.raises(TypeError):  # it is not a job
        Job.read(folder, trusted=True)
    assert sprung.exists()


def test_a_job_is_verified_by_its_digest_on_file_systems_without_owners(tmp_path: Path) -> None:
    folder, sprung = tmp_path / "job", tmp_path / "sprung"
    digest = _job(DATA).write(folder)
    folder.chmod(0o777)
    np.testing.assert_array_equal(Job.read(folder, digest=digest).task.X, DATA)
    (folder / FILE).write_bytes(trap_of(sprung))
    with pytest.raises(PermissionError, match=r"job\.pkl' was changed by somebody else"):
        Job.read(folder, digest=digest)
    assert not sprung.exists()


class Locked(LogisticRegression):  # type: ignore[misc]
    """Has a parameter more."""

    def __init__(self, callbacks: Any = None, C: float = 1.0) -> None:
        super().__init__(C=C)
        self.callbacks = callbacks


class Writer:
    """Cannot be pickled."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"estimator": Locked([("a", 3), ("board", Writer())])}, "estimator__callbacks with its W"),
        ({"estimator": Locked(Writer())}, r"estimator__callbacks=Writer\(...\)"),
        ({"estimator": make_pipeline(Locked([Writer()]))}, "estimator__locked__callbacks with its"),
        ({"scorer": Writer()}, r"scoring=Writer\(...\)"),
        ({"X": Writer()}, r"X=Writer\(...\)"),
        ({"fit_params": {"extra": Writer()}}, r"extra=Writer\(...\)"),
    ],
)
def test_a_parameter_that_cannot_be_pickled_is_named(
    changed: dict[str, Any], named: str, tmp_path: Path
) -> None:
    job = _job(DATA)
    job = replace(job, task=replace(job.task, **changed))
    with pytest.raises(
        TypeError, match=rf"{named}.* cannot be pickled.*_thread.lock.*n_jobs=1, and without a data"
    ):
        job.write(tmp_path / "job")
    assert not (tmp_path / "job" / FILE).exists()


def test_a_sampler_that_cannot_be_pickled_is_named(tmp_path: Path) -> None:
    sampler: Any = RandomSampler()
    sampler.writer = Writer()
    with pytest.raises(TypeError, match=r"sampler=RandomSampler\(...\) cannot be pickled"):
        replace(_job(DATA), sampler=sampler).write(tmp_path / "job")


def test_registered_losses_travel_with_a_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for names in (_names.USER_LOSSES, _names.USER_SPACES):
        monkeypatch.setitem(names, "mine", None)  # forgotten at the end
    register_loss("mine", type("Mine", (FocalLoss,), {}))
    _job(DATA).write(tmp_path)
    _names.USER_LOSSES.clear()
    Job.read(tmp_path)
    assert type(get_loss("mine")).__name__ == "Mine"


def test_only_folders_of_jobs_are_removed(tmp_path: Path) -> None:
    for name in (f"{PREFIX}1", "precious"):
        (tmp_path / name).mkdir()
        remove(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


@pytest.mark.parametrize("ended", [True, False])
def test_data_of_a_killed_search_are_removed_by_the_next_one(ended: bool, tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    try:
        owner = Owner()
        owner.token |= {"pid": process.pid, "start": _start_of(process.pid)}
        folder = tmp_path / f"{PREFIX}left"
        folder.mkdir(mode=0o700)
        sign(folder, owner)
        if ended:
            process.kill()
            process.wait()
        remove_left_over(tmp_path, Owner())
        assert folder.exists() is not ended
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("kind", ["unsigned", "of others", "nonsense", "elsewhere", "a link"])
def test_no_other_folder_is_removed(kind: str, tmp_path: Path) -> None:
    dead, folder = Owner(), tmp_path / f"{PREFIX}left"
    dead.token["pid"], dead.token["start"] = 2**30, "1"
    target = tmp_path / "target" if kind == "a link" else folder
    target.mkdir(mode=0o700)
    if kind == "a link":
        folder.symlink_to(target)
    if kind == "nonsense":
        write_private(target / "owner.json", b'{"pid": 3}')
    elif kind != "unsigned":
        dead.token["host"] = "elsewhere" if kind == "elsewhere" else dead.token["host"]
        sign(target, dead)
    if kind == "of others":
        folder.chmod(0o777)
    remove_left_over(tmp_path, Owner())
    assert target.exists()
