"""Predictions for files, written to files, without torch or scikit-learn.

``model`` says what is needed of a model, whatever runs it, and ``decide`` turns its
probabilities into labels.
"""
