"""``compare_losses``: the same splits and seeds for every loss, and what follows from the scores.

``settings`` and ``splits`` say what is fitted, ``scorers`` how it is scored. ``fit`` does one fit,
``fit_log`` keeps it; ``fits`` plans and collects all, and ``run_fits`` does what is left.
``statistics`` evaluates them, ``image_scores`` and ``image_summary`` do so for single images.
``results`` is what the user gets, with ``wording`` in words, as ``tables``, ``text``, a ``plot``,
and ``html`` of ``html_parts`` with ``thumbnails``.
With several networks, ``effects`` are those of loss and network. ``network_results`` is what the
user gets, as ``network_tables``, ``network_text``, ``network_plot`` and ``network_html``.
``critical_difference`` ranks losses over several data sets.
"""
