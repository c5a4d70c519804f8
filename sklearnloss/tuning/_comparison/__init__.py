"""``compare_losses``: every loss on the same splits and seeds, and the statistics of the scores.

``settings`` and ``splits`` define what is fitted, ``scorers`` how it is scored. ``fit`` does one
fit and ``fit_log`` saves it; ``fits`` plans all fits and collects their results, and ``run_fits``
runs those that are missing. ``statistics`` evaluates them, and ``image_scores`` and
``image_summary`` do so for single images. ``thresholds`` finds what remains of a difference
with tuned thresholds. ``held_out`` is what each fit keeps for reports, of which ``confusion``,
``examples`` and ``curves`` make tables and pictures.
``results`` holds the result returned to the user, which is ``reported`` like the result with
networks. ``advice`` says what to do, ``tables``, ``wording``, ``text``, ``plot`` and
``thumbnails`` present the scores. ``html`` is the report, made of ``html_parts``, with the
sections ``html_examples``, ``html_classes`` and ``html_training``, and ``origin`` is what it says
of the run that the comparison is part of. ``as_json`` is the same for other programs, and
``png`` writes the small pictures of both.
With several networks, ``effects`` estimates the effects of loss and network.
``network_results`` holds the result, which ``network_tables``, ``network_text``,
``network_plot`` and ``network_html`` present.
``critical_difference`` ranks losses over several data sets.
"""
