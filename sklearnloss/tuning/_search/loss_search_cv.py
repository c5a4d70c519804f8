"""The search for the best loss, as a scikit-learn estimator."""

from __future__ import annotations

import contextlib
import numbers
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from sklearn.model_selection import GroupKFold
from sklearn.utils import indexable
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

from .._evaluation.sklearn_private import BaseSearchCV, fit_context, method_params
from .._space.initial_candidates import with_initial_candidates
from .._space.parse import read_space
from .._workers.address import StorageParameter, is_url
from .._workers.deadline import Deadline
from .._workers.liveness import Owner
from .._workers.pool import count_workers
from .._workers.storage import opened_storage, quiet_optuna
from .combined import check_combined, kept_models
from .decide import DecidingSearchCV
from .fitted_attributes import forget, refit
from .launch import search_candidates, shared_storage
from .progress import check_callbacks
from .pruner import check_pruner
from .sampler import check_sampler
from .setup import make_task, open_search
from .sklearn_callbacks import SearchTasks, warn_of_workers
from .store import CandidateStore
from .watch import SearchWatch
from .worker import Budget


class LossSearchCV(DecidingSearchCV):
    """Find the loss, with its settings, that scores best in cross-validation.

    Each loss has its own parameters, and the defaults of each are tried first; then
    Optuna chooses. Every candidate is trained on the same folds, from the same initial
    weights, on the same batches, and scored on held-out data with your metric, never
    with the loss. Candidates that fall behind are stopped within a fold.

    Parameters
    ----------
    estimator : UNetSegmenter, ResNetClassifier or Pipeline that ends in one
        The estimator to train. Any other scikit-learn estimator is searched over
        ``param_distributions`` only, and candidates are stopped between folds.
    losses : list, dict, str or None, default=None
        The losses to choose from. None is the estimator's own and the default menu (see the
        guide to losses), the most promising first; "all" adds all others that suit. Each is

        - a name such as "focal" or "dice+bce", or a class: its own parameters are
          searched, see :func:`~sklearnloss.losses.get_search_space`;
        - an object such as ``FocalLoss(gamma=3)``, a torch module, or a function
          ``(logits, target)``: tried as it is. If a function or a class has an attribute
          ``search_space``, that space is searched;
        - a pair ``(loss, {"gamma": (0.5, 5.0)})``: those parameters are searched, the
          others are fixed.

        In a dict, the keys are labels; a value that is itself a dict is the search space
        of the loss named by its key.
    param_distributions : dict or list of dict, default=None
        Other parameters to search over, such as
        ``{"lr": (1e-4, 1e-2, "log"), "width": [16, 32]}``. Each value is
        ``(low, high)``, ``(low, high, "log")``, a list of choices, or a distribution of
        Optuna or scipy. ``loss__gamma`` replaces the range of each loss that has this
        parameter. In a pipeline, other names refer to its last step, and a step may be
        searched over with its parameters. Instead of ``losses``, a list of dicts with a key
        "loss" in each may be passed, as in scikit-learn's searches.
    n_trials : int or None, default=50
        Total number of candidates, including any already in ``storage``; pruned ones count,
        failed ones do not. None searches until ``timeout``, or all of a finite space.
    timeout : float, default=None
        Seconds after which no further candidate is begun; the leader's other folds are
        trained. Losses that were not tried are in a warning and in ``untried_losses_``.
    candidate_timeout : float, default=None
        Seconds that a candidate may take, over all attempts at it. Then it is stopped after
        the epoch or fold, reported to the sampler as infeasible, and never chosen.
    initial_candidates : list of dict, default=None
        Candidates to try before the defaults, such as ``{"loss": "tversky",
        "loss__alpha": 0.3}``: labels or objects of ``losses``, and values within their
        ranges. Other parameters have their defaults.
    cv : int, splitter, iterable or None, default=None
        The folds. None is a shuffled 5-fold, stratified for a classifier, and by group if
        groups are passed to ``fit``; there are fewer folds if there are fewer samples,
        groups, or samples of the largest class.
    scoring : str, callable, list, tuple, dict or None, default=None
        One or several metrics, higher is better: a scikit-learn scorer or its name, or
        "dice", "iou", "boundary_iou", "surface_dice", "hausdorff" or "calibration" of
        :mod:`sklearnloss.metrics`. None is the estimator's ``score``.
    refit : bool, str or callable, default=True
        Whether to train the best candidate on all data. With several metrics, the name
        of the one to optimize, or a function from ``cv_results_`` to the index of
        the best row, which sees only complete rows; then the first metric is optimized.
        "ensemble" trains nothing more: the models of all folds are kept, in a folder
        ``<storage>.models``, and ``best_estimator_`` is a
        :class:`~sklearnloss.estimators.LossEnsemble` of some of them.
        "pareto" optimizes all of them together, and takes the candidate of the Pareto
        front whose worst metric is best, with each metric scaled to 0..1 on the front.
    sampler : optuna.samplers.BaseSampler, default=None
        None is a tree-structured Parzen estimator, multivariate and grouped by loss. For
        ``refit="pareto"`` it must be able to optimize several metrics.
    pruner : optuna.pruners.BasePruner, default=None
        None is a race: all candidates begin with the first fold, and those that may yet
        beat the leader are continued. A pruner of Optuna stops candidates by their mean
        score over the folds so far, for good; ``optuna.pruners.NopPruner()`` stops none.
        With ``refit="pareto"``, None stops none, and a pruner sees only the first metric.
    storage : path, str or optuna.storages.BaseStorage, default=None
        Where candidates are saved, so that the same call resumes after any interruption:
        a path is a journal file (SQLite if it ends in ``.db``), an address such as
        "postgresql://user:password@host/name" a database. None is memory. Losses and ranges
        may change between calls; a search that differs otherwise is refused. Arrays and
        files of data are compared by their contents.
    study_name : str, default=None
        Name of the study in the storage. None is "sklearnloss", followed by a digest of
        the data if a search of other data has that name, as in nested cross-validation, and
        by the number of epochs if one with fewer has, with whose best candidates it begins.
    n_jobs : int, default=1
        Worker processes on this machine, each on one of the GPUs. -1 is one per GPU, or one
        per core if there is none. Other machines can join a search in a database with
        ``sklearnloss worker``. scikit-learn's callbacks (``set_callbacks``) are not called
        for fits in workers. In ``joblib.parallel_config(backend="dask")`` or "ray" it is the
        number of candidates that the cluster trains at once, as many as it can by default.
    error_score : "raise" or float, default=nan
        Score of the folds of a candidate that failed. It ranks last in any case.
    random_state : int, RandomState instance or None, default=None
        Seeds folds, candidates, and each ``random_state`` of the estimator that is None.
    verbose : int, default=0
        1 shows a progress bar, 2 prints a line per candidate.
    callbacks : list of callable, default=None
        Called with the study and the trial after each candidate. ``study.stop()`` ends the
        search. An exception ends it, too, and is raised after the attributes are set.

    Attributes
    ----------
    best_loss_ : str
        Label of the best loss.
    best_params_ : dict
        Parameters of the best candidate.
    best_score_ : float
        Its mean score, optimistic as the best of many: see :meth:`compare`. With
        ``refit="pareto"``, this and all that concerns a single loss is the first metric.
    best_index_ : int
        Its row in ``cv_results_``.
    best_estimator_ : estimator
        Trained with ``best_params_`` on all data. ``predict`` and similar methods call it.
    refit_time_ : float
        Seconds that this training took.
    ensemble_score_ : float
        Score of the ensemble, for ``refit="ensemble"``: mean over the folds, each scored with
        candidates and weights that were selected on the others. To compare with
        ``best_estimator_.scores_["single_cross_validated"]``, not with ``best_score_``.
    verdict_ : SearchVerdict or None
        Which losses are worse than the best one, as good, or undecided, with probabilities;
        ``print(search.verdict_)`` says it in words. Not set without losses; None if ``refit``
        is "pareto" or a function, as they do not choose by the mean of one metric. With a
        pruner, only complete candidates are judged.
    decision_ : LossComparison
        The comparison on fresh folds, after ``resume(X, y, decide=True)``.
    best_per_loss_ : dict of str to dict
        The best "params", "score" and "state" of each loss.
    pareto_front_ : list of dict
        With ``refit="pareto"``, the complete candidates that no other one dominates, the
        best in the first metric first: "index" (the row in ``cv_results_``, where they are
        marked in the column "is_pareto"), "loss", "params", and by metric the mean
        ("scores") and standard deviation ("std") over the folds.
    score_curves_ : dict of str to list of (int, float)
        With these settings, the score after each epoch: the mean over the finished folds.
        Only of losses whose epochs were scored.
    untried_losses_ : list of str
        Labels of losses without a candidate, for lack of trials or time.
    cv_results_ : dict of str to ndarray
        A row per candidate, as in scikit-learn, with additional columns "loss", "in_space"
        (false if a call with other losses or ranges added it to the storage),
        "trial_state" (COMPLETE, PRUNED or FAIL), "outcome" ("complete", "pruned",
        "diverged", "undefined" if the score is undefined, "timeout", "out of memory", "invalid" for
        a ValueError or TypeError, "error" or "crashed"), "reason", "last_report" (the mean
        of the optimized metric over the folds so far) and "n_epochs". Stopped candidates
        have no mean, failed ones have ``error_score``; both rank last, as do losses that are
        no longer searched.
    study_ : optuna.Study
        The candidates in memory, for Optuna's plots and parameter importances. With
        ``refit="pareto"``, the values of its trials are the means of all metrics.
    scorer_ : callable or dict
        The scorers.
    n_splits_ : int
        Number of folds.
    multimetric_ : bool
        Whether there are several metrics.

    See Also
    --------
    compare_losses : Tests whether one loss is better than another.
    suggest_loss : The same space in an Optuna study of your own.

    Notes
    -----
    A candidate whose training loss is not finite is PRUNED, with the reason
    "diverged", and so is one whose score is not finite, with a warning and the reason
    "the score is nan". Both are reported to the sampler as infeasible. After an
    exception, or if memory runs out, a candidate is marked FAIL. None of them is ever
    chosen, regardless of ``error_score``.

    The reported score of an epoch is the mean over all previous folds and that epoch of
    the current one, so that candidates are compared on the same folds.

    References
    ----------
    T. Akiba et al., "Optuna: A next-generation hyperparameter optimization framework",
    KDD 2019. https://arxiv.org/abs/1907.10902

    O. Maron, A. W. Moore, "Hoeffding races: accelerating model selection search for
    classification and function approximation", NeurIPS 1993.

    Examples
    --------
    >>> from sklearnloss import LossSearchCV, UNetSegmenter
    >>> from sklearnloss.datasets import load_nuclei
    >>> X, y, groups = load_nuclei(tile=128)
    >>> model = UNetSegmenter(width=2, depth=2, max_epochs=2)
    >>> search = LossSearchCV(model, ["dice", "cross_entropy"], n_trials=3, cv=2, random_state=0)
    >>> search.fit(X, y).cv_results_["loss"].tolist()[:2]
    ['dice', 'cross_entropy']
    >>> search.predict(X).shape
    (16, 128, 128)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **{
            key: value
            for key, value in BaseSearchCV._parameter_constraints.items()
            if key not in ("pre_dispatch", "return_train_score")
        },
        "scoring": "no_validation",  # _get_scorers knows more names
        "losses": [list, tuple, dict, str, callable, None],
        "param_distributions": [dict, list, tuple, None],
        "n_trials": [Interval(numbers.Integral, 1, None, closed="left"), None],
        "timeout": [Interval(numbers.Real, 0, None, closed="neither"), None],
        "candidate_timeout": [Interval(numbers.Real, 0, None, closed="neither"), None],
        "initial_candidates": [list, tuple, None],
        "sampler": [BaseSampler, None],
        "pruner": [BasePruner, None],
        "storage": "no_validation",
        "study_name": [str, None],
        "random_state": ["random_state"],
        "callbacks": [list, tuple, None],
        "error_score": [StrOptions({"raise"}), numbers.Real],
    }

    # A parameter of scikit-learn's own searches.
    return_train_score = False

    #: Set by the command line, to say how long a search takes, and to end it in time.
    _watch: SearchWatch | None = None

    storage: Any = StorageParameter()

    def __init__(
        self,
        estimator: Any,
        losses: Any = None,
        *,
        param_distributions: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        n_trials: int | None = 50,
        timeout: float | None = None,
        candidate_timeout: float | None = None,
        initial_candidates: Sequence[Mapping[str, Any]] | None = None,
        cv: Any = None,
        scoring: Any = None,
        refit: bool | str | Callable[..., int] = True,
        sampler: BaseSampler | None = None,
        pruner: BasePruner | None = None,
        storage: Any = None,
        study_name: str | None = None,
        n_jobs: int | None = 1,
        error_score: float | str = np.nan,
        random_state: Any = None,
        verbose: int = 0,
        callbacks: Sequence[Callable[..., None]] | None = None,
    ) -> None:
        self.estimator = estimator
        self.losses = losses
        self.param_distributions = param_distributions
        self.n_trials = n_trials
        self.timeout = timeout
        self.candidate_timeout = candidate_timeout
        self.initial_candidates = initial_candidates
        self.cv = cv
        self.scoring = scoring
        self.refit = refit
        self.sampler = sampler
        self.pruner = pruner
        self.storage = storage
        self.study_name = study_name
        self.n_jobs = n_jobs
        self.error_score = error_score
        self.random_state = random_state
        self.verbose = verbose
        self.callbacks = callbacks

    @fit_context(prefer_skip_nested_validation=False)  # type: ignore[untyped-decorator]
    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Search, and train the best candidate on all data.

        Parameters
        ----------
        X : array-like of shape (n, ...), list of files, or torch ``Dataset``
            Images, as the estimator takes them.
        y : array-like, default=None
            A label per image, or per pixel.
        **params : dict
            ``groups`` for the folds; ``sample_weight`` and whatever else the
            estimator's ``fit`` takes.

        Returns
        -------
        self : LossSearchCV

        Raises
        ------
        ValueError, TypeError
            If something is wrong with the losses, their parameters, the folds, the
            callbacks or the storage, before anything is trained; or if no candidate
            succeeded.
        KeyboardInterrupt
            After Ctrl-C. The attributes hold the results so far, and the best candidate
            has been trained on all data.
        Exception
            Raised by a callback, by a candidate if ``error_score="raise"``, or if the
            storage was lost. The attributes hold the results so far.
        """
        deadline = None if self.timeout is None else Deadline(self.timeout)
        check_sampler(self.sampler)
        check_pruner(self.pruner)
        check_callbacks(self.callbacks)
        scorers, _ = self._get_scorers()
        space = read_space(self.estimator, self.losses, self.param_distributions)
        space = with_initial_candidates(space, self.estimator, self.initial_candidates)
        check_combined(self, scorers, space)
        X, y = indexable(X, y)
        params = method_params(X, params)
        routed = self._get_routed_params_for_fit(params)
        budget = Budget(self.n_trials, deadline, len(space.branches))
        task, identity = make_task(self, X, y, scorers, space, routed)
        warn_of_workers(self, count_workers(self.n_jobs))
        with contextlib.ExitStack() as stack:
            with (
                quiet_optuna(),
                Owner() as owner,
                shared_storage(self.storage, self.n_jobs) as address,
                opened_storage(address) as storage,
            ):
                study_name, space = open_search(self, storage, identity, space)
                forget(self)  # only now, when this fit can no longer be refused
                self.n_splits_ = len(task.splits)
                self.scorer_ = scorers._scorers if hasattr(scorers, "_scorers") else scorers
                store = CandidateStore(storage, study_name, space, owner, address)
                weight = params.get("sample_weight")
                # Candidates of a race are continued, so that their number of tasks is unknown.
                n_tasks = None if self.pruner is None else self.n_trials
                task.tasks = SearchTasks(self, X, y, weight, n_tasks, self.n_splits_)
                stack.enter_context(kept_models(self, task, study_name))
                interrupt = search_candidates(self, task, store, budget)
            if self.refit and hasattr(self, "best_params_"):
                refit(self, task, routed.estimator.fit, store)
        task.tasks.end()
        if interrupt is not None:
            raise interrupt
        return self

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        if "cv_results_" not in state:
            return state
        # A pickled search holds its table, but no study and no password.
        state = {key: value for key, value in state.items() if key != "study_"}
        if not isinstance(self.storage, str | os.PathLike) or is_url(self.storage):
            state["storage"] = None
        return state

    def get_metadata_routing(self) -> MetadataRouter:
        """Return where ``fit`` sends its arguments.

        Returns
        -------
        routing : MetadataRouter
        """
        router = super().get_metadata_routing()
        if self.cv is None:  # the default folds take groups
            mapping = MethodMapping().add(caller="fit", callee="split")
            router.add(splitter=GroupKFold(), method_mapping=mapping)
        return router

    def _run_search(self, evaluate_candidates: Any) -> None:
        raise NotImplementedError("LossSearchCV overrides fit.")
