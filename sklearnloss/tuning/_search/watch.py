"""An observer of a search, which may end it at any epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .attempts import RunningCandidate
from .candidate import CandidateState
from .store import CandidateStore

#: A candidate's loss, and its results so far.
Progress = tuple[str, CandidateState]


class OutOfTime(BaseException):
    """The search ends now; a later call resumes the candidate.

    Derives from ``BaseException`` so that it is not mistaken for a failure of the candidate.
    """


class SearchWatch(Protocol):
    """Observes a search from the process that began it."""

    def update(self, candidates: Sequence[Progress]) -> None:
        """Note the candidates so far; called when a fold or a candidate is finished."""

    def is_over(self) -> bool:
        """Return whether the search should end now; called after each epoch."""


def progress(store: CandidateStore, running: RunningCandidate | None = None) -> list[Progress]:
    """Return all candidates as of the last read, and the one that this process works on."""
    results = {row.candidate: (row.values, row.results) for row in store.known_rows}
    if running is not None:
        results[running.number] = (running.values, running.results)
    return [(store.space.loss(values), state) for values, state in results.values()]
