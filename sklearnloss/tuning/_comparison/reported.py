"""What the results of all comparisons have in common: they are printed, shown and reported."""

from __future__ import annotations

import abc
import os
from pathlib import Path


class Reported(abc.ABC):
    """A result with a summary as text, and a report as HTML."""

    @abc.abstractmethod
    def summary(self) -> str:
        """Return the tables and the verdicts as text."""

    @abc.abstractmethod
    def _render_report(self) -> str:
        """Return the report as a page of HTML."""

    @abc.abstractmethod
    def _render_snippet(self) -> str:
        """Return HTML for a notebook."""

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Write a report: a single, self-contained HTML file.

        Its pictures need matplotlib, ``pip install 'sklearnloss[report]'``; without it they
        are left out.

        Parameters
        ----------
        path : str or path-like
            The file; missing folders are created.

        Returns
        -------
        path : Path
        """
        return write_page(path, self._render_report())

    def _repr_html_(self) -> str:
        return self._render_snippet()

    def __str__(self) -> str:
        return self.summary()


def write_page(path: str | os.PathLike[str], text: str) -> Path:
    """Write a text as UTF-8 into a file, whose missing folders are created."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return target
