"""Predictions for files, written to files, without torch or scikit-learn.

``model`` says what is needed of a model, whatever runs it. ``tiles`` cuts large images into
overlapping tiles and blends their scores, ``mirroring`` lists mirrored variants of images, and
``decide`` turns probabilities into labels.

``run`` predicts the files that ``inputs`` finds: ``workers`` calls ``predict_one`` for each of
them, which reads it with ``read_input``, numbers objects with ``instances``, draws ``overlays``
and writes the files; ``without_data`` finds pixels that no label is known of, and
``writing`` names errors of the disk. ``options`` says what is written,
``record`` knows what is finished, and ``results`` writes tables. ``command`` is the
command line.

``onnx_model`` runs exported models with ONNX Runtime, on images that ``onnx_images`` checks and
converts; ``onnx_file`` reads the file and refuses damaged ones, and ``open_onnx`` opens it here and
in worker processes.
"""
