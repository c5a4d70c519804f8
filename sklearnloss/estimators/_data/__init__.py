"""From what a user passes as X and y to tensors.

``items`` opens one image or mask: ``files`` reads it with ``pictures`` (Pillow) or ``tiff``,
``pixels`` and ``axes`` say which axes it has, and ``palettes`` whether its colors are labels.
``reading`` reads many of them: ``arrays`` at once, ``rows`` as a part of a larger array, ``lazy``
batch by batch, with ``read_ahead`` while the network trains. ``survey`` and ``statistics`` learn
shapes, scaling and labels in one pass, and ``imagenet`` knows a scaling. ``labels`` and
``mask_classes`` turn targets into codes, ``check_images`` refuses what holds no images, and
``file_order`` warns of lists that do not match. ``TrainingData`` of ``dataset`` joins images, an
``ImageSource``, with codes, the ``Targets`` of ``targets``, and weights.
"""
