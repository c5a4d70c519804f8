"""A check for pruners that a search cannot use."""

from __future__ import annotations

from typing import Any

from optuna.pruners import BasePruner, WilcoxonPruner


def check_pruner(pruner: BasePruner | None) -> None:
    """Refuse a pruner that assumes independent scores, which running means are not.

    Raises
    ------
    ValueError
        If it is a ``WilcoxonPruner``, or wraps one.
    """
    inner: Any = pruner
    while hasattr(inner, "_wrapped_pruner"):
        inner = inner._wrapped_pruner
    if isinstance(inner, WilcoxonPruner):
        raise ValueError(
            "pruner=WilcoxonPruner(...) assumes independent scores, but a search reports the mean "
            "over all folds so far after each epoch, so it would stop far too many candidates. "
            "Pass None (the default), MedianPruner() or NopPruner()."
        )
