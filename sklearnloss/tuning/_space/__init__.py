r"""Search spaces: which losses, and which of their parameters, in which ranges.

``api`` gives them in the forms of scikit-learn and of Optuna. A search ``parse``\ s what the user
passed into a ``search_space`` of losses, each with its ``hyperparameter``\ s.
"""
