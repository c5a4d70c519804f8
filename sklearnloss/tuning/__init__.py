"""Search over losses and their settings, with scikit-learn and with Optuna."""

from ._compare import compare_losses
from ._comparison import LossComparison
from ._critical_difference import CriticalDifference, critical_difference
from ._join import join_search
from ._search import LossSearchCV
from ._search_display import LossSearchDisplay
from ._space import loss_param_distributions, loss_param_grid, suggest_loss

__all__ = [
    "CriticalDifference",
    "LossComparison",
    "LossSearchCV",
    "LossSearchDisplay",
    "compare_losses",
    "critical_difference",
    "join_search",
    "loss_param_distributions",
    "loss_param_grid",
    "suggest_loss",
]
