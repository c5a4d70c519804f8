"""Converts what a user passes as X and y to tensors.

``open_item`` opens one image or mask, ``axes`` determines its axes, and ``palettes`` whether its
colors are labels; files are read by the package ``_files``.
``reading`` reads many of them: ``arrays`` all at once, ``rows`` as part of a larger array, ``lazy``
batch by batch, with ``read_ahead`` while the network trains. ``survey`` and ``statistics`` compute
shapes, scaling and labels in one pass, and ``imagenet`` provides a fixed scaling. ``labels`` and
``mask_classes`` turn targets into codes, ``check_images`` rejects inputs without images, and
``file_order`` warns about lists that do not match. ``TrainingData`` in ``dataset`` combines images,
an ``ImageSource``, with codes, the ``Targets`` from ``targets``, and weights.
"""
