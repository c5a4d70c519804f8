"""``sklearnloss demo``: ``compare_losses`` on two data sets that come with the packages.

``_tasks`` holds images, estimators, losses and scores, ``_figure`` draws the picture, and
``_run`` runs both comparisons.
"""

from ._run import run_demo

__all__ = ["run_demo"]
