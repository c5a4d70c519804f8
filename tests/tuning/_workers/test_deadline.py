from __future__ import annotations

import pickle
import time

import pytest

from sklearnloss.tuning._workers.deadline import Deadline


def test_a_deadline_is_past_when_its_seconds_are_over() -> None:
    assert Deadline(-1).is_past()
    assert not Deadline(60).is_past()


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_setting_the_system_clock_does_not_matter(
    jump: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    early, late = Deadline(60), Deadline(-1)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + jump)
    assert not early.is_past()
    assert late.is_past()


def test_a_deadline_is_the_same_moment_in_a_process_that_reads_it_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    contents = [pickle.dumps(Deadline(seconds)) for seconds in (60.0, 3600.0)]
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 600.0)
    assert [pickle.loads(content).is_past() for content in contents] == [True, False]


def test_a_clock_that_was_set_back_gives_no_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    content = pickle.dumps(Deadline(-1.0))
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() - 3600.0)
    assert pickle.loads(content).is_past()
