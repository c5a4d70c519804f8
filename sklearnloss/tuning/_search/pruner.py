"""The pruner that a search has by default, and those that it cannot have."""

from __future__ import annotations

from typing import Any

from optuna.pruners import BasePruner, SuccessiveHalvingPruner, WilcoxonPruner
from optuna.study import Study
from optuna.trial import FrozenTrial

#: Candidates that must have got as far before one is stopped for being worse than them.
_RIVALS = 2


class HalvingPruner(SuccessiveHalvingPruner):
    """Keeps the better half after half a fold, then whenever the epochs have doubled.

    Optuna's asynchronous successive halving, except that the first candidates, which
    are the defaults of the first losses, are not stopped on the evidence of one other.

    Parameters
    ----------
    n_epochs : int
        Epochs per fold.

    References
    ----------
    L. Li et al., "A system for massively parallel hyperparameter tuning", MLSys 2020.
    https://arxiv.org/abs/1810.05934
    """

    def __init__(self, n_epochs: int) -> None:
        super().__init__(min_resource=max(1, n_epochs // 2), reduction_factor=2)

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Return whether to stop a trial."""
        worse = super().prune(study, trial)  # notes down what the trial has reached, too
        return worse and self._n_rivals(study, trial) >= _RIVALS

    def _n_rivals(self, study: Study, trial: FrozenTrial) -> int:
        step = trial.last_step or 0
        others = study.get_trials(deepcopy=False)
        return sum(t.number != trial.number and (t.last_step or 0) >= step for t in others)


def check_pruner(pruner: BasePruner | None) -> None:
    """Refuse a pruner that takes reported scores for independent, which running means are not.

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
            "pruner=WilcoxonPruner(...) tests scores that are independent of each other, but a "
            "search reports the mean over all folds so far after each epoch, so it would stop far "
            "too many candidates. Pass None (the default), MedianPruner() or NopPruner()."
        )
