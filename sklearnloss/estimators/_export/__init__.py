"""Exports fitted estimators to ONNX files that hold everything from raw images to labels.

``mixin`` adds ``export`` to the estimators. ``network`` has torch export the network alone;
``graph`` puts scaling, padding, probabilities and labels around it; ``metadata`` describes the
model in JSON; and ``check`` runs the file and compares it with the estimator.
"""
