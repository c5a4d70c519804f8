"""Search over losses and their settings, with scikit-learn and with Optuna."""

from ._comparison.compare_losses import compare_losses
from ._comparison.critical_difference import CriticalDifference, critical_difference
from ._comparison.network_results import NetworkComparison
from ._comparison.results import LossComparison
from ._search.display import LossSearchDisplay
from ._search.front_display import ParetoFrontDisplay
from ._search.join import join_search
from ._search.loss_search_cv import LossSearchCV
from ._space.api import loss_param_distributions, loss_param_grid, suggest_loss

__all__ = [
    "CriticalDifference",
    "LossComparison",
    "LossSearchCV",
    "LossSearchDisplay",
    "NetworkComparison",
    "ParetoFrontDisplay",
    "compare_losses",
    "critical_difference",
    "join_search",
    "loss_param_distributions",
    "loss_param_grid",
    "suggest_loss",
]
