"""Likelihoods and margins."""

from __future__ import annotations

import numpy as np

from .fact import Equality, Fact, Formula
from .numeric import at_label, one_hot, sigmoid, softmax, softplus
from .papers import GALDRAN, HUI, ISENSEE, KORNBLITH, MA, MUELLER, SZEGEDY, TANG, WIGHTMAN


def bce(z, t, pos_weight=1.0, label_smoothing=0.0):  # type: ignore[no-untyped-def]
    """Binary cross entropy."""
    w, s = (1.0 if pos_weight is None else pos_weight), label_smoothing
    t = (1 - s) * t + s / 2
    return w * t * softplus(-z) + (1 - t) * softplus(z)


def smoothed(z, y, s):  # type: ignore[no-untyped-def]
    """Cross entropy with smoothed labels."""
    log_p = np.log(softmax(z))
    return -(1 - s) * at_label(log_p, y) - s / len(z) * log_p.sum(0)


def crammer_singer(z, y, margin=1.0, p=1):  # type: ignore[no-untyped-def]
    """Hinge of the strongest wrong class."""
    rival = np.where(one_hot(y, len(z)) == 1, -np.inf, z).max(0)
    return np.maximum(0, margin + rival - at_label(z, y)) ** p


def weston_watkins(z, y, margin=1.0, p=1):  # type: ignore[no-untyped-def]
    """Hinges of all wrong classes."""
    hinges = np.maximum(0, margin + z - at_label(z, y)) ** p
    return (hinges * (1 - one_hot(y, len(z)))).sum(0) / len(z)


FACTS = {
    "bce": Fact(
        title="Binary cross entropy",
        formulas=(
            Formula(
                "Masks and several labels at once: one sigmoid per channel",
                r"""\ell &= w\, t \log\left(1 + e^{-z}\right)
+ (1 - t) \log\left(1 + e^{z}\right) \\
&= -w\, t \log p - (1 - t) \log (1 - p) \\
p &= \frac{1}{1 + e^{-z}}""",
                "sigmoid",
                bce,
            ),
        ),
        symbols={
            "z": "the logit of a pixel, any real number",
            "p": "the probability that it stands for",
            "t": "the target, 0 or 1; with `label_smoothing` s, t (1 - s) + s / 2",
            "w": "`pos_weight`, 1 by default",
        },
        limits=(
            "Approaches 0 for a certain and right prediction; no upper bound.",
            "The gradient in z is p - t (with w = 1): it approaches ±1 on a confident mistake and "
            "never vanishes there.",
            "The value of an easy negative is exact in float32; torch's own rounds it to 0 from "
            "about z = -15.",
        ),
        use=(
            "Masks that fill a fair part of the image, and labels that may occur together.",
            "When probabilities matter: the loss is a proper score, so a network that minimizes "
            "it tends to be calibrated.",
            f"As the pixel term beside a region loss: sums such as `dice+bce` were the most robust "
            f"of 20 losses ({MA}), and nnU-Net trains with one ({ISENSEE}).",
            f"For images of one class as in strong training recipes: a decision per class "
            f"({WIGHTMAN}).",
        ),
        avoid=(
            "Rare objects scored by Dice or IoU: most of the sum is background. Raise "
            "`pos_weight`, or add a region loss.",
            "Classes that exclude each other: [`cross_entropy`](cross_entropy.md) knows that "
            "probabilities add up to 1.",
        ),
        effects={
            "pos_weight": "Above 1 finds more and raises more false alarms. The number of "
            "negatives divided by that of positives balances the two.",
            "label_smoothing": "Keeps logits small. A perfect fit no longer costs 0.",
        },
        vary=("pos_weight", (1.0, 3.0, 10.0)),
        demos=("nuclei",),
        in_sum="dice+bce",
        equals=(
            Equality({}, "focal", {"gamma": 0.0, "alpha": None}, form="sigmoid"),
            Equality(
                {},
                "asymmetric",
                {"gamma_pos": 0.0, "gamma_neg": 0.0, "clip": 0.0},
                form="sigmoid",
            ),
        ),
        neighbors={
            "cross_entropy": "for two classes, cross entropy of the logits (0, z) is this loss",
            "focal": "gives less weight to pixels that are already right",
            "brier": "squares the error p - t instead",
        },
    ),
    "cross_entropy": Fact(
        title="Cross entropy",
        formulas=(
            Formula(
                "Classes that exclude each other",
                r"""\ell = -\sum_{c=1}^{C} q_c \log p_c, \qquad p = \mathrm{softmax}(z),
\qquad q_c = (1 - s)\,[c = y] + \frac{s}{C}""",
                "softmax",
                lambda z, y, label_smoothing=0.0: smoothed(z, y, label_smoothing),
            ),
        ),
        symbols={
            "z": "the C logits of a pixel or of an image",
            "p": "their softmax, the probabilities",
            "y": "the label; with s = 0 the loss is -log p of the label",
            "s": "`label_smoothing`, 0 by default",
        },
        limits=(
            "Approaches 0 for a certain and right prediction (with s = 0); no upper bound.",
            "The gradient in the logits is p - q: it never vanishes on a confident mistake.",
            "With `class_weight`, each pixel's term is multiplied by the weight of its label, and "
            "a mean divides by the sum of these weights.",
        ),
        use=(
            "The starting point for classes, of images and of pixels. Differences to other losses "
            f"are often small ({KORNBLITH}).",
            "When probabilities matter: it is a proper score.",
            f"Images of which many do not contain the object: safer there than sums with Dice "
            f"({GALDRAN}).",
            f"Beside Dice for several classes: `dice+cross_entropy` is the default of nnU-Net "
            f"({ISENSEE}).",
        ),
        avoid=(
            "Alone for rare classes scored by Dice, IoU or balanced accuracy: it learns them late. "
            "Add a region loss, or use [`logit_adjusted`](logit_adjusted.md) or "
            "`class_weight='balanced'`.",
            "Many wrong labels: a confident network pays without bound for each of them. See "
            "[`generalized_ce`](generalized_ce.md).",
        ),
        effects={
            "label_smoothing": "Less confident predictions. 0.1 is usual; from about 0.2 on "
            "probabilities become vague."
        },
        vary=("label_smoothing", (0.0, 0.1, 0.2)),
        demos=("nuclei", "border"),
        in_sum="dice+cross_entropy",
        equals=(
            Equality({}, "focal", {"gamma": 0.0, "alpha": None}),
            Equality({"label_smoothing": 0.1}, "label_smoothing", {"eps": 0.1}),
            Equality({}, "poly1", {"epsilon": 0.0}),
            Equality({}, "topk", {"k": 1.0}),
            Equality({}, "bi_tempered", {"t1": 1.0, "t2": 1.0}),
        ),
        neighbors={
            "bce": "one decision per channel instead of one among all classes",
            "generalized_ce": "approaches this loss as q goes to 0",
            "logit_adjusted": "adds the logarithm of the class frequencies to the logits",
        },
    ),
    "label_smoothing": Fact(
        title="Label smoothing cross entropy",
        formulas=(
            Formula(
                "Classes that exclude each other",
                r"""\ell = -(1 - \varepsilon) \log p_y - \frac{\varepsilon}{C}
\sum_{c=1}^{C} \log p_c, \qquad p = \mathrm{softmax}(z)""",
                "softmax",
                lambda z, y, eps=0.1: smoothed(z, y, eps),
            ),
        ),
        symbols={
            "p": "the softmax of the C logits z",
            "y": "the label",
            r"\varepsilon": "`eps`, the share of the label that is spread over all C classes",
        },
        limits=(
            "Never 0 for eps above 0: the minimum is at p = 1 - eps + eps / C for the label.",
            "No upper bound. Logits that are too certain are pushed back: the gradient changes its "
            "sign beyond the minimum.",
            "eps = 1 ignores the label.",
        ),
        use=(
            f"Overconfident networks: accuracy rose by about 0.2 points on ImageNet with eps = 0.1 "
            f"({SZEGEDY}), and calibration improves ({MUELLER}).",
            "A few wrong labels that nobody can find.",
        ),
        avoid=(
            f"A network that teaches another one: labels that are smoothed make worse teachers "
            f"({MUELLER}).",
            "Class logits of -inf (masked classes): smoothing gives them some mass, which makes "
            "the loss huge.",
            "Many wrong labels: [`generalized_ce`](generalized_ce.md) and "
            "[`bi_tempered`](bi_tempered.md) are made for them.",
        ),
        effects={"eps": "Predictions become less confident. 0.05 to 0.1 is usual."},
        vary=("eps", (0.0, 0.1, 0.3)),
        demos=("rare",),
        in_sum="dice+label_smoothing",
        equals=(
            Equality({"eps": 0.0}, "cross_entropy"),
            Equality({"eps": 0.2}, "cross_entropy", {"label_smoothing": 0.2}),
        ),
        neighbors={
            "focal": "also makes a network less confident, without a minimum above 0",
            "cross_entropy": "has the same smoothing as a parameter",
        },
    ),
    "brier": Fact(
        title="Brier loss (squared error of probabilities)",
        formulas=(
            Formula(
                "Masks: one sigmoid per channel",
                r"\ell = (p - t)^2, \qquad p = \frac{1}{1 + e^{-z}}",
                "sigmoid",
                lambda z, t: (sigmoid(z) - t) ** 2,
            ),
            Formula(
                "Classes that exclude each other",
                r"\ell = \sum_{c=1}^{C} \left(p_c - [c = y]\right)^2, \qquad "
                r"p = \mathrm{softmax}(z)",
                "softmax",
                lambda z, y: ((softmax(z) - one_hot(y, len(z))) ** 2).sum(0),
            ),
        ),
        symbols={
            "z": "the logit, or the C logits",
            "p": "the probability, or the C probabilities",
            "t": "the target in [0, 1]",
            "y": "the label",
        },
        limits=(
            "From 0 to 1 for masks and from 0 to 2 for classes.",
            "The gradient fades on confident mistakes: a pixel that is wrong with z = 6 has almost "
            "none. So outliers do little harm, and learning starts more slowly.",
        ),
        use=(
            "Calibrated probabilities: it is a proper score, as cross entropy is.",
            f"Outliers and some wrong labels. As accurate as cross entropy on many tasks, with a "
            f"slight advantage of cross entropy on images ({HUI}).",
        ),
        avoid=(
            "Very rare objects: a network that starts by calling everything background gets "
            "little gradient from the few mistakes.",
            "Few epochs or many classes: the gradient of a wrong, uncertain start is small.",
        ),
        beside=("bce", "brier"),
        demos=("nuclei", "noisy"),
        in_sum="dice+brier",
        equals=(Equality({}, "bi_tempered", {"t1": 0.0, "t2": 1.0}, factor=2.0),),
        neighbors={
            "bce": "unbounded where this loss levels off",
            "generalized_ce": "bounded, too, with a parameter that says how much",
        },
    ),
    "hinge": Fact(
        title="Multiclass hinge loss (Crammer and Singer)",
        formulas=(
            Formula(
                "Classes that exclude each other",
                r"\ell = \max\left(0,\; m + \max_{j \neq y} z_j - z_y\right)^{p}",
                "softmax",
                crammer_singer,
            ),
        ),
        symbols={
            "z": "the C logits; one channel stands for (0, z)",
            "y": "the label",
            "m": "`margin`",
            "p": "`p`, an exponent (not a probability)",
        },
        limits=(
            "0 as soon as the label leads by the margin: such pixels have no gradient.",
            "No upper bound; linear in a mistake (p = 1) or quadratic (p = 2), so the gradient "
            "does not vanish there.",
        ),
        use=(
            "Only the decision counts, not the probability.",
            f"As an alternative on easy data: with p = 2, one class against the rest, it had fewer "
            f"errors than the softmax on MNIST (0.87 % against 0.99 %) and CIFAR-10 (11.9 % "
            f"against 14.0 %; {TANG}).",
            "Overfitting of pixels that are right anyway: they stop counting.",
        ),
        avoid=(
            "Probabilities are needed: scores are not calibrated. `fit_temperature` or another "
            "loss helps.",
            "Rare classes: on the rare border of the README's comparison it found nearly nothing.",
        ),
        effects={
            "margin": "Scales the logits that the network aims for; with normalized weights it "
            "matters as much as the learning rate.",
            "p": "2 is smooth where the margin is reached, and punishes outliers more.",
        },
        vary=("margin", (0.5, 1.0, 3.0)),
        demos=("nuclei",),
        in_sum="dice+hinge",
        equals=(Equality({}, "weston_watkins", factor=2.0, two_classes=True),),
        neighbors={
            "weston_watkins": "adds up the hinges of all wrong classes instead of the largest",
            "lovasz_hinge": "weights the hinges of pixels by what they cost in IoU",
            "cross_entropy": "a smooth version, which never stops demanding more confidence",
        },
        epoch="1.04",
    ),
    "weston_watkins": Fact(
        title="Multiclass hinge loss (Weston and Watkins)",
        formulas=(
            Formula(
                "Classes that exclude each other",
                r"\ell = \frac{1}{C} \sum_{j \neq y} \max\left(0,\; m + z_j - z_y\right)^{p}",
                "softmax",
                weston_watkins,
            ),
        ),
        symbols={
            "z": "the C logits; one channel stands for (0, z)",
            "y": "the label",
            "m": "`margin`",
            "p": "`p`, an exponent (not a probability)",
        },
        limits=(
            "0 once the label leads every other class by the margin.",
            "No upper bound; linear or quadratic in a mistake, so the gradient does not vanish.",
            "It is torch's `MultiMarginLoss`, for pixels, too.",
        ),
        use=(
            "Many classes that are close to each other: all wrong ones are pushed back in each "
            "step, not only the strongest.",
            "Only the decision counts, not the probability.",
        ),
        avoid=(
            "Probabilities are needed: scores are not calibrated.",
            "Very many classes: the sum is divided by C, so each mistake counts little. Raise "
            "`lr`, or use [`hinge`](hinge.md).",
        ),
        effects={
            "margin": "Scales the logits that the network aims for.",
            "p": "2 is smooth where the margin is reached, and punishes outliers more.",
        },
        vary=("p", (1, 1.5, 2)),
        demos=("rare",),
        in_sum="dice+weston_watkins",
        equals=(Equality({}, "hinge", factor=0.5, two_classes=True),),
        neighbors={
            "hinge": "only the strongest wrong class counts",
            "cross_entropy": "smooth, and never 0",
        },
    ),
}
