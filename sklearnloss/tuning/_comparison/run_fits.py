"""Do the fits of a comparison that are not done yet."""

from __future__ import annotations

import contextlib
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _num_samples
from tqdm.auto import tqdm

from .._evaluation.fingerprint import digest
from .._evaluation.interrupts import noting_interrupts
from .._workers.deadline import Deadline
from .fit import PairedData, fit_once
from .fit_log import FitJournal
from .fits import Fit, FitKey, FitTable, collect, plan_fits
from .settings import Settings
from .splits import PairedSplits, folds_per_repeat

Result = dict[str, Any]


def fit_all(
    settings: Mapping[str, Settings],
    plan: PairedSplits,
    data: PairedData,
    journal: FitJournal | None,
    n_workers: int,
    verbose: int,
    deadline: Deadline | None = None,
) -> FitTable:
    """Do the fits that are not in the log yet, and collect all results.

    With a deadline, all splits are done with one seed before the next; after it, only fits
    of the first split are begun, and only what all losses finished is collected.
    """
    work = plan_fits(settings, plan)
    done = {} if journal is None else _stored(journal, work, data.per_image)
    left = [fit for fit in work if fit.key not in done]
    if deadline is not None:
        left.sort(key=lambda fit: fit.position[::-1])
    with _interruptible(journal, len(work)):
        for fit, result in _run(left, data, n_workers, verbose, deadline):
            done[fit.key] = result
            if journal is not None:
                journal.append({**fit.key._asdict(), **result})
    _check_any(done.values())
    plan = _finished_part(plan, work, done, _num_samples(data.X))
    names = next(list(result["scores"]) for result in done.values() if result["scores"])
    keys = {(fit.key.loss, *fit.position): fit.key for fit in work}
    return collect(
        list(settings),
        names,
        plan,
        _num_samples(data.X),
        lambda label, j, s: done[keys[label, j, s]],
    )


def _stored(journal: FitJournal, work: Sequence[Fit], per_image: bool) -> dict[FitKey, Result]:
    """Return the fits that are done; those that failed are tried again."""
    _check_images(journal, work, per_image)
    stored = {FitKey(*(line[name] for name in FitKey._fields)): line for line in journal.lines}
    if stored and not {key.split for key in stored} & {fit.key.split for fit in work}:
        raise ValueError(
            f"storage={str(journal.path)!r} holds fits on other splits. Pass the cv it was begun "
            f"with, one with a random_state if it shuffles, or the path of a new file."
        )
    return {key: line for key, line in stored.items() if line["status"] != "failed"}


def count_stored(storage: Path, settings: Mapping[str, Settings]) -> dict[str, int]:
    """Return how many fits of each loss a storage holds that need not be done again."""
    if not storage.exists():
        return {}
    texts = {label: digest(each) for label, each in settings.items()}
    done = [line for line in FitJournal(storage).lines if line["status"] != "failed"]
    return Counter(line["loss"] for line in done if texts.get(line["loss"]) == line["settings"])


def _check_images(journal: FitJournal, work: Sequence[Fit], per_image: bool) -> None:
    """Refuse a damaged file, in which a fit has scores of other images than its split."""
    sizes = {fit.key.split: len(fit.test) for fit in work}
    for number, line in enumerate(journal.lines, 1):
        size = sizes.get(line["split"])
        expected = size if per_image and line["status"] == "ok" else 0
        found = len(line["images"] or [])
        if size is not None and found != expected:
            raise ValueError(
                f"storage={str(journal.path)!r} is damaged: fit {number} has {found} scores of "
                f"images, expected {expected}. Remove its line, or pass the path of a new file."
            )


@contextlib.contextmanager
def _interruptible(journal: FitJournal | None, n_fits: int) -> Iterator[None]:
    try:
        with noting_interrupts():
            yield
    except KeyboardInterrupt as error:
        if journal is not None:
            error.add_note(
                f"Finished fits of {n_fits} are in {str(journal.path)!r}: the same call resumes."
            )
        raise


def _run(
    fits: Sequence[Fit],
    data: PairedData,
    n_workers: int,
    verbose: int,
    deadline: Deadline | None,
) -> Iterator[tuple[Fit, Result]]:
    """Yield fits with their results as they finish."""
    calls = (delayed(_numbered)(k, data, fit) for k, fit in enumerate(_in_time(fits, deadline)))
    results = _parallel(n_workers, "2*n_jobs" if deadline is None else "n_jobs")(calls)
    bar = tqdm(total=len(fits), disable=verbose < 1, unit="fit", desc="compare_losses")
    with bar, contextlib.closing(results):
        for k, result in results:
            bar.update()
            if verbose > 1:
                bar.write(_line(fits[k], result))
            yield fits[k], result


def _in_time(fits: Iterable[Fit], deadline: Deadline | None) -> Iterator[Fit]:
    """Yield fits until the deadline, and those of the first split in any case."""
    for fit in fits:
        if fit.position != (0, 0) and deadline is not None and deadline.is_past():
            return
        yield fit


def _finished_part(
    plan: PairedSplits, work: Sequence[Fit], done: Mapping[FitKey, Result], n_images: int
) -> PairedSplits:
    """Return the seeds that all losses finished on all splits, or else the splits.

    If there are whole repeats of the splits, only these are returned.
    """
    unfinished = [fit.position for fit in work if fit.key not in done]
    if not unfinished:
        return plan
    n_splits, n_seeds = plan.seeds.shape[0], min(seed for _, seed in unfinished)
    if n_seeds == 0:
        n_splits, n_seeds = min(split for split, seed in unfinished if seed == 0), 1
        n_folds = folds_per_repeat([test for _, test in plan.splits], n_images)
        n_splits = n_splits // n_folds * n_folds or n_splits
    warnings.warn(
        f"The timeout ended the comparison after {len(work) - len(unfinished)} of {len(work)} "
        f"fits. The results are those of {n_splits * n_seeds} of {plan.seeds.size} fits of each "
        f"loss. With storage, the same call continues.",
        stacklevel=4,
    )
    return PairedSplits(plan.splits[:n_splits], plan.seeds[:n_splits, :n_seeds], plan.repeatable)


def _parallel(n_jobs: int, pre_dispatch: str) -> Parallel:
    try:
        # What has been dispatched is done, even after a deadline.
        return Parallel(n_jobs=n_jobs, return_as="generator_unordered", pre_dispatch=pre_dispatch)
    except ValueError as error:
        raise ValueError(
            "compare_losses takes the results of fits as they finish, which joblib's backend "
            "'multiprocessing' cannot give. Use joblib.parallel_config(backend='loky')."
        ) from error


def _numbered(k: int, data: PairedData, fit: Fit) -> tuple[int, Result]:
    seed = fit.key.random_state
    return k, fit_once(
        data, fit.settings, fit.train, fit.test, seed=seed, number=k, baseline=fit.baseline
    )


def _line(fit: Fit, result: Result) -> str:
    scores = ", ".join(f"{name} {score:.4f}" for name, score in result["scores"].items())
    found = scores or f"{result['status']}: {result['reason']}"
    return f"split {fit.position[0]}, seed {fit.position[1]}, {fit.key.loss}: {found}"


def _check_any(results: Any) -> None:
    reasons = [result["reason"] for result in results]
    if all(reasons):
        raise ValueError(
            f"None of the {len(reasons)} fits finished. The first one: {reasons[0]} Use "
            f"error_score='raise' to see where."
        )
