"""The common base of all losses; each loss is a formula in a module of its own, one level up.

``base`` has the class ``Loss``. A call checks its input in ``inputs`` and computes a value per
pixel (``pixel``, ``label``), or one per class from sums over the pixels (``region``,
``soft_counts``), which is weighted (``class_weight``, ``class_counts``) and reduced.
``closed_form``, with ``closed_form_pixel`` and ``closed_form_region``, computes large inputs in
little memory, and small masks in few operations.
``compound`` adds up losses and the penalties of ``penalty``, ``terms`` lists the terms of a sum,
and ``names`` holds the registry.

How to write a loss: subclass one of the base classes and override one or two methods.

* ``values`` of ``PixelLoss``: the loss of each element.
* ``of_log_p`` of ``LabelLoss``: the loss of a label, from its log-probability.
* ``_closed_form`` of both: a faster way to compute the values than their formula.
* ``ratio`` of ``RegionLoss``: a and b of the loss 1 - (a + eps) / (b + eps), from soft counts.
* ``per_class`` of ``RegionLoss``: any other formula on soft counts.
* ``per_sample`` of ``RegionLoss``: the loss of an image, where soft counts do not suffice.

Everything else in the base classes is a helper to call, not to override.

``foreign`` calls losses that are not built in, ``known_losses`` lists those of other libraries,
``torch_cross_entropy`` computes torch's own, and ``argument_order`` refuses functions of
``(y_true, y_pred)``. ``numeric`` has safe functions, ``seeding`` seeds random generators,
``transfer`` copies to a GPU, and ``distance_maps`` serves losses based on distances.
"""
