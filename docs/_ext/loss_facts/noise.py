"""Losses for wrong labels."""

from __future__ import annotations

import numpy as np

from .fact import Equality, Fact, Formula
from .numeric import Array, at_label, p_label


def tempered_softmax(z: Array, t: float) -> Array:
    """Return exp_t(z - lambda), with lambda found by bisection."""
    if t == 1:
        return np.exp(z - np.log(np.exp(z).sum(0)))

    def powers(shift: Array) -> Array:
        return (1 + (t - 1) * (shift - z)) ** (-1 / (t - 1))

    low, high = z.max(0), z.max(0) + (len(z) ** (t - 1) - 1) / (t - 1)
    for _ in range(100):
        middle = (low + high) / 2
        above = powers(middle).sum(0) > 1
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return powers((low + high) / 2)


def tempered_log(x: Array, t: float) -> Array:
    """Return log_t x."""
    return np.log(x) if t == 1 else (x ** (1 - t) - 1) / (1 - t)


def bi_tempered(z, y, t1=0.8, t2=1.2):  # type: ignore[no-untyped-def]
    """Bi-tempered logistic loss."""
    p = tempered_softmax(z, t2)
    spread = (1 - (p ** (2 - t1)).sum(0)) / (2 - t1)
    return -tempered_log(at_label(p, y), t1) - spread


def symmetric_ce(z, y, alpha=0.1, beta=1.0, log_zero=-4.0):  # type: ignore[no-untyped-def]
    """Cross entropy and its reverse."""
    p = p_label(z, y)
    return -alpha * np.log(p) - beta * log_zero * (1 - p)


FACTS = {
    "generalized_ce": Fact(
        title="Generalized cross entropy",
        formulas=(
            Formula(
                "Classes that exclude each other",
                r"\ell = \frac{1 - p_y^{\,q}}{q}, \qquad p = \mathrm{softmax}(z)",
                "softmax",
                lambda z, y, q=0.7: (1 - p_label(z, y) ** q) / q,
            ),
        ),
        symbols={
            "p_y": "the softmax probability of the label",
            "q": "`q`, between cross entropy (0) and mean absolute error (1)",
        },
        limits=(
            "From 0 to 1 / q.",
            "The gradient is p^q times that of cross entropy: it fades on confident mistakes, "
            "which is what protects against wrong labels.",
            "q near 0 approaches cross entropy; q = 1 is 1 - p of the label.",
        ),
        use=(
            "A good part of the labels is wrong.",
            "Masks with careless outlines: the pixels at the rim cost less than under cross "
            "entropy.",
        ),
        avoid=(
            "Clean labels and hard classes: examples that are wrong at first learn slowly.",
            "q near 1 with many classes: at the start p is 1 / C, and the gradient is small.",
        ),
        effects={"q": "More robust to wrong labels, and slower at first."},
        vary=("q", (0.1, 0.7, 1.0)),
        demos=("noisy", "nuclei"),
        in_sum="dice+generalized_ce",
        equals=(),
        neighbors={
            "cross_entropy": "the limit as q goes to 0",
            "symmetric_ce": "keeps some cross entropy, so it learns faster and is less robust",
            "bi_tempered": "bounded, with a second parameter for mistakes near the boundary",
            "brier": "bounded, without a parameter",
        },
    ),
    "symmetric_ce": Fact(
        title="Symmetric cross entropy",
        formulas=(
            Formula(
                "Classes that exclude each other",
                r"\ell = -\alpha \log p_y + \beta A\,(1 - p_y), \qquad p = \mathrm{softmax}(z)",
                "softmax",
                symmetric_ce,
            ),
        ),
        symbols={
            "p_y": "the softmax probability of the label",
            r"\alpha": "`alpha`, the weight of cross entropy",
            r"\beta": "`beta`, the weight of the reverse cross entropy, in which labels and "
            "predictions exchange their roles",
            "A": "-`log_zero`, 4 by default: what stands for -log 0 there",
        },
        limits=(
            "From 0 without an upper bound; bounded only for alpha = 0.",
            "On a confident mistake the gradient of the reverse part fades, and alpha times that "
            "of cross entropy remains.",
        ),
        use=(
            "A good part of the labels is wrong, and learning must not become slow: its cross "
            "entropy keeps it moving.",
        ),
        avoid=(
            "Clean labels: cross entropy has one parameter less to tune.",
            "Calibrated probabilities: the reverse part pushes them toward 0 and 1.",
        ),
        effects={
            "alpha": "Learns faster, and follows wrong labels more.",
            "beta": "More robust to wrong labels. Only the ratio to `alpha` and the learning rate "
            "matter.",
        },
        vary=("alpha", (0.01, 0.1, 1.0)),
        demos=("noisy",),
        in_sum="dice+symmetric_ce",
        equals=(
            Equality({"alpha": 1.0, "beta": 0.0}, "cross_entropy"),
            Equality({"alpha": 0.5, "beta": 0.25}, "poly1", {"epsilon": 2.0}, factor=0.5),
            Equality({"alpha": 0.0, "beta": 0.25}, "generalized_ce", {"q": 1.0}),
        ),
        neighbors={
            "poly1": "the same formula with other weights",
            "generalized_ce": "bounded, with one parameter",
        },
    ),
    "bi_tempered": Fact(
        title="Bi-tempered logistic loss",
        formulas=(
            Formula(
                "Classes that exclude each other",
                r"""\ell = -\log_{t_1} p_y - \frac{1 - \sum_c p_c^{\,2 - t_1}}{2 - t_1},
\qquad p_c = \exp_{t_2}(z_c - \lambda), \qquad
\log_t x = \frac{x^{1 - t} - 1}{1 - t}, \qquad
\exp_t x = \max\left(0,\; 1 + (1 - t)\, x\right)^{1 / (1 - t)}""",
                "softmax",
                bi_tempered,
            ),
        ),
        symbols={
            "z": "the C logits",
            "y": "the label",
            r"\lambda": "a number for which the probabilities add up to 1, found by Newton's "
            "method",
            "t_1": "`t1`, the temperature of the logarithm: 1 is the ordinary one",
            "t_2": "`t2`, the temperature of the softmax: 1 is the ordinary one",
        },
        limits=(
            "From 0 to 1 / (1 - t1); no upper bound for t1 = 1.",
            "For t1 below 1 the gradient fades on confident mistakes, more slowly the larger t2 "
            "is.",
        ),
        use=("Wrong labels far from the decision boundary (lower `t1`) or near it (raise `t2`).",),
        avoid=(
            "Clean labels and no time to tune two parameters.",
            "Large images on a CPU: seven Newton steps for each pixel; an epoch of small masks "
            "took 1.16 times as long as with `bce`.",
        ),
        effects={
            "t1": "Less robust to outliers; 1 is unbounded.",
            "t2": "Heavier tails: mistakes near the boundary count less.",
        },
        vary=("t1", (1.0, 0.8, 0.2)),
        demos=("noisy",),
        in_sum="dice+bi_tempered",
        equals=(
            Equality({"t1": 1.0, "t2": 1.0}, "cross_entropy"),
            Equality({"t1": 0.0, "t2": 1.0}, "brier", factor=0.5),
        ),
        neighbors={
            "generalized_ce": "bounded by one parameter, with an ordinary softmax",
            "brier": "the bounded end of this family",
        },
        epoch="1.16",
    ),
}
