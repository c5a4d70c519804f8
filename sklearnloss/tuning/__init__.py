"""Search over losses and their settings, with scikit-learn and with Optuna."""

from ._space import loss_param_distributions, loss_param_grid, suggest_loss

__all__ = ["loss_param_distributions", "loss_param_grid", "suggest_loss"]
