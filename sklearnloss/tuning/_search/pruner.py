"""The default pruner of a search, and a check for pruners that it cannot use."""

from __future__ import annotations

from typing import Any

from optuna.pruners import BasePruner, SuccessiveHalvingPruner, WilcoxonPruner
from optuna.study import Study
from optuna.trial import FrozenTrial

#: Number of others that must have got as far before a candidate can be stopped.
_RIVALS = 2


class HalvingPruner(SuccessiveHalvingPruner):
    """Keeps the better half after half a fold, then whenever the epochs have doubled.

    This is Optuna's asynchronous successive halving, except that the first candidates,
    which are the defaults of the first losses, are not stopped after a comparison with
    only one other.

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
        worse = super().prune(study, trial)  # also records the completed rung of the trial
        return worse and self._n_rivals(study, trial) >= _RIVALS

    def _n_rivals(self, study: Study, trial: FrozenTrial) -> int:
        step = trial.last_step or 0
        others = study.get_trials(deepcopy=False)
        return sum(t.number != trial.number and (t.last_step or 0) >= step for t in others)


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
