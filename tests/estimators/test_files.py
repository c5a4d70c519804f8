"""One image from a file, also from several threads."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sklearnloss.estimators._files import read_image


@pytest.mark.parametrize("kind", [".npy", ".npz"])
def test_only_one_thread_at_a_time_reads_a_header(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    path = tmp_path / f"a{kind}"
    if kind == ".npy":
        np.save(path, array)
    else:
        np.savez(path, array)
    load, inside, most = np.load, threading.Semaphore(), []

    def slow_load(*args: Any, **kwargs: Any) -> Any:
        most.append(inside.acquire(blocking=False))
        time.sleep(0.01)
        inside.release()
        return load(*args, **kwargs)

    monkeypatch.setattr(np, "load", slow_load)
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(lambda _: read_image(path).values, range(8)))
    assert most == [True] * 8
    for each in read:
        assert type(each) is np.ndarray
        np.testing.assert_array_equal(each, array)


@pytest.mark.parametrize("shape", [(0, 4), (), (3, 0)])
def test_empty_arrays_are_read_as_they_are(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "a.npy", np.zeros(shape))
    assert read_image(tmp_path / "a.npy").values.shape == shape
