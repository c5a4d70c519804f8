from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

import pytest

from sklearnloss.tuning._workers import liveness as _owner
from sklearnloss.tuning._workers.liveness import Heartbeat, Owner

from ..processes import wait_until


def _child(owner: Owner, pid: int) -> dict[str, Any]:
    return {**owner.token, "pid": pid, "start": _owner._start_of(pid), "search": "another"}


def test_a_search_in_this_process_is_alive_while_it_runs() -> None:
    with Owner() as owner:
        assert Owner().is_alive(owner.token, None, 0)
    assert not Owner().is_alive(owner.token, None, 0)


def test_another_process_is_alive_until_it_ends_even_if_nobody_reaped_it() -> None:
    owner = Owner()
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    token = _child(owner, process.pid)
    assert owner.is_alive(token, None, 0)
    process.kill()
    wait_until(lambda: not owner.is_alive(token, None, 0))
    process.wait()
    assert not owner.is_alive(token, None, 0)


def test_a_later_process_with_the_same_number_is_another_one() -> None:
    owner = Owner()
    assert owner.is_alive(_child(owner, os.getppid()), None, 0)
    assert not owner.is_alive({**_child(owner, os.getppid()), "start": "1"}, None, 0)


def test_elsewhere_only_signs_of_life_count(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    owner = Owner()
    token = {**owner.token, "host": "elsewhere"}
    assert owner.is_alive(token, None, 7)  # since when it has been silent is not known
    now[0] += _owner.GRACE - 1
    assert owner.is_alive(token, None, 7)
    assert owner.is_alive(token, 1, 7)
    now[0] += _owner.GRACE - 1
    assert owner.is_alive(token, 1, 7)
    assert owner.is_alive(token, None, 8)  # another candidate
    now[0] += 2
    assert not owner.is_alive(token, 1, 7)
    assert owner.is_alive(token, 2, 7)


def test_where_processes_cannot_be_seen_signs_of_life_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_owner, "_sees_processes", lambda: False)
    owner, dead = Owner(), {**Owner().token, "pid": 2**30}
    assert owner.is_alive(dead, None, 0)
    monkeypatch.setattr(_owner, "GRACE", -1.0)
    assert not owner.is_alive(dead, None, 0)


def test_machines_and_containers_have_unlike_names() -> None:
    name, boot, namespace = _owner._host().split("/", 2)
    assert name
    assert len(boot) == 36
    assert namespace.startswith("pid:[")


def test_workers_of_a_fit_name_it() -> None:
    owner = Owner()
    assert owner.token["call"] == owner.token["search"]
    worker = Owner(owner.token["call"])
    assert worker.token["call"] == owner.token["call"]
    assert worker.token["search"] != owner.token["search"]


def test_a_heart_beats_until_the_work_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_owner, "BEAT", 0.01)
    beats: list[int] = []

    def beat(count: int) -> None:
        beats.append(count)
        if count == 2:
            raise OSError("the storage is away for a moment")

    with Heartbeat(beat):
        wait_until(lambda: len(beats) >= 4)
    n = len(beats)
    time.sleep(0.05)
    assert beats == list(range(1, n + 1))
