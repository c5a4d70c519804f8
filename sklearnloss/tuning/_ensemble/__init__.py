"""The ensemble of a search: of models that it has trained anyway.

``requirements`` refuses what cannot be an ensemble before anything is trained. ``fold_models``
keeps the model of each fold in a file, and ``out_of_fold`` predicts and scores with them the images
that they were not trained on. ``selection`` chooses candidates, ``soup`` averages weights, and
``combine`` makes the ensemble of all that.
"""
