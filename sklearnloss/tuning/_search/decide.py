"""What comes after a search: continue it, compare its losses, decide between the best."""

from __future__ import annotations

import contextlib
import numbers
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..._utils.guides import DocLinkMixin
from .._comparison.compare_losses import compare_losses
from .._comparison.results import LossComparison
from .._race.decision import decide as decide_by
from .._race.decision import default_repeats, plan_looks
from .._workers.address import is_url
from .cv_results import choose_settings
from .goals import GoalsSearchCV
from .stored_search import DEFAULT_NAME


class DecidingSearchCV(DocLinkMixin, GoalsSearchCV):
    """A search that can be continued, and whose losses can be compared on fresh folds."""

    verdict_: Any

    def compare(self, X: Any, y: Any, **options: Any) -> LossComparison:
        """Retrain the best settings of each loss on fresh folds, and compare them.

        The best of many candidates looks better than it is, and more so the more were
        tried. Only a new evaluation, the same for all losses, gives a fair comparison.

        Parameters
        ----------
        X, y : array-like
            The data.
        **options : dict
            Arguments of :func:`compare_losses`, such as ``groups``, ``n_repeats``,
            ``n_jobs``, ``storage``. ``losses`` lists the labels to compare, by default
            all losses that have settings which did not fail.

        Returns
        -------
        comparison : LossComparison
        """
        check_is_fitted(self, "cv_results_")
        if not hasattr(self, "best_per_loss_"):
            raise ValueError(
                "The search was only over param_distributions, so there are no losses to compare. "
                "Pass losses= to search over them, or call compare_losses."
            )
        settings = choose_settings(self.best_per_loss_, options.pop("losses", None))
        scoring = self.scoring
        if isinstance(self.scorer_, dict) and self.refit in [*self.scorer_]:
            # The first metric decides a comparison.
            scoring = {self.refit: self.scorer_[self.refit], **self.scorer_}
        options = {"scoring": scoring, **options}
        comparison: LossComparison = compare_losses(self.estimator, settings, X, y, **options)
        return comparison

    def resume(
        self,
        X: Any,
        y: Any = None,
        *,
        decide: bool = False,
        n_trials: int | None = None,
        n_repeats: int | None = None,
        timeout: float | None = None,
        **params: Any,
    ) -> Self:
        """Continue the search, or decide between the losses that it left undecided.

        Without ``decide``, this is ``fit`` on the same storage, with more trials or time.

        With it, the best loss and those that ``verdict_.to_decide`` lists are trained with
        their best settings on fresh folds, with new seeds. The scores are looked at after a
        quarter and a half of the repeats, and at the end; losses that are decided are not
        trained any further. The error probability, .05, is divided among looks and losses.
        ``verdict_`` is updated, and ``decision_`` is the comparison. Nothing is refitted.

        Parameters
        ----------
        X, y : array-like
            The data of the search.
        decide : bool, default=False
            Whether to decide between losses rather than to try more candidates.
        n_trials : int, default=None
            Total number of candidates; None is unchanged.
        n_repeats : int, default=None
            To decide: the largest number of repeats of the folds. None is the number that
            the verdict names, or 20 if it names none.
        timeout : float, default=None
            Seconds after which no further candidate or fit is begun.
        **params : dict
            Arguments of ``fit``, such as ``groups``. To decide, also those of
            :func:`compare_losses`, such as ``rope``, ``n_jobs`` or ``random_state``.

        Returns
        -------
        self : LossSearchCV

        Raises
        ------
        ValueError
            If the search has no storage to continue from, or, to decide, no verdict, or a
            ``cv`` that is neither None nor a number, as it may have no fresh folds.

        Notes
        -----
        A decision saves its fits in a file beside the storage, ``<storage>.<study>.decision``,
        so that the same call resumes. Without a storage in a file, they are kept in memory.

        References
        ----------
        K. K. G. Lan, D. L. DeMets, "Discrete sequential boundaries for clinical trials",
        Biometrika 70, 1983. https://doi.org/10.1093/biomet/70.3.659
        """
        if decide:
            if n_trials is not None:
                raise ValueError(
                    f"n_trials={n_trials} asks for more candidates, decide=True for a decision "
                    f"between those that were tried. Call resume twice."
                )
            return self._decide(X, y, n_repeats, timeout, params)
        if n_repeats is not None:
            raise ValueError(f"n_repeats={n_repeats} needs decide=True.")
        if self.storage is None:
            raise ValueError(
                "A search with storage=None keeps no candidates to continue from. Pass a path as "
                "storage, and fit."
            )
        given = {"n_trials": n_trials, "timeout": timeout}
        self.set_params(**{key: value for key, value in given.items() if value is not None})
        fitted: Self = self.fit(X, y, **params)
        return fitted

    def _decide(
        self, X: Any, y: Any, n_repeats: int | None, timeout: float | None, options: dict[str, Any]
    ) -> Self:
        check_is_fitted(self, "cv_results_")
        _check_decidable(self, n_repeats)
        rivals = self.verdict_.to_decide
        if not rivals:
            return self
        options = {"random_state": _fresh_seed(self.random_state), "per_image": False, **options}
        options = {"rope": self.verdict_.rope, "n_jobs": self.n_jobs, **options}
        verdict, left = replace(self.verdict_, rope=options["rope"]), list(rivals)
        end = None if timeout is None else time.monotonic() + timeout
        with _decision_storage(self) as storage:
            for repeats in plan_looks(n_repeats or default_repeats(verdict)):
                seconds = None if end is None else max(1e-3, end - time.monotonic())
                losses = [str(verdict.best), *left]
                comparison = self.compare(
                    X,
                    y,
                    losses=losses,
                    n_repeats=repeats,
                    timeout=seconds,
                    **{"storage": storage, **options},
                )
                scores = comparison.scores_.mean(2)
                verdict = decide_by(
                    verdict,
                    dict(zip(comparison.labels_, scores, strict=True)),
                    comparison.fits_.ratio,
                    n_repeats=repeats,
                    n_rivals=len(rivals),
                )
                self.decision_, self.verdict_ = comparison, verdict
                left = [label for label in left if label in verdict.losses("undecided")]
                if not left or (end is not None and time.monotonic() >= end):
                    break
        return self


def _check_decidable(search: Any, n_repeats: int | None) -> None:
    """Raise an error if a search has no verdict, or no fresh folds."""
    if getattr(search, "verdict_", None) is None:
        raise ValueError(
            "This search has no verdict to decide: it has no losses, ended with an error, or "
            "chooses by refit='pareto' or a function. Call compare instead."
        )
    if n_repeats is not None and (not isinstance(n_repeats, numbers.Integral) or n_repeats < 1):
        raise ValueError(f"n_repeats={n_repeats!r}: expected an int of at least 1, or None.")
    if search.cv is not None and not isinstance(search.cv, numbers.Integral):
        raise ValueError(
            f"decide=True draws fresh folds, but cv={search.cv!r} may have only those of the "
            f"search. Call search.compare(X, y, cv=...) with other splits."
        )


def _fresh_seed(random_state: Any) -> int | None:
    """Return a seed other than that of the search; None if it has none to return to."""
    if not isinstance(random_state, numbers.Integral):
        return None
    sequence = np.random.SeedSequence(int(random_state), spawn_key=(1,))
    return int(sequence.generate_state(1)[0] >> 1)


@contextlib.contextmanager
def _decision_storage(search: Any) -> Iterator[Path]:
    """Yield the file for the fits of a decision: beside that of the search, if it has one."""
    storage = search.storage
    if isinstance(storage, str | os.PathLike) and not is_url(storage):
        path = Path(storage)
        yield path.with_name(f"{path.name}.{_study_name(search)}.decision")
        return
    with tempfile.TemporaryDirectory(prefix="sklearnloss-") as folder:
        yield Path(folder) / "fits.journal"


def _study_name(search: Any) -> str:
    """Return the name of a search's study, in letters that a file name may have."""
    study = getattr(search, "study_", None)  # a pickled search has none
    name = search.study_name or DEFAULT_NAME if study is None else study.study_name
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in name)
