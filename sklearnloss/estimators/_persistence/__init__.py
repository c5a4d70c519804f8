"""Saves fitted estimators to files that run nothing when they are loaded.

``mixin`` adds ``save`` to the estimators, and ``restore`` reads what it wrote. ``codec`` writes
parameters as JSON, and ``file_format`` stores them in a file with the tensors. ``initial_weights``
reads the weights of other networks, and ``weight_layers`` determines the layers that they are for.
``several_models`` stores several estimators in one file, with ``half_precision`` where it loses
nothing.
"""
