"""From images to scores: ``predict`` in batches, ``tiling`` in tiles.

``file_model`` lets a fitted estimator predict files. ``constant_model`` is a model that gives the
same answer for every image and pixel. ``probability_counts`` counts how often probabilities are
above thresholds, and ``temperature`` finds the factor by which scores are too large.
``averaged_net`` averages the probabilities of several networks, and ``stored_predictions`` lets
known ones be scored like a model's.
"""
