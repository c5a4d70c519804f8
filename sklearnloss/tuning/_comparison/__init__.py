"""``compare_losses``: the same splits and seeds for every loss, and what follows from the scores.

``losses`` and ``splits`` say what is fitted, ``scorers`` how it is scored. ``fit`` does one fit,
``fit_log`` keeps it; ``fits`` plans and collects all. ``statistics`` evaluates them,
``image_scores`` and ``image_summary`` do so for single images. ``results`` is what the user gets,
with ``verdicts`` in words, as ``tables``, ``text``, a ``plot``, and ``html`` with ``thumbnails``.
``critical_difference`` ranks losses over several data sets.
"""
