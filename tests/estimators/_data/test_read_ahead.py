"""Samples that are read while the network trains on those before them."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch.utils.data import Dataset

from sklearnloss.estimators._data import read_ahead as module
from sklearnloss.estimators._data.read_ahead import read_ahead

from ..conftest import Data, classifier, segmenter

BATCHES = [range(4), range(4, 8), range(8, 12)]


@pytest.fixture(autouse=True)
def no_threads_are_left() -> Iterator[None]:
    """Compare the threads after a test with those before it."""
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def wait_for(condition: Any) -> None:
    """Wait until something is true, ten seconds at most."""
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not become true")


@pytest.mark.parametrize("n_threads", [0, 1, 3])
def test_batches_come_in_their_order(n_threads: int) -> None:
    def read(position: int) -> int:
        time.sleep(0.01 * (position % 2))
        return position**2

    squares = [[k**2 for k in batch] for batch in BATCHES]
    assert list(read_ahead(read, BATCHES, n_threads)) == squares
    assert list(read_ahead(read, [], n_threads)) == []


@pytest.mark.parametrize("n_threads", [1, 3])
def test_one_batch_is_read_while_another_is_in_use(n_threads: int) -> None:
    done: list[int] = []
    batches = read_ahead(done.append, BATCHES, n_threads)
    next(batches)
    wait_for(lambda: len(done) == 8)
    time.sleep(0.05)
    assert sorted(done) == list(range(8))  # and no more of them
    next(batches)
    wait_for(lambda: len(done) == 12)


@pytest.mark.parametrize("n_threads", [0, 1, 3])
def test_an_error_is_raised_when_its_batch_is_due(n_threads: int) -> None:
    def read(position: int) -> int:
        if position == 5:
            raise ValueError("the fifth")
        return position

    batches = read_ahead(read, BATCHES, n_threads)
    assert next(batches) == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="the fifth"):
        next(batches)
    assert list(batches) == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_threads_end_with_a_loop_that_raises(error: type[BaseException]) -> None:
    def loop() -> None:
        for _ in read_ahead(lambda position: position, BATCHES, 3):
            raise error

    before = threading.active_count()
    with pytest.raises(error) as raised:
        loop()
    assert threading.active_count() == before
    assert raised.traceback  # which is still there


class Watched(Dataset):  # type: ignore[type-arg]
    """Images and labels that notice in which order and by how many threads they are read."""

    def __init__(self, X: np.ndarray, y: np.ndarray, noise: float = 0) -> None:
        self.X, self.y, self.noise = X.astype(np.float32), y, noise
        self.order: list[int] = []
        self.n_reading = self.most_reading = 0

    def __len__(self) -> int:
        return len(self.X)

    def __getitem__(self, index: int) -> Any:
        self.n_reading += 1
        self.most_reading = max(self.most_reading, self.n_reading)
        self.order.append(index)
        time.sleep(0.001)
        image = torch.from_numpy(self.X[index]) + self.noise * torch.rand(8, 8)
        self.n_reading -= 1
        return image, self.y[index]


def test_a_dataset_is_read_in_order_and_by_one_thread_at_a_time(digits: Data) -> None:
    data = Watched(digits[0][:20], digits[1][:20])
    model = classifier(batch_size=4).fit(data)
    assert data.most_reading == 1
    assert data.order[-40:-20] == list(range(20))
    assert sorted(data.order[-20:]) == list(range(20))
    data.order.clear()
    model.predict(data)
    assert data.order == list(range(20))
    assert data.most_reading == 1


def drawing_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Draw random numbers too, from a seed of its own."""
    noisy = logits + 0.1 * torch.randn_like(logits)
    return torch.nn.functional.cross_entropy(noisy, target)


def test_random_numbers_of_a_dataset_are_those_without_reading_ahead(
    digits: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = []
    for ahead in (0, 1, 1):
        monkeypatch.setattr(module, "AHEAD", ahead)
        torch.manual_seed(0)
        data = Watched(digits[0][:32], digits[1][:32], noise=4)
        losses.append(classifier(drawing_loss, max_epochs=3, batch_size=4).fit(data).history_)
    first, *others = [history[:, "train_loss"] for history in losses]
    assert others == [first, first]


class Connection(Dataset):  # type: ignore[type-arg]
    """Images in a database, which only the thread that opened it may read."""

    def __init__(self, X: np.ndarray, y: np.ndarray, path: Path) -> None:
        self.database = sqlite3.connect(path)
        self.database.execute("create table images (k integer, pixels blob)")
        rows = [(k, image.astype(np.float32).tobytes()) for k, image in enumerate(X)]
        self.database.executemany("insert into images values (?, ?)", rows)
        self.y = y

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> Any:
        found = self.database.execute("select pixels from images where k = ?", (index,))
        pixels = np.frombuffer(found.fetchone()[0], np.float32)
        return torch.from_numpy(pixels.reshape(8, 8).copy()), self.y[index]


def test_a_dataset_that_one_thread_alone_may_read_is_read(digits: Data, tmp_path: Path) -> None:
    X, y = digits[0][:20], digits[1][:20]
    data = Connection(X, y, tmp_path / "images.db")
    model = classifier(batch_size=4).fit(data)
    expected = classifier(batch_size=4).fit(Watched(X, y))
    assert model.history_[:, "train_loss"] == expected.history_[:, "train_loss"]
    np.testing.assert_array_equal(model.predict(data), expected.predict(X))
    data.database.close()


class Raises(Callback):  # type: ignore[misc]
    """Ends the training at its second batch."""

    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def on_batch_end(self, net: Any, **_: Any) -> None:
        """Raise the error."""
        if len(net.history[-1]["batches"]) == 2:
            raise self.error("stop")


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_fit_that_is_stopped_leaves_no_threads(
    error: type[BaseException], scenes: Data, tmp_path: Path
) -> None:
    paths = []
    for k, image in enumerate(scenes[0]):
        paths.append(tmp_path / f"{k:02}.npy")
        np.save(paths[-1], image)
    model = segmenter(batch_size=2, callbacks=[Raises(error)])
    before = threading.active_count()
    try:
        model.fit(paths, scenes[1])
    except RuntimeError:
        assert threading.active_count() == before
    assert threading.active_count() == before


def test_a_file_that_disappears_is_named_at_its_batch(scenes: Data, tmp_path: Path) -> None:
    paths = []
    for k, image in enumerate(scenes[0]):
        paths.append(tmp_path / f"{k:02}.npy")
        np.save(paths[-1], image)

    class Removes(Callback):  # type: ignore[misc]
        """Removes the first file when the first epoch is over."""

        def on_epoch_end(self, net: Any, **_: Any) -> None:
            """Remove it."""
            paths[0].unlink(missing_ok=True)

    with pytest.raises(FileNotFoundError, match=r"00\.npy"):
        segmenter(batch_size=2, max_epochs=2, callbacks=[Removes()]).fit(paths, scenes[1])
