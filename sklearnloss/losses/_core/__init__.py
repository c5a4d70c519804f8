"""The machinery under every loss; each loss is a formula in a module of its own, one level up.

``base`` is the class ``Loss``. A call reads its input in ``inputs``, and becomes a value per
pixel (``pixel``, ``label``), or one per class from sums over the pixels (``region``,
``soft_counts``), which is weighted (``class_weight``, ``class_counts``) and reduced.
``closed_form``, with ``closed_form_pixel`` and ``closed_form_region``, computes large inputs in
little memory, and small masks in few operations.
``compound`` and ``penalty`` add losses up, ``terms`` lists what a sum consists of, and ``names``
holds the registry.

``foreign`` calls losses that are not built in, ``known_losses`` knows those of other libraries,
``torch_cross_entropy`` computes torch's own, and ``argument_order`` refuses functions of
``(y_true, y_pred)``. ``numeric`` has safe functions, ``seeding`` random numbers, ``transfer``
copies to a GPU, ``distance_maps`` what losses on distances share.
"""
