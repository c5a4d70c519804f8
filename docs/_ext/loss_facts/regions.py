"""Losses of regions that are ratios of soft counts."""

from __future__ import annotations

import numpy as np

from .fact import Equality, Fact, Formula
from .numeric import Array, counts, masks
from .papers import BERTELS, ISENSEE, MA, SALEHI

COUNTS = {
    r"\mathrm{TP}": "$\\sum_i \\min(p_i, t_i)$ over the pixels of one image and one class, "
    "which is $\\sum_i p_i t_i$ for masks of 0 and 1",
    "p": "the probability: a sigmoid per channel, or the softmax of C logits",
    "t": "the true mask of the class",
    r"\varepsilon": "`eps`, which makes an empty prediction for an empty mask cost nothing",
}
ERRORS = {
    r"\mathrm{FP},\ \mathrm{FN}": "$\\sum_i p_i - \\mathrm{TP}$, the false alarms, and "
    "$\\sum_i t_i - \\mathrm{TP}$, the misses",
}
MEAN = (
    "The loss of an image is the mean over its classes (`class_weight` weights it, "
    "`include_background=False` leaves class 0 out), that of a batch the mean over its images."
)
FADES = (
    "The gradient fades on confident mistakes, and on an image without the object it is almost 0 "
    "unless `eps` is large."
)
FORMS = "Masks (a sigmoid per channel) and classes (softmax) alike"
EPS = (
    "Softens the loss of small regions and of empty masks. Around 1 a region of few pixels hardly "
    "counts."
)
BATCH = "With True an image's loss depends on the others of its batch."


def both(latex: str, value):  # type: ignore[no-untyped-def]
    """Return the formula of a loss that is the same in both forms."""
    return Formula(FORMS, latex, "sigmoid", value), Formula("", "", "softmax", value)


def dice(z, t, eps=1e-6, squared=False):  # type: ignore[no-untyped-def]
    """Dice loss of each class."""
    p, t = masks(z, t)
    if squared:
        tp, total = (p * t).sum((1, 2)), (p**2 + t**2).sum((1, 2))
    else:
        tp, total = np.minimum(p, t).sum((1, 2)), (p + t).sum((1, 2))
    return 1 - (2 * tp + eps) / (total + eps)


def jaccard(z, t, eps=1e-6):  # type: ignore[no-untyped-def]
    """Jaccard loss of each class."""
    tp, fp, fn = counts(z, t)
    return 1 - (tp + eps) / (tp + fp + fn + eps)


def tversky(z, t, alpha=0.5, beta=0.5, eps=1e-6):  # type: ignore[no-untyped-def]
    """Tversky loss of each class."""
    tp, fp, fn = counts(z, t)
    return 1 - (tp + eps) / (tp + alpha * fp + beta * fn + eps)


def generalized_dice(z, t, weight_type="square", eps=1e-6):  # type: ignore[no-untyped-def]
    """Generalized Dice loss of an image; one channel stands for two classes."""
    p, t = masks(z, t)
    if len(p) == 1:
        p, t = np.concatenate([1 - p, p]), np.concatenate([1 - t, t])
    size = t.sum((1, 2))
    w = 1 / size ** {"square": 2, "simple": 1, "uniform": 0}[weight_type]
    tp, total = np.minimum(p, t).sum((1, 2)), (p + t).sum((1, 2))
    return 1 - (2 * (w * tp).sum() + eps) / ((w * total).sum() + eps)


def mcc(z, t, eps=1e-6):  # type: ignore[no-untyped-def]
    """One minus the Matthews correlation of each class."""
    tp, fp, fn = (each / z[0].size for each in counts(z, t))
    tn = 1 - tp - fp - fn
    above = (tp + eps) * (tn + eps) - fp * fn
    return 1 - above / np.sqrt(
        (tp + fp + eps) * (tp + fn + eps) * (tn + fp + eps) * (tn + fn + eps)
    )


def _power(z: Array, t: Array, alpha: float, beta: float, gamma: float, eps: float) -> Array:
    return np.asarray(tversky(z, t, alpha, beta, eps) ** gamma)


FACTS = {
    "dice": Fact(
        title="Dice loss",
        formulas=both(
            r"""\ell = 1 - \frac{2\,\mathrm{TP} + \varepsilon}{\sum_i p_i + \sum_i t_i
+ \varepsilon}""",
            dice,
        ),
        symbols=COUNTS,
        limits=(
            "From 0 for p = t to nearly 1. A class has the same weight however few pixels it has.",
            FADES,
            "With `squared=True` the sums are of squares: $\\sum p_i t_i$ above, and "
            "$\\sum p_i^2 + \\sum t_i^2$ below, as in V-Net.",
            MEAN,
        ),
        use=(
            "Segmentation scored by Dice or IoU, and objects that are small.",
            f"Beside a pixel loss: `dice+bce` or `dice+cross_entropy`, the defaults of nnU-Net "
            f"({ISENSEE}) and among the most robust of 20 losses ({MA}).",
            f"Small lesions: .62 on liver tumors where cross entropy had .56 ({MA}).",
        ),
        avoid=(
            "Many images without the object: there the gradient is almost 0, and after the first "
            "false pixel the loss is nearly 1. Add a pixel loss, raise `eps`, or set `batch=True`.",
            "Calibrated probabilities: they come out close to 0 and 1.",
            "Large regions and few epochs: cross entropy learns them faster, as below.",
        ),
        effects={
            "eps": EPS,
            "squared": "True has more gradient where probabilities are far from 0 and 1.",
            "batch": BATCH,
        },
        vary=("eps", (1e-6, 1.0, 10.0)),
        curve="image",
        demos=("nuclei", "border"),
        in_sum="dice+bce",
        equals=(Equality({"eps": 2e-3}, "tversky", {"alpha": 0.5, "beta": 0.5, "eps": 1e-3}),),
        neighbors={
            "jaccard": "ranks masks in the same order: with d the Dice loss it is 2 d / (1 + d) "
            "at eps = 0",
            "tversky": "weights false alarms and misses differently",
            "generalized_dice": "one ratio over all classes",
            "log_cosh_dice": "a smooth function of it",
        },
    ),
    "jaccard": Fact(
        title="Jaccard loss (soft IoU)",
        formulas=both(
            r"""\ell = 1 - \frac{\mathrm{TP} + \varepsilon}{\sum_i p_i + \sum_i t_i - \mathrm{TP}
+ \varepsilon}""",
            jaccard,
        ),
        symbols=COUNTS,
        limits=("From 0 for a perfect mask to nearly 1.", FADES, MEAN),
        use=(
            "Segmentation scored by IoU.",
            "Masks that are nearly right: there its gradient is up to twice that of Dice, on bad "
            "ones down to half of it (at eps = 0).",
        ),
        avoid=(
            f"Expecting much more than from Dice: on four organs the two differed by at most .011 "
            f"({MA}).",
            "Many images without the object: as with Dice, add a pixel loss or set `batch=True`.",
        ),
        effects={"eps": EPS, "batch": BATCH},
        vary=("eps", (1e-6, 1.0, 10.0)),
        curve="image",
        demos=("border",),
        in_sum="jaccard+bce",
        equals=(Equality({"eps": 1e-3}, "tversky", {"alpha": 1.0, "beta": 1.0, "eps": 1e-3}),),
        neighbors={
            "dice": "the same ranking of masks; d = l / (2 - l)",
            "lovasz_softmax": "equals one minus the IoU of hard masks, too, and is convex in the "
            "errors",
        },
    ),
    "tversky": Fact(
        title="Tversky loss",
        formulas=both(
            r"""\ell = 1 - \frac{\mathrm{TP} + \varepsilon}{\mathrm{TP} + \alpha\,\mathrm{FP}
+ \beta\,\mathrm{FN} + \varepsilon}""",
            tversky,
        ),
        symbols={
            **COUNTS,
            **ERRORS,
            r"\alpha,\ \beta": "`alpha` and `beta`, what a false alarm and a miss cost",
        },
        limits=("From 0 for a perfect mask to nearly 1.", FADES, MEAN),
        use=(
            f"A miss costs more than a false alarm: `alpha=0.3, beta=0.7` for lesions ({SALEHI}).",
            "The score weights recall more than precision, or less.",
        ),
        avoid=(
            f"The score is Dice: the further alpha and beta are from 1/2, the worse the loss "
            f"approximates it ({BERTELS}).",
            "No time to tune two numbers: vary beta with alpha = 1 - beta, or use Dice.",
        ),
        effects={
            "alpha": "Fewer false alarms, more misses.",
            "beta": "Fewer misses, more false alarms.",
        },
        vary=("beta", (0.3, 0.5, 0.9)),
        curve="image",
        demos=("nuclei", "border"),
        shown_with={"alpha": 0.3, "beta": 0.7},
        in_sum="tversky+bce",
        equals=(
            Equality({"eps": 1e-3}, "dice", {"eps": 2e-3}),
            Equality({"alpha": 1.0, "beta": 1.0}, "jaccard"),
            Equality(
                {"alpha": 0.3, "beta": 0.7},
                "focal_tversky",
                {"alpha": 0.3, "beta": 0.7, "gamma": 1.0},
            ),
        ),
        neighbors={
            "dice": "false alarms and misses cost the same",
            "focal_tversky": "a power of it",
        },
    ),
    "focal_tversky": Fact(
        title="Focal Tversky loss",
        formulas=both(
            r"""\ell = \left(1 - \frac{\mathrm{TP} + \varepsilon}{\mathrm{TP} + \alpha\,\mathrm{FP}
+ \beta\,\mathrm{FN} + \varepsilon}\right)^{\gamma}""",
            lambda z, t, alpha=0.3, beta=0.7, gamma=0.75, eps=1e-6: _power(
                z, t, alpha, beta, gamma, eps
            ),
        ),
        symbols={
            **COUNTS,
            **ERRORS,
            r"\alpha,\ \beta": "`alpha` and `beta`, what a false alarm and a miss cost",
            r"\gamma": "`gamma`; the paper writes 1 / gamma, and its 4/3 is 0.75 here",
        },
        limits=(
            "From 0 for a perfect mask to nearly 1.",
            "With gamma below 1 the loss is steep near a perfect mask, with gamma above 1 flat.",
            FADES,
            MEAN,
        ),
        use=(
            "Small lesions of different difficulty: gamma decides whether masks that are nearly "
            "right or still bad get most of the gradient. In the paper, a plain U-Net with it "
            "had a Dice score of .669 on breast ultrasound, and an attention U-Net with the Dice "
            "loss .615.",
        ),
        avoid=(
            f"Several organs: .75 where Dice had .84 ({MA}).",
            "No time to tune three numbers: [`tversky`](tversky.md) has two.",
        ),
        effects={
            "alpha": "Fewer false alarms, more misses.",
            "beta": "Fewer misses, more false alarms.",
            "gamma": "More weight for masks that are still bad, less for those that are nearly "
            "right.",
        },
        vary=("gamma", (0.5, 0.75, 2.0)),
        curve="image",
        demos=("nuclei", "border"),
        in_sum="focal_tversky+bce",
        equals=(
            Equality({"gamma": 1.0}, "tversky", {"alpha": 0.3, "beta": 0.7}),
            Equality({"alpha": 1.0, "beta": 1.0, "gamma": 1.0}, "jaccard"),
        ),
        neighbors={
            "tversky": "gamma = 1",
            "unified_focal": "adds a focal cross entropy with shared parameters",
        },
    ),
    "log_cosh_dice": Fact(
        title="Log-cosh Dice loss",
        formulas=both(
            r"""\ell = \log \cosh d, \qquad d = 1 - \frac{2\,\mathrm{TP} + \varepsilon}
{\sum_i p_i + \sum_i t_i + \varepsilon}""",
            lambda z, t, eps=1e-6: np.log(np.cosh(dice(z, t, eps))),
        ),
        symbols={"d": "the Dice loss of one image and one class", **COUNTS},
        limits=(
            "From 0 to log cosh 1 = 0.434.",
            "About d² / 2 near the optimum: the gradient becomes small there, where that of Dice "
            "stays.",
            FADES,
            MEAN,
        ),
        use=("Dice training that does not settle: steps become smaller as masks become better.",),
        avoid=(
            "The last percent matters: the gradient is small where Dice is already good.",
            "Little evidence: it was proposed on one data set of skull stripping.",
        ),
        effects={"eps": EPS, "batch": BATCH},
        beside=("dice", "log_cosh_dice"),
        curve="image",
        demos=("border",),
        in_sum="log_cosh_dice+bce",
        neighbors={
            "dice": "the d of the formula",
            "focal_tversky": "also a function of a ratio; with alpha = beta = 1/2 and gamma = 2 it "
            "is d², about twice this loss for small d",
        },
    ),
    "generalized_dice": Fact(
        title="Generalized Dice loss",
        formulas=both(
            r"""\ell = 1 - \frac{2 \sum_c w_c\,\mathrm{TP}_c + \varepsilon}
{\sum_c w_c \left(\sum_i p_{ic} + \sum_i t_{ic}\right) + \varepsilon},
\qquad w_c = \frac{1}{\left(\sum_i t_{ic}\right)^2}""",
            generalized_dice,
        ),
        symbols={
            **COUNTS,
            "w_c": 'the weight of class c; `weight_type` "simple" has no square, "uniform" '
            "is 1. One channel stands for background and foreground",
        },
        limits=(
            "From 0 for perfect masks to nearly 1; one number for all classes of an image.",
            "A class that an image lacks gets the largest weight of those present.",
            FADES,
        ),
        use=("Classes of very different sizes that are present in every image.",),
        avoid=(
            "Large classes matter as much: below, it finds the rims at the cost of the nuclei.",
            f"Classes that are absent from images: on several organs it collapsed to a Dice of .01 "
            f"({MA}). Prefer `dice+cross_entropy` there.",
            'A large `eps`: with "square" the sums are of the order of 1 / size, and eps must be '
            "well below that.",
        ),
        effects={
            "weight_type": '"square" favors small classes most, "uniform" not at all.',
            "eps": EPS,
            "batch": BATCH,
        },
        vary=("weight_type", ("square", "simple", "uniform")),
        curve="image",
        demos=("nuclei", "border"),
        in_sum="generalized_dice+cross_entropy",
        neighbors={
            "dice": "a ratio for each class, and then their mean",
            "unified_focal": "another way to treat very different sizes",
        },
    ),
    "mcc": Fact(
        title="MCC loss (Matthews correlation coefficient)",
        formulas=both(
            r"""\ell = 1 - \frac{\mathrm{TP}\,\mathrm{TN} - \mathrm{FP}\,\mathrm{FN}}
{\sqrt{(\mathrm{TP} + \mathrm{FP})(\mathrm{TP} + \mathrm{FN})
(\mathrm{TN} + \mathrm{FP})(\mathrm{TN} + \mathrm{FN})}}""",
            mcc,
        ),
        symbols={
            r"\mathrm{TP},\ \mathrm{TN},\ \mathrm{FP},\ \mathrm{FN}": "soft counts over the pixels "
            "of one image and one class, as shares of all pixels",
            r"\varepsilon": "`eps`, added to TP and TN above and to each sum below",
        },
        limits=(
            "From 0 for a perfect mask over 1 for an unrelated one to 2 for its opposite.",
            FADES,
            MEAN,
        ),
        use=(
            "True negatives matter: background that is right counts as much as foreground.",
            "Objects that fill most of the image in some images and little in others: a mask that "
            "covers everything never looks good.",
        ),
        avoid=(
            "The score is Dice or IoU, which do not count true negatives.",
            "Empty masks: about 1 for any false pixel, as with Dice.",
        ),
        effects={"eps": "Softens the loss of nearly empty masks.", "batch": BATCH},
        beside=("dice", "mcc"),
        curve="image",
        demos=("border",),
        in_sum="mcc+bce",
        neighbors={
            "dice": "ignores true negatives",
            "jaccard": "ignores true negatives, too",
        },
    ),
}
