"""How often the verdict of a search is wrong, and how often it finds a difference.

    python benchmarks/verdicts.py [FOLDER] [--searches 80]

Searches of made-up candidates are run with the race of ``LossSearchCV`` in the loop. The score of a
candidate on a fold is

    mean + fold + shared noise of the candidate + noise,

where the shared noise is due to training sets that overlap (Nadeau and Bengio): it is the same
in all folds, also in fresh ones of the same images, and has ``n_test / n_train`` times the variance
of the noise. Sigma is the standard deviation of a difference of two candidates from fold to fold.

FOLDER holds the records of ``curves.py``. There, a candidate and the same one with another seed are
equal losses.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from contenders import Replay
from replay import read

from sklearnloss.tuning._race.decision import decide, default_repeats, plan_looks
from sklearnloss.tuning._race.race import TOLERANCE
from sklearnloss.tuning._race.verdict import Candidate, SearchVerdict, judge

Array = np.ndarray
Means = Callable[[np.random.Generator], Array]

RATIO, N_FOLDS, N_EPOCHS = 0.25, 5, 3
#: Sigma is 1.
NOISE = 1 / math.sqrt(2)
ROPE = 0.5


class World(NamedTuple):
    """Made-up candidates: their means, shared noise, and standard deviations of the noise."""

    means: Array
    shared: Array
    noise: Array

    def folds(self, n_folds: int, rng: np.random.Generator) -> Array:
        """Return scores of fresh folds, shape (n, n_folds)."""
        own = rng.normal(size=(len(self.means), n_folds)) * self.noise[:, None]
        return (self.means + self.shared)[:, None] + rng.normal(size=n_folds) + own


def make_world(means: Array, is_uneven: bool, rng: np.random.Generator) -> World:
    """Return candidates; with uneven noise it is up to twice as large or small."""
    spread = np.exp(rng.uniform(-0.7, 0.7, len(means))) if is_uneven else np.ones(len(means))
    noise = NOISE * spread
    return World(means, rng.normal(size=len(means)) * noise * math.sqrt(RATIO), noise)


def search(world: World, rng: np.random.Generator, tolerance: float | None) -> SearchVerdict:
    """Search with the race, or without stopping any candidate; each is a loss of its own."""
    finals = world.folds(N_FOLDS, rng)
    if tolerance is None:
        return judge_folds([row.tolist() for row in finals], ROPE, 1.0)
    left = np.linspace(1, 0, N_EPOCHS)  # the noise of an epoch falls with the learning rate
    curves = finals[..., None] + rng.normal(size=(*finals.shape, N_EPOCHS)) * NOISE * left
    replay = Replay(curves, tolerance)
    epochs = replay.run().epochs
    folds = [replay.race.scores.candidates[k].folds for k in range(len(finals))]
    return judge_folds(folds, ROPE, epochs / curves.size)


def judge_folds(folds: list[list[float]], rope: float, cost: float) -> SearchVerdict:
    """Return the verdict on candidates that are losses of their own."""
    candidates = {k: Candidate(str(k), each) for k, each in enumerate(folds)}
    return judge(candidates, RATIO, rope=rope, n_folds=N_FOLDS, cost=cost)


def measure(means: Means, tolerance: float | None, is_uneven: bool, n_searches: int) -> str:
    """Return the cells of a row: how often verdicts are wrong, and what they find."""
    rng = np.random.default_rng(0)
    wrong = equal = 0
    found, several, cost = [], [], []
    for _ in range(n_searches):
        world = make_world(means(rng), is_uneven, rng)
        verdict = search(world, rng, tolerance)
        lead = {k: world.means[int(verdict.best)] - each for k, each in enumerate(world.means)}
        rows = [row for row in verdict.table[1:] if row["n_folds"] > 1]
        worse = {int(row["loss"]) for row in rows if row["status"] == "worse"}
        as_good = {int(row["loss"]) for row in rows if row["status"] == "as good"}
        wrong += any(lead[k] <= 0 for k in worse)
        equal += any(abs(lead[k]) > ROPE for k in as_good)
        found += [int(row["loss"]) in worse for row in rows if lead[int(row["loss"])] > 0]
        several.append(len(rows))
        cost.append(verdict.cost)
    power = f"{np.mean(found):6.2f}" if found else "     -"
    shares = f"{wrong / n_searches:8.3f} {equal / n_searches:8.3f} {power}"
    return f"{shares} {np.mean(several):8.1f} {np.mean(cost):6.2f}"


def measure_decision(means: Means, n_searches: int) -> str:
    """Return the cells of a row: decisions on fresh folds of the same images."""
    rng = np.random.default_rng(1)
    n_wrong = n_found = n_real = 0
    repeats = []
    for _ in range(n_searches):
        world = make_world(means(rng), False, rng)
        verdict = search(world, rng, TOLERANCE)
        left = rivals = verdict.to_decide
        if not rivals:
            continue
        planned = default_repeats(verdict)
        scores = world.folds(planned * N_FOLDS, rng)
        for n in plan_looks(planned):
            known = {label: scores[int(label), : n * N_FOLDS] for label in [verdict.best, *left]}
            verdict = decide(verdict, known, RATIO, n_repeats=n, n_rivals=len(rivals))
            left = [label for label in left if label in verdict.losses("undecided")]
            if not left:
                break
        lead = {label: world.means[int(verdict.best)] - world.means[int(label)] for label in rivals}
        worse = [label for label in rivals if label in verdict.losses("worse")]
        better = [label for label in rivals if label in verdict.losses("better")]
        n_wrong += any(lead[k] <= 0 for k in worse) or any(lead[k] >= 0 for k in better)
        real = [k for k in rivals if lead[k] != 0]
        n_real += len(real)
        n_found += sum(k in worse if lead[k] > 0 else k in better for k in real)
        repeats.append(verdict.n_repeats)
    power = f"{n_found / n_real:6.2f}" if n_real else "     -"
    return f"{n_wrong / max(1, len(repeats)):8.3f} {power} {np.mean(repeats):8.1f}"


def equal_means(n: int) -> Means:
    """Return n equal candidates."""
    return lambda rng: np.zeros(n)


def two_groups(gap: float, n: int = 10) -> Means:
    """Return three candidates that are equally good, and others that are worse by a gap."""
    return lambda rng: rng.permutation(np.where(np.arange(n) < 3, 0.0, -gap))


def measure_records(folder: Path, n_searches: int) -> None:
    """Print how often a candidate is called better than itself with another seed."""
    rng = np.random.default_rng(2)
    print("\nrecorded curves          false    pairs")
    for name, records in read(folder).items():
        if len(records) < 2:
            continue
        n = len(records[0].scores)
        false = pairs = 0
        for _ in range(n_searches):
            chosen = rng.permutation(n)[:20]
            both = np.concatenate([each.scores[chosen] for each in records[:2]])
            both = both[:, rng.permutation(both.shape[1])]
            replay = Replay(both)
            replay.run()
            folds = [replay.race.scores.candidates[k].folds for k in range(len(both))]
            verdict = judge_folds(folds, 0.01, math.nan)
            twin = str((int(verdict.best or 0) + len(chosen)) % len(both))
            (row,) = [row for row in verdict.table if row["loss"] == twin]
            pairs += row["n_folds"] > 1
            false += row["status"] == "worse"
        print(f"{name:20s} {false / n_searches:8.3f} {pairs:8d}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--searches", type=int, default=80)
    args = parser.parse_args()
    print("\nverdicts                        'better'  'as good'          losses with")
    print("candidates            search     false    false   power  2+ folds   cost")
    for tolerance, how in ((TOLERANCE, "race"), (None, "all folds")):
        for n in (2, 5, 20, 50):
            few = args.searches // (2 if n > 20 else 1)
            cells = measure(equal_means(n), tolerance, False, few)
            print(f"{n:2d} equal              {how:10s}{cells}", flush=True)
        cells = measure(equal_means(10), tolerance, True, args.searches)
        print(f"10 equal, uneven noise {how:9s}{cells}", flush=True)
        for gap in (0.5, 1, 2, 4):
            cells = measure(two_groups(gap), tolerance, False, args.searches)
            print(f"3 best, 7 behind {gap:3} s {how:9s} {cells}", flush=True)
    print("\ndecisions on fresh folds  'better' false   power  repeats")
    for n in (2, 5, 20):
        print(f"{n:2d} equal               {measure_decision(equal_means(n), args.searches)}")
    for gap in (0.5, 1, 2, 4):
        print(f"1 best, 1 behind {gap:3} s {measure_decision(two_pair(gap), args.searches)}")
    if args.folder:
        measure_records(args.folder, args.searches)


def two_pair(gap: float) -> Means:
    """Return two candidates."""
    return lambda rng: np.array([0.0, -gap])


if __name__ == "__main__":
    main()
