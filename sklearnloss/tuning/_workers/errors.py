"""Exceptions that are sent from one process to another."""

from __future__ import annotations

import pickle
import traceback

import cloudpickle


def pickled_error(error: Exception) -> bytes:
    """Pickle an error, with its traceback, so that it can be read in any process."""
    error.add_note("".join(["In a worker process:\n", *traceback.format_exception(error)]))
    try:
        content = cloudpickle.dumps(error)
        pickle.loads(content)
    except Exception:
        content = cloudpickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
    return bytes(content)
