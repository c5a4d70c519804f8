"""Losses of regions that are not a single ratio."""

from __future__ import annotations

import numpy as np

from .fact import Equality, Fact, Formula
from .numeric import Array, counts, masks
from .papers import BERMAN, MA, YEUNG
from .regions import BATCH, COUNTS, ERRORS, MEAN, both


def lovasz(errors: Array, t: Array, eps: float = 0.0) -> Array:
    """Return the Lovász extension of each class, from the Jaccard loss of each set of pixels."""
    totals = []
    for error, truth in zip(errors.reshape(len(t), -1), t.reshape(len(t), -1) > 0.5, strict=True):
        order = np.argsort(-error)
        mask, before, total = truth.copy(), 0.0, 0.0
        for pixel in order:
            mask[pixel] = not truth[pixel]  # one more of the worst pixels is wrong
            shared, union = (mask & truth).sum() + eps, (mask | truth).sum() + eps
            now = 1 - shared / union if union else 0.0
            total += error[pixel] * (now - before)
            before = now
        totals.append(total)
    return np.array(totals)


def lovasz_softmax(z, t, eps=0.0):  # type: ignore[no-untyped-def]
    """Lovász extension at errors of probabilities."""
    p, t = masks(z, t)
    return lovasz(np.abs(t - p), t, eps)


def unified_focal(z, t, weight=0.5, delta=0.6, gamma=0.5, eps=1e-6):  # type: ignore[no-untyped-def]
    """Unified focal loss; a channel stands for a class and its background."""
    if t.ndim == z.ndim:  # each channel alone, as two classes
        pairs = [
            unified_focal(np.stack([0 * c, c]), m.astype(int), weight, delta, gamma, eps)
            for c, m in zip(z, t, strict=True)
        ]
        return np.mean(pairs, axis=1)
    tp, fp, fn = counts(z, t)
    error = 1 - (tp + eps) / (tp + delta * fn + (1 - delta) * fp + eps)
    tversky = np.concatenate([error[:1], error[1:] ** (1 - gamma)])
    p, t = masks(z, t)
    entropy = -delta * t * np.log(p)
    entropy[0] = -(1 - delta) * (1 - p[0]) ** gamma * t[0] * np.log(p[0])
    return weight * entropy.mean((1, 2)) + (1 - weight) * tversky


SORTED = {
    r"\Delta_i": "what the i-th pixel adds: $J_i - J_{i-1}$, with $J_i$ the Jaccard loss (one "
    "minus the IoU) of the mask in which the i worst pixels are wrong",
    "t": "the true mask, 0 or 1",
}
NO_DETERMINISM = (
    "CUDA with `torch.use_deterministic_algorithms(True)`, which refuses its cumulative sums."
)

FACTS = {
    "lovasz_hinge": Fact(
        title="Lovász hinge loss",
        formulas=(
            Formula(
                "Masks: one sigmoid per channel",
                r"""\ell = \sum_{i} \max(0,\, m_{(i)})\, \Delta_i, \qquad
m = 1 - z\,(2 t - 1), \qquad m_{(1)} \ge m_{(2)} \ge \dots""",
                "sigmoid",
                lambda z, t, eps=0.0: lovasz(np.maximum(0, 1 - z * (2 * t - 1)), t, eps),
            ),
        ),
        symbols={"z": "the logits of one image and one channel", "m": "the errors", **SORTED},
        limits=(
            "0 once every pixel is right by a margin of 1; no upper bound.",
            "Linear in a mistake, so its gradient does not vanish there.",
            "An empty mask costs the largest error of a pixel. Class indices become one mask per "
            "class.",
        ),
        use=(
            f"Masks scored by IoU, in particular after some epochs of `bce` or `dice` ({BERMAN}).",
            "Two classes, or several labels at once.",
        ),
        avoid=(
            "Calibrated probabilities: it is a hinge loss.",
            "Few images of small objects: which pixels count changes from step to step.",
            NO_DETERMINISM,
        ),
        effects={"batch": BATCH},
        beside=("hinge", "lovasz_hinge"),
        curve="image",
        demos=("nuclei",),
        in_sum="lovasz_hinge+bce",
        neighbors={
            "lovasz_softmax": "the same at errors of probabilities, for classes, too",
            "hinge": "for one pixel it is the same loss",
            "jaccard": "a ratio of soft counts for the same score",
        },
        epoch="1.04",
    ),
    "lovasz_softmax": Fact(
        title="Lovász softmax loss",
        formulas=both(
            r"""\ell = \sum_{i} m_{(i)}\, \Delta_i, \qquad m = |t - p|, \qquad
m_{(1)} \ge m_{(2)} \ge \dots""",
            lovasz_softmax,
        ),
        symbols={
            "p": "the probability of the class: a softmax, or a channel's sigmoid",
            "m": "the errors",
            **SORTED,
        },
        limits=(
            "From 0 to 1; at probabilities of 0 and 1 it is one minus the IoU exactly.",
            "The gradient fades on confident mistakes, because probabilities do.",
            "Classes that an image lacks count; the authors leave them out.",
            MEAN,
        ),
        use=(
            f"Classes scored by mean IoU: 79.0 on Pascal VOC, after training with cross entropy "
            f"({BERMAN}).",
            "The last epochs, after a pixel loss has learned the coarse picture.",
        ),
        avoid=(
            f"From the beginning with many classes that are absent: .66 on several organs where "
            f"Dice had .84 ({MA}).",
            "Large images on a CPU: it sorts the pixels of each class.",
            NO_DETERMINISM,
        ),
        effects={"batch": BATCH},
        beside=("jaccard", "lovasz_softmax"),
        curve="image",
        demos=("nuclei", "border"),
        in_sum="lovasz_softmax+cross_entropy",
        neighbors={
            "jaccard": "a ratio of soft counts for the same score",
            "lovasz_hinge": "the same at hinge errors of logits",
        },
        epoch="1.04",
    ),
    "unified_focal": Fact(
        title="Unified focal loss",
        formulas=both(
            r"""\ell &= \lambda \cdot \frac{1}{n\,C} \sum_{i,c} h_{ic}
+ (1 - \lambda) \cdot \frac{1}{C} \sum_c r_c \\
h_{ic} &= \begin{cases} -(1 - \delta)\,(1 - p_{i0})^{\gamma}\, t_{i0} \log p_{i0} & c = 0 \\
-\delta\, t_{ic} \log p_{ic} & c > 0 \end{cases} \\
r_c &= \begin{cases} 1 - T_0 & c = 0 \\ (1 - T_c)^{1 - \gamma} & c > 0 \end{cases} \\
T_c &= \frac{\mathrm{TP}_c + \varepsilon}{\mathrm{TP}_c + \delta\,\mathrm{FN}_c
+ (1 - \delta)\,\mathrm{FP}_c + \varepsilon}""",
            unified_focal,
        ),
        symbols={
            **COUNTS,
            **ERRORS,
            "i,\\ n,\\ C": "a pixel, the number of pixels, and of classes",
            "c = 0": "the background; one channel stands for background and foreground",
            r"\lambda": "`weight`, the share of the cross entropy",
            r"\delta": "`delta`, the weight of foreground and of misses",
            r"\gamma": "`gamma`: less cross entropy of easy background, more loss of rare classes",
        },
        limits=(
            "From 0 for a perfect mask; no upper bound unless `weight` is 0.",
            "Its cross entropy keeps a gradient on confident mistakes.",
        ),
        use=(
            f"Very unequal sizes: the best of 7 losses on five medical data sets ({YEUNG}).",
            "A sum of a pixel and a region loss with three numbers to tune instead of six.",
        ),
        avoid=(
            "Classes of similar size: `dice+cross_entropy` has the same two parts, and nothing to "
            "tune.",
            "No held-out images to tune on.",
        ),
        effects={
            "weight": "More like cross entropy, less like Tversky.",
            "delta": "Finds more, raises more false alarms.",
            "gamma": "More emphasis on rare classes.",
        },
        vary=("gamma", (0.1, 0.5, 0.9)),
        curve="image",
        demos=("nuclei", "border"),
        in_sum="unified_focal+1e-4*l2",
        equals=(
            Equality(
                {"weight": 0.0, "gamma": 0.0, "delta": 0.7},
                "tversky",
                {"alpha": 0.3, "beta": 0.7},
            ),
        ),
        neighbors={
            "focal": "its pixel part, for all classes alike",
            "focal_tversky": "its region part, for all classes alike",
        },
    ),
}
