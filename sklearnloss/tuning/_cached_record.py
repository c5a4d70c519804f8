"""The candidates of a search, kept in memory for when their storage is lost."""

from __future__ import annotations

from typing import Any

from optuna.trial import TrialState, create_trial

from ._record import Claim, Record, Row


class CachedRecord(Record):
    """A record that still knows its candidates when the storage cannot be read any more.

    The disk may be full, or the file deleted: what was trained is not lost for this
    process, the candidate that could not be written down included.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._rows: list[Row] = []
        self._unsaved: dict[int, Row] = {}  # by candidate

    def rows(self) -> list[Row]:
        """Return all candidates by number."""
        self._rows = super().rows()
        return self._rows

    def finish(self, claim: Claim, state: TrialState, value: float | None) -> None:
        """Keep what became of a candidate, in memory if the storage does not take it."""
        try:
            super().finish(claim, state, value)
        except Exception:
            self._unsaved[claim.candidate] = self._finished(claim, state, value)
            raise

    def _finished(self, claim: Claim, state: TrialState, value: float | None) -> Row:
        trial = create_trial(
            state=state,
            value=value,
            params=dict(claim.values),
            distributions=self.space.distributions(claim.values),
            user_attrs={"candidate": claim.candidate, "results": claim.results},
        )
        return Row(claim.candidate, trial)

    def known_rows(self) -> list[Row]:
        """Return all candidates as far as they are known, from the storage if it is there."""
        try:
            rows = self.rows()
        except Exception:  # whatever was wrong with it is being raised already
            rows = self._rows
        known = {row.candidate: row for row in rows} | self._unsaved
        return [known[number] for number in sorted(known)]
