"""What searches and comparisons share: fits, folds, scorers, digests, interrupts.

``folds`` splits the data, ``fit_and_score`` fits an estimator on one split and scores it, and
``outcome`` says how that ended. ``scoring`` names the metrics, ``pipeline`` finds the estimator
with the loss, ``fingerprint`` and ``function_text`` tell whether data and settings are the same
as before, ``interrupts`` notes Ctrl-C and SIGTERM, and ``sklearn_private`` holds all that is
imported from the private parts of scikit-learn.
"""
