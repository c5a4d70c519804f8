"""From images to scores: ``predict`` in batches, ``tiling`` in tiles.

``file_model`` is what predicts files. ``constant_model`` is a model that gives the same answer for every image and pixel.
"""
