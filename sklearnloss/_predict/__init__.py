"""Predictions for files, written to files, without torch or scikit-learn.

``model`` says what is needed of a model, whatever runs it. ``tiles`` cuts large images into
overlapping tiles and blends their scores. ``onnx_model`` runs exported models with ONNX Runtime,
on images that ``onnx_images`` checks and converts; ``onnx_file`` reads the file and refuses
damaged ones.
"""
