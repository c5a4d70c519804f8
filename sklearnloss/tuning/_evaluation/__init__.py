"""What searches and comparisons share: folds, scorers, digests, interrupts, pipelines.

``folds`` splits the data, ``scoring`` names the metrics, ``pipeline`` finds the estimator with
the loss, ``fingerprint`` and ``function_text`` tell whether data and settings are the same as
before, ``interrupts`` notes Ctrl-C and SIGTERM, and ``sklearn_private`` holds all that is
imported from the private parts of scikit-learn.
"""
