"""Losses of shapes: distances and center lines."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

from .fact import Fact
from .numeric import Array, masks
from .papers import KERVADEC, MA, SHIT
from .regions import EPS, MEAN, both

CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])
ON_THE_CPU = (
    "Large batches on a GPU: SciPy computes the distances on the CPU, for each image and class. "
    "It can be neither compiled nor mapped by `torch.func.vmap`."
)


def distance_to(mask: Array) -> Array:
    """Return the distance of each pixel of an image to the nearest one of a mask."""
    places = np.argwhere(np.ones_like(mask))
    gaps = places[:, None] - np.argwhere(mask)[None]
    return np.asarray(np.sqrt((gaps**2).sum(-1)).min(1).reshape(mask.shape))


def boundary(z, t):  # type: ignore[no-untyped-def]
    """Boundary loss of each class."""
    p, t = masks(z, t)
    values = []
    for prob, mask in zip(p, t > 0.5, strict=True):
        phi = np.where(mask, 1 - distance_to(~mask), distance_to(mask))
        values.append((prob * phi).mean())
    return np.array(values)


def hausdorff(z, t, alpha=2.0):  # type: ignore[no-untyped-def]
    """Hausdorff loss of each class."""
    p, t = masks(z, t)
    values = []
    for prob, mask in zip(p, t > 0.5, strict=True):
        far = [
            np.where(each, distance_to(~each), distance_to(each)) if 0 < each.mean() < 1 else 0.0
            for each in (mask, prob > 0.5)
        ]
        values.append(((prob - mask) ** 2 * (far[0] ** alpha + far[1] ** alpha)).mean())
    return np.array(values)


def skeleton(mask: Array, iterations: int) -> Array:
    """Return the soft center line of an image."""

    def eroded(m: Array) -> Array:
        return np.asarray(minimum_filter(m, footprint=CROSS, mode="constant", cval=np.inf))

    def ridge(m: Array) -> Array:
        opened = maximum_filter(eroded(m), size=3, mode="constant", cval=-np.inf)
        return np.maximum(0, m - opened)

    line = ridge(mask)
    for _ in range(iterations):
        mask = eroded(mask)
        line = line + np.maximum(0, ridge(mask) * (1 - line))
    return line


def cl_dice(z, t, iterations=3, eps=1e-6):  # type: ignore[no-untyped-def]
    """Center-line Dice loss of each class."""
    values = []
    for p, m in zip(*masks(z, t), strict=True):
        line_p, line_t = skeleton(p, iterations), skeleton(m, iterations)
        precision = (np.minimum(line_p, m).sum() + eps) / (line_p.sum() + eps)
        recall = (np.minimum(line_t, p).sum() + eps) / (line_t.sum() + eps)
        values.append(1 - 2 * precision * recall / (precision + recall))
    return np.array(values)


FACTS = {
    "boundary": Fact(
        title="Boundary loss",
        formulas=both(
            r"""\ell = \frac{1}{n} \sum_{i=1}^{n} p_i\, \varphi_i, \qquad
\varphi_i = \begin{cases} d_i & \text{outside of the object} \\ 1 - d_i & \text{inside}
\end{cases}""",
            boundary,
        ),
        symbols={
            "p_i": "the probability of pixel i: a sigmoid per channel, or a softmax",
            "d_i": "the distance of the pixel to the object if it is outside, and to the "
            "background if it is inside, in pixels or in units of `spacing`",
            "n": "the number of pixels",
        },
        limits=(
            "Negative for a good prediction, lowest for a perfect one; its size grows with that of "
            "the image.",
            "Linear in p, so its gradient in the logits fades on confident mistakes. Empty and "
            "full masks have φ = 0.",
            MEAN,
        ),
        use=(
            f"A small, growing term beside a region loss where masks are highly unbalanced "
            f"({KERVADEC}): a wrong pixel costs more the further it is from the object.",
        ),
        avoid=(
            "Alone: an empty prediction costs 0, which small objects hardly improve on.",
            "Compact objects that are easy to find: on the nuclei below it adds nothing to Dice.",
            "With the weight 1 on large images: distances of hundreds of pixels drown the other "
            "loss. Start with 0.01.",
            ON_THE_CPU,
        ),
        beside=("dice", "dice+0.01*boundary", "dice+0.1*boundary"),
        curve="image",
        demos=("nuclei",),
        shown_as="dice+0.01*boundary",
        in_sum="dice+0.01*boundary",
        neighbors={
            "hausdorff": "distances of both, the true and the predicted boundary",
            "dice": "the loss to add it to",
        },
        epoch="1.04",
    ),
    "hausdorff": Fact(
        title="Hausdorff distance loss",
        formulas=both(
            r"""\ell = \frac{1}{n} \sum_{i=1}^{n} (p_i - t_i)^2 \left(d_{p,i}^{\,\alpha}
+ d_{t,i}^{\,\alpha}\right)""",
            hausdorff,
        ),
        symbols={
            "p_i": "the probability of pixel i: a sigmoid per channel, or a softmax",
            "t_i": "the true mask",
            r"d_{t,i},\ d_{p,i}": "the distance of the pixel to the other side of the true mask's "
            "boundary, and of the predicted one's (p > 1/2)",
            r"\alpha": "`alpha`",
            "n": "the number of pixels",
        },
        limits=(
            "0 for a perfect mask; its size grows with that of the image.",
            "The gradient fades on confident mistakes. Empty and full masks have d = 0.",
            MEAN,
        ),
        use=(
            f"Errors far from the object are the worst: beside Dice it was the best of 20 losses "
            f"on liver tumors, .629 against .619 of Dice alone ({MA}).",
            "The score is the Hausdorff distance or another distance of surfaces.",
        ),
        avoid=(
            "Alone, or with the weight 1 on large images: it drowns the other loss. Start with "
            "0.01.",
            "The score is Dice or IoU, and no error is far away: on the nuclei below it is worse "
            "than Dice alone.",
            ON_THE_CPU,
        ),
        effects={"alpha": "Distant errors count more."},
        vary=("alpha", (1.0, 2.0, 3.0)),
        curve="image",
        demos=("nuclei",),
        shown_as="dice+0.01*hausdorff",
        in_sum="dice+0.01*hausdorff",
        neighbors={
            "boundary": "linear in p, with distances of the true boundary alone",
            "dice": "the loss to add it to",
        },
        epoch="1.10",
    ),
    "cl_dice": Fact(
        title="Center-line Dice loss (clDice)",
        formulas=both(
            r"""\ell = 1 - \frac{2 P S}{P + S}, \qquad
P = \frac{\sum_i \min(s(p)_i,\, t_i) + \varepsilon}{\sum_i s(p)_i + \varepsilon}, \qquad
S = \frac{\sum_i \min(s(t)_i,\, p_i) + \varepsilon}{\sum_i s(t)_i + \varepsilon}""",
            cl_dice,
        ),
        symbols={
            "p": "the probability: a sigmoid per channel, or a softmax",
            "t": "the true mask",
            "s(\\cdot)": "the soft center line of a mask, by `iterations` erosions",
            "P,\\ S": "precision (the share of the predicted line that is inside of the true "
            "mask) and sensitivity (of the true line inside of the predicted mask)",
            r"\varepsilon": "`eps`",
        },
        limits=(
            "From 0 for a perfect mask to nearly 1, and about 0 for a mask that is full: it has no "
            "center line, and thus no error.",
            "The width of a structure hardly matters.",
            MEAN,
        ),
        use=(
            f"Vessels, roads and nerves, where gaps are worse than some false alarms, beside a "
            f"region loss with up to the same weight ({SHIT}).",
        ),
        avoid=(
            "Alone: predicting everything would be free.",
            "Dice is all that counts: the lines below are in fewer pieces than with Dice alone, "
            "but wider, with more false alarms. None of the losses closes all gaps.",
            "Compact objects: their center line means little, and it is the slowest loss here.",
            "Structures wider than two times `iterations` pixels: raise it, at a proportional "
            "cost.",
        ),
        effects={
            "iterations": "Lines of wider structures are found, in more time. At least half the "
            "largest width in pixels.",
            "eps": EPS,
        },
        beside=("dice", "cl_dice", "dice+0.5*cl_dice"),
        curve="line",
        demos=("strokes",),
        shown_as="dice+0.5*cl_dice",
        in_sum="dice+0.5*cl_dice",
        neighbors={
            "dice": "the loss to add it to",
            "tversky": "finds more of a thin structure with beta above alpha",
        },
        epoch="1.36",
    ),
}
