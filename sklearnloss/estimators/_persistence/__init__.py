"""Fitted estimators in files that run nothing when they are loaded.

``mixin`` adds ``save`` to the estimators and ``restore`` reads what it wrote. ``codec`` writes
parameters as JSON, ``file_format`` puts them into a file beside the tensors, ``temporary_file``
replaces a file at once. ``initial_weights`` reads the weights of other networks, and
``weight_layers`` says for which layers they are.
"""
