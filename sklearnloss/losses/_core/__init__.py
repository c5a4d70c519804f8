"""The machinery under every loss; each loss is a formula in a module of its own, one level up.

``base`` is the class ``Loss``. A call reads its input in ``inputs``, and becomes a value per
pixel (``pixel``, ``label``), or one per class from sums over the pixels (``region``,
``soft_counts``), which is weighted (``class_weight``, ``class_counts``) and reduced.
``closed_form``, with ``closed_form_pixel`` and ``closed_form_region``, computes large inputs in
little memory, and small masks in few operations.
``compound`` and ``penalty`` add losses up, ``terms`` lists what a sum consists of, and ``names``
holds the registry.

How to write a loss: a class on a base class, which overrides one method or two.

* ``values`` of ``PixelLoss``: the loss of each element.
* ``of_log_p`` of ``LabelLoss``: that of a label, from its log-probability.
* ``_closed_form`` of both: what computes such values faster than their formula.
* ``ratio`` of ``RegionLoss``: a and b of the loss 1 - (a + eps) / (b + eps), from soft counts.
* ``per_class`` of ``RegionLoss``: any other formula on soft counts.
* ``per_sample`` of ``RegionLoss``: the loss of an image, where soft counts do not say enough.

Everything else of the base classes is a helper to call, not to override.

``foreign`` calls losses that are not built in, ``known_losses`` knows those of other libraries,
``torch_cross_entropy`` computes torch's own, and ``argument_order`` refuses functions of
``(y_true, y_pred)``. ``numeric`` has safe functions, ``seeding`` random numbers, ``transfer``
copies to a GPU, ``distance_maps`` what losses on distances share.
"""
