"""``LossSearchCV``: the search for the best loss.

``loss_search_cv`` is the estimator. It runs ``setup``, opens the ``stored_search``, whose
``stored_space`` may change, perhaps as a ``longer_search`` that begins with the best of a shorter
one, and calls ``launch``, which scores candidates in this process or in others (``job``, ``join``,
``worker_process``). Each process runs a ``worker``, which claims a candidate in the ``store``, with
values that the ``sampler`` proposes, and calls ``evaluate`` to score it fold by fold. Each of the
``attempts`` at a candidate is a trial in the storage, which holds the state of the ``candidate``
and the ``candidate_settings``. A ``time_limit`` may end it.
Its ``intermediate_results`` are saved there, and reported to the ``pruner``, which may stop it.
Without a pruner of the user, a ``candidate_race`` decides that. On a cluster, the worker is that of
``cluster``, whose folds are trained by ``remote_fold``. Sampler and pruner read a ``cached_study``
in memory: the same one, unless there are several ``goals``, of which only the sampler knows. The
candidates that are best at these are the ``pareto`` front, drawn by the ``front_display``.
``crashes`` abandons candidates that crash
processes, ``progress`` and ``sklearn_callbacks`` inform the user, a ``watch`` may end the search,
``fitted_attributes`` sets the results, with the models ``combined`` if that is wanted, and
``cv_results``, ``score_curves`` and ``display`` present them. The ``verdict`` says how sure it is
that the best loss is better than others, and ``decide`` what to do after a search.
"""
