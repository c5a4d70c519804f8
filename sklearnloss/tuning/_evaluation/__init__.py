"""Code shared by searches and comparisons: fits, folds, scorers, digests, interrupts.

``folds`` splits the data, ``fit_and_score`` fits an estimator on one split and scores it, and
``outcome`` says how that ended. ``pipeline`` finds the estimator
with the loss, ``fingerprint`` and ``function_text`` make digests that show whether data and
settings have changed, and ``identity`` says what differs. ``interrupts`` records Ctrl-C and
SIGTERM, and ``sklearn_private`` holds all imports from the private parts of scikit-learn.
"""
