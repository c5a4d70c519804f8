"""Compare losses on the same splits and seeds, with corrected statistics."""

from __future__ import annotations

import itertools
import math
import numbers
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, overload

from numpy.typing import ArrayLike
from sklearn import get_config
from sklearn.base import clone
from sklearn.utils import check_random_state, indexable
from sklearn.utils.validation import _check_sample_weight

from ..._utils.pipeline import last_step
from ...estimators._mask_estimator import MaskEstimator
from .._evaluation.fingerprint import digest, digest_contents
from .._evaluation.fit_and_score import seed_estimator
from .._evaluation.identity import Identity, shape, short
from .._workers.deadline import Deadline
from .._workers.pool import count_workers
from .examples import examples
from .fit import PairedData
from .fit_log import FitJournal, open_fit_journal
from .network_results import NetworkComparison
from .results import LossComparison
from .run_fits import fit_all
from .scorers import NamedScorers, read_scoring
from .settings import Settings, combine, read_losses, read_networks
from .splits import make_splits
from .thresholds import score_of_classes
from .thumbnails import thumbnails


@overload
def compare_losses(
    estimator: Any,
    losses: Any,
    X: Any,
    y: Any = ...,
    *,
    networks: None = ...,
    groups: ArrayLike | None = ...,
    sample_weight: ArrayLike | None = ...,
    cv: Any = ...,
    scoring: Any = ...,
    n_repeats: int | None = ...,
    n_seeds: int = ...,
    rope: float = ...,
    per_image: bool = ...,
    n_jobs: int | None = ...,
    error_score: float | str = ...,
    random_state: Any = ...,
    storage: str | os.PathLike[str] | None = ...,
    timeout: float | None = ...,
    verbose: int = ...,
) -> LossComparison: ...
@overload
def compare_losses(
    estimator: Any,
    losses: Any,
    X: Any,
    y: Any = ...,
    *,
    networks: Any,
    groups: ArrayLike | None = ...,
    sample_weight: ArrayLike | None = ...,
    cv: Any = ...,
    scoring: Any = ...,
    n_repeats: int | None = ...,
    n_seeds: int = ...,
    rope: float = ...,
    per_image: bool = ...,
    n_jobs: int | None = ...,
    error_score: float | str = ...,
    random_state: Any = ...,
    storage: str | os.PathLike[str] | None = ...,
    timeout: float | None = ...,
    verbose: int = ...,
) -> NetworkComparison: ...


def compare_losses(
    estimator: Any,
    losses: Any,
    X: Any,
    y: Any = None,
    *,
    networks: Any = None,
    groups: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    cv: Any = None,
    scoring: Any = None,
    n_repeats: int | None = None,
    n_seeds: int = 1,
    rope: float = 0.01,
    per_image: bool = True,
    n_jobs: int | None = 1,
    error_score: float | str = math.nan,
    random_state: Any = None,
    storage: str | os.PathLike[str] | None = None,
    timeout: float | None = None,
    verbose: int = 0,
) -> LossComparison | NetworkComparison:
    """Compare losses on held-out data, and test whether the differences are real.

    Every loss is trained on the same splits with the same seeds and scored on images
    that were held out. Training sets of different splits overlap, which ordinary tests
    ignore: with two equally good losses and ten repeats of five folds, a paired t-test
    finds a winner more often than not. The tests here are corrected for the overlap.

    Parameters
    ----------
    estimator : UNetSegmenter, ResNetClassifier, or Pipeline that ends in one
        Cloned for every fit.
    losses : list of losses, or dict of str to loss or to dict of parameters
        Anything that the estimator's ``loss`` accepts. A dict maps labels to losses, or to
        parameters of the estimator, as in
        ``{"focal, slow": {"loss": "focal", "loss__gamma": 3, "lr": 1e-4}}``. In a
        pipeline, names that begin with a step's name and ``__`` are full names; all
        others belong to the last step.
    X : array-like, list of files or arrays, or torch Dataset
        Images.
    y : array-like, default=None
        Masks or labels; not needed if X is a torch ``Dataset`` that contains them.
    networks : list of networks, or dict of str to network or to dict of parameters, default=None
        Each is trained with each loss, on the same splits and seeds. A network is
        anything that ``network`` of :class:`~sklearnloss.ImageSegmenter` accepts. A dict
        gives labels and further parameters, as in ``losses``. For an estimator without
        ``network``: ``{"shallow": {"depth": 2}, "deep": {"depth": 4}}``.
    groups : array-like of shape (n,), default=None
        Images of one group, such as a patient, are kept together.
    sample_weight : array-like of shape (n,), default=None
        Passed to ``fit``.
    cv : int, splitter or iterable of (train, test), default=None
        None means five shuffled folds, ``n_repeats`` times: stratified for a classifier,
        by group if there are groups. Anything else is interpreted as in scikit-learn.
    scoring : str, callable, or list or dict of them, default=None
        The score to compare. If there are several, the first is compared and the others
        are reported. None means the estimator's ``score``. A callable may return a dict of scores.
    n_repeats : int, default=None
        For ``cv=None``; None means 3. With five groups or fewer there is only one possible
        partition; repeats then use new seeds instead.
    n_seeds : int, default=1
        Fits per split, with different initial weights and batches.
    rope : float, default=0.01
        Largest difference that does not matter, in the unit of the score: half the width
        of the region of practical equivalence.
    per_image : bool, default=True
        Also score each image, which requires a second prediction of the held-out images.
    n_jobs : int, default=1
        Number of fits in parallel, in processes of one torch thread each that take turns
        on several GPUs. -1 means one per GPU, or one per core if there is no GPU.
        With 1, fits use the threads of this process; rounding may then make scores
        differ from those with more jobs.
    error_score : float or "raise", default=nan
        The score of a fit that diverges, raises an exception, or has a score of nan.
        nan leaves its loss without a score and without verdicts. If a number is higher than the
        lowest score of any fit, that lowest score is used.
    random_state : int, RandomState or None, default=None
        Seed of the splits and fits. For settings found by a search, use a different
        seed than the search.
    storage : str or path-like, default=None
        A file to which every finished fit is added. The same call resumes one that
        was interrupted; with more losses, repeats or seeds, only those are fitted.
        Fits that raised an exception are tried again. A second comparison on the same
        file waits for the first one.
    timeout : float, default=None
        Seconds after which no further fit is begun, except those of the first split with
        the first seed. The result is that of the splits and seeds that all losses
        finished: of whole repeats, if there is one. A warning says how many are missing.
        With ``storage``, the same call continues.
    verbose : int, default=0
        1 shows a progress bar, 2 also a line per fit.

    Returns
    -------
    comparison : LossComparison or NetworkComparison
        The latter if there are ``networks``.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid, ``storage`` holds something else, or not a single fit
        finished.

    See Also
    --------
    critical_difference : Over several data sets.

    Notes
    -----
    With ``networks``, further tables show how much of the spread of the scores is due to
    the loss, the network, and their interaction, and whether the best loss is the same
    for all networks; see :class:`NetworkComparison`. The storage may be that of a
    comparison with fewer networks.

    Hyperparameters tuned on the same images score slightly too well even on new splits,
    the more so the more of them were tuned. Images that no search has seen give a fairer
    comparison.

    References
    ----------
    C. Nadeau, Y. Bengio, "Inference for the generalization error", Machine Learning
    52, 2003. https://doi.org/10.1023/A:1024068626366

    A. Benavoli et al., "Time for a change: a tutorial for comparing multiple
    classifiers through Bayesian analysis", JMLR 18, 2017.
    https://jmlr.org/papers/v18/16-305.html

    Examples
    --------
    >>> from sklearnloss import UNetSegmenter
    >>> from sklearnloss.datasets import load_nuclei
    >>> from sklearnloss.tuning import compare_losses
    >>> X, y, groups = (part[::4] for part in load_nuclei(border=False))
    >>> model = UNetSegmenter(width=4, depth=1, max_epochs=1, batch_size=4)
    >>> comparison = compare_losses(model, ["dice", "bce"], X, y, groups=groups, n_repeats=1,
    ...                             random_state=0)
    >>> comparison.scores_.shape
    (2, 4, 1)
    >>> sorted(comparison.pairs_[0])[:3]
    ['a', 'b', 'difference']
    >>> depths = {"shallow": {"depth": 1}, "deep": {"depth": 2}}
    >>> comparison = compare_losses(model, ["dice", "bce"], X, y, networks=depths,
    ...                             groups=groups, n_repeats=1, random_state=0)
    >>> [row["effect"] for row in comparison.effects_]
    ['loss', 'network', 'loss x network', 'rest (splits, seeds)']
    """
    X, y, groups = indexable(X, y, groups)
    by_loss = read_losses(estimator, losses)
    by_network = {} if networks is None else read_networks(estimator, networks)
    settings = combine(estimator, by_network, by_loss) if by_network else by_loss
    _check_numbers(rope, error_score, timeout)
    deadline = None if timeout is None else Deadline(timeout)
    n_workers = count_workers(n_jobs)
    scorers = read_scoring(estimator, scoring)
    with open_fit_journal(storage) as journal:
        seed = _read_seed(random_state, journal)
        plan = make_splits(
            estimator, X, y, groups=groups, cv=cv, n_repeats=n_repeats, n_seeds=n_seeds, seed=seed
        )
        weights = _weights(estimator, sample_weight, X)
        data = _paired_data(estimator, X, y, scorers, weights, per_image, error_score)
        if journal is not None:
            identity = _identity(data, groups)
            _add_settings(identity, scoring, scorers, per_image, random_state, seed)
            journal.begin({**identity.digests, "random_state": seed}, identity.details)
        fits = fit_all(settings, plan, data, journal, n_workers, verbose, deadline)
    about = _about(data, next(iter(fits.scores)), seed)
    failed = math.nan if isinstance(error_score, str) else float(error_score)

    def compared(settings: Mapping[str, Settings], **more: str) -> LossComparison:
        return LossComparison(
            fits.of(list(settings), list(by_loss)),
            settings=dict(zip(by_loss, settings.values(), strict=True)),
            rope=rope,
            error_score=failed,
            about={**about, **more},
            score_of=score_of_classes(estimator, scorers),
            default_cv=cv is None,
        )

    if not by_network:
        return _illustrated(compared(settings), data)
    by_pair = iter(settings.items())  # all losses of one network, then those of the next
    return NetworkComparison(
        {
            name: _illustrated(
                compared(dict(itertools.islice(by_pair, len(by_loss))), network=name), data
            )
            for name in by_network
        }
    )


def _paired_data(
    estimator: Any,
    X: Any,
    y: Any,
    scorers: Any,
    weights: dict[str, Any],
    per_image: bool,
    error_score: float | str,
) -> PairedData:
    """Return what every fit of the comparison shares."""
    return PairedData(
        estimator=clone(estimator),
        X=X,
        y=y,
        scorer=NamedScorers(scorers=scorers),
        fit_params=weights,
        score_params={},
        per_image=per_image,
        catch=error_score != "raise",
        process=os.getpid(),
    )


def _illustrated(comparison: LossComparison, data: PairedData) -> LossComparison:
    """Add the names of the images, and pictures of the hardest ones and of examples."""
    worst = [row["image"] for row in comparison.worst_images_]
    comparison.pictures_ = thumbnails(data.estimator, data.X, worst)
    comparison.image_names_ = _file_names(data.X)
    comparison.examples_ = examples(comparison.fits_, data.estimator, data.X, data.y)
    return comparison


def _check_numbers(rope: float, error_score: float | str, timeout: float | None) -> None:
    if not (isinstance(rope, numbers.Real) and 0 <= rope < math.inf):
        raise ValueError(f"rope={rope!r}: expected a number of at least 0.")
    known = isinstance(error_score, numbers.Real) and not math.isinf(error_score)
    if not known and error_score != "raise":
        raise ValueError(f"error_score={error_score!r}: expected a finite number, nan or 'raise'.")
    if timeout is not None and not (isinstance(timeout, numbers.Real) and timeout > 0):
        raise ValueError(f"timeout={timeout!r}: expected a number of seconds above 0, or None.")


def _read_seed(random_state: Any, journal: FitJournal | None) -> int:
    """Return the seed of splits and fits: that of the storage unless one is given."""
    if random_state is None and journal is not None and journal.header is not None:
        return int(journal.header["random_state"])
    return int(check_random_state(random_state).randint(2**31 - 1))


def _weights(estimator: Any, sample_weight: Any, X: Any) -> dict[str, Any]:
    """Return the weights as an argument of the estimator's ``fit``."""
    if sample_weight is None:
        return {}
    prefix = "" if get_config()["enable_metadata_routing"] else last_step(estimator)[0]
    return {f"{prefix}sample_weight": _check_sample_weight(sample_weight, X)}


def _add_settings(
    identity: Identity, scoring: Any, scorers: Any, per_image: bool, random_state: Any, seed: int
) -> None:
    """Add what a comparison is scored by, and its seed."""
    text = short(scoring) if per_image else f"{short(scoring)}, per_image=False"
    identity.add_scoring(text, {**scorers, "per image": per_image})
    identity.add_seed(random_state, seed)


def _identity(data: PairedData, groups: Any) -> Identity:
    """Describe data and estimator, by which another comparison is told apart."""
    masks = isinstance(last_step(data.estimator)[1], MaskEstimator)
    weights = next(iter(data.fit_params.values()), None)
    given = {"X": data.X, "y": data.y, "groups": groups, "sample_weight": weights}
    digests = {
        name: digest_contents(value) if name == "X" or (name == "y" and masks) else digest(value)
        for name, value in given.items()
    }
    parts = {name: [shape(value), digests[name]] for name, value in given.items()}
    parts = {name: part for name, part in parts.items() if given[name] is not None}
    identity = Identity()
    identity.add_parts(data.X, parts, [digests["X"], digests["y"], groups, weights], "images")
    unseeded = seed_estimator(clone(data.estimator), None, replace=True)  # each fit has its own
    identity.add_estimator(unseeded)
    return identity


def _file_names(X: Any) -> list[str] | None:
    """Return the names of the images if they are files, else None."""
    if isinstance(X, (list, tuple)) and all(isinstance(each, (str, os.PathLike)) for each in X):
        return [Path(each).name for each in X]
    return None


def _about(data: PairedData, first: str, seed: int) -> dict[str, str]:
    masks = isinstance(last_step(data.estimator)[1], MaskEstimator)
    own = "mean IoU" if masks else "accuracy"
    return {
        "metric": own if first == "score" else first,
        "image metric": "the mean IoU" if masks else "the accuracy",
        "estimator": " ".join(repr(data.estimator).split()),
        "seed of splits and fits": str(seed),
        "date": datetime.now().strftime("%Y-%m-%d %H:%M"),
    }
