"""``LossSearchCV``: the search for the best loss.

``loss_search_cv`` is the estimator. It does its ``setup``, opens the ``stored_search`` and lets
``launch`` score candidates here or in processes (``job``, ``join``, ``worker_process``). Each runs
a ``worker``: it claims a candidate in the ``store``, with values that the ``sampler`` proposes,
and lets ``evaluate`` score it fold after fold. Each of its ``attempts`` is a trial in the storage,
which holds the state of the ``candidate``. Its ``intermediate_results`` are saved there, and let
the ``pruner`` stop it. Sampler and pruner read one ``cached_study`` in memory. ``crashes`` gives
up candidates that end processes, ``progress`` and ``sklearn_callbacks`` inform the user,
``cv_results`` and ``display`` show the outcome, which ``fitted_attributes`` sets.
"""
