"""``LossSearchCV``: the search for the best loss.

``loss_search_cv`` is the estimator. It does its ``setup``, opens the ``stored_search`` and lets
``launch`` score candidates here or in processes (``job``, ``join``, ``worker_process``). Each runs
a ``worker``: it claims a candidate in the ``store``, which the ``sampler`` proposes, and lets
``evaluate`` score it fold after fold. Its ``intermediate_results`` are saved in its trial as the
state of a ``candidate``, and let the ``pruner`` stop it. ``shadow_study`` shows the store as an
Optuna study in memory, ``crashes`` gives up candidates that end processes, ``progress`` and
``sklearn_callbacks`` tell the user, ``cv_results`` and ``display`` show the outcome.
"""
