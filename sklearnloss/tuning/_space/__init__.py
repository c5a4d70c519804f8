r"""Search spaces: losses, their parameters, and the ranges of these.

``api`` provides them in the formats of scikit-learn and of Optuna. A search ``parse``\ s the user's
arguments into a ``search_space`` of losses, each with its ``hyperparameter``\ s, and the user's
``initial_candidates``. The ``menu`` lists the losses that are tried if the user names none.
"""
