"""Losses for hard and for rare examples."""

from __future__ import annotations

import numpy as np

from .fact import Equality, Fact, Formula
from .numeric import at_label, one_hot, p_label, sigmoid, softmax
from .papers import CAO, LIN, MA, MENON, MUKHOTI, RIDNIK


def focal(z, t, gamma=2.0, alpha="auto"):  # type: ignore[no-untyped-def]
    """Focal loss of masks."""
    p = sigmoid(z)
    a, b = (1, 1) if alpha is None else (0.25, 0.75) if alpha == "auto" else (alpha, 1 - alpha)
    return -a * t * (1 - p) ** gamma * np.log(p) - b * (1 - t) * p**gamma * np.log(1 - p)


def focal_of_classes(z, y, gamma=2.0):  # type: ignore[no-untyped-def]
    """Focal loss of class indices, with alpha="auto"."""
    p = p_label(z, y)
    return -((1 - p) ** gamma) * np.log(p)


def topk(z, y, k=0.1):  # type: ignore[no-untyped-def]
    """Mean of the largest cross entropies; the last one may count partially."""
    hardest = np.sort(-np.log(p_label(z, y)).ravel())[::-1]
    share = np.clip(k * hardest.size - np.arange(hardest.size), 0, 1)
    return (share * hardest).sum() / share.sum()


def asymmetric(z, t, gamma_pos=0.0, gamma_neg=4.0, clip=0.05):  # type: ignore[no-untyped-def]
    """Asymmetric loss of masks."""
    p = sigmoid(z)
    q = np.maximum(p - clip, 0)
    positive = t * (1 - p) ** gamma_pos * np.log(p)
    return -positive - (1 - t) * q**gamma_neg * np.log(1 - q)


def ldam(z, y, class_counts, max_margin=0.5, scale=1.0):  # type: ignore[no-untyped-def]
    """Cross entropy with a margin for each class."""
    n = np.asarray(class_counts, dtype=float)
    margin = max_margin * (n.min() / n) ** 0.25
    shifted = scale * (z - margin[:, None, None] * one_hot(y, len(z)))
    return -np.log(at_label(softmax(shifted), y))


def logit_adjusted(z, y, class_counts, tau=1.0):  # type: ignore[no-untyped-def]
    """Cross entropy of logits shifted by the class frequencies."""
    share = np.asarray(class_counts, dtype=float) / np.sum(class_counts)
    return -np.log(at_label(softmax(z + tau * np.log(share)[:, None, None]), y))


FACTS = {
    "focal": Fact(
        title="Focal loss",
        formulas=(
            Formula(
                "Masks and several labels at once: one sigmoid per channel",
                r"""\ell &= -\alpha\, t\, (1 - p)^{\gamma} \log p \\
&\quad - (1 - \alpha)\, (1 - t)\, p^{\gamma} \log (1 - p)""",
                "sigmoid",
                focal,
            ),
            Formula(
                "Classes that exclude each other",
                r"\ell = -\alpha_y\, (1 - p_y)^{\gamma} \log p_y, \qquad p = \mathrm{softmax}(z)",
                "softmax",
                focal_of_classes,
            ),
        ),
        symbols={
            "p": "the probability: the sigmoid of a logit z, or the softmax of C logits",
            "t": "the target in [0, 1]",
            "y": "the label",
            r"\gamma": "`gamma`, the focus",
            r"\alpha": "`alpha`, the weight of positives: 0.25 by default for masks, as in the "
            "paper, and 1 for classes",
        },
        limits=(
            "From 0 without an upper bound; a confident mistake keeps its gradient.",
            "A pixel that is right with probability 0.9 counts 100 times less than under cross "
            "entropy (gamma = 2).",
            "With gamma below 1 the gradient stays finite: powers are computed from logarithms.",
        ),
        use=(
            f"Rare objects on a large background that is easy, as in detection ({LIN}).",
            f"Calibration of a network that overfits: on CIFAR-10, with gamma = 3, the calibration "
            f"error of a ResNet-50 fell from 4.35 % to 1.48 %, while 5.25 % of its answers were "
            f"wrong instead of 4.95 % ({MUKHOTI}).",
            f"Beside Dice: `dice+focal` was the best of 20 losses on several organs ({MA}).",
        ),
        avoid=(
            f"Alone for small lesions: on liver tumors its Dice was .47 against .56 of cross "
            f"entropy and .62 of Dice ({MA}).",
            "Few epochs: gradients are small, so it needs a higher learning rate or more time.",
            "Masks that are not rare, with the default alpha of 0.25: it prefers the background, "
            "as the picture below shows.",
            "Wrong labels: they look like hard examples and get the most weight.",
        ),
        effects={
            "gamma": "Easy pixels count less and predictions become less confident. 0 is cross "
            "entropy.",
            "alpha": "With a larger one, masks gain pixels and false alarms. Try 0.5 to 0.9 if the "
            "object is not rare.",
        },
        vary=("gamma", (0.0, 2.0, 5.0)),
        fixed={"alpha": None},
        demos=("nuclei", "border"),
        in_sum="dice+focal",
        equals=(
            Equality({"gamma": 0.0, "alpha": None}, "bce", form="sigmoid"),
            Equality({"gamma": 0.0}, "cross_entropy"),
            Equality(
                {"gamma": 2.0, "alpha": None},
                "asymmetric",
                {"gamma_pos": 2.0, "gamma_neg": 2.0, "clip": 0.0},
                form="sigmoid",
            ),
        ),
        neighbors={
            "asymmetric": "a focus each for positives and negatives",
            "topk": "drops easy pixels instead of giving them less weight",
            "unified_focal": "the same idea for cross entropy and Tversky together",
        },
    ),
    "topk": Fact(
        title="Top-k cross entropy (online hard example mining)",
        formulas=(
            Formula(
                "Classes that exclude each other",
                r"""L = \frac{1}{k\, n} \sum_{i \in H} -\log p_{y_i}, \qquad
H = \text{the } k\,n \text{ pixels with the smallest } p_{y_i}""",
                "softmax",
                topk,
            ),
        ),
        symbols={
            "p_{y_i}": "the softmax probability of the label of pixel i",
            "n": "the number of valid pixels in the batch, weighted by `sample_weight`; the "
            "hardest are chosen among all of them",
            "k": "`k`, the share of pixels that count; a pixel at the limit counts partially",
        },
        limits=(
            "From 0 without an upper bound; confident mistakes keep their gradient.",
            "All pixels outside of the hardest share have no gradient in this step.",
        ),
        use=(
            "Segmentation in which most pixels are easy.",
            f"Beside Dice: `dice+topk` was the best of 20 on livers, and with nnU-Net V2 on liver "
            f"tumors (.669 against .642 of cross entropy) and several organs ({MA}).",
        ),
        avoid=(
            f"Alone, untested: on livers it fell to .69 where cross entropy had .97 ({MA}), and "
            "in our recorded fits it often failed at its defaults.",
            "Wrong labels: these are the hardest pixels, and with a small k nearly all of the sum.",
            "CUDA with `torch.use_deterministic_algorithms(True)`, which refuses its cumulative "
            "sums.",
        ),
        effects={"k": "More pixels count, until 1 is cross entropy."},
        vary=("k", (0.05, 0.2, 1.0)),
        curve="image",
        demos=("nuclei", "border"),
        in_sum="dice+topk",
        equals=(Equality({"k": 1.0}, "cross_entropy"),),
        neighbors={
            "focal": "less weight for easy pixels, but never none",
            "lovasz_softmax": "also sorts pixels by their error",
        },
        epoch="1.07",
    ),
    "poly1": Fact(
        title="Poly-1 cross entropy",
        formulas=(
            Formula(
                "Classes that exclude each other",
                r"\ell = -\log p_y + \epsilon\,(1 - p_y), \qquad p = \mathrm{softmax}(z)",
                "softmax",
                lambda z, y, epsilon=1.0: -np.log(p_label(z, y)) + epsilon * (1 - p_label(z, y)),
            ),
        ),
        symbols={
            "p_y": "the softmax probability of the label",
            r"\epsilon": "`epsilon`, added to the first coefficient of the series that cross "
            "entropy is: $\\sum_{j \\ge 1} (1 - p_y)^j / j$",
        },
        limits=(
            "From 0 (for epsilon of -1 or more) without an upper bound.",
            "Confident mistakes keep their gradient: the added term vanishes there.",
        ),
        use=(
            "One number to tune around cross entropy: above 0 for balanced classes (2 on "
            "ImageNet), below 0 for strong imbalance (-1 in detection), both in the paper.",
        ),
        avoid=(
            "Large effects are needed: the loss differs from cross entropy by at most epsilon.",
            "Rare classes at the default of 1, as below: above 0 is for balanced classes.",
            "Negative epsilon with few epochs: at -1 a nearly right pixel has little gradient.",
        ),
        effects={"epsilon": "Pixels of medium probability get more gradient."},
        vary=("epsilon", (-1.0, 0.0, 4.0)),
        demos=("rare",),
        in_sum="dice+poly1",
        equals=(
            Equality({"epsilon": 0.0}, "cross_entropy"),
            Equality({"epsilon": 2.0}, "symmetric_ce", {"alpha": 1.0, "beta": 0.5}),
        ),
        neighbors={
            "symmetric_ce": "the same formula with other weights, for wrong labels",
            "focal": "changes all coefficients at once",
        },
    ),
    "asymmetric": Fact(
        title="Asymmetric loss",
        formulas=(
            Formula(
                "Masks and several labels at once: one sigmoid per channel",
                r"""\ell &= -t\,(1 - p)^{\gamma_+} \log p \\
&\quad - (1 - t)\, q^{\gamma_-} \log (1 - q) \\
q &= \max(p - m,\; 0)""",
                "sigmoid",
                asymmetric,
            ),
        ),
        symbols={
            "p": "the sigmoid of the logit z",
            "t": "the target in [0, 1]; class indices become a mask per class",
            r"\gamma_+,\ \gamma_-": "`gamma_pos` and `gamma_neg`, the focus of positives and of "
            "negatives",
            "m": "`clip`: negatives with a probability below it cost nothing",
        },
        limits=(
            "Without an upper bound on positives; at most -log(clip) on negatives if `clip` is "
            "above 0.",
            "With such a clip a confident false alarm loses its gradient; a confident miss keeps "
            "it.",
        ),
        use=(
            f"Many labels at once of which few are present: mean average precision of 86.6 on "
            f"MS-COCO ({RIDNIK}).",
            "Negatives that are wrong, because nobody marked the object: with `clip` and a large "
            "`gamma_neg` they count little.",
        ),
        avoid=(
            "False alarms cost as much as misses: the defaults prefer to find too much.",
            "Calibrated probabilities: with the defaults they come out too high.",
        ),
        effects={
            "gamma_pos": "Easy positives count less. Keep it below `gamma_neg`.",
            "gamma_neg": "Easy negatives count less; more is found, with more false alarms.",
            "clip": "More negatives are left out of the sum.",
        },
        vary=("gamma_neg", (0.0, 2.0, 4.0)),
        demos=("nuclei", "rare"),
        in_sum="dice+asymmetric",
        equals=(
            Equality({"gamma_pos": 0.0, "gamma_neg": 0.0, "clip": 0.0}, "bce", form="sigmoid"),
            Equality(
                {"gamma_pos": 2.0, "gamma_neg": 2.0, "clip": 0.0},
                "focal",
                {"gamma": 2.0, "alpha": None},
                form="sigmoid",
            ),
        ),
        neighbors={
            "focal": "one focus for positives and negatives",
            "bce": "with `pos_weight` it balances positives and negatives, too",
        },
    ),
    "ldam": Fact(
        title="LDAM loss (label-distribution-aware margin)",
        formulas=(
            Formula(
                "Classes that exclude each other",
                r"""\ell = -\log \frac{e^{s (z_y - m_y)}}{e^{s (z_y - m_y)} + \sum_{j \neq y}
e^{s z_j}}, \qquad m_c = m_{\max} \left(\frac{n_{\min}}{n_c}\right)^{1/4}""",
                "softmax",
                ldam,
            ),
        ),
        symbols={
            "z": "the C logits",
            "y": "the label",
            "n_c": "`class_counts`: how often class c occurs; `fit` fills it in",
            r"m_{\max}": "`max_margin`, the margin of the rarest class",
            "s": "`scale`",
        },
        limits=(
            "From 0 without an upper bound; confident mistakes keep their gradient.",
            "The margin only applies in training: predictions use the logits as they are.",
        ),
        use=(
            f"A long tail of classes, scored per class: rare classes need a larger lead ({CAO}).",
            "Rare classes of which a few examples are memorized rather than learned.",
        ),
        avoid=(
            "The test data have the same rare classes, and plain accuracy is the score.",
            "The paper's `scale=30` with a plain network: it is meant for normalized features and "
            "weights. Keep `scale=1`.",
        ),
        effects={"max_margin": "Rare classes are predicted more often."},
        vary=("max_margin", (0.0, 0.5, 2.0)),
        fixed={"class_counts": [900, 10]},
        demos=("rare",),
        in_sum="dice+ldam",
        equals=(Equality({"max_margin": 0.0, "class_counts": [5, 3, 2]}, "cross_entropy"),),
        neighbors={
            "logit_adjusted": "shifts by the logarithm of the frequencies, with a guarantee for "
            "balanced accuracy",
            "hinge": "a margin that is the same for all classes",
        },
    ),
    "logit_adjusted": Fact(
        title="Logit-adjusted cross entropy",
        formulas=(
            Formula(
                "Classes that exclude each other",
                r"""\ell = -\log \frac{\pi_y^{\tau} e^{z_y}}{\sum_{c=1}^{C} \pi_c^{\tau} e^{z_c}},
\qquad \pi_c = \frac{n_c}{\sum_j n_j}""",
                "softmax",
                logit_adjusted,
            ),
        ),
        symbols={
            "z": "the C logits",
            "y": "the label",
            "n_c": "`class_counts`: how often class c occurs; `fit` fills it in",
            r"\tau": "`tau`, the strength of the shift",
        },
        limits=(
            "From 0 without an upper bound; confident mistakes keep their gradient.",
            "The shift only applies in training. Without it the network predicts as if all classes "
            "were equally frequent; for tau = 1 that is the best answer for balanced accuracy.",
        ),
        use=(
            f"Classes of unequal sizes, scored by balanced accuracy ({MENON}).",
            "The classes will be balanced where the model is used, unlike in training.",
        ),
        avoid=(
            "Plain accuracy, or probabilities for the frequencies of the training data: the shift "
            "gives these up on purpose.",
            "Very rare classes of a few pixels with tau above 1: many false alarms.",
        ),
        effects={"tau": "Rare classes are predicted more often. 0 is cross entropy."},
        vary=("tau", (0.0, 1.0, 2.0)),
        fixed={"class_counts": [900, 100]},
        demos=("rare",),
        in_sum="dice+logit_adjusted",
        equals=(
            Equality({"tau": 0.0, "class_counts": [5, 3, 2]}, "cross_entropy"),
            Equality({"class_counts": [4, 4, 4]}, "cross_entropy"),
        ),
        neighbors={
            "ldam": "a margin instead of a shift",
            "cross_entropy": "with `class_weight='balanced'` it aims at the same, by weights",
        },
    ),
}
