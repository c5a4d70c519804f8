"""``compare_losses``: every loss on the same splits and seeds, and the statistics of the scores.

``settings`` and ``splits`` define what is fitted, ``scorers`` how it is scored. ``fit`` does one
fit and ``fit_log`` saves it; ``fits`` plans all fits and collects their results, and ``run_fits``
runs those that are missing. ``statistics`` evaluates them, and ``image_scores`` and
``image_summary`` do so for single images. ``thresholds`` finds what remains of a difference
with tuned thresholds.
``results`` holds the result returned to the user. ``tables``, ``wording``, ``text``, ``plot``,
``html_parts``, ``thumbnails`` and ``html`` present it.
With several networks, ``effects`` estimates the effects of loss and network.
``network_results`` holds the result, which ``network_tables``, ``network_text``,
``network_plot`` and ``network_html`` present.
``critical_difference`` ranks losses over several data sets.
"""
